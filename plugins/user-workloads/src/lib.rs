//! The generator `user-workloads`: resource metrics of many users' machines. The model is in [`model`]; this is its plug.

pub mod config;
pub mod load;
pub mod machines;
pub mod model;
pub mod phases;
pub mod samples;
pub mod signals;

use telemill_sdk::{About, Effects, Error, Example, Generator, Output, Problem, Shard, Simulation, Window};

pub use config::Config;
pub use model::Workloads;

impl Generator for Workloads {
    type Config = Config;
    type State = Vec<samples::Counters>;

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Machines of many users: processors, memory, disk and network in five phases of work".to_owned(),
            documentation: include_str!("../README.md").to_owned(),
            examples: vec![
                Example::new("twenty users, a sample a second", "{}"),
                Example::new(
                    "counters since each user's start, every ten seconds",
                    r#"{"interval_seconds": 10, "disk_and_network": "since_start", "start_spread_minutes": 0}"#,
                ),
                Example::new(
                    "idle most of the time",
                    r#"{"users": 3, "phase_weights": {"idle": 4}, "dwell_minutes": {"idle": 20}, "sources": {"web": 1}}"#,
                ),
            ],
            attributes: Vec::new(),
        }
    }

    fn check(config: &Config) -> Vec<Problem> {
        config.problems()
    }

    fn plan(config: &Config) -> Result<Simulation, Error> {
        Ok(model::plan(config))
    }

    fn open(config: Config, shard: Shard) -> Result<Self, Error> {
        Ok(Self::new(&config, &shard))
    }

    fn advance(&mut self, window: Window, effects: &Effects, output: &mut Output) -> Result<(), Error> {
        Self::advance(self, window, effects, output)
    }

    fn save(&self) -> Option<Self::State> {
        self.counters()
    }

    fn restore(config: Config, shard: Shard, state: Self::State) -> Result<Self, Error> {
        Self::open(config, shard)?.with_counters(&state)
    }
}

telemill_sdk::export_generator!(Workloads);
