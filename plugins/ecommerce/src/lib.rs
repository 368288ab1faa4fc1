//! The generator `ecommerce`: a web shop's transactions and its hosts' metrics. The model is in [`model`]; this is its plug.

pub mod catalogue;
pub mod config;
pub mod infrastructure;
pub mod marks;
pub mod model;
pub mod operations;
pub mod signals;
pub mod system;
pub mod templates;
pub mod transactions;

use telemill_sdk::{About, Effects, Error, Example, Generator, Output, Problem, Shard, Simulation, Window};

pub use config::Config;
pub use model::Shop;

impl Generator for Shop {
    type Config = Config;
    type State = ();

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "A web shop: transactions of its services and metrics of its hosts, from one queueing model"
                .to_owned(),
            documentation: include_str!("../README.md").to_owned(),
            examples: vec![
                Example::new("the example system", "{}"),
                Example::new("a small shop with sharp peaks", r#"{"base_tps": 5, "peak_multiplier": 4, "users": 500}"#),
                Example::new(
                    "one service of one's own",
                    r#"{"normal_transaction": {"services": [{"name": "api", "operations": [{"name": "get", "path": "/"}]}]}}"#,
                ),
            ],
            attributes: Vec::new(),
        }
    }

    fn check(config: &Config) -> Vec<Problem> {
        config.problems()
    }

    fn plan(config: &Config) -> Result<Simulation, Error> {
        model::plan(config)
    }

    fn open(config: Config, shard: Shard) -> Result<Self, Error> {
        Self::new(config, &shard)
    }

    fn advance(&mut self, window: Window, effects: &Effects, output: &mut Output) -> Result<(), Error> {
        Self::advance(self, window, effects, output)
    }
}

telemill_sdk::export_generator!(Shop);
