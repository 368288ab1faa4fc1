//! Where rows come from.

use super::{CollectError, flux};
use crate::core::time::Timestamp;
use crate::sink::Credentials;
use serde_json::{Map, Value, json};
use std::time::Duration;
use ureq::http::Request;
use ureq::http::request::Builder;

/// Largest answer that is taken.
const MAX_BYTES: u64 = 256 << 20;
/// Longest text of a refusal that is shown.
const SHOWN_CHARS: usize = 300;

/// Something that answers with rows.
#[derive(Debug, Clone)]
pub struct Source {
    /// The endpoint, or the InfluxDB's address, such as `http://127.0.0.1:8086`.
    pub url: String,
    /// What it is asked.
    pub question: Question,
    /// Who asks.
    pub credentials: Credentials,
    /// How long it may take.
    pub timeout: Duration,
}

/// What a source is asked.
#[derive(Debug, Clone)]
pub enum Question {
    /// An endpoint that takes a JSON object by POST and answers with JSON: what it is sent beside `current_time`.
    Endpoint(Map<String, Value>),
    /// An InfluxDB of version 1, or what speaks like it.
    InfluxQl {
        /// The database.
        database: String,
        /// InfluxQL.
        query: String,
    },
    /// An InfluxDB of version 2.
    Flux {
        /// The organisation.
        org: String,
        /// Flux.
        query: String,
    },
}

/// What a source answered.
#[derive(Debug)]
pub(super) struct Fetched {
    /// JSON as it came; of Flux, whose answers are CSV, the rows as JSON.
    pub(super) raw: Vec<u8>,
    /// The same, parsed.
    pub(super) rows: Value,
}

impl Source {
    /// What it says of the instant `at`; rows of Flux are an array of objects.
    pub(super) fn fetch(&self, at: Timestamp) -> Result<Fetched, CollectError> {
        let base = self.url.trim_end_matches('/');
        let request = |url: &str, media: &str| Request::post(url).header("content-type", media);
        match &self.question {
            Question::Endpoint(body) => {
                let mut body = body.clone();
                body.insert("current_time".to_owned(), json!(at.to_string()));
                let answer = self.answer(request(&self.url, "application/json"), Value::Object(body).to_string())?;
                self.json(answer)
            }
            Question::InfluxQl { database, query } => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.append_pair("db", database).append_pair("q", query).append_pair("epoch", "u");
                let form = form.finish();
                let media = "application/x-www-form-urlencoded";
                let answer = self.answer(request(&format!("{base}/query"), media), form)?;
                self.json(answer)
            }
            Question::Flux { org, query } => {
                let dialect = json!({ "annotations": ["datatype", "group", "default"], "header": true });
                let body = json!({ "query": query, "type": "flux", "dialect": dialect }).to_string();
                let mut org_of = form_urlencoded::Serializer::new(String::new());
                let target = format!("{base}/api/v2/query?{}", org_of.append_pair("org", org).finish());
                let request = request(&target, "application/json").header("accept", "application/csv");
                let answer = self.answer(request, body)?;
                let unfit = |problem| CollectError::Unfit { url: self.url.clone(), problem };
                let rows = flux::rows(answer.into()).map_err(unfit)?;
                Ok(Fetched { raw: rows.to_string().into_bytes(), rows })
            }
        }
    }

    /// The body of the answer to a request, which is not sent on where it is redirected to.
    fn answer(&self, mut request: Builder, body: String) -> Result<Vec<u8>, CollectError> {
        // The word that each of them has for a token.
        let bearer = if matches!(self.question, Question::Flux { .. }) { "Token" } else { "Bearer" };
        let credentials = |reason| CollectError::Credentials { url: self.url.clone(), reason };
        if let Some(authorization) = self.credentials.header(bearer).map_err(credentials)? {
            request = request.header("authorization", authorization);
        }
        let request = request.body(body).map_err(|error| self.failed(&error))?;
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(self.timeout))
            .user_agent(concat!("telemill/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let mut response = agent.run(request).map_err(|error| self.failed(&error))?;
        let status = response.status();
        let bytes = response.body_mut().with_config().limit(MAX_BYTES).read_to_vec();
        let bytes = bytes.map_err(|error| self.failed(&error))?;
        if !status.is_success() {
            let shown: String = String::from_utf8_lossy(&bytes).chars().take(SHOWN_CHARS).collect();
            let reason = format!("it answered {status}: {shown}");
            // What was asked is wrong, and will be; the others are trouble that may pass.
            if status.is_client_error() && !matches!(status.as_u16(), 408 | 425 | 429) {
                return Err(CollectError::Refused { url: self.url.clone(), reason });
            }
            return Err(self.failed(&reason));
        }
        Ok(bytes)
    }

    fn json(&self, raw: Vec<u8>) -> Result<Fetched, CollectError> {
        match serde_json::from_slice(&raw) {
            Ok(rows) => Ok(Fetched { raw, rows }),
            Err(error) => Err(self.failed(&format!("its answer is no JSON: {error}"))),
        }
    }

    fn failed(&self, reason: &dyn std::fmt::Display) -> CollectError {
        CollectError::Source { url: self.url.clone(), reason: reason.to_string() }
    }
}
