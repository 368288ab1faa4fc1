//! Parquet files and bodies.

use super::bad_rows::BadRows;
use super::columnar::{Fitting, file_columns};
use super::mapping::{FileColumn, Plan};
use super::profile::Reading;
use super::source::{Chunks, Source};
use super::{Emit, IngestError};
use crate::batch::TableLayout;
use crate::core::problem::Problem;
use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use ::parquet::errors::ParquetError;
use arrow::datatypes::Field as ArrowField;

/// Rows of a batch.
const BATCH_ROWS: usize = 16_384;

/// The columns of a file, for a new table.
pub(super) fn columns(source: &Source, reading: &Reading) -> Result<Vec<FileColumn>, IngestError> {
    let builder = open(source)?;
    let columns = file_columns(builder.schema(), reading, |field| has_no_nulls(&builder, field));
    columns.map_err(|problems| source.bad(problems))
}

/// Reads all rows of `source` as batches of `layout`.
pub(super) fn read(
    source: &Source,
    layout: &TableLayout,
    plan: &Plan,
    bad: &mut BadRows,
    emit: &mut Emit<'_>,
) -> Result<(), IngestError> {
    let builder = open(source)?;
    let mut fitting = Fitting::new(builder.schema(), layout, plan).map_err(|problems| source.bad(problems))?;
    let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(|error| broken(source, &error))?;
    for batch in reader {
        source.unless_stopped()?;
        let batch = batch.map_err(|error| broken(source, &ParquetError::from(error)))?;
        fitting.batch(&batch, bad, emit)?;
    }
    Ok(())
}

fn open(source: &Source) -> Result<ParquetRecordBatchReaderBuilder<Chunks>, IngestError> {
    let chunks = source.chunks()?;
    let metadata = ArrowReaderMetadata::load(&chunks, Default::default()).map_err(|error| broken(source, &error))?;
    Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, metadata))
}

fn broken(source: &Source, error: &ParquetError) -> IngestError {
    source.bad(vec![Problem::new("", format!("it is no sound Parquet file: {error}"))])
}

/// Whether the file's statistics say that every row has a value.
fn has_no_nulls(builder: &ParquetRecordBatchReaderBuilder<Chunks>, field: &ArrowField) -> bool {
    let metadata = builder.metadata();
    let Some(index) =
        builder.parquet_schema().columns().iter().position(|column| column.path().string() == *field.name())
    else {
        return false;
    };
    let nulls = metadata.row_groups().iter().map(|group| {
        group
            .columns()
            .get(index)
            .and_then(|column| column.statistics())
            .and_then(|statistics| statistics.null_count_opt())
    });
    nulls.into_iter().all(|nulls| nulls == Some(0))
}
