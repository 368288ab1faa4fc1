//! The incident model `link-degradation`: links that get slow, lossy or narrow, and nodes without processors. This is its plug.

pub mod config;
pub mod kinds;
pub mod model;
#[cfg(test)]
mod tests;

use telemill_sdk::{About, Error, Example, Incident, IncidentModel, Kind, Problem, Target, Window};

pub use config::Config;
pub use model::LinkDegradation;

impl IncidentModel for LinkDegradation {
    type Config = Config;

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary:
                "Links of a region, a zone or a type that get slow, lossy or narrow; nodes whose processors are taken"
                    .to_owned(),
            documentation: include_str!("../README.md").to_owned(),
            examples: vec![
                Example::new("one or two a day", "{}"),
                Example::new("a bad week", r#"{"incidents_per_day": "4-6", "duration_minutes": "60-180"}"#),
                Example::new("now and then, and no decoys", r#"{"incidents_per_day": 0.3, "decoys_per_day": 0}"#),
            ],
            attributes: Vec::new(),
        }
    }

    fn check(config: &Config) -> Vec<Problem> {
        config.problems()
    }

    fn kinds() -> Vec<Kind> {
        kinds::Trouble::ALL.map(kinds::Trouble::kind).to_vec()
    }

    fn open(config: Config, seed: u64, _span: Window, targets: Vec<Target>) -> Result<Self, Error> {
        Ok(Self::new(config, seed, targets))
    }

    fn plan(&self, day: Window) -> Result<Vec<Incident>, Error> {
        Ok(self.day(day))
    }

    fn trigger(&self, kind: &str, target: &str, window: Window) -> Result<Vec<Incident>, Error> {
        self.by_hand(kind, target, window)
    }
}

telemill_sdk::export_incident_model!(LinkDegradation);
