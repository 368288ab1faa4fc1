//! Alerts: what validators and pipelines found wrong, listed, acknowledged, and told as it happens.

use super::Shared;
use super::body::{Json as Body, Path, Query};
use super::error::{Problem, ProblemDocument};
use super::events::{LAST_EVENT_ID, event, events};
use super::page::{Page, PageQuery};
use super::work::blocking;
use crate::run;
use crate::store::{Alert, AlertEvent, AlertState};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use serde::Deserialize;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Events that are read at a time.
const BATCH: u32 = 100;
/// How long nothing is heard before the table is looked at: another process may have acknowledged an alert.
const LOOK: Duration = Duration::from_secs(2);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(told)).routes(routes!(show)).routes(routes!(acknowledge))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct AlertQuery {
    /// Only those in this state.
    state: Option<AlertState>,
}

/// What there is to say.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Acknowledgement {
    /// Who has seen it.
    #[serde(default)]
    by: Option<String>,
    /// What they say.
    #[serde(default)]
    note: Option<String>,
}

/// Alerts, newest first.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "alerts", params(AlertQuery, PageQuery),
    responses((status = 200, body = Page<Alert>), (status = 400, body = ProblemDocument)))]
async fn list(
    State(services): State<Shared>,
    Query(query): Query<AlertQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Alert>>, Problem> {
    let (limit, before) = (page.limit()?, page.before()?);
    let alerts = services.host.store.alerts(query.state, limit + 1, before).await?;
    Ok(Json(Page::of(alerts, limit, |alert| alert.id.to_string())))
}

/// An alert.
#[utoipa::path(get, path = "/api/v1/alerts/{id}", tag = "alerts", params(("id" = i64, Path)),
    responses((status = 200, body = Alert), (status = 404, body = ProblemDocument)))]
async fn show(State(services): State<Shared>, Path(id): Path<i64>) -> Result<Json<Alert>, Problem> {
    let alert = services.host.store.alert(id).await?;
    alert.map(Json).ok_or_else(|| Problem::not_found(format!("there is no alert {id}")))
}

/// Says that an open alert was seen.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/acknowledge", tag = "alerts", params(("id" = i64, Path)),
    request_body = Acknowledgement, responses((status = 200, body = Alert), (status = 404, body = ProblemDocument)))]
async fn acknowledge(
    State(services): State<Shared>,
    Path(id): Path<i64>,
    Body(Acknowledgement { by, note }): Body<Acknowledgement>,
) -> Result<Json<Alert>, Problem> {
    let alerts = services.alerts.clone();
    let alert = blocking(&services, move |_| alerts.acknowledge(id, by.as_deref(), note.as_deref(), run::now()));
    Ok(Json(alert.await?))
}

/// What is raised, acknowledged and resolved, as server-sent events from now on; with `Last-Event-ID`, from there on.
#[utoipa::path(get, path = "/api/v1/alerts/events", tag = "alerts",
    responses((status = 200, body = AlertEvent, content_type = "text/event-stream")))]
async fn told(State(services): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    let seen = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let last = match seen {
        Some(seen) => seen,
        None => services.host.store.newest_alert_event().await?,
    };
    let (store, news) = (services.host.store.clone(), services.alerts.subscribe());
    let batches = futures::stream::unfold((store, news, last), |(store, mut news, last)| async move {
        loop {
            news.borrow_and_update();
            match store.alert_events(last, BATCH).await {
                Ok(batch) if batch.is_empty() => {
                    // Both what is heard and the end of the wait mean to look.
                    drop(tokio::time::timeout(LOOK, news.changed()).await);
                }
                Ok(batch) => {
                    let last = batch.last().map_or(last, |event| event.id);
                    return Some((batch, (store, news, last)));
                }
                Err(error) => {
                    tracing::error!(%error, "alerts can't be read");
                    return None;
                }
            }
        }
    });
    let each = |batch: Vec<AlertEvent>| {
        futures::stream::iter(batch).map(|told| event(&told.kind, &told.id.to_string(), &told))
    };
    Ok(events(&services, batches.flat_map(each).boxed()).into_response())
}
