//! A plugin's errors and lines on their way out of a worker process: what a caller matches on stays typed, all else becomes
//! words.

use super::convert;
use super::error::{Limit, PluginError, PluginId, Rejection};
use super::log::{LogLevel, LogLine, LogSink};
use crate::batch::{BadBatch, Fault};
use crate::core::printable::{escaped, printable};
use crate::core::problem::Problem;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Functions of the contract, all that an error can name as a call.
const CALLS: [&str; 14] = [
    "instantiate",
    "describe",
    "check",
    "plan",
    "open",
    "feed",
    "inject",
    "advance",
    "save",
    "restore",
    "kinds",
    "trigger",
    "observe",
    "finish",
];

/// A [`PluginError`] that can cross a pipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the variants and fields are those of `PluginError`")]
pub enum ErrorForm {
    Rejected { origin: String, reason: Rejection },
    OverLimit { plugin: PluginId, call: String, limit: Limit, allowed: u64, used: Option<u64> },
    Crashed { plugin: PluginId, call: String, message: String },
    Failed { plugin: PluginId, call: String, message: String },
    InvalidConfig { plugin: PluginId, problems: Vec<Problem> },
    UnsupportedState { plugin: PluginId },
    BrokenContract { plugin: PluginId, call: String, problems: Vec<Problem> },
    BadRows { plugin: PluginId, call: String, table: String, column: Option<String>, fault: String },
    Other { message: String },
}

impl From<&PluginError> for ErrorForm {
    fn from(error: &PluginError) -> Self {
        let id = |plugin: &Arc<PluginId>| PluginId::clone(plugin);
        let name = |call: &&'static str| (*call).to_owned();
        match error {
            PluginError::Rejected { origin, reason } => {
                Self::Rejected { origin: origin.clone(), reason: reason.clone() }
            }
            PluginError::OverLimit { plugin, call, limit, allowed, used } => {
                Self::OverLimit { plugin: id(plugin), call: name(call), limit: *limit, allowed: *allowed, used: *used }
            }
            PluginError::Crashed { plugin, call, message } => {
                Self::Crashed { plugin: id(plugin), call: name(call), message: message.clone() }
            }
            PluginError::Failed { plugin, call, message } => {
                Self::Failed { plugin: id(plugin), call: name(call), message: message.clone() }
            }
            PluginError::InvalidConfig { plugin, problems } => {
                Self::InvalidConfig { plugin: id(plugin), problems: problems.clone() }
            }
            PluginError::UnsupportedState { plugin } => Self::UnsupportedState { plugin: id(plugin) },
            PluginError::BrokenContract { plugin, call, problems } => {
                Self::BrokenContract { plugin: id(plugin), call: name(call), problems: problems.clone() }
            }
            PluginError::BadRows { plugin, call, source } => Self::BadRows {
                plugin: id(plugin),
                call: name(call),
                table: source.table.clone(),
                column: source.column.clone(),
                fault: source.fault.to_string(),
            },
            other => Self::Other { message: other.to_string() },
        }
    }
}

/// What came from a worker is believed no more than its guest: texts are made harmless once more.
impl From<ErrorForm> for PluginError {
    fn from(form: ErrorForm) -> Self {
        let text = |text: String| escaped(&text);
        match form {
            ErrorForm::Rejected { origin, reason } => Self::Rejected { origin: text(origin), reason: refused(reason) },
            ErrorForm::OverLimit { plugin, call, limit, allowed, used } => {
                Self::OverLimit { plugin: shown(&plugin).into(), call: known(&call), limit, allowed, used }
            }
            ErrorForm::Crashed { plugin, call, message } => {
                Self::Crashed { plugin: shown(&plugin).into(), call: known(&call), message: text(message) }
            }
            ErrorForm::Failed { plugin, call, message } => {
                Self::Failed { plugin: shown(&plugin).into(), call: known(&call), message: text(message) }
            }
            ErrorForm::InvalidConfig { plugin, problems } => {
                Self::InvalidConfig { plugin: shown(&plugin).into(), problems: convert::problems_of(problems) }
            }
            ErrorForm::UnsupportedState { plugin } => Self::UnsupportedState { plugin: shown(&plugin).into() },
            ErrorForm::BrokenContract { plugin, call, problems } => Self::BrokenContract {
                plugin: shown(&plugin).into(),
                call: known(&call),
                problems: convert::problems_of(problems),
            },
            ErrorForm::BadRows { plugin, call, table, column, fault } => Self::BadRows {
                plugin: shown(&plugin).into(),
                call: known(&call),
                source: BadBatch { table: text(table), column: column.map(text), fault: Fault::Reported(text(fault)) },
            },
            ErrorForm::Other { message } => Self::Worker { message: text(message) },
        }
    }
}

/// A [`LogLine`] that can cross a pipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineForm {
    plugin: PluginId,
    call: String,
    level: LogLevel,
    message: String,
}

impl LineForm {
    /// Hands the line to `sink`.
    pub fn pass_on(&self, sink: &LogSink) {
        // As with errors.
        let (plugin, message) = (&shown(&self.plugin), &printable(&self.message));
        sink(&LogLine { plugin, call: known(&self.call), level: self.level, message });
    }
}

impl From<&LogLine<'_>> for LineForm {
    fn from(line: &LogLine<'_>) -> Self {
        let (plugin, call, message) = (line.plugin.clone(), line.call.to_owned(), line.message.to_owned());
        Self { plugin, call, level: line.level, message }
    }
}

fn refused(reason: Rejection) -> Rejection {
    let text = |text: String| escaped(&text);
    let all = |names: Vec<String>| names.into_iter().map(text).collect();
    match reason {
        Rejection::Malformed { offset, message } => Rejection::Malformed { offset, message: text(message) },
        Rejection::ForeignImports { names } => Rejection::ForeignImports { names: all(names) },
        Rejection::OtherContract { names, ours } => Rejection::OtherContract { names: all(names), ours },
        Rejection::NoWorld { message } => Rejection::NoWorld { message: text(message) },
        Rejection::Invalid { message } => Rejection::Invalid { message: text(message) },
        Rejection::CompilerCrashed { message } => Rejection::CompilerCrashed { message: text(message) },
        Rejection::BadDescriptor { problems } => Rejection::BadDescriptor { problems: convert::problems_of(problems) },
        plain @ (Rejection::TooLarge { .. }
        | Rejection::NotWasm
        | Rejection::CoreModule
        | Rejection::CompileCost { .. }) => plain,
    }
}

fn shown(plugin: &PluginId) -> PluginId {
    PluginId { name: printable(&plugin.name), version: printable(&plugin.version) }
}

fn known(call: &str) -> &'static str {
    CALLS.into_iter().find(|known| *known == call).unwrap_or("a call")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::plugin::CONTRACT_VERSION;

    #[test]
    fn errors_arrive_as_they_were() {
        let plugin = Arc::new(PluginId { name: "x".into(), version: "1.0.0".into() });
        let (table, column) = ("t".to_owned(), Some("c".to_owned()));
        let errors = [
            PluginError::Rejected {
                origin: "a.wasm".into(),
                reason: Rejection::OtherContract { names: vec!["a".into()], ours: CONTRACT_VERSION },
            },
            PluginError::OverLimit {
                plugin: plugin.clone(),
                call: "advance",
                limit: Limit::CallFuel,
                allowed: u64::MAX,
                used: Some(1),
            },
            PluginError::Crashed { plugin: plugin.clone(), call: "save", message: "ä".into() },
            PluginError::BadRows {
                plugin: plugin.clone(),
                call: "advance",
                source: BadBatch { table, column, fault: Fault::Utf8 },
            },
            PluginError::BrokenContract { plugin, call: "plan", problems: vec![Problem::new("/a", "b")] },
        ];
        for error in errors {
            let form = ErrorForm::from(&error);
            let sent: ErrorForm = serde_json::from_slice(&serde_json::to_vec(&form).unwrap()).unwrap();
            assert_eq!(PluginError::from(sent).to_string(), error.to_string());
        }
    }

    #[test]
    fn words_of_a_worker_forge_nothing() {
        let plugin = PluginId { name: "x\u{1b}[2J".into(), version: "1\n".into() };
        let problems = vec![Problem::new("/a\n", "\u{9b}b"); 1_000];
        let message = || "m\nERROR \u{202e}".to_owned();
        for form in [
            ErrorForm::Crashed { plugin: plugin.clone(), call: "\n".into(), message: message() },
            ErrorForm::InvalidConfig { plugin: plugin.clone(), problems: problems.clone() },
            ErrorForm::BrokenContract { plugin, call: "plan".into(), problems: problems.clone() },
            ErrorForm::Rejected { origin: message(), reason: Rejection::BadDescriptor { problems } },
            ErrorForm::Rejected { origin: message(), reason: Rejection::Invalid { message: message() } },
            ErrorForm::Other { message: message() },
        ] {
            let said = PluginError::from(form).to_string();
            assert!(!said.chars().any(crate::core::printable::is_harmful) && said.len() < 2_000, "{said:?}");
        }
    }
}
