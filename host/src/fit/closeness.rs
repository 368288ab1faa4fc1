//! How close rows that a configuration makes come to the sample: column by column, and which columns no longer go together.

use super::config::short;
use super::numbers;
use super::sample::{Column, MISSING, Sample, Texts, Values};
use super::series::{self, Pairs};
use serde::Serialize;
use std::collections::BTreeMap;

/// Columns whose pairs are looked at, and pairs that are told.
const MOST_PAIRED: usize = 40;
const TOLD_PAIRS: usize = 5;
/// From which difference of the correlation on a pair is told.
const TOLD_FROM: f64 = 0.3;
/// Rows that pairs are looked at in.
const PAIRED_ROWS: usize = 20_000;
/// Numbers of which there are so many are compared by how often one repeats.
const FEW: usize = 12;

/// One column of the sample and what the configuration makes of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnCloseness {
    /// The column.
    pub column: String,
    /// Its type.
    pub data_type: String,
    /// What was written, in a few words.
    pub written: String,
    /// Two-sample distance, 0 to 1: Kolmogorov and Smirnov's for numbers and times, the total variation for texts and truth values.
    /// None for ids, which are never the same, and where one side has no values.
    pub distance: Option<f64>,
    /// The distance that two samples of one source, of so many rows and so long a memory, have at most but for one time in twenty.
    /// Of numbers alone.
    pub by_chance: Option<f64>,
    /// Share of missing values, less that of the sample.
    pub null_share_difference: f64,
    /// Of rows on a grid: the correlation with the value before (of normal values that have the same ranks), or for texts, truth
    /// values and few numbers the share of repeats; less that of the sample.
    pub lag_1_difference: Option<f64>,
    /// What the configuration does no justice to.
    pub notes: Vec<String>,
}

/// Two columns that go together in the sample and do not in what is made, or the other way round.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairCloseness {
    /// The two.
    pub columns: [String; 2],
    /// Correlation of their ranks in the sample.
    pub sample: f64,
    /// And in what is made.
    pub made: f64,
}

/// Rows of one side, with those that follow each other.
pub(super) struct Side<'a> {
    pub(super) sample: &'a Sample,
    pub(super) pairs: Option<Pairs>,
}

/// Distance, difference of the shares of missing values, and difference of lag-1 of one column. `ids` are not compared.
pub(super) fn column(name: &str, ids: bool, wanted: &Side<'_>, made: &Side<'_>) -> (Option<f64>, f64, Option<f64>) {
    let find = |side: &Side<'_>| side.sample.find(name);
    let (Some(a), Some(b)) = (find(wanted), find(made)) else { return (None, 0.0, None) };
    let (Some(first), Some(second)) = (wanted.sample.columns.get(a), made.sample.columns.get(b)) else {
        return (None, 0.0, None);
    };
    let nulls = |column: &Column, side: &Side<'_>| numbers::share(column.missing(), side.sample.rows);
    let null_share = short(nulls(second, made) - nulls(first, wanted));
    if ids {
        return (None, null_share, None);
    }
    let pairs = wanted.pairs.as_ref().zip(made.pairs.as_ref());
    let less = |a: Option<f64>, b: Option<f64>| Some(short(b? - a?));
    let (distance, lag_1) = match (&first.values, &second.values) {
        (Values::Texts(first), Values::Texts(second)) => {
            let lag =
                pairs.and_then(|(a, b)| less(series::repeats(&first.places, a), series::repeats(&second.places, b)));
            (total_variation(&shares_of_texts(first), &shares_of_texts(second)), lag)
        }
        (Values::Numbers(first), Values::Numbers(second)) => {
            let distance = series::kolmogorov_smirnov(&series::sorted(first), &series::sorted(second));
            let lag = pairs.and_then(|(a, b)| match numbers::few(first, FEW) {
                Some(few) => {
                    let repeats = |values: &[f64], pairs| series::repeats(&super::columns::places(values, &few), pairs);
                    less(repeats(first, a), repeats(second, b))
                }
                None => less(series::lag_1(first, a), series::lag_1(second, b)),
            });
            (distance, lag)
        }
        _ => (None, None),
    };
    (distance.map(short), null_share, lag_1)
}

fn shares_of_texts(texts: &Texts) -> BTreeMap<&str, f64> {
    let present = texts.places.iter().filter(|place| **place != MISSING).count();
    texts.words.iter().zip(texts.counts()).map(|(word, count)| (word.as_str(), count as f64 / present as f64)).collect()
}

/// Half of the sum of the differences of shares; none where one side has no values.
fn total_variation(a: &BTreeMap<&str, f64>, b: &BTreeMap<&str, f64>) -> Option<f64> {
    let of = |shares: &BTreeMap<&str, f64>, word: &str| shares.get(word).copied().unwrap_or(0.0);
    let both: f64 = a.iter().map(|(word, share)| (share - of(b, word)).abs()).sum();
    let second: f64 = b.iter().filter(|(word, _)| !a.contains_key(*word)).map(|(_, share)| share).sum();
    (!a.is_empty() && !b.is_empty()).then_some((both + second) / 2.0)
}

/// The pairs of `columns`, all of numbers, whose correlation differs most.
pub(super) fn pairs(columns: &[&str], wanted: &Sample, made: &Sample) -> Vec<PairCloseness> {
    let ranks = |sample: &Sample, name: &str| {
        let numbers = sample.numbers(sample.find(name)?)?;
        // From all over the sample, the same rows of each column. Not every so many: rows of a grid take turns, and some entities
        // would never be seen.
        Some(series::ranks(&series::mixed(numbers).take(PAIRED_ROWS).collect::<Vec<f64>>()))
    };
    let columns: Vec<_> = columns
        .iter()
        .take(MOST_PAIRED)
        .filter_map(|name| Some((*name, ranks(wanted, name)?, ranks(made, name)?)))
        .collect();
    let correlation = |a: &[f64], b: &[f64]| series::correlation(a.iter().copied().zip(b.iter().copied()));
    let mut pairs = Vec::new();
    for (at, (a, wanted_a, made_a)) in columns.iter().enumerate() {
        for (b, wanted_b, made_b) in columns.iter().skip(at + 1) {
            let both = correlation(wanted_a, wanted_b).zip(correlation(made_a, made_b));
            if let Some((sample, made)) = both.filter(|(sample, made)| (sample - made).abs() >= TOLD_FROM) {
                let columns = [(*a).to_owned(), (*b).to_owned()];
                pairs.push(PairCloseness { columns, sample: short(sample), made: short(made) });
            }
        }
    }
    pairs.sort_by(|a, b| (b.sample - b.made).abs().total_cmp(&(a.sample - a.made).abs()));
    pairs.truncate(TOLD_PAIRS);
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::schema::{DataType, Field};

    /// Rows of two columns of numbers, `a` and `b`.
    fn two_columns(rows: &[(f64, f64)]) -> Sample {
        let column = |name: &str, numbers: Vec<f64>| Column {
            field: Field {
                name: name.to_owned(),
                data_type: DataType::Float64,
                nullable: true,
                unit: None,
                summary: String::new(),
                attributes: Vec::new(),
            },
            values: Values::Numbers(numbers),
            odd: 0,
        };
        let (a, b) = rows.iter().copied().unzip();
        Sample { rows: rows.len(), total: rows.len() as u64, columns: vec![column("a", a), column("b", b)] }
    }

    #[test]
    fn pairs_see_all_devices_of_a_grid() {
        // Two columns that go together, but on every fifth of forty devices, which is where every 35th row is.
        let of = |device: usize, step: usize| {
            let a = (device * 7 + step * 11) as f64 % 101.0;
            (a, if device.is_multiple_of(5) { -a } else { a })
        };
        let row = |row: usize| of(row % 40, row / 40);
        let wanted: Vec<(f64, f64)> = (0..700_000).map(row).collect();
        assert_eq!(wanted.len().div_ceil(PAIRED_ROWS), 35);
        // The same rows, from another device on.
        let made: Vec<(f64, f64)> = (1..700_001).map(row).collect();
        assert_eq!(pairs(&["a", "b"], &two_columns(&wanted), &two_columns(&made)), []);
        // And what differs is still told, with its figure over all devices.
        let apart: Vec<(f64, f64)> = wanted.iter().map(|(a, _)| (*a, *a)).collect();
        let told = pairs(&["a", "b"], &two_columns(&wanted), &two_columns(&apart));
        assert_eq!(told.len(), 1);
        assert!((0.5..0.7).contains(&told[0].sample) && told[0].made > 0.99, "{told:?}");
    }

    #[test]
    fn shares_are_apart_by_their_differences() {
        let a = BTreeMap::from([("x", 0.5), ("y", 0.5)]);
        assert_eq!(total_variation(&a, &a), Some(0.0));
        assert_eq!(total_variation(&a, &BTreeMap::from([("x", 0.75), ("y", 0.25)])), Some(0.25));
        assert_eq!(total_variation(&a, &BTreeMap::from([("z", 1.0)])), Some(1.0));
        assert_eq!(total_variation(&a, &BTreeMap::new()), None);
    }
}
