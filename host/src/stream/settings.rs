//! What streams may use.

use serde::{Deserialize, Serialize};

/// What streams may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Threads that make rows. Default 0: one for each core.
    pub threads: usize,
    /// Most streams that are under way at a time; each keeps its instances in memory. Default 1,000.
    pub max_streams: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { threads: 0, max_streams: 1_000 }
    }
}
