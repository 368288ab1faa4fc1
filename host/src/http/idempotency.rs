//! `Idempotency-Key`: the same request sent again gets the first one's answer and does nothing.

use super::Shared;
use super::access::{Caller, SECRET_PATHS, reads};
use super::audit::ROWS_COME_IN;
use super::error::Problem;
use super::influx::Dialect;
use crate::core::digest::Digest;
use crate::core::time::DAY_US;
use crate::run;
use crate::store::{Claim, KeptAnswer, StoreError};
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is an earlier one's.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key: twice what a digest in hex takes.
const MAX_KEY_BYTES: usize = 128;
/// Largest body of a request with a key, which is held in memory to be told from others: a component that is uploaded.
const MAX_REQUEST_BYTES: usize = 64 << 20;
/// Largest answer that is kept; answers of what creates are far smaller.
const MAX_ANSWER_BYTES: usize = 4 << 20;
/// How long keys are kept.
const KEPT_US: i64 = 7 * DAY_US;

/// Answers a request with a known key from what is kept, and keeps the answer of one with a new key. Requests that bring
/// rows have keys of their own, which live where the rows do.
pub(super) async fn replay(State(services): State<Shared>, request: Request, next: Next) -> Result<Response, Problem> {
    let path = request.uri().path();
    let concerned = *request.method() == Method::POST
        && !reads(request.method(), path)
        && !ROWS_COME_IN.iter().any(|prefix| path.starts_with(prefix))
        // InfluxDB's clients know no such keys, and their routes create nothing but rows.
        && Dialect::of(path).is_none()
        // An answer with a secret is kept nowhere.
        && !SECRET_PATHS.contains(&path);
    let Some(key) = request.headers().get(&KEY).filter(|_| concerned) else { return Ok(next.run(request).await) };
    let key = key.to_str().ok().filter(|key| !key.is_empty() && key.len() <= MAX_KEY_BYTES).map(str::to_owned);
    let key = key.ok_or_else(|| {
        Problem::bad_field("Idempotency-Key", format!("must be 1 to {MAX_KEY_BYTES} visible ASCII characters"))
    })?;
    let caller = request.extensions().get::<Caller>().map_or_else(String::new, |caller| caller.name.clone());
    let (parts, body) = request.into_parts();
    let length = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > MAX_REQUEST_BYTES) {
        return Err(too_large());
    }
    let bytes = to_bytes(body, MAX_REQUEST_BYTES).await.map_err(|error| {
        // Which of the two it was, the error does not say.
        if length.is_none() { too_large() } else { Problem::bad_request(format!("the body broke off: {error}")) }
    })?;
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let digest = Digest::of_parts([parts.method.as_str().as_bytes(), target.as_bytes(), &bytes]);
    match services.host.store.claim_key(&caller, &key, digest, run::now()).await? {
        Claim::New => {}
        Claim::Answered(answer) => return Ok(replayed(answer)),
        Claim::Unanswered => {
            let detail = "the request with this key is being worked on, or was when the server stopped: look whether it \
                          has had its effect, and send it with another key if not";
            return Err(Problem::new(StatusCode::CONFLICT, detail));
        }
        Claim::Other => {
            let detail = "this key was used for another request: every request needs a key of its own";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
    }
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    keep(&services, &caller, &key, response).await
}

fn too_large() -> Problem {
    let detail = format!(
        "a request with an Idempotency-Key is held in memory to be told from others, and may have {MAX_REQUEST_BYTES} bytes at \
         most: send this one without a key (a file is taken in whole or not at all, so look whether it was before you send it again)"
    );
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

/// Keeps an answer; one that says "not now" is not kept, so that the request can be sent again.
async fn keep(services: &Shared, caller: &str, key: &str, response: Response) -> Result<Response, Problem> {
    let status = response.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        let mut tx = services.host.store.write().await?;
        tx.release_key(caller, key).await?;
        tx.commit().await.map_err(Problem::from)?;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, MAX_ANSWER_BYTES).await;
    let body = body.map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    let header = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
    let answer = KeptAnswer {
        status: status.as_u16(),
        content_type: header(CONTENT_TYPE),
        location: header(LOCATION),
        body: body.to_vec(),
    };
    let kept: Result<(), StoreError> = async {
        let now = run::now();
        let mut tx = services.host.store.write().await?;
        tx.keep_answer(caller, key, &answer).await?;
        tx.forget_keys(now.plus_us(-KEPT_US)).await?;
        tx.commit().await
    }
    .await;
    kept?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn replayed(answer: KeptAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, answer.body).into_response();
    let headers = response.headers_mut();
    headers.remove(CONTENT_TYPE);
    for (name, value) in [(CONTENT_TYPE, answer.content_type), (LOCATION, answer.location)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(name, value);
        }
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
