//! Where rows come from.

use super::CollectError;
use crate::core::time::Timestamp;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Largest answer that is taken.
const MAX_BYTES: u64 = 256 << 20;
/// Longest text of a refusal that is shown.
const SHOWN_CHARS: usize = 300;

/// Something that answers with rows.
#[derive(Debug, Clone)]
pub enum Source {
    /// An endpoint that takes a JSON object by POST and answers with JSON.
    Http {
        /// Where.
        url: String,
        /// What is sent beside `current_time`.
        body: Map<String, Value>,
        /// How long it may take.
        timeout: Duration,
    },
    /// A query to an InfluxDB of version 1, or what speaks like it.
    Influx {
        /// The server, such as `http://127.0.0.1:8086`.
        url: String,
        /// The database.
        database: String,
        /// InfluxQL.
        query: String,
        /// How long it may take.
        timeout: Duration,
    },
}

impl Source {
    /// Where it is.
    pub(super) fn url(&self) -> &str {
        match self {
            Self::Http { url, .. } | Self::Influx { url, .. } => url,
        }
    }

    /// What it says of the instant `at`.
    pub(super) fn fetch(&self, at: Timestamp) -> Result<Value, CollectError> {
        match self {
            Self::Http { url, body, timeout } => {
                let mut body = body.clone();
                body.insert("current_time".to_owned(), json!(at.to_string()));
                let body = Value::Object(body).to_string();
                let request = ureq::http::Request::post(url).header("content-type", "application/json").body(body);
                self.answer(request, *timeout)
            }
            Self::Influx { url, database, query, timeout } => {
                let form = format!("db={}&q={}&epoch=u", encoded(database), encoded(query));
                let target = format!("{}/query", url.trim_end_matches('/'));
                let media = "application/x-www-form-urlencoded";
                let request = ureq::http::Request::post(target).header("content-type", media).body(form);
                self.answer(request, *timeout)
            }
        }
    }

    fn answer(
        &self,
        request: Result<ureq::http::Request<String>, ureq::http::Error>,
        timeout: Duration,
    ) -> Result<Value, CollectError> {
        let failed = |reason: String| CollectError::Source { url: self.url().to_owned(), reason };
        let request = request.map_err(|error| failed(error.to_string()))?;
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(timeout)).build().into();
        let mut response = agent.run(request).map_err(|error| failed(error.to_string()))?;
        let status = response.status();
        let bytes = response.body_mut().with_config().limit(MAX_BYTES).read_to_vec();
        let bytes = bytes.map_err(|error| failed(error.to_string()))?;
        if !status.is_success() {
            let shown: String = String::from_utf8_lossy(&bytes).chars().take(SHOWN_CHARS).collect();
            return Err(failed(format!("it answered {status}: {shown}")));
        }
        serde_json::from_slice(&bytes).map_err(|error| failed(format!("its answer is no JSON: {error}")))
    }
}

/// A value of a form.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
