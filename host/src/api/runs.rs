//! Runs.

use crate::store::{ReportRecord, RunRecord};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A run with what validators said of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunWithReports {
    /// The run.
    #[serde(flatten)]
    pub run: RunRecord,
    /// What validators said, oldest first.
    pub reports: Vec<ReportRecord>,
}
