//! The incident model `resource-anomalies`: what goes wrong on users' machines. The model is in [`model`]; this is its plug.

pub mod config;
pub mod kinds;
pub mod model;

use telemill_sdk::{About, Error, Example, Incident, IncidentModel, Kind, Problem, Target, Window};

pub use config::Config;
use kinds::Kinds;
pub use model::ResourceAnomalies;

impl IncidentModel for ResourceAnomalies {
    type Config = Config;

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "CPU spikes, memory leaks, disk thrash and full networks on machines, with backups as decoys"
                .to_owned(),
            documentation: include_str!("../README.md").to_owned(),
            examples: vec![
                Example::new("three a day on every machine", "{}"),
                Example::new(
                    "leaks alone, long and rare",
                    r#"{"anomalies_per_machine_day": 0.5, "duration_minutes": "30-60", "backups_per_machine_day": 0,
                        "weights": {"cpu_spike": 0, "disk_thrash": 0, "network_saturation": 0}}"#,
                ),
            ],
            attributes: Vec::new(),
        }
    }

    fn check(config: &Config) -> Vec<Problem> {
        config.problems()
    }

    fn kinds() -> Vec<Kind> {
        Kinds::ALL.map(Kinds::kind).to_vec()
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

telemill_sdk::export_incident_model!(ResourceAnomalies);
