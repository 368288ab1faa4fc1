//! The validator `service-levels`: traffic by the hour, response times and errors against bands. The judgement is in [`model`]; this is
//! the plug.

pub mod config;
mod histogram;
pub mod model;
#[cfg(test)]
mod tests;
mod volume;

use telemill_sdk::{About, Batch, Error, Example, Problem, Report, Selection, Table, Validator, Window};

pub use config::Config;
pub use model::Levels;

impl Validator for Levels {
    type Config = Config;

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Holds requests to traffic by the hour, response times and errors, in and out of incidents"
                .to_owned(),
            documentation: include_str!("../README.md").to_owned(),
            examples: vec![
                Example::new("the example system", "{}"),
                Example::new("another base, no rule by the hour off", r#"{"volume": {"base_tps": 5, "hours_off": 0}}"#),
                Example::new(
                    "one level for all rows",
                    r#"{"volume": null, "levels": [{"name": "all", "errors_at_most": 0.1, "quantiles": [{"quantile": 0.99, "at_most_ms": 60000}]}]}"#,
                ),
            ],
            attributes: Vec::new(),
        }
    }

    fn check(config: &Config) -> Vec<Problem> {
        config.problems()
    }

    fn open(config: Config, tables: &[Table], window: Window) -> Result<(Self, Vec<Selection>), Error> {
        Self::new(config, tables, window)
    }

    fn observe(&mut self, batch: &Batch) -> Result<(), Error> {
        Self::observe(self, batch);
        Ok(())
    }

    fn finish(&mut self) -> Result<Report, Error> {
        Ok(Self::finish(self))
    }
}

telemill_sdk::export_validator!(Levels);
