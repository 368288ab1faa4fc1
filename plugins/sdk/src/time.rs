//! Simulated time: instants, windows, and cheap local time. It knows no wall clock.

use crate::Error;

/// Microseconds since 1970-01-01T00:00:00Z; negative before it; no leap seconds.
pub type Timestamp = i64;

/// Microseconds of a millisecond.
pub const MILLISECOND: i64 = 1_000;
/// Microseconds of a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds of a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Microseconds of an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Microseconds of a day of 24 hours.
pub const DAY: i64 = 24 * HOUR;

/// A half-open span of simulated time: `start <= t < end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// The first instant inside.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

impl Window {
    /// The window from `start` to before `end`.
    pub const fn new(start: Timestamp, end: Timestamp) -> Self {
        Self { start, end }
    }

    /// Its length in microseconds; 0 where it ends before it starts.
    pub const fn micros(&self) -> i64 {
        if self.end > self.start { self.end.saturating_sub(self.start) } else { 0 }
    }

    /// Its length in seconds.
    pub fn seconds(&self) -> f64 {
        self.micros() as f64 / SECOND as f64
    }

    /// Its length in hours.
    pub fn hours(&self) -> f64 {
        self.micros() as f64 / HOUR as f64
    }

    /// Whether `t` lies inside.
    pub const fn contains(&self, t: Timestamp) -> bool {
        self.start <= t && t < self.end
    }

    /// Whether the two share an instant.
    pub const fn overlaps(&self, other: &Window) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The windows of one step each, in order; the last is cut where the window is no whole number of steps.
    pub fn steps(&self, step_micros: i64) -> impl Iterator<Item = Window> + use<> {
        let end = self.end;
        let step = step_micros.max(1);
        let mut next = self.start;
        std::iter::from_fn(move || {
            (next < end).then(|| {
                let start = next;
                next = start.saturating_add(step).min(end);
                Window::new(start, next)
            })
        })
    }
}

/// The number of the step that holds `t`, counted from 1970: the same whatever window is asked for, so it
/// is what keys randomness.
pub const fn step_index(t: Timestamp, step_micros: i64) -> i64 {
    t.div_euclid(step_micros)
}

/// A time zone by its IANA name, from the data that is bundled with the plugin.
#[derive(Clone, Debug)]
pub struct Zone(jiff::tz::TimeZone);

impl Zone {
    /// The zone of an IANA name such as `Europe/Berlin`, or `UTC`.
    ///
    /// # Errors
    /// `invalid-config` (with an empty path) where there is no such zone.
    pub fn named(name: &str) -> Result<Self, Error> {
        jiff::tz::TimeZone::get(name).map(Self).map_err(|_| {
            Error::invalid("", format!("there is no time zone {name:?}; use an IANA name such as Europe/Berlin"))
        })
    }

    /// Coordinated Universal Time.
    pub fn utc() -> Self {
        Self(jiff::tz::TimeZone::UTC)
    }

    /// A clock of this zone, which keeps the offset that it found last.
    pub fn clock(&self) -> Clock {
        Clock { zone: self.clone(), from: 0, until: 0, offset_micros: 0 }
    }

    /// The instant of a civil time in this zone, `seconds` after midnight; in a gap, the same time after it.
    pub fn at(&self, year: i16, month: i8, day: i8, seconds: u32) -> Option<Timestamp> {
        let date = jiff::civil::Date::new(year, month, day).ok()?;
        let civil = date
            .to_datetime(jiff::civil::Time::midnight())
            .checked_add(jiff::SignedDuration::from_secs(i64::from(seconds)))
            .ok()?;
        Some(self.0.to_ambiguous_timestamp(civil).compatible().ok()?.as_microsecond())
    }

    fn span_at(&self, t: Timestamp) -> (i64, Timestamp, Timestamp) {
        let Ok(stamp) = jiff::Timestamp::from_microsecond(t) else {
            return (0, i64::MIN, i64::MAX);
        };
        let offset = i64::from(self.0.to_offset(stamp).seconds()) * SECOND;
        let after = |stamp: jiff::Timestamp| {
            self.0.following(stamp).next().map_or(i64::MAX, |next| next.timestamp().as_microsecond())
        };
        // `preceding` is strict, so one microsecond later finds a transition at `t` itself.
        let before = stamp
            .checked_add(jiff::SignedDuration::from_micros(1))
            .ok()
            .and_then(|later| self.0.preceding(later).next())
            .map_or(i64::MIN, |last| last.timestamp().as_microsecond());
        (offset, before, after(stamp))
    }
}

/// Local time of one zone. Asking is a few additions as long as the offset from UTC stays the same.
#[derive(Clone, Debug)]
pub struct Clock {
    zone: Zone,
    from: Timestamp,
    until: Timestamp,
    offset_micros: i64,
}

/// A local date and time of day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Local {
    /// Days since 1970-01-01 on the local calendar.
    pub day: i64,
    /// 0 = Monday ... 6 = Sunday.
    pub weekday: u8,
    /// Microseconds since local midnight by the clock on the wall.
    pub micros: i64,
}

impl Local {
    /// Hours since midnight with their fraction, 0.0 to below 24.0.
    pub fn hour(&self) -> f64 {
        self.micros as f64 / HOUR as f64
    }

    /// Saturday or Sunday.
    pub fn is_weekend(&self) -> bool {
        self.weekday >= 5
    }

    /// Year, month (1 to 12) and day of the month (1 to 31).
    pub fn date(&self) -> (i16, i8, i8) {
        let date = jiff::civil::Date::constant(1970, 1, 1)
            .saturating_add(jiff::Span::new().days(self.day.clamp(-4_000_000, 2_900_000)));
        (date.year(), date.month(), date.day())
    }
}

impl Clock {
    /// The local time at an instant.
    pub fn at(&mut self, t: Timestamp) -> Local {
        if t < self.from || t >= self.until {
            (self.offset_micros, self.from, self.until) = self.zone.span_at(t);
        }
        let local = t.saturating_add(self.offset_micros);
        let day = local.div_euclid(DAY);
        // 1970-01-01 was a Thursday.
        Local { day, weekday: (day + 3).rem_euclid(7) as u8, micros: local.rem_euclid(DAY) }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn daylight_saving_is_seen_to_the_microsecond() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let mut clock = berlin.clock();
        // 2026-03-29T01:00:00Z: 02:00 becomes 03:00.
        let change = 1_774_746_000 * SECOND;
        assert_eq!(clock.at(change - 1).micros, 2 * HOUR - 1);
        let after = clock.at(change);
        assert_eq!((after.micros, after.weekday, after.date()), (3 * HOUR, 6, (2026, 3, 29)));
        assert!(after.is_weekend());
        assert_eq!(berlin.at(2026, 3, 29, 3 * 3600), Some(change));
        // A time that the change leaves out is the same length after it.
        assert_eq!(berlin.at(2026, 3, 29, 2 * 3600 + 1800), Some(change + HOUR / 2));
        assert!(Zone::named("Atlantis/Capital").is_err());
    }

    #[test]
    fn windows_are_cut_into_steps() {
        let steps: Vec<Window> = Window::new(-5, 7).steps(5).collect();
        assert_eq!(steps, [Window::new(-5, 0), Window::new(0, 5), Window::new(5, 7)]);
        assert_eq!(Window::new(3, 3).steps(1).count(), 0);
        assert_eq!(Window::new(0, i64::MAX).steps(i64::MAX).count(), 1);
        assert_eq!((step_index(-1, 10), step_index(0, 10)), (-1, 0));
    }

    proptest! {
        /// A clock that jumps about tells the same as a fresh one, and the same as jiff.
        #[test]
        fn a_clock_is_right_wherever_it_was_before(times in prop::collection::vec(-4_000_000_000i64..8_000_000_000, 1..20)) {
            let zone = Zone::named("America/New_York").unwrap();
            let tz = jiff::tz::TimeZone::get("America/New_York").unwrap();
            let mut clock = zone.clock();
            for t in times.into_iter().map(|t| t * SECOND) {
                let local = clock.at(t);
                prop_assert_eq!(local, zone.clock().at(t));
                let civil = tz.to_datetime(jiff::Timestamp::from_microsecond(t).unwrap());
                prop_assert_eq!(local.date(), (civil.year(), civil.month(), civil.day()));
                prop_assert_eq!(local.micros / HOUR, i64::from(civil.hour()));
                prop_assert_eq!(i8::try_from(local.weekday).unwrap(), civil.weekday().to_monday_zero_offset());
            }
        }
    }
}
