//! The generator `transfer-compression`: metrics of compressed transfers between nodes. The model is in [`model`]; this is its plug.

pub mod chunk;
pub mod config;
pub mod curve;
pub mod laws;
pub mod metrics;
pub mod model;
pub mod network;
pub mod outcome;
pub mod rounding;
pub mod targets;
pub mod transfer;

use telemill_sdk::{About, Effects, Error, Example, Generator, Output, Problem, Shard, Simulation, Window};

pub use config::Config;
pub use model::TransferCompression;

impl Generator for TransferCompression {
    type Config = Config;
    type State = ();

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary:
                "Transfers between nodes: their links, their data, and what three compression algorithms make of it"
                    .to_owned(),
            documentation: include_str!("../README.md").to_owned(),
            examples: vec![
                Example::new("the example system, with a policy that can be learned", "{}"),
                Example::new("the example system's script", r#"{"selection": "random"}"#),
                Example::new(
                    "what production logs, with work for cleaning",
                    r#"{"executed": "selected", "missing_share": 0.02, "duplicate_share": 0.01, "transfers_per_hour": 3600}"#,
                ),
                Example::new("a small system", r#"{"nodes": 4, "peers": 9, "daily_swing": 1}"#),
            ],
            attributes: Vec::new(),
        }
    }

    fn check(config: &Config) -> Vec<Problem> {
        config.problems()
    }

    fn plan(_: &Config) -> Result<Simulation, Error> {
        Ok(model::plan())
    }

    fn open(config: Config, shard: Shard) -> Result<Self, Error> {
        Ok(Self::new(&config, shard))
    }

    fn advance(&mut self, window: Window, effects: &Effects, output: &mut Output) -> Result<(), Error> {
        Self::advance(self, window, effects, output)
    }
}

telemill_sdk::export_generator!(TransferCompression);
