//! What is in the lake: datasets, tables, columns, rows and series.

use super::Shared;
use super::answer;
use super::body::{Path, Query};
use super::error::{Problem, ProblemDocument};
use super::work::{Turn, blocking, settled, turn};
use crate::api::CountQuery;
use crate::batch::TableLayout;
use crate::core::time::{Length, Timestamp, Window};
use crate::lake::{DatasetDetail, DatasetSummary, LakeTable, Span};
use crate::query::{ColumnProfile, Downsampling, Engine, Format, MAX_POINTS, Scan, Series, TextForm, quoted};
use crate::run;
use crate::sink::{self, SinkError};
use crate::task::{self, Dropped};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Rows of a preview where nobody says.
const PREVIEW_ROWS: u32 = 20;
/// Most rows of a preview: an export brings more.
const MAX_PREVIEW_ROWS: u32 = 1_000;
/// Points of a series where nobody says: about what a picture is wide.
const SERIES_POINTS: u32 = 1_000;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, remove))
        .routes(routes!(columns))
        .routes(routes!(preview))
        .routes(routes!(series))
        .routes(routes!(export))
}

/// A table, and the window of its rows that a query asks for, where it says anything of it. The newest row counts from which
/// `last` is told, wherever it is: rows that are acknowledged are moved into the lake then.
pub(super) async fn table_within(
    services: &Shared,
    dataset: &str,
    table: &str,
    span: Span,
) -> Result<(LakeTable, Option<Window>), Problem> {
    if span.last.is_some() && (span.from.is_some() || span.to.is_some()) {
        return Err(Problem::bad_field("last", "ends with the newest row: leave from and to out, or last"));
    }
    if span.last.is_some() {
        settled(services, |_| Ok::<_, Problem>(())).await?;
    }
    let table = table_of(services, dataset, table).await?;
    match span.window([table.times()]) {
        Some(window) if window.is_empty() => Err(Problem::bad_field("to", "must be after from")),
        window => Ok((table, window)),
    }
}

/// A table of the newest snapshot.
async fn table_of(services: &Shared, dataset: &str, table: &str) -> Result<LakeTable, Problem> {
    let found = services.host.lake.dataset(dataset, None).await?;
    found.table(table).cloned().ok_or_else(|| Problem::not_found(format!("{dataset} has no table {table:?}")))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PreviewQuery {
    /// Rows at most, 1 to 1,000; 20 where it is left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SeriesQuery {
    /// The column, which must hold numbers.
    column: String,
    /// Points at most, 1 to 10,000; 1,000 where it is left out.
    #[param(minimum = 1, maximum = 10000)]
    max_points: Option<u32>,
    /// `min-max` keeps peaks, `average` smooths.
    downsampling: Option<String>,
    /// From here on; from the first row where it is left out.
    from: Option<Timestamp>,
    /// Up to here, exclusive; to the last row where it is left out.
    to: Option<Timestamp>,
    /// Only the span of this length that ends with the newest row, such as 30d.
    #[param(value_type = Option<String>)]
    last: Option<Length>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ExportQuery {
    /// `csv`, `ndjson`, `parquet` or `opensearch`; `ndjson` where it is left out.
    format: Option<String>,
    /// Only these columns, in this order, with commas between.
    columns: Option<String>,
    /// The index that OpenSearch's action lines name.
    index: Option<String>,
    /// From here on; from the first row where it is left out.
    from: Option<Timestamp>,
    /// Up to here, exclusive; to the last row where it is left out.
    to: Option<Timestamp>,
    /// Only the span of this length that ends with the newest row, such as 30d.
    #[param(value_type = Option<String>)]
    last: Option<Length>,
}

/// A query engine over the newest snapshot.
pub(super) async fn engine(services: &Shared) -> Result<Engine, Problem> {
    let host = &services.host;
    Ok(host.open_engine(None).await?)
}

/// A query engine over the newest snapshot, for one query, with its turn.
pub(super) async fn engine_in_turn(services: &Shared) -> Result<(Engine, Turn), Problem> {
    let turn = turn(services).await?;
    Ok((engine(services).await?, turn))
}

/// Datasets with their rows and sizes, by name.
#[utoipa::path(get, path = "/api/v1/datasets", tag = "data", responses((status = 200, body = Vec<DatasetSummary>)))]
async fn list(State(services): State<Shared>) -> Result<Json<Vec<DatasetSummary>>, Problem> {
    Ok(Json(services.host.lake.datasets(None).await?))
}

/// A dataset with its tables and their fields.
#[utoipa::path(get, path = "/api/v1/datasets/{dataset}", tag = "data", params(("dataset" = String, Path)),
    responses((status = 200, body = DatasetDetail), (status = 404, body = ProblemDocument)))]
async fn show(State(services): State<Shared>, Path(name): Path<String>) -> Result<Json<DatasetDetail>, Problem> {
    Ok(Json(services.host.lake.dataset(&name, None).await?.into()))
}

/// Takes a dataset away that no stream writes; older snapshots keep it until they expire.
#[utoipa::path(delete, path = "/api/v1/datasets/{dataset}", tag = "data", params(("dataset" = String, Path)),
    responses((status = 200, body = Dropped), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
async fn remove(State(services): State<Shared>, Path(name): Path<String>) -> Result<Json<Dropped>, Problem> {
    Ok(Json(blocking(&services, move |host| task::drop_dataset(host, &name, run::now())).await?))
}

/// What a table's columns hold: missing values, extremes, and about how many distinct values.
#[utoipa::path(get, path = "/api/v1/datasets/{dataset}/tables/{table}/columns", tag = "data",
    params(("dataset" = String, Path), ("table" = String, Path), CountQuery),
    responses((status = 200, body = Vec<ColumnProfile>), (status = 404, body = ProblemDocument)))]
async fn columns(
    State(services): State<Shared>,
    Path((dataset, table)): Path<(String, String)>,
    Query(query): Query<CountQuery>,
) -> Result<Json<Vec<ColumnProfile>>, Problem> {
    let (engine, _turn) = engine_in_turn(&services).await?;
    Ok(Json(engine.profile(&dataset, &table, query.distinct).await?))
}

/// The first rows of a table.
#[utoipa::path(get, path = "/api/v1/datasets/{dataset}/tables/{table}/preview", tag = "data",
    params(("dataset" = String, Path), ("table" = String, Path), PreviewQuery),
    responses((status = 200, body = Vec<Object>), (status = 404, body = ProblemDocument)))]
async fn preview(
    State(services): State<Shared>,
    Path((dataset, table)): Path<(String, String)>,
    Query(query): Query<PreviewQuery>,
) -> Result<Response, Problem> {
    let limit = query.limit.unwrap_or(PREVIEW_ROWS);
    if !(1..=MAX_PREVIEW_ROWS).contains(&limit) {
        return Err(Problem::bad_field("limit", format!("must be 1 to {MAX_PREVIEW_ROWS}, not {limit}")));
    }
    let sql = format!("SELECT * FROM {}.{} LIMIT {limit}", quoted(&dataset), quoted(&table));
    let (engine, turn) = engine_in_turn(&services).await?;
    answer::rows(engine.sql(&sql).await?, Format::Json, turn).await
}

/// A column over time, cut into at most `max_points` points; null where there are no rows.
#[utoipa::path(get, path = "/api/v1/datasets/{dataset}/tables/{table}/series", tag = "data",
    params(("dataset" = String, Path), ("table" = String, Path), SeriesQuery),
    responses((status = 200, body = Option<Series>), (status = 400, body = ProblemDocument), (status = 404, body = ProblemDocument)))]
async fn series(
    State(services): State<Shared>,
    Path((dataset, table)): Path<(String, String)>,
    Query(query): Query<SeriesQuery>,
) -> Result<Json<Option<Series>>, Problem> {
    let points = query.max_points.unwrap_or(SERIES_POINTS);
    if !(1..=MAX_POINTS).contains(&points) {
        return Err(Problem::bad_field("max_points", format!("must be 1 to {MAX_POINTS}, not {points}")));
    }
    let how: Downsampling = match &query.downsampling {
        Some(name) => name.parse().map_err(|error: String| Problem::bad_field("downsampling", error))?,
        None => Downsampling::default(),
    };
    if query.from.is_some() != query.to.is_some() {
        return Err(Problem::bad_field("from", "goes together with to: give both, or neither"));
    }
    let span = Span { from: query.from, to: query.to, last: query.last };
    let (_, span) = table_within(&services, &dataset, &table, span).await?;
    let (engine, _turn) = engine_in_turn(&services).await?;
    Ok(Json(engine.series(&dataset, &table, &query.column, span, points, how).await?))
}

/// A table's rows as a file, as `telemill export` writes it.
#[utoipa::path(get, path = "/api/v1/datasets/{dataset}/tables/{table}/export", tag = "data",
    params(("dataset" = String, Path), ("table" = String, Path), ExportQuery),
    responses((status = 200, description = "The rows", content(
            (String = "application/x-ndjson"), (String = "text/csv"), (Vec<u8> = "application/vnd.apache.parquet"))),
        (status = 400, body = ProblemDocument), (status = 404, body = ProblemDocument),
        (status = 503, description = "Too many queries are under way", body = ProblemDocument)))]
async fn export(
    State(services): State<Shared>,
    Path((dataset, table)): Path<(String, String)>,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Problem> {
    let format: sink::Format = match &query.format {
        Some(name) => name.parse().map_err(|error: String| Problem::bad_field("format", error))?,
        None => sink::Format::Ndjson,
    };
    let span = Span { from: query.from, to: query.to, last: query.last };
    let (found, window) = table_within(&services, &dataset, &table, span).await?;
    let layout = TableLayout::new(found.table);
    let names: Vec<String> = query.columns.iter().flat_map(|names| names.split(',')).map(str::to_owned).collect();
    let mut encoder = sink::encoder(format, &layout, &names, query.index.as_deref())?;
    let scan = Scan { window, text: TextForm::AsStored, ..Scan::new(&dataset, &table) };
    let (engine, turn) = engine_in_turn(&services).await?;
    let rows = engine.scan(&scan).await?;
    let media = match format {
        sink::Format::Csv => "text/csv; charset=utf-8",
        sink::Format::Ndjson | sink::Format::Opensearch => "application/x-ndjson",
        sink::Format::Parquet => "application/vnd.apache.parquet",
    };
    let mut response = answer::written(rows, media, turn, move |rows, out| -> Result<(), ExportError> {
        let batches = rows.map(|batch| Ok(batch?));
        sink::write_batches(encoder.as_mut(), batches, out, ExportError::Gone).map(drop)
    })
    .await?;
    let name = format!("attachment; filename=\"{table}.{}\"", format.extension());
    if let Ok(name) = name.parse() {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error(transparent)]
    Query(#[from] crate::query::QueryError),
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error("the client takes no more")]
    Gone(#[from] std::io::Error),
}

impl From<ExportError> for Problem {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Query(error) => error.into(),
            ExportError::Sink(error) => error.into(),
            ExportError::Gone(_) => Self::internal(&error),
        }
    }
}
