//! Where a stream's rows go besides the lake: committed rows, read from a stored position, delivered at least once, each
//! batch with a key that is the same when it comes again.

mod courier;
mod endpoint;
mod file;
mod http;

use super::error::StreamError;
use crate::batch::TableLayout;
use crate::core::id::check_identifier;
use crate::run::Host;
use crate::sink::SinkError;
use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};
use std::path::Path;

pub(super) use courier::Courier;
pub use endpoint::Credentials;
pub use file::{FileFormat, FileSink};
pub use http::HttpSink;

/// Most sinks of one stream; each has a position of its own.
const MAX_SINKS: usize = 16;

/// A sink of a stream: what goes where. Exactly one of the kinds is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkSpec {
    /// Its name, unique in the stream.
    pub name: String,
    /// The tables that it takes; all of the generator's where it names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// Files of a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileSink>,
    /// Batches of lines to an HTTP endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpSink>,
}

/// A batch on its way.
pub(super) struct Batch<'a> {
    /// The same whenever the batch comes again: stream, commit, table and part.
    pub(super) key: String,
    pub(super) layout: &'a TableLayout,
    pub(super) rows: &'a RecordBatch,
}

/// Why a batch did not arrive.
#[derive(Debug)]
pub(super) enum Undelivered {
    /// It may arrive later.
    Later(String),
    /// It never will: what was sent goes to the dead letters.
    Never {
        /// What was answered.
        reason: String,
        /// What was sent.
        body: Vec<u8>,
    },
}

/// What takes batches.
pub(super) trait Target: Send {
    /// Delivers a batch; it may come again.
    fn deliver(&mut self, batch: &Batch<'_>) -> Result<(), Undelivered>;

    /// All batches of a commit are delivered: what is kept back must be safe when this returns.
    fn flush(&mut self) -> Result<(), Undelivered> {
        Ok(())
    }
}

impl SinkSpec {
    /// What takes the sink's batches; relative folders are below `folder`.
    fn open(&self, folder: &Path, host: &Host) -> Result<Box<dyn Target>, StreamError> {
        let _ = host;
        match (&self.file, &self.http) {
            (Some(file), None) => Ok(file.open(folder)),
            (None, Some(http)) => http.open().map_err(|message| self.wrong(message)),
            _ => Err(self.wrong("exactly one of file and http must be given".to_owned())),
        }
    }

    /// Whether it takes the table.
    pub(super) fn takes(&self, table: &str) -> bool {
        self.tables.is_empty() || self.tables.iter().any(|name| name == table)
    }

    fn wrong(&self, message: String) -> StreamError {
        StreamError::Spec { key: format!("stream.sinks.{}", self.name), message }
    }
}

/// Holds sinks to what can be used: their number, names of their own, one kind each.
///
/// # Errors
/// What can't be used.
pub(super) fn check(sinks: &[SinkSpec]) -> Result<(), StreamError> {
    let wrong = |message: String| Err(StreamError::Spec { key: "stream.sinks".to_owned(), message });
    if sinks.len() > MAX_SINKS {
        return wrong(format!("there are {}; at most {MAX_SINKS} are allowed", sinks.len()));
    }
    for (index, sink) in sinks.iter().enumerate() {
        if let Err(error) = check_identifier("sink", &sink.name) {
            return wrong(error.to_string());
        }
        if sinks.iter().take(index).any(|other| other.name == sink.name) {
            return wrong(format!("the name {} is given twice", sink.name));
        }
        if [sink.file.is_some(), sink.http.is_some()].iter().filter(|given| **given).count() != 1 {
            return Err(sink.wrong("exactly one of file and http must be given".to_owned()));
        }
    }
    Ok(())
}

/// A row that the format has no words for never arrives.
fn unwritable(error: SinkError) -> Undelivered {
    Undelivered::Never { reason: error.to_string(), body: Vec::new() }
}
