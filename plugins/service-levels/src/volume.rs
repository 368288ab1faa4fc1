//! Traffic by the hour against the schedule.

use telemill_sdk::time::{DAY, HOUR, MINUTE};
use telemill_sdk::{Clock, Error, Finding, Metric, Severity, Timestamp, Window, Zone};

use crate::config::Volume;

/// A part of an hour at the window's edge that is shorter says too little.
const SHORTEST: i64 = 15 * MINUTE;
/// Beyond so many hours (114 years), a window is not judged by the hour.
const MOST_HOURS: i64 = 1_000_000;

/// Rows counted by the hour of the judged window.
#[derive(Debug)]
pub(crate) struct HourlyVolume {
    volume: Volume,
    clock: Clock,
    window: Window,
    first_hour: i64,
    rows: Vec<u64>,
    elsewhere: u64,
}

impl HourlyVolume {
    /// # Errors
    /// Where there is no such time zone.
    pub(crate) fn new(volume: Volume, window: Window) -> Result<Self, Error> {
        let first_hour = window.start.div_euclid(HOUR);
        let hours = (window.end.saturating_sub(1).div_euclid(HOUR) - first_hour + 1).clamp(0, MOST_HOURS);
        let clock = Zone::named(&volume.time_zone)?.clock();
        Ok(Self { volume, clock, window, first_hour, rows: vec![0; hours as usize], elsewhere: 0 })
    }

    /// Counts a row.
    #[inline]
    pub(crate) fn add(&mut self, t: Timestamp) {
        let hour = usize::try_from(t.div_euclid(HOUR) - self.first_hour).ok();
        match hour.and_then(|hour| self.rows.get_mut(hour)) {
            Some(rows) => *rows += 1,
            None => self.elsewhere += 1,
        }
    }

    /// Rows that the schedule expects within a part of an hour, minute by minute.
    fn expected(&mut self, part: Window) -> f64 {
        part.steps(MINUTE)
            .map(|minute| {
                let local = self.clock.at(minute.start + minute.micros() / 2);
                let factor = self.volume.weekday_multipliers.get(usize::from(local.weekday)).copied().unwrap_or(1.0);
                self.volume.tps(local.hour()) * factor * minute.seconds()
            })
            .sum()
    }

    /// What it found, and the rate of each hour.
    pub(crate) fn finish(mut self, table: &str, column: &str) -> (Vec<Finding>, Vec<Metric>) {
        let (mut judged, mut off, mut worst) = (0u64, 0u64, (0.0f64, 0));
        let (mut all_expected, mut all_rows) = (0.0, 0u64);
        let mut metrics = Vec::new();
        for (hour, rows) in std::mem::take(&mut self.rows).into_iter().enumerate() {
            let start = (self.first_hour + hour as i64) * HOUR;
            let part = Window::new(start.max(self.window.start), (start + HOUR).min(self.window.end));
            let expected = self.expected(part);
            all_expected += expected;
            all_rows += rows;
            metrics.push(Metric {
                name: "requests_per_second".to_owned(),
                value: rows as f64 / part.seconds().max(f64::MIN_POSITIVE),
                unit: Some("/s".to_owned()),
                at: Some(part.start),
            });
            if part.micros() < SHORTEST {
                continue;
            }
            judged += 1;
            // Traffic comes in bursts, which weigh more in a part of an hour.
            let tolerance = self.volume.hour_tolerance * (HOUR as f64 / part.micros() as f64).sqrt();
            let difference = (rows as f64 - expected) / expected.max(1.0);
            if difference.abs() > tolerance {
                off += 1;
                if difference.abs() > worst.0.abs() {
                    worst = (difference, part.start);
                }
            }
        }
        let finding = |rule: &str, broken: bool, message: String, failed: u64, checked: u64| Finding {
            rule: rule.to_owned(),
            severity: if broken { self.volume.severity } else { Severity::Info },
            table: Some(table.to_owned()),
            column: Some(column.to_owned()),
            message,
            failed,
            checked,
            samples: Vec::new(),
        };
        let mut findings = Vec::new();
        let allowed = ((judged as f64 * self.volume.hours_off).ceil() as u64).max(1);
        let hours = match (judged, off) {
            (0, _) => format!("not judged, as the window is shorter than {} minutes", SHORTEST / MINUTE),
            (_, 0) => format!("each of {judged} hours has about the rows of the schedule"),
            _ => format!(
                "{off} of {judged} hours are off the schedule ({allowed} may), the worst by {:+.0} %, {} hours into the window",
                worst.0 * 100.0,
                (worst.1 - self.window.start) / HOUR
            ),
        };
        findings.push(finding("hourly-volume", off > allowed, hours, off, judged));
        let difference = (all_rows as f64 - all_expected) / all_expected.max(1.0);
        let tolerance = self.volume.total_tolerance * (DAY as f64 / self.window.micros().max(1) as f64).sqrt().max(1.0);
        let (broken, total) = if self.window.micros() < HOUR {
            (false, "not judged, as the window is shorter than an hour".to_owned())
        } else {
            let message = format!(
                "{all_rows} rows, {:+.1} % off the {:.0} of the schedule, {:.0} % allowed",
                difference * 100.0,
                all_expected,
                tolerance * 100.0
            );
            (difference.abs() > tolerance, message)
        };
        let off = (all_rows as f64 - all_expected).abs().round() as u64;
        findings.push(finding("total-volume", broken, total, if broken { off } else { 0 }, all_rows));
        if self.elsewhere > 0 {
            let message = format!("{} rows lie outside the judged window", self.elsewhere);
            findings.push(finding("window", true, message, self.elsewhere, all_rows + self.elsewhere));
        }
        (findings, metrics)
    }
}
