//! SQL over the lake, for reading, within the settings' limits.

use super::Shared;
use super::answer;
use super::body::Json as Body;
use super::datasets::engine_in_turn;
use super::error::{Problem, ProblemDocument};
use crate::api::NewQuery;
use crate::query::Format;
use axum::extract::State;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(query))
}

/// Runs one SQL statement that reads. The rows come as an array of objects, or as the format says; a client that goes
/// away ends the query.
#[utoipa::path(post, path = "/api/v1/query", tag = "data", request_body = NewQuery,
    responses((status = 200, description = "The rows", content(
            (Vec<Object> = "application/json"), (String = "application/x-ndjson"), (String = "text/csv"), (String = "text/plain"))),
        (status = 400, body = ProblemDocument), (status = 404, body = ProblemDocument), (status = 422, body = ProblemDocument),
        (status = 503, description = "Too many queries are under way", body = ProblemDocument)))]
async fn query(
    State(services): State<Shared>,
    headers: HeaderMap,
    Body(query): Body<NewQuery>,
) -> Result<Response, Problem> {
    let format = match &query.format {
        Some(name) => name.parse().map_err(|error: String| Problem::bad_field("format", error))?,
        None => accepted(&headers),
    };
    let (engine, turn) = engine_in_turn(&services).await?;
    let rows = engine.sql(&query.sql).await.map_err(|error| {
        let problem = Problem::from(error);
        // The path is right; it is the statement that names what is not there.
        if problem.status() == StatusCode::NOT_FOUND { problem.with_status(StatusCode::BAD_REQUEST) } else { problem }
    })?;
    if query.summary { answer::summed(rows, format, turn).await } else { answer::rows(rows, format, turn).await }
}

/// The first format that `Accept` names.
fn accepted(headers: &HeaderMap) -> Format {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let named = accept.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
    let known = [Format::Json, Format::Ndjson, Format::Csv, Format::Table];
    let format = |media: &str| known.into_iter().find(|format| answer::media_type(*format).starts_with(media));
    named.filter(|media| media.contains('/') && !media.contains('*')).find_map(format).unwrap_or(Format::Json)
}
