//! The generator `declarative`: any system, from a configuration alone. The model is in [`model`]; this is its plug.

pub mod cells;
pub mod check;
pub mod columns;
pub mod config;
pub mod distribution;
pub mod entities;
pub mod model;
pub mod plan;
pub mod problems;
pub mod rows;
pub mod season;
pub mod signals;
pub mod value;

use telemill_sdk::{About, Effects, Error, Example, Generator, Output, Problem, Shard, Window};

pub use config::Config;
pub use model::Simulation;
pub use plan::Plan;

impl Generator for Simulation {
    type Config = Config;
    type State = ();

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Any system from its configuration: tables, keys, distributions, seasons, states, signals"
                .to_owned(),
            documentation: include_str!("../README.md").to_owned(),
            examples: vec![
                Example::new("a small solar park", "{}"),
                Example::new("a column of every kind", include_str!("../examples/every_kind.json")),
                Example::new("what fit writes", include_str!("../examples/fitted.json")),
            ],
            attributes: Vec::new(),
        }
    }

    fn check(config: &Config) -> Vec<Problem> {
        Plan::problems(config)
    }

    fn plan(config: &Config) -> Result<telemill_sdk::Simulation, Error> {
        Ok(Plan::new(config)?.simulation)
    }

    fn open(config: Config, shard: Shard) -> Result<Self, Error> {
        Ok(Self::new(Plan::new(&config)?, shard))
    }

    fn advance(&mut self, window: Window, effects: &Effects, output: &mut Output) -> Result<(), Error> {
        Self::advance(self, window, effects, output)
    }
}

telemill_sdk::export_generator!(Simulation);
