//! Why a task was not done.

use crate::clean::{CleanError, RecipeError};
use crate::core::id::StreamId;
use crate::ingest::IngestError;
use crate::lake::LakeError;
use crate::plugin::{PluginError, TextError};
use crate::query::QueryError;
use crate::run::{RunError, SpecError};
use crate::sink::SinkError;
use crate::sink::opensearch::LoadError;
use std::path::PathBuf;

/// Why a task was not done, told apart by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// Mend the name of the table.
    #[error("{0:?}: write DATASET.TABLE")]
    Table(String),
    /// Mend what was asked for.
    #[error("{0}")]
    Request(String),
    /// Somebody stopped it.
    #[error("it was stopped")]
    Stopped,
    /// Stop the stream first.
    #[error("the stream {stream} writes {dataset}; `telemill stream stop {stream}` ends it")]
    Streamed {
        /// The dataset.
        dataset: String,
        /// The stream.
        stream: StreamId,
    },
    /// A recipe, a profile or the like can't be had.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Mend the spec.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Mend the recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// A run or a validator failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A plugin can't be used.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// A cleaning failed.
    #[error("can't clean {dataset} by {recipe}")]
    Clean {
        /// The dataset.
        dataset: String,
        /// The recipe.
        recipe: String,
        /// Why.
        source: CleanError,
    },
    /// Rows were not taken in.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The lake can't be read.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// Rows can't be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Rows can't be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// Rows of another server can't be had.
    #[error(transparent)]
    Source(Box<dyn std::error::Error + Send + Sync>),
    /// A server did not take documents.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A file can't be used.
    #[error("can't use {}", .path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The receiver of rows went away.
    #[error("the rows can't be written")]
    Write(#[source] std::io::Error),
}

impl TaskError {
    /// Whether a second try can do what the first did not: faults of the request and of rows stay what they are.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Table(_) | Self::Request(_) | Self::Stopped | Self::Text(_) | Self::Spec(_) | Self::Recipe(_) => {
                false
            }
            Self::Run(RunError::Cancelled) | Self::Ingest(IngestError::BadRows { .. }) => false,
            Self::Load(error) => !matches!(error, LoadError::IndexExists { .. }),
            _ => true,
        }
    }
}
