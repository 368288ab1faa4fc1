//! A client for OpenSearch servers, as far as loading documents needs one: indices, `_bulk`, `_refresh`, `_count`.
//!
//! Blocking: callers on an async runtime put it on a thread of its own. It knows HTTP and bulk lines, and nothing of
//! runs or the lake.

mod answer;
mod backoff;
mod chunk;
mod error;
mod load;

pub use backoff::Backoff;
pub use error::LoadError;
pub use load::{Outcome, Refusal};

use answer::Failure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::fmt;
use std::time::Duration;
use ureq::Agent;
use ureq::http::{Method, Request, StatusCode};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// The largest answer that is read: about 200 bytes an item for as many items as a chunk can have, many times over.
const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;

/// Longest part of a server's text that an error message repeats, in characters.
const MAX_REASON_CHARS: usize = 300;

/// How to reach a server and how to treat it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `localhost:9200`, or with a scheme and a path: `https://search.example:443/prefix`.
    pub host: String,
    /// Who asks.
    pub credentials: Option<Credentials>,
    /// Certificates (PEM) to trust instead of the usual ones.
    pub ca_pem: Option<Vec<u8>>,
    /// Trust any certificate; for test servers with certificates of their own making.
    pub insecure: bool,
    /// Most bytes of one `_bulk` request; a single larger document is sent alone. The documentation calls 5 to 15 MB
    /// a good size.
    pub chunk_bytes: usize,
    /// Most documents of one `_bulk` request; the documentation starts with 1,000 to 5,000.
    pub chunk_documents: usize,
    /// Longest wait for one answer.
    pub request_timeout: Duration,
    /// When to try again, and how often.
    pub backoff: Backoff,
    /// How many refusals keep their reasons.
    pub max_refusals: usize,
    /// Most bytes of refused documents that are kept whole, with their action lines.
    pub max_refused_bytes: usize,
}

impl Settings {
    /// The defaults for a server at `host`.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            credentials: None,
            ca_pem: None,
            insecure: false,
            chunk_bytes: 5 * 1024 * 1024,
            chunk_documents: 5_000,
            request_timeout: Duration::from_secs(120),
            backoff: Backoff::default(),
            max_refusals: 10,
            max_refused_bytes: 0,
        }
    }
}

/// Who asks; never shown.
#[derive(Clone)]
pub enum Credentials {
    /// User and password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// An API key, as the server gave it out.
    ApiKey(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic",
            Self::ApiKey(_) => "ApiKey",
        })
    }
}

/// A server that answered.
#[derive(Debug)]
pub struct OpenSearch {
    agent: Agent,
    base: String,
    authorization: Option<String>,
    settings: Settings,
    version: String,
}

impl OpenSearch {
    /// Asks the server at `settings.host` who it is.
    ///
    /// # Errors
    /// [`LoadError::Unreachable`] where nobody answers, [`LoadError::Denied`] where credentials are missing.
    pub fn connect(settings: Settings) -> Result<Self, LoadError> {
        let base = base_url(&settings.host)?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_global(Some(settings.request_timeout))
            .user_agent(concat!("telemill/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls(&settings)?)
            .build();
        let authorization = settings.credentials.as_ref().map(|credentials| match credentials {
            Credentials::Basic { user, password } => format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))),
            Credentials::ApiKey(key) => format!("ApiKey {key}"),
        });
        let mut server = Self { agent: config.into(), base, authorization, settings, version: String::new() };
        let answer = server.ask(Method::GET, "/", None)?;
        // A key that may only write gets 403 here, which is no reason to stop.
        if answer.status == StatusCode::UNAUTHORIZED {
            return Err(server.denied(&answer));
        }
        let about: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        server.version = about.pointer("/version/number").and_then(Value::as_str).unwrap_or("unknown").to_owned();
        Ok(server)
    }

    /// What the server says its version is; `unknown` where it does not say.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Creates `index` with `body` (see [`super::mapping::index_body`]). One that exists is deleted first with
    /// `recreate`, and an error without.
    ///
    /// # Errors
    /// [`LoadError::IndexExists`], and what the server says of the body.
    pub fn create_index(&self, index: &str, body: &Value, recreate: bool) -> Result<(), LoadError> {
        check_index(index)?;
        if recreate {
            let answer = self.ask(Method::DELETE, &format!("/{index}"), None)?;
            if answer.status != StatusCode::NOT_FOUND {
                self.accepted(&answer)?;
            }
        }
        let answer =
            self.ask(Method::PUT, &format!("/{index}"), Some(("application/json", body.to_string().as_bytes())))?;
        if answer.failure().kind == "resource_already_exists_exception" {
            return Err(LoadError::IndexExists { index: index.to_owned() });
        }
        self.accepted(&answer)
    }

    /// How many documents `index` shows after a refresh.
    ///
    /// # Errors
    /// What the server says.
    pub fn count(&self, index: &str) -> Result<u64, LoadError> {
        check_index(index)?;
        self.accepted(&self.ask(Method::POST, &format!("/{index}/_refresh"), None)?)?;
        let answer = self.ask(Method::GET, &format!("/{index}/_count"), None)?;
        self.accepted(&answer)?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        body.get("count").and_then(Value::as_u64).ok_or_else(|| self.malformed(&answer, "there is no count in it"))
    }

    /// One request, made again while the way to the server or the server itself has trouble.
    fn ask(&self, method: Method, path: &str, body: Option<(&str, &[u8])>) -> Result<Answer, LoadError> {
        let mut attempt = 1;
        loop {
            let answer = self.ask_once(&method, path, body);
            let pause = match &answer {
                Ok(answer) if is_temporary(answer.status.as_u16()) => {
                    self.settings.backoff.pause(attempt, answer.retry_after)
                }
                // Whoever can't be reached at the first request is not there.
                _ => None,
            };
            let Some(pause) = pause else {
                return answer.map_err(|error| LoadError::Unreachable { url: self.base.clone(), cause: cause(&error) });
            };
            std::thread::sleep(pause);
            attempt += 1;
        }
    }

    /// One request, once.
    fn ask_once(&self, method: &Method, path: &str, body: Option<(&str, &[u8])>) -> Result<Answer, ureq::Error> {
        let url = format!("{}{path}", self.base);
        let mut request = Request::builder().method(method).uri(&url).header("accept", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let response = match body {
            // A slice has a length, so that the request is not sent in HTTP chunks, which the documentation of the
            // bulk API advises against.
            Some((kind, bytes)) => self.agent.run(request.header("content-type", kind).body(bytes)?),
            None => self.agent.run(request.body(())?),
        };
        let mut response = response?;
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(backoff::retry_after);
        let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec()?;
        Ok(Answer { url, status: response.status(), retry_after, body })
    }

    fn accepted(&self, answer: &Answer) -> Result<(), LoadError> {
        match answer.status.as_u16() {
            200..300 => Ok(()),
            401 | 403 => Err(self.denied(answer)),
            status => {
                Err(LoadError::Rejected { url: answer.url.clone(), status, reason: answer.failure().to_string() })
            }
        }
    }

    fn denied(&self, answer: &Answer) -> LoadError {
        LoadError::Denied { url: answer.url.clone(), status: answer.status.as_u16() }
    }

    fn malformed(&self, answer: &Answer, reason: impl fmt::Display) -> LoadError {
        let start: String = String::from_utf8_lossy(&answer.body).chars().take(80).collect();
        LoadError::Malformed { url: answer.url.clone(), reason: format!("{reason}; it starts with {start:?}") }
    }
}

/// What came back.
#[derive(Debug)]
struct Answer {
    url: String,
    status: StatusCode,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl Answer {
    fn failure(&self) -> Failure {
        Failure::of_body(&self.body)
    }
}

/// Whether trying again may help.
fn is_temporary(status: u16) -> bool {
    status == 429 || (500..600).contains(&status)
}

/// An error on the way, for people.
fn cause(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// The address with its scheme and without a slash at its end.
fn base_url(host: &str) -> Result<String, LoadError> {
    let bad = |reason: &str| LoadError::BadHost { host: host.to_owned(), reason: reason.to_owned() };
    let url = if host.contains("://") { host.to_owned() } else { format!("http://{host}") };
    let url = url.trim_end_matches('/').to_owned();
    let uri: ureq::http::Uri = url.parse().map_err(|error| bad(&format!("{error}")))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(bad("the scheme must be http or https"));
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err(bad("there is no host in it"));
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(LoadError::BadHost {
            host: "…@…".into(),
            reason: "user and password have options of their own".into(),
        });
    }
    Ok(url)
}

fn tls(settings: &Settings) -> Result<TlsConfig, LoadError> {
    let mut tls = TlsConfig::builder().disable_verification(settings.insecure);
    if let Some(pem) = &settings.ca_pem {
        let bad = |reason: String| LoadError::BadCertificates { reason };
        let mut certificates = Vec::new();
        for item in parse_pem(pem) {
            if let PemItem::Certificate(certificate) = item.map_err(|error| bad(error.to_string()))? {
                certificates.push(certificate);
            }
        }
        if certificates.is_empty() {
            return Err(bad("there is no certificate in the file".into()));
        }
        tls = tls.root_certs(RootCerts::from(certificates));
    }
    Ok(tls.build())
}

/// Holds a name to the "Index naming restrictions" of the Create index API, before it becomes part of a path: a
/// wildcard must never reach a `DELETE`.
fn check_index(index: &str) -> Result<(), LoadError> {
    let reason = if index.is_empty() || index == "." || index == ".." {
        "it is empty"
    } else if index.len() > 255 {
        "it is longer than 255 bytes"
    } else if index.chars().any(char::is_uppercase) {
        "all letters must be lower-case"
    } else if index.starts_with(['_', '-', '+']) {
        "it must not start with an underscore, a hyphen or a plus"
    } else if index.chars().any(|c| c.is_whitespace() || c.is_control() || ":\"*+/\\|?#><,%&".contains(c)) {
        "it must not contain spaces or any of : \" * + / \\ | ? # > < , % &"
    } else {
        return Ok(());
    };
    Err(LoadError::BadIndex { index: index.to_owned(), reason })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn addresses_get_a_scheme_and_lose_secrets() {
        assert_eq!(base_url("localhost:9200").unwrap(), "http://localhost:9200");
        assert_eq!(base_url("https://search.example/prefix/").unwrap(), "https://search.example/prefix");
        for host in ["", "ftp://x", "http://", "a b"] {
            assert!(matches!(base_url(host), Err(LoadError::BadHost { .. })), "{host}");
        }
        let error = base_url("https://me:secret@search.example").expect_err("credentials in the address");
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn names_that_mean_more_than_one_index_are_refused() {
        for index in ["", "*", "a*", "a,b", "_all", "-a", "A", "a/b", "a?b", "..", "a b", "a%2fb"] {
            assert!(matches!(check_index(index), Err(LoadError::BadIndex { .. })), "{index}");
        }
        check_index("ecommerce_performance_demo").unwrap();
    }

    #[test]
    fn credentials_are_not_shown() {
        let settings = Settings { credentials: Some(Credentials::ApiKey("secret".into())), ..Settings::new("x") };
        assert!(!format!("{settings:?}").contains("secret"));
    }
}
