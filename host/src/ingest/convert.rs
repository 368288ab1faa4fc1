//! Cells to typed values: which text is which number, time or truth value.

use crate::core::time::DAY_US;
use jiff::civil;

/// Integers up to here are the same as floats.
const EXACT_FLOAT: f64 = 9_007_199_254_740_992.0;

/// A truth value.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// A whole number, also as `1.0` or `1e3`, which is what programs make of a column with missing values.
pub(super) fn integer(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| {
        let value: f64 = text.parse().ok()?;
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within the floats that are exact")]
        let whole = value as i64;
        (value.fract() == 0.0 && value.abs() < EXACT_FLOAT).then_some(whole)
    })
}

/// A number; also `NaN`, `inf` and `-inf`.
pub(super) fn float<F: std::str::FromStr>(text: &str) -> Option<F> {
    // Rust also reads "infinity" and any case: harmless.
    text.parse().ok()
}

/// Days since 1970-01-01.
pub(super) fn date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    let shape = match bytes {
        [b'+' | b'-', ..] => bytes.len() == 13,
        _ => bytes.len() == 10,
    };
    let date: civil::Date = if shape { text.parse().ok()? } else { return None };
    let us = civil::DateTime::from_parts(date, civil::Time::midnight()).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    i32::try_from(us.timestamp().as_microsecond().div_euclid(DAY_US)).ok()
}

/// Microseconds since 1970-01-01T00:00:00Z. RFC 3339, with a space instead of the T, or without a zone, which means
/// UTC; also a bare date, which means its midnight. What is finer than a microsecond is cut off.
pub(super) fn timestamp(text: &str) -> Option<i64> {
    common_timestamp(text.as_bytes()).or_else(|| any_timestamp(text))
}

/// `2026-11-09T14:25:00Z` and `2026-11-09T14:25:00.000000Z`, which is what nearly all rows have.
fn common_timestamp(text: &[u8]) -> Option<i64> {
    let number = |from: usize, count: usize| {
        text.get(from..from + count)?
            .iter()
            .try_fold(0_i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
    };
    let fraction = match text {
        [.., b'Z'] if text.len() == 20 => 0,
        [.., b'Z'] if text.len() == 27 && text.get(19) == Some(&b'.') => number(20, 6)?,
        _ => return None,
    };
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, byte)| text.get(*at) != Some(byte)) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // `days_from_civil` of Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    let shifted = year - i64::from(month <= 2);
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60_000_000 + second * 1_000_000 + fraction)
}

fn any_timestamp(text: &str) -> Option<i64> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '-') {
        return None;
    }
    let instant = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let local: civil::DateTime = text.parse().ok()?;
        Some(local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    });
    // Towards the past, so that a time before 1970 is cut to the same side as one after.
    instant.and_then(|instant| i64::try_from(instant.as_nanosecond().div_euclid(1_000)).ok())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn times_in_every_usual_form() {
        let expected = Some(1_794_234_300_000_000);
        for text in [
            "2026-11-09T14:25:00Z",
            "2026-11-09T14:25:00.000000Z",
            "2026-11-09T15:25:00+01:00",
            "2026-11-09 14:25:00",
            "2026-11-09 14:25:00+00",
            "2026-11-09T14:25:00.000000999Z",
        ] {
            assert_eq!(timestamp(text), expected, "{text}");
        }
        assert_eq!(timestamp("1969-12-31T23:59:59.9999995Z"), Some(-1));
        for text in ["", "14:25", "1762698300", "2026-02-30T00:00:00Z", "2026-11-09T24:00:00Z", "yesterday", "12"] {
            assert_eq!(timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn dates_and_numbers() {
        assert_eq!(
            (date("1970-01-02"), date("1969-12-31"), date("2026-11-09T00:00:00Z"), date("20261109")),
            (Some(1), Some(-1), None, None)
        );
        assert_eq!(
            (integer("12"), integer("1.0"), integer("1e3"), integer("1.5"), integer("x")),
            (Some(12), Some(1), Some(1000), None, None)
        );
        assert_eq!(integer("9223372036854775807"), Some(i64::MAX));
        assert_eq!(float("-inf"), Some(f64::NEG_INFINITY));
        assert!(float::<f64>("NaN").unwrap().is_nan());
    }

    proptest::proptest! {
        #[test]
        fn the_fast_way_and_the_thorough_one_agree(us in -62_167_219_200_000_000_i64..253_402_300_800_000_000) {
            let text = format!("{:.6}", jiff::Timestamp::from_microsecond(us).unwrap());
            proptest::prop_assert_eq!(common_timestamp(text.as_bytes()), Some(us));
            proptest::prop_assert_eq!(any_timestamp(&text), Some(us));
        }
    }
}
