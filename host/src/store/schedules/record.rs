//! What is recorded of pipelines.

use crate::core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// How far a pipeline's run, or one of its steps, has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkState {
    /// It is under way.
    Running,
    /// It did what it was to do.
    Succeeded,
    /// It did not.
    Failed,
    /// The scheduler was stopped meanwhile.
    Cancelled,
    /// The process ended meanwhile; nobody knows how far it came.
    Interrupted,
    /// It was not begun: another run was under way, or a step that it needs did not succeed.
    Skipped,
}

impl WorkState {
    const ALL: [Self; 6] =
        [Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled, Self::Interrupted, Self::Skipped];

    /// The state's name, as the database and JSON have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Skipped => "skipped",
        }
    }
}

impl fmt::Display for WorkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for WorkState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is no state of a pipeline's run"))
    }
}

/// Why a pipeline runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its schedule.
    Schedule,
    /// Somebody asked.
    Manual,
    /// Somebody asked for a run that was there before.
    Again,
}

impl Cause {
    /// The cause's name, as the database and JSON have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Manual => "manual",
            Self::Again => "again",
        }
    }
}

impl FromStr for Cause {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = [Self::Schedule, Self::Manual, Self::Again].into_iter().find(|cause| cause.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is no cause of a pipeline's run"))
    }
}

/// A pipeline as its file was last read.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PipelineRecord {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// What the file says.
    pub definition: Value,
    /// No due time up to here is looked at again.
    pub seen_until: Timestamp,
    /// When it runs next, where it has a schedule.
    pub next_due: Option<Timestamp>,
    /// The simulated time of its next run, where it has a clock of its own.
    pub clock: Option<Timestamp>,
}

/// A run of a pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PipelineRun {
    /// Its number, growing.
    pub id: i64,
    /// The pipeline.
    pub pipeline: String,
    /// The due time.
    pub due: Timestamp,
    /// 1, and more where somebody asked for it again.
    pub attempt: u32,
    /// Why it runs.
    pub cause: Cause,
    /// How far it is.
    pub state: WorkState,
    /// The simulated time, where the pipeline has a clock of its own.
    pub clock: Option<Timestamp>,
    /// When it was begun.
    pub claimed_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Why it did not succeed.
    pub error: Option<String>,
}

/// A step of a pipeline's run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepRun {
    /// Its place in the file, from 0.
    pub position: u32,
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: String,
    /// How far it is.
    pub state: WorkState,
    /// How often it was tried.
    pub tries: u32,
    /// When the first try began.
    pub started_at: Timestamp,
    /// When the last one ended.
    pub finished_at: Option<Timestamp>,
    /// Why it did not succeed.
    pub error: Option<String>,
    /// What came of it.
    pub result: Value,
    /// The last lines that it wrote.
    pub log: Vec<String>,
}

/// A run that is to be claimed.
#[derive(Debug, Clone, Copy)]
pub struct RunClaim<'a> {
    /// The pipeline.
    pub pipeline: &'a str,
    /// The due time.
    pub due: Timestamp,
    /// Why.
    pub cause: Cause,
    /// [`WorkState::Running`], or [`WorkState::Skipped`] for a due time that is passed over.
    pub state: WorkState,
    /// Why it is passed over.
    pub error: Option<&'a str>,
    /// Start and advance of the pipeline's own clock, in microseconds, where it has one.
    pub clock: Option<(Timestamp, i64)>,
    /// The time of day.
    pub now: Timestamp,
}

/// A run that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRequest {
    /// Its number.
    pub id: i64,
    /// The pipeline.
    pub pipeline: String,
    /// The run that is to be done again, where it is one.
    pub again: Option<i64>,
    /// When it was asked for.
    pub requested_at: Timestamp,
}

/// How the runs of a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepTotal {
    /// The pipeline.
    pub pipeline: String,
    /// The step.
    pub step: String,
    /// What it does.
    pub kind: String,
    /// How often it succeeded.
    pub succeeded: u64,
    /// How often it failed.
    pub failed: u64,
    /// How long it took when it last succeeded, in microseconds.
    pub last_us: Option<i64>,
}
