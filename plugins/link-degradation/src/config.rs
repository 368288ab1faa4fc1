//! The configuration and its defaults.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemill_sdk::Problem;
use telemill_sdk::range::Range;

/// What goes wrong with links and nodes, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Incidents of a UTC day: a number, or a range such as "1-2"; 0.5 is one in two days.
    pub incidents_per_day: Range,
    /// Backups of a day that take part of a zone's bandwidth and are no incident: a number or a range.
    pub decoys_per_day: Range,
    /// How long an incident lasts, in minutes.
    pub duration_minutes: Range,
    /// How long it takes from an incident's end until everything is as before, in minutes.
    pub recovery_minutes: Range,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            incidents_per_day: Range::new(1.0, 2.0),
            decoys_per_day: Range::new(0.5, 0.5),
            duration_minutes: Range::new(20.0, 120.0),
            recovery_minutes: Range::new(5.0, 20.0),
        }
    }
}

impl Config {
    /// What the schema can't say.
    pub fn problems(&self) -> Vec<Problem> {
        [
            (self.incidents_per_day, "/incidents_per_day", 0.0, 48.0),
            (self.decoys_per_day, "/decoys_per_day", 0.0, 24.0),
            (self.duration_minutes, "/duration_minutes", 1.0, 1_440.0),
            (self.recovery_minutes, "/recovery_minutes", 0.0, 720.0),
        ]
        .into_iter()
        .filter(|(range, _, low, high)| range.low() < *low || range.high() > *high)
        .map(|(_, path, low, high)| Problem::new(path, format!("must lie between {low} and {high}")))
        .collect()
    }
}
