//! The configuration, its defaults, and the rates that follow from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemill_sdk::profile::{DayPart, Holiday, Profile};
use telemill_sdk::range::Range;
use telemill_sdk::{Problem, Zone};

use crate::catalogue::Catalogue;
use crate::templates::{ErrorTemplates, InfrastructureMetrics, NormalTransaction};

/// Settings of the simulated shop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Transactions per second where the daily schedule stands at its base of 20.
    pub base_tps: f64,
    /// How far the schedule's peaks rise above the base: 2.5 gives the schedule's own 50 where it says 50.
    pub peak_multiplier: f64,
    /// Share of errors in normal operation, in percent: a number, or a range such as "1-2" that follows the load.
    pub error_rate_normal: Range,
    /// Share of errors that an incident in full force brings to the operations it hits, in percent: what an incident model means by
    /// 25 to 40 percent becomes this range.
    pub error_rate_incident: Range,
    /// IANA name of the time zone of the daily schedule.
    pub time_zone: String,
    /// Factors on the rate from Monday to Sunday.
    pub weekday_multipliers: [f64; 7],
    /// Days whose rate differs.
    pub holidays: Vec<Holiday>,
    /// How many users there are (1 to 1,000,000); their activity follows Zipf's law.
    pub users: u32,
    /// The content of your own normal_transaction.json: services, operations, dependencies.
    pub normal_transaction: Option<NormalTransaction>,
    /// The content of your own error_templates.json: codes, messages and statuses of errors.
    pub error_templates: Option<ErrorTemplates>,
    /// The content of your own infrastructure_metrics.json: hosts.
    pub infrastructure_metrics: Option<InfrastructureMetrics>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base_tps: 20.0,
            peak_multiplier: 2.5,
            error_rate_normal: Range::new(1.0, 2.0),
            error_rate_incident: Range::new(INCIDENT_LOW * 100.0, INCIDENT_HIGH * 100.0),
            time_zone: "UTC".to_owned(),
            weekday_multipliers: [1.0; 7],
            holidays: Vec::new(),
            users: 20_000,
            normal_transaction: None,
            error_templates: None,
            infrastructure_metrics: None,
        }
    }
}

/// The schedule of the example system, in TPS at its base of 20: from the hour, going evenly from one rate to another.
const SCHEDULE: [(f64, f64, f64); 7] = [
    (0.0, 10.0, 10.0),
    (6.0, 15.0, 30.0),
    (9.0, 25.0, 40.0),
    (12.0, 35.0, 50.0),
    (14.0, 30.0, 45.0),
    (17.0, 40.0, 60.0),
    (20.0, 20.0, 10.0),
];
const SCHEDULE_BASE: f64 = 20.0;
/// The multiplier at which the schedule's own figures come out.
const SCHEDULE_PEAK_MULTIPLIER: f64 = 2.5;
/// What incident models mean by a share of errors, before `error_rate_incident`.
const INCIDENT_LOW: f64 = 0.25;
const INCIDENT_HIGH: f64 = 0.40;
const MAX_ERROR_SHARE: f64 = 0.98;
/// A second's index has 20 bits in a transaction's id.
const MAX_TPS: f64 = 500_000.0;
const MAX_USERS: u32 = 1_000_000;

impl Config {
    /// What the schema can't say.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut require = |good: bool, path: &str, message: &str| {
            if !good {
                problems.push(Problem::new(path, message));
            }
        };
        let finite = |value: f64, low: f64, high: f64| value.is_finite() && (low..=high).contains(&value);
        let peak = self.peak_multiplier.max(1.0) * 2.0;
        require(
            finite(self.base_tps, 0.0, MAX_TPS / peak),
            "/base_tps",
            "must be 0 or more, and its peak at most 500,000 transactions per second",
        );
        require(finite(self.peak_multiplier, 0.0, 1000.0), "/peak_multiplier", "must be between 0 and 1000");
        for (range, path) in
            [(self.error_rate_normal, "/error_rate_normal"), (self.error_rate_incident, "/error_rate_incident")]
        {
            require(range.low() >= 0.0 && range.high() <= 98.0, path, "is in percent, from 0 to 98");
        }
        require(
            self.error_rate_normal.high() <= self.error_rate_incident.low(),
            "/error_rate_incident",
            "must not be below error_rate_normal",
        );
        require(
            self.weekday_multipliers.iter().all(|m| finite(*m, 0.0, 10.0)),
            "/weekday_multipliers",
            "each must be between 0 and 10",
        );
        require(
            self.holidays.iter().all(|day| finite(day.multiplier, 0.0, 10.0)),
            "/holidays",
            "each multiplier must be between 0 and 10",
        );
        require((1..=MAX_USERS).contains(&self.users), "/users", "must be between 1 and 1,000,000");
        match Zone::named(&self.time_zone) {
            Err(_) => require(false, "/time_zone", "is no IANA time zone; write one such as Europe/Berlin"),
            Ok(zone) => {
                if let Err(message) = self.profile(&zone) {
                    require(false, "/holidays", &message);
                }
            }
        }
        if let Err(more) = Catalogue::new(self) {
            problems.extend(more);
        }
        problems
    }

    /// Transactions per second that the schedule asks for at s = schedule / 20: base x s below 1, and
    /// base x (1 + (s - 1)(peak_multiplier - 1) / 1.5) above, so that both parameters do what they say.
    pub fn tps(&self, schedule: f64) -> f64 {
        let s = schedule / SCHEDULE_BASE;
        let rise = (self.peak_multiplier - 1.0) / (SCHEDULE_PEAK_MULTIPLIER - 1.0);
        let shape = if s < 1.0 { s } else { 1.0 + (s - 1.0) * rise };
        self.base_tps * shape.max(0.0)
    }

    /// The expected rate over time, in transactions per second.
    ///
    /// # Errors
    /// A sentence where a holiday is no date.
    pub fn profile(&self, zone: &Zone) -> Result<Profile, String> {
        let ends = SCHEDULE.iter().skip(1).map(|part| part.0).chain([24.0]);
        let mut parts = Vec::new();
        for (&(from_hour, start, end), until) in SCHEDULE.iter().zip(ends) {
            // The formula has a kink at s = 1; a part that crosses it is cut there.
            let kink = (SCHEDULE_BASE - start) / (end - start);
            if kink > 0.0 && kink < 1.0 {
                let middle = from_hour + (until - from_hour) * kink;
                parts.push(DayPart { from_hour, start: self.tps(start), end: self.tps(SCHEDULE_BASE) });
                parts.push(DayPart { from_hour: middle, start: self.tps(SCHEDULE_BASE), end: self.tps(end) });
            } else {
                parts.push(DayPart { from_hour, start: self.tps(start), end: self.tps(end) });
            }
        }
        Profile::new(zone, &parts, &self.weekday_multipliers, &self.holidays)
    }

    /// Normal share of errors (0 to 1) at a place within the range (0 to 1).
    pub fn normal_error_share(&self, place: f64) -> f64 {
        self.error_rate_normal.at(place) / 100.0
    }

    /// What becomes of a share of errors that incidents ask for: as it is up to the normal rate; from there on bent so that
    /// 25 to 40 percent come out as `error_rate_incident`. With the defaults, nothing changes.
    pub fn incident_error_share(&self, asked: f64) -> f64 {
        let normal = (self.error_rate_normal.high() / 100.0).min(INCIDENT_LOW);
        let (low, high) = (self.error_rate_incident.low() / 100.0, self.error_rate_incident.high() / 100.0);
        let between = |x: f64, from: (f64, f64), to: (f64, f64)| {
            to.0 + (x - from.0) * (to.1 - to.0) / (from.1 - from.0).max(f64::MIN_POSITIVE)
        };
        let share = if asked <= normal {
            asked
        } else if asked < INCIDENT_LOW {
            between(asked, (normal, INCIDENT_LOW), (normal, low.max(normal)))
        } else if asked < INCIDENT_HIGH {
            between(asked, (INCIDENT_LOW, INCIDENT_HIGH), (low, high))
        } else {
            high + (asked - INCIDENT_HIGH)
        };
        share.clamp(0.0, MAX_ERROR_SHARE)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use telemill_sdk::time::HOUR;

    #[test]
    fn default_rates_are_the_documents_schedule() {
        let mut profile = Config::default().profile(&Zone::utc()).unwrap();
        for (hour, tps) in [
            (0, 10.0),
            (5, 10.0),
            (6, 15.0),
            (7, 20.0),
            (8, 25.0),
            (9, 25.0),
            (12, 35.0),
            (13, 42.5),
            (14, 30.0),
            (17, 40.0),
            (20, 20.0),
            (22, 15.0),
        ] {
            assert!((profile.at(hour * HOUR) - tps).abs() < 1e-9, "{hour}: {}", profile.at(hour * HOUR));
        }
        assert_eq!(profile.peak(), 60.0);
    }

    #[test]
    fn both_parameters_do_what_they_say() {
        let config = Config { base_tps: 100.0, peak_multiplier: 4.0, ..Config::default() };
        assert_eq!(config.tps(10.0), 50.0);
        assert_eq!(config.tps(20.0), 100.0);
        // The schedule's 50 is its peak multiplier of 2.5; with 4 it becomes four times the base.
        assert!((config.tps(50.0) - 400.0).abs() < 1e-9);
    }

    #[test]
    fn incident_shares_are_kept_by_default_and_moved_by_configuration() {
        let config = Config::default();
        for share in [0.001, 0.015, 0.1, 0.25, 0.33, 0.4, 0.6] {
            assert!((config.incident_error_share(share) - share).abs() < 1e-12, "{share}");
        }
        let worse = Config { error_rate_incident: Range::new(60.0, 80.0), ..Config::default() };
        assert!((worse.incident_error_share(0.25) - 0.6).abs() < 1e-12);
        assert!((worse.incident_error_share(0.4) - 0.8).abs() < 1e-12);
        assert!(worse.incident_error_share(0.5) <= 0.98);
    }

    #[test]
    fn problems_name_the_key() {
        let config = Config {
            base_tps: -1.0,
            time_zone: "Mars/Olympus".into(),
            users: 0,
            holidays: vec![Holiday { date: "tomorrow".into(), multiplier: 2.0 }],
            ..Config::default()
        };
        let paths: Vec<String> = config.problems().into_iter().map(|problem| problem.path).collect();
        assert_eq!(paths, ["/base_tps", "/users", "/time_zone"]);
        assert_eq!(Config::default().problems(), []);
    }
}
