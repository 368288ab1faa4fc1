//! The incident model `@name@`: something goes wrong on any target now and then. Put your own troubles in its place.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemill_sdk::time::MINUTE;
use telemill_sdk::{
    About, Effect, Error, Example, Incident, IncidentModel, Kind, Operation, Process, Role, Severity, Stream, Target,
    Window,
};

const TROUBLE: Process = Process::named("trouble");
const KIND: &str = "trouble";

/// What a user can say.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Incidents in a UTC day.
    pub per_day: u32,
    /// What the signal is multiplied with.
    pub factor: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { per_day: 3, factor: 3.0 }
    }
}

/// The troubles of one run.
pub struct Troubles {
    config: Config,
    seed: u64,
    targets: Vec<Target>,
}

impl Troubles {
    fn one(&self, id: String, target: &Target, window: Window) -> Incident {
        let effects = vec![Effect {
            target: target.name.clone(),
            signal: target.signals[0].clone(),
            operation: Operation::Scale,
            value: self.config.factor,
            start: window.start,
            full: (window.start + MINUTE).min(window.end),
            release: window.end,
            end: window.end + 5 * MINUTE,
        }];
        Incident {
            id,
            kind: KIND.to_owned(),
            role: Role::Incident,
            title: format!("Trouble with {}", target.name),
            severity: Severity::Medium,
            cause: None,
            window,
            recovered: window.end + 5 * MINUTE,
            effects,
            attributes: Vec::new(),
        }
    }
}

impl IncidentModel for Troubles {
    type Config = Config;

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Trouble now and then: a signal of a target grows for some minutes".to_owned(),
            documentation: include_str!("../README.md").to_owned(),
            examples: vec![Example::new("often", r#"{"per_day": 12}"#)],
            attributes: Vec::new(),
        }
    }

    fn kinds() -> Vec<Kind> {
        vec![Kind { name: KIND.to_owned(), summary: "A signal grows".to_owned() }]
    }

    fn open(config: Config, seed: u64, _span: Window, mut targets: Vec<Target>) -> Result<Self, Error> {
        targets.retain(|target| !target.signals.is_empty());
        Ok(Self { config, seed, targets })
    }

    /// The incidents of one UTC day follow from seed and date alone; days come in any order.
    fn plan(&self, day: Window) -> Result<Vec<Incident>, Error> {
        if self.targets.is_empty() {
            return Ok(Vec::new());
        }
        let number = day.start.div_euclid(day.micros());
        let one = |index: u32| {
            let mut draw = Stream::of(self.seed, TROUBLE, u64::from(index), number);
            let target = &self.targets[draw.below(self.targets.len() as u64) as usize];
            let start = day.start + draw.below(23 * 60) as i64 * MINUTE;
            let length = (5 + draw.below(16) as i64) * MINUTE;
            self.one(format!("@name@-{number}-{index}"), target, Window::new(start, start + length))
        };
        Ok((0..self.config.per_day).map(one).collect())
    }

    /// One by hand, from an `[[incident]]` of a spec.
    fn trigger(&self, kind: &str, target: &str, window: Window) -> Result<Vec<Incident>, Error> {
        match self.targets.iter().find(|one| one.name == target) {
            Some(found) if kind == KIND => {
                Ok(vec![self.one(format!("@name@-hand-{target}-{}", window.start), found, window)])
            }
            _ => Err(Error::failed(format!("{kind} on {target}: there is {KIND}, on a target with a signal"))),
        }
    }
}

telemill_sdk::export_incident_model!(Troubles);

#[cfg(test)]
mod tests {
    use telemill_sdk::time::HOUR;

    use super::*;

    #[test]
    fn a_day_has_as_many_incidents_as_configured() {
        let target =
            Target { name: "a".into(), parents: Vec::new(), signals: vec!["load".into()], attributes: Vec::new() };
        let day = Window::new(24 * HOUR, 48 * HOUR);
        let config = Config { per_day: 5, factor: 3.0 };
        let planned = Troubles::open(config, 1, day, vec![target]).and_then(|model| model.plan(day)).unwrap();
        assert_eq!(planned.len(), 5);
        assert!(planned.iter().all(|incident| day.start <= incident.window.start && incident.window.start < day.end));
    }
}
