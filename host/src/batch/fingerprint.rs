//! Fingerprints of rows that do not depend on their order, on files or on batches: a 256-bit hash of each row's
//! logical values, summed modulo 2^256, with the number of rows.
//!
//! The hash tells results apart; it is not made to withstand somebody who looks for a collision.

use crate::core::digest::Digest;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_128;

/// Rows that are hashed at a time: their lanes (32 bytes a row) stay in the first-level cache.
const BLOCK_ROWS: usize = 512;

/// Where each lane starts, and the odd factor that moves it on; from the digits of pi.
const START: [u64; 4] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89];
const FACTOR: [u64; 4] = [0x4528_21e6_38d0_1377, 0xbe54_66cf_34e9_0c6d, 0xc0ac_29b7_c97c_50dd, 0x3f84_d5b5_b547_0917];
/// Stands for a missing value; a value that hashes to the same is as unlikely as any collision.
const NULL: (u64, u64) = (0x9216_d5d9_8979_fb1b, 0xd131_0ba6_98df_b5ac);

/// The rows of one table, summed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFingerprint {
    /// How many rows were added.
    pub rows: u64,
    /// Sum of their hashes, least significant word first.
    sum: [u64; 4],
}

impl TableFingerprint {
    /// Adds the rows of a batch. Columns count in order; text is the same whether it comes as dictionary or not,
    /// and integers the same at 32 and 64 bits.
    ///
    /// # Errors
    /// A column of a type that no table of the contract has.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let columns = batch.columns().iter().map(Column::new).collect::<Result<Vec<_>, _>>()?;
        let mut values = [(0, 0); BLOCK_ROWS];
        let mut start = 0;
        while start < batch.num_rows() {
            let rows = start..batch.num_rows().min(start + BLOCK_ROWS);
            let count = rows.len();
            let mut lanes = [START; BLOCK_ROWS];
            for column in &columns {
                column.load(rows.clone(), &mut values);
                for (lane, value) in lanes.iter_mut().zip(&values).take(count) {
                    mix(lane, *value);
                }
            }
            for lane in lanes.iter().take(count) {
                self.add_hash(lane.map(avalanche));
            }
            start = rows.end;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Adds the rows of another fingerprint of the same table.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.add_hash(other.sum);
    }

    fn add_hash(&mut self, hash: [u64; 4]) {
        let mut carry = false;
        for (word, add) in self.sum.iter_mut().zip(hash) {
            (*word, carry) = word.carrying_add(add, carry);
        }
    }

    fn to_bytes(self) -> [u8; 40] {
        let mut bytes = [0; 40];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip([self.rows].into_iter().chain(self.sum)) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

/// The sum as 64 hex digits, most significant first.
impl fmt::Display for TableFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sum.iter().rev().try_for_each(|word| write!(f, "{word:016x}"))
    }
}

/// The fingerprint of a whole dataset: tables by name, each with its rows.
pub fn dataset_fingerprint(tables: &BTreeMap<String, TableFingerprint>) -> Digest {
    let parts: Vec<_> = tables.iter().map(|(name, table)| (name, table.to_bytes())).collect();
    Digest::of_parts(parts.iter().flat_map(|(name, bytes)| [name.as_bytes(), bytes.as_slice()]))
}

#[inline]
fn mix(lanes: &mut [u64; 4], (low, high): (u64, u64)) {
    let [a, b, c, d] = lanes;
    let [fa, fb, fc, fd] = FACTOR;
    *a = (*a ^ low).wrapping_mul(fa).rotate_left(31);
    *b = (*b ^ low.rotate_left(32)).wrapping_mul(fb).rotate_left(29);
    *c = (*c ^ high).wrapping_mul(fc).rotate_left(27);
    *d = (*d ^ high.rotate_left(32)).wrapping_mul(fd).rotate_left(33);
}

/// Spreads every bit over the word, so that sums of related rows do not cancel (the finaliser of MurmurHash3).
#[inline]
fn avalanche(mut x: u64) -> u64 {
    x ^= x >> 33;
    x = x.wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^= x >> 33;
    x = x.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

/// A number's two halves: the number, and the number spread.
#[inline]
fn number(value: u64) -> (u64, u64) {
    (value, value.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "a hash is cut into its halves")]
fn text(value: &str) -> (u64, u64) {
    let hash = xxh3_128(value.as_bytes());
    (hash as u64, (hash >> 64) as u64)
}

#[inline]
fn float(value: f64) -> (u64, u64) {
    number(if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() })
}

/// A column, with the hashes of a dictionary's values made once.
struct Column<'a> {
    array: &'a ArrayRef,
    dictionary: Vec<(u64, u64)>,
}

impl<'a> Column<'a> {
    fn new(array: &'a ArrayRef) -> Result<Self, ArrowError> {
        let dictionary = match array.data_type() {
            DataType::Dictionary(key, value) if **key == DataType::Int32 && **value == DataType::Utf8 => {
                let values = array.as_dictionary::<Int32Type>().values().as_string::<i32>();
                values.iter().map(|value| value.map_or(NULL, text)).collect()
            }
            DataType::Boolean
            | DataType::Int32
            | DataType::Int64
            | DataType::Float32
            | DataType::Float64
            | DataType::Utf8
            | DataType::Utf8View
            | DataType::Date32
            | DataType::Timestamp(TimeUnit::Microsecond, _) => Vec::new(),
            other => return Err(ArrowError::NotYetImplemented(format!("a fingerprint of {other}"))),
        };
        Ok(Self { array, dictionary })
    }

    /// Loads the halves of the rows' values.
    fn load(&self, rows: Range<usize>, into: &mut [(u64, u64)]) {
        let array = self.array;
        match array.data_type() {
            DataType::Boolean => {
                let values = array.as_boolean();
                fill(into, rows.clone().map(|row| number(u64::from(values.value(row)))));
            }
            DataType::Int32 => signed(into, array.as_primitive::<Int32Type>().values(), &rows),
            DataType::Date32 => signed(into, array.as_primitive::<Date32Type>().values(), &rows),
            DataType::Int64 => signed(into, array.as_primitive::<Int64Type>().values(), &rows),
            DataType::Timestamp(..) => signed(into, array.as_primitive::<TimestampMicrosecondType>().values(), &rows),
            DataType::Float32 => {
                let values = array.as_primitive::<Float32Type>().values();
                fill(into, values.get(rows.clone()).unwrap_or_default().iter().map(|value| float(f64::from(*value))));
            }
            DataType::Float64 => {
                let values = array.as_primitive::<Float64Type>().values();
                fill(into, values.get(rows.clone()).unwrap_or_default().iter().map(|value| float(*value)));
            }
            DataType::Utf8View => {
                let values = array.as_string_view();
                fill(into, rows.clone().map(|row| text(values.value(row))));
            }
            DataType::Utf8 => {
                let values = array.as_string::<i32>();
                fill(into, rows.clone().map(|row| text(values.value(row))));
            }
            _ => {
                let keys = array.as_dictionary::<Int32Type>().keys().values();
                let value = |key: &i32| self.dictionary.get(*key as usize).copied().unwrap_or(NULL);
                fill(into, keys.get(rows.clone()).unwrap_or_default().iter().map(value));
            }
        }
        if let Some(nulls) = array.nulls() {
            for (value, row) in into.iter_mut().zip(rows) {
                if nulls.is_null(row) {
                    *value = NULL;
                }
            }
        }
    }
}

fn fill(into: &mut [(u64, u64)], values: impl Iterator<Item = (u64, u64)>) {
    for (slot, value) in into.iter_mut().zip(values) {
        *slot = value;
    }
}

fn signed<T: Copy + Into<i64>>(into: &mut [(u64, u64)], values: &[T], rows: &Range<usize>) {
    let values = values.get(rows.clone()).unwrap_or_default();
    fill(into, values.iter().map(|value| number((*value).into().cast_unsigned())));
}
