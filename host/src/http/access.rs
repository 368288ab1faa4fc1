//! Who may ask for what: loopback without a token, everybody else with one; and on loopback the `Host` header, so that
//! a page in a browser can't reach the server under a name of its own, and `Origin`, so that it can't change anything here
//! under the server's.

use super::Shared;
use super::error::Problem;
use crate::core::digest::Digest;
use crate::store::{Scope, Store};
use axum::extract::{Query, Request, State};
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::net::{IpAddr, SocketAddr};

/// Answered to everybody: they tell nothing but that the server lives.
const OPEN_PATHS: [&str; 4] = ["/healthz", "/readyz", "/ping", "/health"];
/// Paths below which everything but reading is the administrator's: plugins are code.
const ADMIN_PATHS: [&str; 5] =
    ["/api/v1/plugins", "/api/v1/checks", "/api/v1/schedules", "/api/v1/audit", "/api/v1/tokens"];
/// Paths of InfluxDB's version 1, whose clients may send user and password as `u` and `p` of the query.
const QUERY_CREDENTIALS: [&str; 2] = ["/write", "/query"];
/// Requests that are sent with POST and read only.
const READING_POSTS: [&str; 3] = ["/api/v1/query", "/api/v1/runs/plan", "/api/v1/preview"];
/// Paths below which even looking is the administrator's.
pub(super) const SECRET_PATHS: [&str; 1] = ["/api/v1/tokens"];

/// What the server's address asks of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It listens on loopback: no token is needed, and the `Host` header must be loopback's.
    Loopback,
    /// It can be reached from elsewhere: every request needs a token.
    Token,
}

impl Access {
    /// What listening on `address` asks for.
    pub fn of(address: SocketAddr) -> Self {
        if address.ip().is_loopback() { Self::Loopback } else { Self::Token }
    }
}

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// The token's name, or `loopback`.
    pub(super) name: String,
    scope: Scope,
}

impl Caller {
    /// Whether that much is allowed to them.
    pub(super) fn may(&self, scope: Scope) -> bool {
        self.scope >= scope
    }
}

/// Lets requests pass whose caller may send them; the [`Caller`] is among the request's extensions then.
pub(super) async fn check(
    State(services): State<Shared>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if services.access == Access::Loopback {
        check_host(request.headers(), request.uri().host())?;
        if !request.method().is_safe() {
            check_origin(request.headers())?;
        }
    }
    if OPEN_PATHS.contains(&request.uri().path()) {
        return Ok(next.run(request).await);
    }
    let caller = caller(&services.host.store, services.access, credentials(&request)).await?;
    let needed = needed(request.method(), request.uri().path());
    if !caller.may(needed) {
        let detail = format!("the token {} has the scope {}, and this needs {needed}", caller.name, caller.scope);
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// Whether a request only reads, whatever its method.
pub(super) fn reads(method: &Method, path: &str) -> bool {
    method.is_safe() || READING_POSTS.contains(&path)
}

/// Whether the query of such a path may hold a password.
pub(super) fn may_hold_credentials(path: &str) -> bool {
    QUERY_CREDENTIALS.contains(&path)
}

fn needed(method: &Method, path: &str) -> Scope {
    let below = |prefix: &&str| path.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if SECRET_PATHS.iter().any(below) {
        return Scope::Admin;
    }
    match (reads(method, path), ADMIN_PATHS.iter().any(below)) {
        (true, _) => Scope::Read,
        (false, true) => Scope::Admin,
        (false, false) => Scope::Write,
    }
}

/// What a request says of who sends it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Credentials {
    /// Whether it says anything, be it understood or not.
    given: bool,
    secret: Option<String>,
}

/// The credentials of the `Authorization` header, or those of the query where that is the custom.
fn credentials(request: &Request) -> Credentials {
    #[derive(serde::Deserialize)]
    struct InQuery {
        p: Option<String>,
    }
    if let Some(header) = request.headers().get(AUTHORIZATION) {
        return Credentials { given: true, secret: header.to_str().ok().and_then(secret) };
    }
    if !may_hold_credentials(request.uri().path()) {
        return Credentials::default();
    }
    let secret = Query::<InQuery>::try_from_uri(request.uri()).ok().and_then(|Query(query)| query.p);
    Credentials { given: secret.is_some(), secret }
}

async fn caller(store: &Store, access: Access, credentials: Credentials) -> Result<Caller, Problem> {
    if let Some(secret) = &credentials.secret
        && let Some(token) = store.token_by_digest(Digest::of(secret.as_bytes())).await?
    {
        return Ok(Caller { name: token.name, scope: token.scope });
    }
    let refused = || Problem::unauthorized("send a token that is in force; `telemill token create` makes one");
    if access == Access::Token {
        return Err(refused());
    }
    // Clients that can't do without a token send any; where none was ever made, that is no mistake.
    if credentials.given && store.tokens().await?.iter().any(|token| token.revoked_at.is_none()) {
        return Err(refused());
    }
    Ok(Caller { name: "loopback".to_owned(), scope: Scope::Admin })
}

/// The secret of an `Authorization` header: `Bearer X`, Influx's `Token X`, or the password of `Basic`.
fn secret(header: &str) -> Option<String> {
    let (scheme, rest) = header.split_once(' ')?;
    let rest = rest.trim();
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" | "token" => Some(rest.to_owned()),
        "basic" => {
            let decoded = String::from_utf8(BASE64_STANDARD.decode(rest).ok()?).ok()?;
            decoded.split_once(':').map(|(_, password)| password.to_owned())
        }
        _ => None,
    }
}

fn check_host(headers: &HeaderMap, uri_host: Option<&str>) -> Result<(), Problem> {
    let header = headers.get(HOST).and_then(|value| value.to_str().ok());
    let host = header.or(uri_host).unwrap_or_default();
    if is_loopback_name(host) {
        return Ok(());
    }
    let detail = format!("the server listens on loopback only, and {host:?} is no name of it");
    Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail))
}

/// Refuses what a page from elsewhere lets a browser of this machine send: without a token, nothing else tells it from a
/// program's request.
fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let foreign = text("origin").is_some_and(|origin| {
        let host = origin.split_once("://").map_or("", |(_, host)| host);
        !is_loopback_name(host)
    });
    if foreign || text("sec-fetch-site") == Some("cross-site") {
        let detail = "a page from elsewhere can't change anything here; listen with tokens where one has to";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    Ok(())
}

/// Whether `host`, with or without a port, names this machine to itself.
fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_loopback_pass_as_hosts() {
        for host in ["localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.1:80", "127.9.9.9", "[::1]:1", "[::1]"] {
            assert!(is_loopback_name(host), "{host}");
        }
        for host in ["", "example.org", "localhost.example.org:80", "10.0.0.1", "0.0.0.0:80", "[::2]:1"] {
            assert!(!is_loopback_name(host), "{host}");
        }
    }

    #[test]
    fn pages_from_elsewhere_change_nothing() {
        let passes = |name: &'static str, value: &'static str| {
            check_origin(&HeaderMap::from_iter([(
                axum::http::HeaderName::from_static(name),
                axum::http::HeaderValue::from_static(value),
            )]))
            .is_ok()
        };
        assert!(check_origin(&HeaderMap::new()).is_ok(), "programs send none");
        for origin in ["http://localhost:8080", "http://127.0.0.1", "https://[::1]:3000"] {
            assert!(passes("origin", origin), "{origin}");
        }
        for origin in ["http://evil.example", "null", "", "http://localhost.evil.example", "file://"] {
            assert!(!passes("origin", origin), "{origin}");
        }
        assert!(passes("sec-fetch-site", "same-origin") && !passes("sec-fetch-site", "cross-site"));
    }

    #[test]
    fn secrets_come_in_the_three_usual_forms() {
        assert_eq!(secret("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(secret("Token abc").as_deref(), Some("abc"));
        assert_eq!(secret(&format!("Basic {}", BASE64_STANDARD.encode("me:abc"))).as_deref(), Some("abc"));
        for header in ["", "abc", "Digest abc", "Basic %%%"] {
            assert_eq!(secret(header), None, "{header}");
        }
    }

    #[test]
    fn a_password_in_the_query_counts_where_influx_clients_put_it() {
        let of = |uri: &str| {
            let request = axum::http::Request::builder().uri(uri).body(axum::body::Body::empty());
            request.map(|request| credentials(&request)).unwrap_or_default()
        };
        let found = |secret: &str| Credentials { given: true, secret: Some(secret.to_owned()) };
        assert_eq!(of("/write?db=x&u=me&p=a%2Bb"), found("a+b"));
        assert_eq!(of("/query?p=abc"), found("abc"));
        assert_eq!(of("/write?db=x"), Credentials::default());
        assert_eq!(of("/api/v1/runs?p=abc"), Credentials::default());
    }

    #[test]
    fn changing_plugins_is_for_administrators_and_posting_a_query_is_reading() {
        assert_eq!(needed(&Method::GET, "/api/v1/plugins"), Scope::Read);
        assert_eq!(needed(&Method::POST, "/api/v1/plugins/x/activate"), Scope::Admin);
        assert_eq!(needed(&Method::POST, "/api/v1/pluginsx"), Scope::Write);
        assert_eq!(needed(&Method::POST, "/api/v1/query"), Scope::Read);
        assert_eq!(needed(&Method::GET, "/api/v1/tokens"), Scope::Admin);
        assert_eq!(needed(&Method::DELETE, "/api/v1/datasets/a"), Scope::Write);
    }
}
