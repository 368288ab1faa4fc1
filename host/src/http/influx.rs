//! The writes of InfluxDB's clients, version 1 and 2, answered in their dialects.
//!
//! A bucket or database is a dataset, a measurement a table. Good lines are taken beside bad ones, as InfluxDB does it.
//! Whatever is wrong at these paths is said in the dialect of their clients, whoever found it ([`in_dialect`]).

use super::Shared;
use super::body::Query;
use super::error::Problem;
use super::intake;
use super::work::blocking;
use crate::ingest::{self, Lines, LinesTaken, Precision};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What clients ask of the version: that there is one.
const VERSION: HeaderName = HeaderName::from_static("x-influxdb-version");
const BUILD: HeaderName = HeaderName::from_static("x-influxdb-build");
/// What clients of version 1 read an error from.
const ERROR: HeaderName = HeaderName::from_static("x-influxdb-error");
/// Bad lines that an answer names.
const NAMED_LINES: usize = 5;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(write_v2))
        .routes(routes!(write_v1))
        .routes(routes!(query_v1))
        .routes(routes!(ping))
        .routes(routes!(health))
}

/// Where lines of version 2 go.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct WriteV2 {
    /// The dataset.
    #[serde(default)]
    bucket: String,
    /// `ns`, `us`, `ms` or `s`.
    precision: Option<String>,
}

/// Where lines of version 1 go.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct WriteV1 {
    /// The dataset.
    #[serde(default)]
    db: String,
    /// `n`, `u`, `ms`, `s`, `m` or `h`.
    precision: Option<String>,
}

/// A statement of version 1.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct QueryV1 {
    /// `CREATE DATABASE NAME`.
    #[serde(default)]
    q: String,
}

/// How InfluxDB says that it is well.
#[derive(Debug, Serialize, ToSchema)]
struct InfluxHealth {
    /// `telemill`.
    name: &'static str,
    /// `ready for queries and writes`.
    message: &'static str,
    /// `pass`.
    status: &'static str,
    /// The server's version.
    version: &'static str,
}

/// How version 1 says what is wrong.
#[derive(Debug, Serialize, ToSchema)]
struct InfluxError {
    /// What is wrong.
    error: String,
}

/// How version 2 says what is wrong.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InfluxCodedError)]
struct CodedError {
    /// One of its own words for a status, such as `invalid`.
    code: &'static str,
    /// What is wrong.
    message: String,
}

/// Whose words an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `{"error": …}`.
    V1,
    /// `{"code": …, "message": …}`.
    V2,
}

impl Dialect {
    /// The dialect of a path; none where the clients are our own.
    pub(super) fn of(path: &str) -> Option<Self> {
        match path {
            "/write" | "/query" | "/ping" => Some(Self::V1),
            "/health" => Some(Self::V2),
            _ => path.starts_with("/api/v2/").then_some(Self::V2),
        }
    }
}

/// Says problems at the paths of InfluxDB in the dialect of its clients: those of the routes, and those of whatever stands before
/// them.
pub(super) async fn in_dialect(request: Request, next: Next) -> Response {
    let dialect = Dialect::of(request.uri().path());
    let mut response = next.run(request).await;
    match (dialect, response.extensions_mut().remove::<Problem>()) {
        (Some(dialect), Some(problem)) => said(dialect, &problem, response),
        _ => response,
    }
}

/// Takes points as InfluxDB 2 does: a measurement becomes a table of the dataset that the bucket names. 204 means that they
/// are on the disk. Times are cut to microseconds.
#[utoipa::path(post, path = "/api/v2/write", tag = "data", params(WriteV2), request_body(content = String, content_type = "text/plain"),
    responses((status = 204, description = "All points are on the disk"),
        (status = 400, body = CodedError, description = "Some lines were not taken; the others are on the disk"),
        (status = "default", body = CodedError, description = "A problem, as InfluxDB 2 says it")))]
async fn write_v2(
    State(services): State<Shared>,
    Query(WriteV2 { bucket, precision }): Query<WriteV2>,
    request: Request,
) -> Result<Response, Problem> {
    write(&services, "bucket", &bucket, precision.as_deref(), request).await
}

/// Takes points as InfluxDB 1 does: a measurement becomes a table of the dataset that the database names.
#[utoipa::path(post, path = "/write", tag = "data", params(WriteV1), request_body(content = String, content_type = "text/plain"),
    responses((status = 204, description = "All points are on the disk"),
        (status = 400, body = InfluxError, description = "Some lines were not taken; the others are on the disk"),
        (status = "default", body = InfluxError, description = "A problem, as InfluxDB 1 says it")))]
async fn write_v1(
    State(services): State<Shared>,
    Query(WriteV1 { db, precision }): Query<WriteV1>,
    request: Request,
) -> Result<Response, Problem> {
    write(&services, "db", &db, precision.as_deref(), request).await
}

/// Says yes to `CREATE DATABASE`, which agents send before they write: a dataset is made by its first rows.
#[utoipa::path(post, path = "/query", tag = "data", params(QueryV1),
    responses((status = 200, description = "Done"),
        (status = 400, body = InfluxError, description = "Anything else: read with /api/v1/query"),
        (status = "default", body = InfluxError, description = "A problem, as InfluxDB 1 says it")))]
async fn query_v1(Query(QueryV1 { q }): Query<QueryV1>, request: Request) -> Result<Response, Problem> {
    let media = request.headers().get(CONTENT_TYPE);
    let form = media.is_some_and(|media| media.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let statement = if q.is_empty() && form { form_statement(request).await } else { q };
    if statement.trim_start().to_ascii_uppercase().starts_with("CREATE DATABASE") {
        return Ok(with_version(Json(json!({ "results": [{ "statement_id": 0 }] })).into_response()));
    }
    Err(Problem::bad_request("only CREATE DATABASE is understood here; read with POST /api/v1/query"))
}

/// Whether the server answers.
#[utoipa::path(get, path = "/ping", tag = "server", 
    responses((status = 204, description = "It does"),
        (status = "default", body = InfluxError, description = "A problem, as InfluxDB 1 says it")))]
async fn ping() -> Response {
    with_version(StatusCode::NO_CONTENT.into_response())
}

/// Whether the server is well, as InfluxDB's clients ask.
#[utoipa::path(get, path = "/health", tag = "server", 
    responses((status = 200, body = InfluxHealth),
        (status = "default", body = CodedError, description = "A problem, as InfluxDB 2 says it")))]
async fn health() -> Response {
    let health = InfluxHealth {
        name: "telemill",
        message: "ready for queries and writes",
        status: "pass",
        version: env!("CARGO_PKG_VERSION"),
    };
    with_version(Json(health).into_response())
}

/// The statement of a form.
async fn form_statement(request: Request) -> String {
    /// Longest form: one statement.
    const MAX_FORM_BYTES: usize = 64 << 10;
    let bytes = axum::body::to_bytes(request.into_body(), MAX_FORM_BYTES).await.unwrap_or_default();
    serde_urlencoded::from_bytes::<QueryV1>(&bytes).map_or_else(|_| String::new(), |form| form.q)
}

async fn write(
    services: &Shared,
    parameter: &'static str,
    name: &str,
    precision: Option<&str>,
    request: Request,
) -> Result<Response, Problem> {
    let taken = taken(services, parameter, name, precision, request).await?;
    if taken.bad > 0 {
        return Err(Problem::bad_request(partial(&taken)));
    }
    Ok(with_version(StatusCode::NO_CONTENT.into_response()))
}

async fn taken(
    services: &Shared,
    parameter: &'static str,
    name: &str,
    precision: Option<&str>,
    request: Request,
) -> Result<LinesTaken, Problem> {
    // "database/retention policy" is how version 2 names what version 1 wrote.
    let name = name.split('/').next().unwrap_or_default();
    if name.is_empty() {
        return Err(Problem::bad_field(parameter, "is missing"));
    }
    let dataset = ingest::identifier(name);
    let precision: Precision = precision
        .map_or(Ok(Precision::default()), str::parse)
        .map_err(|message| Problem::bad_field("precision", message))?;
    let intake = intake::read(services, request).await?;
    let log = Arc::clone(&services.log);
    let pending = blocking(services, move |_| {
        let lines = Lines { dataset, body: intake.bytes.clone(), precision, key: intake.key };
        let pending = ingest::append_lines(&log, &lines);
        // Until here its bytes counted; from here on those of its rows do.
        drop(intake);
        pending
    })
    .await?;
    pending.done().await.map_err(Problem::from)
}

/// What InfluxDB says where only some lines were taken.
fn partial(taken: &LinesTaken) -> String {
    let named: Vec<_> = taken.first.iter().take(NAMED_LINES).map(ToString::to_string).collect();
    let more = taken.bad.saturating_sub(named.len() as u64);
    let more = if more == 0 { String::new() } else { format!("; and {more} more") };
    format!("partial write: {}{more} dropped={}", named.join("; "), taken.bad)
}

/// The answer that says a problem in the client's words, with the headers that it has.
fn said(dialect: Dialect, problem: &Problem, response: Response) -> Response {
    let message = problem.detail().to_owned();
    let plain: String = message.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
    let body = match dialect {
        Dialect::V1 => Json(InfluxError { error: message }).into_response(),
        Dialect::V2 => Json(CodedError { code: code(problem.status()), message }).into_response(),
    };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(error) = HeaderValue::from_str(&plain) {
        parts.headers.insert(ERROR, error);
    }
    with_version(Response::from_parts(parts, body.into_body()))
}

/// InfluxDB's word for a status.
fn code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "invalid",
        StatusCode::UNAUTHORIZED => "unauthorized",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::NOT_FOUND => "not found",
        StatusCode::METHOD_NOT_ALLOWED => "method not allowed",
        StatusCode::CONFLICT => "conflict",
        StatusCode::PAYLOAD_TOO_LARGE => "request too large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported media type",
        StatusCode::UNPROCESSABLE_ENTITY => "unprocessable entity",
        StatusCode::TOO_MANY_REQUESTS => "too many requests",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        _ => "internal error",
    }
}

fn with_version(mut response: Response) -> Response {
    response.headers_mut().insert(VERSION, HeaderValue::from_static(concat!("telemill-", env!("CARGO_PKG_VERSION"))));
    response.headers_mut().insert(BUILD, HeaderValue::from_static("OSS"));
    response
}
