//! The types of a file's columns, from all of its values: a type that one value does not have, the column does not
//! have.

use super::convert;
use super::record::{Cell, Record};
use crate::core::schema::DataType;

/// Types in the order of preference. Text comes last and takes everything.
const TYPES: [DataType; 5] =
    [DataType::Boolean, DataType::Int64, DataType::Float64, DataType::Date, DataType::Timestamp];

/// Digits that a whole number may have and still be the same as a float.
const EXACT_DIGITS: usize = 15;

/// What a column was so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Guess {
    /// Values that are not null.
    values: u64,
    /// One bit for each of [`TYPES`] that some value does not have.
    refuted: u8,
}

/// The guesses of all columns.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    columns: Vec<Guess>,
    rows: u64,
}

impl Guesses {
    pub(super) fn add(&mut self, record: &Record) {
        self.rows += 1;
        if record.len() > self.columns.len() {
            self.columns.resize(record.len(), Guess::default());
        }
        for (column, guess) in self.columns.iter_mut().enumerate() {
            guess.add(record.get(column));
        }
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// The type of a column, and whether every row has a value.
    pub(super) fn column(&self, column: usize) -> (DataType, bool) {
        let guess = self.columns.get(column).copied().unwrap_or_default();
        (guess.data_type(), guess.values == self.rows)
    }
}

impl Guess {
    fn add(&mut self, cell: Cell<'_>) {
        let (text, surely_text) = match cell {
            Cell::Null => return,
            Cell::Bare(text) => (text, false),
            Cell::Text(text) => (text, true),
        };
        self.values += 1;
        for (index, data_type) in TYPES.iter().enumerate() {
            let bit = 1 << index;
            if self.refuted & bit == 0 && !has_type(text, *data_type, surely_text) {
                self.refuted |= bit;
            }
        }
    }

    fn data_type(self) -> DataType {
        let mut left = TYPES.iter().enumerate().filter(|(index, _)| self.refuted & (1 << index) == 0);
        match left.next() {
            // Of a column without values nothing is known, and text takes whatever comes.
            Some((_, data_type)) if self.values > 0 => *data_type,
            _ => DataType::Utf8,
        }
    }
}

fn has_type(text: &str, data_type: DataType, surely_text: bool) -> bool {
    let number = !surely_text && is_plain_number(text);
    match data_type {
        DataType::Boolean => !surely_text && matches!(text, "true" | "false"),
        DataType::Int64 => number && text != "-0" && text.parse::<i64>().is_ok(),
        DataType::Float64 => number || (!surely_text && matches!(text, "NaN" | "inf" | "-inf")),
        DataType::Date => convert::date(text).is_some(),
        DataType::Timestamp => text.len() > 10 && convert::timestamp(text).is_some(),
        DataType::Int32 | DataType::Float32 | DataType::Utf8 => false,
    }
}

/// Whether nothing is lost when `text` becomes a number: codes such as `007` and `+49` stay text, and so do whole
/// numbers that are too long for either type.
fn is_plain_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let whole = digits.bytes().all(|byte| byte.is_ascii_digit());
    let padded =
        digits.len() > 1 && digits.starts_with('0') && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    if padded || !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    if whole {
        return digits.len() <= EXACT_DIGITS || text.parse::<i64>().is_ok();
    }
    text.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(cells: &[Cell<'_>]) -> DataType {
        let mut guess = Guess::default();
        cells.iter().for_each(|cell| guess.add(*cell));
        guess.data_type()
    }

    #[test]
    fn a_column_has_the_type_that_all_of_its_values_have() {
        use Cell::{Bare, Null, Text};
        assert_eq!(guess(&[Bare("true"), Null, Bare("false")]), DataType::Boolean);
        assert_eq!(guess(&[Bare("1"), Bare("-9223372036854775808")]), DataType::Int64);
        assert_eq!(guess(&[Bare("1"), Bare("1.5"), Bare("1e-3")]), DataType::Float64);
        assert_eq!(guess(&[Bare("-0")]), DataType::Float64);
        assert_eq!(guess(&[Bare("NaN"), Bare("2.5")]), DataType::Float64);
        assert_eq!(guess(&[Text("2026-11-09"), Null]), DataType::Date);
        assert_eq!(guess(&[Bare("2026-11-09T14:25:00Z"), Bare("2026-11-09 14:25:00.5")]), DataType::Timestamp);
        for cells in [
            &[Bare("1"), Bare("x")][..],
            &[Text("1")],
            &[Bare("007")],
            &[Bare("99999999999999999999")],
            &[Null],
            &[Bare("1e999")],
            &[Bare("true"), Bare("1")],
        ] {
            assert_eq!(guess(cells), DataType::Utf8, "{cells:?}");
        }
    }
}
