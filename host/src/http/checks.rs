//! Components held to the contract without being taken in: what a team asks before it uploads one.

use super::Shared;
use super::body::{Query, Raw};
use super::error::{Problem, ProblemDocument};
use super::plugins::checked;
use super::spec::NO_PATH;
use super::work::blocking;
use crate::api::CheckQuery;
use crate::plugin::check::CheckReport;
use crate::plugin::is_path;
use crate::run::Host;
use crate::versions::{self, CHECK_S, Testing, VersionsError};
use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use serde_json::Value;
use std::time::Duration;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(check)).layer(DefaultBodyLimit::max(super::plugins::MAX_UPLOAD_BYTES))
}

/// Holds a component to the contract: the body is a `.wasm` file, or empty where `plugin` names one that is here. Answers with the
/// report, whether the contract is kept or not, once the check is over, which may take minutes. Nothing is kept.
#[utoipa::path(post, path = "/api/v1/checks", tag = "plugins", params(CheckQuery),
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 200, body = CheckReport), (status = 400, body = ProblemDocument), (status = 404, body = ProblemDocument),
        (status = 413, body = ProblemDocument), (status = 503, body = ProblemDocument)))]
async fn check(
    State(services): State<Shared>,
    Query(query): Query<CheckQuery>,
    Raw(bytes): Raw,
) -> Result<Json<CheckReport>, Problem> {
    let named = [("plugin", &query.plugin), ("generator", &query.generator)];
    for (field, name) in named {
        if let Some(path) = name.as_deref().filter(|name| is_path(name)) {
            return Err(Problem::bad_field(field, format!("{path:?} {NO_PATH}")));
        }
    }
    if query.plugin.is_some() != bytes.is_empty() {
        return Err(Problem::bad_field("plugin", "name a plugin, or send a component: one of them"));
    }
    let within = query.within.unwrap_or(CHECK_S);
    if !(1..=CHECK_S).contains(&within) {
        return Err(Problem::bad_field("within", format!("must be 1 to {CHECK_S} seconds, not {within}")));
    }
    let config: Option<Value> = match &query.config {
        Some(text) => {
            let value = serde_json::from_str(text);
            Some(value.map_err(|error| Problem::bad_field("config", format!("is no JSON: {error}")))?)
        }
        None => None,
    };
    let turn = checked()?;
    let CheckQuery { plugin, origin, generator, seed, every_target, .. } = query;
    let testing = Testing { config, generator, seed, within: Some(Duration::from_secs(within)), every_target };
    let report = blocking(&services, move |host: &Host| -> Result<_, VersionsError> {
        // Held by the work itself: a client that goes away does not end it.
        let _turn = turn;
        let records = Some((&host.store, &host.runtime));
        match plugin {
            Some(name) => versions::test(&host.registry, records, (&name, &host.registry.bytes(&name)?), testing),
            None => {
                let origin = origin.as_deref().unwrap_or("upload");
                versions::test(&host.registry, records, (origin, &bytes), testing)
            }
        }
    });
    Ok(Json(report.await?))
}
