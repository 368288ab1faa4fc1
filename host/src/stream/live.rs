//! One stream among many: a task that makes what its simulated clock has come to, and what people ask of it meanwhile.

use super::clock;
use super::error::StreamError;
use super::pool::Task;
use super::session::Session;
use super::spec::{StreamSpec, check_speed};
use super::stats::Recent;
use super::swap::Takeover;
use crate::alert::Alerts;
use crate::core::digest::Digest;
use crate::core::id::StreamId;
use crate::core::problem;
use crate::core::time::{DAY_US, Timestamp};
use crate::plugin::LogSink;
use crate::run::{self, Cancel, Host, PlacedIncident, PlannedIncident};
use crate::store::{ClockAnchor, StreamRecord, StreamState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long a slice of a stream that has to catch up may take: the others wait as long, and a control as well.
const SLICE: Duration = Duration::from_millis(500);
/// Shortest time between two commits of a stream that has caught up, in microseconds: each costs a few syncs of the disk.
const COMMIT_EVERY_US: f64 = 1_000_000.0;
/// How soon a stream looks again whether those who wait for it have had their turn.
const TURN: Duration = Duration::from_millis(5);

/// What a stream works with.
pub(super) struct Surroundings {
    pub(super) host: Host,
    /// Told when the stream fails, and when it goes on.
    pub(super) alerts: Alerts,
    pub(super) log: LogSink,
    pub(super) cancel: Arc<Cancel>,
    /// Called after each commit: others may have work now.
    pub(super) committed: Box<dyn Fn() + Send + Sync>,
}

/// A stream that this process runs.
pub(super) struct Live {
    host: Host,
    alerts: Alerts,
    id: StreamId,
    dataset: String,
    log: LogSink,
    cancel: Arc<Cancel>,
    /// Locked while a slice is made.
    session: Mutex<Option<Session>>,
    /// Who waits for the end of a slice: the next begins after them.
    waiting: AtomicUsize,
    control: Mutex<Control>,
    recent: Mutex<Recent>,
    commits: watch::Sender<u64>,
    committed: Box<dyn Fn() + Send + Sync>,
}

/// What people may change at any time.
#[derive(Debug, Clone)]
pub(super) struct Control {
    pub(super) state: StreamState,
    pub(super) clock: ClockAnchor,
    pub(super) error: Option<String>,
    /// Most segments of a slice.
    slice: i64,
    /// Whether the position is where the clock is.
    pub(super) caught_up: bool,
    /// Whether an alert may stand that it failed, of this process or one before.
    alerted: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Live {
    /// Takes a recorded stream up.
    pub(super) fn new(record: &StreamRecord, with: Surroundings) -> Self {
        let Surroundings { host, alerts, log, cancel, committed } = with;
        let recent = Recent::since(run::now());
        Self {
            host,
            alerts,
            id: record.id.clone(),
            dataset: record.dataset.clone(),
            log: recent.log(log),
            cancel,
            session: Mutex::default(),
            waiting: AtomicUsize::new(0),
            control: Mutex::new(Control {
                state: record.state,
                clock: record.clock,
                error: record.error.clone(),
                slice: 1,
                caught_up: false,
                alerted: true,
            }),
            recent: Mutex::new(recent),
            commits: watch::Sender::new(record.commits),
            committed,
        }
    }

    /// What it does now.
    pub(super) fn control(&self) -> Control {
        lock(&self.control).clone()
    }

    /// Counts of this process.
    pub(super) fn recent(&self) -> MutexGuard<'_, Recent> {
        lock(&self.recent)
    }

    /// The number of its last commit, as it changes; also told when the stream changes its state.
    pub(super) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// What its simulated clock shows.
    pub(super) fn clock(&self, now: Timestamp) -> Timestamp {
        let control = lock(&self.control);
        clock::shown(control.clock, control.state, now)
    }

    /// Waits for the slice that is under way; no other begins as long as this is held.
    fn between_slices(&self) -> MutexGuard<'_, Option<Session>> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let held = lock(&self.session);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        held
    }

    /// The clock stands from now on, and no rows are made once this returns.
    pub(super) fn pause(&self, now: Timestamp) -> Result<(), StreamError> {
        let _held = self.between_slices();
        self.change(|control| {
            expect(&self.id, control.state, &[StreamState::Running], "only a running stream can be paused")?;
            control.clock = clock::with_speed(control.clock, control.clock.speed, now);
            control.state = StreamState::Paused;
            Ok(())
        })
    }

    /// The clock goes on from where it stands. That of a stream that failed went on meanwhile.
    pub(super) fn resume(&self, now: Timestamp) -> Result<(), StreamError> {
        self.change(|control| {
            let from = [StreamState::Paused, StreamState::Failed];
            expect(&self.id, control.state, &from, "only a paused or failed stream can be resumed")?;
            if control.state == StreamState::Paused {
                control.clock.wall = now;
            }
            (control.state, control.error) = (StreamState::Running, None);
            Ok(())
        })
    }

    /// The clock goes at another speed from now on.
    pub(super) fn set_speed(&self, speed: f64, now: Timestamp) -> Result<(), StreamError> {
        check_speed(speed)?;
        self.change(|control| {
            let from = [StreamState::Running, StreamState::Paused];
            expect(&self.id, control.state, &from, "only a stream that is under way has a speed")?;
            control.clock = match control.state {
                StreamState::Paused => ClockAnchor { speed, ..control.clock },
                _ => clock::with_speed(control.clock, speed, now),
            };
            Ok(())
        })
    }

    /// The stream ends, for good; what was committed stays, and nothing follows once this returns.
    pub(super) fn stop(&self, now: Timestamp) -> Result<(), StreamError> {
        let mut held = self.between_slices();
        self.end(now)?;
        *held = None;
        Ok(())
    }

    fn end(&self, now: Timestamp) -> Result<(), StreamError> {
        self.change(|control| {
            let from = [StreamState::Running, StreamState::Paused, StreamState::Failed];
            expect(&self.id, control.state, &from, "it has ended already")?;
            if control.state == StreamState::Running {
                control.clock = clock::with_speed(control.clock, control.clock.speed, now);
            }
            control.state = StreamState::Stopped;
            Ok(())
        })?;
        if std::mem::take(&mut lock(&self.control).alerted) {
            self.tell(None);
        }
        Ok(())
    }

    /// Changes state and clock together, in the record first.
    fn change(&self, change: impl FnOnce(&mut Control) -> Result<(), StreamError>) -> Result<(), StreamError> {
        let mut control = lock(&self.control);
        let mut changed = control.clone();
        change(&mut changed)?;
        let at = run::now();
        self.host.runtime.block_on(async {
            let mut tx = self.host.store.write().await?;
            tx.set_stream_clock(&self.id, changed.clock).await?;
            tx.set_stream_state(&self.id, changed.state, at, changed.error.as_deref()).await?;
            tx.commit().await
        })?;
        *control = changed;
        drop(control);
        self.commits.send_modify(|_| {});
        Ok(())
    }

    /// An incident by hand, from `start` or from the next segment on.
    pub(super) fn trigger(
        &self,
        start: Option<Timestamp>,
        placed: PlacedIncident,
    ) -> Result<Vec<PlannedIncident>, StreamError> {
        let mut held = self.between_slices();
        let state = lock(&self.control).state;
        let from = [StreamState::Running, StreamState::Paused];
        expect(&self.id, state, &from, "only a stream that is under way takes incidents")?;
        let made = self.opened(&mut held).and_then(|session| session.trigger(start, placed));
        if made.is_err() {
            // The model may be gone, or the instances know what the record does not.
            *held = None;
        }
        made
    }

    /// Another version of the plugin `name` takes over with the next segment; none where nothing changes.
    pub(super) fn swap(&self, name: &str, digest: Digest) -> Result<Option<Takeover>, StreamError> {
        let mut held = self.between_slices();
        let state = lock(&self.control).state;
        let from = [StreamState::Running, StreamState::Paused];
        expect(&self.id, state, &from, "only a stream that is under way changes its plugins")?;
        let swapped = self.opened(&mut held).and_then(|session| session.swap(name, digest));
        if swapped.is_err() {
            // What is recorded goes on.
            *held = None;
        }
        swapped
    }

    /// It ends by itself once its rows have come to `until`.
    pub(super) fn set_until(&self, until: Timestamp) -> Result<(), StreamError> {
        let mut held = self.between_slices();
        self.opened(&mut held)?.set_until(until)
    }

    fn opened<'a>(&self, held: &'a mut Option<Session>) -> Result<&'a mut Session, StreamError> {
        let session = match held.take() {
            Some(session) => session,
            None => {
                let record = self.host.runtime.block_on(self.host.store.stream(&self.id))?;
                Session::open(&self.host, &record, Arc::clone(&self.log))?
            }
        };
        Ok(held.insert(session))
    }

    /// Makes what is due; says when the next segment is.
    fn slice(&self, held: &mut Option<Session>, control: &Control) -> Result<Option<Instant>, StreamError> {
        let session = self.opened(held)?;
        let (position, tick) = (session.position(), session.spec().tick_us());
        let now = run::now();
        let shown = clock::at(control.clock, now);
        let end = last_end(session.spec());
        if end.is_some_and(|end| position >= end) {
            self.end(now)?;
            return Ok(None);
        }
        let whole = (shown.0.saturating_sub(position.0)).div_euclid(tick).max(0);
        let goal = position.plus_us(whole * tick).min(end.unwrap_or(Timestamp::MAX));
        if goal <= position {
            lock(&self.control).caught_up = true;
            return Ok(Some(Instant::now() + clock::wait_for(control.clock, position.plus_us(tick), now)));
        }
        let ticks = (goal.0 - position.0) / tick;
        let taken = ticks.min(control.slice);
        let began = Instant::now();
        let slice = session.advance(position.plus_us(taken * tick), &self.cancel)?;
        let reached = slice.commit.window.end;
        let now = run::now();
        let every = segments_between_commits(control.clock.speed, tick);
        // What had to be caught up was late before it was begun.
        let caught_up = taken == ticks && ticks <= 2 * every;
        let drift_ms = (now.0 - clock::wall_of(control.clock, reached).0) / 1_000;
        lock(&self.recent).committed(now, &slice.rows, caught_up.then_some(drift_ms));
        let mended = {
            let mut control = lock(&self.control);
            control.slice = slice_after(taken, began.elapsed(), control.slice, DAY_US / tick);
            control.caught_up = caught_up;
            std::mem::take(&mut control.alerted)
        };
        if mended {
            self.tell(None);
        }
        self.commits.send_replace(slice.commit.number);
        (self.committed)();
        if taken < ticks || end == Some(reached) {
            return Ok(Some(Instant::now()));
        }
        let next = reached.plus_us(every * tick).min(end.unwrap_or(Timestamp::MAX));
        Ok(Some(Instant::now() + clock::wait_for(control.clock, next, now)))
    }

    fn fail(&self, error: &StreamError) {
        let message = problem::chain(error);
        tracing::error!(stream.id = %self.id, "the stream failed: {message}");
        let recorded = self.change(|control| {
            (control.state, control.error) = (StreamState::Failed, Some(message.clone()));
            control.alerted = true;
            Ok(())
        });
        if let Err(error) = recorded {
            tracing::error!(stream.id = %self.id, %error, "the stream's failure could not be recorded");
            let mut control = lock(&self.control);
            (control.state, control.alerted) = (StreamState::Failed, true);
        }
        self.tell(Some(&message));
    }

    /// Raises an alert that the stream failed for the reason that is given, or resolves it, unless it stands for another stream
    /// of the dataset as well.
    fn tell(&self, error: Option<&str>) {
        let others = self.host.store.another_stream_failed(&self.dataset, &self.id);
        if error.is_none() && self.host.runtime.block_on(others).unwrap_or(false) {
            return;
        }
        if let Err(error) = self.alerts.stream_goes_on(&self.dataset, error, run::now()) {
            tracing::error!(stream.id = %self.id, "an alert can't be raised or resolved: {}", problem::chain(&error));
        }
    }
}

impl Task for Live {
    fn run(&self) -> Option<Instant> {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            return Some(Instant::now() + TURN);
        }
        let mut held = lock(&self.session);
        let control = self.control();
        if control.state != StreamState::Running || self.cancel.is_cancelled() {
            if control.state != StreamState::Paused {
                *held = None;
            }
            return None;
        }
        match self.slice(&mut held, &control) {
            Ok(next) => next,
            Err(error) => {
                *held = None;
                if !matches!(error, StreamError::Interrupted) {
                    self.fail(&error);
                }
                None
            }
        }
    }
}

fn expect(id: &StreamId, state: StreamState, from: &[StreamState], message: &'static str) -> Result<(), StreamError> {
    if from.contains(&state) { Ok(()) } else { Err(StreamError::State { id: id.clone(), state, message }) }
}

/// The end of the segment that holds the last moment of a stream that has one.
fn last_end(spec: &StreamSpec) -> Option<Timestamp> {
    let (start, tick) = (spec.start(), spec.tick_us());
    let until = spec.settings.until?;
    let segments = u64::try_from(until.0.saturating_sub(start.0)).unwrap_or(0).div_ceil(tick.unsigned_abs());
    Some(start.plus_us(i64::try_from(segments).unwrap_or(i64::MAX).saturating_mul(tick)))
}

/// How many segments a stream that has caught up commits at once, so that it does so about once a second at most.
fn segments_between_commits(speed: f64, tick: i64) -> i64 {
    ((COMMIT_EVERY_US * speed / tick as f64).ceil() as i64).max(1)
}

/// How many segments the next slice may have, so that it takes about [`SLICE`].
fn slice_after(taken: i64, took: Duration, before: i64, most: i64) -> i64 {
    let wanted = taken as f64 * SLICE.as_secs_f64() / took.as_secs_f64().max(1e-6);
    (wanted as i64).clamp(1, 4 * taken.max(before)).min(most.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_take_about_half_a_second() {
        assert_eq!(slice_after(10, Duration::from_secs(1), 10, 1_000), 5);
        assert_eq!(slice_after(10, Duration::from_millis(1), 10, 1_000), 40);
        assert_eq!(slice_after(1, Duration::from_secs(9), 1, 1_000), 1);
        assert_eq!(slice_after(900, Duration::from_millis(1), 900, 1_000), 1_000);
    }

    #[test]
    fn fast_clocks_commit_several_segments_at_once() {
        assert_eq!(segments_between_commits(1.0, 10_000_000), 1);
        assert_eq!(segments_between_commits(60.0, 10_000_000), 6);
        assert_eq!(segments_between_commits(61.0, 10_000_000), 7);
    }
}
