//! Plugins: uploads and comparisons.

use crate::core::time::{Length, Timestamp};
use crate::versions::{Followed, Installed};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A component that was taken in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Uploaded {
    /// The version.
    pub installed: Installed,
    /// What its name means now, where that was asked for.
    pub activated: Option<Followed>,
}

/// What to compare with what.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Compare {
    /// The version in place; what the name means where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// The version that would take its place: such as 1.2.0, or `sha256:` and a digest.
    pub second: String,
    /// The seed of both; 42 where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Where simulated time starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub start: Option<Timestamp>,
    /// How much of it is simulated, such as 15m; a day at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub length: Option<Length>,
    /// The configuration of both; each one's defaults where it is left out.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub config: Map<String, Value>,
}
