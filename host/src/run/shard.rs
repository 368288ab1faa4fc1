//! A shard: one partition of a run over the whole span, segment after segment. A pure function of the plan; where
//! its rows go is the output's matter.

use super::error::RunError;
use super::output::Output;
use super::plan::Plan;
use super::windows::Windows;
use crate::batch::TableFingerprint;
use crate::core::time::Window;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Set by whoever wants the run to stop; seen between two calls.
#[derive(Debug, Default)]
pub struct Cancel(AtomicBool);

impl Cancel {
    /// Asks the run to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Told how far a run is.
pub trait Observer: Sync {
    /// Simulated time that is done, summed over partitions, in microseconds; and rows made by this process.
    fn progress(&self, done_us: u64, rows: u64);
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

    fn done(&self, window: Window, rows: u64) {
        let done_us = self.done_us.fetch_add(window.length_us(), Ordering::Relaxed) + window.length_us();
        let rows = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        self.observer.progress(done_us, rows);
    }

    fn check(&self) -> Result<(), RunError> {
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
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) segments: usize,
    pub(super) state: Option<Vec<u8>>,
}

/// Runs partition `partition` from where `before` says to the end of the span.
pub(super) fn run_shard(
    plan: &Plan,
    partition: u32,
    before: Progress,
    output: &dyn Output,
    watch: &Watch<'_>,
) -> Result<(), RunError> {
    let partitions = plan.spec.spec().partitions;
    let mut at = None;
    let result = run_segments(plan, partition, before, output, watch, &mut at);
    result.map_err(|source| match source {
        RunError::Cancelled => RunError::Cancelled,
        source => RunError::Shard { partition, partitions, window: at, source: Box::new(source) },
    })
}

fn run_segments(
    plan: &Plan,
    partition: u32,
    before: Progress,
    output: &dyn Output,
    watch: &Watch<'_>,
    at: &mut Option<Window>,
) -> Result<(), RunError> {
    let segments = plan.spec.segments();
    let (kept, rest) = segments.split_at(before.segments.min(segments.len()));
    kept.iter().for_each(|window| watch.done(*window, 0));
    if rest.is_empty() {
        return Ok(());
    }
    let mut generator = plan.begin(plan.shard(partition, plan.spec.spec().partitions), before.state)?;
    for (index, segment) in rest.iter().enumerate() {
        let number = kept.len() + index;
        let mut writer = output.begin(partition, number)?;
        let mut fingerprints = vec![TableFingerprint::default(); plan.layouts.len()];
        let mut windows = Windows::new(*segment, plan.simulation.step_us);
        while let Some(window) = windows.next() {
            watch.check()?;
            *at = Some(window);
            let (mut rows, mut bytes) = (0, 0);
            for (table, batch) in generator.rows(&plan.layouts, window)? {
                rows += batch.num_rows() as u64;
                bytes += batch.get_array_memory_size() as u64;
                if let Some(fingerprint) = fingerprints.get_mut(table) {
                    fingerprint.add(&batch)?;
                }
                writer.write(table, &batch)?;
            }
            windows.returned(rows, bytes);
            watch.done(window, rows);
        }
        let state = generator.save()?;
        writer.finish(SegmentDone { window: *segment, state, fingerprints })?;
    }
    Ok(())
}
