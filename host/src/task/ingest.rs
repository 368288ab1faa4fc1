//! Rows from a file into a table, all or nothing.

use super::{TaskError, from_text, profiles, table_of};
use crate::core::time::Timestamp;
use crate::ingest::{self, Format, IngestError, IngestOutcome, Request};
use crate::run::{Cancel, Host};
use crate::sink::profile::Profile;
use serde::Deserialize;
use std::path::PathBuf;

/// Which file, and where to.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ingest {
    /// The table, as `DATASET.TABLE`; it is made where it is missing.
    pub table: String,
    /// The file.
    pub file: PathBuf,
    /// Its format; by its name where it is left out.
    #[serde(default, deserialize_with = "from_text")]
    pub format: Option<Format>,
    /// The export profile that writes such files, by path or name.
    #[serde(default)]
    pub profile: Option<String>,
    /// The column that places rows of a new table in time.
    #[serde(default)]
    pub time_field: Option<String>,
}

impl Ingest {
    /// Takes the file in; `now` is the time of the snapshot.
    ///
    /// # Errors
    /// As [`ingest::file`].
    pub fn run(&self, host: &Host, now: Timestamp, cancel: &Cancel) -> Result<IngestOutcome, TaskError> {
        let profile = profiles(self.profile.as_slice())?.pop();
        self.run_with(profile, host, now, cancel)
    }

    /// The same by a profile that is read already, whatever the task's own is.
    ///
    /// # Errors
    /// As [`ingest::file`].
    pub fn run_with(
        &self,
        profile: Option<Profile>,
        host: &Host,
        now: Timestamp,
        cancel: &Cancel,
    ) -> Result<IngestOutcome, TaskError> {
        let (dataset, table) = table_of(&self.table)?;
        let request = Request {
            dataset: dataset.to_owned(),
            table: table.to_owned(),
            file: self.file.clone(),
            format: self.format,
            profile,
            time_field: self.time_field.clone(),
            writer: host.writer.clone(),
            at: now,
            author: "telemill ingest".to_owned(),
        };
        ingest::file(&host.lake, &host.runtime, &request, cancel).map_err(|error| match error {
            IngestError::Stopped => TaskError::Stopped,
            error => error.into(),
        })
    }
}
