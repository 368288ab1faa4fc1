//! The incident model `service-incidents`: what goes wrong in a system of services. The model is in [`model`]; this is its plug.

pub mod config;
pub mod kinds;
pub mod model;
pub mod scenarios;

use telemill_sdk::{About, Error, Example, Incident, IncidentModel, Kind, Problem, Target, Window};

pub use config::Config;
pub use model::ServiceIncidents;

impl IncidentModel for ServiceIncidents {
    type Config = Config;

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Timeouts, exhausted pools, leaks, open breakers and degraded services, with causes and decoys"
                .to_owned(),
            documentation: include_str!("../README.md").to_owned(),
            examples: vec![
                Example::new("two or three a day", "{}"),
                Example::new("the example system's three scenarios", r#"{"scenarios": true}"#),
                Example::new("many, each by itself", r#"{"incidents_per_day": 12, "cascades": false}"#),
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

    fn open(config: Config, seed: u64, span: Window, targets: Vec<Target>) -> Result<Self, Error> {
        Self::new(config, seed, span, targets)
    }

    fn plan(&self, day: Window) -> Result<Vec<Incident>, Error> {
        Ok(self.day(day))
    }

    fn trigger(&self, kind: &str, target: &str, window: Window) -> Result<Vec<Incident>, Error> {
        self.by_hand(kind, target, window)
    }
}

telemill_sdk::export_incident_model!(ServiceIncidents);
