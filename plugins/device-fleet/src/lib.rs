//! The generator `device-fleet`: the inventory of a bank's machines and how many of them are online. The model is in [`model`];
//! this is its plug.

pub mod branches;
pub mod catalogue;
pub mod config;
pub mod fleet;
pub mod model;
pub mod reports;
pub mod segments;
pub mod signals;
pub mod snapshot;
pub mod tables;

use telemill_sdk::{About, Effects, Error, Example, Generator, Output, Problem, Shard, Simulation, Window};

pub use config::Config;
pub use model::DeviceFleet;

impl Generator for DeviceFleet {
    type Config = Config;
    type State = ();

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "A bank's machines: their inventory, and how many are online by state, type, supplier and more"
                .to_owned(),
            documentation: include_str!("../README.md").to_owned(),
            examples: vec![
                Example::new("the example system", "{}"),
                Example::new(
                    "a small fleet that reports every five minutes",
                    r#"{"devices": 60, "window_minutes": 15, "frequency_minutes": 5, "snapshot_minutes": 5, "update_probability": 0.9}"#,
                ),
                Example::new(
                    "other segments",
                    r#"{"segments": ["Type", "State and Supplier and Error", "Branch and Type"]}"#,
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
        Self::new(&config, shard)
    }

    fn advance(&mut self, window: Window, effects: &Effects, output: &mut Output) -> Result<(), Error> {
        Self::advance(self, window, effects, output)
    }
}

telemill_sdk::export_generator!(DeviceFleet);
