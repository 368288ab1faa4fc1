//! Plugins: uploads and comparisons.

use crate::core::time::{Length, Timestamp};
use crate::versions::{Followed, Installed};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

/// A component that was taken in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = UploadedPlugin)]
pub struct Uploaded {
    /// The version.
    pub installed: Installed,
    /// What its name means now, where that was asked for.
    pub activated: Option<Followed>,
}

/// How a component is held to the contract.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CheckQuery {
    /// A plugin of the server: a name, a name with `@` and a version, or `sha256:` and a digest; the body where it is left out.
    pub plugin: Option<String>,
    /// What the report calls a component that was sent.
    pub origin: Option<String>,
    /// The configuration to try the laws with, as JSON; the defaults where it is left out.
    pub config: Option<String>,
    /// The generator of the server on whose targets and rows an incident model or a validator is tried; the one that suits best of
    /// those that ship or are installed where it is left out.
    pub generator: Option<String>,
    /// The seed; 42 where it is left out.
    pub seed: Option<u64>,
    /// Seconds that the check may take, 1 to 300.
    #[param(minimum = 1, maximum = 300)]
    pub within: Option<u64>,
    /// Try every target with every signal, instead of one of each kind; `within` holds.
    #[serde(default)]
    pub every_target: bool,
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
