//! The table that a recipe leaves: the source's declaration as far as it still holds.

use super::CleanError;
use super::tally::Tally;
use crate::batch::{TableLayout, logical_type};
use crate::core::id;
use crate::core::schema::{DataType, Field, MAX_FIELDS, Table};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{Field as ArrowField, Schema};
use arrow::error::ArrowError;
use std::sync::Arc;

/// The layout of rows with the columns of `schema` that came of `source`. A column that keeps name and type keeps unit
/// and summary; the time field and the key stay where their columns still can be that.
///
/// # Errors
/// A name or a type that no column can have.
pub(super) fn layout(source: &Table, schema: &Schema, tally: &Tally) -> Result<TableLayout, CleanError> {
    let count = schema.fields().len();
    if count == 0 || count > MAX_FIELDS {
        return Err(CleanError::Recipe(format!("{count} columns are left; 1 to {MAX_FIELDS} are allowed")));
    }
    let time = source.time_field.as_deref();
    let fields = schema.fields().iter().map(|column| field(source, column, time, tally));
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    let usable = |name: &&str| {
        fields.iter().any(|field| field.name == **name && field.data_type == DataType::Timestamp && !field.nullable)
    };
    let time_field = time.filter(usable).map(str::to_owned);
    let whole = source.primary_key.iter().all(|key| fields.iter().any(|field| field.name == *key));
    let primary_key = if whole { source.primary_key.clone() } else { Vec::new() };
    Ok(TableLayout::new(Table { fields, time_field, primary_key, ..source.clone() }))
}

fn field(source: &Table, column: &ArrowField, time: Option<&str>, tally: &Tally) -> Result<Field, CleanError> {
    let name = column.name();
    id::check_identifier("column", name)?;
    let data_type = logical_type(column.data_type()).ok_or_else(|| {
        CleanError::Recipe(format!("the last step leaves {name} as {}: cast it first", column.data_type()))
    })?;
    // A query that touches the time field makes it one that may lack values, whether it does or not.
    let nullable = if time == Some(name) { tally.missing(name) > 0 } else { column.is_nullable() };
    let known = source.fields.iter().find(|field| field.name == *name && field.data_type == data_type);
    Ok(match known {
        Some(known) => Field { nullable, ..known.clone() },
        None => Field {
            name: name.clone(),
            data_type,
            nullable,
            unit: None,
            summary: String::new(),
            attributes: Vec::new(),
        },
    })
}

/// `batch` with the types of `layout`.
///
/// # Errors
/// A value that its column can't hold.
pub(super) fn conform(layout: &TableLayout, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let cast = |(column, field): (&ArrayRef, &Arc<ArrowField>)| cast_with_options(column, field.data_type(), &options);
    let columns = batch.columns().iter().zip(layout.schema.fields()).map(cast).collect::<Result<Vec<_>, _>>()?;
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(&layout.schema), columns, &rows)
}
