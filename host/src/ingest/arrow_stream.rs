//! Streams of Arrow's IPC format.

use super::IngestError;
use super::bad_rows::BadRows;
use super::columnar::{Fitting, file_columns};
use super::mapping::{FileColumn, Plan};
use super::profile::Reading;
use super::source::Source;
use crate::batch::TableLayout;
use crate::core::problem::Problem;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::record_batch::RecordBatch;
use std::collections::BTreeSet;
use std::io::BufRead;

/// The columns of a stream, for a new table.
pub(super) fn columns(source: &Source, reading: &Reading) -> Result<Vec<FileColumn>, IngestError> {
    let stream = open(source)?;
    let schema = stream.schema();
    let mut with_nulls = BTreeSet::new();
    for batch in stream {
        source.unless_stopped()?;
        let batch = batch.map_err(|error| broken(source, &error))?;
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            if column.logical_null_count() > 0 {
                with_nulls.insert(field.name().clone());
            }
        }
    }
    let columns = file_columns(&schema, reading, |field| !with_nulls.contains(field.name()));
    columns.map_err(|problems| source.bad(problems))
}

/// Reads all rows of `source` as batches of `layout`.
pub(super) fn read(
    source: &Source,
    layout: &TableLayout,
    plan: &Plan,
    bad: &mut BadRows,
    emit: &mut dyn FnMut(RecordBatch) -> Result<(), IngestError>,
) -> Result<(), IngestError> {
    let stream = open(source)?;
    let mut fitting = Fitting::new(&stream.schema(), layout, plan).map_err(|problems| source.bad(problems))?;
    for batch in stream {
        source.unless_stopped()?;
        fitting.batch(&batch.map_err(|error| broken(source, &error))?, bad, emit)?;
    }
    Ok(())
}

fn open(source: &Source) -> Result<StreamReader<Box<dyn BufRead>>, IngestError> {
    StreamReader::try_new(source.open()?, None).map_err(|error| broken(source, &error))
}

fn broken(source: &Source, error: &ArrowError) -> IngestError {
    source.bad(vec![Problem::new("", format!("it is no sound stream of Arrow's IPC format: {error}"))])
}
