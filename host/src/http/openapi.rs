//! The OpenAPI document: from the routes' own annotations, so that it can't say what they don't do.

use super::error::ProblemDocument;
use super::{Shared, routes};
use axum::Json;
use axum::Router;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder, SecurityRequirement};

/// Title, tags and what no route names by itself.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Telemill",
        description = "Realistic, labelled operational data from simulations that are sandboxed WebAssembly components. \
                       Errors are RFC 9457 problem documents. A POST that creates something takes an Idempotency-Key."
    ),
    tags(
        (name = "runs", description = "Rows from a spec, committed at once"),
        (name = "streams", description = "Runs without an end, in real time or faster"),
        (name = "plugins", description = "Versions of plugins, and which of them a name means"),
        (name = "data", description = "What is in the lake, and rows that come in"),
        (name = "user data", description = "Metrics of many users"),
        (name = "schedules", description = "Pipelines, and what became of their runs"),
        (name = "alerts", description = "What validators and pipelines found wrong"),
        (name = "server", description = "The server itself")
    ),
    components(schemas(ProblemDocument))
)]
struct Head;

/// The document without the routes.
pub(super) fn head() -> utoipa::openapi::OpenApi {
    let mut document = Head::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    let components = document.components.get_or_insert_default();
    let schemes = [("bearer", HttpAuthScheme::Bearer), ("basic", HttpAuthScheme::Basic)];
    for (name, scheme) in schemes {
        components.add_security_scheme(name, SecurityScheme::Http(Http::new(scheme)));
    }
    // Any of them; none on loopback.
    document.security = Some(vec![
        SecurityRequirement::default(),
        SecurityRequirement::new("bearer", Vec::<String>::new()),
        SecurityRequirement::new("basic", Vec::<String>::new()),
    ]);
    document
}

/// Every operation may answer with a problem, and has a name of its own: its method and path, since handlers of several resources
/// are called alike.
fn completed(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new().description("A problem").content(super::error::PROBLEM_JSON, content).build();
    for (path, item) in &mut document.paths.paths {
        let operations = [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("delete", &mut item.delete),
            ("head", &mut item.head),
            ("patch", &mut item.patch),
        ];
        for (method, operation) in operations {
            let Some(operation) = operation else { continue };
            operation.operation_id = Some(operation_id(method, path));
            // Routes of other programs' clients have problems of their own form.
            let default = operation.responses.responses.entry("default".to_owned());
            default.or_insert_with(|| RefOr::T(response.clone()));
        }
    }
    document
}

/// `post_v1_runs_id_cancel` of `POST /api/v1/runs/{id}/cancel`.
fn operation_id(method: &str, path: &str) -> String {
    let path = path.strip_prefix("/api").unwrap_or(path);
    let words = path.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

/// The OpenAPI 3.1 document of the server, as JSON.
pub fn document() -> String {
    let document = completed(routes().into_openapi());
    document.to_pretty_json().unwrap_or_default()
}

/// The routes, with one that serves the document.
pub(super) fn router() -> Router<Shared> {
    let (router, document) = routes().split_for_parts();
    let document = completed(document);
    router.route("/api/v1/openapi.json", get(async move || Json(document.clone())))
}
