//! What a validator asks for and what it reports.

use crate::{Severity, Timestamp};

/// The columns of one table that a validator reads; the host sends no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The table's name.
    pub table: String,
    /// The columns, in the order in which they are sent.
    pub columns: Vec<String>,
    /// The columns that order the rows; empty for any order.
    pub order_by: Vec<String>,
}

/// The outcome of one rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The rule's name.
    pub rule: String,
    /// `High` and `Critical` fail the report.
    pub severity: Severity,
    /// The table that was judged.
    pub table: Option<String>,
    /// The column that was judged.
    pub column: Option<String>,
    /// What was found, for a person.
    pub message: String,
    /// How many rows broke the rule.
    pub failed: u64,
    /// How many rows it looked at.
    pub checked: u64,
    /// A few of the failed rows, counted in the order sent.
    pub samples: Vec<u64>,
}

/// A number that a validator measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// UCUM code; none where it has no unit.
    pub unit: Option<String>,
    /// The instant that it belongs to; none where it belongs to the whole.
    pub at: Option<Timestamp>,
}

/// All that a validator has to say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The outcomes of its rules.
    pub findings: Vec<Finding>,
    /// The numbers that it measured.
    pub metrics: Vec<Metric>,
}

impl Report {
    /// Whether a finding is severe enough to fail the report.
    pub fn failed(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity >= Severity::High)
    }
}
