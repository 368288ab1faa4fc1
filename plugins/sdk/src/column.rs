//! Columns that a generator fills: packed bytes, text and dictionaries, without an allocation a row.

use crate::DataType;
use crate::batch::{Column, Values};

mod bulk;
mod text;

pub use bulk::{NULL_KEY, NULL_NUMBER};
pub use text::{DictionaryColumn, TextColumn, TextWriter};

/// A column under construction; what [`crate::table!`] builds rows from.
pub trait Build: Default {
    /// The type of its values.
    const DATA_TYPE: DataType;
    /// Whether a row may lack a value.
    const NULLABLE: bool = false;
    /// What is pushed.
    type Value<'a>;

    /// Adds a row.
    fn push(&mut self, value: Self::Value<'_>);
    /// Adds a row whose value nobody reads, under a null.
    fn push_blank(&mut self);
    /// How many rows there are.
    fn len(&self) -> usize;
    /// Whether there is no row.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Moves the rows out and begins anew with room for as many.
    fn finish(&mut self) -> Column;
}

/// Moves a buffer out and leaves one with room for as much.
fn take<T>(buffer: &mut Vec<T>) -> Vec<T> {
    let room = buffer.len() + buffer.len() / 16;
    std::mem::replace(buffer, Vec::with_capacity(room))
}

macro_rules! packed {
    ($(#[doc = $doc:literal])+ $name:ident, $native:ty, $data_type:ident) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Default)]
        pub struct $name {
            bytes: Vec<u8>,
        }

        impl $name {
            const WIDTH: usize = size_of::<$native>();

            /// Adds a row.
            #[inline]
            pub fn push(&mut self, value: $native) {
                self.bytes.extend_from_slice(&value.to_le_bytes());
            }

            /// Adds `rows` rows of one value.
            pub fn push_many(&mut self, value: $native, rows: usize) {
                self.bytes.reserve(rows * Self::WIDTH);
                for _ in 0..rows {
                    self.bytes.extend_from_slice(&value.to_le_bytes());
                }
            }
        }

        impl Build for $name {
            const DATA_TYPE: DataType = DataType::$data_type;
            type Value<'a> = $native;

            #[inline]
            fn push(&mut self, value: $native) {
                Self::push(self, value);
            }

            #[inline]
            fn push_blank(&mut self) {
                Self::push(self, <$native>::default());
            }

            fn len(&self) -> usize {
                self.bytes.len() / Self::WIDTH
            }

            fn finish(&mut self) -> Column {
                Column { values: Values::Packed(take(&mut self.bytes)), validity: None }
            }
        }
    };
}

packed!(/// 32-bit whole numbers.
    I32Column, i32, Int32);
packed!(/// 64-bit whole numbers.
    I64Column, i64, Int64);
packed!(/// 32-bit floating-point numbers.
    F32Column, f32, Float32);
packed!(/// 64-bit floating-point numbers.
    F64Column, f64, Float64);
packed!(/// Days since 1970-01-01.
    DateColumn, i32, Date);
packed!(/// Instants, in microseconds since 1970-01-01T00:00:00Z.
    TimestampColumn, i64, Timestamp);

/// Bits, least significant first.
#[derive(Clone, Debug, Default)]
struct Bits {
    bytes: Vec<u8>,
    len: usize,
}

impl Bits {
    #[inline]
    fn push(&mut self, bit: bool) {
        if self.len.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << (self.len % 8);
        }
        self.len += 1;
    }

    /// `len` ones.
    fn ones(len: usize) -> Self {
        let mut bytes = vec![0xff; len / 8];
        if !len.is_multiple_of(8) {
            bytes.push((1 << (len % 8)) - 1);
        }
        Self { bytes, len }
    }

    fn take(&mut self) -> Vec<u8> {
        self.len = 0;
        take(&mut self.bytes)
    }
}

/// Booleans.
#[derive(Clone, Debug, Default)]
pub struct BoolColumn {
    bits: Bits,
}

impl BoolColumn {
    /// Adds a row.
    #[inline]
    pub fn push(&mut self, value: bool) {
        self.bits.push(value);
    }
}

impl Build for BoolColumn {
    const DATA_TYPE: DataType = DataType::Boolean;
    type Value<'a> = bool;

    #[inline]
    fn push(&mut self, value: bool) {
        Self::push(self, value);
    }

    fn push_blank(&mut self) {
        Self::push(self, false);
    }

    fn len(&self) -> usize {
        self.bits.len
    }

    fn finish(&mut self) -> Column {
        Column { values: Values::Packed(self.bits.take()), validity: None }
    }
}

/// A column in which rows may lack a value. Validity costs nothing until the first null.
#[derive(Clone, Debug, Default)]
pub struct Nullable<C> {
    values: C,
    validity: Option<Bits>,
}

impl<C: Build> Nullable<C> {
    /// Adds a row with a value.
    #[inline]
    pub fn push(&mut self, value: C::Value<'_>) {
        self.values.push(value);
        if let Some(validity) = &mut self.validity {
            validity.push(true);
        }
    }

    /// Adds a row without a value.
    #[inline]
    pub fn push_null(&mut self) {
        let rows = self.values.len();
        self.validity.get_or_insert_with(|| Bits::ones(rows)).push(false);
        self.values.push_blank();
    }

    /// Adds a row with or without a value.
    #[inline]
    pub fn push_option(&mut self, value: Option<C::Value<'_>>) {
        match value {
            Some(value) => self.push(value),
            None => self.push_null(),
        }
    }

    /// The column inside, to which the caller must add exactly one row: `message.present().push_fmt(...)`.
    #[inline]
    pub fn present(&mut self) -> &mut C {
        if let Some(validity) = &mut self.validity {
            validity.push(true);
        }
        &mut self.values
    }

    /// The column inside, to set a dictionary's values.
    pub fn inner_mut(&mut self) -> &mut C {
        &mut self.values
    }
}

impl<C: Build> Build for Nullable<C> {
    const DATA_TYPE: DataType = C::DATA_TYPE;
    const NULLABLE: bool = true;
    type Value<'a> = Option<C::Value<'a>>;

    #[inline]
    fn push(&mut self, value: Option<C::Value<'_>>) {
        self.push_option(value);
    }

    fn push_blank(&mut self) {
        self.push_null();
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    fn finish(&mut self) -> Column {
        let mut column = self.values.finish();
        column.validity = self.validity.take().map(|mut bits| bits.take());
        column
    }
}

#[cfg(test)]
mod tests;
