//! Columns of text: strings end to end, and keys into few distinct ones.

use std::fmt::{self, Write as _};

use super::{Build, take};
use crate::DataType;
use crate::batch::{Column, Text, Values};

/// Strings that are all different, such as ids and messages.
#[derive(Clone, Debug, Default)]
pub struct TextColumn {
    /// The end of each row's string; the leading 0 is written with the first row.
    pub(super) offsets: Vec<u8>,
    pub(super) bytes: Vec<u8>,
}

impl TextColumn {
    #[inline]
    fn end_row(&mut self) {
        if self.offsets.is_empty() {
            self.offsets.extend_from_slice(&0u32.to_le_bytes());
        }
        self.offsets.extend_from_slice(&(self.bytes.len() as u32).to_le_bytes());
    }

    /// Adds a row.
    #[inline]
    pub fn push_str(&mut self, value: &str) {
        self.bytes.extend_from_slice(value.as_bytes());
        self.end_row();
    }

    /// Adds a row that is written in place: `column.push_fmt(format_args!("user-{n}"))`.
    pub fn push_fmt(&mut self, value: fmt::Arguments<'_>) {
        // Writing into a vector can't fail; a Display that reports an error leaves what it wrote so far.
        let _ = TextWriter(&mut self.bytes).write_fmt(value);
        self.end_row();
    }

    /// Adds a row that `write` appends to the column's buffer.
    pub fn push_with(&mut self, write: impl FnOnce(&mut TextWriter<'_>)) {
        write(&mut TextWriter(&mut self.bytes));
        self.end_row();
    }

    /// Adds a row of 16 hexadecimal digits, the cheapest id.
    #[inline]
    pub fn push_hex16(&mut self, value: u64) {
        self.bytes.extend_from_slice(&hex16(value));
        self.end_row();
    }

    /// Adds a row of a whole number in decimal digits after a prefix, such as `user-1234`.
    #[inline]
    pub fn push_numbered(&mut self, prefix: &str, number: u64) {
        self.bytes.extend_from_slice(prefix.as_bytes());
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        let mut rest = number;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.bytes.extend_from_slice(&digits[at..]);
        self.end_row();
    }
}

/// Appends to the text of one row.
#[derive(Debug)]
pub struct TextWriter<'a>(&'a mut Vec<u8>);

impl fmt::Write for TextWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// The 16 hexadecimal digits of a number, most significant first, eight nibbles at a time.
#[inline]
pub(super) fn hex16(value: u64) -> [u8; 16] {
    /// Spreads the 8 nibbles of 32 bits over 8 bytes and turns each into its digit.
    const fn digits(half: u32) -> [u8; 8] {
        let mut x = half as u64;
        x = ((x << 16) | x) & 0x0000_ffff_0000_ffff;
        x = ((x << 8) | x) & 0x00ff_00ff_00ff_00ff;
        x = ((x << 4) | x) & 0x0f0f_0f0f_0f0f_0f0f;
        // 1 in each byte whose nibble is above 9.
        let letters = ((x + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
        (x + 0x3030_3030_3030_3030 + letters * 39).to_be_bytes()
    }
    let mut out = [0u8; 16];
    out[..8].copy_from_slice(&digits((value >> 32) as u32));
    out[8..].copy_from_slice(&digits(value as u32));
    out
}

impl Build for TextColumn {
    const DATA_TYPE: DataType = DataType::Utf8;
    type Value<'a> = &'a str;

    #[inline]
    fn push(&mut self, value: &str) {
        self.push_str(value);
    }

    #[inline]
    fn push_blank(&mut self) {
        self.end_row();
    }

    fn len(&self) -> usize {
        (self.offsets.len() / 4).saturating_sub(1)
    }

    fn finish(&mut self) -> Column {
        if self.offsets.is_empty() {
            self.offsets.extend_from_slice(&0u32.to_le_bytes());
        }
        Column {
            values: Values::Text(Text { offsets: take(&mut self.offsets), bytes: take(&mut self.bytes) }),
            validity: None,
        }
    }
}

/// Few distinct strings: rows are keys into values that are set once (or grow rarely).
#[derive(Clone, Debug, Default)]
pub struct DictionaryColumn {
    pub(super) keys: Vec<u8>,
    pub(super) values: TextColumn,
}

impl DictionaryColumn {
    /// A column of these values; the i-th has the key i.
    pub fn of<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> Self {
        let mut column = Self::default();
        column.set_values(values);
        column
    }

    /// Sets the values; the i-th has the key i. Call it before rows are pushed.
    pub fn set_values<S: AsRef<str>>(&mut self, values: impl IntoIterator<Item = S>) {
        self.values = TextColumn::default();
        for value in values {
            self.values.push_str(value.as_ref());
        }
    }

    /// Adds a value and returns its key, which stays the same from then on.
    pub fn add_value(&mut self, value: &str) -> u32 {
        self.values.push_str(value);
        self.values.len() as u32 - 1
    }

    /// How many values there are.
    pub fn values_len(&self) -> usize {
        self.values.len()
    }

    /// Adds a row by its value's key.
    #[inline]
    pub fn push(&mut self, key: u32) {
        self.keys.extend_from_slice(&key.to_le_bytes());
    }
}

impl Build for DictionaryColumn {
    const DATA_TYPE: DataType = DataType::Utf8;
    type Value<'a> = u32;

    #[inline]
    fn push(&mut self, key: u32) {
        Self::push(self, key);
    }

    #[inline]
    fn push_blank(&mut self) {
        // A key must name a value even under a null.
        if self.values.offsets.is_empty() {
            self.values.push_str("");
        }
        Self::push(self, 0);
    }

    fn len(&self) -> usize {
        self.keys.len() / 4
    }

    fn finish(&mut self) -> Column {
        let values = match self.values.clone().finish().values {
            Values::Text(text) => text,
            _ => Text::default(),
        };
        Column { values: Values::Dictionary { keys: take(&mut self.keys), values }, validity: None }
    }
}
