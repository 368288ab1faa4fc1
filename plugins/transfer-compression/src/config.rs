//! The configuration and its defaults.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemill_sdk::Problem;

use crate::network::ZONES;

/// Whose figures a row has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Executed {
    /// Those of all three algorithms, as if each had been tried.
    #[default]
    All,
    /// Those of the selected one and of the baseline, which always runs; the others are null.
    Selected,
}

/// How the algorithm of a transfer is selected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Selection {
    /// By a noisy estimate of time and processor, now and then by chance; columns depend on each other, outcomes on the selection.
    #[default]
    Policy,
    /// By chance, as the script of the example system has it: columns are independent, outcomes know nothing of the selection.
    Random,
}

/// Transfers between the nodes of a distributed system, and what three compression algorithms make of each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Transfers in an hour on the average of a day, up to 3,600,000.
    pub transfers_per_hour: f64,
    /// How far the number of transfers swings over a region's day, 0 (not at all) to 1 (from none to twice the mean).
    pub daily_swing: f64,
    /// Nodes that send, 1 to 1,000.
    pub nodes: u32,
    /// Peers that receive, 9 to 1,000: at least one in each zone.
    pub peers: u32,
    /// Whose figures a row has: of `all` algorithms, or of the `selected` one and the baseline.
    pub executed: Executed,
    /// How algorithms are selected: by `policy` or at `random`.
    pub selection: Selection,
    /// Share of transfers whose algorithm the policy picks by chance, 0 to 1.
    pub exploration_share: f64,
    /// What a millisecond of a wholly busy processor costs the policy, in milliseconds of time.
    pub cpu_weight: f64,
    /// Share of measured values that are missing, 0 to 0.9.
    pub missing_share: f64,
    /// Copies of whole rows, as a share of the rows, 0 to 1.
    pub duplicate_share: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            transfers_per_hour: 240.0,
            daily_swing: 0.5,
            nodes: 1_000,
            peers: 1_000,
            executed: Executed::All,
            selection: Selection::Policy,
            exploration_share: 0.12,
            cpu_weight: 0.5,
            missing_share: 0.0,
            duplicate_share: 0.0,
        }
    }
}

impl Config {
    /// What the schema can't say.
    pub fn problems(&self) -> Vec<Problem> {
        let between = |value: f64, low: f64, high: f64| (low..=high).contains(&value);
        let rules = [
            (between(self.transfers_per_hour, 0.0, 3_600_000.0), "/transfers_per_hour", "is from 0 to 3,600,000"),
            (between(self.daily_swing, 0.0, 1.0), "/daily_swing", "is a share, from 0 to 1"),
            (between(f64::from(self.nodes), 1.0, 1_000.0), "/nodes", "there are 1 to 1,000 nodes"),
            (between(f64::from(self.peers), ZONES as f64, 1_000.0), "/peers", "there are 9 to 1,000 peers"),
            (between(self.exploration_share, 0.0, 1.0), "/exploration_share", "is a share, from 0 to 1"),
            (between(self.cpu_weight, 0.0, 1_000.0), "/cpu_weight", "is from 0 to 1,000"),
            (between(self.missing_share, 0.0, 0.9), "/missing_share", "is a share, from 0 to 0.9"),
            (between(self.duplicate_share, 0.0, 1.0), "/duplicate_share", "is a share, from 0 to 1"),
        ];
        rules.into_iter().filter(|(good, ..)| !good).map(|(_, path, message)| Problem::new(path, message)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_name_the_key() {
        let config = Config {
            transfers_per_hour: f64::NAN,
            peers: 8,
            missing_share: 1.0,
            duplicate_share: -0.1,
            ..Config::default()
        };
        let paths: Vec<String> = config.problems().into_iter().map(|problem| problem.path).collect();
        assert_eq!(paths, ["/transfers_per_hour", "/peers", "/missing_share", "/duplicate_share"]);
        assert_eq!(Config::default().problems(), []);
    }
}
