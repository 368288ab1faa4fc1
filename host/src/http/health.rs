//! Whether the server lives, and whether it can work.

use super::Shared;
use super::error::{Problem, ProblemDocument};
use crate::api::Health;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

fn well() -> Json<Health> {
    Json(Health { status: "ok".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() })
}

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(alive)).routes(routes!(ready))
}

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "server", responses((status = 200, body = Health)))]
async fn alive() -> Json<Health> {
    well()
}

/// Whether the catalog can be read.
#[utoipa::path(get, path = "/readyz", tag = "server",
    responses((status = 200, body = Health), (status = 503, body = ProblemDocument)))]
async fn ready(State(services): State<Shared>) -> Result<Json<Health>, Problem> {
    let read = services.host.lake.latest_snapshot().await;
    // Whoever asks shall send others elsewhere, and ask again.
    read.map_err(|error| Problem::from(error).with_status(StatusCode::SERVICE_UNAVAILABLE))?;
    Ok(well())
}
