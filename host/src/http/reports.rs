//! What validators said.

use super::Shared;
use super::body::Query;
use super::error::{Problem, ProblemDocument};
use super::page::{Page, PageQuery};
use crate::store::ReportRecord;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ReportFilter {
    /// Only those on this dataset.
    dataset: Option<String>,
}

/// Reports of validators, newest first.
#[utoipa::path(get, path = "/api/v1/reports", tag = "data", params(ReportFilter, PageQuery),
    responses((status = 200, body = Page<ReportRecord>), (status = 400, body = ProblemDocument)))]
async fn list(
    State(services): State<Shared>,
    Query(filter): Query<ReportFilter>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ReportRecord>>, Problem> {
    let limit = page.limit()?;
    let reports = services.host.store.reports(filter.dataset.as_deref(), limit + 1, page.before()?).await?;
    Ok(Json(Page::of(reports, limit, |report| report.id.to_string())))
}
