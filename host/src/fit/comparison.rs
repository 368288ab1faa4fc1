//! Two samples of one table side by side: what is missing, how many different values, and how far each column is apart.

use super::FitError;
use super::config::short;
use super::sample::{MISSING, Sample, Values};
use super::series;
use crate::core::schema::{Field, Table};
use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Rows of each side that are looked at.
pub const MOST_COMPARED: usize = 200_000;
/// What a share counts at least in the stability of a population, so that a value of one side alone has a weight.
const LEAST_SHARE: f64 = 1e-4;
/// From this share of different values on, texts are ids, whose shares say nothing.
const IDS: f64 = 0.5;

/// How a distance was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Kolmogorov and Smirnov's, 0 to 1: of numbers and times.
    KolmogorovSmirnov,
    /// The population stability index, from 0 on: of texts and truth values. Below 0.1 nothing moved, above 0.25 much did.
    PopulationStability,
}

/// What one side has in a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ColumnSide {
    /// The share of missing values.
    pub null_share: f64,
    /// Different values.
    pub distinct: u64,
    /// The mean, of numbers.
    pub mean: Option<f64>,
}

/// A column on both sides; a side that has it not is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ColumnComparison {
    /// The column.
    pub column: String,
    /// The first side.
    pub first: Option<ColumnSide>,
    /// The second side.
    pub second: Option<ColumnSide>,
    /// How far they are apart; none where one side has no values, or they are ids.
    pub distance: Option<f64>,
    /// How that was measured.
    pub measure: Option<Measure>,
}

/// Rows of a table, gathered to be compared.
#[derive(Debug)]
pub struct Rows(Sample);

impl Rows {
    /// No rows yet.
    pub fn of(table: &Table) -> Self {
        Self(Sample::new(&table.fields))
    }

    /// Adds rows of the table; those beyond [`MOST_COMPARED`] are counted and not looked at.
    ///
    /// # Errors
    /// A column that is not of its declared type.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<(), FitError> {
        self.0.add(batch, MOST_COMPARED)
    }

    /// How many rows there were.
    pub fn rows(&self) -> u64 {
        self.0.total
    }

    /// The columns of both, those of the first in their order.
    pub fn compare(&self, second: &Self) -> Vec<ColumnComparison> {
        let names = |sample: &Sample| sample.columns.iter().map(|column| column.field.clone()).collect::<Vec<Field>>();
        let added = names(&second.0).into_iter().filter(|field| self.0.find(&field.name).is_none());
        names(&self.0).into_iter().chain(added).map(|field| column(&field.name, &self.0, &second.0)).collect()
    }
}

fn column(name: &str, first: &Sample, second: &Sample) -> ColumnComparison {
    let (distance, measure) = distance(name, first, second).map_or((None, None), |(d, m)| (Some(short(d)), Some(m)));
    ColumnComparison {
        column: name.to_owned(),
        first: side(name, first),
        second: side(name, second),
        distance,
        measure,
    }
}

fn side(name: &str, sample: &Sample) -> Option<ColumnSide> {
    let column = sample.columns.get(sample.find(name)?)?;
    let null_share = short(column.missing() as f64 / (sample.rows as f64).max(1.0));
    Some(match &column.values {
        Values::Texts(texts) => ColumnSide { null_share, distinct: texts.words.len() as u64, mean: None },
        Values::Numbers(numbers) => {
            let sorted = series::sorted(numbers);
            let mean = (!sorted.is_empty()).then(|| short(sorted.iter().sum::<f64>() / sorted.len() as f64));
            ColumnSide { null_share, distinct: sorted.chunk_by(|a, b| a == b).count() as u64, mean }
        }
    })
}

fn distance(name: &str, first: &Sample, second: &Sample) -> Option<(f64, Measure)> {
    let find = |sample: &Sample| sample.find(name);
    let (a, b) = (&first.columns.get(find(first)?)?.values, &second.columns.get(find(second)?)?.values);
    match (a, b) {
        (Values::Numbers(a), Values::Numbers(b)) => {
            let (a, b) = (series::sorted(a), series::sorted(b));
            // Of few values, as of truth values, shares say more than an order does.
            if [&a, &b].iter().all(|values| values.iter().all(|x| *x == 0.0 || *x == 1.0)) {
                return Some((stability(&shares(&a), &shares(&b))?, Measure::PopulationStability));
            }
            Some((series::kolmogorov_smirnov(&a, &b)?, Measure::KolmogorovSmirnov))
        }
        (Values::Texts(a), Values::Texts(b)) => {
            let shares = |texts: &super::sample::Texts| {
                let present = texts.places.iter().filter(|place| **place != MISSING).count() as f64;
                if texts.words.len() as f64 > IDS * present {
                    return None;
                }
                let words = texts.words.iter().cloned().zip(texts.counts());
                Some(words.map(|(word, count)| (word, count as f64 / present)).collect::<BTreeMap<_, _>>())
            };
            Some((stability(&shares(a)?, &shares(b)?)?, Measure::PopulationStability))
        }
        _ => None,
    }
}

/// Shares of sorted values.
fn shares(sorted: &[f64]) -> BTreeMap<String, f64> {
    let total = sorted.len() as f64;
    let value = |values: &[f64]| values.first().map(f64::to_string).unwrap_or_default();
    sorted.chunk_by(|a, b| a == b).map(|values| (value(values), values.len() as f64 / total)).collect()
}

/// The population stability index: the sum of (p - q) ln(p / q).
fn stability(a: &BTreeMap<String, f64>, b: &BTreeMap<String, f64>) -> Option<f64> {
    let of = |shares: &BTreeMap<String, f64>, key: &String| shares.get(key).copied().unwrap_or(0.0).max(LEAST_SHARE);
    let term = |key: &String| (of(a, key) - of(b, key)) * (of(a, key) / of(b, key)).ln();
    let only_b = b.keys().filter(|key| !a.contains_key(*key));
    (!a.is_empty() && !b.is_empty()).then(|| a.keys().chain(only_b).map(term).sum())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::batch::TableLayout;
    use crate::core::schema::{DataType, TableKind};
    use arrow::array::{ArrayRef, Float64Array, StringArray};
    use std::sync::Arc;

    fn rows(names: &[&str], columns: Vec<ArrayRef>) -> Rows {
        let field = |(name, array): (&&str, &ArrayRef)| Field {
            name: (*name).to_owned(),
            data_type: if array.data_type().is_numeric() { DataType::Float64 } else { DataType::Utf8 },
            nullable: true,
            unit: None,
            summary: String::new(),
            attributes: Vec::new(),
        };
        let table = Table {
            name: "t".into(),
            summary: String::new(),
            kind: TableKind::Events,
            fields: names.iter().zip(&columns).map(field).collect(),
            primary_key: Vec::new(),
            time_field: None,
            attributes: Vec::new(),
        };
        let layout = TableLayout::new(table);
        let mut rows = Rows::of(&layout.table);
        rows.add(&RecordBatch::try_new(layout.schema, columns).unwrap()).unwrap();
        rows
    }

    fn numbers(values: &[f64]) -> ArrayRef {
        Arc::new(Float64Array::from(values.to_vec()))
    }

    fn texts(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    #[test]
    fn columns_are_held_side_by_side() {
        let one = rows(&["x", "kind"], vec![numbers(&[1.0, 2.0, 3.0, 4.0]), texts(&[Some("a"); 4])]);
        let other = rows(
            &["x", "kind", "new"],
            vec![
                numbers(&[3.0, 4.0, 5.0, 6.0]),
                texts(&[Some("a"), Some("a"), Some("b"), Some("b")]),
                numbers(&[0.0; 4]),
            ],
        );
        let [x, kind, new] = <[_; 3]>::try_from(one.compare(&other)).unwrap();
        assert_eq!((x.distance, x.measure), (Some(0.5), Some(Measure::KolmogorovSmirnov)));
        assert_eq!(kind.second.as_ref().map(|side| (side.null_share, side.distinct)), Some((0.0, 2)));
        assert!(kind.distance.unwrap() > 0.25, "{kind:?}");
        assert!(new.first.is_none() && new.second.is_some() && new.distance.is_none());
        assert!(one.compare(&one).iter().all(|column| column.distance == Some(0.0)));
    }

    #[test]
    fn ids_have_no_distance() {
        let ids = rows(&["id"], vec![texts(&[Some("a"), Some("b"), Some("c")])]);
        assert_eq!(ids.compare(&ids).first().unwrap().distance, None);
    }
}
