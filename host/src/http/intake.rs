//! Bodies that bring rows: read whole, within a bound on what all of them take together, with their idempotency key.

use super::Shared;
use super::access::Caller;
use super::error::Problem;
use crate::ingest::log::{Key, RETRY_AFTER_S};
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Longest key: twice what a digest in hex takes.
const MAX_KEY_BYTES: usize = 128;
/// Largest body as it is sent: far more than agents batch, and a second of a disk.
const MAX_BODY_BYTES: usize = 64 << 20;
/// What bodies under way may take together, in KiB.
const ALL_BODIES_KIB: u32 = 256 << 10;
/// What a compressed body counts for each of its bytes: text of telemetry gives about that much.
const UNFOLDING: usize = 8;

/// Room for bodies.
#[derive(Debug)]
pub(super) struct Intake(Arc<Semaphore>);

impl Default for Intake {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ALL_BODIES_KIB as usize)))
    }
}

/// A body that was read, and its share of the room.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) bytes: Bytes,
    pub(super) key: Option<Key>,
    _room: OwnedSemaphorePermit,
}

/// Reads a body.
///
/// # Errors
/// It is too large or in an encoding that is not understood, there is no room now, or the key can't be used.
pub(super) async fn read(services: &Shared, request: Request) -> Result<Taken, Problem> {
    let (target, key) = (target(&request), key_text(request.headers())?);
    let compressed = is_compressed(request.headers())?;
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let too_large = || {
        let detail = format!("the body is larger than {MAX_BODY_BYTES} bytes; send less at a time");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    };
    if length.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(too_large());
    }
    // A body that does not say how long it is may be as long as any.
    let counted = length.unwrap_or(MAX_BODY_BYTES).saturating_mul(if compressed { UNFOLDING } else { 1 });
    let kib = u32::try_from(counted >> 10).unwrap_or(u32::MAX).saturating_add(1).min(ALL_BODIES_KIB);
    let room = Arc::clone(&services.intake.0).try_acquire_many_owned(kib).map_err(|_| {
        let detail = "too many bytes are under way already; wait and send it again";
        Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(RETRY_AFTER_S)
    })?;
    let bytes = to_bytes(request.into_body(), MAX_BODY_BYTES).await.map_err(|error| {
        // Which of the two it was, the error does not say.
        if length.is_none() { too_large() } else { Problem::bad_request(format!("the body broke off: {error}")) }
    })?;
    let key = key.map(|key| Key::new(&target, &key, &bytes));
    Ok(Taken { bytes, key, _room: room })
}

/// Whose request it is, and for what: keys of others are others.
fn target(request: &Request) -> String {
    let caller = request.extensions().get::<Caller>().map_or("", |caller| caller.name.as_str());
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    format!("{caller} {} {target}", request.method())
}

fn key_text(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get(&KEY) else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| !key.is_empty() && key.len() <= MAX_KEY_BYTES).map(str::to_owned);
    let bad =
        || Problem::bad_field("Idempotency-Key", format!("must be 1 to {MAX_KEY_BYTES} visible ASCII characters"));
    key.map(Some).ok_or_else(bad)
}

/// Whether the body is compressed. Its first bytes tell with what; the header must not say otherwise.
fn is_compressed(headers: &HeaderMap) -> Result<bool, Problem> {
    match headers.get(CONTENT_ENCODING).map(|encoding| encoding.as_bytes().to_ascii_lowercase()).as_deref() {
        None | Some(b"identity" | b"") => Ok(false),
        Some(b"gzip" | b"x-gzip" | b"zstd") => Ok(true),
        Some(_) => {
            let detail = "the Content-Encoding is not understood; send gzip, zstd, or none";
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
        }
    }
}
