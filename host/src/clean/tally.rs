//! What is counted of the rows between two steps: how many there are, of which class, and how many values each column
//! lacks.

use super::{CleanError, Selects};
use crate::query::Input;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most classes that are told apart.
const MAX_CLASSES: usize = 10_000;

/// Counts of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) rows: u64,
    /// Missing values of each column, in the order of the columns.
    missing: Vec<(String, u64)>,
    /// What there is of each class, by the values of the classes' columns; none where one of these columns is gone.
    classes: Option<BTreeMap<Vec<Option<String>>, Count>>,
}

/// Counts of one class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Count {
    rows: u64,
    /// Missing values of each column, in the order of the columns.
    missing: Vec<u64>,
}

/// Rows of one class that a step removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Class {
    /// The values of the recipe's classes; null is a class of its own.
    pub class: BTreeMap<String, Option<String>>,
    /// How many rows; less than zero where rows were added.
    pub rows: i64,
}

/// Values of one class that a step filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FilledClass {
    /// The values of the recipe's classes; null is a class of its own.
    pub class: BTreeMap<String, Option<String>>,
    /// How many values, by column.
    pub columns: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts the rows of `input`, told apart by the columns `classes`.
    pub(super) fn of(selects: &Selects<'_>, input: &Input, classes: &[String]) -> Result<Self, CleanError> {
        let schema = selects.rows("SELECT * FROM input", input)?.schema;
        let columns: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let told_apart = classes.iter().all(|class| columns.contains(class));
        let classes = if told_apart { classes } else { &[] };
        let counts = selects.rows(&query(&columns, classes), input)?;
        let mut tally = Self {
            rows: 0,
            missing: columns.into_iter().map(|column| (column, 0)).collect(),
            classes: told_apart.then(BTreeMap::new),
        };
        for batch in counts.blocking_unless(selects.runtime.clone(), selects.cancel) {
            tally.add(&batch?, classes.len())?;
        }
        if tally.classes.as_ref().is_some_and(|found| found.len() > MAX_CLASSES) {
            let message = format!("classes: {} has more than {MAX_CLASSES} of them", classes.join(", "));
            return Err(CleanError::Recipe(message));
        }
        Ok(tally)
    }

    /// Adds the rows of the query's result: the classes, the number of rows, the number of values of each column.
    fn add(&mut self, batch: &RecordBatch, classes: usize) -> Result<(), CleanError> {
        let text = |column: &ArrayRef| cast(column, &DataType::Utf8);
        let keys = batch.columns().iter().take(classes).map(text).collect::<Result<Vec<_>, _>>()?;
        let counts: Vec<_> =
            batch.columns().iter().skip(classes).filter_map(|column| column.as_primitive_opt::<Int64Type>()).collect();
        for row in 0..batch.num_rows() {
            let mut counts = counts.iter().map(|counts| counts.value(row).unsigned_abs());
            let rows = counts.next().unwrap_or_default();
            self.rows += rows;
            let missing: Vec<u64> = counts.map(|values| rows.saturating_sub(values)).collect();
            self.missing.iter_mut().zip(&missing).for_each(|((_, sum), missing)| *sum += missing);
            if let Some(classes) = &mut self.classes {
                let value = |key: &ArrayRef| {
                    let key = key.as_string::<i32>();
                    key.is_valid(row).then(|| key.value(row).to_owned())
                };
                classes.insert(keys.iter().map(value).collect(), Count { rows, missing });
            }
        }
        Ok(())
    }

    pub(super) fn has_column(&self, name: &str) -> bool {
        self.missing.iter().any(|(column, _)| column == name)
    }

    /// How many values a column lacks; 0 where there is no such column.
    pub(super) fn missing(&self, name: &str) -> u64 {
        self.missing.iter().find(|(column, _)| column == name).map_or(0, |(_, missing)| *missing)
    }

    /// By how many fewer values columns lack in `after`; columns that are in both only.
    pub(super) fn fewer_missing(&self, after: &Self) -> BTreeMap<String, u64> {
        let both = self.missing.iter().filter(|(column, _)| after.has_column(column));
        let fewer = both.map(|(column, missing)| (column.clone(), missing.saturating_sub(after.missing(column))));
        fewer.filter(|(_, missing)| *missing > 0).collect()
    }

    /// The rows that are not in `after`, by class.
    pub(super) fn removed(&self, after: &Self, names: &[String]) -> Vec<Class> {
        let (Some(before), Some(after)) = (&self.classes, &after.classes) else { return Vec::new() };
        if names.is_empty() {
            return Vec::new();
        }
        let signed = |count: Option<&Count>| count.map_or(0, |count| i64::try_from(count.rows).unwrap_or(i64::MAX));
        let keys = before.keys().chain(after.keys().filter(|key| !before.contains_key(*key)));
        let classes =
            keys.map(|key| Class { class: named(names, key), rows: signed(before.get(key)) - signed(after.get(key)) });
        classes.filter(|class| class.rows != 0).collect()
    }

    /// The values that `after` lacks no more, by class and column; nothing where rows went from one class to another, for it can't
    /// be told then.
    pub(super) fn filled(&self, after: &Self, names: &[String]) -> Vec<FilledClass> {
        let (Some(before), Some(now)) = (&self.classes, &after.classes) else { return Vec::new() };
        let rows = |classes: &BTreeMap<_, Count>| classes.values().map(|count| count.rows).collect::<Vec<_>>();
        if names.is_empty() || !before.keys().eq(now.keys()) || rows(before) != rows(now) {
            return Vec::new();
        }
        let place = |column: &str| after.missing.iter().position(|(name, _)| name == column);
        let columns = |(key, count): (&Vec<Option<String>>, &Count)| {
            let now = now.get(key).map(|count| count.missing.as_slice()).unwrap_or_default();
            let filled = self.missing.iter().zip(&count.missing).filter_map(|((column, _), missing)| {
                let filled = missing.saturating_sub(*now.get(place(column)?)?);
                (filled > 0).then(|| (column.clone(), filled))
            });
            FilledClass { class: named(names, key), columns: filled.collect() }
        };
        before.iter().map(columns).filter(|class| !class.columns.is_empty()).collect()
    }
}

fn named(names: &[String], key: &[Option<String>]) -> BTreeMap<String, Option<String>> {
    names.iter().cloned().zip(key.iter().cloned()).collect()
}

/// The SELECT that counts.
fn query(columns: &[String], classes: &[String]) -> String {
    let quoted = |name: &String| format!("\"{}\"", name.replace('"', "\"\""));
    let keys = classes.iter().enumerate().map(|(index, name)| format!("{} AS _class_{index}", quoted(name)));
    let counts = columns.iter().enumerate().map(|(index, name)| format!("count({}) AS _values_{index}", quoted(name)));
    let selected: Vec<_> = keys.chain(["count(*) AS _rows".to_owned()]).chain(counts).collect();
    let select = format!("SELECT {} FROM input", selected.join(", "));
    if classes.is_empty() {
        return select;
    }
    let by: Vec<_> = classes.iter().map(quoted).collect();
    format!("{select} GROUP BY {} LIMIT {}", by.join(", "), MAX_CLASSES + 1)
}
