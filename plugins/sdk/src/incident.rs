//! Incidents as ground truth: what goes wrong, when, why, and with which effects. How effects combine is in [`crate::effects`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Attribute, Timestamp, Window};

/// A kind of incident that a model knows and that can be triggered by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name.
    pub name: String,
    /// What happens.
    pub summary: String,
}

/// How an effect bends a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Multiplies the base.
    Scale,
    /// Adds to the base.
    Offset,
    /// Replaces the base.
    Set,
}

/// One signal of one target bent over time: untouched before `start`, in full force from `full` to
/// `release`, back to normal at `end`; linear between.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// The target's name, or that of a parent of targets.
    pub target: String,
    /// The signal's name.
    pub signal: String,
    /// How it bends.
    pub operation: Operation,
    /// The factor, the summand or the value.
    pub value: f64,
    /// When it sets in.
    pub start: Timestamp,
    /// When it is in full force.
    pub full: Timestamp,
    /// When it begins to fade.
    pub release: Timestamp,
    /// When it is gone.
    pub end: Timestamp,
}

/// How bad something is. In a configuration it is written in lower case, and a rule that does not say is `high`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// A nuisance.
    Low,
    /// Users notice.
    Medium,
    /// Users can't do something.
    #[default]
    High,
    /// Users can't do anything.
    Critical,
}

/// Whether something is wrong at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Trouble.
    Incident,
    /// Looks like trouble and is none (a sale, a backup); it never marks a row.
    Decoy,
}

/// What went wrong, when, where and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Unique in a run.
    pub id: String,
    /// The kind's name.
    pub kind: String,
    /// Incident or decoy.
    pub role: Role,
    /// One line for people.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// The id of the incident that brought this one about.
    pub cause: Option<String>,
    /// From the first start to the last release.
    pub window: Window,
    /// The last end.
    pub recovered: Timestamp,
    /// What it does.
    pub effects: Vec<Effect>,
    /// What else there is to say.
    pub attributes: Vec<Attribute>,
}

impl Incident {
    /// The window and the recovery that effects imply: from the first start to the last release, and the last end.
    /// None without effects.
    pub fn span_of(effects: &[Effect]) -> Option<(Window, Timestamp)> {
        let start = effects.iter().map(|effect| effect.start).min()?;
        let release = effects.iter().map(|effect| effect.release).max()?;
        let end = effects.iter().map(|effect| effect.end).max()?;
        Some((Window::new(start, release), end))
    }
}
