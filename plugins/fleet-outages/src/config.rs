//! The configuration and its defaults.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemill_sdk::Problem;
use telemill_sdk::range::Range;

/// What goes wrong in a fleet of machines, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Outages that begin within a UTC day: a number, or a range such as "1-3"; 0.5 is one in two days.
    pub outages_per_day: Range,
    /// How long an outage lasts, in minutes.
    pub duration_minutes: Range,
    /// How long it takes from an outage's end until everything is as before, in minutes.
    pub recovery_minutes: Range,
    /// Share of the reports that an outage of power, firmware or an update still lets through, in percent; a dead link lets none.
    pub reports_left: Range,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            outages_per_day: Range::new(1.0, 3.0),
            duration_minutes: Range::new(60.0, 240.0),
            recovery_minutes: Range::new(5.0, 30.0),
            reports_left: Range::new(5.0, 20.0),
        }
    }
}

impl Config {
    /// What the schema can't say.
    pub fn problems(&self) -> Vec<Problem> {
        [
            (self.outages_per_day, "/outages_per_day", 0.0, 1000.0),
            (self.duration_minutes, "/duration_minutes", 1.0, 10_080.0),
            (self.recovery_minutes, "/recovery_minutes", 0.0, 1440.0),
            (self.reports_left, "/reports_left", 0.0, 100.0),
        ]
        .into_iter()
        .filter(|(range, _, low, high)| range.low() < *low || range.high() > *high)
        .map(|(_, path, low, high)| Problem::new(path, format!("must lie between {low} and {high}")))
        .collect()
    }
}
