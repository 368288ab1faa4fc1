//! What each kind of outage does to what part of a fleet. Knows nothing of days.

use telemill_sdk::time::{MINUTE, SECOND};
use telemill_sdk::{Attribute, Effect, Incident, Kind, Operation, Role, Severity, Stream, Target, Timestamp, Window};

use crate::config::Config;

/// The signal that every kind bends: the probability that a report gets through.
const AVAILABILITY: &str = "availability";
/// The share of machines that are in trouble.
const FAULTS: &str = "faults";

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// A state is without power.
    Power,
    /// A supplier rolls out a firmware that fails.
    Firmware,
    /// A branch's link is down.
    Link,
    /// An update breaks a version of an operating system.
    Update,
}

impl Outage {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Power, Self::Firmware, Self::Link, Self::Update];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Power => "power-outage",
            Self::Firmware => "firmware-failure",
            Self::Link => "link-failure",
            Self::Update => "update-failure",
        }
    }

    /// The kind of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// As the contract tells it.
    pub fn kind(self) -> Kind {
        let summary = match self {
            Self::Power => "A state is without power: its machines go dark as their batteries run out",
            Self::Firmware => "A supplier's new firmware fails on more and more of its machines as it is rolled out",
            Self::Link => "A branch's link is down: none of its machines is heard of",
            Self::Update => "An update of an operating system breaks the machines of one version",
        };
        Kind { name: self.name().to_owned(), summary: summary.to_owned() }
    }

    /// How often it happens in relation to the others.
    pub fn weight(self) -> f64 {
        match self {
            Self::Power => 25.0,
            Self::Firmware => 20.0,
            Self::Link => 40.0,
            Self::Update => 15.0,
        }
    }

    /// The role of the targets that it strikes.
    fn role(self) -> &'static str {
        match self {
            Self::Power => "state",
            Self::Firmware => "supplier",
            Self::Link => "branch",
            Self::Update => "os_version",
        }
    }

    fn severity(self) -> Severity {
        match self {
            Self::Power | Self::Update => Severity::Critical,
            Self::Firmware => Severity::High,
            Self::Link => Severity::Medium,
        }
    }

    /// The targets that it can strike: those of its role, or where a system tells no roles, all with its signal.
    pub fn candidates(self, targets: &[Target]) -> Vec<usize> {
        let able = |target: &Target| target.signals.iter().any(|signal| signal == AVAILABILITY);
        let of_role = |target: &Target| target.attributes.iter().any(|a| a.name == "role" && a.value == self.role());
        let fitting = |fits: &dyn Fn(&Target) -> bool| -> Vec<usize> {
            targets.iter().enumerate().filter(|(_, target)| able(target) && fits(target)).map(|(at, _)| at).collect()
        };
        let fit = fitting(&of_role);
        if fit.is_empty() { fitting(&|target| target.attributes.iter().all(|a| a.name != "role")) } else { fit }
    }

    /// Which part of its length it takes to be in full force, and the share of machines that it brings into trouble.
    fn course(self, draw: &mut Stream) -> (f64, f64) {
        match self {
            Self::Power => (draw.between(0.02, 0.08), 0.0),
            Self::Firmware => (draw.between(0.25, 0.45), draw.between(0.3, 0.6)),
            Self::Link => (0.0, 0.0),
            Self::Update => (draw.between(0.1, 0.2), draw.between(0.3, 0.6)),
        }
    }

    /// The outage of a target over a window.
    pub fn strike(self, config: &Config, target: &Target, window: Window, id: String, draw: &mut Stream) -> Incident {
        let (ramp, faults) = self.course(draw);
        let left = if self == Self::Link { 0.0 } else { config.reports_left.at(draw.unit()) / 100.0 };
        let full = window.start + seconds(window.micros() as f64 * ramp);
        let recovered = window.end + seconds(config.recovery_minutes.at(draw.unit()) * MINUTE as f64);
        let effect = |signal: &str, operation: Operation, value: f64| Effect {
            target: target.name.clone(),
            signal: signal.to_owned(),
            operation,
            value,
            start: window.start,
            full,
            release: window.end,
            end: recovered,
        };
        let mut effects = vec![effect(AVAILABILITY, Operation::Scale, left)];
        if faults > 0.0 && target.signals.iter().any(|signal| signal == FAULTS) {
            effects.push(effect(FAULTS, Operation::Offset, faults));
        }
        Incident {
            id,
            kind: self.name().to_owned(),
            role: Role::Incident,
            title: self.title(&target.name),
            severity: self.severity(),
            cause: None,
            window,
            recovered,
            effects,
            attributes: vec![Attribute::new("target", target.name.clone())],
        }
    }

    fn title(self, target: &str) -> String {
        match self {
            Self::Power => format!("Power outage in {target}"),
            Self::Firmware => format!("New firmware of {target} fails"),
            Self::Link => format!("Link of branch {target} is down"),
            Self::Update => format!("Update of {target} fails"),
        }
    }
}

/// Rounded down to whole seconds.
fn seconds(micros: f64) -> Timestamp {
    micros as i64 / SECOND * SECOND
}
