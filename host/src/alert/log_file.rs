//! Events as lines of a file, such as the example system's `alerts.log`. Its document names the file and what is logged, a drop that
//! passes the threshold, and shows no line of it: the form is our own, with the figures that its monitor compares.

use crate::store::{Alert, AlertEvent};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A file above this is put aside as `FILE.1`, in the place of the one before.
const MAX_BYTES: u64 = 16 << 20;

/// A file that is told events.
pub(super) struct LogFile {
    path: PathBuf,
}

impl LogFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Adds a line.
    pub(super) fn tell(&self, event: &AlertEvent) -> Result<(), String> {
        self.append(&line(event)).map_err(|error| format!("{}: {error}", self.path.display()))
    }

    fn append(&self, line: &str) -> io::Result<()> {
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        if fs::metadata(&self.path).is_ok_and(|file| file.len() > MAX_BYTES) {
            let mut aside = self.path.clone().into_os_string();
            aside.push(".1");
            fs::rename(&self.path, Path::new(&aside))?;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.write_all(line.as_bytes())?;
        file.sync_data()
    }
}

/// `TIME ALERT SEVERITY VALIDATOR DATASET RULE: MESSAGE [figures]`, in one line. The figures are the last of each name.
pub(super) fn line(event: &AlertEvent) -> String {
    let Alert { validator, dataset, rule, severity, message, details, source, .. } = &event.alert;
    let word = match event.kind.as_str() {
        "raised" => "ALERT",
        "resolved" => "RESOLVED",
        _ => "ACKNOWLEDGED",
    };
    let who = validator.as_deref().unwrap_or(source);
    let dataset = dataset.as_deref().map(|dataset| format!(" {dataset}")).unwrap_or_default();
    let mut line = format!("{} {word} {} {who}{dataset} {rule}: {message}", event.at, severity);
    for (name, figures) in details.as_object().into_iter().flatten() {
        if let Some(value) = figures.as_array().and_then(|figures| figures.last()?.get("value").and_then(Value::as_f64))
        {
            let _ = write!(line, " {name}={value:.4}");
        }
    }
    // What a validator says may have line ends; a line of the file has one.
    let mut line = line.replace(['\n', '\r'], " ");
    line.push('\n');
    line
}
