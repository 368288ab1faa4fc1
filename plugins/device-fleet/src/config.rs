//! The configuration, its defaults, and what is wrong with one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemill_sdk::time::{DAY, MINUTE};
use telemill_sdk::{Problem, Zone};

use crate::segments::Segment;

/// Settings of the fleet and of the snapshots that are taken of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Machines of the fleet (1 to 100,000).
    pub devices: u32,
    /// Machines that a branch has on average (2 to 1,000).
    pub devices_per_branch: f64,
    /// Day on which the first machine was acquired, 2015-01-01 or later.
    pub acquired_from: String,
    /// Day until which machines are acquired.
    pub acquired_until: String,
    /// A machine is online where its last connection is less than so many minutes ago.
    pub window_minutes: u32,
    /// How often a machine tries to report, in minutes.
    pub frequency_minutes: u32,
    /// Probability that a machine which is switched on and well gets a report through.
    pub update_probability: f64,
    /// How often a snapshot of the segments is taken, in minutes.
    pub snapshot_minutes: u32,
    /// Mean share of machines in trouble, 0 to 0.4.
    pub fault_share: f64,
    /// What snapshots count by: up to three of State, Type, Model, Supplier, OS, OS_version, Branch, Error, joined by " and ".
    pub segments: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            devices: 4000,
            devices_per_branch: 5.0,
            acquired_from: "2015-01-01".to_owned(),
            acquired_until: "2025-12-31".to_owned(),
            window_minutes: 60,
            frequency_minutes: 15,
            update_probability: 0.7,
            snapshot_minutes: 15,
            fault_share: 0.03,
            segments: DEFAULT_SEGMENTS.iter().map(|&name| name.to_owned()).collect(),
        }
    }
}

const DEFAULT_SEGMENTS: [&str; 13] = [
    "State",
    "Type",
    "Model",
    "Supplier",
    "OS",
    "OS_version",
    "Branch",
    "Error",
    "State and Type",
    "Type and Model",
    "Type and Supplier",
    "Type and OS",
    "Type and OS and OS_version",
];

/// The rows of all machines come in one step, whose output is bounded.
const MAX_DEVICES: u32 = 100_000;
const MINUTES_OF_A_DAY: u32 = 1440;
/// Before it, none of the catalogue's models could be bought.
const EARLIEST_DAY: i64 = 16_436;
const MAX_SEGMENTS: usize = 32;

impl Config {
    /// What the schema can't say.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut require = |good: bool, path: &str, message: &str| {
            if !good {
                problems.push(Problem::new(path, message));
            }
        };
        require((1..=MAX_DEVICES).contains(&self.devices), "/devices", "must be between 1 and 100,000");
        require(
            (2.0..=1000.0).contains(&self.devices_per_branch),
            "/devices_per_branch",
            "must be between 2 and 1,000",
        );
        for (minutes, path) in [
            (self.window_minutes, "/window_minutes"),
            (self.frequency_minutes, "/frequency_minutes"),
            (self.snapshot_minutes, "/snapshot_minutes"),
        ] {
            require((1..=MINUTES_OF_A_DAY).contains(&minutes), path, "must be between 1 and 1,440");
        }
        require((0.0..=1.0).contains(&self.update_probability), "/update_probability", "must be between 0 and 1");
        require((0.0..=0.4).contains(&self.fault_share), "/fault_share", "must be between 0 and 0.4");
        match (day(&self.acquired_from), day(&self.acquired_until)) {
            (None, _) => require(false, "/acquired_from", "is no date; write one such as 2015-01-01"),
            (_, None) => require(false, "/acquired_until", "is no date; write one such as 2025-12-31"),
            (Some(from), Some(until)) => {
                require(from >= EARLIEST_DAY, "/acquired_from", "must be 2015-01-01 or later");
                require(from <= until, "/acquired_until", "must not be before acquired_from");
            }
        }
        require(self.segments.len() <= MAX_SEGMENTS, "/segments", "are more than 32");
        for (at, name) in self.segments.iter().enumerate() {
            let path = format!("/segments/{at}");
            if let Err(message) = Segment::named(name) {
                require(false, &path, &message);
            }
            require(!self.segments.iter().take(at).any(|earlier| earlier == name), &path, "is there twice");
        }
        problems
    }

    /// How many branches there are: never more than machines.
    pub fn branches(&self) -> usize {
        ((f64::from(self.devices) / self.devices_per_branch).round() as usize).clamp(1, self.devices.max(1) as usize)
    }

    /// The first and the last day of acquisitions, counted from 1970.
    pub fn acquisition_days(&self) -> (i64, i64) {
        let from = day(&self.acquired_from).unwrap_or(EARLIEST_DAY);
        (from, day(&self.acquired_until).unwrap_or(from).max(from))
    }

    /// Time between snapshots, in microseconds.
    pub fn step_micros(&self) -> i64 {
        i64::from(self.snapshot_minutes.max(1)) * MINUTE
    }
}

/// The number of a date such as 2015-01-01, counted in days from 1970.
fn day(date: &str) -> Option<i64> {
    let mut parts = date.splitn(3, '-');
    let (year, month, date) = (parts.next()?, parts.next()?, parts.next()?);
    let midnight = Zone::utc().at(year.parse().ok()?, month.parse().ok()?, date.parse().ok()?, 0)?;
    Some(midnight.div_euclid(DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_name_the_key() {
        let config = Config {
            devices: 0,
            update_probability: 1.5,
            acquired_from: "2014-12-31".into(),
            acquired_until: "soon".into(),
            segments: vec!["State".into(), "State and Colour".into(), "State".into()],
            ..Config::default()
        };
        let paths: Vec<String> = config.problems().into_iter().map(|problem| problem.path).collect();
        assert_eq!(paths, ["/devices", "/update_probability", "/acquired_until", "/segments/1", "/segments/2"]);
        assert_eq!(Config::default().problems(), []);
        let early = Config { acquired_from: "2014-12-31".into(), ..Config::default() };
        assert_eq!(early.problems().first().map(|problem| problem.path.as_str()), Some("/acquired_from"));
    }

    #[test]
    fn dates_are_days_since_1970() {
        assert_eq!(day("1970-01-02"), Some(1));
        assert_eq!(day("2015-01-01"), Some(EARLIEST_DAY));
        assert_eq!(day("2015-13-01"), None);
    }
}
