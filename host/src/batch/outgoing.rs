//! Arrow to the columns that a guest gets: always packed bytes, text or dictionaries.

use super::{GuestBatch, GuestColumn, GuestText, GuestValues};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;

/// Copies rows into the form that guests read, as rows of table or selection `table`.
///
/// # Errors
/// A column of a type that no table of the contract has, or more than 2^32 rows.
pub fn to_guest(batch: &RecordBatch, table: u32) -> Result<GuestBatch, ArrowError> {
    let rows = u32::try_from(batch.num_rows())
        .map_err(|_| ArrowError::InvalidArgumentError("a batch has more than 2^32 rows".into()))?;
    let columns = batch.columns().iter().map(column).collect::<Result<_, _>>()?;
    Ok(GuestBatch { table, rows, columns })
}

fn column(array: &ArrayRef) -> Result<GuestColumn, ArrowError> {
    let values = match array.data_type() {
        DataType::Boolean => GuestValues::Packed(bits(array.as_boolean().values().iter())),
        DataType::Int32 => packed(array.as_primitive::<Int32Type>()),
        DataType::Int64 => packed(array.as_primitive::<Int64Type>()),
        DataType::Float32 => packed(array.as_primitive::<Float32Type>()),
        DataType::Float64 => packed(array.as_primitive::<Float64Type>()),
        DataType::Date32 => packed(array.as_primitive::<Date32Type>()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => packed(array.as_primitive::<TimestampMicrosecondType>()),
        DataType::Utf8 => GuestValues::Text(text(array.as_string::<i32>())),
        DataType::Utf8View => GuestValues::Text(text(cast(array, &DataType::Utf8)?.as_string::<i32>())),
        DataType::Dictionary(key, value) if **key == DataType::Int32 && **value == DataType::Utf8 => {
            let dictionary = array.as_dictionary::<Int32Type>();
            let GuestValues::Packed(keys) = packed(dictionary.keys()) else { unreachable!("keys are packed") };
            GuestValues::Dictionary(keys, text(dictionary.values().as_string::<i32>()))
        }
        other => return Err(ArrowError::NotYetImplemented(format!("a guest's column of {other}"))),
    };
    let validity = array.nulls().map(|nulls| bits(nulls.iter()));
    Ok(GuestColumn { values, validity })
}

fn packed<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>) -> GuestValues {
    GuestValues::Packed(array.values().inner().as_slice().to_vec())
}

fn bits(values: impl ExactSizeIterator<Item = bool>) -> Vec<u8> {
    let mut bytes = vec![0; values.len().div_ceil(8)];
    for (row, value) in values.enumerate() {
        if let Some(byte) = bytes.get_mut(row / 8) {
            *byte |= u8::from(value) << (row % 8);
        }
    }
    bytes
}

/// Text whose offsets start at 0, whatever slice of an array it is.
fn text(array: &StringArray) -> GuestText {
    let offsets = array.offsets();
    let (first, last) = (offsets.first().copied().unwrap_or_default(), offsets.last().copied().unwrap_or_default());
    let bytes = array.value_data().get(first as usize..last as usize).unwrap_or_default().to_vec();
    let offsets = offsets.iter().flat_map(|offset| (offset - first).cast_unsigned().to_le_bytes()).collect();
    GuestText { offsets, bytes }
}
