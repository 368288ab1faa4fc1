//! What is wrong with an input, and where: the shape in which every layer reports bad configurations and rows.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One fault of an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// A JSON Pointer into a configuration, a column's name, or `line N` of a file; empty for the whole.
    pub path: String,
    /// What is wrong, for the person who mends it.
    pub message: String,
}

impl Problem {
    /// A problem at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }

    /// What serde says at `path`, of which "." is the whole. It stands at what lacks a field, and names that in its message
    /// alone.
    pub fn of_serde(path: &str, message: String) -> Self {
        let at = if path == "." { "" } else { path };
        let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        let path = match (at, missing) {
            (at, None) => at.to_owned(),
            ("", Some(missing)) => missing.to_owned(),
            (at, Some(missing)) => format!("{at}.{missing}"),
        };
        Self { path, message }
    }

    /// The problem that stands in a text as `key: message`, or that names what is missing; none where it names no place.
    pub fn of_text(text: &str) -> Option<Self> {
        let is_key = |key: &str| key.chars().all(|c| c.is_ascii_alphanumeric() || "_-.[]".contains(c));
        let (path, message) = text.split_once(": ").filter(|(key, _)| is_key(key)).unwrap_or((".", text));
        Some(Self::of_serde(path, message.to_owned())).filter(|problem| !problem.path.is_empty())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

/// Problems as one line, for the end of an error message.
pub fn join(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")
}

/// An error with its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_place_is_found_in_what_serde_says() {
        let place = |text: &str| Problem::of_text(text).map(|problem| problem.path);
        assert_eq!(place("seed: invalid type: string \"x\", expected u64").as_deref(), Some("seed"));
        assert_eq!(place("validators[0]: missing field `plugin` at line 1").as_deref(), Some("validators[0].plugin"));
        assert_eq!(place("missing field `dataset`").as_deref(), Some("dataset"));
        assert_eq!(place("expected value at line 1: it ends"), None);
        assert_eq!(Problem::of_text("seed: is odd").unwrap().message, "is odd");
    }
}
