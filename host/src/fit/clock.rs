//! The column that was named as the rows' time: times, or numbers that count from 1970 or from a start.

use super::FitError;
use super::rows::{NO_TIME, SECOND_US};
use super::sample::{Sample, Values};
use crate::core::schema::DataType;
use crate::ingest;

/// Numbers from here on count from 1970: as seconds, that is 2001.
const SINCE_1970: f64 = 1e9;
/// What numbers below each bound count, and how many microseconds that has.
const UNITS: [(f64, &str, f64); 4] = [
    (1e11, "seconds", SECOND_US),
    (1e14, "milliseconds", SECOND_US / 1e3),
    (1e17, "microseconds", 1.0),
    (f64::INFINITY, "nanoseconds", 1e-3),
];

/// The place of the column `name`, which becomes one of times where it is one of numbers; and what people should know of that.
///
/// # Errors
/// There is no such column, or it tells no time of some row.
pub(super) fn named(sample: &mut Sample, name: &str) -> Result<(usize, Option<String>), FitError> {
    let bad = |reason| FitError::TimeField { column: name.to_owned(), reason };
    let at = sample.find(name).or_else(|| sample.find(&ingest::identifier(name)));
    let at = at.ok_or_else(|| bad("there is no such column"))?;
    let column = sample.columns.get_mut(at).ok_or_else(|| bad("there is no such column"))?;
    let countable = [DataType::Timestamp, DataType::Int32, DataType::Int64, DataType::Float32, DataType::Float64];
    if !countable.contains(&column.field.data_type) {
        return Err(bad(
            "it needs times in RFC 3339 in every row, or numbers: time since 1970, or seconds since a start",
        ));
    }
    if column.missing() > 0 {
        return Err(bad("some row has no time there; leave such rows out"));
    }
    let Values::Numbers(numbers) = &mut column.values else { return Err(bad("it is text")) };
    if column.field.data_type == DataType::Timestamp {
        return Ok((at, None));
    }
    let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let unit = UNITS.iter().find(|(bound, ..)| most < *bound).filter(|_| least >= SINCE_1970);
    let (start, scale, what) = match unit {
        Some((_, unit, scale)) => (0.0, *scale, format!("{unit} since 1970")),
        None => (NO_TIME, SECOND_US, "seconds since a start, for which 2026-01-01 stands".to_owned()),
    };
    numbers.iter_mut().for_each(|number| *number = start + (*number * scale).round());
    column.field.data_type = DataType::Timestamp;
    Ok((at, Some(format!("{name} was taken as {what}; the configuration writes it as a time"))))
}
