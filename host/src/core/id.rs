//! Names that people give and ids that Telemill gives. A name becomes a folder and a SQL identifier, so what it
//! may hold is decided here, once.

use super::printable::is_harmful;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Longest name of a dataset, table, column or plugin, in bytes.
pub const MAX_NAME_BYTES: usize = 63;

/// What SQL calls its own tables about tables; a dataset of that name could not be asked for.
pub const SQL_SCHEMA: &str = "information_schema";

/// A name that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} name {name:?} can't be used: {reason}")]
pub struct BadName {
    /// What kind of thing was named.
    pub what: &'static str,
    /// The name as given, escaped when shown.
    pub name: String,
    /// Which rule it breaks.
    pub reason: &'static str,
}

fn check(what: &'static str, name: &str, separator: char, allowed: &'static str) -> Result<(), BadName> {
    let bad = |reason| Err(BadName { what, name: name.chars().take(MAX_NAME_BYTES + 1).collect(), reason });
    if name.is_empty() {
        return bad("it is empty");
    }
    if name.len() > MAX_NAME_BYTES {
        return bad("it is longer than 63 bytes");
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return bad("it must start with a lower-case letter");
    }
    if name.chars().any(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == separator)) {
        return bad(allowed);
    }
    Ok(())
}

/// Checks the name of a dataset, table or column: `snake_case`, at most [`MAX_NAME_BYTES`].
///
/// # Errors
/// Which rule the name breaks.
pub fn check_identifier(what: &'static str, name: &str) -> Result<(), BadName> {
    if name == SQL_SCHEMA {
        return Err(BadName { what, name: name.to_owned(), reason: "SQL itself has a schema of that name" });
    }
    check(what, name, '_', "only lower-case letters, digits and underscores are allowed")
}

/// Checks the name of a plugin: `kebab-case`, at most [`MAX_NAME_BYTES`].
///
/// # Errors
/// Which rule the name breaks.
pub fn check_plugin_name(name: &str) -> Result<(), BadName> {
    check("plugin", name, '-', "only lower-case letters, digits and hyphens are allowed")
}

/// Longest name of a target, a signal, or a kind of incident, in bytes: what people write in an inventory, and far below harm.
pub const MAX_LABEL_BYTES: usize = 1 << 10;

/// Why a text can't name a target, a signal, or an incident and its kind; none where it can. These are values of rows, so they
/// may hold what people write, but nothing that a terminal or a log would obey.
pub fn label_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > MAX_LABEL_BYTES {
        return Some("must have 1 to 1024 bytes");
    }
    name.chars().any(is_harmful).then_some("must have no control characters and no invisible ones")
}

/// A run's id: `r` and sixteen hex digits, the first eleven of which are the milliseconds since 1970, so that ids
/// sort by time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^r[0-9a-f]{16}$", example = "r019a8f3c1d20f00d")]
pub struct RunId(String);

impl RunId {
    /// An id for a run that starts at `unix_ms`, told apart from others of that millisecond by `random`.
    pub fn new(unix_ms: u64, random: u32) -> Self {
        Self(format!("r{:011x}{:05x}", unix_ms & 0xfff_ffff_ffff, random & 0xf_ffff))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RunId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('r').unwrap_or_default();
        if digits.len() == 16 && digits.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("{text:?} is no run id: one is an r and sixteen hex digits; `telemill run list` shows them"))
        }
    }
}

impl TryFrom<String> for RunId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

/// A stream's id: `s` and sixteen hex digits, which are those of a [`RunId`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^s[0-9a-f]{16}$", example = "s019a8f3c1d20f00d")]
pub struct StreamId(String);

impl StreamId {
    /// An id for a stream that starts at `unix_ms`, told apart from others of that millisecond by `random`.
    pub fn new(unix_ms: u64, random: u32) -> Self {
        Self(format!("s{:011x}{:05x}", unix_ms & 0xfff_ffff_ffff, random & 0xf_ffff))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for StreamId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('s').unwrap_or_default();
        if digits.len() == 16 && digits.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "{text:?} is no stream id: one is an s and sixteen hex digits; `telemill stream list` shows them"
            ))
        }
    }
}

impl TryFrom<String> for StreamId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<StreamId> for String {
    fn from(id: StreamId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        for name in ["", "..", "a/b", "Über", "1a", "a b", "a\u{7}", &"a".repeat(64)] {
            assert!(check_identifier("table", name).is_err(), "{name:?}");
            assert!(check_plugin_name(name).is_err(), "{name:?}");
        }
        assert_eq!(check_identifier("table", "device_metrics"), Ok(()));
        assert_eq!(check_plugin_name("table-rules"), Ok(()));
    }

    #[test]
    fn run_ids_sort_by_time_and_parse_back() {
        let (earlier, later) = (RunId::new(1_000, u32::MAX), RunId::new(1_001, 0));
        assert!(earlier < later);
        assert_eq!(earlier.as_str().parse(), Ok(earlier));
        assert!("r12".parse::<RunId>().is_err());
    }
}
