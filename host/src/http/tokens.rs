//! Tokens: made, listed, taken back. The administrator's alone, looking included.

use super::Shared;
use super::body::{Json as Body, Path};
use super::error::{Problem, ProblemDocument};
use super::work::blocking;
use crate::api::{NewToken, NewTokenAnswer, TokenState};
use crate::run;
use crate::task;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse as _, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke))
}

/// All tokens, revoked ones included, by name.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "server",
    responses((status = 200, body = Vec<TokenState>), (status = 403, body = ProblemDocument)))]
async fn list(State(services): State<Shared>) -> Result<Json<Vec<TokenState>>, Problem> {
    let tokens = services.host.store.tokens().await?;
    Ok(Json(tokens.into_iter().map(TokenState::from).collect()))
}

/// Makes a token. Its secret is in this answer and nowhere else; an Idempotency-Key says nothing here, since no answer with a
/// secret is kept.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "server", request_body = NewToken,
    responses((status = 201, body = NewTokenAnswer), (status = 403, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
async fn create(State(services): State<Shared>, Body(token): Body<NewToken>) -> Result<Response, Problem> {
    let made = blocking(&services, move |host| task::create_token(host, token.name, token.scope, run::now())).await?;
    let answer = NewTokenAnswer { name: made.name, scope: made.scope, secret: made.secret };
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// Takes a token back: from now on it opens nothing.
#[utoipa::path(delete, path = "/api/v1/tokens/{name}", tag = "server", params(("name" = String, Path)),
    responses((status = 200, body = TokenState), (status = 403, body = ProblemDocument), (status = 404, body = ProblemDocument)))]
async fn revoke(State(services): State<Shared>, Path(name): Path<String>) -> Result<Json<TokenState>, Problem> {
    let revoked = blocking(&services, move |host| task::revoke_token(host, &name, run::now())).await?;
    Ok(Json(revoked.into()))
}
