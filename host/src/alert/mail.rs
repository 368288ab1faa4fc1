//! Events as e-mails.

use super::AlertError;
use super::log_file::line;
use super::settings::{Settings, SmtpSecurity};
use crate::store::AlertEvent;
use lettre::message::{Mailbox, Mailboxes, header};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Message, SmtpTransport, Transport as _};
use std::time::Duration;

/// Longest wait for one answer of the server.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Longest subject, in characters.
const MAX_SUBJECT: usize = 150;

/// Addresses that are told events.
pub(super) struct Mail {
    transport: SmtpTransport,
    from: Mailbox,
    to: Mailboxes,
}

impl Mail {
    /// The e-mails of the settings, where there are any.
    pub(super) fn of(settings: &Settings) -> Result<Option<Self>, AlertError> {
        let bad = |key: &'static str, message: String| AlertError::Setting { key, message };
        let Some(to) = &settings.mail_to else { return Ok(None) };
        let to: Mailboxes = to.parse().map_err(|error| bad("mail_to", format!("{to:?}: {error}")))?;
        let from = settings.mail_from.as_ref().ok_or_else(|| bad("mail_from", "it is missing".to_owned()))?;
        let from: Mailbox = from.parse().map_err(|error| bad("mail_from", format!("{from:?}: {error}")))?;
        let server = settings.smtp.as_deref().ok_or_else(|| bad("smtp", "it is missing".to_owned()))?;
        let (host, port) = server
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)))
            .ok_or_else(|| bad("smtp", format!("{server:?}: write HOST:PORT")))?;
        let parameters = || TlsParameters::new(host.to_owned()).map_err(|error| bad("smtp", error.to_string()));
        let tls = match settings.smtp_security {
            SmtpSecurity::Tls => Tls::Wrapper(parameters()?),
            SmtpSecurity::Starttls => Tls::Required(parameters()?),
            SmtpSecurity::None => Tls::None,
        };
        let mut transport = SmtpTransport::builder_dangerous(host).port(port).tls(tls).timeout(Some(TIMEOUT));
        if let (Some(user), Some(password)) = (&settings.smtp_user, &settings.smtp_password) {
            transport = transport.credentials(Credentials::new(user.clone(), password.0.clone()));
        }
        Ok(Some(Self { transport: transport.build(), from, to }))
    }

    /// Sends one event.
    pub(super) fn tell(&self, event: &AlertEvent) -> Result<(), String> {
        let alert = &event.alert;
        let about = alert.dataset.as_deref().unwrap_or(&alert.source);
        let subject: String = format!("[telemill] {} {}: {about} {}", event.kind, alert.severity, alert.rule)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(MAX_SUBJECT)
            .collect();
        let seen = format!("first seen {}, last seen {}, {} times", alert.raised_at, alert.last_at, alert.times);
        let body =
            format!("{}\n{}\nfound by {}\nalert {}\n{seen}\n", line(event).trim_end(), "", alert.source, alert.id);
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            .message_id(Some(format!("<telemill-alert-event-{}-{}@telemill>", event.id, event.at.0)))
            .header(header::ContentType::TEXT_PLAIN);
        for to in self.to.iter() {
            message = message.to(to.clone());
        }
        let message = message.body(body).map_err(|error| error.to_string())?;
        self.transport.send(&message).map(drop).map_err(|error| error.to_string())
    }
}
