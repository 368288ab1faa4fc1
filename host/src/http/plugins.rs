//! Plugins: what there is, uploads, and which version a name means.

use super::Shared;
use super::audit::Outcome;
use super::body::{Json as Body, Path, Query, Raw};
use super::error::{Problem, ProblemDocument};
use super::spec::NO_PATH;
use super::work::blocking;
use crate::api::{Compare, Uploaded};
use crate::core::digest::{BY_DIGEST, Digest};
use crate::plugin::check::CheckOptions;
use crate::plugin::{Listed, Plugin, PluginError, is_path};
use crate::run::{self, Host};
use crate::versions::{
    self, Comparing, Comparison, Followed, Found, Listing, Removed, Stated, Switched, VersionsError,
};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Largest upload, whatever `limits.component_bytes` says: the body is held in memory.
pub(super) const MAX_UPLOAD_BYTES: usize = 256 << 20;
/// Components that are checked at once: each takes a core for as long as a check may take.
static CHECKS: Semaphore = Semaphore::const_new(2);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, upload))
        .routes(routes!(show))
        .routes(routes!(inspect))
        .routes(routes!(activate))
        .routes(routes!(disable))
        .routes(routes!(rollback))
        .routes(routes!(remove))
        .routes(routes!(compare))
        .layer(DefaultBodyLimit::max(MAX_UPLOAD_BYTES))
}

/// How a component is taken in.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct UploadQuery {
    /// Make it what its name means at once.
    #[serde(default)]
    activate: bool,
    /// Take nothing but the component of this digest, 64 hex digits.
    #[param(value_type = Option<String>)]
    digest: Option<Digest>,
    /// The generator of the server on whose targets and rows an incident model or a validator is tried; the one that suits best of
    /// those that ship or are installed where it is left out.
    generator: Option<String>,
}

/// Which version of a plugin is meant.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct VersionQuery {
    /// A version such as 1.2.0, or `sha256:` and a digest; what the name means where it is left out.
    version: Option<String>,
}

/// The version that its name shall mean.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Activate {
    /// A version such as 1.2.0, or `sha256:` and a digest; the newest where it is left out.
    version: Option<String>,
}

/// A turn among the checks; none where there are enough under way.
pub(super) fn checked() -> Result<SemaphorePermit<'static>, Problem> {
    CHECKS.try_acquire().map_err(|_| Problem::overloaded())
}

/// Everything that can be used: what ships, what is installed, what was used.
#[utoipa::path(get, path = "/api/v1/plugins", tag = "plugins", responses((status = 200, body = Vec<Stated>)))]
async fn list(State(services): State<Shared>) -> Result<Json<Vec<Stated>>, Problem> {
    let listed = |host: &Host| versions::list(&host.registry, Some(&host.store), &host.runtime);
    Ok(Json(blocking(&services, listed).await?))
}

/// Takes a component in: the body is a `.wasm` file. It is held to the contract, which may take minutes, and kept as a
/// version of its plugin; a refusal says why, and leaves everything as it was.
#[utoipa::path(post, path = "/api/v1/plugins", tag = "plugins", params(UploadQuery),
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 201, body = Uploaded), (status = 200, body = Uploaded, description = "It was there already"),
        (status = 409, body = ProblemDocument), (status = 413, body = ProblemDocument), (status = 422, body = ProblemDocument)))]
async fn upload(
    State(services): State<Shared>,
    Query(query): Query<UploadQuery>,
    Raw(bytes): Raw,
) -> Result<Response, Problem> {
    if let Some(path) = query.generator.as_deref().filter(|name| is_path(name)) {
        return Err(Problem::bad_field("generator", format!("{path:?} {NO_PATH}")));
    }
    let turn = checked()?;
    let streams = services.streams.clone();
    let uploaded = blocking(&services, move |host| {
        // Held by the work itself: a client that goes away does not end it.
        let _turn = turn;
        let origin = "upload".to_owned();
        let found = Digest::of(&bytes);
        if let Some(wanted) = query.digest.filter(|wanted| *wanted != found) {
            return Err(VersionsError::Pin { origin, wanted, found });
        }
        let found = Found { origin, bytes: bytes.into(), scenario: None };
        let installed = versions::install(host, &found, query.generator, run::now())?;
        let exact = installed.version.digest.reference();
        let activate = || versions::follow(&streams, versions::enable(host, &exact, run::now())?);
        let activated = query.activate.then(activate).transpose()?;
        Ok(Uploaded { installed, activated })
    });
    let uploaded = uploaded.await?;
    let status = if uploaded.installed.new { StatusCode::CREATED } else { StatusCode::OK };
    let location = [(LOCATION, format!("/api/v1/plugins/{}", uploaded.installed.version.name))];
    Ok((status, location, Json(uploaded)).into_response())
}

/// A plugin's versions, which of them its name means, and what was changed.
#[utoipa::path(get, path = "/api/v1/plugins/{name}", tag = "plugins", params(("name" = String, Path)),
    responses((status = 200, body = Listing), (status = 404, body = ProblemDocument)))]
async fn show(State(services): State<Shared>, Path(name): Path<String>) -> Result<Json<Listing>, Problem> {
    Ok(Json(blocking(&services, move |host| versions::listing(host, &name)).await?))
}

/// What a version is: kind, imports, size, and what it says of itself, the schema of its configuration among it.
/// Nothing of it runs but its descriptor, and that where it is not known.
#[utoipa::path(get, path = "/api/v1/plugins/{name}/inspect", tag = "plugins", params(("name" = String, Path), VersionQuery),
    responses((status = 200, body = Listed), (status = 404, body = ProblemDocument)))]
async fn inspect(
    State(services): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<VersionQuery>,
) -> Result<Json<Listed>, Problem> {
    let described =
        move |host: &Host| Ok::<_, VersionsError>(host.registry.describe(&reference(host, &name, query.version)?)?);
    Ok(Json(blocking(&services, described).await?))
}

/// Makes a version what its name means, in one step: runs under way keep theirs, the next one takes this, and so do streams
/// that name the plugin by its name alone, each for all partitions at one simulated time (`streams` in the answer). A stream
/// that can't take it over goes on as it was; activating the version once more tries again.
#[utoipa::path(post, path = "/api/v1/plugins/{name}/activate", tag = "plugins", params(("name" = String, Path)),
    request_body = Activate,
    responses((status = 200, body = Followed), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
async fn activate(
    State(services): State<Shared>,
    Path(name): Path<String>,
    Body(body): Body<Activate>,
) -> Result<Response, Problem> {
    switch(&services, move |host| versions::enable(host, &reference(host, &name, body.version)?, run::now())).await
}

/// Makes a name mean the plugin that ships again, or nothing; streams follow as with an activation.
#[utoipa::path(post, path = "/api/v1/plugins/{name}/disable", tag = "plugins", params(("name" = String, Path)),
    responses((status = 200, body = Followed), (status = 404, body = ProblemDocument)))]
async fn disable(State(services): State<Shared>, Path(name): Path<String>) -> Result<Response, Problem> {
    switch(&services, move |host| versions::disable(host, &name, run::now())).await
}

/// Makes a name mean what it meant before the last change; streams follow as with an activation.
#[utoipa::path(post, path = "/api/v1/plugins/{name}/rollback", tag = "plugins", params(("name" = String, Path)),
    responses((status = 200, body = Followed), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
async fn rollback(State(services): State<Shared>, Path(name): Path<String>) -> Result<Response, Problem> {
    switch(&services, move |host| versions::rollback(host, &name, run::now())).await
}

/// Changes what a name means, and lets streams follow.
async fn switch<F>(services: &Shared, f: F) -> Result<Response, Problem>
where
    F: FnOnce(&Host) -> Result<Switched, VersionsError> + Send + 'static,
{
    let streams = services.streams.clone();
    let followed = blocking(services, move |host| versions::follow(&streams, f(host)?)).await?;
    let Switched { name, active, .. } = &followed.switched;
    let outcome = match active {
        Some(digest) => format!("{name} means {}", digest.reference()),
        None => format!("{name} means what ships, or nothing"),
    };
    Ok((Extension(Outcome(outcome)), Json(followed)).into_response())
}

/// Forgets a version that nothing uses.
#[utoipa::path(delete, path = "/api/v1/plugins/{name}/versions/{version}", tag = "plugins",
    params(("name" = String, Path), ("version" = String, Path, description = "A version such as 1.2.0, or `sha256:` and a digest")),
    responses((status = 200, body = Removed), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
async fn remove(
    State(services): State<Shared>,
    Path((name, version)): Path<(String, String)>,
) -> Result<Json<Removed>, Problem> {
    Ok(Json(blocking(&services, move |host| versions::remove(host, &reference(host, &name, Some(version))?)).await?))
}

/// Runs two versions of a generator over the same seed and window, and holds their rows side by side.
#[utoipa::path(post, path = "/api/v1/plugins/{name}/compare", tag = "plugins", params(("name" = String, Path)),
    request_body = Compare,
    responses((status = 200, body = Comparison), (status = 404, body = ProblemDocument), (status = 422, body = ProblemDocument)))]
async fn compare(
    State(services): State<Shared>,
    Path(name): Path<String>,
    Body(body): Body<Compare>,
) -> Result<Json<Comparison>, Problem> {
    let compared = move |host: &Host| {
        let load = |version| Ok::<_, VersionsError>(host.registry.load(&reference(host, &name, version)?)?);
        let (first, second): (Plugin, Plugin) = (load(body.first)?, load(Some(body.second))?);
        let defaults = CheckOptions::default();
        let comparing = Comparing {
            seed: body.seed.unwrap_or(defaults.seed),
            start: body.start.unwrap_or(defaults.start),
            length_us: body.length.map_or(defaults.length_us, |length| length.us()),
            config: Value::Object(body.config),
        };
        versions::compare(&first, &second, &comparing)
    };
    Ok(Json(blocking(&services, compared).await?))
}

/// How a version of a plugin is named; a name has neither slash nor dot, so that no path is among them. A digest, with or
/// without `sha256:`, is one of that plugin's.
fn reference(host: &Host, name: &str, version: Option<String>) -> Result<String, VersionsError> {
    let not_found = |message: &str| PluginError::NotFound { reference: name.to_owned(), message: message.to_owned() };
    crate::core::id::check_plugin_name(name).map_err(|error| not_found(error.reason))?;
    let Some(version) = version else { return Ok(name.to_owned()) };
    let reference = match version.parse::<Digest>() {
        Ok(digest) => digest.reference(),
        Err(_) if version.starts_with(BY_DIGEST) => version,
        Err(_) => return Ok(format!("{name}@{version}")),
    };
    let meant = host.registry.describe(&reference)?;
    let named = meant.descriptor.name;
    if named != name {
        return Err(not_found(&format!("the component {} is a version of {named}", meant.digest.short())).into());
    }
    Ok(meant.digest.reference())
}
