//! How often each value of a column occurs, in bounded memory.

use std::collections::BTreeMap;

use telemill_sdk::{Column, DataType};

/// Most values that are told apart; a column with more has no classes.
const MOST_VALUES: usize = 10_000;
/// Longest text that is a class, in bytes.
const LONGEST_TEXT: usize = 1_000;

/// The values of a column, and how many rows have each. Nulls are not looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Classes {
    texts: BTreeMap<Vec<u8>, usize>,
    numbers: BTreeMap<u64, usize>,
    /// Each value as it is told, with its rows.
    counts: Vec<(String, u64)>,
    /// Whether there are more values than are told apart, or longer ones.
    pub(crate) too_many: bool,
    /// Rows with a value.
    pub(crate) rows: u64,
}

impl Classes {
    /// Counts the rows of a batch that `keeps` keeps.
    pub(crate) fn observe(&mut self, column: &Column, data_type: DataType, rows: usize, keeps: impl Fn(usize) -> bool) {
        let Self { texts, numbers, counts, too_many, rows: seen } = self;
        let mut add = |counts: &mut Vec<(String, u64)>, row: usize, class: Option<Option<usize>>| {
            let Some(class) = class.filter(|_| keeps(row)) else { return };
            *seen += 1;
            match class.and_then(|class| counts.get_mut(class)) {
                Some((_, count)) => *count += 1,
                None => *too_many = true,
            }
        };
        if data_type == DataType::Utf8 {
            // Values get their place first, as `each_text` asks once for those of a dictionary.
            let mut classes = Vec::with_capacity(rows);
            let mut place = |text: &[u8]| match texts.get(text).copied() {
                Some(class) => Some(class),
                None if counts.len() >= MOST_VALUES || text.len() > LONGEST_TEXT => None,
                None => {
                    counts.push((format!("{:?}", String::from_utf8_lossy(text)), 0));
                    texts.insert(text.to_vec(), counts.len() - 1);
                    Some(counts.len() - 1)
                }
            };
            column.each_text(rows, &mut place, |row, class| classes.push((row, class)));
            classes.into_iter().for_each(|(row, class)| add(counts, row, class));
        } else {
            column.each_number(data_type, rows, |row, value| {
                let class = value.map(|value| match numbers.get(&value.to_bits()).copied() {
                    Some(class) => Some(class),
                    None if counts.len() >= MOST_VALUES => None,
                    None => {
                        counts.push((value.to_string(), 0));
                        numbers.insert(value.to_bits(), counts.len() - 1);
                        Some(counts.len() - 1)
                    }
                });
                add(counts, row, class);
            });
        }
    }

    /// The values that occur, with their rows.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().filter(|(_, rows)| *rows > 0).map(|(value, rows)| (value.as_str(), *rows))
    }
}
