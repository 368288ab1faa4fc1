//! The ground truth: what went wrong in a dataset, when, where and why.

use super::Shared;
use super::answer;
use super::body::Query;
use super::datasets::{engine_in_turn, table_within};
use super::error::{Problem, ProblemDocument};
use crate::core::time::{Length, Timestamp, Window};
use crate::lake::Span;
use crate::query::{Format, quoted};
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct IncidentQuery {
    /// The dataset.
    dataset: String,
    /// Only those that end after this.
    from: Option<Timestamp>,
    /// Only those that start before this.
    to: Option<Timestamp>,
    /// Only those of the span of this length that ends with the start of the newest, such as 30d.
    #[param(value_type = Option<String>)]
    last: Option<Length>,
}

/// The incidents of a dataset, in order of time: the rows of its table `incidents`.
#[utoipa::path(get, path = "/api/v1/incidents", tag = "data", params(IncidentQuery),
    responses((status = 200, body = Vec<Object>), (status = 404, body = ProblemDocument)))]
async fn list(State(services): State<Shared>, Query(query): Query<IncidentQuery>) -> Result<Response, Problem> {
    let mut sql = format!("SELECT * FROM {}.incidents WHERE true", quoted(&query.dataset));
    let span = Span { from: query.from, to: query.to, last: query.last };
    let (_, window) = table_within(&services, &query.dataset, "incidents", span).await?;
    let asked = query.last.is_some();
    if let Some(Window { start, .. }) = window.filter(|_| asked || query.from.is_some()) {
        sql.push_str(&format!(" AND end_time > TIMESTAMP '{start}'"));
    }
    if let Some(Window { end, .. }) = window.filter(|_| asked || query.to.is_some()) {
        sql.push_str(&format!(" AND start_time < TIMESTAMP '{end}'"));
    }
    sql.push_str(" ORDER BY start_time, incident_id");
    let (engine, turn) = engine_in_turn(&services).await?;
    answer::rows(engine.sql(&sql).await?, Format::Json, turn).await
}
