//! A stream as people and other programs see it.

use crate::batch::{TableFingerprint, dataset_fingerprint};
use crate::core::digest::Digest;
use crate::core::id::StreamId;
use crate::core::time::Timestamp;
use crate::store::{ClockAnchor, PluginUse, StreamRecord, StreamState, TableTotal};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A stream and what it has made so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StreamView {
    /// Its id.
    pub id: StreamId,
    /// The dataset that it writes.
    pub dataset: String,
    /// What it is doing.
    pub state: StreamState,
    /// Its spec without open choices, incidents by hand included.
    #[schema(value_type = Object)]
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
    pub tables: Vec<TableTotal>,
    /// The fingerprint of them all; a run of the same rows has the same.
    pub fingerprint: Digest,
}

impl From<StreamRecord> for StreamView {
    fn from(record: StreamRecord) -> Self {
        let total = |(table, sum): (&String, &TableFingerprint)| TableTotal {
            table: table.clone(),
            rows: sum.rows,
            fingerprint: sum.to_string(),
        };
        Self {
            tables: record.tables.iter().map(total).collect(),
            fingerprint: dataset_fingerprint(&record.tables),
            id: record.id,
            dataset: record.dataset,
            state: record.state,
            spec: record.spec,
            plugins: record.plugins,
            versions: record.versions,
            created_at: record.created_at,
            ended_at: record.ended_at,
            error: record.error,
            clock: record.clock,
            position: record.position,
            planned_until: record.planned_until,
            judged_until: record.judged_until,
            commits: record.commits,
        }
    }
}
