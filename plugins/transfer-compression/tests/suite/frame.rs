//! Rows as columns of numbers, and what one asks of them.

use std::collections::BTreeMap;

use telemill_sdk::native::Run;
use telemill_sdk::time::SECOND;
use telemill_sdk::{Batch, DataType};
use transfer_compression::TransferCompression;

/// 2026-11-09T00:00:00Z, a Monday.
pub(crate) const MONDAY: i64 = 1_794_182_400 * SECOND;

/// Columns of a run. Text is told by its place in the dictionary; a null is no number.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    columns: BTreeMap<String, Vec<f64>>,
}

impl Frame {
    /// All rows of a run.
    pub(crate) fn of(run: &Run) -> Self {
        let mut frame = Self::default();
        run.each::<TransferCompression>(|batch| frame.add(&batch)).unwrap();
        frame
    }

    fn add(&mut self, batch: &Batch) {
        for (field, column) in batch.declaration().unwrap().fields.iter().zip(batch.columns()) {
            let to = self.columns.entry(field.name.clone()).or_default();
            for row in 0..batch.rows() {
                to.push(match field.data_type {
                    DataType::Utf8 => column.key(row).map_or(f64::NAN, f64::from),
                    DataType::Float64 => column.f64(row).unwrap_or(f64::NAN),
                    _ => column.i64(row).map_or(f64::NAN, |value| value as f64),
                });
            }
        }
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self["timestamp"].len()
    }

    /// The rows that a question about a column keeps.
    pub(crate) fn only(&self, column: &str, keep: impl Fn(f64) -> bool) -> Self {
        let kept: Vec<bool> = self[column].iter().map(|value| keep(*value)).collect();
        let columns = self.columns.iter().map(|(name, values)| {
            (name.clone(), values.iter().zip(&kept).filter(|(_, keep)| **keep).map(|(value, _)| *value).collect())
        });
        Self { columns: columns.collect() }
    }

    /// Mean of a column.
    pub(crate) fn mean(&self, column: &str) -> f64 {
        mean(&self[column])
    }

    /// Variance of a column.
    pub(crate) fn variance(&self, column: &str) -> f64 {
        let middle = self.mean(column);
        mean(&self[column].iter().map(|x| (x - middle).powi(2)).collect::<Vec<_>>())
    }

    /// A quantile of a column.
    pub(crate) fn quantile(&self, column: &str, share: f64) -> f64 {
        let mut values = self[column].clone();
        values.sort_by(f64::total_cmp);
        values[((values.len() - 1) as f64 * share) as usize]
    }

    /// Share of rows with this value.
    pub(crate) fn share(&self, column: &str, of: f64) -> f64 {
        self[column].iter().filter(|value| **value == of).count() as f64 / self.rows() as f64
    }

    /// Share of rows without a value.
    pub(crate) fn nulls(&self, column: &str) -> f64 {
        self[column].iter().filter(|value| value.is_nan()).count() as f64 / self.rows() as f64
    }

    /// Correlation of the ranks of two columns (Spearman).
    pub(crate) fn correlation(&self, a: &str, b: &str) -> f64 {
        let (a, b) = (ranks(&self[a]), ranks(&self[b]));
        let (mean_a, mean_b) = (mean(&a), mean(&b));
        let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(&b).map(|(x, y)| f(x - mean_a, y - mean_b)).sum::<f64>();
        sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
    }

    /// Names of the columns.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.keys().map(String::as_str)
    }
}

impl std::ops::Index<&str> for Frame {
    type Output = Vec<f64>;

    fn index(&self, column: &str) -> &Vec<f64> {
        &self.columns[column]
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The place of each value in the order of all, equal values at the middle of their places.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    while from < order.len() {
        let equal = order[from..].iter().take_while(|at| values[**at] == values[order[from]]).count().max(1);
        for at in &order[from..from + equal] {
            ranks[*at] = from as f64 + (equal as f64 - 1.0) / 2.0;
        }
        from += equal;
    }
    ranks
}
