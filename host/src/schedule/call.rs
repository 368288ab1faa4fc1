//! The call of an HTTP endpoint as a step. The pipeline is the operator's own file, so any address may be called.

use super::error::StepError;
use super::log::StepLog;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use ureq::Agent;
use ureq::http::{Method, Request};

/// Largest answer that is read.
const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;
/// Longest wait for an answer, whatever the step's timeout is: a call can't be stopped in the midst.
const MAX_WAIT: Duration = Duration::from_secs(600);
/// How much of an answer goes into the log, in characters.
const LOGGED_CHARS: usize = 500;

/// Which endpoint, and what it is told.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    url: String,
    #[serde(default = "get")]
    method: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The body as it is.
    #[serde(default)]
    body: Option<String>,
    /// The body as JSON.
    #[serde(default)]
    json: Option<Value>,
    /// The variable of the environment that has the bearer token.
    #[serde(default)]
    bearer_env: Option<String>,
    /// Statuses that are good; all of 200 to 299 where none is named.
    #[serde(default)]
    expect: Vec<u16>,
    /// The file that the answer's body goes to.
    #[serde(default)]
    output: Option<PathBuf>,
}

fn get() -> String {
    "GET".to_owned()
}

impl Call {
    /// Looks for what can't go together.
    pub(super) fn checked(self) -> Result<Self, String> {
        let known = ["http://", "https://"].iter().any(|scheme| self.url.starts_with(scheme));
        if !known {
            return Err(format!("url: {:?} begins with neither http:// nor https://", self.url));
        }
        if self.body.is_some() && self.json.is_some() {
            return Err("json: there is a body already".to_owned());
        }
        match Method::from_bytes(self.method.as_bytes()) {
            Ok(_) => Ok(self),
            Err(_) => Err(format!("method: {:?} is no method", self.method)),
        }
    }

    /// Calls it.
    pub(super) fn run(&self, timeout: Duration, log: &StepLog) -> Result<Value, StepError> {
        let failed = |message: String| StepError::Failed(format!("{} {}: {message}", self.method, self.url));
        let agent: Agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(timeout.min(MAX_WAIT)))
            .user_agent(concat!("telemill/", env!("CARGO_PKG_VERSION")))
            .allow_non_standard_methods(true)
            .build()
            .into();
        let mut request = Request::builder().method(self.method.as_str()).uri(&self.url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(variable) = &self.bearer_env {
            let token = std::env::var(variable)
                .map_err(|_| StepError::Verdict(format!("the environment has no variable {variable}")))?;
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if self.json.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = self.json.as_ref().map(Value::to_string).or_else(|| self.body.clone());
        let response = match body {
            Some(body) => request.body(body).map_err(ureq::Error::from).and_then(|request| agent.run(request)),
            None => request.body(()).map_err(ureq::Error::from).and_then(|request| agent.run(request)),
        };
        let mut response = response.map_err(|error| failed(error.to_string()))?;
        let status = response.status().as_u16();
        let bytes = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
        let bytes = bytes.map_err(|error| failed(error.to_string()))?;
        let shown: String = String::from_utf8_lossy(&bytes).chars().take(LOGGED_CHARS).collect();
        log.line(format!("{} {}: status {status}, {} bytes: {shown}", self.method, self.url, bytes.len()));
        let good = if self.expect.is_empty() { (200..300).contains(&status) } else { self.expect.contains(&status) };
        if !good {
            let message = format!("status {status}");
            // What a client did wrong stays wrong.
            let final_word = (400..500).contains(&status) && status != 408 && status != 429;
            return Err(if final_word { StepError::Verdict(failed(message).to_string()) } else { failed(message) });
        }
        if let Some(path) = &self.output {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(|error| failed(format!("{}: {error}", folder.display())))?;
            }
            std::fs::write(path, &bytes).map_err(|error| failed(format!("{}: {error}", path.display())))?;
        }
        Ok(json!({ "status": status, "bytes": bytes.len() }))
    }
}
