//! Many rows at once: a generator that is fast gathers rows in arrays and moves each array with one call.
//! It is what `push` row by row gives, for a fraction of the cost.

#[cfg(target_endian = "big")]
compile_error!("columns are packed in little-endian order, which this machine would have to swap");

use super::text::hex16;
use super::{Bits, DictionaryColumn, F64Column, I32Column, I64Column, Nullable, TextColumn, TimestampColumn};

/// The key that stands for no value in [`Nullable::push_keys`].
pub const NULL_KEY: u32 = u32::MAX;
/// The number that stands for no value in [`Nullable::push_numbers`].
pub const NULL_NUMBER: i64 = i64::MIN;

macro_rules! bulk {
    ($name:ident, $native:ty) => {
        impl $name {
            /// Adds a row for each value.
            pub fn push_slice(&mut self, values: &[$native]) {
                self.bytes.extend_from_slice(bytemuck::cast_slice(values));
            }
        }
    };
}

bulk!(I32Column, i32);
bulk!(I64Column, i64);
bulk!(F64Column, f64);
bulk!(TimestampColumn, i64);

impl F64Column {
    /// Adds a row for each whole number, divided by `per`: for values that are rounded to a tenth or a hundredth.
    pub fn push_fractions(&mut self, wholes: &[i32], per: f64) {
        let start = self.bytes.len();
        self.bytes.resize(start + wholes.len() * 8, 0);
        let (places, _) = self.bytes[start..].as_chunks_mut::<8>();
        for (place, whole) in places.iter_mut().zip(wholes) {
            *place = (f64::from(*whole) / per).to_le_bytes();
        }
    }
}

impl DictionaryColumn {
    /// Adds `rows` rows of one key.
    pub fn push_many(&mut self, key: u32, rows: usize) {
        self.keys.reserve(rows * 4);
        for _ in 0..rows {
            self.keys.extend_from_slice(&key.to_le_bytes());
        }
    }

    /// Adds a row for each key.
    pub fn push_keys(&mut self, keys: &[u32]) {
        self.keys.extend_from_slice(bytemuck::cast_slice(keys));
    }
}

impl TextColumn {
    /// Adds a row of 16 hexadecimal digits for each number.
    pub fn push_hex16_slice(&mut self, values: &[u64]) {
        if self.offsets.is_empty() {
            self.offsets.extend_from_slice(&0u32.to_le_bytes());
        }
        let start = self.bytes.len() as u32;
        let bytes = self.bytes.len();
        self.bytes.resize(bytes + values.len() * 16, 0);
        let (places, _) = self.bytes[bytes..].as_chunks_mut::<16>();
        places.iter_mut().zip(values).for_each(|(place, value)| *place = hex16(*value));
        let offsets = self.offsets.len();
        self.offsets.resize(offsets + values.len() * 4, 0);
        let (places, _) = self.offsets[offsets..].as_chunks_mut::<4>();
        for (place, row) in places.iter_mut().zip(1u32..) {
            *place = (start + row * 16).to_le_bytes();
        }
    }
}

/// Puts zeros where `null` says that there is no value.
fn clear<const WIDTH: usize>(bytes: &mut [u8], null: impl Fn([u8; WIDTH]) -> bool) {
    let (places, _) = bytes.as_chunks_mut::<WIDTH>();
    for place in places {
        *place = if null(*place) { [0; WIDTH] } else { *place };
    }
}

impl Bits {
    /// Adds a bit for each value.
    fn push_slice<T: Copy>(&mut self, values: &[T], bit: impl Fn(T) -> bool) {
        let mut values = values;
        if self.len.is_multiple_of(8) {
            let (eights, rest) = values.as_chunks::<8>();
            for eight in eights {
                let byte = eight.iter().rev().fold(0u8, |byte, value| byte << 1 | u8::from(bit(*value)));
                self.bytes.push(byte);
            }
            self.len += eights.len() * 8;
            values = rest;
        }
        values.iter().for_each(|value| self.push(bit(*value)));
    }
}

/// Adds the validity of values that are about to be added after `rows` others.
fn push_validity<T: Copy>(validity: &mut Option<Bits>, rows: usize, values: &[T], valid: impl Fn(T) -> bool) {
    if validity.is_some() || !values.iter().all(|value| valid(*value)) {
        validity.get_or_insert_with(|| Bits::ones(rows)).push_slice(values, valid);
    }
}

impl Nullable<DictionaryColumn> {
    /// Adds a row for each key; [`NULL_KEY`] stands for none.
    pub fn push_keys(&mut self, keys: &[u32]) {
        push_validity(&mut self.validity, self.values.keys.len() / 4, keys, |key| key != NULL_KEY);
        if self.values.values.offsets.is_empty() {
            // A key must name a value even under a null.
            self.values.values.push_str("");
        }
        let start = self.values.keys.len();
        self.values.push_keys(keys);
        clear(&mut self.values.keys[start..], |key| u32::from_le_bytes(key) == NULL_KEY);
    }
}

impl Nullable<I64Column> {
    /// Adds a row for each number; [`NULL_NUMBER`] stands for none.
    pub fn push_numbers(&mut self, values: &[i64]) {
        push_validity(&mut self.validity, self.values.bytes.len() / 8, values, |value| value != NULL_NUMBER);
        let start = self.values.bytes.len();
        self.values.push_slice(values);
        clear(&mut self.values.bytes[start..], |number| i64::from_le_bytes(number) == NULL_NUMBER);
    }
}

macro_rules! bulk_present {
    ($name:ident, $native:ty) => {
        impl Nullable<$name> {
            /// Adds a row for each value, none of which is missing.
            pub fn push_present(&mut self, values: &[$native]) {
                if let Some(validity) = &mut self.validity {
                    validity.push_slice(values, |_| true);
                }
                self.values.push_slice(values);
            }
        }
    };
}

bulk_present!(I64Column, i64);
bulk_present!(F64Column, f64);

impl Nullable<F64Column> {
    /// Adds a row for each number; one that is no number stands for none.
    pub fn push_numbers(&mut self, values: &[f64]) {
        push_validity(&mut self.validity, self.values.bytes.len() / 8, values, |value| !value.is_nan());
        let start = self.values.bytes.len();
        self.values.push_slice(values);
        clear(&mut self.values.bytes[start..], |number| f64::from_le_bytes(number).is_nan());
    }
}

#[cfg(test)]
mod tests {
    use super::super::Build;
    use super::*;

    #[test]
    fn fractions_and_repeated_keys_are_those_that_one_would_push() {
        let (mut fractions, mut by_one) = (F64Column::default(), F64Column::default());
        let wholes = [0, 1, -25, i32::MAX, i32::MIN, 123_457];
        for per in [10.0, 100.0, 3.0] {
            fractions.push_fractions(&wholes, per);
            wholes.iter().for_each(|whole| by_one.push(f64::from(*whole) / per));
        }
        assert_eq!(fractions.finish(), by_one.finish());
        let (mut many, mut one) = (DictionaryColumn::default(), DictionaryColumn::default());
        many.push_many(7, 3);
        (0..3).for_each(|_| one.push(7));
        assert_eq!(many.finish(), one.finish());
    }

    #[test]
    fn many_rows_at_once_are_the_same_as_one_by_one() {
        let (mut numbers, mut ids) = (Nullable::<I64Column>::default(), TextColumn::default());
        let mut fractions = Nullable::<F64Column>::default();
        let mut keys = Nullable::<DictionaryColumn>::default();
        keys.inner_mut().set_values(["a", "b", "c"]);
        let (mut numbers_by_one, mut keys_by_one, mut ids_by_one) = (numbers.clone(), keys.clone(), ids.clone());
        let mut fractions_by_one = fractions.clone();
        for (round, rows) in [5usize, 8, 16, 3, 64, 1].into_iter().enumerate() {
            let some: Vec<i64> =
                (0..rows as i64).map(|i| if round > 0 && i % 3 == 1 { NULL_NUMBER } else { i }).collect();
            let key: Vec<u32> = some.iter().map(|&i| if i == NULL_NUMBER { NULL_KEY } else { i as u32 % 3 }).collect();
            let id: Vec<u64> = some.iter().map(|&i| i as u64 * 0x1234_5678_9abc).collect();
            let fraction: Vec<f64> =
                some.iter().map(|&i| if i == NULL_NUMBER { f64::NAN } else { i as f64 / 8.0 }).collect();
            numbers.push_numbers(&some);
            match fraction.iter().any(|value| value.is_nan()) {
                true => fractions.push_numbers(&fraction),
                false => fractions.push_present(&fraction),
            }
            fraction.iter().for_each(|&value| fractions_by_one.push_option((!value.is_nan()).then_some(value)));
            keys.push_keys(&key);
            ids.push_hex16_slice(&id);
            for ((&number, &key), &id) in some.iter().zip(&key).zip(&id) {
                numbers_by_one.push_option((number != NULL_NUMBER).then_some(number));
                keys_by_one.push_option((key != NULL_KEY).then_some(key));
                ids_by_one.push_hex16(id);
            }
        }
        assert_eq!(numbers.finish(), numbers_by_one.finish());
        assert_eq!(fractions.finish(), fractions_by_one.finish());
        assert_eq!(keys.finish(), keys_by_one.finish());
        assert_eq!(ids.finish(), ids_by_one.finish());
    }
}
