//! The scheduler: looks at the clock, claims what is due, and lets it run, each due time at most once.

use super::clock::Clock;
use super::error::ScheduleError;
use super::pipeline::{Overlap, Pipeline};
use super::work::{self, Within};
use crate::alert::Alerts;
use crate::core::problem::chain;
use crate::core::time::{Length, Timestamp};
use crate::ingest::log::Log;
use crate::run::{Cancel, Host};
use crate::store::{Cause, PipelineRun, RunClaim, RunRequest, StoreError, WorkState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::Scope;

/// How long the scheduler sleeps at most: requests are seen, and a clock that was set, within this time.
const TICK: Length = Length::from_us(1_000_000);
/// Most runs at once: each is a thread, and the work is the machine's.
const MAX_RUNS: usize = 4;
/// Most requests that are taken at a time.
const MAX_REQUESTS: usize = 100;

/// Pipelines, and what is known of each while the scheduler runs.
pub struct Scheduler {
    pipelines: Vec<Tracked>,
    alerts: Alerts,
    log: Option<Arc<Log>>,
    runs: AtomicUsize,
}

struct Tracked {
    pipeline: Pipeline,
    busy: AtomicBool,
}

/// What is to be done for a pipeline at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// Nothing is due, or it waits.
    Wait,
    /// The due time is run.
    Run(Timestamp),
    /// The due time is passed over, since an earlier run is under way.
    Skip(Timestamp),
}

impl Scheduler {
    /// A scheduler of `pipelines`, which raises `alerts`.
    pub fn new(pipelines: Vec<Pipeline>, alerts: Alerts) -> Self {
        let track = |pipeline| Tracked { pipeline, busy: AtomicBool::new(false) };
        Self { pipelines: pipelines.into_iter().map(track).collect(), alerts, log: None, runs: AtomicUsize::new(0) }
    }

    /// The same, whose steps meet every row that `log` acknowledged before they began.
    #[must_use]
    pub fn with_log(self, log: Arc<Log>) -> Self {
        Self { log: Some(log), ..self }
    }

    fn within<'a>(&'a self, host: &'a Host, clock: &'a dyn Clock, stop: &'a Cancel) -> Within<'a> {
        Within { host, clock, alerts: &self.alerts, log: self.log.as_deref(), stop }
    }

    /// Its pipelines.
    pub fn pipelines(&self) -> impl Iterator<Item = &Pipeline> {
        self.pipelines.iter().map(|tracked| &tracked.pipeline)
    }

    /// Runs what is due until somebody sets `stop`, and waits then for what is under way, which is asked to end.
    ///
    /// # Errors
    /// Records can't be written.
    pub fn run(&self, host: &Host, clock: &dyn Clock, stop: &Cancel) -> Result<(), ScheduleError> {
        let begun = clock.now();
        self.begin(host, begun)?;
        std::thread::scope(|scope| {
            while !stop.is_cancelled() {
                if let Err(error) = self.tick(scope, self.within(host, clock, stop), begun) {
                    // What runs ends with the scheduler, which nobody would hear otherwise.
                    stop.cancel();
                    return Err(error);
                }
                clock.sleep(self.pause(clock.now()), stop);
            }
            Ok(())
        })
    }

    /// Runs the pipeline `name` now, for `due` or for this moment, and gives how it ended.
    ///
    /// # Errors
    /// There is no such pipeline, it has been run for that time, or records can't be written.
    pub fn once(
        &self,
        host: &Host,
        clock: &dyn Clock,
        name: &str,
        due: Option<Timestamp>,
        stop: &Cancel,
    ) -> Result<PipelineRun, ScheduleError> {
        let Some(tracked) = self.tracked(name) else {
            let known = self.pipelines().map(|pipeline| pipeline.head.name.clone()).collect();
            return Err(ScheduleError::Unknown { name: name.to_owned(), known });
        };
        let now = clock.now();
        self.begin(host, now)?;
        let due = due.unwrap_or(now);
        let claim = claim(&tracked.pipeline, due, Cause::Manual, WorkState::Running, now);
        match commit_claim(host, &claim)? {
            Some(run) => work::run(&self.within(host, clock, stop), &tracked.pipeline, &run),
            None => Err(ScheduleError::Claimed { pipeline: name.to_owned(), due: due.to_string() }),
        }
    }

    fn tracked(&self, name: &str) -> Option<&Tracked> {
        self.pipelines.iter().find(|tracked| tracked.pipeline.head.name == name)
    }

    /// Writes down which pipelines there are; what is said to run does not, since this process has just begun.
    fn begin(&self, host: &Host, now: Timestamp) -> Result<(), ScheduleError> {
        let interrupted = host.runtime.block_on(async {
            let mut tx = host.store.write().await?;
            let interrupted = tx.interrupt_pipelines(now).await?;
            for Tracked { pipeline, .. } in &self.pipelines {
                let file = pipeline.file.display().to_string();
                // Due times before a pipeline was first seen are of interest where it says so.
                let from = pipeline.head.start.filter(|_| pipeline.head.catchup).map_or(now, |start| start.plus_us(-1));
                let next = pipeline.next_due(now);
                tx.register_pipeline(&pipeline.head.name, &file, &pipeline.definition, next, from).await?;
            }
            tx.commit().await?;
            Ok::<_, StoreError>(interrupted)
        })?;
        for run in interrupted {
            tracing::warn!(pipeline = %run.pipeline, run = run.id, due = %run.due, "was interrupted, and is not run again by itself");
        }
        Ok(())
    }

    /// How long to sleep: to the next due time, and a tick at most.
    fn pause(&self, now: Timestamp) -> Length {
        let next = self.pipelines.iter().filter_map(|tracked| tracked.pipeline.next_due(now)).min();
        let us = next.map_or(u64::MAX, |due| u64::try_from(due.0.saturating_sub(now.0)).unwrap_or(0));
        Length::from_us(us.clamp(1_000, TICK.us()))
    }

    /// One look at the clock and at the requests.
    fn tick<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        within: Within<'scope>,
        begun: Timestamp,
    ) -> Result<(), ScheduleError> {
        let (host, now) = (within.host, within.clock.now());
        for request in host.runtime.block_on(host.store.run_requests())?.into_iter().take(MAX_REQUESTS) {
            let Some(tracked) = self.tracked(&request.pipeline) else {
                // Another scheduler's; nobody here can take it.
                continue;
            };
            if !self.is_free(tracked) {
                continue;
            }
            if let Some(run) = take(host, tracked, &request, now)? {
                self.spawn(scope, within, tracked, run);
            }
        }
        for tracked in &self.pipelines {
            if tracked.pipeline.cron.is_none() {
                continue;
            }
            let name = &tracked.pipeline.head.name;
            let seen_until = host.runtime.block_on(host.store.pipeline(name))?.seen_until;
            // A pass over every due time would be long after a clock that jumped; one a tick is enough.
            let free = self.is_free(tracked);
            let claimed = match decide(&tracked.pipeline, seen_until, begun, now, free) {
                Decision::Wait => continue,
                Decision::Run(due) => {
                    let claim = claim(&tracked.pipeline, due, Cause::Schedule, WorkState::Running, now);
                    commit_claim(host, &claim)?
                }
                Decision::Skip(due) => {
                    let claim = claim(&tracked.pipeline, due, Cause::Schedule, WorkState::Skipped, now);
                    commit_claim(host, &RunClaim { error: Some("an earlier run was under way"), ..claim })?;
                    tracing::warn!(pipeline = %name, due = %due, "passed over: an earlier run is under way");
                    None
                }
            };
            let next = tracked.pipeline.next_due(now);
            host.runtime.block_on(async {
                let mut tx = host.store.write().await?;
                tx.set_next_due(name, next).await?;
                tx.commit().await
            })?;
            if let Some(run) = claimed {
                self.spawn(scope, within, tracked, run);
            }
        }
        Ok(())
    }

    fn is_free(&self, tracked: &Tracked) -> bool {
        !tracked.busy.load(Ordering::Acquire) && self.runs.load(Ordering::Acquire) < MAX_RUNS
    }

    fn spawn<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        within: Within<'scope>,
        tracked: &'scope Tracked,
        run: PipelineRun,
    ) {
        tracked.busy.store(true, Ordering::Release);
        self.runs.fetch_add(1, Ordering::AcqRel);
        scope.spawn(move || {
            // A plugin's fault never unwinds up to here; a fault of the host must not leave the pipeline busy for ever.
            let _free = Free(self, tracked);
            if let Err(error) = work::run(&within, &tracked.pipeline, &run) {
                tracing::error!(pipeline = %run.pipeline, run = run.id, error = chain(&error), "its end could not be recorded");
            }
        });
    }
}

/// Makes a pipeline free again when dropped.
struct Free<'a>(&'a Scheduler, &'a Tracked);

impl Drop for Free<'_> {
    fn drop(&mut self) {
        self.1.busy.store(false, Ordering::Release);
        self.0.runs.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a pipeline does at `now` about the due times after `seen_until`. Of those that passed before the scheduler had
/// begun, the last alone counts where the pipeline does not catch up.
fn decide(pipeline: &Pipeline, seen_until: Timestamp, begun: Timestamp, now: Timestamp, free: bool) -> Decision {
    let Some(last) = pipeline.last_due(seen_until, now) else { return Decision::Wait };
    let Overlap::Queue = pipeline.head.overlap else {
        if pipeline.head.catchup {
            return if free { oldest(pipeline, seen_until, now) } else { Decision::Wait };
        }
        return if free { Decision::Run(last) } else { Decision::Skip(last) };
    };
    if !free {
        return Decision::Wait;
    }
    if pipeline.head.catchup || seen_until >= begun {
        return oldest(pipeline, seen_until, now);
    }
    // Those before the scheduler had begun count as one.
    match pipeline.last_due(seen_until, begun) {
        Some(missed) => Decision::Run(missed),
        None => oldest(pipeline, seen_until, now),
    }
}

fn oldest(pipeline: &Pipeline, seen_until: Timestamp, now: Timestamp) -> Decision {
    pipeline.next_due(seen_until).filter(|due| *due <= now).map_or(Decision::Wait, Decision::Run)
}

fn claim(pipeline: &Pipeline, due: Timestamp, cause: Cause, state: WorkState, now: Timestamp) -> RunClaim<'_> {
    RunClaim { pipeline: &pipeline.head.name, due, cause, state, error: None, clock: pipeline.own_clock(), now }
}

fn commit_claim(host: &Host, claim: &RunClaim<'_>) -> Result<Option<PipelineRun>, StoreError> {
    host.runtime.block_on(async {
        let mut tx = host.store.write().await?;
        let run = tx.claim_run(claim).await?;
        tx.commit().await?;
        Ok(run)
    })
}

/// Claims what was asked for, and forgets the request in the same transaction.
fn take(
    host: &Host,
    tracked: &Tracked,
    request: &RunRequest,
    now: Timestamp,
) -> Result<Option<PipelineRun>, StoreError> {
    host.runtime.block_on(async {
        let mut tx = host.store.write().await?;
        let run = match request.again {
            Some(id) => tx.claim_again(&request.pipeline, id, now).await?,
            None => {
                let due = request.requested_at;
                tx.claim_run(&claim(&tracked.pipeline, due, Cause::Manual, WorkState::Running, now)).await?
            }
        };
        tx.forget_request(request.id).await?;
        tx.commit().await?;
        Ok(run)
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::path::Path;

    fn pipeline(policies: &str) -> Pipeline {
        let text = format!(
            "[pipeline]\nname = \"p\"\nschedule = \"*/10 * * * *\"\n{policies}\n[[step]]\nname = \"s\"\nkind = \"command\"\ncommand = [\"true\"]\n"
        );
        Pipeline::parse(&text, Path::new("p.toml")).unwrap()
    }

    fn at(clock: &str) -> Timestamp {
        format!("2026-11-22T{clock}:00Z").parse().unwrap()
    }

    #[test]
    fn the_last_missed_time_is_run_or_all_of_them_or_those_that_came_meanwhile() {
        let run = |clock| Decision::Run(at(clock));
        let (seen, begun, now) = (at("02:00"), at("03:05"), at("03:31"));
        for (policies, free, wanted) in [
            ("", true, run("03:30")),
            ("", false, Decision::Skip(at("03:30"))),
            ("catchup = true", true, run("02:10")),
            ("catchup = true", false, Decision::Wait),
            ("overlap = \"queue\"", true, run("03:00")),
            ("overlap = \"queue\"", false, Decision::Wait),
            ("overlap = \"queue\"\ncatchup = true", true, run("02:10")),
        ] {
            assert_eq!(decide(&pipeline(policies), seen, begun, now, free), wanted, "{policies} {free}");
        }
        // After the missed one has run, those that came while the scheduler was there follow one by one.
        let queue = pipeline("overlap = \"queue\"");
        assert_eq!(decide(&queue, at("03:00"), begun, now, true), run("03:10"));
        assert_eq!(decide(&queue, at("03:10"), begun, now, true), run("03:20"));
    }

    #[test]
    fn a_clock_that_jumps_back_makes_nothing_due_again() {
        for policies in ["", "catchup = true", "overlap = \"queue\""] {
            let decision = decide(&pipeline(policies), at("03:30"), at("01:00"), at("02:11"), true);
            assert_eq!(decision, Decision::Wait, "{policies}");
        }
    }
}
