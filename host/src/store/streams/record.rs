//! What is recorded of streams.

use crate::batch::TableFingerprint;
use crate::core::id::StreamId;
use crate::core::time::{Timestamp, Window};
use crate::store::PluginUse;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// What a stream is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamState {
    /// Its clock goes on; also while nobody runs it.
    Running,
    /// Its clock stands.
    Paused,
    /// Somebody ended it, or it came to its end; for good.
    Stopped,
    /// Something went wrong; it can be resumed once that is mended.
    Failed,
}

impl StreamState {
    const ALL: [Self; 4] = [Self::Running, Self::Paused, Self::Stopped, Self::Failed];

    /// The state's name, as the database and JSON have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for StreamState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for StreamState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is no state of a stream"))
    }
}

/// A simulated clock: at `wall` it showed `clock`, and it goes `speed` times as fast as the wall's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClockAnchor {
    /// Wall-clock time.
    pub wall: Timestamp,
    /// What the simulated clock showed then.
    pub clock: Timestamp,
    /// Simulated seconds a second, above 0.
    pub speed: f64,
}

/// A stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamRecord {
    /// Its id.
    pub id: StreamId,
    /// The dataset that it writes.
    pub dataset: String,
    /// What it is doing.
    pub state: StreamState,
    /// Its spec without open choices, incidents by hand included.
    pub spec: Value,
    /// The components that make its rows now.
    pub plugins: Vec<PluginUse>,
    /// Versions of what else shapes rows, by name.
    pub versions: BTreeMap<String, String>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it was stopped or failed.
    pub ended_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<String>,
    /// Its simulated clock.
    pub clock: ClockAnchor,
    /// Rows before this simulated time are in the lake, and no others.
    pub position: Timestamp,
    /// Incidents of the days before this one are planned.
    pub planned_until: Timestamp,
    /// Rows before this simulated time were judged by the validators.
    pub judged_until: Timestamp,
    /// How many commits it has made.
    pub commits: u64,
    /// Rows and fingerprints of all that it committed, by table.
    pub tables: BTreeMap<String, TableFingerprint>,
}

/// How far a commit brings a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamCommit {
    /// The stream.
    pub stream_id: StreamId,
    /// Which of its commits, from 1.
    pub number: u64,
    /// The simulated time that it covers.
    pub window: Window,
    /// When it was made.
    pub committed_at: Timestamp,
    /// Its rows, over all tables.
    pub rows: u64,
    /// Its files by table, as the lake describes them.
    pub files: Value,
}

/// An incident that a stream knows.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamIncident {
    /// Its id.
    pub incident_id: String,
    /// When it starts.
    pub start: Timestamp,
    /// When everything is back to normal.
    pub recovered: Timestamp,
    /// Whether it is a row of the ground truth already.
    pub shown: bool,
    /// The incident with its model.
    pub incident: Value,
}

/// Versions of plugins that took over in a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamSwap {
    /// The simulated time from which on the new versions make the rows.
    pub at: Timestamp,
    /// When it was done, by the wall's clock.
    pub swapped_at: Timestamp,
    /// The components until then.
    pub before: Vec<PluginUse>,
    /// The components from then on.
    pub after: Vec<PluginUse>,
    /// Whether the generator began afresh there, since it could not read the state.
    pub afresh: bool,
}
