//! An HTTP server that takes rows: requests to it, and what its answers mean for a batch.

use super::Undelivered;
use std::collections::BTreeMap;
use std::time::Duration;
use ureq::Agent;
use ureq::http::{Method, Request};

/// Longest wait for one answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of an answer that are read: it is only looked at where something is wrong.
const MAX_ANSWER_BYTES: u64 = 64 << 10;
/// Longest part of an answer that a reason repeats, in characters.
const MAX_REASON_CHARS: usize = 300;

/// A server.
pub(super) struct Endpoint {
    agent: Agent,
    authorization: Option<String>,
    headers: BTreeMap<String, String>,
}

/// An answer: status and start of its body.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Why there is no answer.
pub(super) enum Unanswered {
    /// The request can't be made, or what came back is no HTTP: the next time would be no other.
    Impossible(String),
    /// Nobody answered, or not in time.
    Silent(String),
}

impl Unanswered {
    fn of(error: &ureq::Error) -> Self {
        let message = error.to_string();
        match error {
            ureq::Error::Http(_) | ureq::Error::BadUri(_) | ureq::Error::Protocol(_) => Self::Impossible(message),
            _ => Self::Silent(message),
        }
    }

    pub(super) fn reason(self) -> String {
        match self {
            Self::Impossible(reason) | Self::Silent(reason) => reason,
        }
    }
}

impl Endpoint {
    pub(super) fn new(authorization: Option<String>, headers: BTreeMap<String, String>) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // A row must not go where nobody sent it.
            .max_redirects(0)
            .proxy(None)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(REQUEST_TIMEOUT))
            .user_agent(concat!("telemill/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.into(), authorization, headers }
    }

    /// One request, once.
    pub(super) fn ask(
        &self,
        method: &Method,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, Unanswered> {
        let mut request = Request::builder().method(method).uri(url);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            request = request.header(name, value);
        }
        let sent = if body.is_empty() {
            request.body(()).map(|request| self.agent.run(request))
        } else {
            request.body(body).map(|request| self.agent.run(request))
        };
        let sent = sent.map_err(|error| Unanswered::Impossible(error.to_string()))?;
        let mut response = sent.map_err(|error| Unanswered::of(&error))?;
        let status = response.status().as_u16();
        let read = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).lossy_utf8(true).read_to_string();
        // An answer that is too long, or breaks off, has said its status all the same.
        let body = read.unwrap_or_default().chars().take(MAX_REASON_CHARS).collect();
        Ok(Answer { status, body })
    }

    /// Sends a batch; what the answer means for it.
    pub(super) fn deliver(&self, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<(), Undelivered> {
        let answer = self.ask(&Method::POST, url, headers, body);
        let answer = answer.map_err(|unanswered| Undelivered::Later(unanswered.reason()))?;
        match answer.status {
            200..300 => Ok(()),
            // Busy, or broken for now.
            408 | 425 | 429 | 500.. => Err(Undelivered::Later(format!("status {}: {}", answer.status, answer.body))),
            status => {
                Err(Undelivered::Never { reason: format!("status {status}: {}", answer.body), body: body.to_vec() })
            }
        }
    }
}
