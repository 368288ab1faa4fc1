//! Runs: started, listed, watched, cancelled, resumed, verified.

use super::Shared;
use super::body::{Json as Body, Path, Query};
use super::error::{Problem, ProblemDocument};
use super::events::{LAST_EVENT_ID, event, events, watched};
use super::page::{Page, PageQuery};
use super::spec;
use super::work::{CancelOnDrop, blocking, settled};
use crate::api::RunWithReports;
use crate::core::id::RunId;
use crate::plugin::log_to_tracing;
use crate::run::{self, Progress, Request, RunError, Unobserved, Verification};
use crate::store::{RunRecord, RunState};
use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, start))
        .routes(routes!(show))
        .routes(routes!(progress))
        .routes(routes!(cancel))
        .routes(routes!(resume))
        .routes(routes!(verify))
}

/// A spec, or a scenario with changes.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(value_type = Object, example = json!({"scenario": "ecommerce", "duration": "1h", "dataset": "shop"}))]
#[serde(transparent)]
struct NewRun(Map<String, Value>);

/// How a run is verified.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct VerifyQuery {
    /// Hash what the lake holds instead of making the rows again.
    #[serde(default)]
    lake: bool,
}

fn request() -> Request {
    Request { workers: None, log: log_to_tracing() }
}

/// Runs, newest first.
#[utoipa::path(get, path = "/api/v1/runs", tag = "runs", params(PageQuery), responses((status = 200, body = Page<RunRecord>)))]
async fn list(State(services): State<Shared>, Query(page): Query<PageQuery>) -> Result<Json<Page<RunRecord>>, Problem> {
    let limit = page.limit()?;
    let before: Option<RunId> = page.before()?;
    let runs = services.host.store.runs(limit + 1, before.as_ref()).await?;
    Ok(Json(Page::of(runs, limit, |run| run.id.to_string())))
}

/// Starts a run. The body is a run spec as JSON; with `scenario`, the shipped scenario of that name, changed by the
/// other keys. Answers as soon as the run is recorded.
#[utoipa::path(post, path = "/api/v1/runs", tag = "runs", request_body = NewRun,
    responses((status = 201, body = RunRecord, headers(("Location" = String, description = "Where the run is")))))]
async fn start(State(services): State<Shared>, Body(NewRun(body)): Body<NewRun>) -> Result<Response, Problem> {
    let spec = spec::read(body)?;
    let runs = services.runs.clone();
    let record = settled(&services, move |_| runs.start(spec, request())).await?;
    let location = [(LOCATION, format!("/api/v1/runs/{}", record.id))];
    Ok((StatusCode::CREATED, location, Json(record)).into_response())
}

/// A run: spec, components, rows, fingerprint, verdicts.
#[utoipa::path(get, path = "/api/v1/runs/{id}", tag = "runs", params(("id" = RunId, Path)),
    responses((status = 200, body = RunWithReports), (status = 404, body = ProblemDocument)))]
async fn show(State(services): State<Shared>, Path(id): Path<RunId>) -> Result<Json<RunWithReports>, Problem> {
    let run = services.host.store.run(&id).await?;
    let reports = services.host.store.run_reports(&id).await?;
    Ok(Json(RunWithReports { run, reports }))
}

/// How far a run is, as server-sent events named `progress`, until it ends. An event's id is the simulated time that is
/// done; a client that comes back with `Last-Event-ID` gets the present state at once.
#[utoipa::path(get, path = "/api/v1/runs/{id}/events", tag = "runs", params(("id" = RunId, Path)),
    responses((status = 200, body = Progress, content_type = "text/event-stream"), (status = 404, body = ProblemDocument)))]
async fn progress(
    State(services): State<Shared>,
    Path(id): Path<RunId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let number = |progress: &Progress| format!("{}-{}", progress.done_us, progress.state);
    if let Some(receiver) = services.runs.watch(&id) {
        return Ok(events(&services, watched(receiver, "progress", number)).into_response());
    }
    let last = ended(&services.host.store.run(&id).await?);
    let seen = headers.get(LAST_EVENT_ID).is_some_and(|seen| seen.as_bytes() == number(&last).as_bytes());
    if seen {
        // Tells a browser's EventSource that there is nothing to come back for.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let event = event("progress", &number(&last), &last);
    Ok(events(&services, futures::stream::iter([event]).boxed()).into_response())
}

/// The progress of a run that is not under way here.
fn ended(record: &RunRecord) -> Progress {
    let spec: Option<run::ResolvedSpec> = serde_json::from_value(record.spec.clone()).ok();
    let total_us = spec.map_or(0, |spec| spec.window().length_us() * u64::from(spec.spec().partitions));
    Progress {
        id: record.id.clone(),
        state: record.state,
        done_us: if record.state == RunState::Finished { total_us } else { 0 },
        total_us,
        rows: record.tables.iter().map(|table| table.rows).sum(),
        error: record.error.clone(),
    }
}

/// Asks a run to stop; finished segments are kept for a resume.
#[utoipa::path(post, path = "/api/v1/runs/{id}/cancel", tag = "runs", params(("id" = RunId, Path)),
    responses((status = 202, description = "It stops after the current window"), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument)))]
async fn cancel(State(services): State<Shared>, Path(id): Path<RunId>) -> Result<StatusCode, Problem> {
    let runs = services.runs.clone();
    blocking(&services, move |_| runs.cancel(&id)).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Goes on with a run that was stopped, killed or failed.
#[utoipa::path(post, path = "/api/v1/runs/{id}/resume", tag = "runs", params(("id" = RunId, Path)),
    responses((status = 202, body = RunRecord), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
async fn resume(
    State(services): State<Shared>,
    Path(id): Path<RunId>,
) -> Result<(StatusCode, Json<RunRecord>), Problem> {
    let runs = services.runs.clone();
    let record = blocking(&services, move |_| runs.resume(id, request())).await?;
    Ok((StatusCode::ACCEPTED, Json(record)))
}

/// Makes a finished run again, or hashes its stored rows, and compares fingerprints. The answer comes when that is done;
/// a client that goes away ends it.
#[utoipa::path(post, path = "/api/v1/runs/{id}/verify", tag = "runs", params(("id" = RunId, Path), VerifyQuery),
    responses((status = 200, body = Verification), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
async fn verify(
    State(services): State<Shared>,
    Path(id): Path<RunId>,
    Query(query): Query<VerifyQuery>,
) -> Result<Json<Verification>, Problem> {
    let guard = CancelOnDrop::default();
    let cancel = guard.cancel();
    let verification = blocking(&services, move |host| -> Result<_, RunError> {
        if query.lake {
            run::verify_lake(host, &id, &Unobserved, &cancel)
        } else {
            run::verify(host, &id, &request(), &Unobserved, &cancel)
        }
    });
    Ok(Json(verification.await?))
}
