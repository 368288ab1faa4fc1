//! Whole columns at a time, for validators: the form of a column is looked at once and not for every row.

use super::{Values, bit, read_u32};
use crate::random::{hash_bytes, hash_u64};
use crate::{Column, DataType};

impl Column {
    /// Hands each row's number to `take`, none under a null. Booleans are 0 and 1, times microseconds, dates days; whole numbers beyond
    /// 2^53 are rounded. A column of text has no numbers, and nothing is called.
    pub fn each_number(&self, data_type: DataType, rows: usize, take: impl FnMut(usize, Option<f64>)) {
        let Values::Packed(bytes) = &self.values else {
            return;
        };
        let validity = self.validity.as_deref();
        match data_type {
            DataType::Int32 | DataType::Date => {
                packed(bytes, validity, rows, |b| f64::from(i32::from_le_bytes(b)), take);
            }
            DataType::Int64 | DataType::Timestamp => {
                packed(bytes, validity, rows, |b| i64::from_le_bytes(b) as f64, take);
            }
            DataType::Float32 => packed(bytes, validity, rows, |b| f64::from(f32::from_le_bytes(b)), take),
            DataType::Float64 => packed(bytes, validity, rows, f64::from_le_bytes, take),
            DataType::Boolean => {
                let mut take = take;
                for i in 0..rows {
                    take(i, self.bool(i).map(|value| f64::from(u8::from(value))));
                }
            }
            DataType::Utf8 => {}
        }
    }

    /// Hands each row's 64-bit whole number or timestamp to `take`, none under a null.
    pub fn each_i64(&self, rows: usize, take: impl FnMut(usize, Option<i64>)) {
        if let Values::Packed(bytes) = &self.values {
            packed(bytes, self.validity.as_deref(), rows, i64::from_le_bytes, take);
        }
    }

    /// Hands a hash of each row's value to `take`, none under a null. Whole numbers of both widths, dates and times hash alike where they
    /// are equal, so that a link between two tables may be of different types.
    pub fn each_hash(&self, data_type: DataType, rows: usize, mut take: impl FnMut(usize, Option<u64>)) {
        match data_type {
            DataType::Utf8 => self.each_text(rows, |text| hash_bytes(0, text), take),
            DataType::Int64 | DataType::Timestamp => {
                self.each_i64(rows, |row, value| take(row, value.map(|value| hash_u64(0, value as u64))));
            }
            DataType::Int32 | DataType::Date => {
                for row in 0..rows {
                    take(row, self.i32(row).map(|value| hash_u64(0, i64::from(value) as u64)));
                }
            }
            other => self.each_number(other, rows, |row, value| {
                take(row, value.map(|value| hash_u64(0, value.to_bits())));
            }),
        }
    }

    /// Hands to `take` what `value_of` makes of each row's text, none under a null. Of a dictionary, `value_of` sees each value once a
    /// batch. A column of anything else has no text, and nothing is called.
    pub fn each_text<V: Copy>(
        &self,
        rows: usize,
        mut value_of: impl FnMut(&[u8]) -> V,
        mut take: impl FnMut(usize, Option<V>),
    ) {
        match &self.values {
            Values::Packed(_) => {}
            Values::Text(text) => {
                for i in 0..rows {
                    let value = if self.is_valid(i) { text.bytes_of(i).map(&mut value_of) } else { None };
                    take(i, value);
                }
            }
            Values::Dictionary { keys, values } => {
                let known: Vec<Option<V>> = (0..values.len()).map(|i| values.bytes_of(i).map(&mut value_of)).collect();
                for i in 0..rows {
                    let key = if self.is_valid(i) { read_u32(keys, i) } else { None };
                    take(i, key.and_then(|key| known.get(key as usize).copied().flatten()));
                }
            }
        }
    }
}

#[inline]
fn packed<const WIDTH: usize, V>(
    bytes: &[u8],
    validity: Option<&[u8]>,
    rows: usize,
    value_of: impl Fn([u8; WIDTH]) -> V,
    mut take: impl FnMut(usize, Option<V>),
) {
    let values = bytes.as_chunks::<WIDTH>().0.iter().take(rows).enumerate();
    match validity {
        None => values.for_each(|(i, value)| take(i, Some(value_of(*value)))),
        Some(validity) => values.for_each(|(i, value)| take(i, bit(validity, i).then(|| value_of(*value)))),
    }
}
