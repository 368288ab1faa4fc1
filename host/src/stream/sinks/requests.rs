//! Rows as calls of a backend: a row becomes a request, and what came of it a row of `api_request_logs`.

use super::endpoint::{Endpoint, Unanswered};
use super::{Batch, Target, Undelivered, unwritable};
use crate::batch::TableLayout;
use crate::core::problem;
use crate::core::schema::{DataType, Field, Table, TableKind};
use crate::lake::{Commit, Mode, TableFiles, TableWriter};
use crate::run::{self, Host};
use crate::sink::Credentials;
use crate::sink::ndjson::{NdjsonEncoder, Nulls};
use crate::sink::{Columns, Encoder as _};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use ureq::http::Method;

/// The table of what came of requests.
const LOG_TABLE: &str = "api_request_logs";

/// Steps that a template may take for a row: thousands of times what a body needs, and some milliseconds.
const TEMPLATE_FUEL: u64 = 100_000;

/// A backend that gets a request for each row. Templates are Jinja's, with the row's columns as variables.
///
/// Every answer counts, whatever its status. A request that gets none is sent again, with the same `Idempotency-Key`, until there
/// is one, and the rows behind wait; each attempt is a row of the log, the later ones with their number behind the id. Requests of the same
/// commit that were answered are not sent again, unless the host ends before the commit is through. A request that can't be
/// made of a row, or whose answer is no HTTP, is an error in the log, and the next row is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestSink {
    /// Where the backend is, such as `http://localhost:8080`.
    pub url: String,
    /// A template of the method. Default `POST`.
    #[serde(default = "default_method")]
    pub method: String,
    /// A template of path and query, such as `/orders/{{ order_id }}`.
    pub path: String,
    /// A template of the body. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Headers of every request. Default `content-type: application/json`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Who asks.
    #[serde(default)]
    pub credentials: Credentials,
    /// The dataset that gets the table `api_request_logs`.
    pub log_dataset: String,
}

fn default_method() -> String {
    "POST".to_owned()
}

struct Requests {
    host: Host,
    sink: RequestSink,
    endpoint: Endpoint,
    templates: Environment<'static>,
    log: Vec<Logged>,
    /// The batch under way, how many of its rows were answered, and how often the next one was sent.
    sent: Sent,
}

#[derive(Default)]
struct Sent {
    batch: String,
    rows: usize,
    attempts: u32,
}

/// What came of a request.
struct Logged {
    id: String,
    time_us: i64,
    method: String,
    path: String,
    status: Option<i64>,
    latency_ms: f64,
    error: Option<String>,
}

impl RequestSink {
    pub(super) fn open(&self, host: &Host) -> Result<Box<dyn Target>, String> {
        let mut templates = environment();
        let parts = [("method", Some(&self.method)), ("path", Some(&self.path)), ("body", self.body.as_ref())];
        for (name, text) in parts {
            let Some(text) = text else { continue };
            templates.add_template_owned(name, text.clone()).map_err(|error| format!("{name}: {error:#}"))?;
        }
        let mut headers = self.headers.clone();
        headers.entry("content-type".to_owned()).or_insert_with(|| "application/json".to_owned());
        let endpoint = Endpoint::new(self.credentials.header("Bearer")?, headers);
        let (host, sink, log, sent) = (host.clone(), self.clone(), Vec::new(), Sent::default());
        Ok(Box::new(Requests { host, sink, endpoint, templates, log, sent }))
    }
}

/// Where templates end, however they are written.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(TEMPLATE_FUEL));
    // A column that there is not would be an empty part of a path, and the call another one.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
}

impl Requests {
    fn render(&self, name: &str, row: &Value) -> Result<String, String> {
        let rendered = self.templates.get_template(name).and_then(|template| template.render(Serde(row)));
        rendered.map_err(|error| format!("the template of the {name} fails: {error:#}"))
    }

    /// Sends the request of a row, and logs what came of it. An error is that of a backend that did not answer.
    fn send(&mut self, id: &str, row: &Value) -> Result<(), String> {
        let (time_us, began) = (run::now().0, Instant::now());
        let (method, path) = (self.render("method", row), self.render("path", row));
        let impossible = |reason: &String| Unanswered::Impossible(reason.clone());
        let answer = (|| {
            let (method, path) = (method.as_ref().map_err(impossible)?, path.as_ref().map_err(impossible)?);
            let body = if self.sink.body.is_some() { self.render("body", row) } else { Ok(String::new()) };
            let body = body.as_ref().map_err(impossible)?;
            let verb: Method =
                method.trim().parse().map_err(|_| Unanswered::Impossible(format!("{method:?} is no method")))?;
            let url = format!("{}{path}", self.sink.url.trim_end_matches('/'));
            self.endpoint.ask(&verb, &url, &[("idempotency-key", id)], body.as_bytes())
        })();
        let latency_ms = began.elapsed().as_secs_f64() * 1e3;
        let (status, error, result) = match answer {
            Ok(answer) => (Some(i64::from(answer.status)), None, Ok(())),
            Err(Unanswered::Impossible(reason)) => (None, Some(reason), Ok(())),
            Err(Unanswered::Silent(reason)) => (None, Some(reason.clone()), Err(reason)),
        };
        let (method, path) = (method.unwrap_or_default(), path.unwrap_or_default());
        self.sent.attempts += 1;
        let id = match self.sent.attempts {
            1 => id.to_owned(),
            again => format!("{id}-{again}"),
        };
        self.log.push(Logged { id, time_us, method, path, status, latency_ms, error });
        result
    }
}

impl Target for Requests {
    fn deliver(&mut self, batch: &Batch<'_>) -> Result<(), Undelivered> {
        let mut lines = Vec::new();
        let columns = Columns::all(&batch.layout.schema);
        NdjsonEncoder::new(columns, Nulls::Written).encode(batch.rows, &mut lines).map_err(unwritable)?;
        if self.sent.batch != batch.key {
            self.sent = Sent { batch: batch.key.clone(), ..Sent::default() };
        }
        let text = String::from_utf8_lossy(&lines).into_owned();
        for (number, line) in text.lines().enumerate().skip(self.sent.rows) {
            let row: Value = serde_json::from_str(line).unwrap_or_default();
            if let Err(reason) = self.send(&format!("{}-{number}", batch.key), &row) {
                // What is known so far is told now: it may be long until the backend is back.
                self.flush()?;
                return Err(Undelivered::Later(reason));
            }
            (self.sent.rows, self.sent.attempts) = (number + 1, 0);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Undelivered> {
        if self.log.is_empty() {
            return Ok(());
        }
        let later = |error: &dyn std::error::Error| Undelivered::Later(problem::chain(error));
        let (layout, host) = (log_layout(), &self.host);
        let rows = log_rows(&layout, &self.log).map_err(|error| later(&error))?;
        let first = self.log.first().map_or("", |logged| logged.id.as_str());
        let (files, dataset) = (host.lake.files(), self.sink.log_dataset.as_str());
        let mut writer = TableWriter::new(files, &host.runtime, &layout, dataset, first, host.writer.clone());
        let written = writer.write(&rows).and_then(|()| writer.finish()).map_err(|error| later(&error))?;
        let commit = Commit {
            dataset: dataset.to_owned(),
            mode: Mode::Append,
            tables: vec![TableFiles { table: layout.table, files: written, replace: false }],
            at: run::now(),
            author: concat!("telemill ", env!("CARGO_PKG_VERSION")).to_owned(),
            message: format!("{} requests", self.log.len()),
            extra: None,
        };
        let committed = host.runtime.block_on(async {
            let mut tx = host.store.write().await?;
            host.lake.commit(&mut tx, &commit).await?;
            Ok::<_, crate::lake::LakeError>(tx.commit().await?)
        });
        committed.map_err(|error| later(&error))?;
        self.log.clear();
        Ok(())
    }
}

fn log_layout() -> TableLayout {
    let field = |name: &str, data_type, nullable, unit: Option<&str>, summary: &str| Field {
        name: name.to_owned(),
        data_type,
        nullable,
        unit: unit.map(str::to_owned),
        summary: summary.to_owned(),
        attributes: Vec::new(),
    };
    TableLayout::new(Table {
        name: LOG_TABLE.to_owned(),
        summary: "What came of requests to a backend".to_owned(),
        kind: TableKind::Events,
        fields: vec![
            field(
                "request_id",
                DataType::Utf8,
                false,
                None,
                "The batch's key and the row's number in it, and which attempt it was where there was no answer before",
            ),
            field("time", DataType::Timestamp, false, None, "When it was sent, by the wall's clock"),
            field("method", DataType::Utf8, false, None, "The method"),
            field("path", DataType::Utf8, false, None, "Path and query"),
            field("status", DataType::Int64, true, None, "The answer's status; none where there was no answer"),
            field("latency_ms", DataType::Float64, false, Some("ms"), "Until the answer, or until none was waited for"),
            field("error", DataType::Utf8, true, None, "Why there was no answer"),
        ],
        primary_key: vec!["request_id".to_owned()],
        time_field: Some("time".to_owned()),
        attributes: Vec::new(),
    })
}

fn log_rows(layout: &TableLayout, log: &[Logged]) -> Result<RecordBatch, arrow::error::ArrowError> {
    let text = |value: fn(&Logged) -> &str| Arc::new(StringArray::from_iter_values(log.iter().map(value))) as ArrayRef;
    let times = TimestampMicrosecondArray::from_iter_values(log.iter().map(|logged| logged.time_us));
    let columns: Vec<ArrayRef> = vec![
        text(|logged| &logged.id),
        Arc::new(times.with_timezone("UTC")),
        text(|logged| &logged.method),
        text(|logged| &logged.path),
        Arc::new(Int64Array::from_iter(log.iter().map(|logged| logged.status))),
        Arc::new(Float64Array::from_iter_values(log.iter().map(|logged| logged.latency_ms))),
        Arc::new(StringArray::from_iter(log.iter().map(|logged| logged.error.as_deref()))),
    ];
    RecordBatch::try_new(Arc::clone(&layout.schema), columns)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_template_that_would_not_end_is_ended() {
        let mut templates = environment();
        let loops = "{% for a in range(9000) %}{% for b in range(9000) %}x{% endfor %}{% endfor %}";
        templates.add_template("body", loops).unwrap();
        templates.add_template("path", "/orders/{{ id }}{% for a in range(100) %}-{{ a }}{% endfor %}").unwrap();
        templates.add_template("typo", "/orders/{{ ids }}").unwrap();
        let row = serde_json::json!({"id": 7});
        let render = |name: &str| templates.get_template(name).unwrap().render(Serde(&row));
        assert_eq!(render("body").unwrap_err().kind(), minijinja::ErrorKind::OutOfFuel);
        assert!(render("path").unwrap().ends_with("-98-99"));
        assert_eq!(render("typo").unwrap_err().kind(), minijinja::ErrorKind::UndefinedError);
    }
}
