//! Why a run ended without rows, told apart by what the caller does next.

use super::spec::SpecError;
use crate::core::id::RunId;
use crate::core::problem::{self, Problem};
use crate::core::time::Window;
use crate::lake::LakeError;
use crate::plugin::PluginError;
use crate::query::QueryError;
use crate::store::{RunState, StoreError};
use arrow::error::ArrowError;
use std::path::PathBuf;

/// Why a run, or a question about one, failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Mend the spec.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Mend the spec or the plugin, as the error says.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// A shard failed: where, and why.
    #[error("partition {partition} of {partitions} failed{}", window.map(|w| format!(" in the window {w}")).unwrap_or_default())]
    Shard {
        /// Which partition.
        partition: u32,
        /// Of how many.
        partitions: u32,
        /// The window of simulated time, where the shard had come to one.
        window: Option<Window>,
        /// Why.
        source: Box<RunError>,
    },
    /// The process that worked for a shard failed, and so did those that took its place.
    #[error("a worker process failed: {message}")]
    Worker {
        /// How.
        message: String,
    },
    /// An incident model made incidents that the generator can't take: report to its author.
    #[error("the incidents of {model} can't be used: {}", problem::join(problems))]
    Incidents {
        /// The model.
        model: String,
        /// What is wrong.
        problems: Vec<Problem>,
    },
    /// Mend `[inputs]`.
    #[error("the input {input} can't be used: {message}")]
    Input {
        /// The input.
        input: String,
        /// What is wrong.
        message: String,
    },
    /// A validator asked for what the dataset does not have: mend its configuration.
    #[error("the validator {validator} asks for {what}, which {dataset} does not have")]
    Selection {
        /// The validator.
        validator: String,
        /// A table, or a table's column.
        what: String,
        /// The dataset.
        dataset: String,
    },
    /// Replace the table instead, or make fewer rows of it.
    #[error(
        "{dataset}.{table} has rows, and {rows} more can't be told from them by key: at most {most} can; use --replace"
    )]
    LargeSnapshot {
        /// The dataset.
        dataset: String,
        /// The snapshot table.
        table: String,
        /// Rows that the run made of it.
        rows: u64,
        /// The bound.
        most: u64,
    },
    /// Somebody stopped it; `telemill run resume` goes on.
    #[error("the run was stopped; `telemill run resume` goes on where it was")]
    Cancelled,
    /// Too many are under way: try again when one has ended.
    #[error("{active} runs are under way, which is as many as may be; wait for one to end, or cancel one")]
    Busy {
        /// How many.
        active: usize,
    },
    /// The system gives no thread for the run.
    #[error("can't start a thread for the run")]
    Thread(#[source] std::io::Error),
    /// There is nothing to resume, or not from this state.
    #[error("run {id} is {state}: {message}")]
    State {
        /// The run.
        id: RunId,
        /// Its state.
        state: RunState,
        /// What to do instead.
        message: &'static str,
    },
    /// No run is there at all.
    #[error("there is no run to {0}: `telemill run list` shows those there are")]
    NoRun(&'static str),
    /// A record that this version can't read.
    #[error("the record of run {id} can't be read: {message}")]
    Record {
        /// The run.
        id: RunId,
        /// What is wrong with it.
        message: String,
    },
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A query failed.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Rows could not be handled; a fault of the host.
    #[error("rows can't be handled")]
    Arrow(#[from] ArrowError),
    /// A file can't be read.
    #[error("can't read {}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// What takes the rows of a stream failed.
    #[error("the rows can't be taken on")]
    Taker(#[source] Box<dyn std::error::Error + Send + Sync>),
}
