//! A claimed run of a pipeline: its steps in order, each tried as often as it may be, with its end recorded before the
//! next begins.

use super::clock::Clock;
use super::error::{ScheduleError, StepError};
use super::log::StepLog;
use super::pipeline::{Pipeline, Step};
use super::step::{Around, Done, Work};
use crate::alert::Alerts;
use crate::core::problem::chain;
use crate::core::time::Timestamp;
use crate::ingest::log::Log;
use crate::run::{Cancel, Host};
use crate::store::{PipelineRun, StepRun, WorkState};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Runs of a pipeline that are kept, with their steps and logs.
const KEPT_RUNS: u32 = 500;
/// How often a try is looked at: whether its time is over, or the scheduler is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// What runs have around them.
#[derive(Clone, Copy)]
pub(super) struct Within<'a> {
    pub(super) host: &'a Host,
    pub(super) clock: &'a dyn Clock,
    pub(super) alerts: &'a Alerts,
    /// Where rows wait that were acknowledged and are not in the lake yet.
    pub(super) log: Option<&'a Log>,
    pub(super) stop: &'a Cancel,
}

/// Does the steps of a run that is claimed, and records how it ended.
///
/// # Errors
/// Records can't be written. That a step fails is no error but an end of the run.
pub(super) fn run(within: &Within<'_>, pipeline: &Pipeline, run: &PipelineRun) -> Result<PipelineRun, ScheduleError> {
    let Within { host, clock, alerts, log, stop } = *within;
    tracing::info!(pipeline = %run.pipeline, run = run.id, due = %run.due, "begins");
    let mut states: Vec<WorkState> = Vec::new();
    let mut first_error = None;
    for (position, step) in pipeline.steps.iter().enumerate() {
        let ready = step.needs.iter().all(|&need| states.get(need) == Some(&WorkState::Succeeded));
        let work = StepWork { host, clock, alerts, log, pipeline, run, stop, step, position };
        let (state, error) = if stop.is_cancelled() {
            work.passed_over(WorkState::Cancelled, "the scheduler was stopped")?
        } else if ready {
            work.done()?
        } else {
            work.passed_over(WorkState::Skipped, "a step that it needs did not succeed")?
        };
        if let (Some(error), WorkState::Failed) = (error, state) {
            first_error.get_or_insert(format!("{}: {error}", step.name));
        }
        states.push(state);
    }
    let (state, error) = match first_error {
        Some(error) => (WorkState::Failed, Some(error)),
        None if states.contains(&WorkState::Cancelled) => (WorkState::Cancelled, None),
        None => (WorkState::Succeeded, None),
    };
    let now = clock.now();
    host.runtime.block_on(async {
        let mut tx = host.store.write().await?;
        tx.finish_pipeline_run(run.id, state, error.as_deref(), now).await?;
        tx.prune_pipeline_runs(&run.pipeline, KEPT_RUNS).await?;
        tx.commit().await
    })?;
    if state != WorkState::Cancelled {
        alerts.pipeline_ended(&run.pipeline, error.as_deref(), now)?;
    }
    match &error {
        Some(error) => tracing::error!(pipeline = %run.pipeline, run = run.id, error, "failed"),
        None => tracing::info!(pipeline = %run.pipeline, run = run.id, state = %state, "has ended"),
    }
    Ok(PipelineRun { state, error, finished_at: Some(now), ..run.clone() })
}

/// One step of one run.
struct StepWork<'a> {
    host: &'a Host,
    clock: &'a dyn Clock,
    alerts: &'a Alerts,
    log: Option<&'a Log>,
    pipeline: &'a Pipeline,
    run: &'a PipelineRun,
    stop: &'a Cancel,
    step: &'a Step,
    position: usize,
}

type Ended = (WorkState, Option<String>);

impl StepWork<'_> {
    /// Tries until it succeeds, may not be tried again, or somebody stops.
    fn done(&self) -> Result<Ended, ScheduleError> {
        let log = StepLog::default();
        let started_at = self.clock.now();
        let mut tries = 0;
        let outcome = loop {
            tries += 1;
            self.record(WorkState::Running, tries, started_at, None, None, &log)?;
            let error = match self.once(&log) {
                Ok(done) => break Ok(done),
                Err(error) => error,
            };
            let again = tries <= self.step.retries && error.may_pass() && !self.stop.is_cancelled();
            if !again {
                break Err(error);
            }
            let delay = self.step.retry_delay;
            log.line(format!("try {tries} failed: {}; the next comes in {delay}", chain(&error)));
            self.clock.sleep(delay, self.stop);
        };
        let (state, error, result) = match outcome {
            Ok(done) => (WorkState::Succeeded, None, done.result),
            Err(StepError::Stopped) => {
                (WorkState::Cancelled, Some("the scheduler was stopped".to_owned()), Value::Null)
            }
            Err(error) if self.stop.is_cancelled() => (WorkState::Cancelled, Some(chain(&error)), Value::Null),
            Err(error) => (WorkState::Failed, Some(chain(&error)), Value::Null),
        };
        if let Some(error) = &error {
            log.line(error.clone());
        }
        self.record(state, tries, started_at, error.clone(), Some(result), &log)?;
        Ok((state, error))
    }

    /// Records that it was not begun.
    fn passed_over(&self, state: WorkState, why: &str) -> Result<Ended, ScheduleError> {
        let error = Some(why.to_owned());
        self.record(state, 0, self.clock.now(), error.clone(), Some(Value::Null), &StepLog::default())?;
        Ok((state, error))
    }

    /// One try, on this thread, while another looks at the time.
    fn once(&self, log: &StepLog) -> Result<Done, StepError> {
        let run = self.run;
        let names = self.pipeline.names(run.due, run.clock, run.id, run.attempt);
        let work = self.pipeline.work(self.step, &names).map_err(StepError::Verdict)?;
        let (cancel, late) = (Cancel::default(), AtomicBool::new(false));
        let (over, wait) = channel::<()>();
        let outcome = std::thread::scope(|scope| {
            let (late, cancel_try) = (&late, &cancel);
            scope.spawn(move || {
                let begun = Instant::now();
                // The end of the try is told by that of the sender.
                while wait.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                    if begun.elapsed() >= self.step.timeout {
                        late.store(true, Ordering::Relaxed);
                        cancel_try.cancel();
                    } else if self.stop.is_cancelled() {
                        cancel_try.cancel();
                    }
                }
            });
            let (host, now, timeout) = (self.host, self.clock.now(), self.step.timeout);
            let around = Around { host, cancel: &cancel, log, now, timeout };
            let outcome = self.settle(&work).and_then(|()| work.run(&around));
            drop(over);
            outcome
        });
        let timed_out = late.load(Ordering::Relaxed);
        match outcome {
            Ok(done) => {
                if timed_out {
                    log.line("it took longer than its timeout, and could not be stopped in the midst");
                }
                if let Some((dataset, judgements)) = &done.judged {
                    let source = format!("pipeline {}/{}", run.pipeline, self.step.name);
                    let raised = self.alerts.judged(&source, dataset, judgements, self.clock.now());
                    raised.map_err(|error| StepError::Failed(chain(&error)))?;
                }
                refused(done)
            }
            Err(_) if timed_out => Err(StepError::Failed(format!("it took longer than {:?}", self.step.timeout))),
            Err(_) if self.stop.is_cancelled() => Err(StepError::Stopped),
            Err(error) => Err(error),
        }
    }

    /// Moves the rows that were acknowledged so far into the lake, where the work may look there.
    fn settle(&self, work: &Work) -> Result<(), StepError> {
        match self.log {
            Some(log) if work.looks_at_rows() => log.move_now().map_err(|error| StepError::Failed(chain(&error))),
            _ => Ok(()),
        }
    }

    fn record(
        &self,
        state: WorkState,
        tries: u32,
        started_at: Timestamp,
        error: Option<String>,
        result: Option<Value>,
        log: &StepLog,
    ) -> Result<(), ScheduleError> {
        let step = StepRun {
            position: u32::try_from(self.position).unwrap_or(u32::MAX),
            name: self.step.name.clone(),
            kind: self.step.kind.clone(),
            state,
            tries,
            started_at,
            finished_at: result.is_some().then(|| self.clock.now()),
            error,
            result: result.unwrap_or_default(),
            log: log.lines(),
        };
        let host = self.host;
        host.runtime.block_on(async {
            let mut tx = host.store.write().await?;
            tx.put_step(self.run.id, &step).await?;
            tx.commit().await
        })?;
        Ok(())
    }
}

/// A validator that said no ends its step.
fn refused(done: Done) -> Result<Done, StepError> {
    let judged = done.judged.iter().flat_map(|(_, judgements)| judgements);
    let failed: Vec<&str> = judged.filter(|judgement| !judgement.passed).map(|j| j.plugin.as_str()).collect();
    if failed.is_empty() {
        return Ok(done);
    }
    Err(StepError::Verdict(format!("the rows did not pass {}", failed.join(", "))))
}
