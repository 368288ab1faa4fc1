//! What is in the lake, and rows that come in.

use crate::core::time::{Length, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

/// A query.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"sql": "SELECT count(*) AS n FROM ecommerce.transactions"}))]
pub struct NewQuery {
    /// One statement that reads. Datasets are schemas.
    pub sql: String,
    /// `json`, `ndjson`, `csv` or `table`; where it is left out, what `Accept` says, else `json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Say behind the rows how many they are and whether there are more: after an ASCII record separator (0x1E), as JSON in a line of
    /// its own, such as `{"rows":1000000,"more":true}`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub summary: bool,
}

/// What stands behind the rows of a query where that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuerySummary {
    /// Rows that came.
    pub rows: u64,
    /// Whether there are more, which the limit on rows or the table's length left out.
    pub more: bool,
}

impl QuerySummary {
    /// What parts it from the rows.
    pub const SEPARATOR: u8 = 0x1e;
    /// Longest summary with its separator and the end of its line, in bytes.
    pub const MAX_BYTES: usize = 64;
}

/// Whether distinct values are counted.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CountQuery {
    /// Count distinct values, which reads all rows.
    #[serde(default)]
    pub distinct: bool,
}

/// Rows of a table.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RowsQuery {
    /// From here on; from the first row where it is left out.
    pub from: Option<Timestamp>,
    /// Up to here, exclusive; to the last row where it is left out.
    pub to: Option<Timestamp>,
    /// Only the span of this length that ends with the newest row, such as 30d.
    #[param(value_type = Option<String>)]
    pub last: Option<Length>,
    /// In the ascending order of these columns, with commas between; in the order of the files where it is left out.
    pub order_by: Option<String>,
}

/// How a file is taken in.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct IngestQuery {
    /// What the file is called, without a folder; its ending tells the format where `format` is left out.
    pub name: String,
    /// `csv`, `ndjson`, `opensearch`, `influx`, `parquet` or `arrow`.
    pub format: Option<String>,
    /// The column that places rows of a new table in time.
    pub time_field: Option<String>,
    /// The name of the export profile that wrote the file, which ships unless `profile_text` has it.
    pub profile: Option<String>,
    /// That profile, in TOML.
    pub profile_text: Option<String>,
}

/// A recipe or a profile with its name, which messages use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// What it is called.
    pub name: String,
    /// What it says, in TOML; left out for one that ships under this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A cleaning.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CleanRequest {
    /// What is done.
    pub recipe: Text,
    /// The dataset that the rows go to.
    pub output: String,
    /// Whether that dataset is begun anew.
    #[serde(default)]
    pub replace: bool,
    /// Only rows from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Only rows before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Only the span of this length that ends with the newest row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub last: Option<Length>,
}

/// A judgement that is wanted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidateRequest {
    /// The validator: a name, or `sha256:` and a digest.
    pub with: String,
    /// Its configuration.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// Only rows from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Only rows before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Only the span of this length that ends with the newest row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub last: Option<Length>,
}

/// Rows to look at, of any window of a spec.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewRequest {
    /// A spec as for a run.
    #[schema(value_type = Object)]
    pub spec: Map<String, Value>,
    /// Where the window starts; the start of the run where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// How long the window is; a minute where it is left out.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub length: Option<Length>,
    /// Only this table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Rows to show of each table; ten where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `json` or `table`; `json` where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}
