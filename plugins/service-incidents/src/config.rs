//! The configuration and its defaults: the figures of the example system.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemill_sdk::range::Range;
use telemill_sdk::{Problem, Zone};

/// What goes wrong in a system of services, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Incidents of a UTC day that no other one brought about: a number, or a range such as "2-3"; 0.5 is one in two days.
    pub incidents_per_day: Range,
    /// Load spikes of a day that are no incident: a number or a range.
    pub decoys_per_day: Range,
    /// How long an incident lasts, in minutes.
    pub duration_minutes: Range,
    /// How long it takes from an incident's end until everything is as before, in minutes.
    pub recovery_minutes: Range,
    /// How many times slower operations are that an incident in full force hits.
    pub slowdown: Range,
    /// Whether incidents bring about others: breakers that open, retries that overload a caller.
    pub cascades: bool,
    /// Whether the example system's three incidents take place: a payment gateway's timeouts on the span's last day from 14:25 to
    /// 14:35, an exhausted connection pool the day before from 12:15 to 12:25, a memory leak two days before from 18:30 to
    /// 18:45.
    pub scenarios: bool,
    /// IANA name of the time zone of the scenarios' days and hours.
    pub time_zone: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            incidents_per_day: Range::new(2.0, 3.0),
            decoys_per_day: Range::new(0.5, 0.5),
            duration_minutes: Range::new(5.0, 15.0),
            recovery_minutes: Range::new(5.0, 10.0),
            slowdown: Range::new(20.0, 30.0),
            cascades: true,
            scenarios: false,
            time_zone: "UTC".to_owned(),
        }
    }
}

impl Config {
    /// What the schema can't say.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (range, path, low, high) in [
            (self.incidents_per_day, "/incidents_per_day", 0.0, 48.0),
            (self.decoys_per_day, "/decoys_per_day", 0.0, 24.0),
            (self.duration_minutes, "/duration_minutes", 1.0, 720.0),
            (self.recovery_minutes, "/recovery_minutes", 0.0, 720.0),
            (self.slowdown, "/slowdown", 1.0, 1000.0),
        ] {
            if range.low() < low || range.high() > high {
                problems.push(Problem::new(path, format!("must lie between {low} and {high}")));
            }
        }
        if Zone::named(&self.time_zone).is_err() {
            problems.push(Problem::new("/time_zone", "is no IANA time zone; write one such as Europe/Berlin"));
        }
        problems
    }
}
