//! Events as POST requests with JSON.

use super::AlertError;
use super::address::PublicOnly;
use super::settings::Settings;
use crate::store::AlertEvent;
use serde_json::json;
use std::time::Duration;
use ureq::Agent;
use ureq::http::Request;
use ureq::unversioned::transport::DefaultConnector;

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An address that is told events.
pub(super) struct Webhook {
    agent: Agent,
    url: String,
    token: Option<String>,
}

impl Webhook {
    /// The webhook of the settings, where there is one.
    pub(super) fn of(settings: &Settings) -> Result<Option<Self>, AlertError> {
        let Some(url) = settings.webhook.clone() else { return Ok(None) };
        if !["http://", "https://"].iter().any(|scheme| url.starts_with(scheme)) {
            let message = format!("{url:?} begins with neither http:// nor https://");
            return Err(AlertError::Setting { key: "webhook", message });
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(TIMEOUT))
            .user_agent(concat!("telemill/", env!("CARGO_PKG_VERSION")))
            .build();
        let agent = if settings.webhook_private {
            Agent::new_with_config(config)
        } else {
            Agent::with_parts(config, DefaultConnector::new(), PublicOnly::default())
        };
        Ok(Some(Self { agent, url, token: settings.webhook_token.as_ref().map(|token| token.0.clone()) }))
    }

    /// Tells one event; any status of 200 to 299 means that it was taken.
    pub(super) fn tell(&self, event: &AlertEvent) -> Result<(), String> {
        let mut request = Request::builder()
            .method("POST")
            .uri(&self.url)
            .header("content-type", "application/json")
            .header("idempotency-key", format!("alert-event-{}", event.id));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = json!({ "event": event.kind, "id": event.id, "at": event.at, "alert": event.alert }).to_string();
        let request = request.body(body).map_err(|error| error.to_string())?;
        match self.agent.run(request) {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => Err(format!("status {}", response.status().as_u16())),
            Err(error) => Err(error.to_string()),
        }
    }
}
