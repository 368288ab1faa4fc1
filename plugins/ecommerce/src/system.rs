//! What all partitions share: demand, utilisation, and what they do to each service and operation at one second.
//!
//! Everything here follows from seed, configuration, incidents and time. Without an incident, the state holds for a tick of
//! ten seconds; with one, it is solved anew each second. Knows nothing of rows.

use telemill_sdk::demand::{BurstScale, Bursts, Poisson};
use telemill_sdk::noise::OrnsteinUhlenbeck;
use telemill_sdk::profile::Profile;
use telemill_sdk::queue::{Queue, QueueState};
use telemill_sdk::time::SECOND;
use telemill_sdk::{Effects, Error, Process, Zone, hash};

use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::operations::{self, OperationState};
use crate::signals::{Signals, Targets};

/// Seconds for which the undisturbed state holds.
pub const TICK_SECONDS: i64 = 10;

const BURSTS: Process = Process::named("demand bursts");
const ERROR_WANDER: Process = Process::named("error rate wander");
const SERVICE_WANDER: Process = Process::named("service latency wander");
const BLIP: Process = Process::named("error blip");

/// Variance of the logarithm of the rate at the schedule's base, for half a minute, five and forty minutes, in ticks. With the
/// pairs below they give dispersions of 1.4, 3.9 and 16 at 1, 10 and 60 s for 20 transactions per second.
const BURST_SCALES: [BurstScale; 3] = [
    BurstScale { variance: 0.0025, tau_steps: 3.0 },
    BurstScale { variance: 0.0055, tau_steps: 30.0 },
    BurstScale { variance: 0.0055, tau_steps: 240.0 },
];
/// Share of arrivals' clusters that are pairs of calls of one trace: 1.1 is their dispersion alone.
const PAIRS: f64 = 0.053;
/// Utilisation at the schedule's peak. A load spike of 1.5 on a burst of 1.25 stays below 0.9: the shop holds it.
const PEAK_UTILISATION: f64 = 0.45;
/// Utilisation at the mean call of a day, where operations take their median.
const TYPICAL_UTILISATION: f64 = 0.26;
/// What calls in service do to one another, per unit of utilisation: to the median, and on top of it to the slower half.
const BUSY_SLOWDOWN: f64 = 0.35;
const BUSY_STRETCH: f64 = 0.3;
/// Share of the mean wait that the median call sees, as most calls do not wait at all; and what the slower half waits more.
const MEDIAN_WAIT: f64 = 0.3;
const STRETCH_WAIT: f64 = 0.6;
const PEAK_SCHEDULE: f64 = 60.0;
const SERVERS_PER_HOST: u32 = 3;
/// The 30 s after which callers give up, in service times of 400 ms.
const DEADLINE_SERVICE_TIMES: f64 = 75.0;
const RETRY_SHARE: f64 = 0.5;
/// A queue holds no more than this, in service times; what finds it full is refused.
const LONGEST_WAIT: f64 = 1.0;
const ERROR_WANDER_TAU_TICKS: f64 = 360.0;
/// What the normal share of errors follows: load in relation to the peak's, around its middle, and a wander of hours.
const ERROR_LOAD: f64 = 3.5;
const ERROR_LOAD_MIDDLE: f64 = 0.55;
const ERROR_WANDER_SPREAD: f64 = 0.5;
const SERVICE_WANDER_TAU_TICKS: f64 = 30.0;
const SERVICE_WANDER_SPREAD: f64 = 0.06;

/// Share of normal errors that come in blips: a few seconds in which calls fail all over the shop.
pub const BLIP_SHARE: f64 = 0.45;
/// Share of calls that fail within a blip.
const BLIP_LEVEL: f64 = 0.45;
const BLIP_MEAN_SECONDS: f64 = 2.5;

/// A service at one second.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServiceState {
    /// How its queue stands.
    pub queue: QueueState,
    /// First calls per second.
    pub rate: f64,
    /// Factor on latencies: its slow wander, its load and its queue.
    pub slowdown: f64,
    /// How much farther above the median the slower half of its calls lies.
    pub stretch: f64,
    /// Share of an average operation's calls that fail without an incident.
    pub error_share: f64,
    /// Mean state of its operations, weighted by how often they are called.
    pub mean: operations::Shares,
}

/// The shared state.
#[derive(Clone, Debug)]
pub struct System {
    config: Config,
    targets: Targets,
    profile: Profile,
    seed: u64,
    bursts: Bursts,
    error_wander: OrnsteinUhlenbeck,
    service_wander: Vec<OrnsteinUhlenbeck>,
    queues: Vec<Queue>,
    capacities: Vec<f64>,
    tick: Tick,
    /// The second that the state below holds for, where an incident is on; else it holds for the tick.
    disturbed_second: Option<i64>,
    arrivals: Arrivals,
    services: Vec<ServiceState>,
    operations: Vec<OperationState>,
}

/// What holds for ten seconds whatever incidents do.
#[derive(Clone, Debug)]
struct Tick {
    index: i64,
    rate: f64,
    error_wander: f64,
    /// The normal share of errors at this rate.
    error_share: f64,
    wander: Vec<f64>,
    /// Seconds within the tick in which a blip begins and ends.
    blip: (i64, i64),
}

/// The laws of one second's counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arrivals {
    /// Calls on their own.
    pub singles: Poisson,
    /// Pairs of calls of one trace.
    pub pairs: Poisson,
}

impl System {
    /// The system of a configuration.
    ///
    /// # Errors
    /// Where the zone or a holiday is unknown.
    pub fn new(config: Config, catalogue: &Catalogue, seed: u64) -> Result<Self, Error> {
        let zone = Zone::named(&config.time_zone)?;
        let profile = config.profile(&zone).map_err(|message| Error::invalid("/holidays", message))?;
        let peak = config.tps(PEAK_SCHEDULE).max(config.base_tps).max(1e-9);
        let services = catalogue.services.len();
        let wander = |service: usize| {
            OrnsteinUhlenbeck::new(hash(seed, SERVICE_WANDER, service as u64, 0), SERVICE_WANDER_TAU_TICKS)
        };
        Ok(Self {
            targets: Targets::of(catalogue),
            profile,
            seed,
            bursts: Bursts::new(hash(seed, BURSTS, 0, 0), &BURST_SCALES),
            error_wander: OrnsteinUhlenbeck::new(hash(seed, ERROR_WANDER, 0, 0), ERROR_WANDER_TAU_TICKS),
            service_wander: (0..services).map(wander).collect(),
            queues: catalogue
                .services
                .iter()
                .map(|service| {
                    let servers = service.hosts.len() as u32 * SERVERS_PER_HOST;
                    Queue::new(servers, DEADLINE_SERVICE_TIMES, RETRY_SHARE)
                })
                .collect(),
            capacities: catalogue.services.iter().map(|s| (s.share * peak / PEAK_UTILISATION).max(1e-9)).collect(),
            tick: Tick {
                index: i64::MIN,
                rate: 0.0,
                error_wander: 0.0,
                error_share: 0.0,
                wander: vec![0.0; services],
                blip: (0, 0),
            },
            disturbed_second: None,
            arrivals: Arrivals::default(),
            services: vec![ServiceState::default(); services],
            operations: vec![OperationState::default(); catalogue.operations.len()],
            config,
        })
    }

    /// Solves the state of a second. `effects` where an incident may be on in it, none where none can.
    pub fn go_to(&mut self, second: i64, catalogue: &Catalogue, effects: Option<&Effects>) {
        let tick = second.div_euclid(TICK_SECONDS);
        let fresh = tick != self.tick.index;
        if fresh {
            self.start_tick(tick);
        }
        match effects {
            Some(effects) if fresh || self.disturbed_second != Some(second) => {
                self.disturbed_second = Some(second);
                self.solve(catalogue, Some((effects, second * SECOND)));
            }
            None if fresh || self.disturbed_second.is_some() => {
                self.disturbed_second = None;
                self.solve(catalogue, None);
            }
            _ => {}
        }
    }

    /// The laws of this second's arrivals.
    pub fn arrivals(&self) -> Arrivals {
        self.arrivals
    }

    /// The operations at this second.
    pub fn operations(&self) -> &[OperationState] {
        &self.operations
    }

    /// The services at this second.
    pub fn services(&self) -> &[ServiceState] {
        &self.services
    }

    /// The numbers of the targets.
    pub fn targets(&self) -> Targets {
        self.targets
    }

    /// The share of calls that fail in a second because of a blip, as a threshold of 2^32.
    pub fn blip_threshold(&self, second: i64) -> u32 {
        let within = second.rem_euclid(TICK_SECONDS);
        if (self.tick.blip.0..self.tick.blip.1).contains(&within) { operations::threshold(BLIP_LEVEL) } else { 0 }
    }

    /// Expected transactions per second at a second, without bursts and incidents.
    pub fn expected_rate(&mut self, second: i64) -> f64 {
        self.profile.at(second * SECOND)
    }

    /// Transactions per second at the schedule's peak, above 0.
    pub fn peak_rate(&self) -> f64 {
        self.config.tps(PEAK_SCHEDULE).max(self.config.base_tps).max(1e-9)
    }

    fn start_tick(&mut self, index: i64) {
        let expected = self.profile.at((index * TICK_SECONDS + TICK_SECONDS / 2) * SECOND);
        // A rate that is a sum of independent users' has bursts that shrink with their number.
        let sources = (expected / self.config.base_tps.max(1e-9)).max(0.05);
        let burst = self.bursts.factor(index, 1.0 / sources);
        let rate = expected * burst;
        let error_wander = self.error_wander.at(index);
        let error_share = normal_error_share(&self.config, rate / self.peak_rate(), error_wander);
        // Blips make up their share of the errors on average.
        let bits = hash(self.seed, BLIP, 0, index);
        let often = error_share * BLIP_SHARE / BLIP_LEVEL * TICK_SECONDS as f64 / BLIP_MEAN_SECONDS;
        let blip = if ((bits >> 32) as f64) < often * 4_294_967_296.0 {
            let length = 1 + (((bits & 0xffff) * 4) >> 16) as i64;
            let start = ((((bits >> 16) & 0xffff) * (TICK_SECONDS - length + 1) as u64) >> 16) as i64;
            (start, start + length)
        } else {
            (0, 0)
        };
        let wander = std::mem::take(&mut self.tick.wander);
        self.tick = Tick { index, rate, error_wander, error_share, wander, blip };
        for (value, process) in self.tick.wander.iter_mut().zip(&mut self.service_wander) {
            *value = 1.0 + SERVICE_WANDER_SPREAD * process.at(index);
        }
    }

    fn solve(&mut self, catalogue: &Catalogue, effects: Option<(&Effects, i64)>) {
        let targets = self.targets;
        let bent = |target: usize, signal: Signals, base: f64| match effects {
            Some((effects, t)) => effects.at(target, signal as usize, t).apply(base),
            None => base,
        };
        let demand = bent(targets.shop(), Signals::Demand, 1.0).max(0.0);
        let rate = self.tick.rate * demand;
        let clusters = rate / (1.0 + PAIRS);
        self.arrivals =
            Arrivals { singles: Poisson::new(clusters * (1.0 - PAIRS)), pairs: Poisson::new(clusters * PAIRS) };
        for (at, service) in catalogue.services.iter().enumerate() {
            let capacity = self.capacities[at] * bent(targets.service(at), Signals::Capacity, 1.0).max(0.01);
            let service_rate = rate * service.share;
            let retries = operations::retries(service, catalogue, &bent, targets, self.tick.error_share);
            let queue = self.queues[at].at(service_rate * (1.0 + retries) / capacity);
            let wait = queue.wait.min(LONGEST_WAIT);
            let busy = BUSY_SLOWDOWN * (queue.utilisation - TYPICAL_UTILISATION);
            let state = &mut self.services[at];
            (state.queue, state.rate) = (queue, service_rate);
            state.slowdown = self.tick.wander[at].max(0.5) * (1.0 + busy + MEDIAN_WAIT * wait);
            state.stretch = BUSY_STRETCH * queue.utilisation + STRETCH_WAIT * wait;
            state.error_share =
                normal_error_share(&self.config, queue.utilisation / PEAK_UTILISATION, self.tick.error_wander);
            let scene = operations::Scene { catalogue, config: &self.config, targets, effects };
            state.mean = scene.solve(at, state, &mut self.operations[service.operations.clone()]);
        }
    }
}

/// The share of calls that fail without an incident: within the configured range, lower where there is little load in relation
/// to the peak's and higher where there is much.
fn normal_error_share(config: &Config, load: f64, wander: f64) -> f64 {
    let x = ERROR_LOAD * (load - ERROR_LOAD_MIDDLE) + ERROR_WANDER_SPREAD * wander;
    // From 0 to 1, flat at both ends, and without the long way of an exponential through a library.
    config.normal_error_share(0.5 + 0.5 * x / (1.0 + x.abs()))
}
