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
use super::stats::{StreamStats, stats_at_rest};
use crate::alert::Alerts;
use crate::core::id::StreamId;
use crate::core::problem;
use crate::core::time::Timestamp;
use crate::lake::Compacted;
use crate::plugin::LogSink;
use crate::run::{self, Cancel, Host, PlacedIncident, PlannedIncident, RunSpec};
use crate::store::{StreamRecord, StreamState};
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
    pub(super) out: PathBuf,
    pub(super) cancel: Arc<Cancel>,
    care: Arc<Care>,
    /// Files are looked after once a stream is taken up.
    caring: Once,
    /// Held from the look whether a dataset is free until its stream is recorded.
    pub(super) starting: Mutex<()>,
    /// Held while dead letters are sent: a letter that is under way must not be sent beside itself.
    pub(super) sending: Mutex<()>,
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
        let (cancel, care, caring, live) = (Arc::default(), Arc::new(Care::new(&host)), Once::new(), Mutex::default());
        let (starting, sending) = (Mutex::default(), Mutex::default());
        let inner =
            Inner { host, settings, log, alerts, pool, aside, out, cancel, care, caring, starting, sending, live };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Takes up all streams that were under way when the host ended, and says how many; sinks of those that have ended get
    /// what they lack. One that can't be taken up is told and left as it is, so that it keeps nobody from the others.
    ///
    /// # Errors
    /// The database failed.
    pub fn take_up_all(&self) -> Result<usize, StreamError> {
        let host = &self.inner.host;
        let mut records = host.runtime.block_on(host.store.live_streams())?;
        records.extend(host.runtime.block_on(host.store.undelivered_streams())?);
        let mut taken = 0;
        for record in &records {
            match self.add(record) {
                Ok(_) if record.state == StreamState::Stopped => {}
                Ok(_) => taken += 1,
                Err(error) => {
                    tracing::error!(stream.id = %record.id, "it can't be taken up: {}", problem::chain(&error));
                }
            }
        }
        Ok(taken)
    }

    /// Takes up one stream that was under way, or had failed, or whose sinks lack rows.
    ///
    /// # Errors
    /// There is no such stream, or it was stopped and everything is delivered.
    pub fn take_up(&self, id: &StreamId) -> Result<(), StreamError> {
        let record = self.record(id)?;
        match record.state {
            StreamState::Failed => return self.go_on(id),
            StreamState::Stopped if self.undelivered(id)? == 0 => return Err(stopped(&record)),
            StreamState::Running | StreamState::Paused | StreamState::Stopped => {}
        }
        self.add(&record).map(drop)
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
        inner.care.takes_up(&record.id);
        inner.caring.call_once(|| {
            inner.aside.add(Arc::clone(&inner.care) as Arc<dyn Task>);
        });
        let courier =
            |sink| -> Arc<dyn Task> { Arc::new(Courier::new(&inner.host, &record.id, sink, inner.out.clone())) };
        let mut tasks: Vec<Arc<dyn Task>> = spec.settings.sinks.into_iter().map(courier).collect();
        if !spec.run.validators.is_empty() && record.state != StreamState::Stopped {
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

    /// Lets a stream that this process runs look at once what has changed.
    fn wake(&self, id: &StreamId) {
        if let Some(entry) = self.live().get(id) {
            self.inner.pool.wake(entry.task);
        }
    }

    /// A stream's record.
    ///
    /// # Errors
    /// There is no such stream.
    pub fn record(&self, id: &StreamId) -> Result<StreamRecord, StreamError> {
        let host = &self.inner.host;
        Ok(host.runtime.block_on(host.store.stream(id))?)
    }

    /// The streams that this process runs or delivers, oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub fn under_way(&self) -> Result<Vec<StreamId>, StreamError> {
        self.let_go_of_ended()?;
        Ok(self.live().keys().cloned().collect())
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
        self.at_rest_or_live(id)?.pause(run::now())
    }

    /// A paused stream goes on from where its clock stands, a failed one from its last commit, in this process.
    ///
    /// # Errors
    /// It is neither paused nor failed.
    pub fn go_on(&self, id: &StreamId) -> Result<(), StreamError> {
        let record = self.record(id)?;
        if record.state != StreamState::Stopped {
            self.add(&record)?;
        }
        self.resume(id)
    }

    /// A paused stream goes on from where its clock stands, a failed one from its last commit, as soon as it is taken up.
    ///
    /// # Errors
    /// It is neither paused nor failed.
    pub fn resume(&self, id: &StreamId) -> Result<(), StreamError> {
        self.at_rest_or_live(id)?.resume(run::now())?;
        self.wake(id);
        Ok(())
    }

    /// The clock goes at another speed.
    ///
    /// # Errors
    /// It has ended, or no clock can go so fast.
    pub fn set_speed(&self, id: &StreamId, speed: f64) -> Result<(), StreamError> {
        self.at_rest_or_live(id)?.set_speed(speed, run::now())?;
        self.wake(id);
        Ok(())
    }

    /// The stream ends, for good; its rows stay.
    ///
    /// # Errors
    /// It has ended already.
    pub fn stop(&self, id: &StreamId) -> Result<(), StreamError> {
        self.at_rest_or_live(id)?.stop(run::now())?;
        self.wake(id);
        Ok(())
    }

    /// An incident by hand: ground truth like the others, and part of the stream's spec from now on.
    ///
    /// # Errors
    /// No such model, kind or target, or a start before rows that are made already.
    pub fn trigger(&self, id: &StreamId, trigger: Trigger) -> Result<Vec<PlannedIncident>, StreamError> {
        let Trigger { model, kind, target, start, length } = trigger;
        let live = self.at_rest_or_live(id)?;
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
        self.at_rest_or_live(id)?.set_until(until)?;
        self.wake(id);
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
        let mut stats = stats_at_rest(&record, now);
        if let Some(live) = live {
            let control = live.control();
            let mut recent = live.recent();
            (stats.table_rows_per_minute, stats.max_drift_ms) = recent.minute(now);
            stats.rows_per_minute = stats.table_rows_per_minute.values().sum();
            (stats.session_since, stats.session_rows) = (recent.since, recent.rows.clone());
            (stats.drift_ms, stats.newest_log) = (recent.drift_ms, recent.newest_line());
            stats.clock = live.clock(now);
            if control.caught_up {
                stats.mode = "live".to_owned();
            }
        }
        stats.lag();
        Ok(stats)
    }

    /// Lets old rows of a stream go and writes its small files again as larger ones, as is done from time to time while it runs, and
    /// once when it has ended: for who does not stay until then.
    ///
    /// # Errors
    /// There is no such stream, or the disk or the database failed; what was committed stays.
    pub fn look_after(&self, id: &StreamId) -> Result<Compacted, StreamError> {
        self.inner.care.look_after(&self.record(id)?)
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

    /// The number of a stream's last commit as it changes, and a word whenever it changes its state; for who waits. The
    /// stream is taken up.
    ///
    /// # Errors
    /// There is no such stream, or it has ended and this process delivers nothing of it.
    pub fn watch(&self, id: &StreamId) -> Result<watch::Receiver<u64>, StreamError> {
        if let Some(entry) = self.live().get(id) {
            return Ok(entry.live.commits());
        }
        let record = self.record(id)?;
        match record.state {
            StreamState::Stopped => Err(stopped(&record)),
            _ => Ok(self.add(&record)?.commits()),
        }
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
