//! A table of the contract as an Arrow schema.

use crate::core::schema::{DataType, Field, Table};
use arrow::array::{RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use std::collections::HashMap;
use std::sync::Arc;

/// The key under which Parquet keeps a column's id, which is also its column id in the catalog.
const FIELD_ID: &str = "PARQUET:field_id";

/// A declared table and the Arrow schema that its rows have everywhere in the host.
///
/// Text columns are `Utf8` in the schema; batches of one table all have exactly this schema.
#[derive(Debug, Clone)]
pub struct TableLayout {
    /// The declaration.
    pub table: Table,
    /// Its Arrow schema; column i has the Parquet field id i + 1.
    pub schema: SchemaRef,
}

impl TableLayout {
    /// The layout of `table`.
    pub fn new(table: Table) -> Self {
        let fields = table.fields.iter().enumerate().map(|(index, field)| arrow_field(field, index + 1));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Self { table, schema }
    }

    /// A batch of this table with exactly the layout's types: dictionaries become text.
    ///
    /// # Errors
    /// A column that can't be turned into the layout's type.
    pub fn conform(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        if batch.schema_ref() == &self.schema {
            return Ok(batch.clone());
        }
        let columns =
            batch.columns().iter().zip(self.schema.fields()).map(|(column, field)| cast(column, field.data_type()));
        RecordBatch::try_new(Arc::clone(&self.schema), columns.collect::<Result<_, _>>()?)
    }
}

impl TableLayout {
    /// A batch from before columns were added to the table, with these as nulls; text may stay a dictionary.
    ///
    /// # Errors
    /// A column that can't be turned into the layout's type.
    pub fn widen(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = self.schema.fields().iter().enumerate().map(|(index, field)| match batch.columns().get(index) {
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            Some(column) if logical_type(column.data_type()) == logical_type(field.data_type()) => {
                Ok(Arc::clone(column))
            }
            Some(column) => cast(column, field.data_type()),
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let fields = self.schema.fields().iter().zip(&columns);
        let fields = fields.map(|(field, column)| field.as_ref().clone().with_data_type(column.data_type().clone()));
        RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns)
    }
}

fn arrow_field(field: &Field, id: usize) -> ArrowField {
    ArrowField::new(&field.name, arrow_type(field.data_type), field.nullable)
        .with_metadata(HashMap::from([(FIELD_ID.to_owned(), id.to_string())]))
}

/// The Arrow type of a logical type. Repeated text is `Dictionary(Int32, Utf8)` only inside guests' batches; see
/// [`super::to_arrow`].
pub(super) fn arrow_type(data_type: DataType) -> ArrowType {
    match data_type {
        DataType::Boolean => ArrowType::Boolean,
        DataType::Int32 => ArrowType::Int32,
        DataType::Int64 => ArrowType::Int64,
        DataType::Float32 => ArrowType::Float32,
        DataType::Float64 => ArrowType::Float64,
        DataType::Utf8 => ArrowType::Utf8,
        DataType::Date => ArrowType::Date32,
        DataType::Timestamp => ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}

/// The logical type that takes all values of an Arrow type, or nearly all: of 64 bits without a sign, the half that
/// has none. None for lists, structures and what else no column can hold.
pub fn logical_type(given: &ArrowType) -> Option<DataType> {
    Some(match given {
        ArrowType::Boolean => DataType::Boolean,
        ArrowType::Int8 | ArrowType::Int16 | ArrowType::Int32 | ArrowType::UInt8 | ArrowType::UInt16 => DataType::Int32,
        ArrowType::Int64 | ArrowType::UInt32 | ArrowType::UInt64 => DataType::Int64,
        ArrowType::Float16 | ArrowType::Float32 => DataType::Float32,
        ArrowType::Float64 => DataType::Float64,
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => DataType::Utf8,
        ArrowType::Dictionary(_, values) if logical_type(values) == Some(DataType::Utf8) => DataType::Utf8,
        ArrowType::Date32 | ArrowType::Date64 => DataType::Date,
        ArrowType::Timestamp(_, _) => DataType::Timestamp,
        _ => return None,
    })
}
