//! Cron expressions in a time zone: which times are due. Knows instants and wall clocks, and nothing of pipelines.

use crate::core::time::Timestamp;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use croner::{CivilDateTime, CronDateTime, Resolution, Weekday};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Zoned};
use std::cmp::Ordering;

/// A cron expression of five fields (minute, hour, day, month, weekday), or of six with seconds first, in a time zone.
///
/// Where the clock goes forward, a time of day that does not exist is due when it is skipped over; where it goes back, one that
/// comes twice is due once, unless the expression says every hour or minute.
#[derive(Debug, Clone)]
pub struct Cron {
    cron: croner::Cron,
    zone: TimeZone,
}

impl Cron {
    /// Reads an expression; `zone` is a name such as `Europe/Berlin`.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn new(expression: &str, zone: &str) -> Result<Self, String> {
        let zone = TimeZone::get(zone).map_err(|_| format!("{zone:?} is no time zone; write UTC or Europe/Berlin"))?;
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser.parse(expression).map_err(|error| {
            format!(
                "{expression:?} is no cron expression ({error}); write minute hour day month weekday, such as 0 2 * * 0"
            )
        })?;
        Ok(Self { cron, zone })
    }

    /// The zone that the expression is read in.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The first due time after `at`.
    pub fn next(&self, at: Timestamp) -> Option<Timestamp> {
        let found = self.cron.find_next_occurrence(&self.zoned(at)?, false).ok()?;
        Some(found.timestamp()).filter(|due| *due > at)
    }

    /// The last due time up to `at`, itself included.
    pub fn last(&self, at: Timestamp) -> Option<Timestamp> {
        // A part of a second behind a due time is not before it.
        let whole = Timestamp(at.0 - at.0.rem_euclid(1_000_000));
        Some(self.cron.find_previous_occurrence(&self.zoned(whole)?, true).ok()?.timestamp())
    }

    fn zoned(&self, at: Timestamp) -> Option<Wall> {
        let instant = jiff::Timestamp::from_microsecond(at.0).ok()?;
        Wall::of(instant.to_zoned(self.zone.clone()))
    }
}

/// An instant with its wall clock, as croner asks for it.
#[derive(Debug, Clone)]
struct Wall {
    zoned: Zoned,
    civil: CivilDateTime,
}

impl Wall {
    fn of(zoned: Zoned) -> Option<Self> {
        let time = zoned.datetime();
        let part = |value: i8| u32::from(value.unsigned_abs());
        let (year, month, day) = (i32::from(time.year()), part(time.month()), part(time.day()));
        let (hour, minute, second) = (part(time.hour()), part(time.minute()), part(time.second()));
        let civil = CivilDateTime::from_ymd_hms_opt(year, month, day, hour, minute, second)?;
        Some(Self { zoned, civil })
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp(self.zoned.timestamp().as_microsecond())
    }
}

impl CronDateTime for Wall {
    fn to_civil(&self) -> CivilDateTime {
        self.civil
    }

    fn civil_weekday(&self) -> Weekday {
        Weekday::from_days_from_sunday(u32::from(self.zoned.weekday().to_sunday_zero_offset().unsigned_abs()))
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let ambiguous = self.zoned.time_zone().to_ambiguous_zoned(datetime(civil)?);
        let wall = |found: Result<Zoned, jiff::Error>| found.ok().and_then(Self::of).ok_or(CronError::InvalidTime);
        Ok(match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => Resolution::Single(wall(ambiguous.unambiguous())?),
            AmbiguousOffset::Gap { .. } => Resolution::Gap,
            AmbiguousOffset::Fold { .. } => {
                Resolution::Ambiguous(wall(ambiguous.clone().earlier())?, wall(ambiguous.later())?)
            }
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.zoned.checked_add(SignedDuration::from_secs(seconds)).ok().and_then(Self::of)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.zoned.timestamp().cmp(&other.zoned.timestamp())
    }
}

fn datetime(civil: CivilDateTime) -> Result<DateTime, CronError> {
    let part = |value: u32| i8::try_from(value).map_err(|_| CronError::InvalidDate);
    let year = i16::try_from(civil.year()).map_err(|_| CronError::InvalidDate)?;
    let (month, day) = (part(civil.month())?, part(civil.day())?);
    let (hour, minute, second) = (part(civil.hour())?, part(civil.minute())?, part(civil.second())?);
    DateTime::new(year, month, day, hour, minute, second, 0).map_err(|_| CronError::InvalidDate)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn due(cron: &Cron, from: &str, count: usize) -> Vec<String> {
        let mut times = vec![at(from)];
        while times.len() <= count {
            times.push(cron.next(*times.last().unwrap()).unwrap());
        }
        times.iter().skip(1).map(Timestamp::to_string).collect()
    }

    #[test]
    fn sundays_at_two_and_every_minute() {
        let weekly = Cron::new("0 2 * * 0", "UTC").unwrap();
        assert_eq!(due(&weekly, "2026-11-22T02:00:00Z", 1), ["2026-11-29T02:00:00Z"]);
        assert_eq!(weekly.last(at("2026-11-22T02:00:00.5Z")), Some(at("2026-11-22T02:00:00Z")));
        assert_eq!(weekly.last(at("2026-11-22T01:59:59Z")), Some(at("2026-11-15T02:00:00Z")));
        let minutes = Cron::new("* * * * *", "UTC").unwrap();
        assert_eq!(
            due(&minutes, "2026-11-22T23:58:30Z", 3),
            ["2026-11-22T23:59:00Z", "2026-11-23T00:00:00Z", "2026-11-23T00:01:00Z"]
        );
    }

    #[test]
    fn a_zone_moves_with_its_clock_and_no_time_comes_twice_or_never() {
        // Berlin goes back at 03:00 on October 25th, 2026, and forward at 02:00 on March 28th, 2027.
        let nightly = Cron::new("30 2 * * *", "Europe/Berlin").unwrap();
        let back = due(&nightly, "2026-10-24T12:00:00Z", 3);
        assert_eq!(back, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z", "2026-10-27T01:30:00Z"]);
        let forward = due(&nightly, "2027-03-27T12:00:00Z", 2);
        assert_eq!(forward.len(), 2);
        assert!(forward[0].starts_with("2027-03-28T01:"), "skipped over: {forward:?}");
        assert_eq!(forward[1], "2027-03-29T00:30:00Z");
        let hourly = Cron::new("0 * * * *", "Europe/Berlin").unwrap();
        let hours = due(&hourly, "2026-10-24T23:30:00Z", 4);
        assert_eq!(hours[3], "2026-10-25T03:00:00Z", "every hour, also those that come twice: {hours:?}");
    }

    #[test]
    fn what_is_no_expression_or_zone_is_named() {
        for (expression, zone, part) in
            [("* * *", "UTC", "cron"), ("61 * * * *", "UTC", "61"), ("* * * * *", "Mars/Olympus", "Mars")]
        {
            let error = Cron::new(expression, zone).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
