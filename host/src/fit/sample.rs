//! The rows of a file as columns in memory: numbers, and texts by their places in a list of words.

use super::FitError;
use super::rows::DAY_US;
use crate::core::schema::{DataType, Field};
use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType as ArrowType, Float64Type};
use std::collections::HashMap;

/// The place of a text that is missing.
pub(super) const MISSING: u32 = u32::MAX;

/// Rows, column by column.
#[derive(Debug, Default)]
pub(super) struct Sample {
    /// Rows that are held.
    pub(super) rows: usize,
    /// Rows that there were.
    pub(super) total: u64,
    /// The columns in order.
    pub(super) columns: Vec<Column>,
}

/// One column.
#[derive(Debug)]
pub(super) struct Column {
    /// Its declaration.
    pub(super) field: Field,
    /// Its values.
    pub(super) values: Values,
    /// Values that are no finite numbers; they count as missing.
    pub(super) odd: u64,
}

/// Values of one kind.
#[derive(Debug)]
pub(super) enum Values {
    /// Numbers, truth values (0 and 1), microseconds or days since 1970; NaN where one is missing.
    Numbers(Vec<f64>),
    /// Texts.
    Texts(Texts),
}

/// Texts, each by its place among the words in the order in which they first came.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// The different texts.
    pub(super) words: Vec<String>,
    /// The place of each row's text; [`MISSING`] for none.
    pub(super) places: Vec<u32>,
    known: HashMap<String, u32>,
}

impl Texts {
    fn push(&mut self, text: Option<&str>) {
        let place = match text {
            None => MISSING,
            Some(text) => match self.known.get(text) {
                Some(place) => *place,
                None => {
                    let place = self.words.len() as u32;
                    self.words.push(text.to_owned());
                    self.known.insert(text.to_owned(), place);
                    place
                }
            },
        };
        self.places.push(place);
    }

    /// How often there is each word.
    pub(super) fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.words.len()];
        for place in &self.places {
            if let Some(count) = counts.get_mut(*place as usize) {
                *count += 1;
            }
        }
        counts
    }
}

impl Sample {
    /// Columns without rows.
    pub(super) fn new(fields: &[Field]) -> Self {
        let column = |field: &Field| {
            let texts = field.data_type == DataType::Utf8;
            let values = if texts { Values::Texts(Texts::default()) } else { Values::Numbers(Vec::new()) };
            Column { field: field.clone(), values, odd: 0 }
        };
        Self { columns: fields.iter().map(column).collect(), ..Self::default() }
    }

    /// Adds rows, of which it holds no more than `most` in all. Columns are those of the declaration, in order.
    ///
    /// # Errors
    /// A column that is not of its declared type.
    pub(super) fn add(&mut self, batch: &RecordBatch, most: usize) -> Result<(), FitError> {
        self.total += batch.num_rows() as u64;
        let batch = batch.slice(0, batch.num_rows().min(most.saturating_sub(self.rows)));
        self.rows += batch.num_rows();
        for (column, array) in self.columns.iter_mut().zip(batch.columns()) {
            match &mut column.values {
                Values::Texts(texts) => {
                    let array = cast(array, &ArrowType::Utf8)?;
                    array.as_string::<i32>().iter().for_each(|text| texts.push(text));
                }
                Values::Numbers(numbers) => {
                    let plain = match column.field.data_type {
                        DataType::Timestamp => cast(array, &ArrowType::Int64)?,
                        DataType::Date => cast(array, &ArrowType::Int32)?,
                        _ => array.clone(),
                    };
                    let array = cast(&plain, &ArrowType::Float64)?;
                    column.odd +=
                        array.as_primitive::<Float64Type>().iter().flatten().filter(|x| !x.is_finite()).count() as u64;
                    let number = |x: Option<f64>| x.filter(|x| x.is_finite()).unwrap_or(f64::NAN);
                    numbers.extend(array.as_primitive::<Float64Type>().iter().map(number));
                }
            }
        }
        Ok(())
    }

    /// The column of this name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.field.name == name)
    }

    /// The numbers of a column.
    pub(super) fn numbers(&self, column: usize) -> Option<&[f64]> {
        match &self.columns.get(column)?.values {
            Values::Numbers(numbers) => Some(numbers),
            Values::Texts(_) => None,
        }
    }

    /// The texts of a column.
    pub(super) fn texts(&self, column: usize) -> Option<&Texts> {
        match &self.columns.get(column)?.values {
            Values::Texts(texts) => Some(texts),
            Values::Numbers(_) => None,
        }
    }

    /// Makes all times but `times` seconds after them, and dates days after theirs, which is what a configuration says of them.
    pub(super) fn relative_to(&mut self, times: &[f64], time: Option<usize>) {
        for (at, column) in self.columns.iter_mut().enumerate() {
            let after: fn(f64, f64) -> f64 = match column.field.data_type {
                DataType::Timestamp if Some(at) != time => |value, time| (value - time) / 1e6,
                DataType::Date => |value, time| value - (time / DAY_US).floor(),
                _ => continue,
            };
            if let Values::Numbers(numbers) = &mut column.values {
                numbers.iter_mut().zip(times).for_each(|(value, time)| *value = after(*value, *time));
            }
        }
    }
}

impl Column {
    /// How many rows have no value.
    pub(super) fn missing(&self) -> usize {
        match &self.values {
            Values::Numbers(numbers) => numbers.iter().filter(|x| x.is_nan()).count(),
            Values::Texts(texts) => texts.places.iter().filter(|place| **place == MISSING).count(),
        }
    }
}
