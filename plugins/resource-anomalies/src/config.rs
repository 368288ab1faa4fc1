//! The configuration and its defaults.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemill_sdk::Problem;
use telemill_sdk::range::Range;

/// What goes wrong on users' machines, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Anomalies of one machine on a UTC day: a number, or a range such as "1-3"; 0.5 is one in two days.
    pub anomalies_per_machine_day: Range,
    /// Backups of one machine on a day: much data is moved and nothing is wrong.
    pub backups_per_machine_day: Range,
    /// How long an anomaly lasts, in minutes.
    pub duration_minutes: Range,
    /// How often each kind happens in relation to the others.
    pub weights: Weights,
}

/// How often each kind happens in relation to the others, 0 or more.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// A process runs wild.
    pub cpu_spike: f64,
    /// A process takes ever more memory, until it is stopped.
    pub memory_leak: f64,
    /// The disk does nothing but seek.
    pub disk_thrash: f64,
    /// The network is full.
    pub network_saturation: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self { cpu_spike: 3.0, memory_leak: 2.0, disk_thrash: 2.0, network_saturation: 2.0 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            anomalies_per_machine_day: Range::new(3.0, 3.0),
            backups_per_machine_day: Range::new(0.2, 0.2),
            duration_minutes: Range::new(4.0, 15.0),
            weights: Weights::default(),
        }
    }
}

impl Weights {
    /// In the order of [`Kinds::ANOMALIES`](crate::kinds::Kinds::ANOMALIES).
    pub fn all(&self) -> [f64; 4] {
        [self.cpu_spike, self.memory_leak, self.disk_thrash, self.network_saturation]
    }
}

impl Config {
    /// What the schema can't say.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (range, path, low, high) in [
            (self.anomalies_per_machine_day, "/anomalies_per_machine_day", 0.0, 48.0),
            (self.backups_per_machine_day, "/backups_per_machine_day", 0.0, 24.0),
            (self.duration_minutes, "/duration_minutes", 0.5, 720.0),
        ] {
            if range.low() < low || range.high() > high {
                problems.push(Problem::new(path, format!("must lie between {low} and {high}")));
            }
        }
        let weights = self.weights.all();
        if weights.iter().any(|w| !(0.0..=1e6).contains(w)) || weights.iter().all(|w| *w == 0.0) {
            problems.push(Problem::new("/weights", "each must be 0 or more, and one at least above 0"));
        }
        problems
    }
}
