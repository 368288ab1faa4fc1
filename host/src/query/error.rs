//! Why a query failed, and what its author does next.

use crate::core::schema::DataType;
use crate::lake::LakeError;
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use parquet::errors::ParquetError;

/// Why rows can't be had.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// A dataset that is not in the lake.
    #[error("there is no dataset {name:?} in the lake; `telemill dataset list` shows what is there")]
    UnknownDataset {
        /// The name as given.
        name: String,
    },
    /// A table that the dataset does not have.
    #[error("dataset {dataset:?} has no table {table:?}; it has {}", list(known))]
    UnknownTable {
        /// The dataset.
        dataset: String,
        /// The name as given.
        table: String,
        /// The tables that there are.
        known: Vec<String>,
    },
    /// A table named without its dataset, where there are several or none.
    #[error("table {table:?} is named without its dataset; write {}", list(candidates))]
    NoDataset {
        /// The name as given.
        table: String,
        /// Full names that could be meant.
        candidates: Vec<String>,
    },
    /// A column that the table does not have.
    #[error("table {table:?} has no column {column:?}; it has {}", list(known))]
    UnknownColumn {
        /// The table.
        table: String,
        /// The name as given.
        column: String,
        /// The columns that there are.
        known: Vec<String>,
    },
    /// Numbers were asked for where there are none.
    #[error("column {table}.{column} holds {data_type:?}, and a series is made of numbers")]
    NoNumbers {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What it holds.
        data_type: DataType,
    },
    /// A window of time was asked of a table whose rows have no time.
    #[error("table {dataset}.{table} has no time field, so no window of time can be taken of it")]
    NoTimeField {
        /// The dataset.
        dataset: String,
        /// The table.
        table: String,
    },
    /// SQL that would change something.
    #[error(
        "queries are for reading only: {what} is not allowed; `telemill ingest`, `run` and `dataset drop` change data"
    )]
    NotReadOnly {
        /// The statement's kind.
        what: String,
    },
    /// SQL that can't be parsed or planned.
    #[error("the query can't be understood: {0}")]
    Invalid(String),
    /// The time limit.
    #[error("the query took longer than {limit_ms} ms and was stopped; narrow it, or raise query.time_ms")]
    TimedOut {
        /// The limit.
        limit_ms: u64,
    },
    /// Somebody stopped it.
    #[error("the query was stopped")]
    Stopped,
    /// The memory or spill limit.
    #[error(
        "the query needs more memory than it may use: {0}; narrow it, or raise query.memory_bytes or query.spill_bytes"
    )]
    Resources(String),
    /// The limit on output.
    #[error(
        "the result is larger than {limit_bytes} bytes; narrow the query, raise query.output_bytes, or use `telemill export`"
    )]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// The catalog can't be read.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A file of the lake can't be read.
    #[error("can't read the lake's file {path}: {reason}")]
    File {
        /// Path within the lake.
        path: String,
        /// Why.
        reason: String,
    },
    /// Rows can't be written, or who reads them went away.
    #[error("can't write the result")]
    Output(#[source] std::io::Error),
    /// The query failed while it ran.
    #[error("the query failed: {0}")]
    Failed(String),
}

fn list(names: &[String]) -> String {
    /// A hint, not an inventory.
    const SHOWN: usize = 20;
    match names {
        [] => "none".to_owned(),
        names if names.len() <= SHOWN => names.join(", "),
        names => format!("{} and {} more", names[..SHOWN].join(", "), names.len() - SHOWN),
    }
}

impl QueryError {
    pub(super) fn file(path: &object_store::path::Path, error: &ParquetError) -> Self {
        Self::File { path: path.to_string(), reason: error.to_string() }
    }
}

impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> Self {
        let error = match error {
            // Out of rows that we read for the engine ourselves.
            DataFusionError::External(source) => match source.downcast::<Self>() {
                Ok(own) => return *own,
                Err(source) => DataFusionError::External(source),
            },
            error => error,
        };
        match error.find_root() {
            DataFusionError::ResourcesExhausted(message) => Self::Resources(first_line(message)),
            DataFusionError::SQL(error, _) => Self::Invalid(error.to_string()),
            DataFusionError::Plan(message)
            | DataFusionError::NotImplemented(message)
            | DataFusionError::Configuration(message) => Self::Invalid(first_line(message)),
            DataFusionError::SchemaError(error, _) => Self::Invalid(error.to_string()),
            DataFusionError::Execution(message) => Self::Failed(first_line(message)),
            other => match other.strip_backtrace() {
                // The limit on spilled bytes comes out of the writer of spilled files, as an error of the disk.
                message if message.contains("spilling process") => Self::Resources(first_line(&message)),
                message => Self::Failed(message),
            },
        }
    }
}

impl From<ArrowError> for QueryError {
    fn from(error: ArrowError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The engine adds hints about its own configuration behind the first sentence, which nobody can follow from outside.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let line = line.split(". Please try increasing").next().unwrap_or_default();
    line.trim_end_matches('.').to_owned()
}
