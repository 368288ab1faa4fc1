//! An incident model that breaks the contract on purpose: `{"fault": "..."}` in its configuration says how.
//!
//! Without a fault it is a well-behaved one: a surge a day on a target that seed and day choose, and the drop that follows from it.

use std::cell::Cell;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemill_sdk::time::{DAY, HOUR};
use telemill_sdk::{
    About, Effect, Error, Example, Incident, IncidentModel, Kind, Operation, Problem, Process, Role, Severity, Stream,
    Target, Timestamp, Window,
};

const SURGE: &str = "surge";
const DROP: &str = "drop";

/// One way to break the contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Keeps the contract.
    #[default]
    None,
    /// `check` refuses the configuration.
    Refused,
    /// `plan` panics.
    PlanPanics,
    /// An incident starts on another day than it was asked for.
    OtherDay,
    /// Two incidents of a day have one id.
    SameIdTwice,
    /// The incidents of each day have the ids of the day before.
    SameIdDaily,
    /// The cause of an incident is none of the plan.
    UnknownCause,
    /// An effect is in full force before it starts.
    Disorder,
    /// An effect is no number.
    NoNumber,
    /// An effect acts on what there is not.
    UnknownTarget,
    /// An effect bends what there is not.
    UnknownSignal,
    /// Ids count the calls of an instance.
    CountsCalls,
    /// No incidents on a day that is asked for after a later one.
    ForgetsDays,
    /// `trigger` refuses every target.
    TriggersNothing,
    /// `trigger` brings about an incident of another kind.
    TriggersAnother,
    /// `trigger` acts on what there is not.
    TriggersUnknown,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What the model does wrong.
    pub fault: Fault,
}

/// One opened run.
#[derive(Debug)]
pub struct HostileIncidents {
    fault: Fault,
    seed: u64,
    targets: Vec<Target>,
    /// Days that this instance was asked for.
    calls: Cell<i64>,
    /// The last of them in time.
    latest: Cell<Timestamp>,
}

impl IncidentModel for HostileIncidents {
    type Config = Config;

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Surges and drops whose model breaks the contract on demand".to_owned(),
            documentation: "For tests of the conformance check: `fault` says what goes wrong.".to_owned(),
            // Wide enough for a test to write another fault over it.
            examples: vec![Example::new("honest", r#"{"fault": "none"              }"#)],
            attributes: Vec::new(),
        }
    }

    fn check(config: &Config) -> Vec<Problem> {
        let refused =
            (config.fault == Fault::Refused).then(|| Problem::new("/fault", "the guest was told to refuse this"));
        refused.into_iter().collect()
    }

    fn kinds() -> Vec<Kind> {
        [SURGE, DROP].map(|name| Kind { name: name.to_owned(), summary: format!("a {name} of a signal") }).to_vec()
    }

    fn open(config: Config, seed: u64, _span: Window, targets: Vec<Target>) -> Result<Self, Error> {
        let (calls, latest) = (Cell::new(0), Cell::new(Timestamp::MIN));
        Ok(Self { fault: config.fault, seed, targets, calls, latest })
    }

    fn plan(&self, day: Window) -> Result<Vec<Incident>, Error> {
        let number = day.start.div_euclid(DAY);
        let (calls, latest) = (self.calls.get(), self.latest.get());
        self.calls.set(calls + 1);
        self.latest.set(latest.max(day.start));
        if self.fault == Fault::ForgetsDays && latest > day.start {
            return Ok(Vec::new());
        }
        let mut draw = Stream::of(self.seed, Process::named("surge of a day"), 0, number);
        let start = day.start + draw.below(20) as i64 * HOUR;
        let target = &self.targets[draw.below(self.targets.len() as u64) as usize];
        let id = match self.fault {
            Fault::SameIdDaily => "daily".to_owned(),
            Fault::CountsCalls => format!("call-{calls}"),
            _ => format!("day-{number}"),
        };
        let mut incidents = surge_and_drop(&id, target, Window::new(start, start + HOUR));
        spoil(&mut incidents, self.fault);
        Ok(incidents)
    }

    fn trigger(&self, kind: &str, target: &str, window: Window) -> Result<Vec<Incident>, Error> {
        let found = self.targets.iter().find(|candidate| candidate.name == target);
        let found = found.filter(|_| self.fault != Fault::TriggersNothing);
        let found = found.ok_or_else(|| Error::failed(format!("{kind} does not fit {target}")))?;
        let mut incidents = surge_and_drop("by-hand", found, window);
        for incident in &mut incidents {
            match self.fault {
                Fault::TriggersAnother => incident.kind = "calm".to_owned(),
                Fault::TriggersUnknown => incident.effects[0].target = "nowhere".to_owned(),
                _ => {}
            }
        }
        Ok(incidents)
    }
}

/// A surge of a target's first signal, and the drop that it brings about.
fn surge_and_drop(id: &str, target: &Target, window: Window) -> Vec<Incident> {
    let incident = |kind: &str, value: f64, cause: Option<String>| Incident {
        id: format!("{id}-{kind}"),
        kind: kind.to_owned(),
        role: Role::Incident,
        title: format!("a {kind} on {}", target.name),
        severity: Severity::High,
        cause,
        window,
        recovered: window.end,
        effects: vec![Effect {
            target: target.name.clone(),
            signal: target.signals[0].clone(),
            operation: Operation::Scale,
            value,
            start: window.start,
            full: window.start,
            release: window.end,
            end: window.end,
        }],
        attributes: Vec::new(),
    };
    let surge = incident(SURGE, 3.0, None);
    let drop = incident(DROP, 0.5, Some(surge.id.clone()));
    vec![surge, drop]
}

/// Breaks a day's incidents as the fault says; leaves them alone where it lies elsewhere.
fn spoil(incidents: &mut [Incident], fault: Fault) {
    let [surge, drop] = incidents else { return };
    match fault {
        Fault::PlanPanics => panic!("the guest was told to panic"),
        Fault::OtherDay => surge.window.start -= DAY,
        Fault::SameIdTwice => drop.id = surge.id.clone(),
        Fault::UnknownCause => drop.cause = Some("nobody".to_owned()),
        Fault::Disorder => surge.effects[0].full -= 1,
        Fault::NoNumber => surge.effects[0].value = f64::NAN,
        Fault::UnknownTarget => surge.effects[0].target = "nowhere".to_owned(),
        Fault::UnknownSignal => surge.effects[0].signal = "nothing".to_owned(),
        _ => {}
    }
}

telemill_sdk::export_incident_model!(HostileIncidents);
