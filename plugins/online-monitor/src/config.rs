//! The configuration and its defaults: those of the example system.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemill_sdk::{Problem, Severity};

/// Where the counts stand, and which drop is an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The table of counts by segment.
    pub table: String,
    /// Its column with the time of the snapshot.
    pub time_column: String,
    /// Its column with the name of the segment.
    pub segment_column: String,
    /// Its column with the machines online.
    pub count_column: String,
    /// The segment whose rows add up to all machines online.
    pub segment: String,
    /// The table of all machines, a row each.
    pub inventory_table: String,
    /// How many machines there are, where no table says so.
    pub inventory: Option<u64>,
    /// How many snapshots before the judged one make the baseline.
    pub history: u32,
    /// The drop below the baseline that is an alert, as a share of the baseline.
    pub threshold: f64,
    /// Which snapshots are judged.
    pub scope: Scope,
    /// How bad an alert is.
    pub severity: Severity,
}

/// Which snapshots are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The latest one.
    #[default]
    Latest,
    /// Every one that has another before it.
    Every,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            table: "segment_timeseries".to_owned(),
            time_column: "ts".to_owned(),
            segment_column: "segment".to_owned(),
            count_column: "count".to_owned(),
            segment: "Type".to_owned(),
            inventory_table: "devices".to_owned(),
            inventory: None,
            history: 4,
            threshold: 0.15,
            scope: Scope::default(),
            severity: Severity::default(),
        }
    }
}

impl Config {
    /// What the schema can't say.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !(1..=10_000).contains(&self.history) {
            problems.push(Problem::new("/history", "must be between 1 and 10,000"));
        }
        if !(0.0..=1.0).contains(&self.threshold) || self.threshold == 0.0 {
            problems.push(Problem::new("/threshold", "must be above 0 and at most 1"));
        }
        if self.inventory == Some(0) {
            problems.push(Problem::new("/inventory", "must be 1 or more"));
        }
        problems
    }
}
