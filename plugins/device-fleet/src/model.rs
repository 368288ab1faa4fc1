//! The fleet over time: snapshot after snapshot, and the inventory at the beginning.

use telemill_sdk::{Effects, Error, Output, Rows, Shard, Simulation, Window};

use crate::config::Config;
use crate::fleet::Fleet;
use crate::reports::Reports;
use crate::segments::{Groups, Segment};
use crate::signals::{self, Trouble};
use crate::snapshot::Snapshot;
use crate::tables::{Devices, Labels, SegmentTimeseries};

/// One shard of the fleet: every shard knows all machines, and emits the inventory's rows and the groups that it owns. It
/// carries no state over a step.
#[derive(Debug)]
pub struct DeviceFleet {
    shard: Shard,
    step: i64,
    fleet: Fleet,
    reports: Reports,
    groups: Groups,
    labels: Labels,
    snapshot: Snapshot,
    past: Past,
    devices: Devices,
    segments: SegmentTimeseries,
}

/// Effects as they are known, prepared further back than the window that is asked for.
#[derive(Clone, Debug, Default)]
struct Past {
    effects: Effects,
    known: usize,
}

impl Past {
    /// The effects on a window and the time before it.
    fn reach(&mut self, effects: &Effects, window: Window) -> &Effects {
        if self.known != effects.incidents().len() {
            self.known = effects.incidents().len();
            self.effects = effects.clone();
        }
        if self.known > 0 {
            self.effects.prepare(window);
        }
        &self.effects
    }
}

/// What a configuration simulates.
pub fn plan(config: &Config) -> Simulation {
    Simulation {
        tables: vec![Devices::table(), SegmentTimeseries::table()],
        signals: signals::signals(),
        targets: signals::targets(config),
        inputs: Vec::new(),
        step_micros: config.step_micros() as u64,
        attributes: Vec::new(),
    }
}

impl DeviceFleet {
    /// Opens a shard.
    ///
    /// # Errors
    /// Where a segment is unknown.
    pub fn new(config: &Config, shard: Shard) -> Result<Self, Error> {
        let segments: Vec<Segment> = config
            .segments
            .iter()
            .map(|name| Segment::named(name))
            .collect::<Result<_, String>>()
            .map_err(|message| Error::invalid("/segments", message))?;
        let fleet = Fleet::new(config, shard.seed);
        let (rows, labels) = SegmentTimeseries::of(&segments, &fleet);
        Ok(Self {
            shard,
            step: config.step_micros(),
            reports: Reports::new(config, &fleet),
            groups: Groups::new(&segments, &fleet),
            labels,
            snapshot: Snapshot::default(),
            past: Past::default(),
            devices: Devices::of(&fleet),
            segments: rows,
            fleet,
        })
    }

    /// The rows of a window: one snapshot at the beginning of each step.
    ///
    /// # Errors
    /// Where the window is no whole number of steps.
    pub fn advance(&mut self, window: Window, effects: &Effects, output: &mut Output) -> Result<(), Error> {
        if window.micros() % self.step != 0 {
            let Window { start, end } = window;
            return Err(Error::failed(format!("window {start} to {end} is no whole number of snapshots")));
        }
        let effects = self.past.reach(effects, Window::new(window.start - self.reports.window(), window.end));
        for step in window.steps(self.step) {
            let t = step.start;
            let trouble = Trouble::within(effects, Window::new(t - self.reports.window(), step.end));
            for (index, device) in self.fleet.devices.iter().enumerate() {
                let installed = device.installed();
                // A machine is listed when the run begins, or else when it is set up.
                let listed = step.contains(installed) || (t == self.shard.span.start && installed <= t);
                if listed && self.shard.owns(index as u64) {
                    let at = t.max(installed);
                    let faulty = self.reports.is_faulty(&self.fleet, index, at, &trouble);
                    let heard_of = self.reports.last_connection(&self.fleet, index, at, &trouble);
                    let changed = !trouble.is_none()
                        && (faulty != self.reports.is_faulty(&self.fleet, index, at, &Trouble::NONE)
                            || heard_of != self.reports.last_connection(&self.fleet, index, at, &Trouble::NONE));
                    let blame = changed.then(|| self.reports.blame(&self.fleet, index, at, &trouble)).flatten();
                    self.devices.push(&self.fleet, index, faulty, heard_of, blame.map(|blame| blame.id));
                }
            }
            self.snapshot.take(&self.fleet, &self.reports, &self.groups, t, &trouble);
            for (index, group) in self.groups.groups.iter().enumerate() {
                let count = self.snapshot.count(index);
                if count > 0 && self.shard.owns(index as u64) {
                    let blame = self.snapshot.blame(index).map(|incident| effects.id(incident));
                    self.segments.push(&self.labels, t, group, count, blame);
                }
            }
        }
        self.devices.finish(output)?;
        self.segments.finish(output)
    }
}
