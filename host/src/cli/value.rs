//! Values that people give on the command line as JSON in a file.

use anyhow::Context as _;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Reads a JSON file.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
}
