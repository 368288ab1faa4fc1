//! Where a stream's rows go besides the lake: committed rows, read from a stored position, delivered at least once, each
//! batch with a key that is the same when it comes again.

mod courier;
mod endpoint;
mod file;
mod http;
mod influx;
mod key;
mod opensearch;
mod postgres;
mod requests;

use super::error::StreamError;
use crate::batch::TableLayout;
use crate::core::id::{StreamId, check_identifier};
use crate::run::Host;
use crate::sink::SinkError;
use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};
use std::path::{Component, Path};

pub(super) use courier::Courier;
pub use file::{FileFormat, FileSink};
pub use http::HttpSink;
pub use influx::InfluxSink;
pub use key::BatchKey;
pub use opensearch::OpensearchSink;
pub use postgres::PostgresSink;
pub use requests::RequestSink;

/// Most sinks of one stream; each has a position of its own.
const MAX_SINKS: usize = 16;

const ONE_KIND: &str = "exactly one of file, http, requests, influx, opensearch and postgres must be given";

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
    /// A request of a backend for each row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<RequestSink>,
    /// Points to an InfluxDB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub influx: Option<InfluxSink>,
    /// Documents to an OpenSearch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opensearch: Option<OpensearchSink>,
    /// Tables of a PostgreSQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<PostgresSink>,
}

/// A batch on its way.
pub(super) struct Batch<'a> {
    /// The same whenever the batch comes again: stream, commit, table and first row.
    pub(super) key: String,
    pub(super) stream: &'a StreamId,
    /// The number of its commit in the stream.
    pub(super) commit: u64,
    /// How many rows of the commit, in the order of tables and files, come before it.
    pub(super) first: u64,
    pub(super) layout: &'a TableLayout,
    pub(super) rows: &'a RecordBatch,
}

impl Batch<'_> {
    /// How many rows of the commit are delivered with it.
    fn end(&self) -> u64 {
        self.first + self.rows.num_rows() as u64
    }
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

/// What was given up of a batch, on its way once more.
pub(super) struct Letter<'a> {
    /// The batch's key.
    pub(super) key: &'a str,
    /// Its table.
    pub(super) table: &'a str,
    /// How the table is laid out now; none where it is gone.
    pub(super) layout: Option<&'a TableLayout>,
    /// What was sent.
    pub(super) body: &'a [u8],
}

/// What takes batches.
pub(super) trait Target: Send {
    /// Delivers a batch; it may come again.
    fn deliver(&mut self, batch: &Batch<'_>) -> Result<(), Undelivered>;

    /// Delivers what was given up. What is refused once more is the body of [`Undelivered::Never`].
    ///
    /// Sinks that refuse no rows for good have no such letters.
    fn send_again(&mut self, letter: &Letter<'_>) -> Result<(), Undelivered> {
        let reason = "a sink of this kind has no way to send it again".to_owned();
        Err(Undelivered::Never { reason, body: letter.body.to_vec() })
    }

    /// All batches of a commit are delivered: what is kept back must be safe when this returns.
    fn flush(&mut self) -> Result<(), Undelivered> {
        Ok(())
    }
}

impl SinkSpec {
    /// What takes the sink's batches; relative folders are below `folder`.
    pub(super) fn open(&self, folder: &Path, host: &Host) -> Result<Box<dyn Target>, StreamError> {
        let mut targets = Vec::new();
        targets.extend(self.file.as_ref().map(|file| Ok(file.open(folder))));
        targets.extend(self.http.as_ref().map(HttpSink::open));
        targets.extend(self.requests.as_ref().map(|requests| requests.open(host)));
        targets.extend(self.influx.as_ref().map(InfluxSink::open));
        targets.extend(self.opensearch.as_ref().map(OpensearchSink::open));
        targets.extend(self.postgres.as_ref().map(|postgres| postgres.open(&self.name, &host.runtime)));
        match (targets.pop(), targets.pop()) {
            (Some(target), None) => target.map_err(|message| self.wrong(message)),
            _ => Err(self.wrong(ONE_KIND.to_owned())),
        }
    }

    /// How many kinds are given.
    fn kinds(&self) -> usize {
        let kinds = [
            self.file.is_some(),
            self.http.is_some(),
            self.requests.is_some(),
            self.influx.is_some(),
            self.opensearch.is_some(),
            self.postgres.is_some(),
        ];
        kinds.into_iter().filter(|given| *given).count()
    }

    /// Whether it names a folder outside of the data folder: only who runs the host may do that.
    pub fn names_files(&self) -> bool {
        let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        self.file.as_ref().is_some_and(|file| !file.folder.components().all(inside))
            || self.postgres.as_ref().is_some_and(PostgresSink::names_files)
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
        if sink.kinds() != 1 {
            return Err(sink.wrong(ONE_KIND.to_owned()));
        }
        sink.postgres.as_ref().map_or(Ok(()), PostgresSink::check).map_err(|message| sink.wrong(message))?;
    }
    Ok(())
}

/// A row that the format has no words for never arrives.
fn unwritable(error: SinkError) -> Undelivered {
    Undelivered::Never { reason: error.to_string(), body: Vec::new() }
}
