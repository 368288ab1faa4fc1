//! Shards in processes of their own: a process that dies fails one attempt, which is made again from the last finished
//! segment. A shard is a pure function, so the rows are the same.
//!
//! The worker writes the files of its segments itself, and says what they are; rows never cross the pipe. What makes them
//! visible, the record and the commit, stays on this side. An instance that stays open, a stream's, is asked for its rows
//! window by window ([`Remote`]): these cross the pipe, and their values are checked on this side.

mod answer;
mod begin;
mod deaths;
mod job;
mod lines;
mod remote;
mod serve;
mod standing;

pub use answer::answer;
pub(super) use remote::Remote;
pub use serve::serve;

use self::deaths::Deaths;
use self::job::{Job, Opening, Word};
use self::lines::Lines;
use self::standing::Standing;
use super::error::RunError;
use super::output::{Accept, Destination};
use super::plan::{Plan, Processes};
use super::shard::{Progress, SegmentDone, Watch, failed_at};
use crate::core::time::Window;
use crate::plugin::{Limits, Shard};
use crate::worker::{Bounds, End, Frame, Process, Program, Said};
use std::io;
use std::time::{Duration, Instant};

/// The word for making a shard to its end, on a worker's command line.
pub const JOB: &str = "shard";
/// The word for an instance that stays open.
pub const OPEN_JOB: &str = "instance";

/// How often a waiting thread looks whether the run was stopped.
const LOOK: Duration = Duration::from_millis(100);
/// Files that a worker has open besides one for each table: pipes, the runtime's, and what Rust's library reads.
const FILES: u64 = 64;
/// What a writer holds for each byte of a row group: the encoded bytes and the rows that they came from.
const WRITER_COPIES: u64 = 4;
/// A segment has fewer rows: sums over all segments and partitions stay far from what numbers hold.
const MOST_ROWS: u64 = 1 << 40;
/// What a worker says of a segment's files, at most.
const FILES_BYTES: u64 = 64 << 20;

/// Makes shards of one plan in processes.
pub(super) struct Shards<'a> {
    program: &'a Program,
    plan: &'a Plan,
    destination: Option<Destination>,
    segments: Vec<Window>,
    component: Vec<u8>,
    given: Vec<u8>,
    bounds: Bounds,
    patience: Duration,
}

/// How long a worker may be silent: a start without cached code and a call in full, and as much again.
fn patience(limits: &Limits) -> Duration {
    Duration::from_millis(limits.compile_ms + limits.call_ms) * 2
}

impl<'a> Shards<'a> {
    /// Gathers what workers need.
    ///
    /// # Errors
    /// The component is not in the store.
    pub(super) fn new(
        plan: &'a Plan,
        Processes { program, registry }: &'a Processes,
        destination: Option<Destination>,
    ) -> Result<Self, RunError> {
        let component = registry.bytes_of(plan.generator.plugin.digest())?;
        let making = plan.making();
        let given = job::pack(&making.beginning.incidents, making.beginning.inputs).map_err(broken)?;
        let limits = plan.generator.plugin.limits();
        let tables = plan.layouts.len() as u64;
        let writers = destination.as_ref().map_or(0, |to| to.writer.row_group_bytes as u64 * tables * WRITER_COPIES);
        let data_bytes = limits.process_bytes(component.len(), given.len()) + writers;
        let bounds = Bounds { data_bytes, files: FILES + tables, file_bytes: u64::MAX };
        let segments = plan.spec.segments();
        Ok(Self { program, plan, destination, segments, component, given, bounds, patience: patience(limits) })
    }

    /// Makes `shard` from where `before` says to the end of the span.
    pub(super) fn run(
        &self,
        shard: Shard,
        before: Progress,
        output: &dyn Accept,
        watch: &Watch<'_>,
    ) -> Result<(), RunError> {
        let segments = &self.segments;
        let mut at = Standing::new(before);
        let mut deaths = Deaths::default();
        while let Some(segment) = segments.get(at.progress.segments) {
            let kept = at.progress.segments;
            let end = self.attempt(shard, &mut at, output, watch)?;
            if at.progress.segments == segments.len() {
                break;
            }
            at.fall_back(segments, watch);
            if at.progress.segments > kept {
                deaths.forget();
            }
            let counted = deaths.count(&end, self.bounds.data_bytes);
            counted.map_err(|source| failed_at(shard, Some(*segment), source))?;
            tracing::warn!(run.partition = shard.partition, "{end}; its segment is made again");
        }
        // Where an earlier process had finished all of it, no worker has told.
        at.heard(self.plan.spec.window().length_us(), 0, watch);
        Ok(())
    }

    /// One process, from its start to its end.
    fn attempt(
        &self,
        shard: Shard,
        at: &mut Standing,
        output: &dyn Accept,
        watch: &Watch<'_>,
    ) -> Result<End, RunError> {
        let mut worker = self.start(shard, &at.progress).map_err(broken)?;
        tracing::debug!(run.partition = shard.partition, worker.id = worker.id(), "a worker process began");
        let (mut heard, mut lines) = (Instant::now(), Lines::of(self.plan.generator.plugin.limits()));
        loop {
            watch.check()?;
            match worker.listen(LOOK).map_err(broken)? {
                Said::Frame(frame) => {
                    heard = Instant::now();
                    self.take(shard, frame, at, output, watch, &mut lines)?;
                }
                Said::Nothing if heard.elapsed() > self.patience => return worker.kill().map_err(broken),
                Said::Nothing => {}
                Said::Ended(end) => return Ok(end),
            }
        }
    }

    fn start(&self, shard: Shard, progress: &Progress) -> io::Result<Process> {
        let Plan { generator, simulation, .. } = self.plan;
        let job = Job {
            opening: Opening::of(generator, shard, progress.state.is_some())?,
            segments: self.segments.clone(),
            kept: progress.segments,
            step_us: simulation.step_us,
            tables: simulation.tables.clone(),
            destination: self.destination.clone(),
        };
        let state = progress.state.clone().unwrap_or_default();
        let frame = Frame::new(&job, vec![self.component.clone(), self.given.clone(), state])?;
        Process::start(self.program, self.bounds, JOB, frame, generator.plugin.limits().output_bytes + FILES_BYTES)
    }

    fn take(
        &self,
        shard: Shard,
        mut frame: Frame,
        at: &mut Standing,
        output: &dyn Accept,
        watch: &Watch<'_>,
        lines: &mut Lines,
    ) -> Result<(), RunError> {
        let segments = &self.segments;
        match frame.head().map_err(broken)? {
            Word::Progress { us, rows } => {
                let all_us = self.plan.spec.window().length_us();
                at.heard(us.min(all_us), rows.min(MOST_ROWS), watch);
            }
            Word::Line(line) => lines.pass_on(&line, &self.plan.log)?,
            Word::Segment { segment, window, saved, fingerprints, files } => {
                let next = (at.progress.segments, segments.get(segment).copied());
                if next != (segment, Some(window)) {
                    return Err(lie("another segment than the next"));
                }
                let counted = fingerprints.iter().try_fold(0, |all: u64, table| all.checked_add(table.rows));
                let Some(rows) = counted.filter(|rows| *rows < MOST_ROWS) else {
                    return Err(lie("more rows than a segment can have"));
                };
                let state = saved.then(|| frame.blobs.pop()).flatten();
                check_state(state.as_deref(), self.plan.generator.plugin.limits())?;
                let done = SegmentDone { window, state: state.clone(), fingerprints };
                output.accept(shard.partition, segment, done, files)?;
                at.finished(rows, state);
            }
            Word::Failed { window, failure } => return Err(failed_at(shard, window, failure.into())),
        }
        Ok(())
    }
}

/// Refuses a state that is larger than an instance may save.
fn check_state(state: Option<&[u8]>, limits: &Limits) -> Result<(), RunError> {
    let fits = state.is_none_or(|state| state.len() as u64 <= limits.output_bytes);
    if fits { Ok(()) } else { Err(lie("a state that is larger than limits.output_bytes")) }
}

/// What no worker of ours says.
fn lie(what: &str) -> RunError {
    RunError::Worker { message: format!("it told of {what}") }
}

/// What a pipe did not bring.
fn broken(error: io::Error) -> RunError {
    RunError::Worker { message: error.to_string() }
}
