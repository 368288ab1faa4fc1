//! The fleet over time: snapshot after snapshot, and the inventory at the beginning.

use telemill_sdk::{Effects, Error, Marks, Output, Rows, Shard, Simulation, Timestamp, Window};

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
    device_marks: Marks,
    segments: SegmentTimeseries,
    segment_marks: Marks,
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
            device_marks: Marks::default(),
            segments: rows,
            segment_marks: Marks::default(),
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
        let mut past = std::mem::take(&mut self.past);
        let effects = past.reach(effects, Window::new(window.start - self.reports.window(), window.end));
        for step in window.steps(self.step) {
            let t = step.start;
            let trouble = Trouble::within(effects, Window::new(t - self.reports.window(), step.end));
            self.list(step, &trouble);
            self.count(t, &trouble);
        }
        self.device_marks.finish(&mut self.devices.incident_id, effects);
        self.segment_marks.finish(&mut self.segments.incident_id, effects);
        self.past = past;
        self.devices.finish(output)?;
        self.segments.finish(output)
    }

    /// Lists the machines that are known when the run begins, or are set up within a step.
    fn list(&mut self, step: Window, trouble: &Trouble<'_>) {
        let begins = step.start == self.shard.span.start;
        for (index, device) in self.fleet.devices.iter().enumerate() {
            let installed = device.installed();
            let listed = step.contains(installed) || (begins && installed <= step.start);
            if !listed || !self.shard.owns(index as u64) {
                continue;
            }
            let t = step.start.max(installed);
            let seen = |trouble: &Trouble<'_>| {
                let faulty = self.reports.is_faulty(&self.fleet, index, t, trouble);
                (faulty, self.reports.last_connection(&self.fleet, index, t, trouble))
            };
            let (faulty, heard_of) = seen(trouble);
            let changed = !trouble.is_none() && (faulty, heard_of) != seen(&Trouble::NONE);
            let blame = if changed { self.reports.blame(&self.fleet, index, t, trouble) } else { None };
            self.devices.push(&self.fleet, index, faulty, heard_of);
            self.device_marks.push(&mut self.devices.incident_id, blame.map(|blame| blame.incident));
        }
    }

    /// Counts the machines that are online at an instant.
    fn count(&mut self, t: Timestamp, trouble: &Trouble<'_>) {
        self.snapshot.take(&self.fleet, &self.reports, &self.groups, t, trouble);
        for (index, group) in self.groups.groups.iter().enumerate() {
            let count = self.snapshot.count(index);
            if count > 0 && self.shard.owns(index as u64) {
                self.segments.push(&self.labels, t, group, count);
                self.segment_marks.push(&mut self.segments.incident_id, self.snapshot.blame(index));
            }
        }
    }
}
