//! The configuration, its defaults (the figures of the example system) and their bounds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemill_sdk::{Problem, Zone};

/// Where sites and terminals come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Inventory {
    /// They are made up, as many as `sites` and `terminals` say.
    #[default]
    Made,
    /// They are the rows of the inputs `sites` and `devices`; `sites` and `terminals` are the most that there may be.
    Fed,
}

/// A chain of shops with terminals at their tills, and the platform that looks after them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where sites and terminals come from.
    pub inventory: Inventory,
    /// Sites, 1 to 2,000.
    pub sites: u32,
    /// Terminals of all sites together, 1 to 20,000.
    pub terminals: u32,
    /// Seconds from one reading of a terminal to the next, a divisor of 3,600.
    pub metrics_seconds: u32,
    /// Seconds from one call of a terminal's agent to the next, 10 to 3,600.
    pub agent_call_seconds: u32,
    /// Things that users do, per minute, on average over the week.
    pub activities_per_minute: f64,
    /// Jobs of users, per minute, on average over the week; those of roll-outs come on top.
    pub jobs_per_minute: f64,
    /// Errors in normal times, per minute, on average over the week.
    pub errors_per_minute: f64,
    /// Local hour at which sites open; each site is up to 45 minutes off.
    pub opens_hour: f64,
    /// Local hour at which sites close.
    pub closes_hour: f64,
    /// Factors on the load from Monday to Sunday.
    pub weekday_multipliers: Vec<f64>,
    /// Share of the sites that get a delivery on a day.
    pub delivery_share: f64,
    /// Groups of terminals that get new software together; each day one group does.
    pub rollout_groups: u32,
    /// Local hour at which a roll-out begins.
    pub rollout_hour: f64,
    /// IANA name of the sites' time zone.
    pub time_zone: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            inventory: Inventory::Made,
            sites: 8,
            terminals: 40,
            metrics_seconds: 5,
            agent_call_seconds: 30,
            activities_per_minute: 15.0,
            jobs_per_minute: 5.0,
            errors_per_minute: 1.0,
            opens_hour: 8.0,
            closes_hour: 20.0,
            weekday_multipliers: vec![0.95, 0.95, 1.0, 1.05, 1.2, 1.25, 0.6],
            delivery_share: 0.7,
            rollout_groups: 4,
            rollout_hour: 5.0,
            time_zone: "UTC".to_owned(),
        }
    }
}

impl Config {
    /// What the schema can't say.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut hold = |good: bool, path: &str, message: &str| {
            if !good {
                problems.push(Problem::new(path, message));
            }
        };
        hold((1..=2_000).contains(&self.sites), "/sites", "there are 1 to 2,000 sites");
        hold((1..=20_000).contains(&self.terminals), "/terminals", "there are 1 to 20,000 terminals");
        hold(
            self.metrics_seconds > 0 && 3_600 % self.metrics_seconds == 0,
            "/metrics_seconds",
            "must divide 3,600, such as 5, 30 or 60",
        );
        hold((10..=3_600).contains(&self.agent_call_seconds), "/agent_call_seconds", "must lie between 10 and 3,600");
        for (rate, path) in [
            (self.activities_per_minute, "/activities_per_minute"),
            (self.jobs_per_minute, "/jobs_per_minute"),
            (self.errors_per_minute, "/errors_per_minute"),
        ] {
            hold((0.0..=300.0).contains(&rate), path, "must lie between 0 and 300 a minute");
        }
        hold(
            0.0 <= self.opens_hour && self.opens_hour + 1.0 <= self.closes_hour && self.closes_hour <= 24.0,
            "/opens_hour",
            "must lie within the day, an hour before closes_hour at least",
        );
        hold(
            self.weekday_multipliers.len() == 7 && self.weekday_multipliers.iter().all(|x| (0.0..=10.0).contains(x)),
            "/weekday_multipliers",
            "must be seven numbers from 0 to 10, Monday first",
        );
        hold((0.0..=1.0).contains(&self.delivery_share), "/delivery_share", "is a share, from 0 to 1");
        hold((1..=100).contains(&self.rollout_groups), "/rollout_groups", "there are 1 to 100 groups");
        hold((0.0..=23.0).contains(&self.rollout_hour), "/rollout_hour", "must lie between 0 and 23");
        hold(
            Zone::named(&self.time_zone).is_ok(),
            "/time_zone",
            "is no IANA time zone; write one such as Europe/Berlin",
        );
        problems
    }
}
