//! Rows as they cross the boundary, and reading them. It does not judge what they mean.

use std::sync::Arc;

use crate::{DataType, Field, Table};

mod scan;

/// Strings end to end: value i is `bytes[offsets[i]..offsets[i + 1]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Rows + 1 little-endian u32.
    pub offsets: Vec<u8>,
    /// UTF-8.
    pub bytes: Vec<u8>,
}

/// The values of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// Little-endian, fixed width of the data type; booleans as bits, least significant first.
    Packed(Vec<u8>),
    /// Strings.
    Text(Text),
    /// Few distinct strings: value i is `values[keys[i]]`.
    Dictionary {
        /// Little-endian u32, one a row.
        keys: Vec<u8>,
        /// What they choose from.
        values: Text,
    },
}

/// One column of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its values.
    pub values: Values,
    /// One bit a row, least significant first, 1 = valid; none where every row is valid.
    pub validity: Option<Vec<u8>>,
}

/// Rows of one table: columns in the order of its fields, or of the selection that asked for them.
#[derive(Clone, Debug)]
pub struct Batch {
    table: u32,
    rows: u32,
    columns: Vec<Column>,
    /// The declarations that `table` counts, for look-ups by name.
    tables: Arc<[Table]>,
}

impl Text {
    /// The i-th string; none where there is none or it is no UTF-8.
    pub fn get(&self, i: usize) -> Option<&str> {
        std::str::from_utf8(self.bytes_of(i)?).ok()
    }

    /// The bytes of the i-th string.
    #[inline]
    pub fn bytes_of(&self, i: usize) -> Option<&[u8]> {
        let start = read_u32(&self.offsets, i)? as usize;
        let end = read_u32(&self.offsets, i + 1)? as usize;
        self.bytes.get(start..end)
    }

    /// How many strings there are.
    pub fn len(&self) -> usize {
        (self.offsets.len() / 4).saturating_sub(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[inline]
fn read_u32(bytes: &[u8], i: usize) -> Option<u32> {
    let at = bytes.get(i * 4..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*at))
}

#[inline]
fn bit(bytes: &[u8], i: usize) -> bool {
    bytes.get(i / 8).is_some_and(|byte| (byte >> (i % 8)) & 1 == 1)
}

impl Column {
    /// Whether the i-th row has a value.
    #[inline]
    pub fn is_valid(&self, i: usize) -> bool {
        self.validity.as_ref().is_none_or(|validity| bit(validity, i))
    }

    /// The i-th value of a column of 64-bit whole numbers or timestamps; none under a null.
    #[inline]
    pub fn i64(&self, i: usize) -> Option<i64> {
        self.fixed::<8>(i).map(i64::from_le_bytes)
    }

    /// The i-th value of a column of 32-bit whole numbers or dates; none under a null.
    #[inline]
    pub fn i32(&self, i: usize) -> Option<i32> {
        self.fixed::<4>(i).map(i32::from_le_bytes)
    }

    /// The i-th value of a column of 64-bit floating-point numbers; none under a null.
    #[inline]
    pub fn f64(&self, i: usize) -> Option<f64> {
        self.fixed::<8>(i).map(f64::from_le_bytes)
    }

    /// The i-th value of a column of 32-bit floating-point numbers; none under a null.
    #[inline]
    pub fn f32(&self, i: usize) -> Option<f32> {
        self.fixed::<4>(i).map(f32::from_le_bytes)
    }

    /// The i-th value of a column of booleans; none under a null.
    #[inline]
    pub fn bool(&self, i: usize) -> Option<bool> {
        match &self.values {
            Values::Packed(bytes) if self.is_valid(i) && i / 8 < bytes.len() => Some(bit(bytes, i)),
            _ => None,
        }
    }

    /// The i-th value of a column of text, whole or in a dictionary; none under a null.
    #[inline]
    pub fn text(&self, i: usize) -> Option<&str> {
        std::str::from_utf8(self.text_bytes(i)?).ok()
    }

    /// Like [`Column::text`], without a look at whether it is UTF-8.
    #[inline]
    pub fn text_bytes(&self, i: usize) -> Option<&[u8]> {
        if !self.is_valid(i) {
            return None;
        }
        match &self.values {
            Values::Packed(_) => None,
            Values::Text(text) => text.bytes_of(i),
            Values::Dictionary { keys, values } => values.bytes_of(read_u32(keys, i)? as usize),
        }
    }

    /// The i-th key of a dictionary; none under a null or in another form of column.
    #[inline]
    pub fn key(&self, i: usize) -> Option<u32> {
        match &self.values {
            Values::Dictionary { keys, .. } if self.is_valid(i) => read_u32(keys, i),
            _ => None,
        }
    }

    /// The values of a dictionary.
    pub fn dictionary(&self) -> Option<&Text> {
        match &self.values {
            Values::Dictionary { values, .. } => Some(values),
            _ => None,
        }
    }

    #[inline]
    fn fixed<const WIDTH: usize>(&self, i: usize) -> Option<[u8; WIDTH]> {
        match &self.values {
            Values::Packed(bytes) if self.is_valid(i) => bytes.get(i * WIDTH..)?.first_chunk::<WIDTH>().copied(),
            _ => None,
        }
    }

    /// How many bytes it holds.
    pub fn bytes(&self) -> usize {
        let values = match &self.values {
            Values::Packed(bytes) => bytes.len(),
            Values::Text(text) => text.offsets.len() + text.bytes.len(),
            Values::Dictionary { keys, values } => keys.len() + values.offsets.len() + values.bytes.len(),
        };
        values + self.validity.as_ref().map_or(0, Vec::len)
    }

    /// Whether it can be `rows` values of a field: form, lengths, nulls. What costs a look at each value is left to the host.
    pub(crate) fn check(&self, field: &Field, rows: u32) -> Result<(), String> {
        let rows = rows as usize;
        let width = match field.data_type {
            DataType::Boolean => None,
            DataType::Int32 | DataType::Float32 | DataType::Date => Some(4),
            DataType::Int64 | DataType::Float64 | DataType::Timestamp => Some(8),
            DataType::Utf8 => Some(0),
        };
        let fits = match (&self.values, width) {
            (Values::Packed(bytes), None) => bytes.len() == rows.div_ceil(8),
            (Values::Packed(bytes), Some(width)) if width > 0 => bytes.len() == rows * width,
            (Values::Text(text), Some(0)) => text.offsets.len() == (rows + 1) * 4,
            (Values::Dictionary { keys, .. }, Some(0)) => keys.len() == rows * 4,
            _ => return Err(format!("its values are no {:?}", field.data_type)),
        };
        if !fits {
            return Err(format!("its values are not {rows} of {:?}", field.data_type));
        }
        match &self.validity {
            Some(_) if !field.nullable => Err("it has nulls and is not nullable".to_owned()),
            Some(validity) if validity.len() != rows.div_ceil(8) => Err(format!("its validity is not of {rows} rows")),
            _ => Ok(()),
        }
    }
}

impl Batch {
    /// Rows of the table that `table` counts in `tables`.
    pub fn new(table: u32, rows: u32, columns: Vec<Column>, tables: Arc<[Table]>) -> Self {
        Self { table, rows, columns, tables }
    }

    /// Which table, or which selection.
    pub fn table(&self) -> usize {
        self.table as usize
    }

    /// The declaration of the table; of a selection, with its columns alone.
    pub fn declaration(&self) -> Option<&Table> {
        self.tables.get(self.table())
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows as usize
    }

    /// The columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The i-th column.
    pub fn column(&self, i: usize) -> Option<&Column> {
        self.columns.get(i)
    }

    /// The column of a name.
    pub fn named(&self, name: &str) -> Option<&Column> {
        self.column(self.declaration()?.position(name)?)
    }

    /// The 64-bit whole number or timestamp in a named column.
    pub fn i64(&self, name: &str, row: usize) -> Option<i64> {
        self.named(name)?.i64(row)
    }

    /// The 32-bit whole number or date in a named column.
    pub fn i32(&self, name: &str, row: usize) -> Option<i32> {
        self.named(name)?.i32(row)
    }

    /// The 64-bit floating-point number in a named column.
    pub fn f64(&self, name: &str, row: usize) -> Option<f64> {
        self.named(name)?.f64(row)
    }

    /// The boolean in a named column.
    pub fn bool(&self, name: &str, row: usize) -> Option<bool> {
        self.named(name)?.bool(row)
    }

    /// The text in a named column.
    pub fn text(&self, name: &str, row: usize) -> Option<&str> {
        self.named(name)?.text(row)
    }

    /// How many bytes its columns hold.
    pub fn bytes(&self) -> usize {
        self.columns.iter().map(Column::bytes).sum()
    }

    /// Moves the columns out.
    pub fn into_columns(self) -> Vec<Column> {
        self.columns
    }
}
