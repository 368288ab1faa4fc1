//! Dead letters of a stream's sinks: batches that were given up, listed, sent again, dropped.

use crate::core::id::StreamId;
use crate::http::Shared;
use crate::http::body::{Path, Query};
use crate::http::error::{Problem, ProblemDocument};
use crate::http::page::{Page, PageQuery};
use crate::http::work::blocking;
use crate::stream::{self, BatchKey, DeadLetter, DroppedLetters, SentAgain, StreamError};
use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list, remove)).routes(routes!(body)).routes(routes!(send))
}

/// The batches that a sink gave up, newest first: which, when, why, and how long their bodies are. The newest thousand of a sink
/// are kept.
#[utoipa::path(get, path = "/api/v1/streams/{id}/sinks/{sink}/dead-letters", tag = "streams",
    params(("id" = StreamId, Path), ("sink" = String, Path), PageQuery),
    responses((status = 200, body = Page<DeadLetter>), (status = 400, body = ProblemDocument),
        (status = 404, body = ProblemDocument)))]
async fn list(
    State(services): State<Shared>,
    Path((id, sink)): Path<(StreamId, String)>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<DeadLetter>>, Problem> {
    let (limit, before) = (page.limit()?, page.before()?);
    let letters = blocking(&services, move |host| stream::dead_letters(host, &id, &sink, limit + 1, before)).await?;
    Ok(Json(Page::of(letters, limit, |letter| letter.number.to_string())))
}

/// What was sent of a batch that was given up, as it was sent.
#[utoipa::path(get, path = "/api/v1/streams/{id}/sinks/{sink}/dead-letters/{key}", tag = "streams",
    params(("id" = StreamId, Path), ("sink" = String, Path), ("key" = String, Path, description = "The batch's key")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, body = ProblemDocument)))]
async fn body(
    State(services): State<Shared>,
    Path((id, sink, key)): Path<(StreamId, String, String)>,
) -> Result<Response, Problem> {
    // The key of another stream's batch names no letter of this one.
    let key = key
        .parse::<BatchKey>()
        .ok()
        .filter(|parsed| parsed.stream == id)
        .ok_or_else(|| Problem::from(StreamError::NoLetter { sink: sink.clone(), key }))?;
    let body = blocking(&services, move |host| stream::dead_letter_body(host, &sink, &key)).await?;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

/// Sends the batches that a sink gave up again, oldest first, each with its key. Those that arrive are kept no longer, the
/// others stay with the new reason. A receiver that takes nothing for now ends it, as `stopped` says; the letters behind are not
/// tried then.
#[utoipa::path(post, path = "/api/v1/streams/{id}/sinks/{sink}/dead-letters/send", tag = "streams",
    params(("id" = StreamId, Path), ("sink" = String, Path)),
    responses((status = 200, body = SentAgain), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
async fn send(
    State(services): State<Shared>,
    Path((id, sink)): Path<(StreamId, String)>,
) -> Result<Json<SentAgain>, Problem> {
    let streams = services.streams.clone();
    Ok(Json(blocking(&services, move |_| streams.send_dead_letters(&id, &sink)).await?))
}

/// Drops the batches that a sink gave up.
#[utoipa::path(delete, path = "/api/v1/streams/{id}/sinks/{sink}/dead-letters", tag = "streams",
    params(("id" = StreamId, Path), ("sink" = String, Path)),
    responses((status = 200, body = DroppedLetters), (status = 404, body = ProblemDocument)))]
async fn remove(
    State(services): State<Shared>,
    Path((id, sink)): Path<(StreamId, String)>,
) -> Result<Json<DroppedLetters>, Problem> {
    Ok(Json(blocking(&services, move |host| stream::drop_dead_letters(host, &id, &sink)).await?))
}
