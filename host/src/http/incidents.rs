//! The ground truth: what went wrong in a dataset, when, where and why.

use super::Shared;
use super::answer;
use super::body::Query;
use super::datasets::engine;
use super::error::{Problem, ProblemDocument};
use crate::core::time::Timestamp;
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
}

/// The incidents of a dataset, in order of time: the rows of its table `incidents`.
#[utoipa::path(get, path = "/api/v1/incidents", tag = "data", params(IncidentQuery),
    responses((status = 200, body = Vec<Object>), (status = 404, body = ProblemDocument)))]
async fn list(State(services): State<Shared>, Query(query): Query<IncidentQuery>) -> Result<Response, Problem> {
    let mut sql = format!("SELECT * FROM {}.incidents WHERE true", quoted(&query.dataset));
    if let Some(from) = query.from {
        sql.push_str(&format!(" AND end_time > TIMESTAMP '{from}'"));
    }
    if let Some(to) = query.to {
        sql.push_str(&format!(" AND start_time < TIMESTAMP '{to}'"));
    }
    sql.push_str(" ORDER BY start_time, incident_id");
    answer::rows(engine(&services).await?.sql(&sql).await?, Format::Json).await
}
