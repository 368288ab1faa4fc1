//! Guests' columns to Arrow. Nothing that a guest says is believed: counts, lengths, offsets, keys, UTF-8,
//! validity, nulls and times are checked here, and a buffer is taken over without a copy where it is aligned.

use super::layout::{TableLayout, arrow_type};
use super::{GuestBatch, GuestColumn, GuestText, GuestValues};
use crate::core::schema::{DataType, Field};
use crate::core::time::{Timestamp, Window};
use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, DictionaryArray, Float32Array, Float64Array, Int32Array, Int64Array,
    PrimitiveArray, RecordBatch, RecordBatchOptions, StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowNativeType, ArrowPrimitiveType, Field as ArrowField, Int32Type, Schema, SchemaRef};
use std::sync::Arc;

/// A batch that does not hold what its plugin promised.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("table {table}{}: {fault}", column.as_ref().map(|name| format!(", column {name}")).unwrap_or_default())]
pub struct BadBatch {
    /// The table's name, or its index where there is none of that index.
    pub table: String,
    /// The column, where one is at fault.
    pub column: Option<String>,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a batch.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The batch is for a table that was not declared.
    #[error("no such table; {0} are declared")]
    UnknownTable(usize),
    /// More or fewer columns than fields.
    #[error("{got} columns instead of {expected}")]
    ColumnCount {
        /// Columns in the batch.
        got: usize,
        /// Fields of the table.
        expected: usize,
    },
    /// A buffer or list that does not fit the number of rows.
    #[error("{what} has a length of {got} instead of {expected}")]
    Length {
        /// Which buffer or list.
        what: &'static str,
        /// Its length: bytes of a buffer, elements of a list.
        got: usize,
        /// The length that the rows ask for.
        expected: usize,
    },
    /// Offsets that do not run from 0 to the length of the bytes without stepping back.
    #[error("offsets must rise from 0 to {bytes}, the length of the bytes; offset {index} is {value}")]
    Offsets {
        /// Length of the bytes.
        bytes: usize,
        /// The first wrong offset.
        index: usize,
        /// Its value.
        value: u32,
    },
    /// Text that is no UTF-8.
    #[error("text is no UTF-8, or a value's offset cuts a character")]
    Utf8,
    /// A key without a value.
    #[error("row {row} has the dictionary key {key}, but there are {values} values")]
    DictionaryKey {
        /// The first row with such a key.
        row: usize,
        /// Its key.
        key: u32,
        /// How many values there are.
        values: usize,
    },
    /// Nulls in a column that has none.
    #[error("{0} nulls in a column that is declared without")]
    Null(usize),
    /// A row outside the window that was asked for.
    #[error("a row at {time}, outside the window {window}")]
    OutsideWindow {
        /// The row's time.
        time: Timestamp,
        /// The window.
        window: Window,
    },
    /// A form of values that can't carry the column's type.
    #[error("{form} can't carry {data_type:?}")]
    Form {
        /// The form that came.
        form: &'static str,
        /// The declared type.
        data_type: DataType,
    },
    /// A number that the column's type can't hold.
    #[error("the value {0} does not fit a column of 32 bits")]
    Range(i64),
    /// What a worker process found, in its words.
    #[error("{0}")]
    Reported(String),
}

/// Checks a batch against the declared tables and takes it over as Arrow.
///
/// Returns the table's index and its rows. A text column is `Dictionary(Int32, Utf8)` where the guest sent a
/// dictionary and `Utf8` otherwise; all else has the layout's type.
///
/// # Errors
/// The first thing that is wrong: report the plugin.
pub fn to_arrow(batch: GuestBatch, layouts: &[TableLayout], window: Window) -> Result<(usize, RecordBatch), BadBatch> {
    let index = batch.table as usize;
    let Some(layout) = layouts.get(index) else {
        let fault = Fault::UnknownTable(layouts.len());
        return Err(BadBatch { table: index.to_string(), column: None, fault });
    };
    let bad = |column: Option<&str>, fault| BadBatch {
        table: layout.table.name.clone(),
        column: column.map(str::to_owned),
        fault,
    };
    let (rows, fields) = (batch.rows as usize, &layout.table.fields);
    if batch.columns.len() != fields.len() {
        return Err(bad(None, Fault::ColumnCount { got: batch.columns.len(), expected: fields.len() }));
    }
    let mut columns = Vec::with_capacity(fields.len());
    for (field, column) in fields.iter().zip(batch.columns) {
        columns.push(column_to_arrow(field, column, rows).map_err(|fault| bad(Some(&field.name), fault))?);
    }
    if let Some(time) = layout.table.time_index().and_then(|index| columns.get(index)) {
        check_times(time, window).map_err(|fault| bad(layout.table.time_field.as_deref(), fault))?;
    }
    let schema = schema_of(&layout.schema, &columns);
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let rows = RecordBatch::try_new_with_options(schema, columns, &options);
    rows.map(|rows| (index, rows)).map_err(|_| bad(None, Fault::ColumnCount { got: 0, expected: fields.len() }))
}

/// The layout's schema, with dictionaries where the columns have them.
fn schema_of(schema: &SchemaRef, columns: &[ArrayRef]) -> SchemaRef {
    let same = schema.fields().iter().zip(columns).all(|(field, column)| field.data_type() == column.data_type());
    if same {
        return Arc::clone(schema);
    }
    let fields = schema.fields().iter().zip(columns).map(|(field, column)| {
        let field: &ArrowField = field;
        Arc::new(field.clone().with_data_type(column.data_type().clone()))
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn check_times(column: &ArrayRef, window: Window) -> Result<(), Fault> {
    let Some(times) = column.as_any().downcast_ref::<TimestampMicrosecondArray>() else { return Ok(()) };
    let outside = |&t: &i64| t < window.start.0 || t >= window.end.0;
    // Almost always all are inside: one pass without a branch a row tells, and only then is the culprit looked up.
    if times.values().iter().fold(false, |any, t| any | outside(t)) {
        let time = times.values().iter().copied().find(outside).unwrap_or_default();
        return Err(Fault::OutsideWindow { time: Timestamp(time), window });
    }
    Ok(())
}

fn column_to_arrow(field: &Field, column: GuestColumn, rows: usize) -> Result<ArrayRef, Fault> {
    let nulls = validity(column.validity, rows)?;
    if let Some(nulls) = nulls.as_ref().filter(|_| !field.nullable) {
        return Err(Fault::Null(nulls.null_count()));
    }
    match column.values {
        GuestValues::Packed(bytes) => packed(field.data_type, bytes, rows, nulls),
        GuestValues::Booleans(list) => {
            length("the list of booleans", list.len(), rows)?;
            form(field.data_type == DataType::Boolean, "a list of booleans", field)?;
            Ok(Arc::new(BooleanArray::new(list.into(), nulls)))
        }
        GuestValues::Int64s(list) => {
            length("the list of integers", list.len(), rows)?;
            integers(field, list, nulls)
        }
        GuestValues::Float64s(list) => {
            length("the list of floats", list.len(), rows)?;
            match field.data_type {
                DataType::Float64 => Ok(Arc::new(Float64Array::new(list.into(), nulls))),
                #[expect(clippy::cast_possible_truncation, reason = "a 32-bit column keeps 32 bits")]
                DataType::Float32 => {
                    let values: Vec<f32> = list.into_iter().map(|value| value as f32).collect();
                    Ok(Arc::new(Float32Array::new(values.into(), nulls)))
                }
                data_type => Err(Fault::Form { form: "a list of floats", data_type }),
            }
        }
        GuestValues::Strings(list) => {
            length("the list of strings", list.len(), rows)?;
            form(field.data_type == DataType::Utf8, "a list of strings", field)?;
            let values = StringArray::from(list);
            Ok(Arc::new(StringArray::new(values.offsets().clone(), values.values().clone(), nulls)))
        }
        GuestValues::Text(values) => {
            form(field.data_type == DataType::Utf8, "text", field)?;
            length("the text's offsets", values.offsets.len(), (rows + 1) * 4)?;
            Ok(Arc::new(text(values, nulls)?))
        }
        GuestValues::Dictionary(keys, values) => {
            form(field.data_type == DataType::Utf8, "a dictionary", field)?;
            dictionary(keys, values, rows, nulls)
        }
    }
}

fn form(fits: bool, form: &'static str, field: &Field) -> Result<(), Fault> {
    if fits { Ok(()) } else { Err(Fault::Form { form, data_type: field.data_type }) }
}

fn length(what: &'static str, got: usize, expected: usize) -> Result<(), Fault> {
    if got == expected { Ok(()) } else { Err(Fault::Length { what, got, expected }) }
}

/// The null buffer, or none where every row is valid.
fn validity(bits: Option<Vec<u8>>, rows: usize) -> Result<Option<NullBuffer>, Fault> {
    let Some(bits) = bits else { return Ok(None) };
    length("the validity", bits.len(), rows.div_ceil(8))?;
    let nulls = NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(bits), 0, rows));
    Ok((nulls.null_count() > 0).then_some(nulls))
}

/// Values of fixed width from their bytes; a copy only where the allocation is not aligned.
fn scalars<T: ArrowNativeType>(bytes: Vec<u8>, rows: usize) -> Result<ScalarBuffer<T>, Fault> {
    length("the packed values", bytes.len(), rows * size_of::<T>())?;
    let buffer = Buffer::from_vec(bytes);
    if buffer.as_ptr().align_offset(align_of::<T>()) == 0 {
        return Ok(ScalarBuffer::new(buffer, 0, rows));
    }
    // An Arrow allocation is aligned to more than any value's width.
    Ok(ScalarBuffer::new(Buffer::from_slice_ref(buffer.as_slice()), 0, rows))
}

fn primitive<T: ArrowPrimitiveType>(
    bytes: Vec<u8>,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> Result<PrimitiveArray<T>, Fault> {
    Ok(PrimitiveArray::new(scalars(bytes, rows)?, nulls))
}

fn packed(data_type: DataType, bytes: Vec<u8>, rows: usize, nulls: Option<NullBuffer>) -> Result<ArrayRef, Fault> {
    Ok(match data_type {
        DataType::Boolean => {
            length("the packed booleans", bytes.len(), rows.div_ceil(8))?;
            Arc::new(BooleanArray::new(BooleanBuffer::new(Buffer::from_vec(bytes), 0, rows), nulls))
        }
        DataType::Int32 => Arc::new(primitive::<Int32Type>(bytes, rows, nulls)?),
        DataType::Int64 => Arc::new(primitive::<arrow::datatypes::Int64Type>(bytes, rows, nulls)?),
        DataType::Float32 => Arc::new(primitive::<arrow::datatypes::Float32Type>(bytes, rows, nulls)?),
        DataType::Float64 => Arc::new(primitive::<arrow::datatypes::Float64Type>(bytes, rows, nulls)?),
        DataType::Date => Arc::new(primitive::<arrow::datatypes::Date32Type>(bytes, rows, nulls)?),
        DataType::Timestamp => Arc::new(timestamps(scalars(bytes, rows)?, nulls)),
        DataType::Utf8 => return Err(Fault::Form { form: "packed bytes", data_type }),
    })
}

fn timestamps(values: ScalarBuffer<i64>, nulls: Option<NullBuffer>) -> TimestampMicrosecondArray {
    TimestampMicrosecondArray::new(values, nulls).with_data_type(arrow_type(DataType::Timestamp))
}

fn integers(field: &Field, list: Vec<i64>, nulls: Option<NullBuffer>) -> Result<ArrayRef, Fault> {
    let narrow = |list: Vec<i64>| {
        list.into_iter()
            .map(|value| i32::try_from(value).map_err(|_| Fault::Range(value)))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(match field.data_type {
        DataType::Int64 => Arc::new(Int64Array::new(list.into(), nulls)),
        DataType::Timestamp => Arc::new(timestamps(list.into(), nulls)),
        DataType::Int32 => Arc::new(Int32Array::new(narrow(list)?.into(), nulls)),
        DataType::Date => Arc::new(Date32Array::new(narrow(list)?.into(), nulls)),
        data_type => return Err(Fault::Form { form: "a list of integers", data_type }),
    })
}

fn text(values: GuestText, nulls: Option<NullBuffer>) -> Result<StringArray, Fault> {
    let bytes = values.bytes.len();
    // The length is held to the rows by the caller; a dictionary's own values say themselves how many they are.
    let count = values.offsets.len() / size_of::<i32>();
    let offsets: ScalarBuffer<i32> = scalars(values.offsets, count)?;
    check_offsets(&offsets, bytes)?;
    StringArray::try_new(OffsetBuffer::new(offsets), Buffer::from_vec(values.bytes), nulls).map_err(|_| Fault::Utf8)
}

/// Offsets come as u32 and are read as i32: one that is too large for i32 reads as negative and is refused.
fn check_offsets(offsets: &[i32], bytes: usize) -> Result<(), Fault> {
    let wrong = |index: usize| {
        let value = offsets.get(index).copied().unwrap_or_default().cast_unsigned();
        Err(Fault::Offsets { bytes, index, value })
    };
    if offsets.first() != Some(&0) {
        return wrong(0);
    }
    if let Some(index) = offsets.windows(2).position(|pair| matches!(pair, [a, b] if b < a)) {
        return wrong(index + 1);
    }
    let last = offsets.last().copied().unwrap_or_default();
    if usize::try_from(last) == Ok(bytes) { Ok(()) } else { wrong(offsets.len() - 1) }
}

fn dictionary(keys: Vec<u8>, values: GuestText, rows: usize, nulls: Option<NullBuffer>) -> Result<ArrayRef, Fault> {
    let keys = scalars::<i32>(keys, rows)?;
    let values = text(values, None)?;
    let count = values.len();
    // A null row's key is never read, so only valid rows are held to the values.
    let bad = |(row, key): (usize, &i32)| {
        let unused = nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        !unused && usize::try_from(*key).map_or(true, |key| key >= count)
    };
    if let Some(row) = keys.iter().enumerate().position(bad) {
        let key = keys.get(row).copied().unwrap_or_default().cast_unsigned();
        return Err(Fault::DictionaryKey { row, key, values: count });
    }
    let keys = Int32Array::new(keys, nulls);
    let array = DictionaryArray::<Int32Type>::try_new(keys, Arc::new(values)).map_err(|_| Fault::Utf8)?;
    Ok(Arc::new(array))
}
