//! The incident model `device-outages`: what goes wrong in an estate of devices. The model is in [`model`]; this is its plug.

pub mod config;
pub mod kinds;
pub mod model;

use telemill_sdk::{About, Error, Example, Incident, IncidentModel, Kind, Problem, Target, Window};

use kinds::Outage;

pub use config::Config;
pub use model::DeviceOutages;

impl IncidentModel for DeviceOutages {
    type Config = Config;

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Devices offline, networks down, failed roll-outs, a slow API and full disks, with causes"
                .to_owned(),
            documentation: include_str!("../README.md").to_owned(),
            examples: vec![
                Example::new("two to four a day", "{}"),
                Example::new("many, each by itself", r#"{"incidents_per_day": 12, "cascades": false}"#),
            ],
            attributes: Vec::new(),
        }
    }

    fn check(config: &Config) -> Vec<Problem> {
        config.problems()
    }

    fn kinds() -> Vec<Kind> {
        Outage::ALL.map(Outage::kind).to_vec()
    }

    fn open(config: Config, seed: u64, span: Window, targets: Vec<Target>) -> Result<Self, Error> {
        Ok(Self::new(config, seed, span, targets))
    }

    fn plan(&self, day: Window) -> Result<Vec<Incident>, Error> {
        Ok(self.day(day))
    }

    fn trigger(&self, kind: &str, target: &str, window: Window) -> Result<Vec<Incident>, Error> {
        self.by_hand(kind, target, window)
    }
}

telemill_sdk::export_incident_model!(DeviceOutages);
