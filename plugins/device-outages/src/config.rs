//! The configuration, its defaults and bounds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemill_sdk::Problem;
use telemill_sdk::range::Range;

/// What goes wrong in an estate of devices, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Incidents of a UTC day that no other one brought about: a number, or a range such as "2-4"; 0.5 is one in two days.
    pub incidents_per_day: Range,
    /// How long an incident lasts, in minutes; a disk takes four times as long to fill up.
    pub duration_minutes: Range,
    /// How long it takes from an incident's end until everything is as before, in minutes.
    pub recovery_minutes: Range,
    /// How many times slower a slow API answers.
    pub slowdown: Range,
    /// Errors a minute that a failed roll-out adds on each device.
    pub rollout_errors: Range,
    /// Whether incidents bring about others: a device that does not come back after an outage of its site's network, a disk full of
    /// crash dumps, a device that stops as its disk is full.
    pub cascades: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            incidents_per_day: Range::new(2.0, 4.0),
            duration_minutes: Range::new(10.0, 40.0),
            recovery_minutes: Range::new(1.0, 5.0),
            slowdown: Range::new(15.0, 40.0),
            rollout_errors: Range::new(0.3, 0.8),
            cascades: true,
        }
    }
}

impl Config {
    /// What the schema can't say.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (range, path, low, high) in [
            (self.incidents_per_day, "/incidents_per_day", 0.0, 48.0),
            (self.duration_minutes, "/duration_minutes", 1.0, 240.0),
            (self.recovery_minutes, "/recovery_minutes", 0.0, 240.0),
            (self.slowdown, "/slowdown", 1.0, 1000.0),
            (self.rollout_errors, "/rollout_errors", 0.0, 60.0),
        ] {
            if range.low() < low || range.high() > high {
                problems.push(Problem::new(path, format!("must lie between {low} and {high}")));
            }
        }
        problems
    }
}
