//! When machines report: at their ticks, if they are switched on, well, and let through. Pure functions of seed and time.
//!
//! Every tick of every machine is a draw of its own, so that the last connection before any instant is found by going back
//! from it, and no snapshot needs another.

use telemill_sdk::time::{DAY, MINUTE, SECOND};
use telemill_sdk::{Blame, Process, Steps, Timestamp, hash};

use crate::config::Config;
use crate::fleet::Fleet;
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

/// What a machine does not have in common with others, in microseconds.
#[derive(Clone, Copy, Debug)]
struct Rhythm {
    /// How late after the start of a tick it reports; whole seconds.
    phase: i64,
    /// How long before others it is visited.
    visit: i64,
    reports: Steps,
    faults: Steps,
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
    /// What a machine in trouble gets through.
    passes: f64,
}

impl Reports {
    /// The law of a configuration.
    pub fn new(config: &Config, fleet: &Fleet) -> Self {
        let frequency = i64::from(config.frequency_minutes.max(1)) * MINUTE;
        let rhythm = |index: u64| Rhythm {
            phase: (hash(fleet.seed, PHASE, index, 0) % (frequency / SECOND) as u64) as i64 * SECOND,
            visit: (hash(fleet.seed, PHASE, index, 1) % VISIT as u64) as i64,
            reports: Steps::of(fleet.seed, REPORT, index),
            faults: Steps::of(fleet.seed, FAULT, index),
        };
        Self {
            frequency,
            window: i64::from(config.window_minutes.max(1)) * MINUTE,
            probability: config.update_probability,
            fault_share: config.fault_share,
            rhythms: (0..fleet.devices.len() as u64).map(rhythm).collect(),
        }
    }

    /// How far back a snapshot looks, in microseconds.
    pub fn window(&self) -> i64 {
        self.window
    }

    /// How a machine stands at an instant.
    pub fn standing(&self, fleet: &Fleet, index: usize, t: Timestamp, trouble: &Trouble<'_>) -> Standing {
        let fault = self.fault(fleet, index, t);
        let online = self.last_report(fleet, index, t, t - self.window, fault, trouble).is_some();
        Standing { online, faulty: self.faulty(fleet, index, t, &fault, trouble) }
    }

    /// Whether a machine is in trouble.
    pub fn is_faulty(&self, fleet: &Fleet, index: usize, t: Timestamp, trouble: &Trouble<'_>) -> bool {
        self.faulty(fleet, index, t, &self.fault(fleet, index, t), trouble)
    }

    /// When a machine was last heard of at an instant after its installation.
    pub fn last_connection(&self, fleet: &Fleet, index: usize, t: Timestamp, trouble: &Trouble<'_>) -> Timestamp {
        let installed = fleet.devices.get(index).map_or(t, |device| device.installed());
        // A fleet that never reports need not be asked for each tick.
        let after = if self.probability > 0.0 { t - LONGEST_SILENCE } else { t };
        self.last_report(fleet, index, t, after, self.fault(fleet, index, t), trouble).unwrap_or(installed)
    }

    /// The newest report in `after < time <= t`, of which the first is that of its installation. `fault` is that at `t`.
    fn last_report(
        &self,
        fleet: &Fleet,
        index: usize,
        t: Timestamp,
        after: Timestamp,
        mut fault: Fault,
        trouble: &Trouble<'_>,
    ) -> Option<Timestamp> {
        let installed = fleet.devices.get(index)?.installed();
        let mut ticks = self.ticks(index, t, after.max(installed));
        let report = ticks.find(|&tick| {
            if tick < fault.visited {
                fault = self.fault(fleet, index, tick);
            }
            self.reports(fleet, index, tick, &fault, trouble)
        });
        report.or((after < installed && installed <= t).then_some(installed))
    }

    /// The ticks of a machine in `after < time <= t`, the newest first.
    fn ticks(&self, index: usize, t: Timestamp, after: Timestamp) -> impl Iterator<Item = Timestamp> + use<> {
        let (frequency, phase) = (self.frequency, self.rhythms.get(index).map_or(0, |rhythm| rhythm.phase));
        let mut next = (t - phase).div_euclid(frequency) * frequency + phase;
        std::iter::from_fn(move || {
            (next > after).then(|| {
                let tick = next;
                next -= frequency;
                tick
            })
        })
    }

    /// Whether a machine's report of a tick gets through.
    fn reports(&self, fleet: &Fleet, index: usize, tick: Timestamp, fault: &Fault, trouble: &Trouble<'_>) -> bool {
        let Some(rhythm) = self.rhythms.get(index) else { return false };
        let draw = f64::from((rhythm.reports.hash(tick) >> 32) as u32);
        // What fails for the best of machines need not be looked into.
        if trouble.is_none() && draw >= self.probability * ONE {
            return false;
        }
        let base = self.base_probability(fleet, index, tick);
        if base <= 0.0 {
            return false;
        }
        let passes = if self.faulty(fleet, index, tick, fault, trouble) { fault.passes } else { 1.0 };
        draw < trouble.availability(fleet, index, tick, base * passes).clamp(0.0, 1.0) * ONE
    }

    /// The probability that a report of a machine without a fault gets through; 0 where it is switched off.
    fn base_probability(&self, fleet: &Fleet, index: usize, t: Timestamp) -> f64 {
        let Some(device) = fleet.devices.get(index) else { return 0.0 };
        if !device.is_on(fleet.seed, index as u64, t) {
            return 0.0;
        }
        self.probability * fleet.branches.get(device.branch as usize).map_or(1.0, |branch| branch.link)
    }

    fn faulty(&self, fleet: &Fleet, index: usize, t: Timestamp, fault: &Fault, trouble: &Trouble<'_>) -> bool {
        if trouble.is_none() || t >= fault.sets_in {
            return t >= fault.sets_in;
        }
        // Incidents bring trouble to machines that were well, to the same ones as long as they last.
        let more = trouble.fault_share(fleet, index, t, fault.share) - fault.share;
        more > 0.0 && ((hash(fleet.seed, SUSCEPTIBLE, index as u64, fault.visited) >> 32) as f64) < more * ONE
    }

    /// The fault of a machine between the two visits around an instant: it sets in at any time, so that half of what ever breaks
    /// is broken at an instant.
    fn fault(&self, fleet: &Fleet, index: usize, t: Timestamp) -> Fault {
        let visit = self.rhythms.get(index).map_or(0, |rhythm| rhythm.visit);
        let visited = (t + visit).div_euclid(VISIT) * VISIT - visit;
        let bits = self.rhythms.get(index).map_or(0, |rhythm| rhythm.faults.hash(visited));
        let acquired = fleet.devices.get(index).map_or(0, |device| device.acquired);
        let years = ((visited - acquired * DAY) as f64 * YEARS).max(0.0);
        let share = self.fault_share * (NEW_FAULTS + YEARLY_FAULTS * years).min(MOST_FAULTS);
        let breaks = ((bits >> 40) as f64) < 2.0 * share * (1u64 << 24) as f64;
        let after = (bits & 0xff_ffff) as i64 * (VISIT >> 24);
        let silent = (((bits >> 24) & 0xffff) as f64) < SILENT * 65_536.0;
        Fault {
            visited,
            share,
            sets_in: if breaks { visited + after } else { Timestamp::MAX },
            passes: if silent { 0.0 } else { HAMPERED },
        }
    }

    /// The incident to blame for how a machine stands at an instant: of those that kept reports of the window from getting
    /// through, or brought it into trouble, the one that changed most.
    pub fn blame<'a>(&self, fleet: &Fleet, index: usize, t: Timestamp, trouble: &Trouble<'a>) -> Option<Blame<'a>> {
        let of_fault = |at: Timestamp| {
            let fault = self.fault(fleet, index, at);
            let caused = at < fault.sets_in && self.faulty(fleet, index, at, &fault, trouble);
            if caused { trouble.blame_fault(fleet, index, at, fault.share) } else { None }
        };
        let mut most = of_fault(t);
        for tick in self.ticks(index, t, t - self.window) {
            let base = self.base_probability(fleet, index, tick);
            if base > 0.0 {
                most = Blame::most(most, trouble.blame_availability(fleet, index, tick, base));
                most = Blame::most(most, of_fault(tick));
            }
        }
        most
    }
}
