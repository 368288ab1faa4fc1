//! Brings the commits of one stream to one sink, one after the other, from where it was; tries again later what did not
//! arrive, and gives up what never will.

use super::{Batch, BatchKey, SinkSpec, Target, Undelivered};
use crate::batch::TableLayout;
use crate::core::id::StreamId;
use crate::core::problem;
use crate::lake::{DataFile, LakeError};
use crate::run::{self, Host};
use crate::store::{DeadLetter, StoreError, StreamCommit, StreamSink};
use crate::stream::error::StreamError;
use crate::stream::pool::Task;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Commits that are read from the database at a time, and that a sink may deliver before others have their turn.
const COMMITS_AT_ONCE: u32 = 8;
/// Most rows of a batch: half a megabyte of JSON, since many servers take no more than one or two.
const BATCH_ROWS: usize = 1_024;
/// First pause after a failure, and the longest; each is twice the one before.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(60)];

/// One sink at work.
pub(in crate::stream) struct Courier {
    host: Host,
    stream: StreamId,
    spec: SinkSpec,
    /// Relative folders are below.
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    target: Option<Box<dyn Target>>,
    failures: u32,
    /// Rows of the commit under way that have arrived or are given up: they are not sent again by this process.
    arrived: u64,
    /// Batches that have arrived in all.
    delivered: u64,
}

/// Where rows of a file stand in their stream.
struct Place<'a> {
    table: &'a str,
    layout: &'a TableLayout,
    commit: u64,
    /// How many rows of the commit come before the file.
    begin: u64,
}

/// What stopped a delivery.
enum Stop {
    Later(String),
    Failed(StreamError),
}

impl From<StreamError> for Stop {
    fn from(error: StreamError) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<LakeError> for Stop {
    fn from(error: LakeError) -> Self {
        Self::Failed(error.into())
    }
}

impl Courier {
    pub(in crate::stream) fn new(host: &Host, stream: &StreamId, spec: SinkSpec, folder: PathBuf) -> Self {
        Self { host: host.clone(), stream: stream.clone(), spec, folder, state: Mutex::default() }
    }

    /// Delivers what is committed; says whether there may be more.
    fn work(&self, state: &mut State) -> Result<bool, Stop> {
        let runtime = &self.host.runtime;
        let sinks = runtime.block_on(self.host.store.stream_sinks(&self.stream))?;
        let Some(mut sink) = sinks.into_iter().find(|sink| sink.name == self.spec.name) else { return Ok(false) };
        let commits = self.host.store.stream_commits(&self.stream, sink.position, COMMITS_AT_ONCE);
        let commits = runtime.block_on(commits)?;
        let full = commits.len() == COMMITS_AT_ONCE as usize;
        for commit in commits {
            let result = self.bring(state, &mut sink, &commit);
            if result.is_ok() {
                (sink.position, sink.error, state.arrived) = (commit.number, None, 0);
            }
            match &result {
                Ok(()) => {}
                Err(Stop::Later(reason)) => (sink.retries, sink.error) = (sink.retries + 1, Some(reason.clone())),
                Err(Stop::Failed(error)) => sink.error = Some(problem::chain(error)),
            }
            runtime.block_on(async {
                let mut tx = self.host.store.write().await?;
                tx.put_stream_sink(&self.stream, &sink).await?;
                tx.commit().await
            })?;
            result?;
        }
        Ok(full)
    }

    fn bring(&self, state: &mut State, sink: &mut StreamSink, commit: &StreamCommit) -> Result<(), Stop> {
        let files: BTreeMap<String, Vec<DataFile>> = serde_json::from_value(commit.files.clone())
            .map_err(|error| StreamError::Record { id: self.stream.clone(), message: error.to_string() })?;
        let taken: Vec<_> = files.into_iter().filter(|(table, _)| self.spec.takes(table)).collect();
        if taken.iter().all(|(_, files)| files.is_empty()) {
            return Ok(());
        }
        let dataset = files_dataset(&taken);
        let dataset = match self.host.runtime.block_on(self.host.lake.dataset(&dataset, None)) {
            Ok(dataset) => dataset,
            Err(LakeError::NoDataset { .. }) => {
                let rows: u64 = taken.iter().flat_map(|(_, files)| files).map(|file| file.rows).sum();
                let reason = format!("{rows} rows were dropped with their dataset before they were delivered");
                let key = BatchKey { stream: self.stream.clone(), commit: commit.number, rows: None };
                return self.give_up(sink, &key.to_string(), reason, Vec::new());
            }
            Err(error) => return Err(error.into()),
        };
        // Counted by rows, whether they are there or not, so that a batch has the same place whenever it comes.
        let mut end = 0;
        for (table, files) in taken {
            let layout = dataset.table(&table).map(|found| TableLayout::new(found.table.clone()));
            for file in files {
                let begin = end;
                end += file.rows;
                let Some(layout) = layout.as_ref().filter(|_| end > state.arrived) else { continue };
                let place = Place { table: &table, layout, commit: commit.number, begin };
                self.bring_file(state, sink, &file, &place)?;
            }
        }
        if let Some(target) = state.target.as_mut() {
            target.flush().map_err(|undelivered| Stop::Later(reason_of(undelivered)))?;
        }
        Ok(())
    }

    fn bring_file(
        &self,
        state: &mut State,
        sink: &mut StreamSink,
        file: &DataFile,
        place: &Place<'_>,
    ) -> Result<(), Stop> {
        let Place { table, layout, commit, begin } = *place;
        let key = |first: u64| {
            let rows = Some((table.to_owned(), first));
            BatchKey { stream: self.stream.clone(), commit, rows }.to_string()
        };
        let rows = match self.host.lake.rows_of(&file.path, layout) {
            Ok(rows) => rows,
            Err(LakeError::File { source, .. }) if source.kind() == ErrorKind::NotFound => {
                let reason = format!("{} rows had become too old before they were delivered", file.rows);
                self.give_up(sink, &key(begin), reason, Vec::new())?;
                state.arrived = begin + file.rows;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let mut first = begin;
        for batch in rows {
            let batch = batch?;
            for offset in (0..batch.num_rows()).step_by(BATCH_ROWS) {
                let rows = batch.slice(offset, BATCH_ROWS.min(batch.num_rows() - offset));
                let end = first + rows.num_rows() as u64;
                if end > state.arrived {
                    let (key, stream, rows) = (key(first), &self.stream, &rows);
                    self.deliver(state, sink, &Batch { key, stream, commit, first, layout, rows })?;
                    state.arrived = end;
                }
                first = end;
            }
        }
        Ok(())
    }

    fn deliver(&self, state: &mut State, sink: &mut StreamSink, batch: &Batch<'_>) -> Result<(), Stop> {
        let target = match state.target.take() {
            Some(target) => target,
            None => self.spec.open(&self.folder, &self.host)?,
        };
        match state.target.insert(target).deliver(batch) {
            Ok(()) => {
                sink.rows += batch.rows.num_rows() as u64;
                sink.batches += 1;
                state.delivered += 1;
                Ok(())
            }
            Err(Undelivered::Later(reason)) => Err(Stop::Later(reason)),
            Err(Undelivered::Never { reason, body }) => self.give_up(sink, &batch.key, reason, body),
        }
    }

    fn give_up(&self, sink: &mut StreamSink, key: &str, reason: String, body: Vec<u8>) -> Result<(), Stop> {
        tracing::warn!(stream.id = %self.stream, sink.name = sink.name, batch.key = key, "a batch was given up: {reason}");
        sink.dead += 1;
        let letter = DeadLetter { batch_key: key.to_owned(), at: run::now(), reason, body };
        self.host.runtime.block_on(async {
            let mut tx = self.host.store.write().await?;
            tx.insert_dead_letter(&self.stream, &self.spec.name, &letter).await?;
            tx.commit().await
        })?;
        Ok(())
    }
}

impl Task for Courier {
    fn run(&self) -> Option<Instant> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.delivered;
        match self.work(&mut state) {
            Ok(more) => {
                state.failures = 0;
                more.then(Instant::now)
            }
            Err(stop) => {
                let reason = match stop {
                    Stop::Later(reason) => reason,
                    Stop::Failed(error) => {
                        state.target = None;
                        problem::chain(&error)
                    }
                };
                // A receiver that takes some is asked again soon.
                if state.delivered > before {
                    state.failures = 0;
                }
                let [first, longest] = PAUSES;
                let pause = first.saturating_mul(1 << state.failures.min(10)).min(longest);
                if state.failures == 0 {
                    let name = self.spec.name.as_str();
                    tracing::warn!(stream.id = %self.stream, sink.name = name, "rows wait to be delivered: {reason}");
                }
                state.failures = state.failures.saturating_add(1);
                Some(Instant::now() + pause)
            }
        }
    }
}

fn reason_of(undelivered: Undelivered) -> String {
    match undelivered {
        Undelivered::Later(reason) | Undelivered::Never { reason, .. } => reason,
    }
}

/// The dataset that files are in.
fn files_dataset(tables: &[(String, Vec<DataFile>)]) -> String {
    let path = tables.iter().flat_map(|(_, files)| files).map(|file| file.path.as_str()).next().unwrap_or_default();
    path.split('/').next().unwrap_or_default().to_owned()
}
