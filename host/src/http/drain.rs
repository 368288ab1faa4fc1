//! Bodies that nobody reads to their end, since the request was refused: the rest is read and thrown away, within bounds.
//!
//! A connection that is closed while its client still sends is reset, and the answer that says why is lost with it.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::EXPECT;
use futures::StreamExt as _;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Most bytes that are thrown away.
const MOST_BYTES: usize = 16 << 20;
/// Longest time for it.
const LONGEST: Duration = Duration::from_secs(5);

/// Lets the rest of a request's body be read, whoever drops it. A client that waits for leave to send, and did not get it, has nothing
/// under way.
pub(super) async fn rest(request: Request) -> Request {
    let begun = !request.headers().contains_key(EXPECT);
    request.map(|body| Body::new(Drained { body: Some(body), begun }))
}

struct Drained {
    /// None once it has ended.
    body: Option<Body>,
    /// Whether the client sends it.
    begun: bool,
}

impl HttpBody for Drained {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.begun = true;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        let rest = self.body.take().filter(|body| self.begun && !body.is_end_stream());
        let Some(body) = rest else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(tokio::time::timeout(LONGEST, thrown_away(body)));
    }
}

async fn thrown_away(body: Body) {
    let (mut pieces, mut left) = (body.into_data_stream(), MOST_BYTES);
    while let Some(Ok(piece)) = pieces.next().await {
        match left.checked_sub(piece.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
