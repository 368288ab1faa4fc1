//! Times as people's files have them: a pattern in the words of `strftime`, for writing and for reading back. All in UTC.

use super::time::{DAY_US, Timestamp};
use jiff::civil;
use std::fmt;

/// Microseconds of a second.
const SECOND_US: i64 = 1_000_000;

/// A pattern: `%Y` `%m` `%d` `%H` `%M` `%S`, `%f` (six digits of a second), `%y` (two digits of a year from 1969 to
/// 2068), `%s` (seconds since 1970), `%%` and any other text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeFormat {
    pattern: String,
    items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Text(String),
    Year,
    ShortYear,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Micros,
    Epoch,
}

/// Writes times one after the other; the date is worked out once a day.
#[derive(Debug, Clone)]
pub struct TimeWriter<'f> {
    format: &'f TimeFormat,
    day: i64,
    date: civil::Date,
}

impl TimeFormat {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What it holds that no time can be written with, or that it says nothing.
    pub fn parse(pattern: &str) -> Result<Self, String> {
        let (mut items, mut text, mut chars) = (Vec::new(), String::new(), pattern.chars());
        while let Some(c) = chars.next() {
            if c != '%' {
                text.push(c);
                continue;
            }
            let item = match chars.next() {
                Some('%') => {
                    text.push('%');
                    continue;
                }
                Some('Y') => Item::Year,
                Some('y') => Item::ShortYear,
                Some('m') => Item::Month,
                Some('d') => Item::Day,
                Some('H') => Item::Hour,
                Some('M') => Item::Minute,
                Some('S') => Item::Second,
                Some('f') => Item::Micros,
                Some('s') => Item::Epoch,
                other => {
                    let word = other.map(String::from).unwrap_or_default();
                    return Err(format!(
                        "there is no %{word} in a pattern of times; there are %Y %y %m %d %H %M %S %f %s"
                    ));
                }
            };
            if !text.is_empty() {
                items.push(Item::Text(std::mem::take(&mut text)));
            }
            items.push(item);
        }
        if !text.is_empty() {
            items.push(Item::Text(text));
        }
        if items.iter().all(|item| matches!(item, Item::Text(_))) {
            return Err(format!("{pattern:?} is no pattern of times, such as %Y-%m-%d %H:%M:%S"));
        }
        Ok(Self { pattern: pattern.to_owned(), items })
    }

    /// Whether it says dates and nothing finer.
    pub fn is_date(&self) -> bool {
        let finer = [Item::Hour, Item::Minute, Item::Second, Item::Micros, Item::Epoch];
        !self.items.iter().any(|item| finer.contains(item))
    }

    /// A writer of times.
    pub fn writer(&self) -> TimeWriter<'_> {
        TimeWriter { format: self, day: 0, date: civil::date(1970, 1, 1) }
    }

    /// The time that `text` means; none where it does not fit the pattern, or is no time.
    pub fn read(&self, text: &str) -> Option<Timestamp> {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        let (mut hour, mut minute, mut second, mut micros) = (0, 0, 0, 0);
        let mut rest = text;
        for item in &self.items {
            match item {
                Item::Text(expected) => rest = rest.strip_prefix(expected.as_str())?,
                Item::Year => year = digits(&mut rest, 4)?,
                Item::ShortYear => {
                    let short: i64 = digits(&mut rest, 2)?;
                    year = if short < 69 { 2000 + short } else { 1900 + short };
                }
                Item::Month => month = digits(&mut rest, 2)?,
                Item::Day => day = digits(&mut rest, 2)?,
                Item::Hour => hour = digits(&mut rest, 2)?,
                Item::Minute => minute = digits(&mut rest, 2)?,
                Item::Second => second = digits(&mut rest, 2)?,
                Item::Micros => micros = digits(&mut rest, 6)?,
                Item::Epoch => {
                    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(rest.len());
                    let (number, after) = rest.split_at(end);
                    rest = after;
                    let epoch = number.parse::<i64>().ok()?.checked_mul(SECOND_US)?;
                    return rest.is_empty().then_some(Timestamp(epoch));
                }
            }
        }
        let date = civil::Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()?;
        if !rest.is_empty() || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_microsecond();
        Some(Timestamp(midnight + ((hour * 60 + minute) * 60 + second) * SECOND_US + micros))
    }
}

/// Takes a number of so many digits off the start of `rest`.
fn digits(rest: &mut &str, count: usize) -> Option<i64> {
    let (number, after) = rest.split_at_checked(count)?;
    *rest = after;
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())?
}

impl TimeWriter<'_> {
    /// Appends a time.
    pub fn write(&mut self, time: Timestamp, out: &mut String) {
        let (day, within) = (time.0.div_euclid(DAY_US), time.0.rem_euclid(DAY_US));
        if day != self.day {
            self.day = day;
            // Beyond the calendar's range there is no date to write; the nearest end of it is.
            let instant = jiff::Timestamp::from_microsecond(time.0);
            let instant = instant.unwrap_or(if day < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX });
            self.date = instant.to_zoned(jiff::tz::TimeZone::UTC).date();
        }
        let second = within / SECOND_US;
        for item in &self.format.items {
            match item {
                Item::Text(text) => out.push_str(text),
                Item::Year => padded(i64::from(self.date.year()), 4, out),
                Item::ShortYear => padded(i64::from(self.date.year()).rem_euclid(100), 2, out),
                Item::Month => padded(i64::from(self.date.month()), 2, out),
                Item::Day => padded(i64::from(self.date.day()), 2, out),
                Item::Hour => padded(second / 3_600, 2, out),
                Item::Minute => padded(second / 60 % 60, 2, out),
                Item::Second => padded(second % 60, 2, out),
                Item::Micros => padded(within % SECOND_US, 6, out),
                Item::Epoch => out.push_str(itoa::Buffer::new().format(time.0.div_euclid(SECOND_US))),
            }
        }
    }
}

/// Appends a number with zeros before it.
fn padded(number: i64, width: usize, out: &mut String) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(number.unsigned_abs());
    if number < 0 {
        out.push('-');
    }
    (digits.len()..width).for_each(|_| out.push('0'));
    out.push_str(digits);
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pattern)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn written(pattern: &str, time: Timestamp) -> String {
        let mut text = String::new();
        TimeFormat::parse(pattern).unwrap().writer().write(time, &mut text);
        text
    }

    #[test]
    fn patterns_write_what_strftime_writes() {
        let time: Timestamp = "2026-11-09T04:05:06.000789Z".parse().unwrap();
        for (pattern, expected) in [
            ("%Y-%m-%d %H:%M:%S", "2026-11-09 04:05:06"),
            ("%Y%m%d_%H%M%S", "20261109_040506"),
            ("%d/%m/%y, 100 %%", "09/11/26, 100 %"),
            ("%S.%f", "06.000789"),
            ("at %s", "at 1794197106"),
        ] {
            assert_eq!(written(pattern, time), expected);
        }
        assert_eq!(written("%Y-%m-%d %H:%M:%S.%f", Timestamp(-1)), "1969-12-31 23:59:59.999999");
        for bad in ["%Q", "%", "", "today", "%%"] {
            assert!(TimeFormat::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_does_not_fit_the_pattern_is_not_read() {
        let format = TimeFormat::parse("%Y-%m-%d %H:%M:%S").unwrap();
        for text in [
            "2026-11-09",
            "2026-11-09 24:00:00",
            "2026-02-30 00:00:00",
            "2026-11-09 00:00:00Z",
            "",
            "é026-11-09 00:00:00",
        ] {
            assert_eq!(format.read(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn times_read_back(us in -62_135_596_800_000_000_i64..253_370_764_800_000_000) {
            for (pattern, grid) in [("%Y-%m-%dT%H:%M:%S.%fZ", 1), ("%s", SECOND_US), ("%d.%m.%Y", DAY_US)] {
                let text = written(pattern, Timestamp(us));
                let read = TimeFormat::parse(pattern).unwrap().read(&text);
                proptest::prop_assert_eq!(read, Some(Timestamp(us.div_euclid(grid) * grid)), "{}", text);
            }
        }
    }
}
