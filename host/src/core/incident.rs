//! Ground truth: what goes wrong in a simulated system, when, where and why.

use super::id::label_fault;
use super::printable::printable;
use super::problem::Problem;
use super::schema::{Attribute, Simulation};
use super::time::{Timestamp, Window};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// Longest id of an incident, in bytes: every row that it marks carries it.
const MAX_ID_BYTES: usize = 128;

/// How an effect combines with the base value of its signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Multiplies.
    Scale,
    /// Adds.
    Offset,
    /// Replaces.
    Set,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Harmless so far.
    Low,
    /// Somebody should look.
    Medium,
    /// Fails a report; users notice.
    High,
    /// Fails a report; the system is down.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// Whether trouble is real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Trouble; rows are marked with it.
    Incident,
    /// Looks like trouble and is none; never marks a row.
    Decoy,
}

/// One signal of one target bent over time: in full force from `full` to `release`, linear ramps before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Effect {
    /// The target, or a parent of targets.
    pub target: String,
    /// The signal.
    pub signal: String,
    /// How `value` acts.
    pub operation: Operation,
    /// Factor, addend or replacement, in the signal's unit.
    pub value: f64,
    /// Untouched before.
    pub start: Timestamp,
    /// In full force from here.
    pub full: Timestamp,
    /// In full force until here.
    pub release: Timestamp,
    /// Untouched from here.
    pub end: Timestamp,
}

/// Something that went wrong, with its effects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Incident {
    /// Unique in a run.
    pub id: String,
    /// One of the model's kinds.
    pub kind: String,
    /// Real or a decoy.
    pub role: Role,
    /// One line for people.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// The id of the incident that brought this one about.
    pub cause: Option<String>,
    /// From the first start to the last release.
    pub window: Window,
    /// When everything is back to normal.
    pub recovered: Timestamp,
    /// What it does.
    pub effects: Vec<Effect>,
    /// What else the model says of it.
    pub attributes: Vec<Attribute>,
}

/// The names that effects may use, gathered once for all incidents of a simulation.
#[derive(Debug)]
pub struct Bendable<'a> {
    targets: BTreeSet<&'a str>,
    signals: BTreeSet<&'a str>,
}

impl<'a> Bendable<'a> {
    /// The names of `simulation`: its targets, their parents, and its signals.
    pub fn of(simulation: &'a Simulation) -> Self {
        let targets = simulation.targets.iter().flat_map(|t| t.parents.iter().chain([&t.name]));
        Self {
            targets: targets.map(String::as_str).collect(),
            signals: simulation.signals.iter().map(|signal| signal.name.as_str()).collect(),
        }
    }
}

impl Incident {
    /// What is wrong with the incident by itself and against the simulation that it is meant for.
    pub fn problems(&self, bendable: &Bendable<'_>) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut add = |message: String| found.push(Problem::new(format!("incident {}", printable(&self.id)), message));
        for (what, name) in [("id", Some(&self.id)), ("kind", Some(&self.kind)), ("cause", self.cause.as_ref())] {
            if let Some(fault) = name.and_then(|name| label_fault(name)) {
                add(format!("the {what} {fault}"));
            }
        }
        if self.id.len() > MAX_ID_BYTES {
            add(format!("the id must have at most {MAX_ID_BYTES} bytes"));
        }
        if self.window.is_empty() || self.recovered < self.window.end {
            add("the window must not be empty, and `recovered` not before its end".into());
        }
        for effect in &self.effects {
            let target = printable(&effect.target);
            if !(effect.start <= effect.full && effect.full <= effect.release && effect.release <= effect.end) {
                add(format!("an effect on {target} must have start <= full <= release <= end"));
            }
            if !effect.value.is_finite() {
                add(format!("an effect on {target} has the value {}", effect.value));
            }
            if !bendable.targets.contains(effect.target.as_str()) {
                add(format!("acts on a target that the simulation does not have: \"{target}\""));
            }
            if !bendable.signals.contains(effect.signal.as_str()) {
                let signal = printable(&effect.signal);
                add(format!("bends a signal that the simulation does not have: \"{signal}\""));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_of_no_finite_number_are_refused() {
        let start = Timestamp(0);
        let end = Timestamp(1_000_000);
        let effect = |value| Effect {
            target: "shop".into(),
            signal: "demand".into(),
            operation: Operation::Scale,
            value,
            start,
            full: start,
            release: end,
            end,
        };
        let incident = |value| Incident {
            id: "one".into(),
            kind: "surge".into(),
            role: Role::Incident,
            title: String::new(),
            severity: Severity::Low,
            cause: None,
            window: Window { start, end },
            recovered: end,
            effects: vec![effect(value)],
            attributes: Vec::new(),
        };
        let bendable = Bendable { targets: BTreeSet::from(["shop"]), signals: BTreeSet::from(["demand"]) };
        assert_eq!(incident(3.0).problems(&bendable), []);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(incident(value).problems(&bendable).len(), 1, "{value}");
        }
    }
}
