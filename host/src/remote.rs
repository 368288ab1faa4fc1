//! A server somewhere else: what the routes of [`http`](crate::http) offer, for those who ask. A file for each resource, like the
//! routes; values come as the types that the host has.
//!
//! Blocking: callers on an async runtime put it on a thread of its own.

mod archive;
mod data;
mod error;
mod events;
mod plugins;
mod runs;
mod streams;
mod target;
mod tokens;
mod work;

pub use archive::Archive;
pub use error::RemoteError;
pub use events::Events;
pub use plugins::named;

use crate::api::{Health, Page, ProblemDocument};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::io::Read;
use std::time::Duration;
use target::Target;
use ureq::http::{Method, Request, Response, StatusCode};
use ureq::{Agent, Body, SendBody};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest silence of a server that sends events: it sends a comment every fifteen seconds.
const EVENT_TIMEOUT: Duration = Duration::from_secs(60);
/// Largest answer that is held: lists of a thousand items are a few megabytes.
const MAX_ANSWER_BYTES: u64 = 256 << 20;
/// Largest problem document that is read.
const MAX_PROBLEM_BYTES: u64 = 1 << 20;
/// How often a request is sent that could not be sent whole: nothing came of it.
const TRIES: u32 = 4;
/// Items of a page: the most that a server gives.
const PAGE_ITEMS: u32 = 1_000;

/// A server by its address.
#[derive(Clone)]
pub struct Server {
    base: String,
    authorization: Option<String>,
    /// Waits as long as an answer takes.
    agent: Agent,
    /// Gives up on a server that has gone silent.
    listener: Agent,
}

impl fmt::Debug for Server {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Server {
    /// The server at `url`, such as `http://127.0.0.1:8080`; nothing is asked of it yet.
    ///
    /// # Errors
    /// [`RemoteError::BadUrl`].
    pub fn at(url: &str, token: Option<&str>) -> Result<Self, RemoteError> {
        let base = target::base(url)?;
        let config = || {
            Agent::config_builder()
                .http_status_as_error(false)
                // A token must not go where nobody sent it.
                .max_redirects(0)
                .proxy(None)
                .timeout_connect(Some(CONNECT_TIMEOUT))
                .user_agent(concat!("telemill/", env!("CARGO_PKG_VERSION")))
        };
        Ok(Self {
            base,
            authorization: token.map(|token| format!("Bearer {token}")),
            agent: config().build().into(),
            listener: config().timeout_per_read(Some(EVENT_TIMEOUT)).build().into(),
        })
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// It does not.
    pub fn health(&self) -> Result<Health, RemoteError> {
        self.get(Target::root(&["healthz"]))
    }

    /// Whether it can work.
    ///
    /// # Errors
    /// It can't, or does not answer.
    pub fn readiness(&self) -> Result<Health, RemoteError> {
        self.get(Target::root(&["readyz"]))
    }

    fn get<T: DeserializeOwned>(&self, target: Target) -> Result<T, RemoteError> {
        self.parsed(self.send(&self.agent, Method::GET, target, &[], SendBody::none())?)
    }

    fn get_bytes(&self, target: Target) -> Result<Vec<u8>, RemoteError> {
        self.whole(self.send(&self.agent, Method::GET, target, &[], SendBody::none())?)
    }

    fn delete<T: DeserializeOwned>(&self, target: Target) -> Result<T, RemoteError> {
        self.parsed(self.send(&self.agent, Method::DELETE, target, &[], SendBody::none())?)
    }

    fn post<B: Serialize, T: DeserializeOwned>(&self, target: Target, body: &B) -> Result<T, RemoteError> {
        self.parsed(self.posted(target, body)?)
    }

    /// Posts, and gives the answer as it comes.
    fn post_for_bytes<B: Serialize>(&self, target: Target, body: &B) -> Result<impl Read + use<B>, RemoteError> {
        Ok(self.body(self.posted(target, body)?))
    }

    /// Sends bytes; the answer is a value.
    fn upload<T: DeserializeOwned>(
        &self,
        method: Method,
        target: Target,
        media: &str,
        body: SendBody<'_>,
    ) -> Result<T, RemoteError> {
        self.parsed(self.send(&self.agent, method, target, &[("content-type", media)], body)?)
    }

    fn posted<B: Serialize>(&self, target: Target, body: &B) -> Result<Response<Body>, RemoteError> {
        let text = serde_json::to_vec(body).map_err(|error| self.unreadable(error.into()))?;
        let json = [("content-type", "application/json")];
        let mut tries = 1;
        loop {
            let body = SendBody::from_owned_reader(std::io::Cursor::new(text.clone()));
            match self.send(&self.agent, Method::POST, target.clone(), &json, body) {
                Err(error) if error.is_unsent() && tries < TRIES => tries += 1,
                answer => return answer,
            }
        }
    }

    /// At most `limit` items of a list, newest first, from behind `before` on.
    fn pages<T: DeserializeOwned>(
        &self,
        target: &Target,
        limit: u32,
        before: Option<String>,
    ) -> Result<Vec<T>, RemoteError> {
        let (mut items, mut cursor, mut left) = (Vec::new(), before, limit);
        while left > 0 {
            let wanted = left.min(PAGE_ITEMS);
            let page: Page<T> = self.get(target.clone().with("limit", Some(wanted)).with("cursor", cursor.as_ref()))?;
            left -= left.min(u32::try_from(page.items.len()).unwrap_or(u32::MAX));
            items.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        Ok(items)
    }

    /// Asks once; only an answer of success comes back.
    fn send(
        &self,
        agent: &Agent,
        method: Method,
        target: Target,
        headers: &[(&str, &str)],
        body: SendBody<'_>,
    ) -> Result<Response<Body>, RemoteError> {
        let mut request = Request::builder().method(method).uri(format!("{}{target}", self.base));
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).map_err(|error| self.unsent(&error))?;
        let response = agent.run(request).map_err(|error| RemoteError::of(&self.base, error))?;
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response)) }
    }

    /// An answer that is no success, as an error.
    fn refusal(&self, mut response: Response<Body>) -> RemoteError {
        let status = response.status();
        let read = response.body_mut().with_config().limit(MAX_PROBLEM_BYTES).read_to_vec();
        let document = read.ok().and_then(|bytes| serde_json::from_slice::<ProblemDocument>(&bytes).ok());
        match (status, document) {
            (StatusCode::UNAUTHORIZED, Some(document)) => {
                RemoteError::Denied { url: self.base.clone(), reason: document.detail }
            }
            (_, Some(document)) => RemoteError::Refused(Box::new(document)),
            (_, None) => RemoteError::Foreign { url: self.base.clone(), status: status.as_u16() },
        }
    }

    fn parsed<T: DeserializeOwned>(&self, response: Response<Body>) -> Result<T, RemoteError> {
        let bytes = self.whole(response)?;
        serde_json::from_slice(&bytes).map_err(|error| self.unreadable(error.into()))
    }

    fn whole(&self, mut response: Response<Body>) -> Result<Vec<u8>, RemoteError> {
        let read = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
        read.map_err(|error| RemoteError::broken(&self.base, error))
    }

    /// The bytes of an answer of any length.
    fn body(&self, response: Response<Body>) -> impl Read + use<> {
        response.into_body().into_with_config().limit(u64::MAX).reader()
    }

    fn unreadable(&self, source: Box<dyn std::error::Error + Send + Sync>) -> RemoteError {
        RemoteError::Unreadable { url: self.base.clone(), source }
    }

    fn unsent(&self, error: &ureq::http::Error) -> RemoteError {
        RemoteError::BadUrl { url: self.base.clone(), reason: error.to_string() }
    }
}
