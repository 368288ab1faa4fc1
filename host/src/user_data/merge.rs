//! Users' samples into one table to train on, and that table as a file.

use super::import::commit;
use super::stats::{known_files, scan, text_at};
use super::{SAMPLES, TRAINING, UserDataError, origin_fields, sample_fields, table};
use crate::batch::TableLayout;
use crate::core::time::Timestamp;
use crate::lake::{TableFiles, TableWriter};
use crate::query::Scan;
use crate::run::{Host, random};
use crate::sink::csv::CsvEncoder;
use crate::sink::{self, Columns};
use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// What a merge did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Merged {
    /// Files whose samples were added.
    pub merged_files: u64,
    /// Samples that were added.
    pub merged_samples: u64,
    /// Samples to train on, all in all.
    pub training_samples: u64,
}

/// Adds the samples of files that were not merged before to the table to train on. A second merge adds nothing. To be called on a
/// thread that runs no async tasks.
///
/// # Errors
/// The lake can't be read or written; it is as it was then.
pub fn merge(host: &Host, dataset: &str, at: Timestamp) -> Result<Merged, UserDataError> {
    merge_some(host, dataset, None, at)
}

/// The same as [`merge`], for the samples of one file.
///
/// # Errors
/// As [`merge`].
pub fn merge_file(host: &Host, dataset: &str, file: &str, at: Timestamp) -> Result<Merged, UserDataError> {
    merge_some(host, dataset, Some(file), at)
}

fn merge_some(host: &Host, dataset: &str, only: Option<&str>, at: Timestamp) -> Result<Merged, UserDataError> {
    /// Two merges at once would find the same files fresh.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let done = known_files(host, dataset, TRAINING)?;
    let mut fresh = known_files(host, dataset, SAMPLES)?;
    fresh.retain(|file, _| !done.contains_key(file) && only.is_none_or(|only| only == file));
    let mut merged = Merged { merged_files: fresh.len() as u64, ..Merged::default() };
    let layout = TableLayout::new(table(TRAINING));
    if !fresh.is_empty() {
        let stem = format!("merge-{:016x}-{:016x}", at.0, random());
        let mut writer =
            TableWriter::new(host.lake.files(), &host.runtime, &layout, dataset, &stem, host.writer.clone());
        let file_column = layout.table.fields.iter().position(|field| field.name == "file").unwrap_or_default();
        if let Some(rows) = scan(host, dataset, SAMPLES, &[])? {
            for batch in rows.blocking(host.runtime.clone()) {
                let batch = batch?;
                let file = |row| text_at(batch.column(file_column), row);
                let fresh = |row| Some(file(row).is_some_and(|file| fresh.contains_key(file)));
                let wanted: BooleanArray = (0..batch.num_rows()).map(fresh).collect();
                writer.write(&layout.conform(&filter_record_batch(&batch, &wanted)?)?)?;
            }
        }
        merged.merged_samples = writer.rows();
        let tables = vec![TableFiles { table: layout.table, files: writer.finish()?, replace: false }];
        commit(host, dataset, tables, at, format!("merged {} users' files", merged.merged_files))?;
    }
    let lake = host.runtime.block_on(host.lake.dataset(dataset, None));
    merged.training_samples = lake.ok().and_then(|lake| lake.table(TRAINING).map(|table| table.rows)).unwrap_or(0);
    Ok(merged)
}

/// Writes the table to train on as CSV with the columns of a user's file, by user, file and time. The file has its name when it
/// is complete. Returns its rows.
///
/// # Errors
/// Nothing was merged yet, or the file can't be written.
pub fn write_csv(host: &Host, dataset: &str, path: &Path) -> Result<u64, UserDataError> {
    let rows = host.runtime.block_on(host.query_engine(None)?.scan(&training_scan(dataset)))?;
    let schema = Arc::clone(&rows.schema);
    write_rows(&schema, &mut rows.blocking(host.runtime.clone()).map(|batch| Ok(batch?)), path)
}

/// The rows to train on, in the order of their file.
pub fn training_scan(dataset: &str) -> Scan {
    Scan { order_by: ["user_id", "file", "timestamp"].map(str::to_owned).to_vec(), ..Scan::new(dataset, TRAINING) }
}

/// The same as [`write_csv`], of rows from anywhere.
///
/// # Errors
/// The rows can't be had, or the file can't be written.
pub fn write_rows(
    schema: &Schema,
    rows: &mut dyn Iterator<Item = Result<RecordBatch, UserDataError>>,
    path: &Path,
) -> Result<u64, UserDataError> {
    let io = |source| UserDataError::Io { path: path.to_owned(), source };
    let mut names: Vec<String> = sample_fields().into_iter().map(|field| field.name).collect();
    names.extend(origin_fields().into_iter().map(|field| field.name));
    let mut encoder = CsvEncoder::new(Columns::select(schema, &names)?);
    sink::write_whole(path, io, |out| sink::write_batches(&mut encoder, rows, out, io))
}
