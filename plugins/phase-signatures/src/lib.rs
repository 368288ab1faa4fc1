//! The validator `phase-signatures`: whether rows of metrics look like the phase that they claim. The judgement is in [`model`]; this
//! is the plug.

pub mod config;
pub mod model;
pub mod rules;
pub mod sampling;
#[cfg(test)]
mod tests;

use telemill_sdk::{About, Batch, Error, Example, Problem, Report, Selection, Table, Validator, Window};

pub use config::Config;
pub use model::Signatures;

impl Validator for Signatures {
    type Config = Config;

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Fields and ranges of users' metrics, phases that look like themselves, balanced classes"
                .to_owned(),
            documentation: include_str!("../README.md").to_owned(),
            examples: vec![
                Example::new("sampled as the rows tell", "{}"),
                Example::new("counters, a sample every five seconds", r#"{"interval_seconds": 5, "counters": true}"#),
                Example::new(
                    "two phases of one's own",
                    r#"{"table": "metrics", "fields": [{"column": "cpu_percent", "min": 0, "max": 100}],
                        "signatures": [{"phase": "busy", "bounds": [{"quantity": "cpu_percent", "min": 50}]},
                                       {"phase": "quiet", "bounds": [{"quantity": "cpu_percent", "max": 50}]}]}"#,
                ),
            ],
            attributes: Vec::new(),
        }
    }

    fn check(config: &Config) -> Vec<Problem> {
        config.problems()
    }

    fn open(config: Config, tables: &[Table], _: Window) -> Result<(Self, Vec<Selection>), Error> {
        Ok(Self::new(config, tables))
    }

    fn observe(&mut self, batch: &Batch) -> Result<(), Error> {
        Self::observe(self, batch);
        Ok(())
    }

    fn finish(&mut self) -> Result<Report, Error> {
        Ok(Self::finish(self))
    }
}

telemill_sdk::export_validator!(Signatures);
