//! Connections: accepted within a limit, held to timeouts, and ended in good order when the server stops.

use super::body::MAX_JSON_BYTES;
use super::socket::Socket;
use super::{Services, access, audit, drain, error, idempotency, influx, metrics, openapi};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::Request;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_request};
use axum::response::{IntoResponse as _, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

/// What connections may use (`TELEMILL_SERVER_…`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections at once; more are answered with 503. Default 1,024.
    pub connections: usize,
    /// Time for the head of a request, and between requests of one connection, in milliseconds. Default 30,000.
    pub header_ms: u64,
    /// Time between two pieces of a request's body, in milliseconds. Default 30,000.
    pub body_ms: u64,
    /// Time within which a client must take something of an answer that waits for it, in milliseconds. Default 30,000.
    pub write_ms: u64,
    /// Time that requests under way have to end when the server stops, in milliseconds. Default 10,000.
    pub stop_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 1_024, header_ms: 30_000, body_ms: 30_000, write_ms: 30_000, stop_ms: 10_000 }
    }
}

/// Most headers of a request; clients send about ten.
const MAX_HEADERS: usize = 64;
/// Largest head of a request.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// How long a refused connection is given to take its answer.
const REFUSAL: Duration = Duration::from_secs(1);
/// How long to wait after an accept that failed, such as for lack of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What a connection over the limit is told.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Listens on `address`; port 0 lets the system choose one.
    ///
    /// # Errors
    /// The address is taken, or not this machine's.
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `stop` is done; then takes no more, and gives those under way the time of the limits.
    pub async fn run(self, services: Arc<Services>, limits: &Limits, stop: impl Future<Output = ()>) {
        let app = app(Arc::clone(&services), limits);
        let slots = Arc::new(Semaphore::new(limits.connections));
        let graceful = GracefulShutdown::new();
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_millis(limits.header_ms))
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD_BYTES);
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut stop => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                tokio::spawn(refuse(stream));
                continue;
            };
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection is served with delays");
            }
            let service = TowerToHyperService::new(app.clone());
            let socket = Socket::new(stream, Duration::from_millis(limits.write_ms));
            let connection = graceful.watch(builder.serve_connection(TokioIo::new(socket), service));
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection ended early");
                }
                drop(slot);
            });
        }
        drop(self.listener);
        services.stopping.send_replace(true);
        let time = Duration::from_millis(limits.stop_ms);
        if tokio::time::timeout(time, graceful.shutdown()).await.is_err() {
            tracing::warn!("requests that took too long were cut off");
        }
    }
}

async fn refuse(mut stream: TcpStream) {
    if tokio::time::timeout(REFUSAL, stream.write_all(TOO_MANY)).await.is_err() {
        tracing::debug!("a connection over the limit did not take its refusal");
    }
}

/// All routes, with what stands before them. The last layer is the outermost.
fn app(services: Arc<Services>, limits: &Limits) -> Router {
    let with = || Arc::clone(&services);
    openapi::router()
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(with(), idempotency::replay))
        .layer(from_fn_with_state(with(), audit::record))
        .layer(from_fn_with_state(with(), access::check))
        .layer(DefaultBodyLimit::max(MAX_JSON_BYTES))
        .layer(RequestBodyTimeoutLayer::new(Duration::from_millis(limits.body_ms)))
        .layer(map_request(drain::rest))
        .layer(from_fn_with_state(with(), metrics::count))
        .layer(from_fn(log))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(influx::in_dialect))
        .with_state(with())
}

async fn no_route(uri: Uri) -> error::Problem {
    error::Problem::not_found(format!("there is nothing at {}; /api/v1/openapi.json tells what there is", uri.path()))
}

async fn no_method(method: Method, uri: Uri) -> error::Problem {
    error::Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("{} does not take {method}", uri.path()))
}

/// One line for each request.
async fn log(request: Request, next: Next) -> Response {
    let (method, path, begun) = (request.method().clone(), request.uri().path().to_owned(), Instant::now());
    let response = next.run(request).await;
    let (status, elapsed_us) = (response.status().as_u16(), begun.elapsed().as_micros());
    tracing::debug!(http.method = %method, http.path = path, http.status = status, elapsed_us, "answered");
    response
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a request panicked");
    error::Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed at this; its log says more")
        .into_response()
}
