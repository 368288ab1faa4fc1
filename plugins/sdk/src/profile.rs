//! What a clock on a wall does to a rate: daily curves, weekdays, holidays, in a time zone.
//!
//! Owns the curves over civil time. Where civil time comes from is in [`crate::time`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Clock, Timestamp, Zone};

/// A stretch of the day over which a rate goes evenly from one value to another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DayPart {
    /// Civil hour at which it begins, 0 to 24.
    pub from_hour: f64,
    /// The value at its beginning.
    pub start: f64,
    /// The value that it reaches at its end, where the next part begins.
    pub end: f64,
}

/// A day whose rate differs from the others', such as a sale or a public holiday.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// Civil date, "2026-11-27".
    pub date: String,
    /// Factor on that day's rate.
    pub multiplier: f64,
}

/// A daily curve times a factor of the weekday times one of the holiday.
#[derive(Debug, Clone)]
pub struct Profile {
    clock: Clock,
    parts: Vec<(f64, f64, DayPart)>,
    weekdays: [f64; 7],
    holidays: Vec<(i64, f64)>,
}

impl Profile {
    /// `parts` in the order of their hours; before the first one, the last one's end value holds.
    /// `weekdays` from Monday on; what is missing is 1.
    ///
    /// # Errors
    /// A sentence where a holiday is no date.
    pub fn new(zone: &Zone, parts: &[DayPart], weekdays: &[f64], holidays: &[Holiday]) -> Result<Self, String> {
        let ends = parts.iter().skip(1).map(|part| part.from_hour).chain([24.0]);
        let parts = parts.iter().zip(ends).map(|(part, end)| (part.from_hour, end, *part)).collect();
        let mut factors = [1.0; 7];
        for (factor, given) in factors.iter_mut().zip(weekdays) {
            *factor = *given;
        }
        let holidays = holidays
            .iter()
            .map(|holiday| {
                let date: jiff::civil::Date =
                    holiday.date.parse().map_err(|_| format!("{:?} is no date (write 2026-11-27)", holiday.date))?;
                Ok((days_since_1970(date), holiday.multiplier))
            })
            .collect::<Result<_, String>>()?;
        Ok(Self { clock: zone.clock(), parts, weekdays: factors, holidays })
    }

    /// The rate at a timestamp in microseconds.
    pub fn at(&mut self, timestamp: Timestamp) -> f64 {
        let civil = self.clock.at(timestamp);
        let hour = civil.hour();
        let daily = match self.parts.iter().rev().find(|(from, _, _)| *from <= hour) {
            Some((from, end, part)) => part.start + (part.end - part.start) * ((hour - from) / (end - from)),
            None => self.parts.last().map_or(1.0, |(_, _, part)| part.end),
        };
        let weekday = self.weekdays.get(usize::from(civil.weekday)).copied().unwrap_or(1.0);
        let holiday = self.holidays.iter().find(|(day, _)| *day == civil.day).map_or(1.0, |(_, factor)| *factor);
        daily * weekday * holiday
    }

    /// The largest value of the daily curve.
    pub fn peak(&self) -> f64 {
        self.parts.iter().fold(0.0, |peak, (_, _, part)| part.start.max(part.end).max(peak))
    }
}

/// The number of a civil day, as [`crate::time::Local`] counts.
fn days_since_1970(date: jiff::civil::Date) -> i64 {
    date.since(jiff::civil::Date::constant(1970, 1, 1)).map_or(0, |span| i64::from(span.get_days()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::time::HOUR;

    const PARTS: [DayPart; 3] = [
        DayPart { from_hour: 0.0, start: 10.0, end: 10.0 },
        DayPart { from_hour: 6.0, start: 15.0, end: 30.0 },
        DayPart { from_hour: 9.0, start: 25.0, end: 5.0 },
    ];

    #[test]
    fn parts_weekdays_and_holidays_multiply() {
        let holiday = Holiday { date: "1970-01-02".into(), multiplier: 3.0 };
        // 1970-01-01 was a Thursday, the fourth day of the week.
        let week = [1.0, 1.0, 1.0, 0.5];
        let mut profile = Profile::new(&Zone::utc(), &PARTS, &week, &[holiday]).unwrap();
        assert_eq!(profile.at(3 * HOUR), 5.0);
        assert_eq!(profile.at((24 + 6) * HOUR), 45.0);
        assert_eq!(profile.at((48 + 9) * HOUR), 25.0);
        assert_eq!(profile.peak(), 30.0);
        let wrong = Holiday { date: "27 November".into(), multiplier: 1.0 };
        assert!(Profile::new(&Zone::utc(), &PARTS, &[], &[wrong]).is_err());
    }

    #[test]
    fn the_clock_is_the_zones() {
        let mut profile = Profile::new(&Zone::named("Asia/Kolkata").unwrap(), &PARTS, &[], &[]).unwrap();
        assert_eq!(profile.at(HOUR / 2), 15.0);
    }
}
