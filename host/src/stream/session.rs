//! One stream at work: slices of whole segments, each made and committed in one transaction.

use super::error::StreamError;
use super::incidents::Known;
use super::maker::{Made, Maker, Standing};
use super::spec::StreamSpec;
use super::swap::Takeover;
use crate::batch::{TableFingerprint, TableLayout};
use crate::core::digest::Digest;
use crate::core::id::StreamId;
use crate::core::schema::TableKind;
use crate::core::time::{Timestamp, Window};
use crate::lake::{Commit, DataFile, Mode, TableFiles, TableWriter};
use crate::plugin::LogSink;
use crate::run::{self, Cancel, Existing, Host, PlacedIncident, PlannedIncident};
use crate::store::{PluginUse, StreamCommit, StreamRecord, StreamSwap};
use arrow::array::RecordBatch;
use std::collections::BTreeMap;

/// What makes a stream's rows, and what was committed of them.
pub(super) struct Session {
    host: Host,
    id: StreamId,
    maker: Maker,
    commits: u64,
    tables: BTreeMap<String, TableFingerprint>,
}

/// What a slice made.
#[derive(Debug, Clone)]
pub(super) struct Slice {
    /// What was recorded.
    pub(super) commit: StreamCommit,
    /// Rows by table.
    pub(super) rows: BTreeMap<String, u64>,
}

impl Session {
    /// Opens the instances of a stream where its last commit left it.
    pub(super) fn open(host: &Host, record: &StreamRecord, log: LogSink) -> Result<Self, StreamError> {
        let spec = StreamSpec::of_value(&record.spec)?;
        let (states, incidents, swaps) = host.runtime.block_on(async {
            let states = host.store.stream_states(&record.id).await?;
            let incidents = host.store.stream_incidents(&record.id, Known::needed_after(record.position)).await?;
            Ok::<_, StreamError>((states, incidents, host.store.stream_swaps(&record.id).await?))
        })?;
        let afresh = swaps.iter().rev().find(|swap| swap.afresh).map(|swap| swap.at);
        let standing = Standing {
            position: record.position,
            planned_until: record.planned_until,
            opened_at: afresh.unwrap_or(spec.start()),
            states,
            known: Known::read(&record.id, incidents)?,
            fresh: record.commits == 0,
        };
        let maker = Maker::open(host, spec, &record.plugins, standing, log)?;
        let (id, tables) = (record.id.clone(), record.tables.clone());
        Ok(Self { host: host.clone(), id, maker, commits: record.commits, tables })
    }

    /// Rows before this simulated time are committed.
    pub(super) fn position(&self) -> Timestamp {
        self.maker.position
    }

    /// The spec with all incidents by hand.
    pub(super) fn spec(&self) -> &StreamSpec {
        &self.maker.spec
    }

    /// Makes and commits the rows up to `end`, a whole number of segments from the start. After an error the session is
    /// of no use: open another.
    pub(super) fn advance(&mut self, end: Timestamp, cancel: &Cancel) -> Result<Slice, StreamError> {
        let window = Window { start: self.maker.position, end };
        let number = self.commits + 1;
        let layouts = self.maker.plan.layouts.clone();
        let mut writers: Vec<TableWriter> = layouts.iter().map(|layout| self.writer(layout, number)).collect();
        let made = self.maker.make(end, cancel, &mut |table, batch| {
            writers.get_mut(table).map_or(Ok(()), |writer| writer.write(batch))?;
            Ok(())
        })?;
        let mut tables = Vec::new();
        for (layout, writer) in layouts.into_iter().zip(writers) {
            tables.push(self.table_files(layout, writer.finish()?));
        }
        tables.push(self.truth(run::incidents_layout(), &run::incident_rows(&made.begun)?, number)?);
        tables.push(self.truth(run::effects_layout(), &run::effect_rows(&made.begun)?, number)?);
        let slice = self.commit(window, number, made, tables)?;
        self.maker.refresh()?;
        Ok(slice)
    }

    fn writer(&self, layout: &TableLayout, number: u64) -> TableWriter {
        let (files, runtime) = (self.host.lake.files(), &self.host.runtime);
        let stem = file_stem(&self.id, number);
        TableWriter::new(files, runtime, layout, &self.spec().run.dataset, &stem, self.host.writer.clone())
    }

    fn truth(&self, layout: TableLayout, rows: &RecordBatch, number: u64) -> Result<TableFiles, StreamError> {
        let mut writer = self.writer(&layout, number);
        writer.write(rows)?;
        Ok(self.table_files(layout, writer.finish()?))
    }

    fn table_files(&self, layout: TableLayout, files: Vec<DataFile>) -> TableFiles {
        // Rows of a snapshot replace those of another run, never those of this stream.
        let replace = self.commits == 0 && layout.table.kind == TableKind::Snapshot;
        TableFiles { table: layout.table, files, replace }
    }

    /// One transaction: files, incidents that became known, position, states and sums.
    fn commit(
        &mut self,
        window: Window,
        number: u64,
        made: Made,
        mut tables: Vec<TableFiles>,
    ) -> Result<Slice, StreamError> {
        let first = self.commits == 0;
        if !first {
            // A table that got nothing has nothing to be said of.
            tables.retain(|table| !table.files.is_empty());
        }
        let mut totals = self.tables.clone();
        made.sums.iter().for_each(|(table, sum)| totals.entry(table.clone()).or_default().merge(sum));
        let files: BTreeMap<&str, &[DataFile]> =
            tables.iter().map(|table| (table.table.name.as_str(), table.files.as_slice())).collect();
        let unreadable =
            |error: serde_json::Error| StreamError::Record { id: self.id.clone(), message: error.to_string() };
        let at = run::now();
        let commit = StreamCommit {
            stream_id: self.id.clone(),
            number,
            window,
            committed_at: at,
            rows: made.sums.values().map(|table| table.rows).sum(),
            files: serde_json::to_value(&files).map_err(unreadable)?,
        };
        let change = Commit {
            dataset: self.spec().run.dataset.clone(),
            mode: if first { mode(self.spec().run.existing) } else { Mode::Append },
            tables,
            at,
            author: concat!("telemill ", env!("CARGO_PKG_VERSION")).to_owned(),
            message: format!("stream of {} over {window}", self.maker.plan.generator.plugin.id()),
            extra: Some(self.id.to_string()),
        };
        let (states, news) = (self.maker.states(), Known::records(&made.news, window.end)?);
        self.host.runtime.block_on(async {
            let mut tx = self.host.store.write().await?;
            if !change.tables.is_empty() {
                self.host.lake.commit(&mut tx, &change).await?;
            }
            tx.insert_stream_incidents(&self.id, &news).await?;
            tx.show_stream_incidents(&self.id, window.end).await?;
            tx.advance_stream(&commit, self.maker.planned_until, &totals, &states).await?;
            tx.commit().await?;
            Ok::<_, StreamError>(())
        })?;
        (self.commits, self.tables) = (number, totals);
        let rows = made.sums.into_iter().map(|(table, sum)| (table, sum.rows)).collect();
        Ok(Slice { commit, rows })
    }

    /// An incident by hand, from `start` or from the position on; its spec and its records are durable when this returns.
    /// Returns the incidents that it made. After an error the session is of no use.
    pub(super) fn trigger(
        &mut self,
        start: Option<Timestamp>,
        mut placed: PlacedIncident,
    ) -> Result<Vec<PlannedIncident>, StreamError> {
        let position = self.position();
        (placed.start, placed.known_from) = (start.unwrap_or(position), Some(position));
        let made = self.maker.trigger(&placed)?;
        self.maker.spec.run.incident.push(placed);
        let records = Known::records(&self.maker.take_news(), position)?;
        let value = self.spec().to_value();
        self.host.runtime.block_on(async {
            let mut tx = self.host.store.write().await?;
            tx.insert_stream_incidents(&self.id, &records).await?;
            tx.set_stream_spec(&self.id, &value).await?;
            tx.commit().await
        })?;
        Ok(made)
    }

    /// Another version of the plugin `name` takes over at the position, wherever the spec names it by nothing but its name;
    /// it is recorded when this returns. None where nothing changes. After an error the session is of no use.
    pub(super) fn swap(&mut self, name: &str, digest: Digest) -> Result<Option<Takeover>, StreamError> {
        let before = self.maker.plan.components.clone();
        let version = self.host.registry.load_digest(digest)?.id().version.clone();
        let successor = |(used, asked): (&PluginUse, &str)| match asked == name && used.name == name {
            true => PluginUse { version: version.clone(), digest, ..used.clone() },
            false => used.clone(),
        };
        let after: Vec<PluginUse> = before.iter().zip(self.spec().references()).map(successor).collect();
        if after == before {
            return Ok(None);
        }
        let afresh = self.maker.swap(&after)?;
        let at = self.position();
        let swap = StreamSwap { at, swapped_at: run::now(), before, after, afresh };
        self.host.runtime.block_on(async {
            let mut tx = self.host.store.write().await?;
            tx.insert_stream_swap(&self.id, &swap).await?;
            tx.commit().await
        })?;
        Ok(Some(Takeover { at, afresh }))
    }

    /// The stream ends by itself once its rows have come to `until`.
    pub(super) fn set_until(&mut self, until: Timestamp) -> Result<(), StreamError> {
        self.maker.spec.settings.until = Some(until);
        let value = self.spec().to_value();
        self.host.runtime.block_on(async {
            let mut tx = self.host.store.write().await?;
            tx.set_stream_spec(&self.id, &value).await?;
            tx.commit().await
        })?;
        Ok(())
    }
}

/// What the names of a commit's files begin with.
pub(super) fn file_stem(id: &StreamId, number: u64) -> String {
    format!("{id}-{number:010}")
}

fn mode(existing: Existing) -> Mode {
    match existing {
        Existing::Refuse => Mode::Create,
        Existing::Append => Mode::Append,
        Existing::Replace => Mode::Replace,
    }
}
