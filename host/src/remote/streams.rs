//! Streams of a server.

use super::target::Target;
use super::{RemoteError, Server};
use crate::core::id::StreamId;
use crate::run::RunSpec;
use crate::stream::{StreamSpec, StreamVerification, StreamView};
use serde_json::json;

impl Server {
    /// At most `limit` streams, newest first; with `before`, only older ones.
    ///
    /// # Errors
    /// The server can't be asked.
    pub fn streams(&self, limit: u32, before: Option<&StreamId>) -> Result<Vec<StreamView>, RemoteError> {
        self.pages(&Target::new(&["streams"]), limit, before.map(StreamId::to_string))
    }

    /// A stream.
    ///
    /// # Errors
    /// There is no such stream, or the server can't be asked.
    pub fn stream(&self, id: &StreamId) -> Result<StreamView, RemoteError> {
        self.get(Target::new(&["streams", id.as_str()]))
    }

    /// Starts a stream, which goes on as long as the server lives, and when it lives again.
    ///
    /// # Errors
    /// The spec can't be used there, or the server can't be asked.
    pub fn start_stream(&self, spec: &StreamSpec) -> Result<StreamView, RemoteError> {
        self.post(Target::new(&["streams"]), &spec.to_value())
    }

    /// The spec of the run that makes the same rows as a stream did so far.
    ///
    /// # Errors
    /// There is no such stream, or the server can't be asked.
    pub fn stream_as_run(&self, id: &StreamId) -> Result<RunSpec, RemoteError> {
        self.get(Target::new(&["streams", id.as_str(), "spec"]))
    }

    /// Ends a stream for good.
    ///
    /// # Errors
    /// There is no such stream, it has ended, or the server can't be asked.
    pub fn stop_stream(&self, id: &StreamId) -> Result<StreamView, RemoteError> {
        self.post(Target::new(&["streams", id.as_str(), "stop"]), &json!({}))
    }

    /// Makes all rows of a stream again, and compares.
    ///
    /// # Errors
    /// There is no such stream, or the server can't be asked.
    pub fn verify_stream(&self, id: &StreamId) -> Result<StreamVerification, RemoteError> {
        self.post(Target::new(&["streams", id.as_str(), "verify"]), &json!({}))
    }
}
