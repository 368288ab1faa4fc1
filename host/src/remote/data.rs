//! What is in the lake of a server, and rows that go there.

use super::target::Target;
use super::{RemoteError, Server};
use crate::api::{CleanRequest, IngestQuery, NewQuery, PreviewRequest, QuerySummary, ValidateRequest};
use crate::clean::Cleaned;
use crate::ingest::IngestOutcome;
use crate::lake::{DatasetDetail, DatasetSummary, TableDetail};
use crate::query::{ColumnProfile, Scan};
use crate::run::Judgement;
use crate::task::{Batches, Dropped, RowSource, TaskError};
use arrow::ipc::reader::StreamReader;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use ureq::SendBody;
use ureq::http::Method;

/// Bytes that are handed on at a time.
const PIECE_BYTES: usize = 64 << 10;

impl Server {
    /// Datasets with their rows and sizes, by name.
    ///
    /// # Errors
    /// The server can't be asked.
    pub fn datasets(&self) -> Result<Vec<DatasetSummary>, RemoteError> {
        self.get(Target::new(&["datasets"]))
    }

    /// A dataset with its tables.
    ///
    /// # Errors
    /// There is no such dataset, or the server can't be asked.
    pub fn dataset(&self, name: &str) -> Result<DatasetDetail, RemoteError> {
        self.get(Target::new(&["datasets", name]))
    }

    /// What the columns of a table hold.
    ///
    /// # Errors
    /// There is no such table, or the server can't be asked.
    pub fn columns(&self, dataset: &str, table: &str, distinct: bool) -> Result<Vec<ColumnProfile>, RemoteError> {
        let target = Target::new(&["datasets", dataset, "tables", table, "columns"]);
        self.get(target.with("distinct", Some(distinct)))
    }

    /// Takes a dataset away.
    ///
    /// # Errors
    /// There is no such dataset, or the server can't be asked.
    pub fn drop_dataset(&self, name: &str) -> Result<Dropped, RemoteError> {
        self.delete(Target::new(&["datasets", name]))
    }

    /// Writes the result of a query to `out`, in a format that the server has, and tells how much of it that was.
    ///
    /// # Errors
    /// The query fails, the server can't be asked, or `out` takes no more.
    pub fn query(&self, sql: &str, format: &str, out: &mut dyn Write) -> Result<QuerySummary, RemoteError> {
        let query = NewQuery { sql: sql.to_owned(), format: Some(format.to_owned()), summary: true };
        let mut answer = self.post_for_bytes(Target::new(&["query"]), &query)?;
        let mut rows = Summed { out, held: Vec::new() };
        self.copy(&mut answer, &mut rows)?;
        let end = rows.held.iter().rposition(|byte| *byte == QuerySummary::SEPARATOR);
        let (rest, summary) = rows.held.split_at(end.unwrap_or(rows.held.len()));
        let summary = serde_json::from_slice(summary.get(1..).unwrap_or_default());
        let summary = summary.map_err(|error| self.unreadable(error.into()))?;
        rows.out.write_all(rest).and_then(|()| rows.out.flush()).map_err(RemoteError::Write)?;
        Ok(summary)
    }

    /// The rows of a query as values.
    ///
    /// # Errors
    /// As [`Server::query`].
    pub fn query_for<T: DeserializeOwned>(&self, sql: &str) -> Result<Vec<T>, RemoteError> {
        let query = NewQuery { sql: sql.to_owned(), format: Some("json".to_owned()), summary: false };
        self.post(Target::new(&["query"]), &query)
    }

    /// Takes a file's rows into a table, all or nothing.
    ///
    /// # Errors
    /// Bad rows, or the server can't be asked.
    pub fn ingest(
        &self,
        (dataset, table): (&str, &str),
        query: &IngestQuery,
        file: File,
    ) -> Result<IngestOutcome, RemoteError> {
        let target = Target::new(&["datasets", dataset, "tables", table, "files"])
            .with("name", Some(&query.name))
            .with("format", query.format.as_ref())
            .with("time_field", query.time_field.as_ref())
            .with("profile", query.profile.as_ref())
            .with("profile_text", query.profile_text.as_ref());
        self.upload(Method::POST, target, "application/octet-stream", SendBody::from_owned_reader(file))
    }

    /// Lets a validator judge a dataset.
    ///
    /// # Errors
    /// No such validator or dataset, or the server can't be asked.
    pub fn validate(&self, dataset: &str, request: &ValidateRequest) -> Result<Vec<Judgement>, RemoteError> {
        self.post(Target::new(&["datasets", dataset, "validate"]), request)
    }

    /// Cleans a table of a dataset by a recipe.
    ///
    /// # Errors
    /// No such dataset, a recipe that can't be used, or the server can't be asked.
    pub fn clean(&self, dataset: &str, request: &CleanRequest) -> Result<Cleaned, RemoteError> {
        self.post(Target::new(&["datasets", dataset, "clean"]), request)
    }

    /// Writes rows of any window of a spec to `out`.
    ///
    /// # Errors
    /// The spec can't be used there, the server can't be asked, or `out` takes no more.
    pub fn preview(&self, request: &PreviewRequest, out: &mut dyn Write) -> Result<(), RemoteError> {
        let mut answer = self.post_for_bytes(Target::new(&["preview"]), request)?;
        self.copy(&mut answer, out)
    }

    /// Hands an answer on; which of the two sides failed decides the error.
    fn copy(&self, answer: &mut dyn Read, out: &mut dyn Write) -> Result<(), RemoteError> {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let bytes = match answer.read(&mut piece) {
                Ok(0) => return out.flush().map_err(RemoteError::Write),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(RemoteError::Broken { url: self.url().to_owned(), source }),
            };
            out.write_all(piece.get(..bytes).unwrap_or_default()).map_err(RemoteError::Write)?;
        }
    }

    fn scan(&self, scan: &Scan) -> Result<Batches<'_>, RemoteError> {
        let order = Some(scan.order_by.join(",")).filter(|order| !order.is_empty());
        let target = Target::new(&["datasets", &scan.dataset, "tables", &scan.table, "rows"])
            .with("from", scan.window.map(|window| window.start))
            .with("to", scan.window.map(|window| window.end))
            .with("order_by", order);
        let response = self.send(&self.agent, Method::GET, target, &[], SendBody::none())?;
        let url = self.url().to_owned();
        let broken = move |error: arrow::error::ArrowError| {
            TaskError::Source(Box::new(RemoteError::Broken { url: url.clone(), source: io::Error::other(error) }))
        };
        let batches = StreamReader::try_new(BufReader::with_capacity(PIECE_BYTES, self.body(response)), None);
        let batches = batches.map_err(|error| self.unreadable(error.into()))?;
        Ok(Box::new(batches.map(move |batch| batch.map_err(&broken))))
    }
}

/// Hands rows on but for the last bytes, among which the summary is.
struct Summed<'a> {
    out: &'a mut dyn Write,
    held: Vec<u8>,
}

impl Write for Summed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        let rows = self.held.len().saturating_sub(QuerySummary::MAX_BYTES);
        self.out.write_all(self.held.get(..rows).unwrap_or_default())?;
        self.held.drain(..rows);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A server's rows, as those of a data folder.
impl RowSource for Server {
    fn tables(&self, dataset: &str) -> Result<Vec<TableDetail>, TaskError> {
        Ok(self.dataset(dataset).map_err(task_error)?.tables)
    }

    fn rows(&self, scan: &Scan) -> Result<Batches<'_>, TaskError> {
        self.scan(scan).map_err(task_error)
    }
}

fn task_error(error: RemoteError) -> TaskError {
    TaskError::Source(Box::new(error))
}
