//! All streams of a data folder: started, listed, changed and asked about, on a bounded number of threads.

use super::care::Care;
use super::error::StreamError;
use super::live::Live;
use super::pool::{Pool, Task, TaskId};
use super::sinks::Courier;
use super::spec::StreamSpec;
use super::stats::LoggedLine;
use crate::core::digest::Digest;
use crate::core::id::StreamId;
use crate::core::time::{Length, Timestamp};
use crate::plugin::LogSink;
use crate::run::{self, Cancel, Existing, Host, PlacedIncident, PlannedIncident, RunSpec};
use crate::store::{ClockAnchor, StoreError, StreamRecord, StreamState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use tokio::sync::watch;

/// Threads that deliver rows to sinks: they mostly wait for others.
const SINK_THREADS: usize = 4;
/// The folder in the data folder for files of sinks.
const OUT_FOLDER: &str = "out";

/// What streams may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Threads that make rows. Default 0: one for each core.
    pub threads: usize,
    /// Most streams that are under way at a time; each keeps its instances in memory. Default 1,000.
    pub max_streams: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { threads: 0, max_streams: 1_000 }
    }
}

/// An incident by hand, as asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// The plugin among the stream's incident models that makes it.
    pub model: String,
    /// One of the model's kinds.
    pub kind: String,
    /// One of the generator's targets.
    pub target: String,
    /// When it starts, by the simulated clock. Default with the next segment.
    #[serde(default)]
    pub start: Option<Timestamp>,
    /// How long it lasts, recovery apart.
    pub length: Length,
}

/// What a stream is doing, in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct StreamStats {
    /// The stream.
    pub id: StreamId,
    /// What it is doing.
    pub state: StreamState,
    /// `backfill` while it has to catch up with its clock, else `live`.
    pub mode: &'static str,
    /// What its simulated clock shows.
    pub clock: Timestamp,
    /// Simulated seconds a second.
    pub speed: f64,
    /// Rows before this simulated time are in the lake.
    pub position: Timestamp,
    /// How far the position is behind the clock, in seconds of simulated time.
    pub behind_s: f64,
    /// How long after the clock had reached a segment's end its rows were visible, in milliseconds: of the last
    /// commit; none while it has to catch up.
    pub drift_ms: Option<i64>,
    /// The largest of the last minute.
    pub max_drift_ms: i64,
    /// Commits since the stream began.
    pub commits: u64,
    /// Rows since the stream began, by table.
    pub rows: BTreeMap<String, u64>,
    /// When this process took the stream up.
    pub session_since: Option<Timestamp>,
    /// Rows since then, by table.
    pub session_rows: BTreeMap<String, u64>,
    /// Rows of the last minute.
    pub rows_per_minute: u64,
    /// The newest line that one of its plugins logged.
    pub newest_log: Option<LoggedLine>,
}

/// A stream, and whether a version began afresh in it, or why it could not take over.
pub type Swapped = (StreamId, Result<bool, StreamError>);

/// The streams of a data folder. Clones share them.
#[derive(Clone)]
pub struct Streams {
    inner: Arc<Inner>,
}

struct Inner {
    host: Host,
    settings: Settings,
    log: LogSink,
    pool: Pool,
    /// What is beside the rows: sinks.
    aside: Arc<Pool>,
    /// Relative folders of sinks are below.
    out: PathBuf,
    cancel: Arc<Cancel>,
    /// Files are looked after once a stream is taken up.
    care: Once,
    live: Mutex<BTreeMap<StreamId, Entry>>,
}

struct Entry {
    live: Arc<Live>,
    task: TaskId,
}

impl Streams {
    /// Prepares the threads; no stream is taken up yet.
    ///
    /// # Errors
    /// The system gives no threads.
    pub fn new(host: &Host, settings: Settings, log: LogSink) -> std::io::Result<Self> {
        let host = host.clone();
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = if settings.threads == 0 { cores() } else { settings.threads };
        let (pool, aside) = (Pool::start("stream", threads)?, Arc::new(Pool::start("sink", SINK_THREADS)?));
        let out = host.lake.files().root().parent().unwrap_or(Path::new("")).join(OUT_FOLDER);
        let (cancel, care, live) = (Arc::default(), Once::new(), Mutex::default());
        Ok(Self { inner: Arc::new(Inner { host, settings, log, pool, aside, out, cancel, care, live }) })
    }

    /// Takes up all streams that were under way when the host ended.
    ///
    /// # Errors
    /// The database failed.
    pub fn take_up_all(&self) -> Result<usize, StreamError> {
        let records = self.inner.host.runtime.block_on(self.inner.host.store.live_streams())?;
        for record in &records {
            self.add(record)?;
        }
        Ok(records.len())
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

    /// Starts a stream; it is recorded when this returns.
    ///
    /// # Errors
    /// What is wrong with the spec or a plugin, a dataset that has rows, or too many streams.
    pub fn start(&self, spec: StreamSpec) -> Result<StreamRecord, StreamError> {
        let inner = &self.inner;
        let streams = self.live().len();
        if streams >= inner.settings.max_streams {
            return Err(StreamError::TooMany { streams });
        }
        let now = run::now();
        let spec = spec.resolve(now, run::random())?;
        self.refuse_existing(&spec)?;
        let host = &inner.host;
        let log = Arc::clone(&inner.log);
        let (planned, _) = run::Plan::open(&host.registry, spec.resolved()?, None, host.read_input, log)?;
        let spec = spec.planned_with(&planned.spec).with_step(planned.simulation.step_us)?;
        let random = run::random().to_le_bytes().first_chunk().map_or(0, |head| u32::from_le_bytes(*head));
        let names = planned.layouts.iter().map(|layout| layout.table.name.clone());
        let truth = [run::incidents_layout(), run::effects_layout()].map(|layout| layout.table.name);
        let start = spec.start();
        let record = StreamRecord {
            id: StreamId::new(now.0.unsigned_abs() / 1_000, random),
            dataset: spec.run.dataset.clone(),
            state: StreamState::Running,
            spec: spec.to_value(),
            plugins: planned.components.clone(),
            versions: run::versions(),
            created_at: now,
            ended_at: None,
            error: None,
            clock: ClockAnchor { wall: now, clock: spec.settings.live_from.unwrap_or(now), speed: spec.settings.speed },
            position: start,
            planned_until: start.day_start(),
            judged_until: start,
            commits: 0,
            tables: names.chain(truth).map(|name| (name, Default::default())).collect(),
        };
        host.runtime.block_on(async {
            let mut tx = host.store.write().await?;
            tx.insert_stream(&record).await?;
            for sink in &spec.settings.sinks {
                let config = serde_json::to_value(sink).unwrap_or_default();
                tx.insert_stream_sink(&record.id, &sink.name, &config).await?;
            }
            tx.commit().await
        })?;
        self.add(&record)?;
        Ok(record)
    }

    /// Tells early what the first commit would refuse.
    fn refuse_existing(&self, spec: &StreamSpec) -> Result<(), StreamError> {
        let host = &self.inner.host;
        if spec.run.existing == Existing::Append {
            return Ok(());
        }
        let streams = host.runtime.block_on(host.store.live_streams())?;
        if let Some(other) = streams.iter().find(|other| other.dataset == spec.run.dataset) {
            let message = "it writes the dataset already; stop it, append to the dataset or name another";
            return Err(StreamError::State { id: other.id.clone(), state: other.state, message });
        }
        host.runtime.block_on(run::refuse_existing(&host.lake, &spec.run.dataset, spec.run.existing))?;
        Ok(())
    }

    fn add(&self, record: &StreamRecord) -> Result<Arc<Live>, StreamError> {
        let inner = &self.inner;
        let mut entries = self.live();
        if let Some(entry) = entries.get(&record.id) {
            return Ok(Arc::clone(&entry.live));
        }
        let aside = Arc::clone(&inner.aside);
        inner.care.call_once(|| {
            aside.add(Arc::new(Care::new(&inner.host, &inner.log)));
        });
        let courier = |sink| Courier::new(&inner.host, &record.id, sink, inner.out.clone());
        let sinks = StreamSpec::of_value(&record.spec)?.settings.sinks.into_iter();
        let sinks: Vec<TaskId> = sinks.map(|sink| aside.add(Arc::new(courier(sink)))).collect();
        let committed = Box::new(move || sinks.iter().for_each(|sink| aside.wake(*sink)));
        let live = Arc::new(Live::new(&inner.host, record, &inner.log, &inner.cancel, committed));
        let task = inner.pool.add(Arc::clone(&live) as Arc<dyn Task>);
        entries.insert(record.id.clone(), Entry { live: Arc::clone(&live), task });
        Ok(live)
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
        let (live, task) = self.entry(id)?;
        live.stop(run::now())?;
        self.inner.pool.wake(task);
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

    /// Another version of the plugin `name` takes over in a stream, for all partitions at one simulated time, which is
    /// recorded: with the saved state, or afresh where it can't read that. Returns whether it was afresh.
    ///
    /// # Errors
    /// The version is not in the data folder, its rows do not fit, or it fails; the version from before goes on then.
    pub fn swap(&self, id: &StreamId, name: &str, digest: Digest) -> Result<bool, StreamError> {
        self.entry(id)?.0.swap(name, digest)
    }

    /// The same in every stream that uses the plugin: what the activation of a version calls. Returns what came of it.
    ///
    /// # Errors
    /// The database failed.
    pub fn swap_all(&self, name: &str, digest: Digest) -> Result<Vec<Swapped>, StreamError> {
        let host = &self.inner.host;
        let records = host.runtime.block_on(host.store.live_streams())?;
        let using = records.into_iter().filter(|record| record.plugins.iter().any(|used| used.name == name));
        Ok(using.map(|record| (record.id.clone(), self.swap(&record.id, name, digest))).collect())
    }

    /// The run that makes the same rows as the stream did so far.
    ///
    /// # Errors
    /// There is no such stream.
    pub fn as_run(&self, id: &StreamId) -> Result<RunSpec, StreamError> {
        let record = self.record(id)?;
        Ok(StreamSpec::of_value(&record.spec)?.run_until(record.position))
    }

    /// The stream that goes on where `spec` is run again: the newest on its dataset that was not stopped.
    ///
    /// # Errors
    /// That stream makes other rows.
    pub fn find(&self, spec: &StreamSpec) -> Result<Option<StreamRecord>, StreamError> {
        let host = &self.inner.host;
        let found = host.runtime.block_on(host.store.unfinished_stream(&spec.run.dataset))?;
        let Some(record) = found else { return Ok(None) };
        if StreamSpec::of_value(&record.spec)?.fits(spec) {
            return Ok(Some(record));
        }
        let message = "it writes the dataset with another spec; `telemill stream stop` ends it";
        Err(StreamError::State { id: record.id, state: record.state, message })
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
            mode: "backfill",
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
            (stats.clock, stats.mode) = (live.clock(now), if control.caught_up { "live" } else { "backfill" });
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
