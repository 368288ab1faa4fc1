//! What rows of each phase look like, as it is written down. The defaults are those of `user-workloads`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemill_sdk::Problem;

/// What a table of metrics with phases must fulfil.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The table.
    pub table: String,
    /// Seconds between two samples of a user, as signatures are in MB per second; read off the rows where it is left out.
    pub interval_seconds: Option<f64>,
    /// Whether the columns of data moved are counters since the user's start rather than amounts of a sample; read off the rows where
    /// it is left out.
    pub counters: Option<bool>,
    /// The columns that must be there, with the range of their values.
    pub fields: Vec<FieldRange>,
    /// The signature of each phase.
    pub signatures: Vec<Signature>,
    /// Share of a phase's rows that must agree with its signature.
    pub agree_at_least: f64,
    /// Share of all rows that each phase must have.
    pub phase_share: Share,
    /// Share of all rows that the label `anomaly` must have.
    pub anomaly_share: Share,
    /// Shares are judged where the rows make up so many hours of one user.
    pub min_user_hours: f64,
}

/// A column and what its values lie between, both ends included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FieldRange {
    /// The column.
    pub column: String,
    /// The least value; none where there is no least.
    pub min: Option<f64>,
    /// The greatest value; none where there is no greatest.
    pub max: Option<f64>,
}

/// What rows of a phase look like. A row agrees that lies within every bound.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Signature {
    /// The phase.
    pub phase: String,
    /// Its bounds.
    pub bounds: Vec<Bound>,
}

/// What a quantity of a row lies between, both ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Bound {
    /// Which quantity.
    pub quantity: Quantity,
    /// The least value; none where there is no least.
    pub min: Option<f64>,
    /// The greatest value; none where there is no greatest.
    pub max: Option<f64>,
}

/// A quantity of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// `cpu_percent`.
    #[default]
    CpuPercent,
    /// `memory_percent`.
    MemoryPercent,
    /// `disk_read_mb` and `disk_write_mb` together, per second.
    DiskMbPerS,
    /// `network_sent_mb` and `network_recv_mb` together, per second.
    NetworkMbPerS,
}

/// The least and the greatest share, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Share {
    /// The least.
    pub at_least: f64,
    /// The greatest.
    pub at_most: f64,
}

impl Default for Share {
    fn default() -> Self {
        Self { at_least: 0.0, at_most: 1.0 }
    }
}

fn signature(phase: &str, bounds: &[(Quantity, Option<f64>, Option<f64>)]) -> Signature {
    let bounds = bounds.iter().map(|(quantity, min, max)| Bound { quantity: *quantity, min: *min, max: *max });
    Signature { phase: phase.to_owned(), bounds: bounds.collect() }
}

impl Default for Config {
    fn default() -> Self {
        use Quantity::{CpuPercent, DiskMbPerS, MemoryPercent};
        let field = |column: &str, max: Option<f64>| FieldRange { column: column.to_owned(), min: Some(0.0), max };
        Self {
            table: "user_metrics".to_owned(),
            interval_seconds: None,
            counters: None,
            fields: vec![
                field("timestamp", None),
                field("cpu_percent", Some(100.0)),
                field("memory_percent", Some(100.0)),
                field("memory_used_gb", None),
                field("disk_read_mb", None),
                field("disk_write_mb", None),
                field("network_sent_mb", None),
                field("network_recv_mb", None),
            ],
            signatures: vec![
                signature("cpu_bound", &[(CpuPercent, Some(65.0), None), (MemoryPercent, None, Some(60.0))]),
                signature("io_bound", &[(CpuPercent, None, Some(60.0)), (DiskMbPerS, Some(25.0), None)]),
                signature("memory_bound", &[(CpuPercent, Some(15.0), Some(75.0)), (MemoryPercent, Some(55.0), None)]),
                signature("idle", &[(CpuPercent, None, Some(20.0)), (DiskMbPerS, None, Some(10.0))]),
                signature(
                    "mixed",
                    &[
                        (CpuPercent, Some(25.0), Some(90.0)),
                        (MemoryPercent, None, Some(75.0)),
                        (DiskMbPerS, Some(5.0), Some(200.0)),
                    ],
                ),
            ],
            agree_at_least: 0.9,
            phase_share: Share { at_least: 0.1, at_most: 0.35 },
            anomaly_share: Share { at_least: 0.0, at_most: 0.2 },
            min_user_hours: 50.0,
        }
    }
}

impl Config {
    /// What the schema can't say.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut require = |good: bool, path: String, message: &str| {
            if !good {
                problems.push(Problem::new(path, message));
            }
        };
        let ends = |min: Option<f64>, max: Option<f64>| match (min, max) {
            (Some(min), Some(max)) => min <= max,
            (min, max) => min.or(max).is_none_or(|end| !end.is_nan()),
        };
        const ENDS: &str = "must not be above max";
        let interval = self.interval_seconds.is_none_or(|seconds| seconds.is_finite() && seconds > 0.0);
        require(interval, "/interval_seconds".to_owned(), "must be above 0");
        require((0.0..=1.0).contains(&self.agree_at_least), "/agree_at_least".to_owned(), "is a share, from 0 to 1");
        for (i, field) in self.fields.iter().enumerate() {
            require(!field.column.is_empty(), format!("/fields/{i}/column"), "must name a column");
            require(ends(field.min, field.max), format!("/fields/{i}/min"), ENDS);
        }
        for (i, signature) in self.signatures.iter().enumerate() {
            let known = self.signatures.iter().take(i).any(|earlier| earlier.phase == signature.phase);
            let phase = format!("/signatures/{i}/phase");
            require(!signature.phase.is_empty() && !known, phase, "must name a phase, each once");
            for (j, bound) in signature.bounds.iter().enumerate() {
                require(ends(bound.min, bound.max), format!("/signatures/{i}/bounds/{j}/min"), ENDS);
            }
        }
        for (share, path) in [(self.phase_share, "/phase_share"), (self.anomaly_share, "/anomaly_share")] {
            let good = 0.0 <= share.at_least && share.at_least <= share.at_most && share.at_most <= 1.0;
            require(good, path.to_owned(), "are shares from 0 to 1, at_least not above at_most");
        }
        problems
    }
}
