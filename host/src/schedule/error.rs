//! Why a pipeline could not be read or run.

use crate::alert::AlertError;
use crate::store::StoreError;
use crate::task::TaskError;
use std::path::PathBuf;

/// Why a pipeline could not be read or run, told apart by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The file can't be read.
    #[error("can't read the pipeline {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Mend the file.
    #[error("the pipeline {origin} can't be used: {message}")]
    File {
        /// The file.
        origin: String,
        /// What is wrong, behind the key that is at fault.
        message: String,
    },
    /// Name one that is there.
    #[error("there is no pipeline {name:?}; there are {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Two files have a pipeline of one name.
    #[error("two pipelines are called {name:?}: in {first} and in {second}")]
    Twice {
        /// The name.
        name: String,
        /// A file.
        first: String,
        /// Another.
        second: String,
    },
    /// The due time has been run.
    #[error("{pipeline} has been run for {due}; `telemill schedule trigger --again` runs it once more")]
    Claimed {
        /// The pipeline.
        pipeline: String,
        /// The due time.
        due: String,
    },
    /// An alert can't be raised.
    #[error(transparent)]
    Alert(#[from] AlertError),
    /// Records can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a step did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// It failed; where its error may pass, it is tried again.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// Something outside failed, which may pass.
    #[error("{0}")]
    Failed(String),
    /// It answered no, and would again.
    #[error("{0}")]
    Verdict(String),
    /// The scheduler was stopped.
    #[error("the scheduler was stopped")]
    Stopped,
}

impl StepError {
    /// Whether another try may end otherwise.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Task(error) => error.may_pass(),
            Self::Failed(_) => true,
            Self::Verdict(_) | Self::Stopped => false,
        }
    }
}
