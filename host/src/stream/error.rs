//! Why a stream could not be started, changed or gone on with, told apart by what the caller does next.

use crate::alert::AlertError;
use crate::core::id::StreamId;
use crate::core::time::Timestamp;
use crate::lake::LakeError;
use crate::plugin::PluginError;
use crate::query::QueryError;
use crate::run::{RunError, SpecError};
use crate::sink::SinkError;
use crate::store::{StoreError, StreamState};
use arrow::error::ArrowError;

/// Why a stream, or a question about one, failed.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// Mend the spec.
    #[error("the stream's spec can't be used: {key}{}{message}", if .key.is_empty() { "" } else { ": " })]
    Spec {
        /// The key that is at fault; empty for the whole.
        key: String,
        /// What is wrong.
        message: String,
    },
    /// The stream can't do that in its state.
    #[error("stream {id} is {state}: {message}")]
    State {
        /// The stream.
        id: StreamId,
        /// Its state.
        state: StreamState,
        /// What to do instead.
        message: &'static str,
    },
    /// There are as many streams as are allowed.
    #[error("{streams} streams are under way, which is as many as are allowed: stop one first")]
    TooMany {
        /// How many there are.
        streams: usize,
    },
    /// An incident by hand would reach back to rows that are made already.
    #[error("an incident can't start before {earliest}: the rows before are made already")]
    TooLate {
        /// The earliest possible start.
        earliest: Timestamp,
    },
    /// A new version's rows do not fit those that are there: keep the version, or start another stream.
    #[error("the new version can't take over: {message}")]
    Successor {
        /// What does not fit.
        message: String,
    },
    /// No sink of the stream has the name: use one that it has.
    #[error("stream {id} has no sink {sink:?}; it has {}", if .sinks.is_empty() { "none" } else { .sinks })]
    NoSink {
        /// The stream.
        id: StreamId,
        /// The name.
        sink: String,
        /// Those that there are.
        sinks: String,
    },
    /// There is no dead letter of that batch: it was sent again or dropped, or never was one.
    #[error(
        "the sink {sink} keeps no dead letter {key}: `telemill stream dead-letters list {sink}` shows those there are"
    )]
    NoLetter {
        /// The sink.
        sink: String,
        /// The batch's key.
        key: String,
    },
    /// Dead letters are sent one sink at a time: wait until that is done.
    #[error("dead letters are being sent already: wait until that is done")]
    Sending,
    /// The process is ending.
    #[error("the stream was interrupted; it goes on where it was when it is run again")]
    Interrupted,
    /// Planning or making rows failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A plugin failed.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A query failed.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Alerts could not be recorded.
    #[error(transparent)]
    Alert(#[from] AlertError),
    /// Rows have no words in a format.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// Rows could not be handled; a fault of the host.
    #[error("rows can't be handled")]
    Arrow(#[from] ArrowError),
    /// A record that this version can't read.
    #[error("the record of stream {id} can't be read: {message}")]
    Record {
        /// The stream.
        id: StreamId,
        /// What is wrong with it.
        message: String,
    },
}

impl From<SpecError> for StreamError {
    fn from(error: SpecError) -> Self {
        Self::Run(error.into())
    }
}
