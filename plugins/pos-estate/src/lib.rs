//! The generator `pos-estate`: shops, their terminals, and the platform that looks after them. The model is in [`model`]; this
//! is its plug.

pub mod activities;
pub mod agenda;
pub mod agents;
pub mod api;
pub mod config;
pub mod endpoints;
pub mod errors;
pub mod ids;
pub mod inventory;
pub mod jobs;
pub mod metrics;
pub mod model;
pub mod rhythm;
pub mod sessions;
pub mod signals;
pub mod snapshots;

use telemill_sdk::{
    About, Batch, Effects, Error, Example, Generator, Input, Output, Problem, Shard, Simulation, Window,
};

pub use config::Config;
pub use model::PosEstate;

impl Generator for PosEstate {
    type Config = Config;
    type State = ();

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Shops with point-of-sale terminals: metrics, API calls, errors, users, jobs and configurations"
                .to_owned(),
            documentation: include_str!("../README.md").to_owned(),
            examples: vec![
                Example::new("the example system", "{}"),
                Example::new("one shop, read once a minute", r#"{"sites": 1, "terminals": 10, "metrics_seconds": 60}"#),
                Example::new(
                    "a chain",
                    r#"{"sites": 100, "terminals": 1000, "activities_per_minute": 200, "metrics_seconds": 30}"#,
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
        Ok(Self::new(config, shard))
    }

    fn feed(&mut self, input: &Input, rows: &Batch) -> Result<(), Error> {
        Self::feed(self, input, rows)
    }

    fn advance(&mut self, window: Window, effects: &Effects, output: &mut Output) -> Result<(), Error> {
        Self::advance(self, window, effects, output)
    }
}

telemill_sdk::export_generator!(PosEstate);
