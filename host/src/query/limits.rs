//! What one query may use.

use serde::{Deserialize, Serialize};

/// Limits of queries; every one has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Longest time until the last row, in milliseconds (default 300,000: five minutes). Scans for exports and
    /// validators are not held to it.
    pub time_ms: u64,
    /// Memory of sorts, joins and aggregations, in bytes, before they spill (default 512 MiB).
    pub memory_bytes: usize,
    /// Bytes of spilled data on disk (default 16 GiB).
    pub spill_bytes: u64,
    /// Most rows that a SQL query returns; what is beyond is cut, and the result says so (default 1,000,000).
    pub rows: u64,
    /// Most bytes of Arrow data that a SQL query returns (default 1 GiB).
    pub output_bytes: u64,
    /// Rows of a batch inside of queries (default 8,192).
    pub batch_rows: usize,
    /// Threads of a query; all cores where it is left out.
    pub threads: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time_ms: 300_000,
            memory_bytes: 512 << 20,
            spill_bytes: 16 << 30,
            rows: 1_000_000,
            output_bytes: 1 << 30,
            batch_rows: 8_192,
            threads: None,
        }
    }
}
