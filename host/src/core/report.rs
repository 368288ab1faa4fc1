//! What a validator found: findings, metrics and the verdict that follows from them.

use super::incident::Severity;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A rule that rows broke.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Finding {
    /// The rule's name.
    pub rule: String,
    /// High and critical fail the report.
    pub severity: Severity,
    /// The table, where the rule is about one.
    pub table: Option<String>,
    /// The column, where the rule is about one.
    pub column: Option<String>,
    /// What is wrong.
    pub message: String,
    /// Rows that broke the rule.
    pub failed: u64,
    /// Rows that were looked at.
    pub checked: u64,
    /// A few of the failed rows, counted in the order that the validator saw them.
    pub samples: Vec<u64>,
}

/// A figure that the validator measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// UCUM code.
    pub unit: Option<String>,
    /// The simulated time that it belongs to.
    pub at: Option<Timestamp>,
}

/// All that a validator said of some rows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Report {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What was measured.
    pub metrics: Vec<Metric>,
}

impl Report {
    /// Whether nothing of severity high or critical was found.
    pub fn passed(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity < Severity::High)
    }
}
