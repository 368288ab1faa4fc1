//! All streams of a data folder: taken up, listed, changed and asked about, on a bounded number of threads.

use super::care::Care;
use super::error::StreamError;
use super::incidents::Trigger;
use super::judge::Judge;
use super::live::{Live, Surroundings};
use super::pool::{Pool, Task, TaskId};
use super::settings::Settings;
use super::sinks::Courier;
use super::spec::StreamSpec;
use super::stats::StreamStats;
use crate::alert::Alerts;
use crate::core::id::StreamId;
use crate::core::problem;
use crate::core::time::Timestamp;
use crate::plugin::LogSink;
use crate::run::{self, Cancel, Host, PlacedIncident, PlannedIncident, RunSpec};
use crate::store::{StoreError, StreamRecord, StreamState};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use tokio::sync::watch;

/// Threads that deliver rows to sinks: they mostly wait for others.
const SINK_THREADS: usize = 4;
/// The folder in the data folder for files of sinks.
const OUT_FOLDER: &str = "out";

/// The streams of a data folder. Clones share them.
#[derive(Clone)]
pub struct Streams {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) host: Host,
    pub(super) settings: Settings,
    pub(super) log: LogSink,
    alerts: Alerts,
    pool: Pool,
    /// What is beside the rows: sinks and validators.
    aside: Arc<Pool>,
    /// Relative folders of sinks are below.
    out: PathBuf,
    cancel: Arc<Cancel>,
    /// Files are looked after once a stream is taken up.
    care: Once,
    /// Held from the look whether a dataset is free until its stream is recorded.
    pub(super) starting: Mutex<()>,
    live: Mutex<BTreeMap<StreamId, Entry>>,
}

struct Entry {
    live: Arc<Live>,
    task: TaskId,
    /// Its tasks beside the rows.
    aside: Vec<TaskId>,
}

impl Streams {
    /// Prepares the threads; no stream is taken up yet. What validators find wrong, and that a stream fails, goes to
    /// `alerts`.
    ///
    /// # Errors
    /// The system gives no threads.
    pub fn new(host: &Host, alerts: Alerts, settings: Settings, log: LogSink) -> std::io::Result<Self> {
        let host = host.clone();
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = if settings.threads == 0 { cores() } else { settings.threads };
        let (pool, aside) = (Pool::start("stream", threads)?, Arc::new(Pool::start("sink", SINK_THREADS)?));
        let out = host.lake.files().root().parent().unwrap_or(Path::new("")).join(OUT_FOLDER);
        let (cancel, care, starting, live) = (Arc::default(), Once::new(), Mutex::default(), Mutex::default());
        let inner = Inner { host, settings, log, alerts, pool, aside, out, cancel, care, starting, live };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Takes up all streams that were under way when the host ended, and says how many. One that can't be is told and
    /// left as it is, so that it keeps nobody from the others.
    ///
    /// # Errors
    /// The database failed.
    pub fn take_up_all(&self) -> Result<usize, StreamError> {
        let records = self.inner.host.runtime.block_on(self.inner.host.store.live_streams())?;
        let mut taken = 0;
        for record in &records {
            match self.add(record) {
                Ok(_) => taken += 1,
                Err(error) => {
                    tracing::error!(stream.id = %record.id, "it can't be taken up: {}", problem::chain(&error));
                }
            }
        }
        Ok(taken)
    }

    /// Takes up one stream that was under way, or had failed.
    ///
    /// # Errors
    /// There is no such stream, or it was stopped.
    pub fn take_up(&self, id: &StreamId) -> Result<(), StreamError> {
        let record = self.record(id)?;
        match record.state {
            StreamState::Running | StreamState::Paused => self.add(&record).map(drop),
            StreamState::Failed => self.resume(id),
            StreamState::Stopped => Err(stopped(&record)),
        }
    }

    /// What the streams work on.
    pub fn host(&self) -> &Host {
        &self.inner.host
    }

    /// Lets this process run a recorded stream.
    pub(super) fn add(&self, record: &StreamRecord) -> Result<Arc<Live>, StreamError> {
        let inner = &self.inner;
        let mut entries = self.live();
        if let Some(entry) = entries.get(&record.id) {
            return Ok(Arc::clone(&entry.live));
        }
        let spec = StreamSpec::of_value(&record.spec)?;
        inner.care.call_once(|| {
            inner.aside.add(Arc::new(Care::new(&inner.host)));
        });
        let courier =
            |sink| -> Arc<dyn Task> { Arc::new(Courier::new(&inner.host, &record.id, sink, inner.out.clone())) };
        let mut tasks: Vec<Arc<dyn Task>> = spec.settings.sinks.into_iter().map(courier).collect();
        if !spec.run.validators.is_empty() {
            tasks.push(Arc::new(Judge::new(&inner.host, &record.id, &inner.alerts, &inner.log, &inner.cancel)));
        }
        let aside: Vec<TaskId> = tasks.into_iter().map(|task| inner.aside.add(task)).collect();
        let (pool, woken) = (Arc::clone(&inner.aside), aside.clone());
        let live = self.idle(record, Box::new(move || woken.iter().for_each(|task| pool.wake(*task))));
        let task = inner.pool.add(Arc::clone(&live) as Arc<dyn Task>);
        entries.insert(record.id.clone(), Entry { live: Arc::clone(&live), task, aside });
        Ok(live)
    }

    /// A recorded stream that no thread runs.
    fn idle(&self, record: &StreamRecord, committed: Box<dyn Fn() + Send + Sync>) -> Arc<Live> {
        let inner = &self.inner;
        let (host, log, cancel) = (inner.host.clone(), LogSink::clone(&inner.log), Arc::clone(&inner.cancel));
        let alerts = inner.alerts.clone();
        Arc::new(Live::new(record, Surroundings { host, alerts, log, cancel, committed }))
    }

    /// A stream that may change while nobody runs it, as on the command line: a change is all that becomes of it then.
    pub(super) fn at_rest_or_live(&self, id: &StreamId) -> Result<Arc<Live>, StreamError> {
        if let Some(entry) = self.live().get(id) {
            return Ok(Arc::clone(&entry.live));
        }
        let record = self.record(id)?;
        match record.state {
            StreamState::Stopped => Err(stopped(&record)),
            _ => Ok(self.idle(&record, Box::new(|| {}))),
        }
    }

    /// Lets go of streams that have ended and have nothing left to deliver; says how many others there are.
    pub(super) fn let_go_of_ended(&self) -> Result<usize, StreamError> {
        let ended = |entry: &Entry| entry.live.control().state == StreamState::Stopped;
        let ids: Vec<StreamId> =
            self.live().iter().filter(|(_, entry)| ended(entry)).map(|(id, _)| id.clone()).collect();
        for id in &ids {
            if self.undelivered(id)? > 0 {
                continue;
            }
            if let Some(entry) = self.live().remove(id) {
                self.inner.pool.remove(entry.task);
                entry.aside.into_iter().for_each(|task| self.inner.aside.remove(task));
            }
        }
        Ok(self.live().values().filter(|entry| !ended(entry)).count())
    }

    fn live(&self) -> MutexGuard<'_, BTreeMap<StreamId, Entry>> {
        self.inner.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream's task, taken up where it is not; one that was stopped is refused.
    fn entry(&self, id: &StreamId) -> Result<(Arc<Live>, TaskId), StreamError> {
        let found =
            |entries: &BTreeMap<StreamId, Entry>| entries.get(id).map(|entry| (Arc::clone(&entry.live), entry.task));
        if let Some(entry) = found(&self.live()) {
            return Ok(entry);
        }
        let record = self.record(id)?;
        if record.state == StreamState::Stopped {
            return Err(stopped(&record));
        }
        self.add(&record)?;
        found(&self.live()).ok_or_else(|| StoreError::NoStream(id.clone()).into())
    }

    /// A stream's record.
    ///
    /// # Errors
    /// There is no such stream.
    pub fn record(&self, id: &StreamId) -> Result<StreamRecord, StreamError> {
        let host = &self.inner.host;
        Ok(host.runtime.block_on(host.store.stream(id))?)
    }

    /// At most `limit` streams, newest first; with `before`, only those that are older than that one.
    ///
    /// # Errors
    /// The database failed.
    pub fn list(&self, limit: u32, before: Option<&StreamId>) -> Result<Vec<StreamRecord>, StreamError> {
        let host = &self.inner.host;
        Ok(host.runtime.block_on(host.store.streams(limit, before))?)
    }

    /// The clock stands, and no rows are made, until the stream is resumed.
    ///
    /// # Errors
    /// It is not running.
    pub fn pause(&self, id: &StreamId) -> Result<(), StreamError> {
        self.entry(id)?.0.pause(run::now())
    }

    /// A paused stream goes on from where its clock stands, a failed one from its last commit.
    ///
    /// # Errors
    /// It is neither paused nor failed.
    pub fn resume(&self, id: &StreamId) -> Result<(), StreamError> {
        let (live, task) = self.entry(id)?;
        live.resume(run::now())?;
        self.inner.pool.wake(task);
        Ok(())
    }

    /// The clock goes at another speed.
    ///
    /// # Errors
    /// It has ended, or no clock can go so fast.
    pub fn set_speed(&self, id: &StreamId, speed: f64) -> Result<(), StreamError> {
        let (live, task) = self.entry(id)?;
        live.set_speed(speed, run::now())?;
        self.inner.pool.wake(task);
        Ok(())
    }

    /// The stream ends, for good; its rows stay.
    ///
    /// # Errors
    /// It has ended already.
    pub fn stop(&self, id: &StreamId) -> Result<(), StreamError> {
        self.at_rest_or_live(id)?.stop(run::now())?;
        if let Some(entry) = self.live().get(id) {
            self.inner.pool.wake(entry.task);
        }
        Ok(())
    }

    /// An incident by hand: ground truth like the others, and part of the stream's spec from now on.
    ///
    /// # Errors
    /// No such model, kind or target, or a start before rows that are made already.
    pub fn trigger(&self, id: &StreamId, trigger: Trigger) -> Result<Vec<PlannedIncident>, StreamError> {
        let Trigger { model, kind, target, start, length } = trigger;
        let (live, _) = self.entry(id)?;
        let spec = StreamSpec::of_value(&self.record(id)?.spec)?;
        if !spec.run.incident_models.iter().any(|used| used.plugin == model) {
            let known: Vec<_> = spec.run.incident_models.iter().map(|used| used.plugin.as_str()).collect();
            let message = format!("{model:?} is none of the stream's incident models ({})", known.join(", "));
            return Err(StreamError::Spec { key: "model".to_owned(), message });
        }
        live.trigger(start, PlacedIncident { model, kind, target, start: Timestamp(0), length, known_from: None })
    }

    /// The run that makes the same rows as the stream did so far.
    ///
    /// # Errors
    /// There is no such stream.
    pub fn as_run(&self, id: &StreamId) -> Result<RunSpec, StreamError> {
        let record = self.record(id)?;
        Ok(StreamSpec::of_value(&record.spec)?.run_until(record.position))
    }

    /// The stream ends by itself once its rows have come to `until`.
    ///
    /// # Errors
    /// It has ended already.
    pub fn set_until(&self, id: &StreamId, until: Timestamp) -> Result<(), StreamError> {
        let (live, task) = self.entry(id)?;
        live.set_until(until)?;
        self.inner.pool.wake(task);
        Ok(())
    }

    /// What a stream is doing, in numbers.
    ///
    /// # Errors
    /// There is no such stream.
    pub fn stats(&self, id: &StreamId) -> Result<StreamStats, StreamError> {
        let record = self.record(id)?;
        let now = run::now();
        let live = self.live().get(id).map(|entry| Arc::clone(&entry.live));
        let mut stats = StreamStats {
            state: record.state,
            mode: "backfill".to_owned(),
            clock: record.clock.clock,
            speed: record.clock.speed,
            position: record.position,
            behind_s: 0.0,
            drift_ms: None,
            max_drift_ms: 0,
            commits: record.commits,
            rows: record.tables.into_iter().map(|(table, sum)| (table, sum.rows)).collect(),
            session_since: None,
            session_rows: BTreeMap::new(),
            rows_per_minute: 0,
            newest_log: None,
            id: record.id,
        };
        if let Some(live) = live {
            let control = live.control();
            let mut recent = live.recent();
            (stats.rows_per_minute, stats.max_drift_ms) = recent.minute(now);
            (stats.session_since, stats.session_rows) = (recent.since, recent.rows.clone());
            (stats.drift_ms, stats.newest_log) = (recent.drift_ms, recent.newest_line());
            stats.clock = live.clock(now);
            if control.caught_up {
                stats.mode = "live".to_owned();
            }
        }
        stats.behind_s = stats.clock.0.saturating_sub(stats.position.0) as f64 / 1e6;
        Ok(stats)
    }

    /// How many of a stream's commits its slowest sink has not delivered.
    ///
    /// # Errors
    /// There is no such stream.
    pub fn undelivered(&self, id: &StreamId) -> Result<u64, StreamError> {
        let (record, host) = (self.record(id)?, &self.inner.host);
        let sinks = host.runtime.block_on(host.store.stream_sinks(id))?;
        let slowest = sinks.iter().map(|sink| sink.position).min().unwrap_or(record.commits);
        Ok(record.commits.saturating_sub(slowest))
    }

    /// The number of a stream's last commit as it changes, and a word whenever it changes its state; for who waits.
    ///
    /// # Errors
    /// There is no such stream, or it was stopped.
    pub fn watch(&self, id: &StreamId) -> Result<watch::Receiver<u64>, StreamError> {
        Ok(self.entry(id)?.0.commits())
    }

    /// Ends the threads between two windows. The streams stay recorded as they are, and go on when they are taken up again.
    pub fn shut_down(&self) {
        self.inner.cancel.cancel();
        self.inner.pool.end();
        self.inner.aside.end();
        self.live().clear();
    }
}

fn stopped(record: &StreamRecord) -> StreamError {
    let message = "it has ended; start another, and append to its dataset";
    StreamError::State { id: record.id.clone(), state: record.state, message }
}
