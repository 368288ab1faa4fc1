//! What the log may use.

use serde::{Deserialize, Serialize};

/// Bounds and times of the log (`ingest.…`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// Most bytes of rows in memory that are acknowledged and not in the lake; beyond, clients are told to wait. Default 256 MiB.
    pub memory_bytes: usize,
    /// Bytes of rows that are moved into the lake without waiting for more. Default 64 MiB, which is about a row group.
    pub move_bytes: usize,
    /// Longest time in seconds that rows wait to be moved. Default 60: how far a process beside the server may be behind.
    pub move_after_s: u64,
    /// Bytes after which a segment of the log is closed and another begun. Default 64 MiB.
    pub segment_bytes: u64,
    /// What must be left of the disk, so that the rows in memory can still be moved. Default 256 MiB.
    pub keep_free_bytes: u64,
    /// How long an idempotency key is remembered, in hours. Default 24.
    pub key_hours: u64,
    /// Most bytes that a compressed body may unfold to; twice as many are unfolded at once. Default 128 MiB.
    pub unfolded_bytes: u64,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            memory_bytes: 256 << 20,
            move_bytes: 64 << 20,
            move_after_s: 60,
            segment_bytes: 64 << 20,
            keep_free_bytes: 256 << 20,
            key_hours: 24,
            unfolded_bytes: 128 << 20,
        }
    }
}
