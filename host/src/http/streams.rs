//! Streams: started, listed, paused, made faster, given incidents by hand, proved, and stopped. Their rows as they come
//! are in `tail`, batches that sinks gave up in `letters`.

mod letters;
mod tail;

use super::Shared;
use super::access::Caller;
use super::audit::Outcome;
use super::body::{Json as Body, Path, Query};
use super::error::{Problem, ProblemDocument};
use super::page::{Page, PageQuery};
use super::spec;
use super::work::{CancelOnDrop, blocking, settled};
use crate::api::Triggered;
use crate::core::id::StreamId;
use crate::core::problem::Problem as Fault;
use crate::plugin::log_to_tracing;
use crate::run::Host;
use crate::store::{Scope, StreamSink, StreamSwap};
use crate::stream::{self, StreamError, StreamSpec, StreamStats, StreamVerification, StreamView, Streams, Trigger};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, start))
        .routes(routes!(show))
        .routes(routes!(as_run))
        .routes(routes!(stats))
        .routes(routes!(sinks))
        .routes(routes!(swaps))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(speed))
        .routes(routes!(stop))
        .routes(routes!(trigger))
        .routes(routes!(verify))
        .merge(letters::routes())
        .merge(tail::routes())
}

/// A spec, or a scenario with changes; its table `stream` says how it is streamed.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(value_type = Object, example = json!({"scenario": "ecommerce", "dataset": "live", "start": null, "duration": "1h", "stream": {"speed": 60}}))]
#[serde(transparent)]
struct NewStream(Map<String, Value>);

/// How fast a clock goes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Speed {
    /// Simulated seconds a second, 0.001 to 86,400.
    #[schema(example = 60.0)]
    speed: f64,
}

/// Streams, newest first.
#[utoipa::path(get, path = "/api/v1/streams", tag = "streams", params(PageQuery),
    responses((status = 200, body = Page<StreamView>), (status = 400, body = ProblemDocument)))]
async fn list(
    State(services): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<StreamView>>, Problem> {
    let limit = page.limit()?;
    let before: Option<StreamId> = page.before()?;
    let streams = services.host.store.streams(limit + 1, before.as_ref()).await?;
    Ok(Json(Page::of(streams.into_iter().map(StreamView::from).collect(), limit, |stream| stream.id.to_string())))
}

/// Starts a stream. The body is a run spec as JSON with a table `stream`; with `scenario`, the shipped scenario of that
/// name, changed by the other keys. Without `start` (or with null in its place), the backfill reaches back for `duration`. Sinks
/// name servers and secrets, so that only an administrator may name them. Answers as soon as the stream is recorded.
#[utoipa::path(post, path = "/api/v1/streams", tag = "streams", request_body = NewStream,
    responses((status = 201, body = StreamView, headers(("Location" = String, description = "Where the stream is"))),
        (status = 400, body = ProblemDocument), (status = 403, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
async fn start(
    State(services): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(NewStream(body)): Body<NewStream>,
) -> Result<Response, Problem> {
    let spec = StreamSpec::of(spec::read_open_ended(body)?)?;
    check_sinks(&spec, &caller)?;
    let streams = services.streams.clone();
    let view = StreamView::from(settled(&services, move |_| streams.start(spec)).await?);
    let location = [(LOCATION, format!("/api/v1/streams/{}", view.id))];
    Ok((StatusCode::CREATED, location, Json(view)).into_response())
}

fn check_sinks(spec: &StreamSpec, caller: &Caller) -> Result<(), Problem> {
    let sinks = &spec.settings.sinks;
    if !sinks.is_empty() && !caller.may(Scope::Admin) {
        let detail = "sinks send rows to servers that they name, with secrets of this one: that needs the scope admin";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    let message = "a folder of the server can't be named over HTTP: use one below its own";
    let outside = sinks.iter().filter(|sink| sink.names_files());
    let faults: Vec<_> = outside.map(|sink| Fault::new(format!("stream.sinks.{}", sink.name), message)).collect();
    if faults.is_empty() { Ok(()) } else { Err(spec::names_files(faults)) }
}

/// A stream: spec, components, clock, position, rows, fingerprint.
#[utoipa::path(get, path = "/api/v1/streams/{id}", tag = "streams", params(("id" = StreamId, Path)),
    responses((status = 200, body = StreamView), (status = 404, body = ProblemDocument)))]
async fn show(State(services): State<Shared>, Path(id): Path<StreamId>) -> Result<Json<StreamView>, Problem> {
    Ok(Json(services.host.store.stream(&id).await?.into()))
}

/// The spec of the run that makes the same rows as the stream did so far.
#[utoipa::path(get, path = "/api/v1/streams/{id}/spec", tag = "streams", params(("id" = StreamId, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemDocument)))]
async fn as_run(State(services): State<Shared>, Path(id): Path<StreamId>) -> Result<Response, Problem> {
    Ok(Json(with(&services, id, Streams::as_run).await?).into_response())
}

/// Totals, what is new since this server took the stream up, rates, clock, drift and the newest line of its log.
#[utoipa::path(get, path = "/api/v1/streams/{id}/stats", tag = "streams", params(("id" = StreamId, Path)),
    responses((status = 200, body = StreamStats), (status = 404, body = ProblemDocument)))]
async fn stats(State(services): State<Shared>, Path(id): Path<StreamId>) -> Result<Json<StreamStats>, Problem> {
    Ok(Json(with(&services, id, Streams::stats).await?))
}

/// How far the rows have come besides the lake.
#[utoipa::path(get, path = "/api/v1/streams/{id}/sinks", tag = "streams", params(("id" = StreamId, Path)),
    responses((status = 200, body = Vec<StreamSink>), (status = 404, body = ProblemDocument)))]
async fn sinks(State(services): State<Shared>, Path(id): Path<StreamId>) -> Result<Json<Vec<StreamSink>>, Problem> {
    services.host.store.stream(&id).await?;
    Ok(Json(services.host.store.stream_sinks(&id).await?))
}

/// The versions of plugins that took over, each with the simulated time from which on it makes the rows.
#[utoipa::path(get, path = "/api/v1/streams/{id}/swaps", tag = "streams", params(("id" = StreamId, Path)),
    responses((status = 200, body = Vec<StreamSwap>), (status = 404, body = ProblemDocument)))]
async fn swaps(State(services): State<Shared>, Path(id): Path<StreamId>) -> Result<Json<Vec<StreamSwap>>, Problem> {
    services.host.store.stream(&id).await?;
    Ok(Json(services.host.store.stream_swaps(&id).await?))
}

/// The clock stands, and no rows are made.
#[utoipa::path(post, path = "/api/v1/streams/{id}/pause", tag = "streams", params(("id" = StreamId, Path)),
    responses((status = 200, body = StreamView), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
async fn pause(State(services): State<Shared>, Path(id): Path<StreamId>) -> Result<Json<StreamView>, Problem> {
    changed(&services, id, Streams::pause).await
}

/// A paused stream goes on from where its clock stands, a failed one from its last commit.
#[utoipa::path(post, path = "/api/v1/streams/{id}/resume", tag = "streams", params(("id" = StreamId, Path)),
    responses((status = 200, body = StreamView), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
async fn resume(State(services): State<Shared>, Path(id): Path<StreamId>) -> Result<Json<StreamView>, Problem> {
    changed(&services, id, Streams::go_on).await
}

/// The clock goes at another speed from now on.
#[utoipa::path(post, path = "/api/v1/streams/{id}/speed", tag = "streams", params(("id" = StreamId, Path)), request_body = Speed,
    responses((status = 200, body = StreamView), (status = 400, body = ProblemDocument), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument)))]
async fn speed(
    State(services): State<Shared>,
    Path(id): Path<StreamId>,
    Body(Speed { speed }): Body<Speed>,
) -> Result<(Extension<Outcome>, Json<StreamView>), Problem> {
    let view = changed(&services, id, move |streams, id| streams.set_speed(id, speed)).await?;
    Ok((Extension(Outcome(format!("speed {speed}"))), view))
}

/// The stream ends, for good; its rows stay.
#[utoipa::path(post, path = "/api/v1/streams/{id}/stop", tag = "streams", params(("id" = StreamId, Path)),
    responses((status = 200, body = StreamView), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
async fn stop(State(services): State<Shared>, Path(id): Path<StreamId>) -> Result<Json<StreamView>, Problem> {
    changed(&services, id, Streams::stop).await
}

/// An incident by hand, from the next segment on or from `start`: ground truth like the others, and part of the stream's
/// spec from now on. Answers with what it brings about.
#[utoipa::path(post, path = "/api/v1/streams/{id}/incidents", tag = "streams", params(("id" = StreamId, Path)), request_body = Trigger,
    responses((status = 201, body = Vec<Triggered>), (status = 400, body = ProblemDocument), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument)))]
async fn trigger(
    State(services): State<Shared>,
    Path(id): Path<StreamId>,
    Body(trigger): Body<Trigger>,
) -> Result<(StatusCode, Json<Vec<Triggered>>), Problem> {
    let made = with(&services, id, move |streams, id| streams.trigger(id, trigger)).await?;
    Ok((StatusCode::CREATED, Json(made.into_iter().map(Triggered::from).collect())))
}

/// Makes all rows of a stream again, up to where it has come, and compares fingerprints. The answer comes when that is done;
/// a client that goes away ends it.
#[utoipa::path(post, path = "/api/v1/streams/{id}/verify", tag = "streams", params(("id" = StreamId, Path)),
    responses((status = 200, body = StreamVerification), (status = 404, body = ProblemDocument)))]
async fn verify(State(services): State<Shared>, Path(id): Path<StreamId>) -> Result<Json<StreamVerification>, Problem> {
    let guard = CancelOnDrop::default();
    let cancel = guard.cancel();
    let verified = move |host: &Host| stream::verify(host, &id, log_to_tracing(), &cancel);
    Ok(Json(blocking(&services, verified).await?))
}

/// Asks the streams for something on a thread that may block.
async fn with<T, F>(services: &Shared, id: StreamId, f: F) -> Result<T, Problem>
where
    T: Send + 'static,
    F: FnOnce(&Streams, &StreamId) -> Result<T, StreamError> + Send + 'static,
{
    let streams = services.streams.clone();
    blocking(services, move |_| f(&streams, &id)).await
}

/// Changes a stream, and answers with what it is then.
async fn changed<F>(services: &Shared, id: StreamId, f: F) -> Result<Json<StreamView>, Problem>
where
    F: FnOnce(&Streams, &StreamId) -> Result<(), StreamError> + Send + 'static,
{
    let change = move |streams: &Streams, id: &StreamId| {
        f(streams, id)?;
        streams.record(id)
    };
    Ok(Json(with(services, id, change).await?.into()))
}
