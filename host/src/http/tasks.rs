//! What the command line does with a dataset or a spec, as requests: validators, recipes, previews.

use super::Shared;
use super::body::{Json as Body, Path};
use super::error::{Problem, ProblemDocument};
use super::spec;
use super::work::{CancelOnDrop, blocking, settled};
use crate::api::{CleanRequest, PreviewRequest, ValidateRequest};
use crate::clean::Cleaned;
use crate::core::time::{DAY_US, Length};
use crate::plugin::{self, is_path};
use crate::run::{self, Judgement};
use crate::task::{self, Form, TaskError};
use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The window of a preview where nobody says.
const PREVIEW_LENGTH: Length = Length::from_us(60_000_000);
/// Longest window of a preview: what is longer is a run.
const MAX_PREVIEW: Length = Length::from_us(DAY_US.unsigned_abs());
/// Rows of a preview where nobody says.
const PREVIEW_ROWS: u32 = 10;
/// Most rows of a preview of each table: a run brings more.
const MAX_PREVIEW_ROWS: u32 = 10_000;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(validate)).routes(routes!(clean)).routes(routes!(preview))
}

/// Lets a validator judge a dataset, and records what it says. The answer comes when it has judged; a client that goes
/// away ends it.
#[utoipa::path(post, path = "/api/v1/datasets/{dataset}/validate", tag = "data", params(("dataset" = String, Path)),
    request_body = ValidateRequest,
    responses((status = 200, body = Vec<Judgement>), (status = 400, body = ProblemDocument), (status = 404, body = ProblemDocument)))]
async fn validate(
    State(services): State<Shared>,
    Path(dataset): Path<String>,
    Body(request): Body<ValidateRequest>,
) -> Result<Json<Vec<Judgement>>, Problem> {
    let ValidateRequest { with, config, from, to, last } = request;
    if is_path(&with) {
        return Err(Problem::bad_field("with", format!("{with:?} {}", spec::NO_PATH)));
    }
    let task = task::Validate { dataset, with: Some(with), config, scenario: None, from, to, last };
    let guard = CancelOnDrop::default();
    let cancel = guard.cancel();
    Ok(Json(settled(&services, move |host| task.run(host, &cancel)).await?))
}

/// Cleans a table of a dataset by a recipe, into a dataset of its own. The answer comes when the rows are there; a client
/// that goes away ends it.
#[utoipa::path(post, path = "/api/v1/datasets/{dataset}/clean", tag = "data", params(("dataset" = String, Path)),
    request_body = CleanRequest,
    responses((status = 200, body = Cleaned), (status = 400, body = ProblemDocument), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument)))]
async fn clean(
    State(services): State<Shared>,
    Path(dataset): Path<String>,
    Body(request): Body<CleanRequest>,
) -> Result<Json<Cleaned>, Problem> {
    let CleanRequest { recipe, output, replace, from, to, last } = request;
    let text = match &recipe.text {
        Some(text) => text.clone(),
        None => plugin::shipped_text("recipe", &recipe.name, plugin::recipes()).map_err(TaskError::from)?,
    };
    let task = task::Clean { dataset, recipe: recipe.name, output, replace, from, to, last };
    let guard = CancelOnDrop::default();
    let cancel = guard.cancel();
    Ok(Json(settled(&services, move |host| task.run_text(&text, host, run::now(), &cancel)).await?))
}

/// Makes the rows of any window of a spec, at most a day of it, and shows the first of each table; nothing is stored.
#[utoipa::path(post, path = "/api/v1/preview", tag = "runs", request_body = PreviewRequest,
    responses((status = 200, description = "The rows", content((Object = "application/json"), (String = "text/plain"))),
        (status = 400, body = ProblemDocument)))]
async fn preview(State(services): State<Shared>, Body(request): Body<PreviewRequest>) -> Result<Response, Problem> {
    let PreviewRequest { spec, at, length, table, limit, format } = request;
    let form = match &format {
        Some(name) => name.parse().map_err(|error: String| Problem::bad_field("format", error))?,
        None => Form::Json,
    };
    let length = length.unwrap_or(PREVIEW_LENGTH);
    if length > MAX_PREVIEW {
        return Err(Problem::bad_field("for", format!("must be at most {MAX_PREVIEW}; a run makes more")));
    }
    let limit = limit.unwrap_or(PREVIEW_ROWS);
    if limit > MAX_PREVIEW_ROWS {
        return Err(Problem::bad_field("limit", format!("must be at most {MAX_PREVIEW_ROWS}, not {limit}")));
    }
    let task = task::Preview { spec: spec::read(spec)?, at, length, table, limit: limit as usize };
    let guard = CancelOnDrop::default();
    let cancel = guard.cancel();
    let made = move |host: &run::Host| task.run(&host.registry, host.read_input, run::now(), form, &cancel);
    let bytes = blocking(&services, made).await?;
    let media = match form {
        Form::Json => "application/json",
        Form::Table => "text/plain; charset=utf-8",
    };
    Ok(([(CONTENT_TYPE, media)], bytes).into_response())
}
