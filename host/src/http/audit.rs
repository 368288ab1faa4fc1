//! Who changed what: every answered request that could change something, but rows that come in.

use super::Shared;
use super::access::{Caller, reads};
use super::body::Query;
use super::error::{Problem, ProblemDocument};
use super::page::{Page, PageQuery};
use crate::run;
use crate::store::{AuditEntry, StoreError};
use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Requests that bring rows: too many to list, and the rows tell themselves where they come from.
pub(super) const ROWS_COME_IN: [&str; 4] = ["/api/v1/ingest/", "/api/v2/write", "/write", "/api/collect-data"];

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Records the request, once it is answered.
pub(super) async fn record(State(services): State<Shared>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let caller = request.extensions().get::<Caller>().cloned();
    let response = next.run(request).await;
    let Some(caller) = caller.filter(|_| !reads(&method, &path)) else { return response };
    if ROWS_COME_IN.iter().any(|prefix| path.starts_with(prefix)) {
        return response;
    }
    let status = response.status().as_u16();
    let entry = AuditEntry { id: 0, at: run::now(), caller: caller.name, method: method.to_string(), path, status };
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
