//! When the rows of one table are: counted by the minute, in bounded memory, in whatever order they come.

use telemill_sdk::time::{DAY, HOUR, MINUTE};
use telemill_sdk::{Timestamp, Window};

use crate::config::Period;

/// Most slots of a timeline: a window beyond two years is counted in slots of two minutes, and so on.
const MOST_SLOTS: i64 = 1 << 20;
/// Most periods that are told apart; a window of more has none.
const MOST_PERIODS: i64 = 1 << 20;
/// A period counts as judged where the window covers this share of it: data that ends with its last row lacks a moment.
const NEARLY_ALL: f64 = 0.98;
/// Standard errors of a count that are no reason to fail.
const TOLERANCE: f64 = 4.0;

/// How many rows there are in each slot of a window.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    window: Window,
    from: Timestamp,
    slot_micros: i64,
    slots: Vec<u32>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    rows: u64,
}

/// A period whose rate is off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Off {
    pub(crate) start: Timestamp,
    pub(crate) rows: u64,
    pub(crate) expected: f64,
}

impl Timeline {
    pub(crate) fn new(window: Window) -> Self {
        let mut slot_micros = MINUTE;
        while window.micros() / slot_micros >= MOST_SLOTS {
            slot_micros *= 2;
        }
        // Slots lie on whole minutes, so that an hour is a whole number of them wherever the window begins.
        let from = window.start.div_euclid(slot_micros) * slot_micros;
        let slots = window.micros() / slot_micros + 2;
        Self { from, window, slot_micros, slots: vec![0; slots as usize], first: None, last: None, rows: 0 }
    }

    /// Counts a row; one outside the window is not looked at.
    #[inline]
    pub(crate) fn add(&mut self, t: Timestamp) {
        if !self.window.contains(t) {
            return;
        }
        if let Some(slot) = self.slots.get_mut(((t - self.from) / self.slot_micros) as usize) {
            *slot = slot.saturating_add(1);
            self.rows += 1;
            self.first = Some(self.first.map_or(t, |first| first.min(t)));
            self.last = Some(self.last.map_or(t, |last| last.max(t)));
        }
    }

    /// Rows within the window.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Days from the first row to the last, with a slot for the rows' own spacing.
    pub(crate) fn days(&self) -> f64 {
        match (self.first, self.last) {
            (Some(first), Some(last)) => (last - first + self.slot_micros) as f64 / DAY as f64,
            _ => 0.0,
        }
    }

    /// The UTC periods that touch the window: start, rows, and how much of it the window covers.
    pub(crate) fn periods(&self, per: Period) -> Vec<(Timestamp, u64, f64)> {
        let length = match per {
            Period::Hour => HOUR,
            Period::Day => DAY,
        };
        if self.window.micros() == 0 || self.window.micros() / length >= MOST_PERIODS {
            return Vec::new();
        }
        let first = self.window.start.div_euclid(length);
        let last = (self.window.end - 1).div_euclid(length);
        let covered = |number: i64| {
            let (start, end) = (number * length, (number + 1) * length);
            (self.window.end.min(end) - self.window.start.max(start)) as f64 / length as f64
        };
        let mut periods: Vec<_> = (first..=last).map(|number| (number * length, 0, covered(number))).collect();
        for (at, rows) in self.slots.iter().enumerate().filter(|(_, rows)| **rows > 0) {
            let t = self.from + at as i64 * self.slot_micros;
            if let Some(period) = periods.get_mut((t.div_euclid(length) - first).max(0) as usize) {
                period.1 += u64::from(*rows);
            }
        }
        periods
    }

    /// The periods whose rate is off, and how many were judged. `weekdays` are factors on the rate from Monday on, empty for none.
    pub(crate) fn off(&self, per: Period, per_minute: f64, weekdays: &[f64], tolerance: f64) -> (Vec<Off>, u64) {
        let minutes = match per {
            Period::Hour => 60.0,
            Period::Day => 1_440.0,
        };
        let periods = self.periods(per).into_iter().filter(|(_, _, covered)| *covered >= NEARLY_ALL);
        let (mut off, mut judged) = (Vec::new(), 0);
        for (start, rows, covered) in periods {
            judged += 1;
            // 1970-01-01 was a Thursday.
            let weekday = (start.div_euclid(DAY) + 3).rem_euclid(7) as usize;
            let expected = per_minute * weekdays.get(weekday).copied().unwrap_or(1.0) * minutes * covered;
            if (rows as f64 - expected).abs() > tolerance * expected + TOLERANCE * expected.sqrt() {
                off.push(Off { start, rows, expected });
            }
        }
        (off, judged)
    }

    /// Whole days without any row, and how many were judged.
    pub(crate) fn empty_days(&self) -> (Vec<Timestamp>, u64) {
        let days: Vec<_> = self.periods(Period::Day).into_iter().filter(|day| day.2 >= NEARLY_ALL).collect();
        let empty = days.iter().filter(|day| day.1 == 0).map(|day| day.0).collect();
        (empty, days.len() as u64)
    }

    /// Stretches without any row that are longer than so many minutes: starts and minutes.
    pub(crate) fn gaps(&self, longest_minutes: f64) -> Vec<(Timestamp, f64)> {
        let mut gaps = Vec::new();
        let mut from = self.window.start;
        let mut close = |from: Timestamp, to: Timestamp| {
            let minutes = (to - from) as f64 / MINUTE as f64;
            if minutes > longest_minutes {
                gaps.push((from, minutes));
            }
        };
        for (at, _) in self.slots.iter().enumerate().filter(|(_, rows)| **rows > 0) {
            let start = self.from + at as i64 * self.slot_micros;
            close(from, start);
            from = start + self.slot_micros;
        }
        close(from, self.window.end);
        gaps
    }

    /// Whether a collection as long as the window has so many days; one that lacks half an hour of a day has it.
    pub(crate) fn has_days(&self, days: f64) -> bool {
        self.days() >= days * NEARLY_ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(minutes: i64, window: Window) -> Timeline {
        let mut timeline = Timeline::new(window);
        (window.start..window.end).step_by((minutes * MINUTE) as usize).for_each(|t| timeline.add(t));
        timeline
    }

    #[test]
    fn rows_are_counted_by_hour_and_day() {
        let timeline = every(10, Window::new(6 * HOUR, 2 * DAY));
        assert_eq!(timeline.rows(), 42 * 6);
        let days = timeline.periods(Period::Day);
        assert_eq!(days.iter().map(|day| (day.0, day.1)).collect::<Vec<_>>(), [(0, 108), (DAY, 144)]);
        assert_eq!(timeline.off(Period::Day, 0.1, &[], 0.0), (vec![], 1), "the first day is not whole");
        assert_eq!(timeline.off(Period::Hour, 0.1, &[], 0.0).1, 42);
        let off = timeline.off(Period::Day, 0.2, &[], 0.1).0;
        assert_eq!(off, [Off { start: DAY, rows: 144, expected: 288.0 }]);
        assert!(timeline.has_days(1.7) && !timeline.has_days(2.0));
    }

    #[test]
    fn gaps_are_seen_at_both_ends_and_between() {
        let window = Window::new(0, 4 * HOUR);
        let mut timeline = Timeline::new(window);
        for t in [HOUR, HOUR + 30 * MINUTE, 2 * HOUR, 9 * HOUR] {
            timeline.add(t);
        }
        let gaps: Vec<i64> = timeline.gaps(35.0).iter().map(|gap| gap.0 / MINUTE).collect();
        assert_eq!(gaps, [0, 121]);
        assert_eq!(timeline.gaps(28.0).len(), 4);
        assert_eq!(timeline.rows(), 3, "a row after the window is not looked at");
    }

    #[test]
    fn memory_is_bounded_for_any_window() {
        let timeline = Timeline::new(Window::new(0, 400 * 365 * DAY));
        assert!(timeline.slots.len() <= MOST_SLOTS as usize + 2);
        assert_eq!(Timeline::new(Window::new(0, i64::MAX)).slots.len() >> 21, 0);
    }
}
