//! The incident model `fleet-outages`: what goes wrong in a fleet of machines. The model is in [`model`]; this is its plug.

pub mod config;
pub mod kinds;
pub mod model;

use telemill_sdk::{About, Error, Example, Incident, IncidentModel, Kind, Problem, Target, Window};

pub use config::Config;
pub use model::FleetOutages;

impl IncidentModel for FleetOutages {
    type Config = Config;

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Outages of a fleet: power of a state, a supplier's firmware, a branch's link, an update"
                .to_owned(),
            documentation: include_str!("../README.md").to_owned(),
            examples: vec![
                Example::new("one to three a day", "{}"),
                Example::new("many short ones", r#"{"outages_per_day": 12, "duration_minutes": "20-40"}"#),
                Example::new("total ones", r#"{"outages_per_day": 0.5, "reports_left": 0}"#),
            ],
            attributes: Vec::new(),
        }
    }

    fn check(config: &Config) -> Vec<Problem> {
        config.problems()
    }

    fn kinds() -> Vec<Kind> {
        kinds::Outage::ALL.map(kinds::Outage::kind).to_vec()
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

telemill_sdk::export_incident_model!(FleetOutages);
