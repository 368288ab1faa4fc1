//! What traffic, response times and errors are expected; the defaults are those of the plugin `ecommerce`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemill_sdk::{Problem, Severity, Zone};

/// Where the numbers stand, and what they must be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The table of requests.
    pub table: String,
    /// The column with the time of a request.
    pub time_column: String,
    /// The column with its response time.
    pub latency_column: String,
    /// The column that says whether it failed.
    pub status_column: String,
    /// The values of that column that are failures.
    pub error_values: Vec<String>,
    /// The column that says whether an incident was on.
    pub phase_column: String,
    /// The traffic that is expected; none for no rule about it.
    pub volume: Option<Volume>,
    /// Response times and errors that are expected.
    pub levels: Vec<Level>,
}

/// The traffic of a day. Requests per second are base_tps x s for s = schedule / 20 below 1, and
/// base_tps x (1 + (s - 1)(peak_multiplier - 1) / 1.5) above.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Volume {
    /// The generator's setting of the same name.
    pub base_tps: f64,
    /// The generator's setting of the same name.
    pub peak_multiplier: f64,
    /// IANA name of the time zone of the schedule.
    pub time_zone: String,
    /// Factors on the rate from Monday to Sunday.
    pub weekday_multipliers: [f64; 7],
    /// The parts of a day in order, from midnight on.
    pub schedule: Vec<DayPart>,
    /// How far an hour may be off, as a share of what is expected.
    pub hour_tolerance: f64,
    /// Share of the hours that may be off further (a sale, a burst); one hour always may.
    pub hours_off: f64,
    /// How far a day or more may be off, as a share of what is expected; less than a day by as much more as its square root is less.
    pub total_tolerance: f64,
    /// How bad it is to miss it.
    pub severity: Severity,
}

/// A part of the day in which the schedule goes evenly from one rate to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DayPart {
    /// Hour of the day at which it begins, 0 to 24; it lasts until the next begins.
    pub from_hour: f64,
    /// Rate at its beginning, in requests per second at a base of 20.
    pub start: f64,
    /// Rate at its end.
    pub end: f64,
}

/// Response times and errors in some phases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Level {
    /// Its name in the report.
    pub name: String,
    /// The phases whose rows are meant; empty for all rows.
    pub phases: Vec<String>,
    /// Bands of quantiles of the response time.
    pub quantiles: Vec<QuantileBand>,
    /// Least share of errors, 0 to 1.
    pub errors_at_least: f64,
    /// Greatest share of errors, 0 to 1.
    pub errors_at_most: f64,
    /// Fewer rows are not judged.
    pub min_rows: u64,
    /// How bad it is to miss it.
    pub severity: Severity,
}

/// Where a quantile of the response time must lie, in milliseconds. It is read from a histogram and right within 0.8 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QuantileBand {
    /// Which quantile, 0 to 1.
    pub quantile: f64,
    /// The least that it may be.
    pub at_least_ms: f64,
    /// The most that it may be.
    pub at_most_ms: f64,
}

impl Default for Config {
    fn default() -> Self {
        let band = |quantile, at_least_ms, at_most_ms| QuantileBand { quantile, at_least_ms, at_most_ms };
        Self {
            table: "transactions".to_owned(),
            time_column: "timestamp".to_owned(),
            latency_column: "response_time_ms".to_owned(),
            status_column: "status".to_owned(),
            error_values: vec!["error".to_owned()],
            phase_column: "phase".to_owned(),
            volume: Some(Volume::default()),
            levels: vec![
                Level {
                    name: "normal".to_owned(),
                    phases: vec!["normal".to_owned()],
                    quantiles: vec![band(0.1, 100.0, 400.0), band(0.5, 200.0, 800.0), band(0.9, 400.0, 1200.0)],
                    errors_at_least: 0.005,
                    errors_at_most: 0.03,
                    ..Level::default()
                },
                Level {
                    name: "incident".to_owned(),
                    phases: vec!["incident".to_owned()],
                    quantiles: vec![band(0.9, 2000.0, 35_000.0)],
                    errors_at_least: 0.10,
                    errors_at_most: 0.60,
                    ..Level::default()
                },
            ],
        }
    }
}

impl Default for Level {
    fn default() -> Self {
        Self {
            name: "all".to_owned(),
            phases: Vec::new(),
            quantiles: Vec::new(),
            errors_at_least: 0.0,
            errors_at_most: 1.0,
            min_rows: 1000,
            severity: Severity::default(),
        }
    }
}

/// The schedule of the example system.
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
const SCHEDULE_PEAK_MULTIPLIER: f64 = 2.5;

impl Default for Volume {
    fn default() -> Self {
        Self {
            base_tps: 20.0,
            peak_multiplier: 2.5,
            time_zone: "UTC".to_owned(),
            weekday_multipliers: [1.0; 7],
            schedule: SCHEDULE.map(|(from_hour, start, end)| DayPart { from_hour, start, end }).to_vec(),
            hour_tolerance: 0.35,
            hours_off: 0.1,
            total_tolerance: 0.15,
            severity: Severity::default(),
        }
    }
}

impl Volume {
    /// Requests per second at a local hour of the day, 0.0 to below 24.0.
    pub fn tps(&self, hour: f64) -> f64 {
        let mut ends = self.schedule.iter().skip(1).map(|part| part.from_hour).chain([24.0]);
        let scheduled = self.schedule.iter().find_map(|part| {
            let until = ends.next()?;
            (part.from_hour <= hour && hour < until)
                .then(|| part.start + (part.end - part.start) * (hour - part.from_hour) / (until - part.from_hour))
        });
        let s = scheduled.unwrap_or(0.0) / SCHEDULE_BASE;
        let rise = (self.peak_multiplier - 1.0) / (SCHEDULE_PEAK_MULTIPLIER - 1.0);
        let shape = if s < 1.0 { s } else { 1.0 + (s - 1.0) * rise };
        self.base_tps * shape.max(0.0)
    }
}

impl Config {
    /// What the schema can't say.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut require = |good: bool, path: String, message: &str| {
            if !good {
                problems.push(Problem::new(path, message));
            }
        };
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let positive = |value: f64| value.is_finite() && value >= 0.0;
        if let Some(volume) = &self.volume {
            let at = |key: &str| format!("/volume/{key}");
            require(positive(volume.base_tps), at("base_tps"), "must be 0 or more");
            require(positive(volume.peak_multiplier), at("peak_multiplier"), "must be 0 or more");
            require(
                Zone::named(&volume.time_zone).is_ok(),
                at("time_zone"),
                "is no IANA time zone; write one such as Europe/Berlin",
            );
            require(
                volume.weekday_multipliers.iter().all(|m| positive(*m)),
                at("weekday_multipliers"),
                "each must be 0 or more",
            );
            let from_midnight = volume.schedule.first().is_some_and(|part| part.from_hour == 0.0);
            let in_order = volume.schedule.is_sorted_by(|a, b| a.from_hour < b.from_hour);
            let within = volume.schedule.iter().all(|part| part.from_hour < 24.0);
            require(
                from_midnight && in_order && within,
                at("schedule"),
                "must begin at hour 0 and go on in order, to before hour 24",
            );
            require(
                volume.schedule.iter().all(|part| positive(part.start) && positive(part.end)),
                at("schedule"),
                "rates must be 0 or more",
            );
            require(positive(volume.hour_tolerance), at("hour_tolerance"), "must be 0 or more");
            require(positive(volume.total_tolerance), at("total_tolerance"), "must be 0 or more");
            require(share(volume.hours_off), at("hours_off"), "is a share, from 0 to 1");
        }
        for (i, level) in self.levels.iter().enumerate() {
            let at = |key: &str| format!("/levels/{i}/{key}");
            require(!level.name.is_empty(), at("name"), "must not be empty");
            require(
                share(level.errors_at_least) && share(level.errors_at_most),
                at("errors_at_most"),
                "is a share, from 0 to 1",
            );
            require(
                level.errors_at_least <= level.errors_at_most,
                at("errors_at_least"),
                "must not be above errors_at_most",
            );
            for (j, band) in level.quantiles.iter().enumerate() {
                require(share(band.quantile), at(&format!("quantiles/{j}/quantile")), "is from 0 to 1");
                require(
                    band.at_least_ms <= band.at_most_ms,
                    at(&format!("quantiles/{j}/at_least_ms")),
                    "must not be above at_most_ms",
                );
            }
        }
        require(self.levels.len() <= MOST_LEVELS, "/levels".to_owned(), "there are at most 32");
        problems
    }
}

/// The levels of a row are bits of 32.
const MOST_LEVELS: usize = 32;
