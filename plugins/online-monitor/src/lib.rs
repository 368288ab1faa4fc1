//! The validator `online-monitor`: holds the machines online to what they were before. The judgement is in [`model`]; this is the
//! plug.

pub mod config;
pub mod model;
pub mod online;

use telemill_sdk::{About, Batch, Error, Example, Problem, Report, Selection, Table, Validator, Window};

pub use config::Config;
pub use model::OnlineMonitor;

impl Validator for OnlineMonitor {
    type Config = Config;

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Raises an alert when the share of machines online drops below what it was before".to_owned(),
            documentation: include_str!("../README.md").to_owned(),
            examples: vec![
                Example::new("the example system", "{}"),
                Example::new(
                    "every snapshot, a day's history",
                    r#"{"scope": "every", "history": 96, "threshold": 0.4}"#,
                ),
                Example::new(
                    "a fleet of known size",
                    r#"{"inventory": 4000, "segment": "State", "severity": "critical"}"#,
                ),
            ],
            attributes: Vec::new(),
        }
    }

    fn check(config: &Config) -> Vec<Problem> {
        config.problems()
    }

    fn open(config: Config, tables: &[Table], _window: Window) -> Result<(Self, Vec<Selection>), Error> {
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

telemill_sdk::export_validator!(OnlineMonitor);
