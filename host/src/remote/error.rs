//! Why a server could not be asked, told apart by what the caller does next.

use crate::api::ProblemDocument;
use std::io;

/// Why there is no answer, or none that can be used.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Mend the address.
    #[error("the server's address {url:?} can't be used: {reason}; write http://HOST:PORT")]
    BadUrl {
        /// As given, without a secret.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Start the server, or name another.
    #[error("no server answers at {url}: `telemill serve` starts one, and --server names another")]
    Unreachable {
        /// Its address.
        url: String,
        /// Why.
        source: io::Error,
    },
    /// It went away, and nobody knows what it had done by then.
    #[error(
        "the server at {url} went away in the midst of its answer; `telemill --server {url} doctor` tells whether it is back"
    )]
    Broken {
        /// Its address.
        url: String,
        /// How.
        source: io::Error,
    },
    /// Give a token.
    #[error("the server at {url} wants a token, which --token or TELEMILL_TOKEN gives: {reason}")]
    Denied {
        /// Its address.
        url: String,
        /// What it said.
        reason: String,
    },
    /// The server says no, as the local command would.
    #[error("{}", .0.detail)]
    Refused(Box<ProblemDocument>),
    /// What answers is no Telemill.
    #[error("what answers at {url} is no telemill server, or something stands before it: status {status}")]
    Foreign {
        /// Its address.
        url: String,
        /// The status.
        status: u16,
    },
    /// Another version, or another program.
    #[error("the answer of {url} can't be read; `telemill --server {url} doctor` tells which version answers there")]
    Unreadable {
        /// Its address.
        url: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Rows could not be read or written on this side.
    #[error("the rows can't be written")]
    Write(#[source] io::Error),
}

impl RemoteError {
    /// An error of the client.
    pub(super) fn of(url: &str, error: ureq::Error) -> Self {
        let url = url.to_owned();
        let never_there = match &error {
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed | ureq::Error::Tls(_) => true,
            ureq::Error::Timeout(timeout) => matches!(timeout, ureq::Timeout::Connect | ureq::Timeout::Resolve),
            ureq::Error::Io(error) => matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::AddrNotAvailable
            ),
            _ => false,
        };
        let source = error.into_io();
        if never_there { Self::Unreachable { url, source } } else { Self::Broken { url, source } }
    }

    /// An answer that broke off.
    pub(super) fn broken(url: &str, error: ureq::Error) -> Self {
        Self::Broken { url: url.to_owned(), source: error.into_io() }
    }

    /// The status, where the server said no.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(document) => Some(document.status),
            Self::Foreign { status, .. } => Some(*status),
            _ => None,
        }
    }
}
