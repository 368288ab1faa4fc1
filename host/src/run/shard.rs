//! A shard: one partition of a run over the whole span, segment after segment. A pure function of the plan; where
//! its rows go is the output's matter.

use super::error::RunError;
use super::output::Output;
use super::plan::Configured;
use super::windows::Windows;
use crate::batch::{GuestBatch, TableFingerprint, TableLayout};
use crate::core::cancel::Cancel;
use crate::core::incident::Incident;
use crate::core::time::Window;
use crate::plugin::{Generator, LogSink, Shard};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Told how far a run is.
pub trait Observer: Sync {
    /// Simulated time that is done, summed over partitions, in microseconds; and rows made since this process began, each once: what
    /// a worker process had not finished when it died is taken back.
    fn progress(&self, done_us: u64, rows: u64);
}

/// Of a run that nobody looks at.
pub struct Unobserved;

impl Observer for Unobserved {
    fn progress(&self, _done_us: u64, _rows: u64) {}
}

/// What the shards of one run share while they run.
pub(super) struct Watch<'a> {
    observer: &'a dyn Observer,
    cancel: &'a Cancel,
    /// Set when another shard failed: what this one makes is of no use.
    stop: AtomicBool,
    done_us: AtomicU64,
    rows: AtomicU64,
}

impl<'a> Watch<'a> {
    pub(super) fn new(observer: &'a dyn Observer, cancel: &'a Cancel) -> Self {
        let (done_us, rows) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { observer, cancel, stop: AtomicBool::new(false), done_us, rows }
    }

    /// Lets the other shards end.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Tells of `us` more of simulated time, and of the rows in it.
    pub(super) fn done(&self, us: u64, rows: u64) {
        let done_us = self.done_us.fetch_add(us, Ordering::Relaxed) + us;
        let rows = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        self.observer.progress(done_us, rows);
    }

    /// Takes back `us` of simulated time, and rows in it, which are made again.
    pub(super) fn undone(&self, us: u64, rows: u64) {
        let done_us = self.done_us.fetch_sub(us, Ordering::Relaxed) - us;
        let rows = self.rows.fetch_sub(rows, Ordering::Relaxed) - rows;
        self.observer.progress(done_us, rows);
    }

    /// Whether somebody wants the run to stop.
    pub(super) fn check(&self) -> Result<(), RunError> {
        let ended = self.cancel.is_cancelled() || self.stop.load(Ordering::Relaxed);
        if ended { Err(RunError::Cancelled) } else { Ok(()) }
    }
}

/// A segment that is complete.
pub(super) struct SegmentDone {
    pub(super) window: Window,
    pub(super) state: Option<Vec<u8>>,
    pub(super) fingerprints: Vec<TableFingerprint>,
}

/// How far a shard had come before: segments that are kept, and what the last one saved.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    pub(super) segments: usize,
    pub(super) state: Option<Vec<u8>>,
}

/// What every instance of a plan's generator begins with.
pub(super) struct Beginning<'a> {
    pub(super) generator: &'a Configured,
    pub(super) incidents: Vec<Incident>,
    pub(super) inputs: &'a [GuestBatch],
    pub(super) log: &'a LogSink,
}

impl Beginning<'_> {
    /// Makes an instance ready for its first window: from a saved state or from the start, fed and warned.
    pub(super) fn begin(&self, shard: Shard, state: Option<Vec<u8>>) -> Result<Generator, RunError> {
        let Configured { plugin, config } = self.generator;
        let mut generator = plugin.generator(self.log.clone())?;
        match state {
            Some(state) => generator.restore(config, shard, &state)?,
            None => generator.open(config, shard)?,
        }
        for batch in self.inputs {
            generator.feed(batch.clone())?;
        }
        generator.inject(&self.incidents)?;
        Ok(generator)
    }
}

/// What the shards of a run are made of: all that a worker has to know of its plan.
pub(super) struct Making<'a> {
    pub(super) beginning: Beginning<'a>,
    pub(super) segments: Vec<Window>,
    pub(super) step_us: u64,
    pub(super) layouts: &'a [TableLayout],
}

impl Making<'_> {
    /// Runs `shard` from where `before` says to the end of the span.
    pub(super) fn run(
        &self,
        shard: Shard,
        before: Progress,
        output: &dyn Output,
        watch: &Watch<'_>,
    ) -> Result<(), RunError> {
        let mut at = None;
        let result = self.run_segments(shard, before, output, watch, &mut at);
        result.map_err(|source| failed_at(shard, at, source))
    }

    fn run_segments(
        &self,
        shard: Shard,
        before: Progress,
        output: &dyn Output,
        watch: &Watch<'_>,
        at: &mut Option<Window>,
    ) -> Result<(), RunError> {
        let (kept, rest) = self.segments.split_at(before.segments.min(self.segments.len()));
        kept.iter().for_each(|window| watch.done(window.length_us(), 0));
        if rest.is_empty() {
            return Ok(());
        }
        let mut generator = self.beginning.begin(shard, before.state)?;
        for (index, segment) in rest.iter().enumerate() {
            let number = kept.len() + index;
            let mut writer = output.begin(shard.partition, number)?;
            let mut fingerprints = vec![TableFingerprint::default(); self.layouts.len()];
            let mut windows = Windows::new(*segment, self.step_us);
            while let Some(window) = windows.next() {
                watch.check()?;
                *at = Some(window);
                let (mut rows, mut bytes) = (0, 0);
                for (table, batch) in generator.rows(self.layouts, window)? {
                    rows += batch.num_rows() as u64;
                    bytes += batch.get_array_memory_size() as u64;
                    if let Some(fingerprint) = fingerprints.get_mut(table) {
                        fingerprint.add(&batch)?;
                    }
                    writer.write(table, &batch)?;
                }
                windows.returned(rows, bytes);
                watch.done(window.length_us(), rows);
            }
            let state = generator.save()?;
            writer.finish(SegmentDone { window: *segment, state, fingerprints })?;
        }
        Ok(())
    }
}

/// An error with its place; a stop has none.
pub(super) fn failed_at(shard: Shard, window: Option<Window>, source: RunError) -> RunError {
    let Shard { partition, partitions, .. } = shard;
    match source {
        RunError::Cancelled => RunError::Cancelled,
        source => RunError::Shard { partition, partitions, window, source: Box::new(source) },
    }
}
