//! Settings: flags, then `TELEMILL_*` variables, then `telemill.toml`, then defaults. Unknown keys are errors.

use crate::{alert, http, ingest, lake, plugin, query, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The file that is read from the working folder.
const SETTINGS_FILE: &str = "telemill.toml";
/// What the variables of settings start with.
const PREFIX: &str = "TELEMILL_";
/// What else starts so: global options and secrets of the command line, and what the project's own tests and builds use.
/// Another name that does is a setting mistyped.
const OTHERS: [&str; 10] = [
    "SERVER",
    "TOKEN",
    "LOG",
    "LOG_FORMAT",
    "OPENSEARCH_USER",
    "OPENSEARCH_API_KEY",
    "OCI_USER",
    "OCI_PASSWORD",
    "BIN",
    "GUESTS",
];

/// All settings. Each part's own documentation tells units and defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where lake, catalog and plugins live (`TELEMILL_DATA_DIR`). Default `./telemill-data`.
    pub data_dir: PathBuf,
    /// What a plugin may use (`TELEMILL_LIMITS_…`).
    pub limits: plugin::Limits,
    /// How files are written (`TELEMILL_LAKE_…`).
    pub lake: lake::WriterSettings,
    /// What a query may use (`TELEMILL_QUERY_…`).
    pub query: query::Limits,
    /// What the log of acknowledged rows may use (`TELEMILL_INGEST_…`).
    pub ingest: ingest::log::LogSettings,
    /// What streams may use (`TELEMILL_STREAMS_…`).
    pub streams: stream::Settings,
    /// Where alerts go (`TELEMILL_ALERT_…`).
    pub alert: alert::Settings,
    /// What connections to the server may use (`TELEMILL_SERVER_…`).
    pub server: http::Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("telemill-data"),
            limits: plugin::Limits::default(),
            lake: lake::WriterSettings::default(),
            query: query::Limits::default(),
            ingest: ingest::log::LogSettings::default(),
            streams: stream::Settings::default(),
            alert: alert::Settings::default(),
            server: http::Limits::default(),
        }
    }
}

/// What the command line says.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--setting KEY=VALUE`, in order.
    pub settings: Vec<String>,
}

/// Settings that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file is there and can't be read.
    #[error("can't read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key or a value that there is none of.
    #[error("{origin}: {message}")]
    Value {
        /// The file, variable or flag.
        origin: String,
        /// What is wrong.
        message: String,
    },
}

impl Settings {
    /// Reads file and variables, and lets the command line have the last word.
    ///
    /// # Errors
    /// What can't be used, and where it stands.
    pub fn load(origin: Origin) -> Result<Self, SettingsError> {
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::merge(Path::new(SETTINGS_FILE), variables.collect(), origin)
    }

    fn merge(file: &Path, mut variables: Vec<(String, String)>, origin: Origin) -> Result<Self, SettingsError> {
        let bad = |origin: &str, message: String| SettingsError::Value { origin: origin.to_owned(), message };
        let name = file.display().to_string();
        let mut settings = match std::fs::read_to_string(file) {
            Ok(text) => toml::from_str::<Self>(&text).map_err(|error| bad(&name, error.to_string()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::default(),
            Err(source) => return Err(SettingsError::File { path: file.to_owned(), source }),
        };
        variables.sort();
        for (variable, value) in variables {
            if let Some(key) = settings.key_of(&variable) {
                settings = settings.with(&key, &value).map_err(|message| bad(&variable, message))?;
            } else if let Some(name) = variable.strip_prefix(PREFIX).filter(|name| !OTHERS.contains(name)) {
                return Err(bad(&variable, settings.no_such(&name.to_lowercase())));
            }
        }
        for pair in origin.settings {
            let flag = format!("--setting {pair}");
            let (key, value) = pair.split_once('=').ok_or_else(|| bad(&flag, "write KEY=VALUE".to_owned()))?;
            settings = settings.with(key, value).map_err(|message| bad(&flag, message))?;
        }
        if let Some(data_dir) = origin.data_dir {
            settings.data_dir = data_dir;
        }
        Ok(settings)
    }

    /// All settings by dotted key.
    pub fn flat(&self) -> Vec<(String, Value)> {
        let mut flat = Vec::new();
        for (key, value) in self.tree() {
            match value {
                Value::Object(section) => {
                    flat.extend(section.into_iter().map(|(name, value)| (format!("{key}.{name}"), value)))
                }
                value => flat.push((key, value)),
            }
        }
        flat
    }

    fn tree(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(tree)) => tree,
            _ => Map::new(),
        }
    }

    /// The dotted key that a variable such as `TELEMILL_LIMITS_MEMORY_BYTES` sets.
    fn key_of(&self, variable: &str) -> Option<String> {
        let keys = self.flat().into_iter().map(|(key, _)| key);
        keys.into_iter().find(|key| format!("{PREFIX}{}", key.replace('.', "_").to_uppercase()) == variable)
    }

    /// What there is in place of `key`: the settings of its section, or all sections.
    fn no_such(&self, key: &str) -> String {
        let known = self.flat().into_iter().map(|(key, _)| key);
        let section = |key: &str| key.split(['.', '_']).next().map(str::to_owned);
        let near: Vec<String> = known.filter(|known| section(known) == section(key)).collect();
        match near.is_empty() {
            true => {
                let mut sections: Vec<String> = self.tree().into_iter().map(|(key, _)| key).collect();
                sections.sort();
                format!("there is no setting {key:?}; there are settings of {}", sections.join(", "))
            }
            false => format!("there is no setting {key:?}; there are {}", near.join(", ")),
        }
    }

    fn with(&self, key: &str, text: &str) -> Result<Self, String> {
        // Numbers and booleans are themselves; everything else is text.
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        let mut tree = self.tree();
        let slot = match key.split_once('.') {
            Some((section, name)) => tree.get_mut(section).and_then(|section| section.get_mut(name)),
            None => tree.get_mut(key).filter(|value| !value.is_object()),
        };
        let Some(slot) = slot else {
            return Err(self.no_such(key));
        };
        *slot = value;
        serde_json::from_value(Value::Object(tree)).map_err(|error| format!("{key}: {error}"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn merge(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SETTINGS_FILE);
        std::fs::write(&path, file).unwrap();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let origin = Origin { data_dir: None, settings: flags.iter().map(|&flag| flag.to_owned()).collect() };
        Settings::merge(&path, variables, origin).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_win_over_variables_and_these_over_the_file() {
        let file = "data_dir = \"a\"\n[limits]\nlog_lines = 1\ncall_ms = 100\nlog_bytes = 3";
        let variables = [("TELEMILL_LIMITS_LOG_LINES", "2"), ("TELEMILL_LIMITS_CALL_MS", "200"), ("TELEMILL_BIN", "x")];
        let settings = merge(file, &variables, &["limits.call_ms=300"]).unwrap();
        assert_eq!(settings.data_dir, PathBuf::from("a"));
        assert_eq!((settings.limits.log_bytes, settings.limits.log_lines, settings.limits.call_ms), (3, 2, 300));
    }

    #[test]
    fn unknown_keys_and_bad_values_are_named_with_their_place() {
        let cases = [
            (merge("colour = 1", &[], &[]), "colour"),
            (merge("[limits]\nmemory = 1", &[], &[]), "memory"),
            (merge("", &[("TELEMILL_LIMITS_MEMORY", "1")], &[]), "TELEMILL_LIMITS_MEMORY"),
            (merge("", &[("TELEMILL_LIMITS_CALL_MS", "soon")], &[]), "TELEMILL_LIMITS_CALL_MS"),
            (merge("", &[("TELEMILL_DATADIR", "x")], &[]), "TELEMILL_DATADIR"),
            (merge("", &[("TELEMILL_DATA", "x")], &[]), "there are data_dir"),
            (merge("", &[("TELEMILL_COLOUR", "x")], &[]), "settings of alert, data_dir"),
            (merge("", &[], &["limits.memory=1"]), "limits.memory_bytes"),
            (merge("", &[], &["limits"]), "KEY=VALUE"),
        ];
        for (result, part) in cases {
            let error = result.unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
