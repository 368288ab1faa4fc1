//! Where alerts go.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// Where alerts go; nowhere but to the table where nothing is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A file that gets a line for each event.
    pub log_file: Option<PathBuf>,
    /// An address that gets a POST with JSON for each event.
    pub webhook: Option<String>,
    /// The bearer token that it is sent.
    pub webhook_token: Option<Secret>,
    /// Whether the webhook may be on this machine or in a private network. Default false.
    pub webhook_private: bool,
    /// Addresses that get an e-mail for each event, separated by commas.
    pub mail_to: Option<String>,
    /// The address that e-mails come from.
    pub mail_from: Option<String>,
    /// The server that takes e-mails, as `HOST:PORT`.
    pub smtp: Option<String>,
    /// How it is talked to. Default `starttls`.
    pub smtp_security: SmtpSecurity,
    /// The user there.
    pub smtp_user: Option<String>,
    /// And the password.
    pub smtp_password: Option<Secret>,
}

/// How a mail server is talked to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpSecurity {
    /// Encrypted from the first byte on.
    Tls,
    /// Encrypted before anything is said; a server that can't is an error.
    #[default]
    Starttls,
    /// In the clear; for a server on this machine.
    None,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(not shown)")
    }
}
