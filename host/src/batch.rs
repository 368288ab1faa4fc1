//! Columns between guests and Arrow: what a guest returned is checked here, once, before anything else sees it.
//!
//! No I/O and no wasmtime: the plugin layer moves its buffers into [`GuestBatch`] and gets Arrow back.

mod check;
mod fingerprint;
mod layout;
mod outgoing;
#[cfg(test)]
mod tests;

pub use check::{BadBatch, Fault, to_arrow};
pub use fingerprint::{TableFingerprint, dataset_fingerprint};
pub use layout::{TableLayout, logical_type};
pub use outgoing::to_guest;

use serde::{Deserialize, Serialize};

/// Rows of one table as a guest handed them over: nothing is checked yet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GuestBatch {
    /// Index of the table (or of the selection, on the way to a validator).
    pub table: u32,
    /// How many rows the columns are said to have.
    pub rows: u32,
    /// Columns in the order of the table's fields.
    pub columns: Vec<GuestColumn>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GuestColumn {
    /// The values.
    pub values: GuestValues,
    /// One bit a row, least significant first, 1 = valid; none where every row is valid.
    #[serde(with = "serde_bytes")]
    pub validity: Option<Vec<u8>>,
}

/// The values of a column, in one of the contract's forms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum GuestValues {
    /// Little-endian, fixed width; booleans as bits.
    Packed(#[serde(with = "serde_bytes")] Vec<u8>),
    /// One element a row.
    Booleans(Vec<bool>),
    /// One element a row.
    Int64s(Vec<i64>),
    /// One element a row.
    Float64s(Vec<f64>),
    /// One element a row.
    Strings(Vec<String>),
    /// Strings end to end.
    Text(GuestText),
    /// Keys (little-endian u32) into distinct strings.
    Dictionary(#[serde(with = "serde_bytes")] Vec<u8>, GuestText),
}

/// Strings end to end: value i is `bytes[offsets[i]..offsets[i + 1]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GuestText {
    /// rows + 1 little-endian u32.
    #[serde(with = "serde_bytes")]
    pub offsets: Vec<u8>,
    /// UTF-8.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

impl GuestBatch {
    /// Bytes of all buffers: what a limit on output counts.
    pub fn bytes(&self) -> u64 {
        self.columns.iter().map(GuestColumn::bytes).sum()
    }
}

impl GuestColumn {
    fn bytes(&self) -> u64 {
        let text = |text: &GuestText| text.offsets.len() + text.bytes.len();
        let values = match &self.values {
            GuestValues::Packed(bytes) => bytes.len(),
            GuestValues::Booleans(list) => list.len(),
            GuestValues::Int64s(list) => list.len() * 8,
            GuestValues::Float64s(list) => list.len() * 8,
            GuestValues::Strings(list) => list.iter().map(|value| value.len() + size_of::<String>()).sum(),
            GuestValues::Text(values) => text(values),
            GuestValues::Dictionary(keys, values) => keys.len() + text(values),
        };
        (values + self.validity.as_ref().map_or(0, Vec::len)) as u64
    }
}
