//! Values that people give on the command line: JSON in a file, or JSON and plain text in an option.

use anyhow::Context as _;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;

/// Reads a JSON file.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
}

/// Numbers, booleans, lists and objects are themselves; everything else is text.
pub(super) fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
