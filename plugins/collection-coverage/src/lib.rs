//! The validator `collection-coverage`: whether a collection of data is complete. The judgement is in [`model`]; this is its plug.

pub mod config;
mod keys;
pub mod model;
#[cfg(test)]
mod tests;
mod timeline;
mod verdict;

use telemill_sdk::{About, Batch, Error, Example, Problem, Report, Selection, Table, Validator, Window};

pub use config::Config;
pub use model::Coverage;

impl Validator for Coverage {
    type Config = Config;

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Rows per table and day, gaps, rates, devices that never reported, ids that link to nothing"
                .to_owned(),
            documentation: include_str!("../README.md").to_owned(),
            examples: vec![
                Example::new("rows per table and day", "{}"),
                Example::new("a day at least", r#"{"min_days": 1}"#),
            ],
            attributes: Vec::new(),
        }
    }

    fn check(config: &Config) -> Vec<Problem> {
        config.problems()
    }

    fn open(config: Config, tables: &[Table], window: Window) -> Result<(Self, Vec<Selection>), Error> {
        let coverage = Self::new(&config, tables, window);
        let selections = coverage.selections();
        Ok((coverage, selections))
    }

    fn observe(&mut self, batch: &Batch) -> Result<(), Error> {
        Self::observe(self, batch)
    }

    fn finish(&mut self) -> Result<Report, Error> {
        Ok(Self::finish(self))
    }
}

telemill_sdk::export_validator!(Coverage);
