//! The way of formats that hold columns: batches with other types are taken in where nothing is lost but what is finer than a
//! microsecond.

use super::bad_rows::BadRows;
use super::mapping::{FileColumn, Plan};
use super::profile::{Column, Meant, Reading};
use super::{Emit, IngestError};
use crate::batch::{TableLayout, logical_type};
use crate::core::problem::Problem;
use crate::core::schema::{DataType, Field};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Date32Array, TimestampMicrosecondArray, new_null_array};
use arrow::compute::{CastOptions, cast, cast_with_options, filter};
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::sync::Arc;

/// The columns of a file of `schema`, for a new table; `has_no_nulls` knows more of a column than that it is nullable.
pub(super) fn file_columns(
    schema: &SchemaRef,
    reading: &Reading,
    has_no_nulls: impl Fn(&ArrowField) -> bool,
) -> Result<Vec<FileColumn>, Vec<Problem>> {
    let (mut columns, mut problems) = (Vec::new(), Vec::new());
    for field in schema.fields() {
        match meant_type(field, reading) {
            Some(data_type) => columns.push(FileColumn {
                name: field.name().clone(),
                data_type,
                complete: !field.is_nullable() || has_no_nulls(field),
                nullable: field.is_nullable(),
            }),
            None => problems.push(no_column(field)),
        }
    }
    if problems.is_empty() { Ok(columns) } else { Err(problems) }
}

/// Turns batches of a file into those of a table.
pub(super) struct Fitting<'a> {
    schema: SchemaRef,
    layout: &'a TableLayout,
    plan: &'a Plan,
    /// For each field of the table, the column of the file.
    cells: Vec<Option<usize>>,
    rows: u64,
}

/// Rows of a batch that can't be taken.
struct Bad<'a> {
    all: &'a mut BadRows,
    /// Rows before the batch.
    before: u64,
    keep: Vec<bool>,
}

impl<'a> Fitting<'a> {
    /// For batches of `schema`.
    ///
    /// # Errors
    /// Columns that do not fit the table.
    pub(super) fn new(schema: &SchemaRef, layout: &'a TableLayout, plan: &'a Plan) -> Result<Self, Vec<Problem>> {
        let cells = plan.cells(schema.fields().iter().map(|field| field.name().as_str()))?;
        let this = Self { schema: Arc::clone(schema), layout, plan, cells, rows: 0 };
        let unfit = layout.table.fields.iter().zip(&this.cells).filter_map(|(field, cell)| {
            let given = this.given(*cell)?;
            unfit(field, given, meant_type(given, &plan.reading))
        });
        let unfit: Vec<_> = unfit.collect();
        if unfit.is_empty() { Ok(this) } else { Err(unfit) }
    }

    fn given(&self, cell: Option<usize>) -> Option<&ArrowField> {
        cell.and_then(|cell| self.schema.fields().get(cell)).map(AsRef::as_ref)
    }

    /// Hands on the rows of `batch`, where all rows so far were good or bad ones are tolerated.
    pub(super) fn batch(
        &mut self,
        batch: &RecordBatch,
        all: &mut BadRows,
        emit: &mut Emit<'_>,
    ) -> Result<(), IngestError> {
        let rows = batch.num_rows();
        let mut bad = Bad { all, before: self.rows, keep: vec![true; rows] };
        self.rows += rows as u64;
        let mut columns = Vec::with_capacity(self.cells.len());
        for ((field, arrow), cell) in self.layout.table.fields.iter().zip(self.layout.schema.fields()).zip(&self.cells)
        {
            columns.push(match cell.and_then(|cell| batch.columns().get(cell)) {
                Some(column) => self.column(column, *cell, field, arrow, &mut bad)?,
                None => new_null_array(arrow.data_type(), rows),
            });
        }
        let Bad { all, keep, .. } = bad;
        if all.stop() {
            return Ok(());
        }
        let kept = keep.iter().filter(|keep| **keep).count();
        if kept < rows {
            let keep = BooleanArray::from(keep);
            columns = columns.iter().map(|column| filter(column, &keep)).collect::<Result<_, _>>()?;
        }
        let options = RecordBatchOptions::new().with_row_count(Some(kept));
        emit(RecordBatch::try_new_with_options(Arc::clone(&self.layout.schema), columns, &options)?, &[])
    }

    fn column(
        &self,
        column: &ArrayRef,
        cell: Option<usize>,
        field: &Field,
        arrow: &ArrowField,
        bad: &mut Bad<'_>,
    ) -> Result<ArrayRef, ArrowError> {
        let said = self.given(cell).and_then(|given| self.plan.reading.column(given.name()));
        match said.and_then(|said| said.data_type().map(|data_type| (said, data_type))) {
            Some((said, data_type)) if is_text(column.data_type()) => {
                fit(&meant(column, said, data_type, bad)?, field, arrow, bad)
            }
            _ => fit(column, field, arrow, bad),
        }
    }
}

impl Bad<'_> {
    fn add(&mut self, row: usize, message: &str) {
        if let Some(keep) = self.keep.get_mut(row).filter(|keep| **keep) {
            *keep = false;
            self.all.add(format!("row {}", self.before + row as u64 + 1), message);
        }
    }
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
fn meant(column: &ArrayRef, said: &Column, data_type: DataType, bad: &mut Bad<'_>) -> Result<ArrayRef, ArrowError> {
    let text = cast(column, &ArrowType::Utf8)?;
    let mut values = Vec::with_capacity(text.len());
    for (row, text) in text.as_string::<i32>().iter().enumerate() {
        values.push(text.map_or(Ok(None), |text| said.meant(text)).unwrap_or_else(|message| {
            bad.add(row, &message);
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
fn fit(column: &ArrayRef, field: &Field, arrow: &ArrowField, bad: &mut Bad<'_>) -> Result<ArrayRef, ArrowError> {
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
        if !was_null {
            bad.add(row, &format!("column {}: the value is too large for {:?}", field.name, field.data_type));
        } else if !field.nullable {
            bad.add(row, &format!("column {}: a value is missing", field.name));
        }
    }
    Ok(fitted)
}
