//! Simulated time: microseconds since 1970, windows of it, and their text forms.

use jiff::{SignedDuration, Timestamp as Instant, Unit};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Microseconds of a UTC day; simulated time has no leap seconds.
pub const DAY_US: i64 = 86_400_000_000;

/// A point of simulated time: microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, utoipa::ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-09T06:00:00Z")]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The end of a span without an end.
    pub const MAX: Self = Self(i64::MAX);

    /// The start of the UTC day that holds this point.
    pub fn day_start(self) -> Self {
        Self(self.0 - self.0.rem_euclid(DAY_US))
    }

    /// Reads a time as people write it: what [`FromStr`] reads, or `2026-11-09 14:25:00`, which is in UTC.
    ///
    /// # Errors
    /// It is no time.
    pub fn written(text: &str) -> Result<Self, String> {
        let full = || format!("{}Z", text.replacen(' ', "T", 1)).parse();
        let no_time = |_| format!("{text:?} is no time; write 2026-11-09T14:25:00Z, 2026-11-09 14:25:00 or 2026-11-09");
        text.parse().or_else(|_: String| full()).map_err(no_time)
    }

    /// This point moved by `us` microseconds, held at the ends of the range.
    pub fn plus_us(self, us: i64) -> Self {
        Self(self.0.saturating_add(us))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Instant::from_microsecond(self.0) {
            Ok(instant) => write!(f, "{instant}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

/// Parses RFC 3339 (`2026-11-09T00:00:00Z`, any offset) or a bare date, which means its midnight in UTC; and what is
/// displayed of a time outside the calendar.
impl FromStr for Timestamp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(us) = text.strip_suffix("us").and_then(|us| us.parse().ok()) {
            return Ok(Self(us));
        }
        let full = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
        let instant: Instant =
            full.parse().map_err(|_| format!("{text:?} is no time; write 2026-11-09T00:00:00Z or 2026-11-09"))?;
        Ok(Self(instant.as_microsecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A half-open span of simulated time: `start <= t < end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Window {
    /// The first point inside.
    pub start: Timestamp,
    /// The first point behind.
    pub end: Timestamp,
}

impl Window {
    /// The window of `us` microseconds from `start`.
    pub fn from_start(start: Timestamp, us: i64) -> Self {
        Self { start, end: start.plus_us(us) }
    }

    /// Whether no time is inside.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// Whether `t` is inside.
    pub fn contains(&self, t: Timestamp) -> bool {
        self.start <= t && t < self.end
    }

    /// Whether some time is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Length in microseconds; 0 where the window is empty.
    pub fn length_us(&self) -> u64 {
        u64::try_from(i128::from(self.end.0) - i128::from(self.start.0)).unwrap_or(0)
    }

    /// The window cut into pieces of `us` microseconds, counted from its start; the last may be shorter.
    pub fn pieces(self, us: u64) -> impl Iterator<Item = Self> {
        let step = i64::try_from(us.max(1)).unwrap_or(i64::MAX);
        let mut start = self.start;
        std::iter::from_fn(move || {
            let piece = Self { start, end: start.plus_us(step).min(self.end) };
            start = piece.end;
            (!piece.is_empty()).then_some(piece)
        })
    }

    /// The UTC days that the window touches, each whole.
    pub fn days(self) -> impl Iterator<Item = Self> {
        Self { start: self.start.day_start(), end: self.end }
            .pieces(DAY_US.unsigned_abs())
            .map(|piece| Self::from_start(piece.start, DAY_US))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// A length of simulated time in microseconds; written `7d`, `6h`, `90m`, `1d 12h` or ISO 8601 (`PT6H`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Length {
    us: u64,
}

impl Length {
    /// A length of `us` microseconds.
    pub const fn from_us(us: u64) -> Self {
        Self { us }
    }

    /// The length in microseconds.
    pub const fn us(self) -> u64 {
        self.us
    }

    /// The same as times count it; a longer one than they can count is the longest.
    pub fn micros(self) -> i64 {
        i64::try_from(self.us).unwrap_or(i64::MAX)
    }
}

impl FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no length of time; write 7d, 6h, 90m or 1d 12h");
        let span: jiff::Span = text.trim().parse().map_err(|_| wrong())?;
        let duration: SignedDuration =
            span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
        let us = u64::try_from(duration.as_micros()).map_err(|_| wrong())?;
        if us == 0 {
            Err(format!("{text:?} is no length of time: it must be longer than nothing"))
        } else {
            Ok(Self { us })
        }
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = jiff::SpanRound::new().largest(Unit::Day).smallest(Unit::Microsecond).days_are_24_hours();
        match jiff::Span::new().try_microseconds(self.micros()).and_then(|span| span.round(options)) {
            Ok(span) => write!(f, "{span:#}"),
            Err(_) => write!(f, "{}us", self.us),
        }
    }
}

impl Serialize for Length {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "tests")]
    use super::*;

    #[test]
    fn lengths_read_and_write_the_same() {
        for (text, us) in [
            ("7d", 7 * 86_400_000_000_u64),
            ("6h", 21_600_000_000),
            ("90m", 5_400_000_000),
            ("2w", 14 * 86_400_000_000),
        ] {
            let length: Length = text.parse().expect("a length");
            assert_eq!(length.us(), us, "{text}");
            assert_eq!(length.to_string().parse(), Ok(length), "{length}");
        }
        for text in ["", "7", "0h", "-1h", "soon"] {
            assert!(text.parse::<Length>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn times_read_and_write_the_same() {
        let time: Timestamp = "2026-11-09T01:00:00+01:00".parse().expect("a time");
        assert_eq!(time.to_string(), "2026-11-09T00:00:00Z");
        assert_eq!("2026-11-09".parse(), Ok(time));
        assert!("yesterday".parse::<Timestamp>().is_err());
        for text in ["2026-11-09 00:00:00", "2026-11-09T00:00:00", "2026-11-09T00:00:00Z", "2026-11-09"] {
            assert_eq!(Timestamp::written(text), Ok(time), "{text}");
        }
        for text in ["", "yesterday", "2026-11-09 25:00:00", "14:25:00"] {
            assert!(Timestamp::written(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pieces_cover_a_window_and_days_are_whole() {
        let window = Window { start: Timestamp(-5), end: Timestamp(DAY_US + 7) };
        let pieces: Vec<_> = window.pieces(DAY_US.unsigned_abs()).collect();
        assert_eq!(pieces.iter().map(Window::length_us).sum::<u64>(), window.length_us());
        let days: Vec<_> = window.days().map(|day| day.start.0 / DAY_US).collect();
        assert_eq!(days, [-1, 0, 1]);
    }
}
