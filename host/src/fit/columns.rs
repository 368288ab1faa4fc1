//! What each column of a sample becomes in the configuration.

use super::config::{Attribute, Column as Config, Pace, Scalar, Value, all_short, short};
use super::dependence::Other;
use super::numbers::{self, Setting, Written, share};
use super::sample::{Column, MISSING, Sample, Texts, Values};
use super::series::{self, Pairs};
use crate::core::schema::DataType;

/// Texts of one column, at most; the generator takes more, and nobody reads them.
const MOST_TEXTS: usize = 1_000;
/// Share of texts that are all different from which on a column holds ids, and the fewest rows that show it.
const DISTINCT: f64 = 0.9;
const LEAST_IDS: usize = 20;
/// Different numbers, at most, that are written one by one, and how often each must come on average.
const FEW_NUMBERS: usize = 50;
const OFTEN: usize = 5;
/// Of more different numbers than this, hours may explain something.
const LEVELS_FROM: usize = 12;
/// The column that the generator itself adds where incidents act.
pub(super) const INCIDENT_ID: &str = "incident_id";
/// How the notes of columns say that nothing but the missing is known.
const EMPTY: &str = "no row has a value";

/// What becomes of column `at`; none where it is left out.
pub(super) fn written(sample: &Sample, at: usize, setting: &Setting<'_>, above: &[Other<'_>]) -> Option<Written> {
    let column = sample.columns.get(at)?;
    let name = column.field.name.as_str();
    let rows = setting.rows;
    if Some(at) == rows.time {
        let what = if rows.on_grid() { "the rows' time, on a grid" } else { "the rows' time, at random" };
        return Some(plain(name, Value::Time, what));
    }
    if Some(at) == rows.entity {
        return Some(plain(name, Value::Entity, "what rows are about"));
    }
    if name == INCIDENT_ID {
        return None;
    }
    let missing = column.missing();
    if let Some(written) = of_entities(column, missing, setting) {
        return Some(written);
    }
    let mut written = match &column.values {
        _ if missing == sample.rows => empty(name),
        Values::Texts(texts) => of_texts(name, texts, setting.pairs),
        Values::Numbers(numbers) => of_numbers(column, numbers, setting, above),
    };
    if missing > 0 {
        written.column.null_share = share(missing, sample.rows);
    }
    if column.odd > 0 {
        written.notes.push(format!("{} values are no finite numbers and count as missing", column.odd));
    }
    Some(written)
}

fn plain(name: &str, value: Value, what: &str) -> Written {
    Written {
        column: Config { name: name.to_owned(), value, ..Config::default() },
        what: what.to_owned(),
        ..Written::default()
    }
}

/// A column that no row has a value in.
fn empty(name: &str) -> Written {
    let mut written = plain(name, Value::Constant(String::new()), "nothing");
    written.notes.push(EMPTY.to_owned());
    written
}

/// A column in which each entity always has the same value.
fn of_entities(column: &Column, missing: usize, setting: &Setting<'_>) -> Option<Written> {
    let (entities, count) = setting.entities.filter(|_| missing == 0)?;
    let name = column.field.name.as_str();
    let list = match (&column.values, column.field.data_type) {
        (Values::Texts(texts), _) => {
            let text = |place: u32| texts.words.get(place as usize).cloned().unwrap_or_default();
            one_each(entities, count, &texts.places)?.into_iter().map(|place| Scalar::Text(text(place))).collect()
        }
        // Times and dates are told from the row's time, and no number is true.
        (_, DataType::Timestamp | DataType::Date | DataType::Boolean) => return None,
        (Values::Numbers(numbers), _) => one_each(entities, count, numbers)?.into_iter().map(Scalar::Number).collect(),
    };
    let mut written = plain(name, Value::Attribute(format!("{}.{name}", setting.kind)), "");
    written.what = format!("what each {} has", setting.kind);
    written.attribute = Some(Attribute { name: name.to_owned(), value: Value::List(list) });
    let whole = matches!(column.field.data_type, DataType::Int32 | DataType::Int64);
    written.column.data_type = whole.then_some("integer");
    Some(written)
}

/// The value of each entity; none where one has two, or all have the same.
fn one_each<T: Copy + PartialEq>(entities: &[u32], count: usize, values: &[T]) -> Option<Vec<T>> {
    let mut found: Vec<Option<T>> = vec![None; count];
    for (entity, value) in entities.iter().zip(values) {
        let slot = found.get_mut(*entity as usize)?;
        if slot.get_or_insert(*value) != value {
            return None;
        }
    }
    let found: Vec<T> = found.into_iter().collect::<Option<_>>()?;
    found.iter().any(|value| Some(value) != found.first()).then_some(found)
}

fn of_texts(name: &str, texts: &Texts, pairs: Option<&Pairs>) -> Written {
    let present = texts.places.iter().filter(|place| **place != MISSING).count();
    if present >= LEAST_IDS && texts.words.len() as f64 >= DISTINCT * present as f64 {
        let prefix = prefix(&texts.words);
        let mut written = plain(name, Value::Id { prefix }, "an id that no other row has");
        if texts.words.len() < present {
            written.notes.push(format!("{} rows have an id that another row has, too", present - texts.words.len()));
        }
        return written;
    }
    let mut counted: Vec<(&String, u64)> = texts.words.iter().zip(texts.counts()).collect();
    counted.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let mut notes = Vec::new();
    if counted.len() > MOST_TEXTS {
        let kept: u64 = counted.iter().take(MOST_TEXTS).map(|(_, count)| count).sum();
        notes.push(format!(
            "of {} texts only the {MOST_TEXTS} commonest are written, which {:.1} % of the rows have",
            counted.len(),
            100.0 * kept as f64 / present as f64
        ));
        counted.truncate(MOST_TEXTS);
    }
    let weights: Vec<f64> = counted.iter().map(|(_, count)| *count as f64).collect();
    let lag_1 = memory(&weights, &texts.places, pairs);
    let what = remembering(format!("categories: {}", counted.len()), lag_1);
    let total = present.max(1) as f64;
    let value = Value::Categories {
        values: counted.iter().map(|(word, _)| (*word).clone()).collect(),
        weights: all_short(weights.iter().map(|weight| weight / total)),
    };
    let column = Config { name: name.to_owned(), value, lag_1, ..Config::default() };
    Written { column, what, notes, ..Written::default() }
}

fn of_numbers(column: &Column, values: &[f64], setting: &Setting<'_>, above: &[Other<'_>]) -> Written {
    let name = column.field.name.as_str();
    let data_type = match column.field.data_type {
        DataType::Boolean => return of_truth(name, values, setting.pairs),
        DataType::Int32 | DataType::Int64 => Some("integer"),
        DataType::Timestamp => Some("timestamp"),
        DataType::Date => Some("date"),
        _ => None,
    };
    let mut written = rising(name, values, data_type, setting)
        .or_else(|| one_of_few(name, values, setting, above))
        .unwrap_or_else(|| numbers::written(name, values, setting, above));
    written.column.data_type = data_type;
    match data_type {
        Some("timestamp") => written.what = format!("{}, of seconds after the row's time", written.what),
        Some("date") => written.what = format!("{}, of days after the row's", written.what),
        _ => {}
    }
    if data_type.is_some_and(|given| given != "timestamp") {
        written.column.decimals = None;
    }
    if never_falls(values, setting) && written.is_measured() {
        written.notes.push("it never falls from row to row; the configuration's does".to_owned());
    }
    if data_type == Some("integer") && written.is_measured() {
        let distinct = numbers::few(values, usize::MAX).map_or(0, |few| few.len());
        let present = values.len() - column.missing();
        if distinct == present && present >= LEAST_IDS {
            written.notes.push("each number is there once; the configuration's are drawn and may repeat".to_owned());
        }
    }
    written
}

fn of_truth(name: &str, values: &[f64], pairs: Option<&Pairs>) -> Written {
    let few = numbers::few(values, 2).unwrap_or_default();
    let total: u64 = few.iter().map(|(_, count)| count).sum();
    let yes = few.iter().find(|(value, _)| *value > 0.0).map_or(0, |(_, count)| *count);
    let chance = share(yes as usize, total as usize);
    let lag_1 = memory(&[chance, 1.0 - chance], &places(values, &few), pairs);
    let column = Config { name: name.to_owned(), value: Value::Chance(chance), lag_1, ..Config::default() };
    Written { column, what: remembering("chance".to_owned(), lag_1), ..Written::default() }
}

/// Numbers that rise by the same from row to row, in the order in which the generator makes them.
fn rising(name: &str, values: &[f64], data_type: Option<&str>, setting: &Setting<'_>) -> Option<Written> {
    let Pace::Every(every) = setting.rows.pace else { return None };
    if data_type != Some("integer") || values.len() < 3 {
        return None;
    }
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    let step = f64::from(every) * 1e6;
    let time = |row: &u32| setting.rows.times.get(*row as usize).map_or(0.0, |time| (time / step).round());
    let entity = |row: &u32| setting.entities.and_then(|(all, _)| all.get(*row as usize)).copied().unwrap_or(0);
    order.sort_by(|a, b| time(a).total_cmp(&time(b)).then(entity(a).cmp(&entity(b))));
    let rising: Vec<f64> = order.iter().filter_map(|row| values.get(*row as usize)).copied().collect();
    let (start, increment) = (*rising.first()?, rising.get(1)? - rising.first()?);
    let steady = rising.windows(2).all(|pair| matches!(pair, [a, b] if b - a == increment));
    let value = Value::Sequence { start: start as i64, increment: increment as i64 };
    (steady && increment != 0.0).then(|| plain(name, value, "a number that rises"))
}

/// Whether each number is at least the one before it, as counters are.
fn never_falls(values: &[f64], setting: &Setting<'_>) -> bool {
    let Some(pairs) = setting.pairs else { return false };
    let (mut rises, mut falls) = (0u64, 0u64);
    for (before, value) in pairs.of(values) {
        (rises, falls) = (rises + u64::from(value > before), falls + u64::from(value < before));
    }
    rises >= 10 && falls == 0
}

/// Numbers of which there are few, each with its weight; by their levels where hours, entities or another column explain something.
/// None where there are many.
fn one_of_few(name: &str, values: &[f64], setting: &Setting<'_>, above: &[Other<'_>]) -> Option<Written> {
    let few = numbers::few(values, FEW_NUMBERS)?;
    let total: u64 = few.iter().map(|(_, count)| count).sum();
    if (few.len() * OFTEN) as u64 > total {
        return None;
    }
    if few.len() > LEVELS_FROM {
        let levels = numbers::written(name, values, setting, above);
        // What has bounds has something beside its quantiles to be bounded.
        if levels.column.min.is_some() {
            return Some(levels);
        }
    }
    let weights: Vec<f64> = few.iter().map(|(_, count)| *count as f64).collect();
    let lag_1 = memory(&weights, &places(values, &few), setting.pairs);
    let value = Value::Numbers {
        values: few.iter().map(|(value, _)| *value).collect(),
        weights: all_short(weights.iter().map(|weight| weight / total as f64)),
    };
    let column = Config { name: name.to_owned(), value, lag_1, ..Config::default() };
    Some(Written { column, what: remembering(format!("numbers: {}", few.len()), lag_1), ..Written::default() })
}

/// The place of each value among few.
pub(super) fn places(values: &[f64], few: &[(f64, u64)]) -> Vec<u32> {
    let place = |value: &f64| match few.binary_search_by(|(known, _)| known.total_cmp(value)) {
        Ok(place) => place as u32,
        Err(_) => MISSING,
    };
    values.iter().map(place).collect()
}

/// How a choice remembers, where rows follow each other.
fn memory(weights: &[f64], places: &[u32], pairs: Option<&Pairs>) -> f64 {
    let repeats = pairs.and_then(|pairs| series::repeats(places, pairs));
    short(repeats.map_or(0.0, |repeats| series::memory_of_repeats(weights, repeats)))
}

fn remembering(what: String, lag_1: f64) -> String {
    if lag_1 > 0.0 { format!("{what}, lag-1 of {lag_1:.2}") } else { what }
}

/// What all texts begin with, up to its last sign that is neither letter nor digit.
fn prefix(words: &[String]) -> String {
    let Some(first) = words.first() else { return String::new() };
    let common = words.iter().fold(first.as_str(), |common, word| {
        let same = common.char_indices().zip(word.chars()).take_while(|((_, a), b)| a == b);
        let end = same.last().map_or(0, |((at, c), _)| at + c.len_utf8());
        common.get(..end).unwrap_or_default()
    });
    let end = common.char_indices().rev().find(|(_, c)| !c.is_alphanumeric()).map_or(0, |(at, c)| at + c.len_utf8());
    common.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_end_with_a_sign() {
        let prefix = |words: &[&str]| super::prefix(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(prefix(&["order-18", "order-19"]), "order-");
        assert_eq!(prefix(&["order18", "order19"]), "");
        assert_eq!(prefix(&["ä_1", "ä_2"]), "ä_");
        assert_eq!(prefix(&[]), "");
    }

    #[test]
    fn values_have_places_among_few() {
        assert_eq!(places(&[2.0, f64::NAN, 1.0], &[(1.0, 1), (2.0, 1)]), [1, MISSING, 0]);
    }
}
