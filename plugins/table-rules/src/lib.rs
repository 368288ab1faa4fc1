//! The validator `table-rules`: rules from its configuration for any table. The rules are in [`model`]; this is the plug.

mod check;
mod classes;
pub mod config;
pub mod model;
mod predicate;
#[cfg(test)]
mod tests;

use telemill_sdk::{About, Batch, Error, Example, Problem, Report, Selection, Table, Validator, Window};

pub use config::Config;
pub use model::Rules;

impl Validator for Rules {
    type Config = Config;

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Holds any table to rules: columns, nulls, ranges, values, uniqueness, volume, shares, order"
                .to_owned(),
            documentation: include_str!("../README.md").to_owned(),
            examples: vec![
                Example::new("primary keys alone", "{}"),
                Example::new("the shop's transactions", include_str!("../examples/transactions.json")),
            ],
            attributes: Vec::new(),
        }
    }

    fn check(config: &Config) -> Vec<Problem> {
        config.problems()
    }

    fn open(config: Config, tables: &[Table], window: Window) -> Result<(Self, Vec<Selection>), Error> {
        let rules = Self::new(&config, tables, window);
        let selections = rules.selections();
        Ok((rules, selections))
    }

    fn observe(&mut self, batch: &Batch) -> Result<(), Error> {
        Self::observe(self, batch)
    }

    fn finish(&mut self) -> Result<Report, Error> {
        Ok(Self::finish(self))
    }
}

telemill_sdk::export_validator!(Rules);
