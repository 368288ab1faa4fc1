//! Rows from a file into a table, all or nothing.

use super::{TaskError, from_text, profiles, table_of};
use crate::core::time::Timestamp;
use crate::ingest::{self, Format, IngestOutcome, Request};
use crate::run::Host;
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
    pub fn run(&self, host: &Host, now: Timestamp) -> Result<IngestOutcome, TaskError> {
        let (dataset, table) = table_of(&self.table)?;
        let profile = profiles(self.profile.as_slice())?.pop();
        let into = (dataset.to_owned(), table.to_owned());
        ingest_file(host, into, self.file.clone(), self.format, profile, self.time_field.clone(), now)
    }
}

/// Takes a file into the table that `into` names by dataset and name; `now` is the time of the snapshot.
///
/// # Errors
/// As [`ingest::file`].
pub fn ingest_file(
    host: &Host,
    into: (String, String),
    file: PathBuf,
    format: Option<Format>,
    profile: Option<Profile>,
    time_field: Option<String>,
    now: Timestamp,
) -> Result<IngestOutcome, TaskError> {
    let (dataset, table) = into;
    let (writer, author) = (host.writer.clone(), "telemill ingest".to_owned());
    let request = Request { dataset, table, file, format, profile, time_field, writer, at: now, author };
    Ok(ingest::file(&host.lake, &host.runtime, &request)?)
}
