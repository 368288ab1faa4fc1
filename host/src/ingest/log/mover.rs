//! The one thread that moves rows from the log into the lake.

use super::frame::TableRef;
use super::image::{Cut, Image};
use super::{LogError, LogHost, LogSettings, writer};
use crate::batch::TableLayout;
use crate::core::schema::Table;
use crate::core::time::Timestamp;
use crate::lake::{Commit, DataFile, LakeTable, Mode, TableFiles, TableWriter};
use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender};
use std::time::{Duration, Instant};

/// Who moves rows, in the catalog.
const AUTHOR: &str = "telemill ingest";
/// How long to wait after a move that failed: the rows are safe where they are.
const RETRY: Duration = Duration::from_secs(5);
/// How long to wait where there is nothing to move: rows that come wake the thread.
const IDLE: Duration = Duration::from_secs(60);
/// Microseconds of an hour.
const HOUR_US: i64 = 3_600_000_000;

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Message {
    /// There are more rows than before.
    Grown,
    /// There are too many rows: move what there is.
    Enough,
    /// Move what there is, and say when it is done.
    Now(Sender<Result<(), LogError>>),
    Stop,
}

pub(super) struct Mover {
    host: LogHost,
    image: Arc<Image>,
    settings: LogSettings,
    writer: SyncSender<writer::Message>,
}

/// Rows of a table that was there when they were written to files.
struct Moved {
    table: TableRef,
    declared: Table,
    files: Vec<DataFile>,
}

impl Mover {
    pub(super) fn new(
        host: &LogHost,
        image: &Arc<Image>,
        settings: &LogSettings,
        writer: SyncSender<writer::Message>,
    ) -> Self {
        Self { host: host.clone(), image: Arc::clone(image), settings: settings.clone(), writer }
    }

    /// Moves until it is stopped.
    pub(super) fn run(self, messages: &Receiver<Message>) {
        let longest = Duration::from_secs(self.settings.move_after_s);
        let mut not_before = Instant::now();
        loop {
            // Rows age from the first that is here; after a failure they wait a little longer.
            let due = self.image.since().map(|since| (since + longest).max(not_before));
            let wait = due.map_or(IDLE, |due| due.saturating_duration_since(Instant::now()));
            let now = |due: Instant| due <= Instant::now();
            let (enough, answer) = match messages.recv_timeout(wait) {
                // Also where messages come without a pause, rows are moved in time.
                Ok(Message::Grown) => (self.image.bytes() >= self.settings.move_bytes || due.is_some_and(now), None),
                Ok(Message::Enough) => (true, None),
                Ok(Message::Now(answer)) => (true, Some(answer)),
                Err(RecvTimeoutError::Timeout) => (due.is_some(), None),
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            };
            if !enough || (answer.is_none() && !now(not_before)) {
                continue;
            }
            let moved = self.move_all();
            if let Err(error) = &moved {
                tracing::warn!(
                    error = error as &dyn std::error::Error,
                    "rows stay in the log, for they can't be moved into the lake"
                );
                not_before = Instant::now() + RETRY;
            }
            if let Some(answer) = answer {
                answer.send(moved).ok();
            }
        }
    }

    fn move_all(&self) -> Result<(), LogError> {
        let cut = self.image.freeze();
        if cut.tables.is_empty() {
            return Ok(());
        }
        let moved = self.write(&cut)?;
        self.host.runtime.block_on(self.commit(&cut, moved))?;
        self.image.forget(cut.position);
        self.writer.send(writer::Message::Moved(cut.position)).ok();
        Ok(())
    }

    /// Writes the rows into files that nobody sees yet.
    fn write(&self, cut: &Cut) -> Result<Vec<Moved>, LogError> {
        let mut datasets: BTreeMap<&str, Vec<LakeTable>> = BTreeMap::new();
        let mut moved = Vec::new();
        for (table, batches) in &cut.tables {
            let known = match datasets.get(&*table.dataset) {
                Some(known) => known,
                None => {
                    let known = self.host.runtime.block_on(self.host.lake.declared(&table.dataset))?;
                    datasets.entry(&table.dataset).or_insert(known)
                }
            };
            let Some(declared) = live(known, table) else {
                tracing::info!(dataset = %table.dataset, table = %table.table, "rows of a table that was dropped go with it");
                continue;
            };
            let layout = TableLayout::new(declared.clone());
            // The position makes it unique: nothing is moved twice, and what was never committed is replaced.
            let stem = format!("log-{:020}", cut.position);
            let mut files = TableWriter::new(
                self.host.lake.files(),
                &self.host.runtime,
                &layout,
                &table.dataset,
                &stem,
                self.host.writer.clone(),
            );
            for batch in alike(&layout, batches)? {
                files.write(&batch)?;
            }
            moved.push(Moved { table: table.clone(), declared: layout.table, files: files.finish()? });
        }
        Ok(moved)
    }

    /// Makes files, position and keys visible together.
    async fn commit(&self, cut: &Cut, moved: Vec<Moved>) -> Result<(), LogError> {
        let at = (self.host.clock)();
        let mut tx = self.host.lake.store().write().await?;
        let mut datasets: BTreeMap<Arc<str>, Vec<Moved>> = BTreeMap::new();
        for moved in moved {
            datasets.entry(Arc::clone(&moved.table.dataset)).or_default().push(moved);
        }
        for (dataset, moved) in datasets {
            // A table that was dropped since must not come back with these rows.
            let known = self.host.lake.declared_in(&mut tx, &dataset).await?;
            let moved: Vec<_> = moved.into_iter().filter(|moved| live(&known, &moved.table).is_some()).collect();
            if moved.is_empty() {
                continue;
            }
            let rows: u64 = moved.iter().flat_map(|moved| &moved.files).map(|file| file.rows).sum();
            let tables =
                moved.into_iter().map(|moved| TableFiles { table: moved.declared, files: moved.files, replace: false });
            let commit = Commit {
                dataset: dataset.to_string(),
                mode: Mode::Append,
                tables: tables.collect(),
                at,
                author: AUTHOR.to_owned(),
                message: format!("moved {rows} acknowledged rows"),
                extra: None,
            };
            self.host.lake.commit(&mut tx, &commit).await?;
        }
        let remembered = i64::try_from(self.settings.key_hours).unwrap_or(i64::MAX).saturating_mul(HOUR_US);
        tx.insert_moved_keys(&cut.keys, Timestamp(at.0.saturating_sub(remembered))).await?;
        tx.set_moved_position(cut.position).await?;
        Ok(tx.commit().await?)
    }
}

/// What `table` is declared as, where it is still the table that rows were taken for.
fn live<'a>(known: &'a [LakeTable], table: &TableRef) -> Option<&'a Table> {
    known.iter().find(|known| known.id == table.id && known.table.name == *table.table).map(|known| &known.table)
}

/// The batches with all columns of the table; a text column is a dictionary in all of them or in none, as one writer wants it.
fn alike(layout: &TableLayout, batches: &[RecordBatch]) -> Result<Vec<RecordBatch>, ArrowError> {
    let wide = batches.iter().map(|batch| layout.widen(batch)).collect::<Result<Vec<_>, _>>()?;
    let is_dictionary = |batch: &RecordBatch, column: usize| {
        batch.columns().get(column).is_some_and(|column| matches!(column.data_type(), DataType::Dictionary(_, _)))
    };
    let mixed = |column: usize| {
        let mut forms = wide.iter().map(|batch| is_dictionary(batch, column));
        let first = forms.next();
        forms.any(|form| Some(form) != first)
    };
    let mixed: Vec<bool> = (0..layout.schema.fields().len()).map(mixed).collect();
    if !mixed.contains(&true) {
        return Ok(wide);
    }
    wide.iter()
        .map(|batch| {
            let columns = batch.columns().iter().zip(layout.schema.fields()).zip(&mixed);
            let columns = columns.map(
                |((column, field), mixed)| {
                    if *mixed { cast(column, field.data_type()) } else { Ok(Arc::clone(column)) }
                },
            );
            RecordBatch::try_from_iter_with_nullable(
                layout
                    .schema
                    .fields()
                    .iter()
                    .zip(columns.collect::<Result<Vec<_>, _>>()?)
                    .map(|(field, column)| (field.name(), column, field.is_nullable())),
            )
        })
        .collect()
}
