//! A table's rows as Arrow, for programs that make something of them: the command line's exports are made where it runs.

use super::Shared;
use super::answer;
use super::body::{Path, Query};
use super::datasets::{engine_in_turn, table_within};
use super::error::{Problem, ProblemDocument};
use crate::api::RowsQuery;
use crate::lake::Span;
use crate::query::{QueryError, Scan};
use arrow::ipc::writer::StreamWriter;
use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The media type of a stream of Arrow's IPC format.
const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(rows))
}

/// The rows of a table as a stream of Arrow's IPC format, with the types that the table declares.
#[utoipa::path(get, path = "/api/v1/datasets/{dataset}/tables/{table}/rows", tag = "data",
    params(("dataset" = String, Path), ("table" = String, Path), RowsQuery),
    responses((status = 200, body = Vec<u8>, content_type = "application/vnd.apache.arrow.stream"),
        (status = 400, body = ProblemDocument), (status = 404, body = ProblemDocument)))]
async fn rows(
    State(services): State<Shared>,
    Path((dataset, table)): Path<(String, String)>,
    Query(query): Query<RowsQuery>,
) -> Result<Response, Problem> {
    let span = Span { from: query.from, to: query.to, last: query.last };
    let (_, window) = table_within(&services, &dataset, &table, span).await?;
    let order_by = query.order_by.iter().flat_map(|names| names.split(',')).map(str::to_owned).collect();
    let scan = Scan { window, order_by, ..Scan::new(&dataset, &table) };
    let (engine, turn) = engine_in_turn(&services).await?;
    let rows = engine.scan(&scan).await?;
    answer::written(rows, ARROW_STREAM, turn, |rows, out| -> Result<(), QueryError> {
        let mut writer = StreamWriter::try_new(out, rows.schema())?;
        for batch in rows.by_ref() {
            writer.write(&batch?)?;
        }
        Ok(writer.finish()?)
    })
    .await
}
