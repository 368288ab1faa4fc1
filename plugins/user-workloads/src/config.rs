//! The configuration and its defaults.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemill_sdk::Problem;
use telemill_sdk::time::SECOND;

/// Settings of the users and of what collects their metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many users there are, 1 to 5,000. Each has one machine, which persists.
    pub users: u32,
    /// Seconds between two samples of a user, 1 to 3,600.
    pub interval_seconds: u32,
    /// The first user begins with the span; the others join within so many minutes, 0 to 10,080.
    pub start_spread_minutes: f64,
    /// Seconds after which a user's collector sends what it has, 1 to 86,400.
    pub upload_seconds: u32,
    /// What the columns of disk and network say.
    pub disk_and_network: Amounts,
    /// How often a phase is entered in relation to the others, on top of the usual transitions.
    pub phase_weights: PhaseWeights,
    /// How long a phase lasts on average, in minutes.
    pub dwell_minutes: DwellMinutes,
    /// How users are shared out among the sources.
    pub sources: Sources,
}

/// What the columns of disk and network say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Amounts {
    /// Megabytes since the sample before, as in the document's example.
    #[default]
    PerSample,
    /// Megabytes since the user's start: counters that never go back.
    SinceStart,
}

/// How often each phase is entered in relation to the others, 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PhaseWeights {
    /// Computing.
    pub cpu_bound: f64,
    /// Reading and writing.
    pub io_bound: f64,
    /// Holding much in memory.
    pub memory_bound: f64,
    /// Next to nothing.
    pub idle: f64,
    /// A bit of everything.
    pub mixed: f64,
}

impl Default for PhaseWeights {
    fn default() -> Self {
        Self { cpu_bound: 1.0, io_bound: 1.0, memory_bound: 1.0, idle: 1.0, mixed: 1.0 }
    }
}

/// How long each phase lasts on average, in minutes, 0.25 to 60.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DwellMinutes {
    /// Computing.
    pub cpu_bound: f64,
    /// Reading and writing.
    pub io_bound: f64,
    /// Holding much in memory.
    pub memory_bound: f64,
    /// Next to nothing.
    pub idle: f64,
    /// A bit of everything.
    pub mixed: f64,
}

impl Default for DwellMinutes {
    fn default() -> Self {
        Self { cpu_bound: 6.0, io_bound: 5.0, memory_bound: 6.0, idle: 6.0, mixed: 4.5 }
    }
}

/// How users are shared out among the sources, as weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sources {
    /// A collector of their own that posts metrics.
    pub external: f64,
    /// The simulation.
    pub simulation: f64,
    /// The web page.
    pub web: f64,
}

impl Default for Sources {
    fn default() -> Self {
        Self { external: 5.0, simulation: 3.0, web: 2.0 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            users: 20,
            interval_seconds: 1,
            start_spread_minutes: 10.0,
            upload_seconds: 60,
            disk_and_network: Amounts::PerSample,
            phase_weights: PhaseWeights::default(),
            dwell_minutes: DwellMinutes::default(),
            sources: Sources::default(),
        }
    }
}

impl PhaseWeights {
    /// In the order of the phases.
    pub fn all(&self) -> [f64; 5] {
        [self.cpu_bound, self.io_bound, self.memory_bound, self.idle, self.mixed]
    }
}

impl DwellMinutes {
    /// In the order of the phases.
    pub fn all(&self) -> [f64; 5] {
        [self.cpu_bound, self.io_bound, self.memory_bound, self.idle, self.mixed]
    }
}

impl Sources {
    /// In the order of the sources' names.
    pub fn all(&self) -> [f64; 3] {
        [self.external, self.simulation, self.web]
    }
}

impl Config {
    /// What the schema can't say.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut require = |good: bool, path: &str, message: &str| {
            if !good {
                problems.push(Problem::new(path, message));
            }
        };
        let within = |value: f64, low: f64, high: f64| (low..=high).contains(&value);
        require((1..=5_000).contains(&self.users), "/users", "must be between 1 and 5,000");
        require((1..=3_600).contains(&self.interval_seconds), "/interval_seconds", "must be between 1 and 3,600");
        require((1..=86_400).contains(&self.upload_seconds), "/upload_seconds", "must be between 1 and 86,400");
        require(
            within(self.start_spread_minutes, 0.0, 10_080.0),
            "/start_spread_minutes",
            "must be between 0 and 10,080",
        );
        let weights = self.phase_weights.all();
        require(
            weights.iter().all(|w| within(*w, 0.0, 100.0)) && weights.iter().filter(|w| **w > 0.0).count() > 1,
            "/phase_weights",
            "each must be between 0 and 100, and two at least above 0",
        );
        require(
            self.dwell_minutes.all().iter().all(|m| within(*m, 0.25, 60.0)),
            "/dwell_minutes",
            "each must be between 0.25 and 60",
        );
        let sources = self.sources.all();
        require(
            sources.iter().all(|w| within(*w, 0.0, 1e6)) && sources.iter().any(|w| *w > 0.0),
            "/sources",
            "each must be 0 or more, and one at least above 0",
        );
        problems
    }

    /// The grid of samples.
    pub fn step_micros(&self) -> i64 {
        i64::from(self.interval_seconds.max(1)) * SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_name_the_key() {
        let config = Config {
            users: 0,
            interval_seconds: 0,
            start_spread_minutes: f64::NAN,
            upload_seconds: 0,
            phase_weights: PhaseWeights { cpu_bound: 1.0, io_bound: 0.0, memory_bound: 0.0, idle: 0.0, mixed: 0.0 },
            dwell_minutes: DwellMinutes { idle: 0.0, ..DwellMinutes::default() },
            sources: Sources { external: 0.0, simulation: 0.0, web: 0.0 },
            ..Config::default()
        };
        let paths: Vec<String> = config.problems().into_iter().map(|problem| problem.path).collect();
        assert_eq!(
            paths,
            [
                "/users",
                "/interval_seconds",
                "/upload_seconds",
                "/start_spread_minutes",
                "/phase_weights",
                "/dwell_minutes",
                "/sources"
            ]
        );
        assert_eq!(Config::default().problems(), []);
    }
}
