//! Reading requests: JSON bodies, queries and paths whose faults name the field.

use super::error::Problem;
use crate::core::problem::Problem as Fault;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path as AxumPath, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::fmt::Display;

/// Largest JSON body: specs and queries are far smaller.
pub(super) const MAX_JSON_BYTES: usize = 4 << 20;

/// A JSON body.
pub(super) struct Json<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let media = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_json = media == "application/json" || media.ends_with("+json");
        if !is_json && !media.is_empty() {
            return Err(not_json(&media));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(unread)?;
        match (is_json, bytes.is_empty()) {
            (true, _) => parse_json(&bytes).map(Self),
            // Where nothing has to be said, nothing has to be sent.
            (false, true) => parse_json(b"{}").map(Self),
            (false, false) => Err(not_json(&media)),
        }
    }
}

fn not_json(media: &str) -> Problem {
    let detail = format!("the body must be JSON, with Content-Type application/json instead of {media:?}");
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
}

/// A value from JSON; faults name the field.
pub(super) fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| bad_value(&error))
}

/// What is wrong with a value, and where serde met it.
fn bad_value<E: Display>(error: &serde_path_to_error::Error<E>) -> Problem {
    let fault = Fault::of_serde(&error.path().to_string(), error.inner().to_string());
    Problem::bad_field(fault.path, fault.message)
}

/// A body as it is.
pub(super) struct Raw(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Bytes::from_request(request, state).await.map(Self).map_err(unread)
    }
}

/// Why a body could not be read.
fn unread(rejection: BytesRejection) -> Problem {
    Problem::new(rejection.status(), rejection.body_text())
}

/// Parameters behind the question mark.
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let value = serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(query));
        value.map(Self).map_err(|error| bad_value(&error))
    }
}

/// Parts of the path.
pub(super) struct Path<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = AxumPath::from_request_parts(parts, state).await;
        // A path that does not parse names nothing that there is.
        path.map(|AxumPath(value)| Self(value)).map_err(|rejection| Problem::not_found(rejection.body_text()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use axum::body::Body;
    use axum::response::IntoResponse as _;

    /// The limit here is the one that axum sets where no route sets another: what is said at it is the same.
    #[tokio::test]
    async fn a_body_that_is_too_large_is_a_problem() {
        let request = Request::builder().body(Body::from(vec![0; 3 << 20])).unwrap();
        let problem = Raw::from_request(request, &()).await.err().unwrap();
        assert_eq!(problem.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let answer = problem.into_response();
        assert_eq!(answer.headers().get(CONTENT_TYPE).unwrap(), crate::http::error::PROBLEM_JSON);
    }
}
