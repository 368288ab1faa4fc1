//! One operation at one second: how slow it is, how often and why it fails, and which incident is to blame.

use telemill_sdk::time::Timestamp;
use telemill_sdk::{Blame, Effects};

use crate::catalogue::{Catalogue, Operation, Service};
use crate::config::Config;
use crate::signals::{Signals, Targets};
use crate::system::{BLIP_SHARE, ServiceState};
use crate::templates::Cause;

/// Normal shares of calls.
const TIMEOUT_SHARE: f64 = 0.0003;
const REJECTION_SHARE: f64 = 0.0001;
/// Calls that are tried again for each one that fails.
const RETRIES_PER_ERROR: f64 = 0.8;
/// Normal use of a host's memory, in percent.
pub const MEMORY_PCT: f64 = 52.0;
/// Memory begins to press here, in percent.
const MEMORY_PRESSES: f64 = 82.0;
/// A pool begins to make callers wait here, as a share of its connections.
const POOL_PRESSES: f64 = 0.92;
/// What full pressure of memory or pool does.
const PRESSURE_SLOWDOWN: f64 = 0.5;
const PRESSURE_ERRORS: f64 = 0.30;
/// From this factor on an operation is slow as a whole: no more single stragglers, but a narrow hump.
const SLOW: f64 = 4.0;
/// From this share of refused calls on, some of those that pass are trials of breakers that are half open.
const HALF_OPEN: f64 = 0.02;
/// Their share of the calls that pass.
const TRIALS: f64 = 0.125;
/// Trials are told apart by ten random bits.
const TRIAL_BITS: u32 = 10;
/// Smaller changes mark no row.
const LEAST_CHANGE: f64 = 1e-3;

/// The incident whose effects changed something most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    /// Its number among the known incidents.
    pub incident: usize,
    /// Change in relation to the base.
    pub change: f64,
    /// Whether it only recovers.
    pub recovering: bool,
}

impl Mark {
    /// The mark for some blame.
    pub fn of(blame: Option<Blame<'_>>, effects: &Effects, t: Timestamp) -> Option<Self> {
        let blame = blame.filter(|blame| blame.change > LEAST_CHANGE)?;
        let over = effects.incident(blame.incident).is_some_and(|incident| t >= incident.window.end);
        Some(Self { incident: blame.incident, change: blame.change, recovering: over })
    }

    /// Of two, the one that changed more; ties go to the smaller id.
    pub fn most(a: Option<Self>, b: Option<Self>, effects: &Effects) -> Option<Self> {
        match (a, b) {
            (Some(x), Some(y)) => {
                let first =
                    x.change > y.change || (x.change == y.change && effects.id(x.incident) <= effects.id(y.incident));
                Some(if first { x } else { y })
            }
            (a, b) => a.or(b),
        }
    }
}

/// Shares of calls, and their median latency.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shares {
    /// Calls that fail, for whatever cause.
    pub errors: f64,
    /// Calls without an answer in time.
    pub timeouts: f64,
    /// Calls that a breaker refused.
    pub rejections: f64,
    /// Calls that are tried again.
    pub retries: f64,
    /// Median response time.
    pub latency_ms: f64,
    /// How much farther above the median the slower half lies.
    pub stretch: f64,
    /// Use of pooled connections beyond what there is, 0 to 1.
    pub pool_pressure: f64,
    /// Memory's pressure, 0 to 1.
    pub memory_pressure: f64,
    /// Share of calls to operations that are slow as a whole.
    pub slow: f64,
}

/// An operation at one second, ready to draw rows from. Thresholds are shares of 2^32, each on top of the one before.
#[derive(Clone, Copy, Debug, Default)]
pub struct OperationState {
    /// Median response time.
    pub latency_ms: f32,
    /// How much farther above the median the slower half lies.
    pub stretch: f32,
    /// Whether it is slow as a whole.
    pub slow: bool,
    /// Refused by the breaker below this.
    pub rejected_below: u32,
    /// Timed out below this.
    pub timed_out_below: u32,
    /// Failed of `stress` below this.
    pub stressed_below: u32,
    /// Failed as on any day below this.
    pub failed_below: u32,
    /// Tried again below this.
    pub retried_below: u32,
    /// What the stress is.
    pub stress: Cause,
    /// Calls that pass are trials of a breaker that is half open below this, of 2^10.
    pub trial_below: u32,
    /// Who is to blame.
    pub mark: Option<Mark>,
}

/// A share as a threshold for 32 random bits.
pub fn threshold(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * 4_294_967_295.0) as u32
}

/// Whether a call that passes is a trial, by its random bits of which the lowest ten count.
#[inline]
pub fn is_trial(state: &OperationState, bits: u64) -> bool {
    ((bits & ((1 << TRIAL_BITS) - 1)) as u32) < state.trial_below
}

/// Retries per first call of a service, before its queue has its say. `error_share` of an average operation's calls fail.
pub fn retries(
    service: &Service,
    catalogue: &Catalogue,
    bent: &impl Fn(usize, Signals, f64) -> f64,
    targets: Targets,
    error_share: f64,
) -> f64 {
    let sum: f64 = service
        .operations
        .clone()
        .map(|at| {
            let operation = &catalogue.operations[at];
            let normal = RETRIES_PER_ERROR * error_share * operation.error_weight;
            operation.share * bent(targets.operation(at), Signals::RetryRate, normal)
        })
        .sum();
    (sum / service.share.max(1e-12)).clamp(0.0, 10.0)
}

/// Normal database connections in use on a host at a utilisation, as a share of the most.
pub fn connections_share(utilisation: f64) -> f64 {
    0.10 + 0.62 * utilisation
}

/// All that the operations of a service are solved from.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The shop.
    pub catalogue: &'a Catalogue,
    /// Its settings.
    pub config: &'a Config,
    /// Numbers of the targets.
    pub targets: Targets,
    /// What incidents do and when, where they do something.
    pub effects: Option<(&'a Effects, Timestamp)>,
}

impl Scene<'_> {
    /// Solves the operations of a service and returns their mean.
    pub fn solve(&self, service: usize, state: &ServiceState, operations: &mut [OperationState]) -> Shares {
        let at = &self.catalogue.services[service];
        let (pool, memory) = self.pressures(service, state.queue.utilisation);
        let mut mean = Shares { pool_pressure: pool, memory_pressure: memory, ..Shares::default() };
        for (index, solved) in at.operations.clone().zip(operations) {
            let operation = &self.catalogue.operations[index];
            let shares;
            (*solved, shares) = match self.effects {
                None => self.undisturbed(operation, state),
                Some((effects, t)) => self.disturbed(index, operation, state, (pool, memory), effects, t),
            };
            let weight = operation.share / at.share.max(1e-12);
            mean.errors += weight * shares.errors;
            mean.timeouts += weight * shares.timeouts;
            mean.rejections += weight * shares.rejections;
            mean.retries += weight * shares.retries;
            mean.latency_ms += weight * shares.latency_ms;
            mean.stretch += weight * shares.stretch;
            mean.slow += weight * f64::from(u8::from(solved.slow));
        }
        mean
    }

    /// How hard pool and memory press on average over the hosts.
    fn pressures(&self, service: usize, utilisation: f64) -> (f64, f64) {
        let Some((effects, t)) = self.effects else {
            return (0.0, 0.0);
        };
        let hosts = self.catalogue.services[service].hosts.clone();
        let n = hosts.len().max(1) as f64;
        let (mut pool, mut memory) = (0.0, 0.0);
        for host in hosts {
            let bent = |signal: Signals, base: f64| effects.at(self.targets.host(host), signal as usize, t).apply(base);
            let connections = bent(Signals::DbConnections, connections_share(utilisation));
            pool += ((connections - POOL_PRESSES) / 0.3).clamp(0.0, 1.0);
            memory += ((bent(Signals::Memory, MEMORY_PCT) - MEMORY_PRESSES) / 14.0).clamp(0.0, 1.0);
        }
        (pool / n, memory / n)
    }

    fn undisturbed(&self, operation: &Operation, state: &ServiceState) -> (OperationState, Shares) {
        let errors = state.error_share * operation.error_weight;
        let overload = state.queue.failed;
        let shares = Shares {
            errors: errors + TIMEOUT_SHARE + REJECTION_SHARE + overload,
            timeouts: TIMEOUT_SHARE + overload,
            rejections: REJECTION_SHARE,
            retries: RETRIES_PER_ERROR * errors + state.queue.retries,
            latency_ms: operation.median_ms * state.slowdown,
            stretch: state.stretch,
            ..Shares::default()
        };
        let solved = OperationState {
            latency_ms: shares.latency_ms as f32,
            stretch: shares.stretch as f32,
            rejected_below: threshold(REJECTION_SHARE),
            timed_out_below: threshold(REJECTION_SHARE + shares.timeouts),
            stressed_below: threshold(REJECTION_SHARE + shares.timeouts),
            failed_below: threshold(REJECTION_SHARE + shares.timeouts + errors * (1.0 - BLIP_SHARE)),
            retried_below: threshold(shares.retries),
            ..OperationState::default()
        };
        (solved, shares)
    }

    fn disturbed(
        &self,
        index: usize,
        operation: &Operation,
        state: &ServiceState,
        (pool, memory): (f64, f64),
        effects: &Effects,
        t: Timestamp,
    ) -> (OperationState, Shares) {
        let (_, normal) = self.undisturbed(operation, state);
        let pool = if operation.stores { pool } else { 0.0 };
        let mut mark = None;
        let mut bend = |target: usize, signal: Signals, base: f64| {
            let bent = effects.at(target, signal as usize, t);
            if !bent.is_neutral() {
                mark = Mark::most(mark, Mark::of(bent.blame(base), effects, t), effects);
            }
            bent.apply(base)
        };
        let own = self.targets.operation(index);
        let pressed = normal.latency_ms * (1.0 + PRESSURE_SLOWDOWN * (pool + memory));
        let latency_ms = bend(own, Signals::Latency, pressed).max(1.0);
        let normal_errors = state.error_share * operation.error_weight;
        let asked = bend(own, Signals::ErrorRate, normal_errors).max(0.0);
        let timeouts = bend(own, Signals::TimeoutRate, normal.timeouts).clamp(0.0, 1.0);
        let rejections = bend(own, Signals::RejectionRate, normal.rejections).clamp(0.0, 1.0);
        let retries = bend(own, Signals::RetryRate, normal.retries).clamp(0.0, 1.0);
        let capacity = bend(self.targets.service(operation.service), Signals::Capacity, 1.0);
        let host = self.targets.host(self.catalogue.services[operation.service].hosts.start);
        if pool > 0.0 {
            bend(host, Signals::DbConnections, connections_share(state.queue.utilisation));
        }
        if memory > 0.0 {
            bend(host, Signals::Memory, MEMORY_PCT);
        }
        let base = asked.min(normal_errors);
        let stressed = (asked - base).max(PRESSURE_ERRORS * pool).max(PRESSURE_ERRORS * memory);
        // What incidents add is moved to the configured range; what fails anyway stays.
        let added = rejections + timeouts + stressed;
        let total = base + added;
        let room = (self.config.incident_error_share(total) - base).max(0.0);
        let fit = if added > 0.0 { (room / added).min(1.0 / added) } else { 0.0 };
        let stress = if pool > 0.3 {
            Cause::Pool
        } else if memory > 0.3 {
            Cause::Memory
        } else if capacity < 0.9 || latency_ms > 2.0 * normal.latency_ms {
            Cause::Upstream
        } else {
            Cause::Normal
        };
        let (rejections, timeouts, stressed) = (rejections * fit, timeouts * fit, stressed * fit);
        let slow = latency_ms > SLOW * normal.latency_ms;
        // All calls of an operation in trouble are slow, and alike.
        let stretch = if slow { 0.0 } else { normal.stretch };
        let trials = if rejections < HALF_OPEN { 0.0 } else { TRIALS };
        let solved = OperationState {
            latency_ms: latency_ms as f32,
            stretch: stretch as f32,
            slow,
            rejected_below: threshold(rejections),
            timed_out_below: threshold(rejections + timeouts),
            stressed_below: threshold(rejections + timeouts + stressed),
            failed_below: threshold(rejections + timeouts + stressed + base * (1.0 - BLIP_SHARE)),
            retried_below: threshold(retries),
            stress,
            trial_below: (trials * f64::from(1 << TRIAL_BITS)) as u32,
            mark,
        };
        let shares = Shares {
            errors: base + rejections + timeouts + stressed,
            timeouts,
            rejections,
            retries,
            latency_ms,
            stretch,
            ..Shares::default()
        };
        (solved, shares)
    }
}
