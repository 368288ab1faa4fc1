//! Who changed what: every answered request that could change something, but rows that come in.

use super::Shared;
use super::access::{Caller, may_hold_credentials, reads};
use super::body::Query;
use super::error::{Problem, ProblemDocument};
use super::page::{Page, PageQuery};
use crate::run;
use crate::store::{AuditEntry, StoreError};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::LOCATION;
use axum::middleware::Next;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Requests that bring rows: too many to list, and the rows tell themselves where they come from.
pub(super) const ROWS_COME_IN: [&str; 4] = ["/api/v1/ingest/", "/api/v2/write", "/write", "/api/collect-data"];

/// What came of a request, beside what its answer says in `Location`: handlers put it among the answer's extensions.
#[derive(Debug, Clone)]
pub(super) struct Outcome(pub(super) String);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Records the request, once it is answered.
pub(super) async fn record(State(services): State<Shared>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let query = request.uri().query().filter(|_| !may_hold_credentials(&path)).map(str::to_owned);
    let caller = request.extensions().get::<Caller>().cloned();
    let response = next.run(request).await;
    let Some(caller) = caller.filter(|_| !reads(&method, &path)) else { return response };
    if ROWS_COME_IN.iter().any(|prefix| path.starts_with(prefix)) {
        return response;
    }
    let status = response.status().as_u16();
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok().map(str::to_owned));
    let outcome = response.extensions().get::<Outcome>().map(|outcome| outcome.0.clone()).or(location);
    let path = query.map_or(path.clone(), |query| format!("{path}?{query}"));
    let (at, method) = (run::now(), method.to_string());
    let entry = AuditEntry { id: 0, at, caller: caller.name, method, path, status, outcome };
    if let Err(error) = insert(&services, &entry).await {
        tracing::error!(%error, "a change could not be recorded in the audit table");
    }
    response
}

async fn insert(services: &Shared, entry: &AuditEntry) -> Result<(), StoreError> {
    let mut tx = services.host.store.write().await?;
    tx.insert_audit(entry).await?;
    tx.commit().await
}

/// Who changed what, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "server", params(PageQuery),
    responses((status = 200, body = Page<AuditEntry>), (status = 400, body = ProblemDocument)))]
async fn list(
    State(services): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<AuditEntry>>, Problem> {
    let limit = page.limit()?;
    let entries = services.host.store.audit(limit + 1, page.before()?).await?;
    Ok(Json(Page::of(entries, limit, |entry| entry.id.to_string())))
}
