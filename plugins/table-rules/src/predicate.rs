//! Questions about one column's value, asked of a whole batch at once.

use std::collections::BTreeSet;

use telemill_sdk::{Column, DataType, Field};

use crate::config::{Condition, Scalar};

/// What a row's value is held against; a null answers none of them.
#[derive(Clone, Debug)]
pub(crate) enum Predicate {
    /// Whether there is no value; a null answers this one.
    Null,
    /// Whether the number is one of these (all where none), and between the ends.
    Number { any_of: Vec<f64>, min: f64, max: f64 },
    /// Whether the text is one of these (all where none).
    Text(BTreeSet<Vec<u8>>),
}

/// A row's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
    /// There is no value to ask.
    Null,
}

impl Predicate {
    /// The question whether a field's value is one of `values`.
    ///
    /// # Errors
    /// Where the values are not of the field's type.
    pub(crate) fn any_of(field: &Field, values: &[Scalar]) -> Result<Self, String> {
        Self::new(field, values, None, None)
    }

    /// The question whether a field's value is between two ends.
    ///
    /// # Errors
    /// Where the field has no numbers.
    pub(crate) fn between(field: &Field, min: Option<f64>, max: Option<f64>) -> Result<Self, String> {
        Self::new(field, &[], min, max)
    }

    /// The question of a condition.
    ///
    /// # Errors
    /// Where it does not fit the field.
    pub(crate) fn of(field: &Field, condition: &Condition) -> Result<Self, String> {
        Self::new(field, &condition.any_of, condition.min, condition.max)
    }

    fn new(field: &Field, values: &[Scalar], min: Option<f64>, max: Option<f64>) -> Result<Self, String> {
        if field.data_type == DataType::Utf8 {
            if min.is_some() || max.is_some() {
                return Err(format!("column {:?} is text and has no order to compare by", field.name));
            }
            let texts = values.iter().map(|value| match value {
                Scalar::Text(text) => Ok(text.as_bytes().to_vec()),
                _ => Err(format!("column {:?} is text, and a value to compare with is none", field.name)),
            });
            return Ok(Self::Text(texts.collect::<Result<_, _>>()?));
        }
        let numbers = values.iter().map(|value| match (value, field.data_type) {
            (Scalar::Boolean(value), DataType::Boolean) => Ok(f64::from(u8::from(*value))),
            (Scalar::Number(value), data_type) if data_type != DataType::Boolean => Ok(*value),
            _ => Err(format!("column {:?} is {:?}, and a value to compare with is not", field.name, field.data_type)),
        });
        Ok(Self::Number {
            any_of: numbers.collect::<Result<_, _>>()?,
            min: min.unwrap_or(f64::NEG_INFINITY),
            max: max.unwrap_or(f64::INFINITY),
        })
    }

    /// Whether no row of a column without nulls can give this answer; told from the dictionary and the validity alone.
    pub(crate) fn never(&self, column: &Column, counted: Answer) -> bool {
        match self {
            Self::Null => counted == Answer::Yes,
            Self::Number { .. } => false,
            Self::Text(texts) => column.dictionary().is_some_and(|values| {
                let mut known = (0..values.len()).filter_map(|i| values.bytes_of(i));
                known.all(|value| (texts.is_empty() || texts.contains(value)) != (counted == Answer::Yes))
            }),
        }
    }

    /// Asks every row.
    pub(crate) fn each(&self, column: &Column, data_type: DataType, rows: usize, mut take: impl FnMut(usize, Answer)) {
        let answer = |yes: bool| if yes { Answer::Yes } else { Answer::No };
        match self {
            Self::Null => {
                for row in 0..rows {
                    take(row, answer(!column.is_valid(row)));
                }
            }
            Self::Number { any_of, min, max } => column.each_number(data_type, rows, |row, value| {
                let asked =
                    value.map(|value| *min <= value && value <= *max && (any_of.is_empty() || any_of.contains(&value)));
                take(row, asked.map_or(Answer::Null, answer));
            }),
            Self::Text(texts) => column.each_text(
                rows,
                |value| texts.is_empty() || texts.contains(value),
                |row, asked| take(row, asked.map_or(Answer::Null, answer)),
            ),
        }
    }
}

/// Which rows of a batch a rule is about.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    /// What it was made of.
    pub(crate) condition: Condition,
    /// The column's place in the selection.
    pub(crate) column: usize,
    pub(crate) data_type: DataType,
    pub(crate) predicate: Predicate,
    /// The answers for the batch at hand.
    rows: Vec<bool>,
    kept: u64,
}

impl Filter {
    pub(crate) fn new(condition: Condition, column: usize, data_type: DataType, predicate: Predicate) -> Self {
        Self { condition, column, data_type, predicate, rows: Vec::new(), kept: 0 }
    }

    /// Asks all rows of a batch.
    pub(crate) fn look(&mut self, column: &Column, rows: usize) {
        let (answers, kept) = (&mut self.rows, &mut self.kept);
        answers.clear();
        *kept = 0;
        self.predicate.each(column, self.data_type, rows, |_, answer| {
            *kept += u64::from(answer == Answer::Yes);
            answers.push(answer == Answer::Yes);
        });
    }

    /// How many rows of the batch the rule is about.
    pub(crate) fn kept(&self) -> u64 {
        self.kept
    }

    /// Whether the rule is about a row.
    #[inline]
    pub(crate) fn keeps(&self, row: usize) -> bool {
        self.rows.get(row).copied().unwrap_or(false)
    }
}
