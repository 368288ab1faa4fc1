//! When machines report: at their ticks, if they are switched on, well, and let through. Pure functions of seed and time.
//!
//! Every tick of every machine is a draw of its own, so that the last connection before any instant is found by going back
//! from it, and no snapshot needs another.

use std::cell::Cell;

use telemill_sdk::time::{DAY, MINUTE, SECOND};
use telemill_sdk::{Blame, Process, Steps, Timestamp, hash};

use crate::config::Config;
use crate::fleet::{Device, Fleet};
use crate::signals::Trouble;

const PHASE: Process = Process::named("report phase");
const REPORT: Process = Process::named("report");
const FAULT: Process = Process::named("fault");
const SUSCEPTIBLE: Process = Process::named("susceptible");

/// A technician comes to a machine every so often and mends what broke in the meantime.
const VISIT: i64 = 4 * DAY;
/// Share of the faults that silence a machine, and what of the reports of the others gets through.
const SILENT: f64 = 0.3;
const HAMPERED: f64 = 0.35;
/// Faults by a machine's age in years: this at first, so much more each year; about 1 over the fleet of today.
const NEW_FAULTS: f64 = 0.4;
const YEARLY_FAULTS: f64 = 0.12;
const MOST_FAULTS: f64 = 2.5;
/// How far back a last connection is looked for; before that, a machine was last heard of when it was set up.
const LONGEST_SILENCE: i64 = 10 * DAY;
/// Years of a microsecond.
const YEARS: f64 = 1.0 / (365.25 * DAY as f64);
/// 2^32, what probabilities are compared as.
const ONE: f64 = 4_294_967_296.0;

/// The law of the reports of a fleet.
#[derive(Clone, Debug)]
pub struct Reports {
    frequency: i64,
    window: i64,
    probability: f64,
    fault_share: f64,
    rhythms: Vec<Rhythm>,
}

/// What a machine does not have in common with others; times in microseconds.
#[derive(Clone, Debug)]
struct Rhythm {
    /// How late after the start of a tick it reports; whole seconds.
    phase: i64,
    /// How long before others it is visited.
    visit: i64,
    acquired: Timestamp,
    installed: Timestamp,
    /// The probability that a report gets through while it is on and well.
    probability: f64,
    /// The same, and while it is in trouble but not silent, as bounds on 32 uniform bits.
    passes_below: u64,
    hampered_below: u64,
    reports: Steps,
    faults: Steps,
    /// The fault that was asked for last: a cache, never state.
    fault: Cell<Fault>,
}

/// A machine, found once for all that is asked of it.
#[derive(Clone, Copy, Debug)]
struct Machine<'a> {
    fleet: &'a Fleet,
    index: usize,
    device: &'a Device,
    rhythm: &'a Rhythm,
}

/// How a machine stands at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether its last connection lies within the window.
    pub online: bool,
    /// Whether it is in trouble.
    pub faulty: bool,
}

/// What is wrong with a machine between two visits as long as no incident is on.
#[derive(Clone, Copy, Debug)]
struct Fault {
    /// The earlier visit.
    visited: Timestamp,
    /// Mean share of machines of this age that are in trouble.
    share: f64,
    /// From when on this one is, until the next visit; the largest timestamp where it stays well.
    sets_in: Timestamp,
    /// Whether a machine in trouble gets nothing through at all.
    silent: bool,
}

impl Fault {
    /// Of no visit that ever was.
    const UNKNOWN: Self = Self { visited: Timestamp::MAX, share: 0.0, sets_in: Timestamp::MAX, silent: false };

    /// What a machine in trouble gets through.
    fn passes(&self) -> f64 {
        if self.silent { 0.0 } else { HAMPERED }
    }
}

impl Reports {
    /// The law of a configuration.
    pub fn new(config: &Config, fleet: &Fleet) -> Self {
        let frequency = i64::from(config.frequency_minutes.max(1)) * MINUTE;
        let bound = |probability: f64| (probability.clamp(0.0, 1.0) * ONE).ceil() as u64;
        let rhythm = |(index, device): (u64, &Device)| {
            let link = fleet.branches.get(device.branch as usize).map_or(1.0, |branch| branch.link);
            let probability = config.update_probability * link;
            Rhythm {
                phase: (hash(fleet.seed, PHASE, index, 0) % (frequency / SECOND) as u64) as i64 * SECOND,
                visit: (hash(fleet.seed, PHASE, index, 1) % VISIT as u64) as i64,
                acquired: device.acquired * DAY,
                installed: device.installed(),
                probability,
                passes_below: bound(probability),
                hampered_below: bound(probability * HAMPERED),
                reports: Steps::of(fleet.seed, REPORT, index),
                faults: Steps::of(fleet.seed, FAULT, index),
                fault: Cell::new(Fault::UNKNOWN),
            }
        };
        Self {
            frequency,
            window: i64::from(config.window_minutes.max(1)) * MINUTE,
            probability: config.update_probability,
            fault_share: config.fault_share,
            rhythms: (0u64..).zip(&fleet.devices).map(rhythm).collect(),
        }
    }

    /// How far back a snapshot looks, in microseconds.
    pub fn window(&self) -> i64 {
        self.window
    }

    /// How a machine stands at an instant.
    pub fn standing(&self, fleet: &Fleet, index: usize, t: Timestamp, trouble: &Trouble<'_>) -> Standing {
        let Some(machine) = self.machine(fleet, index) else { return Standing { online: false, faulty: false } };
        let fault = self.fault(machine.rhythm, t);
        let online = self.last_report(&machine, t, t - self.window, fault, trouble).is_some();
        Standing { online, faulty: faulty(&machine, t, &fault, trouble) }
    }

    /// Whether a machine is in trouble.
    pub fn is_faulty(&self, fleet: &Fleet, index: usize, t: Timestamp, trouble: &Trouble<'_>) -> bool {
        self.machine(fleet, index).is_some_and(|machine| faulty(&machine, t, &self.fault(machine.rhythm, t), trouble))
    }

    /// When a machine was last heard of at an instant after its installation.
    pub fn last_connection(&self, fleet: &Fleet, index: usize, t: Timestamp, trouble: &Trouble<'_>) -> Timestamp {
        let Some(machine) = self.machine(fleet, index) else { return t };
        // A fleet that never reports need not be asked for each tick.
        let after = if self.probability > 0.0 { t - LONGEST_SILENCE } else { t };
        let fault = self.fault(machine.rhythm, t);
        self.last_report(&machine, t, after, fault, trouble).unwrap_or(machine.rhythm.installed)
    }

    fn machine<'a>(&'a self, fleet: &'a Fleet, index: usize) -> Option<Machine<'a>> {
        let (device, rhythm) = (fleet.devices.get(index)?, self.rhythms.get(index)?);
        Some(Machine { fleet, index, device, rhythm })
    }

    /// The newest report in `after < time <= t`, of which the first is that of its installation. `fault` is that at `t`.
    fn last_report(
        &self,
        machine: &Machine<'_>,
        t: Timestamp,
        after: Timestamp,
        mut fault: Fault,
        trouble: &Trouble<'_>,
    ) -> Option<Timestamp> {
        let installed = machine.rhythm.installed;
        let report = self.ticks(machine.rhythm, t, after.max(installed)).find(|&tick| {
            if tick < fault.visited {
                fault = self.fault(machine.rhythm, tick);
            }
            reports(machine, tick, &fault, trouble)
        });
        report.or((after < installed && installed <= t).then_some(installed))
    }

    /// The ticks of a machine in `after < time <= t`, the newest first.
    fn ticks(&self, rhythm: &Rhythm, t: Timestamp, after: Timestamp) -> impl Iterator<Item = Timestamp> + use<> {
        let (frequency, phase) = (self.frequency, rhythm.phase);
        let mut next = (t - phase).div_euclid(frequency) * frequency + phase;
        std::iter::from_fn(move || {
            (next > after).then(|| {
                let tick = next;
                next -= frequency;
                tick
            })
        })
    }

    /// The fault of a machine between the two visits around an instant: it sets in at any time, so that half of what ever breaks
    /// is broken at an instant.
    #[inline]
    fn fault(&self, rhythm: &Rhythm, t: Timestamp) -> Fault {
        let known = rhythm.fault.get();
        if known.visited <= t && t - known.visited < VISIT {
            return known;
        }
        let fault = self.fault_at(rhythm, t);
        rhythm.fault.set(fault);
        fault
    }

    fn fault_at(&self, rhythm: &Rhythm, t: Timestamp) -> Fault {
        let visited = (t + rhythm.visit).div_euclid(VISIT) * VISIT - rhythm.visit;
        let bits = rhythm.faults.hash(visited);
        let years = ((visited - rhythm.acquired) as f64 * YEARS).max(0.0);
        let share = self.fault_share * (NEW_FAULTS + YEARLY_FAULTS * years).min(MOST_FAULTS);
        let breaks = f64::from((bits >> 40) as u32) < 2.0 * share * f64::from(1u32 << 24);
        let after = (bits & 0xff_ffff) as i64 * (VISIT >> 24);
        let silent = f64::from((bits >> 24) as u16) < SILENT * 65_536.0;
        Fault { visited, share, sets_in: if breaks { visited + after } else { Timestamp::MAX }, silent }
    }

    /// The incident to blame for how a machine stands at an instant: of those that kept reports of the window from getting
    /// through, or brought it into trouble, the one that changed most.
    pub fn blame<'a>(&self, fleet: &Fleet, index: usize, t: Timestamp, trouble: &Trouble<'a>) -> Option<Blame<'a>> {
        let machine = self.machine(fleet, index)?;
        let of_fault = |at: Timestamp| {
            let fault = self.fault(machine.rhythm, at);
            let caused = at < fault.sets_in && faulty(&machine, at, &fault, trouble);
            if caused { trouble.blame_fault(fleet, index, at, fault.share) } else { None }
        };
        let mut most = of_fault(t);
        for tick in self.ticks(machine.rhythm, t, t - self.window) {
            if machine.device.is_on(fleet.seed, index as u64, tick) {
                let base = machine.rhythm.probability;
                most = Blame::most(most, trouble.blame_availability(fleet, index, tick, base));
                most = Blame::most(most, of_fault(tick));
            }
        }
        most
    }
}

/// Whether a machine's report of a tick gets through.
fn reports(machine: &Machine<'_>, tick: Timestamp, fault: &Fault, trouble: &Trouble<'_>) -> bool {
    let &Machine { fleet, index, device, rhythm } = machine;
    let bits = rhythm.reports.hash(tick) >> 32;
    if trouble.is_none() {
        let below = match (tick >= fault.sets_in, fault.silent) {
            (false, _) => rhythm.passes_below,
            (true, false) => rhythm.hampered_below,
            (true, true) => 0,
        };
        return bits < below && device.is_on(fleet.seed, index as u64, tick);
    }
    if !device.is_on(fleet.seed, index as u64, tick) {
        return false;
    }
    let draw = f64::from(bits as u32);
    let passes = if faulty(machine, tick, fault, trouble) { fault.passes() } else { 1.0 };
    draw < trouble.availability(fleet, index, tick, rhythm.probability * passes).clamp(0.0, 1.0) * ONE
}

/// Whether a machine is in trouble, by its own fault or because of an incident.
fn faulty(machine: &Machine<'_>, t: Timestamp, fault: &Fault, trouble: &Trouble<'_>) -> bool {
    if trouble.is_none() || t >= fault.sets_in {
        return t >= fault.sets_in;
    }
    let &Machine { fleet, index, .. } = machine;
    // Incidents bring trouble to machines that were well, to the same ones as long as they last.
    let more = trouble.fault_share(fleet, index, t, fault.share) - fault.share;
    more > 0.0 && f64::from((hash(fleet.seed, SUSCEPTIBLE, index as u64, fault.visited) >> 32) as u32) < more * ONE
}
