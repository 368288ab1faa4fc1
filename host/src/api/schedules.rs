//! Pipelines and their runs.

use crate::core::time::Timestamp;
use crate::store::{PipelineRecord, PipelineRun, StepRun};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A pipeline, without what its steps were told: programs and addresses stay with the operator.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub summary: String,
    /// When it is due, as a cron expression; none where it runs when somebody asks.
    pub schedule: Option<String>,
    /// The time zone of that.
    pub timezone: String,
    /// When it runs next.
    pub next_due: Option<Timestamp>,
    /// The simulated time of its next run, where it has a clock of its own.
    pub clock: Option<Timestamp>,
    /// Its steps, in order.
    pub steps: Vec<ScheduleStep>,
    /// How its newest run is.
    pub last_run: Option<PipelineRun>,
}

/// A step of a pipeline.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScheduleStep {
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: String,
    /// The steps that must have succeeded.
    pub needs: Vec<String>,
}

/// A run with its steps.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunWithSteps {
    /// The run.
    #[serde(flatten)]
    pub run: PipelineRun,
    /// Its steps, with what they wrote.
    pub steps: Vec<StepRun>,
}

/// A request that waits for the scheduler.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Requested {
    /// Its number.
    pub request: i64,
    /// The pipeline.
    pub pipeline: String,
    /// The run that is to be done again, where it is one.
    pub again: Option<i64>,
}

impl Schedule {
    /// What is shown of a pipeline's record.
    pub fn of(record: PipelineRecord, last_run: Option<PipelineRun>) -> Self {
        let head = |key: &str| text(record.definition.pointer(&format!("/pipeline/{key}")));
        let needs = |step: &Value| {
            let needs = step.get("needs").and_then(Value::as_array);
            needs.into_iter().flatten().filter_map(|need| text(Some(need))).collect()
        };
        let step = |step: &Value| ScheduleStep {
            name: text(step.get("name")).unwrap_or_default(),
            kind: text(step.get("kind")).unwrap_or_default(),
            needs: needs(step),
        };
        let steps = record.definition.get("step").and_then(Value::as_array);
        Self {
            summary: head("summary").unwrap_or_default(),
            schedule: head("schedule"),
            timezone: head("timezone").unwrap_or_else(|| "UTC".to_owned()),
            next_due: record.next_due,
            clock: record.clock,
            steps: steps.into_iter().flatten().map(step).collect(),
            name: record.name,
            last_run,
        }
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(str::to_owned)
}
