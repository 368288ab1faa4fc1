//! The writes of InfluxDB's clients, version 1 and 2, answered in their dialects.
//!
//! A bucket or database is a dataset, a measurement a table. Good lines are taken beside bad ones, as InfluxDB does it.

use super::Shared;
use super::error::Problem;
use super::intake;
use super::work::blocking;
use crate::ingest::{self, Lines, LinesTaken, Precision};
use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
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

/// Whose words an answer has.
#[derive(Debug, Clone, Copy)]
enum Dialect {
    V1,
    V2,
}

/// Takes points as InfluxDB 2 does: a measurement becomes a table of the dataset that the bucket names. 204 means that they
/// are on the disk. Times are cut to microseconds.
#[utoipa::path(post, path = "/api/v2/write", tag = "data", params(WriteV2), request_body(content = String, content_type = "text/plain"),
    responses((status = 204, description = "All points are on the disk"),
        (status = 400, description = "Some lines were not taken; the others are on the disk")))]
async fn write_v2(State(services): State<Shared>, query: Query<WriteV2>, request: Request) -> Response {
    let Query(WriteV2 { bucket, precision }) = query;
    write(&services, Dialect::V2, "bucket", &bucket, precision.as_deref(), request).await
}

/// Takes points as InfluxDB 1 does: a measurement becomes a table of the dataset that the database names.
#[utoipa::path(post, path = "/write", tag = "data", params(WriteV1), request_body(content = String, content_type = "text/plain"),
    responses((status = 204, description = "All points are on the disk"),
        (status = 400, description = "Some lines were not taken; the others are on the disk")))]
async fn write_v1(State(services): State<Shared>, query: Query<WriteV1>, request: Request) -> Response {
    let Query(WriteV1 { db, precision }) = query;
    write(&services, Dialect::V1, "db", &db, precision.as_deref(), request).await
}

/// Says yes to `CREATE DATABASE`, which agents send before they write: a dataset is made by its first rows.
#[utoipa::path(post, path = "/query", tag = "data", params(QueryV1),
    responses((status = 200, description = "Done"), (status = 400, description = "Anything else: read with /api/v1/query")))]
async fn query_v1(Query(QueryV1 { q }): Query<QueryV1>, request: Request) -> Response {
    let media = request.headers().get(CONTENT_TYPE);
    let form = media.is_some_and(|media| media.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let statement = if q.is_empty() && form { form_statement(request).await } else { q };
    if statement.trim_start().to_ascii_uppercase().starts_with("CREATE DATABASE") {
        return with_version(Json(json!({ "results": [{ "statement_id": 0 }] })).into_response());
    }
    failed(Dialect::V1, &Problem::bad_request("only CREATE DATABASE is understood here; read with POST /api/v1/query"))
}

/// Whether the server answers.
#[utoipa::path(get, path = "/ping", tag = "server", responses((status = 204, description = "It does")))]
async fn ping() -> Response {
    with_version(StatusCode::NO_CONTENT.into_response())
}

/// Whether the server is well, as InfluxDB's clients ask.
#[utoipa::path(get, path = "/health", tag = "server", responses((status = 200, body = InfluxHealth)))]
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
    let uri = format!("/?{}", String::from_utf8_lossy(&bytes)).parse::<axum::http::Uri>();
    let form = uri.ok().and_then(|uri| Query::<QueryV1>::try_from_uri(&uri).ok());
    form.map_or_else(String::new, |Query(form)| form.q)
}

async fn write(
    services: &Shared,
    dialect: Dialect,
    parameter: &'static str,
    name: &str,
    precision: Option<&str>,
    request: Request,
) -> Response {
    match taken(services, parameter, name, precision, request).await {
        Ok(taken) if taken.bad == 0 => with_version(StatusCode::NO_CONTENT.into_response()),
        Ok(taken) => failed(dialect, &Problem::bad_request(partial(&taken))),
        Err(problem) => failed(dialect, &problem),
    }
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

/// A problem in the client's words.
fn failed(dialect: Dialect, problem: &Problem) -> Response {
    let (status, detail) = (problem.status(), problem.detail());
    let code = match status {
        StatusCode::BAD_REQUEST => "invalid",
        StatusCode::UNAUTHORIZED => "unauthorized",
        StatusCode::NOT_FOUND => "not found",
        StatusCode::PAYLOAD_TOO_LARGE => "request too large",
        StatusCode::UNPROCESSABLE_ENTITY => "unprocessable entity",
        StatusCode::TOO_MANY_REQUESTS => "too many requests",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        _ => "internal error",
    };
    let body = match dialect {
        Dialect::V1 => json!({ "error": detail }),
        Dialect::V2 => json!({ "code": code, "message": detail }),
    };
    let mut response = with_version((status, Json(body)).into_response());
    let plain: String = detail.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
    if let Ok(error) = HeaderValue::from_str(&plain) {
        response.headers_mut().insert(ERROR, error);
    }
    if let Some(wait) = problem.header(&RETRY_AFTER) {
        response.headers_mut().insert(RETRY_AFTER, wait.clone());
    }
    response
}

fn with_version(mut response: Response) -> Response {
    response.headers_mut().insert(VERSION, HeaderValue::from_static(concat!("telemill-", env!("CARGO_PKG_VERSION"))));
    response.headers_mut().insert(BUILD, HeaderValue::from_static("OSS"));
    response
}
