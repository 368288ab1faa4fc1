//! Records to Arrow: a builder for each column of the table, and what is said of a value that does not fit.

use super::convert;
use super::record::{Cell, Record};
use crate::batch::TableLayout;
use crate::core::schema::{DataType, Field};
use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Float32Builder, Float64Builder, Int32Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use std::sync::Arc;

/// Rows of a batch.
const BATCH_ROWS: usize = 16_384;
/// Bytes of text after which a batch is full, whatever its rows.
const BATCH_TEXT_BYTES: usize = 16 << 20;
/// Longest part of a bad value that is shown.
const SHOWN_CHARS: usize = 60;

/// The columns of a batch in the making.
pub(super) struct Columns {
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
    text_bytes: usize,
}

struct Column {
    field: Field,
    /// Its cell in a record; none where the file does not have it.
    cell: Option<usize>,
    builder: Builder,
    /// A float that is never null reads a null as NaN, which is how JSON is made to hold one.
    null_is_nan: bool,
}

enum Builder {
    Boolean(BooleanBuilder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Utf8(StringBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl Columns {
    /// Columns of `layout`; `cells` says for each where its cell is in a record.
    pub(super) fn new(layout: &TableLayout, cells: &[Option<usize>], null_is_nan: bool) -> Self {
        let columns = layout.table.fields.iter().enumerate().map(|(index, field)| Column {
            cell: cells.get(index).copied().flatten(),
            builder: Builder::new(field.data_type),
            null_is_nan: null_is_nan && !field.nullable,
            field: field.clone(),
        });
        Self { schema: Arc::clone(&layout.schema), columns: columns.collect(), rows: 0, text_bytes: 0 }
    }

    /// Adds a record. After an error the columns are of different lengths, and only good for more records to be
    /// looked at and for [`Columns::clear`].
    pub(super) fn append(&mut self, record: &Record) -> Result<(), String> {
        self.rows += 1;
        for column in &mut self.columns {
            let cell = column.cell.map_or(Cell::Null, |cell| record.get(cell));
            self.text_bytes += column.append(cell)?;
        }
        Ok(())
    }

    /// Whether [`Columns::append`] would take a record.
    pub(super) fn check(&self, record: &Record) -> Result<(), String> {
        let cell = |column: &Column| column.cell.map_or(Cell::Null, |cell| record.get(cell));
        self.columns.iter().try_for_each(|column| column.check(cell(column)))
    }

    /// Whether it is time to take a batch.
    pub(super) fn is_full(&self) -> bool {
        self.rows >= BATCH_ROWS || self.text_bytes >= BATCH_TEXT_BYTES
    }

    /// The rows so far, which are then gone; none where there are none.
    pub(super) fn take(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        if self.rows == 0 {
            return Ok(None);
        }
        let arrays = self.columns.iter_mut().map(|column| column.builder.finish()).collect();
        (self.rows, self.text_bytes) = (0, 0);
        RecordBatch::try_new(Arc::clone(&self.schema), arrays).map(Some)
    }

    /// Forgets the rows so far.
    pub(super) fn clear(&mut self) {
        for column in &mut self.columns {
            column.builder.finish();
        }
        (self.rows, self.text_bytes) = (0, 0);
    }
}

impl Column {
    /// Whether [`Column::append`] would take a cell.
    fn check(&self, cell: Cell<'_>) -> Result<(), String> {
        let text = match cell {
            Cell::Null => {
                let nan = self.null_is_nan && matches!(self.builder, Builder::Float32(_) | Builder::Float64(_));
                return if self.field.nullable || nan { Ok(()) } else { Err(self.missing()) };
            }
            Cell::Bare(text) | Cell::Text(text) => text,
        };
        Builder::new(self.field.data_type).append(text).map_err(|kind| self.unfit(text, kind))
    }

    fn missing(&self) -> String {
        format!("column {}: a value is missing", self.field.name)
    }

    fn unfit(&self, text: &str, kind: &str) -> String {
        let shown: String = text.chars().take(SHOWN_CHARS).collect();
        format!("column {}: {shown:?} is no {kind}", self.field.name)
    }

    /// Adds a cell. Returns the bytes of text that it took.
    fn append(&mut self, cell: Cell<'_>) -> Result<usize, String> {
        let text = match cell {
            Cell::Null if self.field.nullable => {
                self.builder.append_null();
                return Ok(0);
            }
            Cell::Null => match &mut self.builder {
                Builder::Float32(builder) if self.null_is_nan => {
                    builder.append_value(f32::NAN);
                    return Ok(0);
                }
                Builder::Float64(builder) if self.null_is_nan => {
                    builder.append_value(f64::NAN);
                    return Ok(0);
                }
                _ => return Err(self.missing()),
            },
            Cell::Bare(text) | Cell::Text(text) => text,
        };
        if let Builder::Utf8(builder) = &mut self.builder {
            builder.append_value(text);
            return Ok(text.len());
        }
        self.builder.append(text).map_err(|kind| self.unfit(text, kind))?;
        Ok(0)
    }
}

impl Builder {
    fn new(data_type: DataType) -> Self {
        match data_type {
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            DataType::Int32 => Self::Int32(Int32Builder::new()),
            DataType::Int64 => Self::Int64(Int64Builder::new()),
            DataType::Float32 => Self::Float32(Float32Builder::new()),
            DataType::Float64 => Self::Float64(Float64Builder::new()),
            DataType::Utf8 => Self::Utf8(StringBuilder::new()),
            DataType::Date => Self::Date(Date32Builder::new()),
            DataType::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
        }
    }

    /// Adds the value that `text` means, or says what it is not.
    fn append(&mut self, text: &str) -> Result<(), &'static str> {
        match self {
            Self::Boolean(builder) => builder.append_value(convert::boolean(text).ok_or("truth value (true, false)")?),
            Self::Int32(builder) => {
                let value = convert::integer(text).and_then(|value| i32::try_from(value).ok());
                builder.append_value(value.ok_or("whole number of 32 bits")?);
            }
            Self::Int64(builder) => builder.append_value(convert::integer(text).ok_or("whole number of 64 bits")?),
            Self::Float32(builder) => builder.append_value(convert::float(text).ok_or("number")?),
            Self::Float64(builder) => builder.append_value(convert::float(text).ok_or("number")?),
            Self::Utf8(builder) => builder.append_value(text),
            Self::Date(builder) => builder.append_value(convert::date(text).ok_or("date (2026-11-09)")?),
            Self::Timestamp(builder) => {
                builder.append_value(convert::timestamp(text).ok_or("time (2026-11-09T14:25:00Z)")?);
            }
        }
        Ok(())
    }

    fn append_null(&mut self) {
        match self {
            Self::Boolean(builder) => builder.append_null(),
            Self::Int32(builder) => builder.append_null(),
            Self::Int64(builder) => builder.append_null(),
            Self::Float32(builder) => builder.append_null(),
            Self::Float64(builder) => builder.append_null(),
            Self::Utf8(builder) => builder.append_null(),
            Self::Date(builder) => builder.append_null(),
            Self::Timestamp(builder) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::Int32(builder) => Arc::new(builder.finish()),
            Self::Int64(builder) => Arc::new(builder.finish()),
            Self::Float32(builder) => Arc::new(builder.finish()),
            Self::Float64(builder) => Arc::new(builder.finish()),
            Self::Utf8(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Timestamp(builder) => Arc::new(builder.finish()),
        }
    }
}
