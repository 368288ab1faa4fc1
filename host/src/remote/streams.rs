//! Streams of a server.

use super::target::Target;
use super::{RemoteError, Server};
use crate::api::Triggered;
use crate::core::id::StreamId;
use crate::run::RunSpec;
use crate::stream::{BatchKey, DeadLetter, DroppedLetters, SentAgain};
use crate::stream::{StreamSpec, StreamStats, StreamVerification, StreamView, Trigger};
use serde_json::{Value, json};

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

    /// What a stream is doing, in numbers.
    ///
    /// # Errors
    /// There is no such stream, or the server can't be asked.
    pub fn stream_stats(&self, id: &StreamId) -> Result<StreamStats, RemoteError> {
        self.get(Target::new(&["streams", id.as_str(), "stats"]))
    }

    /// Stops a stream's clock.
    ///
    /// # Errors
    /// There is no such stream, it is not running, or the server can't be asked.
    pub fn pause_stream(&self, id: &StreamId) -> Result<StreamView, RemoteError> {
        self.change_stream(id, "pause", &json!({}))
    }

    /// Lets a stream go on.
    ///
    /// # Errors
    /// There is no such stream, it is neither paused nor failed, or the server can't be asked.
    pub fn resume_stream(&self, id: &StreamId) -> Result<StreamView, RemoteError> {
        self.change_stream(id, "resume", &json!({}))
    }

    /// Lets a stream's clock go at another speed.
    ///
    /// # Errors
    /// There is no such stream, it has ended, no clock can go so fast, or the server can't be asked.
    pub fn set_stream_speed(&self, id: &StreamId, speed: f64) -> Result<StreamView, RemoteError> {
        self.change_stream(id, "speed", &json!({ "speed": speed }))
    }

    /// Ends a stream for good.
    ///
    /// # Errors
    /// There is no such stream, it has ended, or the server can't be asked.
    pub fn stop_stream(&self, id: &StreamId) -> Result<StreamView, RemoteError> {
        self.change_stream(id, "stop", &json!({}))
    }

    fn change_stream(&self, id: &StreamId, change: &str, body: &Value) -> Result<StreamView, RemoteError> {
        self.post(Target::new(&["streams", id.as_str(), change]), body)
    }

    /// Makes an incident by hand; gives what it brings about.
    ///
    /// # Errors
    /// There is no such stream, model, kind or target, it is too late, or the server can't be asked.
    pub fn trigger_incident(&self, id: &StreamId, trigger: &Trigger) -> Result<Vec<Triggered>, RemoteError> {
        self.post(Target::new(&["streams", id.as_str(), "incidents"]), trigger)
    }

    /// At most `limit` batches that a sink gave up, newest first; with `before`, only those with a smaller number.
    ///
    /// # Errors
    /// There is no such stream or sink, or the server can't be asked.
    pub fn dead_letters(
        &self,
        id: &StreamId,
        sink: &str,
        limit: u32,
        before: Option<i64>,
    ) -> Result<Vec<DeadLetter>, RemoteError> {
        self.pages(&letters(id, sink, &[]), limit, before.map(|number| number.to_string()))
    }

    /// What was sent of a batch that was given up.
    ///
    /// # Errors
    /// There is no such stream, sink or letter, or the server can't be asked.
    pub fn dead_letter_body(&self, sink: &str, key: &BatchKey) -> Result<Vec<u8>, RemoteError> {
        self.get_bytes(letters(&key.stream, sink, &[&key.to_string()]))
    }

    /// Sends the batches that a sink gave up again.
    ///
    /// # Errors
    /// There is no such stream or sink, they are being sent already, or the server can't be asked.
    pub fn send_dead_letters(&self, id: &StreamId, sink: &str) -> Result<SentAgain, RemoteError> {
        self.post(letters(id, sink, &["send"]), &json!({}))
    }

    /// Drops the batches that a sink gave up.
    ///
    /// # Errors
    /// There is no such stream or sink, or the server can't be asked.
    pub fn drop_dead_letters(&self, id: &StreamId, sink: &str) -> Result<DroppedLetters, RemoteError> {
        self.delete(letters(id, sink, &[]))
    }

    /// Makes all rows of a stream again, and compares.
    ///
    /// # Errors
    /// There is no such stream, or the server can't be asked.
    pub fn verify_stream(&self, id: &StreamId) -> Result<StreamVerification, RemoteError> {
        self.post(Target::new(&["streams", id.as_str(), "verify"]), &json!({}))
    }
}

fn letters(id: &StreamId, sink: &str, below: &[&str]) -> Target {
    Target::new(&[&["streams", id.as_str(), "sinks", sink, "dead-letters"], below].concat())
}
