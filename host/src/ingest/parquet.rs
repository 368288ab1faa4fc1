//! The way of Parquet files: batches with other types are taken in where nothing is lost but what is finer than a
//! microsecond.

use super::IngestError;
use super::bad_rows::BadRows;
use super::mapping::{FileColumn, Plan};
use super::profile::{Column, Meant, Reading};
use super::source::Source;
use crate::batch::{TableLayout, logical_type};
use crate::core::problem::Problem;
use crate::core::schema::{DataType, Field};
use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use ::parquet::errors::ParquetError;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Date32Array, TimestampMicrosecondArray, new_null_array};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::fs::File;
use std::sync::Arc;

/// Rows of a batch.
const BATCH_ROWS: usize = 16_384;

/// The columns of a file, for a new table.
pub(super) fn columns(source: &Source, reading: &Reading) -> Result<Vec<FileColumn>, IngestError> {
    let builder = open(source)?;
    let (mut columns, mut problems) = (Vec::new(), Vec::new());
    for field in builder.schema().fields() {
        match meant_type(field, reading) {
            Some(data_type) => columns.push(FileColumn {
                name: field.name().clone(),
                data_type,
                complete: !field.is_nullable() || has_no_nulls(&builder, field),
                nullable: field.is_nullable(),
            }),
            None => problems.push(no_column(field)),
        }
    }
    if problems.is_empty() { Ok(columns) } else { Err(source.bad(problems)) }
}

/// Reads all rows of `source` as batches of `layout`.
pub(super) fn read(
    source: &Source,
    layout: &TableLayout,
    plan: &Plan,
    emit: &mut dyn FnMut(RecordBatch) -> Result<(), IngestError>,
) -> Result<(), IngestError> {
    let builder = open(source)?;
    let schema = Arc::clone(builder.schema());
    let cells = plan.cells(schema.fields().iter().map(|field| field.name().as_str()));
    let cells = cells.map_err(|problems| source.bad(problems))?;
    let given = |cell: &Option<usize>| cell.and_then(|cell| schema.fields().get(cell));
    let unfit = layout.table.fields.iter().zip(&cells).filter_map(|(field, cell)| {
        let given = given(cell)?;
        unfit(field, given, meant_type(given, &plan.reading))
    });
    let unfit: Vec<_> = unfit.collect();
    if !unfit.is_empty() {
        return Err(source.bad(unfit));
    }
    let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(|error| broken(source, &error))?;
    let (mut bad, mut rows) = (BadRows::default(), 0);
    for batch in reader {
        let batch = batch.map_err(|error| broken(source, &ParquetError::from(error)))?;
        let fields = layout.table.fields.iter().zip(layout.schema.fields()).zip(&cells);
        let columns = fields.map(|((field, arrow), cell)| match cell.and_then(|cell| batch.columns().get(cell)) {
            Some(column) => {
                let said = given(cell).and_then(|given| plan.reading.column(given.name()));
                match said.and_then(|said| said.data_type().map(|data_type| (said, data_type))) {
                    Some((said, data_type)) if is_text(column.data_type()) => {
                        let meant = meant(column, said, data_type, rows, &mut bad)?;
                        fit(&meant, field, arrow, rows, &mut bad)
                    }
                    _ => fit(column, field, arrow, rows, &mut bad),
                }
            }
            None => Ok(new_null_array(arrow.data_type(), batch.num_rows())),
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        rows += batch.num_rows() as u64;
        if bad.is_empty() {
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            emit(RecordBatch::try_new_with_options(Arc::clone(&layout.schema), columns, &options)?)?;
        }
    }
    bad.check(source.name())
}

fn open(source: &Source) -> Result<ParquetRecordBatchReaderBuilder<File>, IngestError> {
    let file = source.open_file()?;
    let metadata = ArrowReaderMetadata::load(&file, Default::default()).map_err(|error| broken(source, &error))?;
    Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata))
}

fn broken(source: &Source, error: &ParquetError) -> IngestError {
    source.bad(vec![Problem::new("", format!("it is no sound Parquet file: {error}"))])
}

/// Whether the file's statistics say that every row has a value.
fn has_no_nulls(builder: &ParquetRecordBatchReaderBuilder<File>, field: &ArrowField) -> bool {
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

fn no_column(field: &ArrowField) -> Problem {
    let message = format!("has the type {}, for which there is no column; cast it first", field.data_type());
    Problem::new(field.name(), message)
}

/// The type of a column's values: what a profile says of text, else the file's own.
fn meant_type(given: &ArrowField, reading: &Reading) -> Option<DataType> {
    let said = reading.column(given.name()).and_then(|column| column.data_type());
    said.filter(|_| is_text(given.data_type())).or_else(|| logical_type(given.data_type()))
}

fn is_text(given: &ArrowType) -> bool {
    logical_type(given) == Some(DataType::Utf8)
}

/// What the texts of `column` mean by what a profile says of it; those that are not in its form are bad rows.
fn meant(
    column: &ArrayRef,
    said: &Column,
    data_type: DataType,
    rows_before: u64,
    bad: &mut BadRows,
) -> Result<ArrayRef, ArrowError> {
    let text = cast(column, &ArrowType::Utf8)?;
    let mut values = Vec::with_capacity(text.len());
    for (row, text) in text.as_string::<i32>().iter().enumerate() {
        values.push(text.map_or(Ok(None), |text| said.meant(text)).unwrap_or_else(|message| {
            bad.add(format!("row {}", rows_before + row as u64 + 1), &message);
            None
        }));
    }
    let values = values.into_iter();
    Ok(match data_type {
        DataType::Boolean => {
            let values = values.map(|value| if let Some(Meant::Boolean(value)) = value { Some(value) } else { None });
            Arc::new(values.collect::<BooleanArray>())
        }
        DataType::Date => {
            let values = values.map(|value| if let Some(Meant::Date(value)) = value { Some(value) } else { None });
            Arc::new(values.collect::<Date32Array>())
        }
        _ => {
            let values = values.map(|value| if let Some(Meant::Time(value)) = value { Some(value) } else { None });
            Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
    })
}

fn unfit(field: &Field, given: &ArrowField, own: Option<DataType>) -> Option<Problem> {
    let Some(own) = own else { return Some(no_column(given)) };
    let fits = own == field.data_type
        || matches!(
            (own, field.data_type),
            (DataType::Int32, DataType::Int64 | DataType::Float64)
                | (DataType::Int64, DataType::Int32)
                | (DataType::Float32, DataType::Float64)
        );
    let message = || format!("has the type {}, which does not go into {:?}", given.data_type(), field.data_type);
    (!fits).then(|| Problem::new(given.name(), message()))
}

/// `column` in the type of the table; values that it can't hold and nulls that it may not hold are bad rows.
fn fit(
    column: &ArrayRef,
    field: &Field,
    arrow: &ArrowField,
    rows_before: u64,
    bad: &mut BadRows,
) -> Result<ArrayRef, ArrowError> {
    let options = CastOptions { safe: true, ..CastOptions::default() };
    let fitted = if column.data_type() == arrow.data_type() {
        Arc::clone(column)
    } else {
        cast_with_options(column, arrow.data_type(), &options)?
    };
    let (before, after) = (column.logical_nulls(), fitted.logical_nulls());
    let Some(after) = after.filter(|nulls| nulls.null_count() > 0) else { return Ok(fitted) };
    for row in (0..fitted.len()).filter(|row| after.is_null(*row)) {
        let was_null = before.as_ref().is_some_and(|nulls| nulls.is_null(row));
        let place = || format!("row {}", rows_before + row as u64 + 1);
        if !was_null {
            bad.add(place(), &format!("column {}: the value is too large for {:?}", field.name, field.data_type));
        } else if !field.nullable {
            bad.add(place(), &format!("column {}: a value is missing", field.name));
        }
    }
    Ok(fitted)
}
