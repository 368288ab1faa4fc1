//! Dates and times as text, fast: the date is rendered once a day, the rest from a table of two-digit numbers.

use arrow::datatypes::TimeUnit;

/// `00` to `99`.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// Seconds of a UTC day.
const DAY_S: i64 = 86_400;

/// Writes the timestamps of one column.
#[derive(Debug)]
pub(super) struct TimeText {
    per_second: i64,
    digits: usize,
    zone: &'static [u8],
    day: i64,
    date: Vec<u8>,
}

impl TimeText {
    /// For timestamps of `unit`, which are UTC where `zoned` and of no zone otherwise.
    pub(super) fn new(unit: TimeUnit, zoned: bool) -> Self {
        let digits = match unit {
            TimeUnit::Second => 0,
            TimeUnit::Millisecond => 3,
            TimeUnit::Microsecond => 6,
            TimeUnit::Nanosecond => 9,
        };
        let zone: &[u8] = if zoned { b"Z" } else { b"" };
        let mut date = Vec::with_capacity(24);
        write_date(0, &mut date);
        Self { per_second: 10_i64.pow(digits), digits: digits as usize, zone, day: 0, date }
    }

    /// Appends `value` as RFC 3339.
    pub(super) fn write(&mut self, value: i64, out: &mut Vec<u8>) {
        let (second, mut fraction) = (value.div_euclid(self.per_second), value.rem_euclid(self.per_second));
        let (day, second) = (second.div_euclid(DAY_S), second.rem_euclid(DAY_S));
        if day != self.day {
            self.day = day;
            self.date.clear();
            write_date(day, &mut self.date);
        }
        let ([h0, h1], [m0, m1], [s0, s1]) = (pair(second / 3_600), pair(second / 60 % 60), pair(second % 60));
        let mut text =
            [b'T', h0, h1, b':', m0, m1, b':', s0, s1, b'.', b'0', b'0', b'0', b'0', b'0', b'0', b'0', b'0', b'0'];
        let length = if self.digits == 0 { 9 } else { 10 + self.digits };
        let fraction_text = text.get_mut(10..length).unwrap_or_default();
        for digit in fraction_text.iter_mut().rev() {
            *digit = b'0' + (fraction % 10) as u8;
            fraction /= 10;
        }
        out.extend_from_slice(&self.date);
        out.extend_from_slice(text.get(..length).unwrap_or_default());
        out.extend_from_slice(self.zone);
    }
}

fn pair(number: i64) -> [u8; 2] {
    PAIRS.get(number as usize).copied().unwrap_or([b'?'; 2])
}

/// Appends the date that is `day` days after 1970-01-01, in the proleptic Gregorian calendar.
///
/// The algorithm is `civil_from_days` of Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
pub(super) fn write_date(day: i64, out: &mut Vec<u8>) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    if (0..=9_999).contains(&year) {
        out.extend_from_slice(&pair(year / 100));
        out.extend_from_slice(&pair(year % 100));
    } else {
        let sign = if year < 0 { '-' } else { '+' };
        out.extend_from_slice(format!("{sign}{:06}", year.unsigned_abs()).as_bytes());
    }
    out.push(b'-');
    out.extend_from_slice(&pair(month));
    out.push(b'-');
    out.extend_from_slice(&pair(day_of_month));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(unit: TimeUnit, value: i64) -> String {
        let mut out = Vec::new();
        TimeText::new(unit, true).write(value, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn times_of_every_unit_are_rfc_3339() {
        assert_eq!(time(TimeUnit::Microsecond, 1_762_698_300_000_001), "2025-11-09T14:25:00.000001Z");
        assert_eq!(time(TimeUnit::Microsecond, -1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(time(TimeUnit::Millisecond, 951_782_400_007), "2000-02-29T00:00:00.007Z");
        assert_eq!(time(TimeUnit::Second, 0), "1970-01-01T00:00:00Z");
        assert_eq!(time(TimeUnit::Nanosecond, 1), "1970-01-01T00:00:00.000000001Z");
        assert_eq!(time(TimeUnit::Microsecond, i64::MAX), "+294247-01-10T04:00:54.775807Z");
    }

    proptest::proptest! {
        #[test]
        fn times_read_back(value in -62_167_219_200_000_000_i64..253_402_300_800_000_000) {
            let text = time(TimeUnit::Microsecond, value);
            let read: jiff::Timestamp = text.parse().map_err(|error| proptest::test_runner::TestCaseError::fail(format!("{text}: {error}")))?;
            proptest::prop_assert_eq!(read.as_microsecond(), value);
        }
    }
}
