//! Why documents could not be loaded, each variant with what to do about it.

use super::Outcome;
use crate::sink::SinkError;

/// Why loading did not work. What was stored before stays stored; [`LoadError::GaveUp`] says how much.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Mend the address.
    #[error("{host:?} is no address of a server: {reason}; write localhost:9200 or https://search.example:9200")]
    BadHost {
        /// As given.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Mend the certificate file.
    #[error("the certificates to trust can't be used: {reason}")]
    BadCertificates {
        /// What is wrong.
        reason: String,
    },
    /// Choose another name.
    #[error("{index:?} can't be the name of an index: {reason}")]
    BadIndex {
        /// As given.
        index: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// Start the server, or mend the address.
    #[error(
        "no OpenSearch server answers at {url} ({cause}); is it running, and are host, port and scheme right? try: curl {url}"
    )]
    Unreachable {
        /// Where.
        url: String,
        /// What went wrong on the way.
        cause: String,
    },
    /// Give credentials, or others.
    #[error(
        "{url} does not let us in (status {status}); give --user USER:PASSWORD or --api-key, or TELEMILL_OPENSEARCH_USER or TELEMILL_OPENSEARCH_API_KEY in the environment"
    )]
    Denied {
        /// Where.
        url: String,
        /// 401 or 403.
        status: u16,
    },
    /// Say that the index may be replaced, or choose another.
    #[error("the index {index} exists already; --recreate deletes it first with all that is in it")]
    IndexExists {
        /// Its name.
        index: String,
    },
    /// The server does not accept the request; its reason says why.
    #[error("{url} refused the request with status {status}: {reason}")]
    Rejected {
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
        /// The server's reason.
        reason: String,
    },
    /// Something else than an OpenSearch server answers.
    #[error("{url} did not answer as OpenSearch does: {reason}")]
    Malformed {
        /// What was asked.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// Try again later: documents have ids, so that what is sent twice is stored once.
    #[error("gave up on {url} after {attempts} attempts ({cause}); {} documents were accepted before", outcome.accepted)]
    GaveUp {
        /// What was asked.
        url: String,
        /// How often.
        attempts: u32,
        /// The last answer, or the lack of one.
        cause: String,
        /// What was done until then.
        outcome: Box<Outcome>,
    },
    /// Mend the file.
    #[error("{path}, line {line}: {reason}")]
    BadFile {
        /// The file.
        path: String,
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// Rows could not be turned into documents.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The rows could not be had.
    #[error("the rows to load can't be read")]
    Rows(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Somebody stopped it.
    #[error("it was stopped")]
    Stopped,
}
