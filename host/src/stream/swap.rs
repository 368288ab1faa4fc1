//! Versions of plugins that take over in streams.

use super::error::StreamError;
use super::streams::Streams;
use crate::core::digest::Digest;
use crate::core::id::StreamId;
use crate::core::problem;
use crate::core::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A version that took over in a stream, for all partitions at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takeover {
    /// The simulated time from which on it makes the rows.
    pub at: Timestamp,
    /// Whether it began afresh there, since it could not read the state of the version before.
    pub afresh: bool,
}

/// What came of another version in a stream that uses the plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Swapped {
    /// The stream.
    pub stream: StreamId,
    /// The simulated time from which on the version makes the rows; none where the one before goes on.
    pub at: Option<Timestamp>,
    /// Whether it began afresh there, since it could not read the state of the version before.
    pub afresh: bool,
    /// Why it could not take over.
    pub error: Option<String>,
}

impl Streams {
    /// Another version of the plugin `name` takes over in a stream, for all partitions at one simulated time, which is
    /// recorded: with the saved state, or afresh where it can't read that. What the stream's spec names by version or digest
    /// stays. None where nothing changes.
    ///
    /// # Errors
    /// The version is not in the data folder, its rows do not fit, or it fails; the version from before goes on then.
    pub fn swap(&self, id: &StreamId, name: &str, digest: Digest) -> Result<Option<Takeover>, StreamError> {
        self.at_rest_or_live(id)?.swap(name, digest)
    }

    /// The same in every stream that is running or paused and uses the plugin: what an activation brings about. Returns what
    /// came of it, stream by stream; those that nothing changes in are left out.
    ///
    /// # Errors
    /// The database failed.
    pub fn swap_all(&self, name: &str, digest: Digest) -> Result<Vec<Swapped>, StreamError> {
        let host = &self.inner.host;
        let records = host.runtime.block_on(host.store.live_streams())?;
        let mut swapped = Vec::new();
        for record in records.into_iter().filter(|record| record.plugins.iter().any(|used| used.name == name)) {
            let stream = record.id;
            let (takeover, error) = match self.swap(&stream, name, digest) {
                Ok(None) => continue,
                Ok(Some(takeover)) => (Some(takeover), None),
                Err(error) => (None, Some(problem::chain(&error))),
            };
            if let Some(error) = &error {
                tracing::warn!(stream.id = %stream, plugin.name = name, "another version did not take over: {error}");
            }
            let (at, afresh) = (takeover.map(|takeover| takeover.at), takeover.is_some_and(|takeover| takeover.afresh));
            swapped.push(Swapped { stream, at, afresh, error });
        }
        Ok(swapped)
    }
}
