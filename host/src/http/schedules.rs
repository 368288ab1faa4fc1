//! Pipelines: when they run next, what became of their runs, and a run now. Pipelines themselves come from the operator's files
//! alone: a program that a step starts never comes over HTTP, nor is it shown.

use super::Shared;
use super::body::{Json as Body, Path, Query};
use super::error::{Problem, ProblemDocument};
use super::page::{Page, PageQuery};
use super::work::blocking;
use crate::api::{Requested, RunWithSteps, Schedule};
use crate::run;
use crate::store::{PipelineRecord, PipelineRun, StoreError};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(history, trigger))
        .routes(routes!(all_runs))
        .routes(routes!(show_run))
}

/// What is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRequest {
    /// The number of a run whose due and simulated time are taken again.
    #[serde(default)]
    again: Option<i64>,
}

async fn with_last_run(services: &Shared, record: PipelineRecord) -> Result<Schedule, StoreError> {
    let last = services.host.store.pipeline_runs(Some(&record.name), 1, None).await?.pop();
    Ok(Schedule::of(record, last))
}

/// Pipelines, by name.
#[utoipa::path(get, path = "/api/v1/schedules", tag = "schedules", responses((status = 200, body = Vec<Schedule>)))]
async fn list(State(services): State<Shared>) -> Result<Json<Vec<Schedule>>, Problem> {
    let mut schedules = Vec::new();
    for record in services.host.store.pipelines().await? {
        schedules.push(with_last_run(&services, record).await?);
    }
    Ok(Json(schedules))
}

/// A pipeline.
#[utoipa::path(get, path = "/api/v1/schedules/{name}", tag = "schedules", params(("name" = String, Path)),
    responses((status = 200, body = Schedule), (status = 404, body = ProblemDocument)))]
async fn show(State(services): State<Shared>, Path(name): Path<String>) -> Result<Json<Schedule>, Problem> {
    let record = services.host.store.pipeline(&name).await?;
    Ok(Json(with_last_run(&services, record).await?))
}

/// Runs of a pipeline, newest first.
#[utoipa::path(get, path = "/api/v1/schedules/{name}/runs", tag = "schedules", params(("name" = String, Path), PageQuery),
    responses((status = 200, body = Page<PipelineRun>), (status = 404, body = ProblemDocument)))]
async fn history(
    State(services): State<Shared>,
    Path(name): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<PipelineRun>>, Problem> {
    let (limit, before) = (page.limit()?, page.before()?);
    services.host.store.pipeline(&name).await?;
    let runs = services.host.store.pipeline_runs(Some(&name), limit + 1, before).await?;
    Ok(Json(Page::of(runs, limit, |run| run.id.to_string())))
}

/// Runs of all pipelines, newest first.
#[utoipa::path(get, path = "/api/v1/pipeline-runs", tag = "schedules", params(PageQuery),
    responses((status = 200, body = Page<PipelineRun>), (status = 400, body = ProblemDocument)))]
async fn all_runs(
    State(services): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<PipelineRun>>, Problem> {
    let (limit, before) = (page.limit()?, page.before()?);
    let runs = services.host.store.pipeline_runs(None, limit + 1, before).await?;
    Ok(Json(Page::of(runs, limit, |run| run.id.to_string())))
}

/// A run of a pipeline, with its steps and what they wrote.
#[utoipa::path(get, path = "/api/v1/schedules/{name}/runs/{id}", tag = "schedules",
    params(("name" = String, Path), ("id" = i64, Path)),
    responses((status = 200, body = RunWithSteps), (status = 404, body = ProblemDocument)))]
async fn show_run(
    State(services): State<Shared>,
    Path((name, id)): Path<(String, i64)>,
) -> Result<Json<RunWithSteps>, Problem> {
    let store = &services.host.store;
    store.pipeline(&name).await?;
    let found = store.pipeline_run(id).await?.filter(|run| run.pipeline == name);
    let run = found.ok_or_else(|| Problem::not_found(format!("the pipeline {name} has no run {id}")))?;
    let steps = store.pipeline_steps(id).await?;
    Ok(Json(RunWithSteps { run, steps }))
}

/// Asks the scheduler for a run now, or for one more attempt at a run that was.
#[utoipa::path(post, path = "/api/v1/schedules/{name}/runs", tag = "schedules", params(("name" = String, Path)),
    request_body = NewRequest,
    responses((status = 202, body = Requested), (status = 404, body = ProblemDocument)))]
async fn trigger(
    State(services): State<Shared>,
    Path(name): Path<String>,
    Body(NewRequest { again }): Body<NewRequest>,
) -> Result<(StatusCode, Json<Requested>), Problem> {
    let requested = blocking(&services, move |host| {
        host.runtime.block_on(async {
            let mut tx = host.store.write().await?;
            let request = tx.request_run(&name, again, run::now()).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(Requested { request, pipeline: name, again })
        })
    });
    Ok((StatusCode::ACCEPTED, Json(requested.await?)))
}
