//! Snapshot tables that a run adds to: its rows replace those with the same key, and what has another key stays. A file is never
//! changed, so the rows that stay are written again, into files of their own.

use super::error::RunError;
use super::execute::Host;
use crate::batch::TableLayout;
use crate::core::id::RunId;
use crate::core::schema::Table;
use crate::lake::{DataFile, LakeError, TableWriter, clashes};
use crate::query::{Engine, Scan};
use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use std::collections::HashSet;

/// Most rows that a run may bring to a snapshot table of a dataset that has rows: their keys are held in memory.
const MAX_ROWS: u64 = 5_000_000;

/// Files with the rows of `dataset` whose keys are not among those of `new`, the run's files of `table`. To be called by whoever
/// keeps others from committing meanwhile; none come of a table without a key, or that is not there yet.
pub(super) fn kept(
    host: &Host,
    dataset: &str,
    id: &RunId,
    table: &Table,
    new: &[DataFile],
) -> Result<Vec<DataFile>, RunError> {
    let old = match host.runtime.block_on(host.lake.dataset(dataset, None)) {
        Ok(found) => found.table(&table.name).filter(|old| old.rows > 0).map(|old| old.table.clone()),
        Err(LakeError::NoDataset { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let Some(old) = old.filter(|_| !table.primary_key.is_empty()) else { return Ok(Vec::new()) };
    let problems = clashes(&old, table);
    if !problems.is_empty() {
        let (dataset, table) = (dataset.to_owned(), table.name.clone());
        return Err(LakeError::SchemaChanged { dataset, table, problems }.into());
    }
    let rows: u64 = new.iter().map(|file| file.rows).sum();
    if rows > MAX_ROWS {
        let (dataset, table) = (dataset.to_owned(), table.name.clone());
        return Err(RunError::LargeSnapshot { dataset, table, rows, most: MAX_ROWS });
    }
    // Rows that are in no file yet stay where they are.
    let (limits, spill) = (host.query.clone(), host.spill_dir.clone());
    let engine = host.runtime.block_on(Engine::open(&host.lake, None, limits, spill))?;
    let layout = TableLayout::new(old);
    let places = |layout: &TableLayout| {
        let places = table.primary_key.iter().filter_map(|key| layout.table.field_index(key));
        places.collect::<Vec<usize>>()
    };
    let brought = TableLayout::new(table.clone());
    let keys = Keys::of(&brought, &places(&brought))?;
    let mut known = HashSet::new();
    let columns = places(&brought);
    let all: Vec<usize> = (0..columns.len()).collect();
    let read = host.runtime.block_on(async { engine.scan_files(&brought, new, &columns) })?;
    for batch in read.blocking(host.runtime.clone()) {
        keys.each(&batch?, &all, &mut |key| {
            known.insert(key.to_vec());
        })?;
    }
    let stem = format!("kept-{id}");
    let mut writer = TableWriter::new(host.lake.files(), &host.runtime, &layout, dataset, &stem, host.writer.clone());
    let columns = places(&layout);
    let there = host.runtime.block_on(engine.scan(&Scan::new(dataset, &table.name)))?;
    for batch in there.blocking(host.runtime.clone()) {
        let batch = batch?;
        let mut stays = Vec::with_capacity(batch.num_rows());
        keys.each(&batch, &columns, &mut |key| stays.push(!known.contains(key)))?;
        writer.write(&filter_record_batch(&batch, &BooleanArray::from(stays))?)?;
    }
    Ok(writer.finish()?)
}

/// Keys of rows as bytes that can be compared.
struct Keys(RowConverter);

impl Keys {
    fn of(layout: &TableLayout, places: &[usize]) -> Result<Self, ArrowError> {
        let fields = layout.schema.project(places)?;
        let sorts = fields.fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
        Ok(Self(RowConverter::new(sorts)?))
    }

    /// Calls `see` with the key of each row, whose columns are at `places`.
    fn each(&self, batch: &RecordBatch, places: &[usize], see: &mut dyn FnMut(&[u8])) -> Result<(), ArrowError> {
        let key = batch.project(places)?;
        self.0.convert_columns(key.columns())?.iter().for_each(|row| see(row.as_ref()));
        Ok(())
    }
}
