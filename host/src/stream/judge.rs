//! Validators over a stream's rows as they come: whole stretches of `judge_every`, counted from where the stream began, so
//! that what is judged at once does not depend on when. What they find of the present raises alerts, and resolves them.

use super::clock;
use super::error::StreamError;
use super::pool::Task;
use super::spec::StreamSpec;
use crate::alert::{Alerts, stream_source};
use crate::core::id::StreamId;
use crate::core::problem;
use crate::core::time::{Timestamp, Window};
use crate::plugin::LogSink;
use crate::run::{self, Cancel, Host, Judged, Plan, RunError};
use crate::store::{StreamRecord, StreamState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long it waits after it failed: the same rows may be judged with another version, or by a machine with more room.
const PAUSE: Duration = Duration::from_secs(30);
/// Real time that a stream which has caught up may be behind, until its rows are judged.
const LATE_US: f64 = 30_000_000.0;

/// The task that judges one stream.
pub(super) struct Judge {
    host: Host,
    stream: StreamId,
    alerts: Alerts,
    log: LogSink,
    cancel: Arc<Cancel>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When it may try again.
    not_before: Option<Instant>,
    /// Whether it failed last.
    failed: bool,
}

impl Judge {
    pub(super) fn new(host: &Host, stream: &StreamId, alerts: &Alerts, log: &LogSink, cancel: &Arc<Cancel>) -> Self {
        Self {
            host: host.clone(),
            stream: stream.clone(),
            alerts: alerts.clone(),
            log: LogSink::clone(log),
            cancel: Arc::clone(cancel),
            state: Mutex::default(),
        }
    }

    /// Judges what whole stretches have come.
    fn work(&self, record: &StreamRecord) -> Result<(), StreamError> {
        let spec = StreamSpec::of_value(&record.spec)?;
        let windows = stretches(record.judged_until, record.position, spec.settings.judge_every.us());
        if windows.is_empty() {
            return Ok(());
        }
        let (host, log) = (&self.host, LogSink::clone(&self.log));
        let (plan, _) = Plan::open(&host.registry, spec.resolved()?, Some(&record.plugins), host.read_input, log)?;
        for window in windows {
            if self.cancel.is_cancelled() {
                break;
            }
            let judged = Judged { dataset: &record.dataset, window, at: None, run: None };
            let judgements = match run::judge(host, &plan.validators, judged, &self.log, &self.cancel) {
                Err(RunError::Cancelled) => break,
                judgements => judgements?,
            };
            for judgement in judgements.iter().filter(|judgement| !judgement.passed) {
                let plugin = judgement.plugin.as_str();
                tracing::warn!(stream.id = %self.stream, plugin.name = plugin, "a validator failed over {window}");
            }
            let now = run::now();
            if of_the_present(record, window, now) {
                self.alerts.judged(&stream_source(&record.dataset), &record.dataset, &judgements, now)?;
            }
            host.runtime.block_on(async {
                let mut tx = host.store.write().await?;
                tx.set_stream_judged(&record.id, window.end).await?;
                tx.commit().await
            })?;
        }
        Ok(())
    }

    /// Raises an alert that the rows can't be judged, or resolves it.
    fn tell(&self, record: &StreamRecord, error: Option<&str>) {
        if let Err(error) = self.alerts.stream_is_judged(&record.dataset, error, run::now()) {
            tracing::error!(stream.id = %self.stream, "an alert can't be raised or resolved: {}", problem::chain(&error));
        }
    }
}

impl Task for Judge {
    fn run(&self) -> Option<Instant> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.not_before.is_some_and(|at| Instant::now() < at) {
            return state.not_before;
        }
        let record = match self.host.runtime.block_on(self.host.store.stream(&self.stream)) {
            Ok(record) => record,
            Err(error) => {
                tracing::warn!(stream.id = %self.stream, "its rows can't be judged: {}", problem::chain(&error));
                return Some(Instant::now() + PAUSE);
            }
        };
        match self.work(&record) {
            Ok(()) => {
                if std::mem::take(&mut state.failed) {
                    self.tell(&record, None);
                }
                state.not_before = None;
                None
            }
            Err(error) => {
                let message = problem::chain(&error);
                tracing::warn!(stream.id = %self.stream, "its rows can't be judged: {message}");
                self.tell(&record, Some(&message));
                *state = State { not_before: Some(Instant::now() + PAUSE), failed: true };
                state.not_before
            }
        }
    }
}

/// The whole stretches of `every` microseconds from `from` to `to`.
fn stretches(from: Timestamp, to: Timestamp, every: u64) -> Vec<Window> {
    let every = i64::try_from(every).unwrap_or(i64::MAX).max(1);
    let whole = to.0.saturating_sub(from.0).div_euclid(every);
    (0..whole).map(|number| Window::from_start(from.plus_us(number * every), every)).collect()
}

/// Whether `window` ends about where the stream's clock is: what is filled in of the past alarms nobody.
fn of_the_present(record: &StreamRecord, window: Window, now: Timestamp) -> bool {
    let shown = if record.state == StreamState::Running { clock::at(record.clock, now) } else { record.clock.clock };
    let behind = shown.0.saturating_sub(window.end.0) as f64;
    behind <= window.length_us() as f64 + LATE_US * record.clock.speed.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_whole_and_follow_each_other() {
        let windows = stretches(Timestamp(-5), Timestamp(20), 10);
        assert_eq!(windows, [Window::from_start(Timestamp(-5), 10), Window::from_start(Timestamp(5), 10)]);
        assert_eq!(stretches(Timestamp(0), Timestamp(9), 10), []);
        assert_eq!(stretches(Timestamp(9), Timestamp(0), 10), []);
    }
}
