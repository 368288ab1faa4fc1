//! Rows that come in: answered once they are durable.

use super::Shared;
use super::body::{Path, Query};
use super::error::{Problem, ProblemDocument};
use super::intake;
use super::work::blocking;
use crate::core::problem::Problem as RowProblem;
use crate::ingest::{self, Body, Format, Taken};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(append))
}

/// How rows are taken in.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct IngestQuery {
    /// `ndjson`, `csv`, `arrow` (a stream or a file) or `parquet`; by the Content-Type where it is left out.
    format: Option<String>,
    /// Take the good rows beside bad ones.
    #[serde(default)]
    partial: bool,
    /// The column that places rows of a new table in time.
    time_field: Option<String>,
}

/// What was taken in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IngestAnswer {
    /// Rows that are on the disk now.
    rows: u64,
    /// Rows that were left out.
    bad_rows: u64,
    /// The first of them.
    problems: Vec<RowProblem>,
    /// Whether the table is new.
    created: bool,
    /// Columns that have another name in the table: the body's name and the table's.
    renamed: BTreeMap<String, String>,
    /// Whether all of it had been taken before, under the same Idempotency-Key.
    repeated: bool,
}

impl From<Taken> for IngestAnswer {
    fn from(taken: Taken) -> Self {
        let Taken { rows, bad, first, created, renamed, repeated } = taken;
        Self { rows, bad_rows: bad, problems: first, created, renamed: renamed.into_iter().collect(), repeated }
    }
}

/// Takes rows into a table, which is made with the columns that they show where it is missing. All of them or none, or
/// with `partial` the good ones. The answer comes when they are on the disk, and SQL sees them from then on. Bodies may be
/// compressed with gzip or zstd. The same Idempotency-Key again, within a day, adds nothing.
#[utoipa::path(post, path = "/api/v1/ingest/{dataset}/{table}", tag = "data",
    params(("dataset" = String, Path), ("table" = String, Path), IngestQuery),
    request_body(content((String = "application/x-ndjson"), (String = "text/csv"),
        (Vec<u8> = "application/vnd.apache.arrow.stream"), (Vec<u8> = "application/vnd.apache.arrow.file"),
        (Vec<u8> = "application/vnd.apache.parquet"))),
    responses((status = 200, body = IngestAnswer),
        (status = 413, body = ProblemDocument), (status = 415, body = ProblemDocument),
        (status = 422, description = "Bad rows, by line", body = ProblemDocument),
        (status = 429, description = "Wait as Retry-After says", body = ProblemDocument),
        (status = 507, description = "The disk is full", body = ProblemDocument)))]
async fn append(
    State(services): State<Shared>,
    Path((dataset, table)): Path<(String, String)>,
    Query(query): Query<IngestQuery>,
    request: Request,
) -> Result<Json<IngestAnswer>, Problem> {
    let (format, delimiter) = format(&query, request.headers())?;
    let intake = intake::read(&services, request).await?;
    let log = Arc::clone(&services.log);
    let pending = blocking(&services, move |_| {
        let body = Body {
            dataset,
            table,
            bytes: intake.bytes.clone(),
            format,
            delimiter,
            partial: query.partial,
            time_field: query.time_field,
            key: intake.key,
        };
        let pending = ingest::append(&log, &body);
        // Until here its bytes counted; from here on those of its rows do.
        drop(intake);
        pending
    })
    .await?;
    Ok(Json(pending.done().await.map_err(Problem::from)?.into()))
}

/// The format that a request says its body has, and what separates fields.
fn format(query: &IngestQuery, headers: &HeaderMap) -> Result<(Format, u8), Problem> {
    if let Some(name) = &query.format {
        return match name.as_str() {
            "ndjson" => Ok((Format::Ndjson, b',')),
            "csv" => Ok((Format::Csv, b',')),
            "arrow" => Ok((Format::Arrow, b',')),
            "parquet" => Ok((Format::Parquet, b',')),
            other => Err(Problem::bad_field("format", format!("{other:?} is none of ndjson, csv, arrow and parquet"))),
        };
    }
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
            Ok((Format::Ndjson, b','))
        }
        "text/csv" => Ok((Format::Csv, b',')),
        "text/tab-separated-values" => Ok((Format::Csv, b'\t')),
        "application/vnd.apache.arrow.stream" | "application/vnd.apache.arrow.file" => Ok((Format::Arrow, b',')),
        "application/vnd.apache.parquet" | "application/parquet" => Ok((Format::Parquet, b',')),
        other => {
            let detail = format!(
                "the Content-Type {other:?} does not tell the format: send application/x-ndjson, text/csv, \
                 application/vnd.apache.arrow.stream, application/vnd.apache.arrow.file or application/vnd.apache.parquet, or say ?format="
            );
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
        }
    }
}
