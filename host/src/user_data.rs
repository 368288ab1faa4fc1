//! Metrics of many users, collected as files, kept apart by user and file, and merged into one table to train on.
//!
//! A user's file is `{user_id}_{source}_{yyyymmdd}_{hhmmss}.csv` and has the nine fields of a sample; user, source and
//! label may stand in it as well. Every row keeps the name and the digest of its file, which is what makes a second
//! import or merge add nothing.

mod collect;
mod import;
mod merge;
mod name;
mod samples;
mod stats;

pub use collect::{Collected, Sent, collect, upload};
pub use import::{Imported, files_in, import};
pub use merge::{Merged, merge, merge_file, training_scan, write_csv, write_rows};
pub use name::FileName;
pub use stats::{Stats, UserStats, stats};

use crate::core::problem::{self, Problem};
use crate::core::schema::{DataType, Field, Table, TableKind};
use crate::ingest::IngestError;
use crate::lake::LakeError;
use crate::query::QueryError;
use crate::sink::SinkError;
use crate::store::StoreError;
use arrow::error::ArrowError;
use std::io::ErrorKind;
use std::path::PathBuf;

/// The dataset of users' data, where none is named.
pub const DATASET: &str = "user_data";
/// All samples, as they came.
pub const SAMPLES: &str = "user_metrics";
/// The samples that were merged to train on.
pub const TRAINING: &str = "training_data";
/// What a user's machine can be busy with.
pub const PHASES: [&str; 5] = ["cpu_bound", "io_bound", "memory_bound", "idle", "mixed"];
/// Where a user's data can come from.
pub const SOURCES: [&str; 3] = ["external", "simulation", "web"];
/// The label of samples whose file gives none.
pub const NORMAL: &str = "normal";

/// Problems that are listed; the rest are counted.
const LISTED_PROBLEMS: usize = 20;

/// Why users' data could not be taken in, merged or counted.
#[derive(Debug, thiserror::Error)]
pub enum UserDataError {
    /// Files that can't be taken in; nothing was.
    #[error("{total} problems in users' files, so nothing was taken in: {}", problem::join(first))]
    BadFiles {
        /// How many there are.
        total: u64,
        /// The first of them; the path is `FILE` or `FILE: line N`.
        first: Vec<Problem>,
    },
    /// A file of that name is there with other content.
    #[error("{0} was taken in before, with other content; give it another name")]
    Changed(String),
    /// There is nothing to take in.
    #[error("{} has no file that ends in .csv", .0.display())]
    NoFiles(PathBuf),
    /// A file or folder can't be read or written.
    #[error("can't use {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file could not be read as rows.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The lake can't be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Rows can't be read back.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Rows can't be written as text.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// Rows of another server can't be had.
    #[error(transparent)]
    Source(Box<dyn std::error::Error + Send + Sync>),
    /// Columns can't be built: a fault of Telemill.
    #[error("rows can't be put together: this is a fault of telemill, please report it")]
    Batch(#[from] ArrowError),
}

/// What is wrong with users' files so far.
#[derive(Debug, Default)]
struct Problems {
    total: u64,
    first: Vec<Problem>,
}

impl Problems {
    fn add(&mut self, place: String, message: impl Into<String>) {
        self.total += 1;
        if self.first.len() < LISTED_PROBLEMS {
            self.first.push(Problem::new(place, message));
        }
    }

    /// Takes over what ingesting said of `file`; whatever is no fault of what stands in it is passed on.
    fn add_of(&mut self, file: &str, error: IngestError) -> Result<(), IngestError> {
        let (total, first) = match error {
            IngestError::BadRows { total, first, .. } => (total, first),
            IngestError::BadFile { problems, .. } => (problems.len() as u64, problems),
            IngestError::Read { source, .. } if source.kind() == ErrorKind::InvalidData => {
                (1, vec![Problem::new("", source.to_string())])
            }
            other => return Err(other),
        };
        let unlisted = total - first.len() as u64;
        for Problem { path, message } in first {
            self.add(if path.is_empty() { file.to_owned() } else { format!("{file}: {path}") }, message);
        }
        self.total += unlisted;
        Ok(())
    }

    /// Adds that `file` has no samples: nothing would tell later that it was taken in.
    fn add_empty(&mut self, file: &str) {
        self.add(file.to_owned(), "has no sample, only a header: take it away, or fill it first");
    }

    fn check(self) -> Result<(), UserDataError> {
        if self.total == 0 { Ok(()) } else { Err(UserDataError::BadFiles { total: self.total, first: self.first }) }
    }
}

fn field(name: &str, data_type: DataType, unit: Option<&str>, summary: &str) -> Field {
    Field {
        name: name.to_owned(),
        data_type,
        nullable: false,
        unit: unit.map(str::to_owned),
        summary: summary.to_owned(),
        attributes: Vec::new(),
    }
}

/// The nine fields of a sample.
fn sample_fields() -> Vec<Field> {
    let number = |name, unit, summary| field(name, DataType::Float64, Some(unit), summary);
    vec![
        number("timestamp", "s", "Time since the user's start"),
        number("cpu_percent", "%", "Busy share of the processors"),
        number("memory_percent", "%", "Used share of the memory"),
        number("memory_used_gb", "GBy", "Used memory"),
        number("disk_read_mb", "MBy", "Data read from disk"),
        number("disk_write_mb", "MBy", "Data written to disk"),
        number("network_sent_mb", "MBy", "Data sent over the network"),
        number("network_recv_mb", "MBy", "Data received over the network"),
        field("phase", DataType::Utf8, None, "What the machine is busy with"),
    ]
}

/// What stands beside a sample.
fn origin_fields() -> Vec<Field> {
    let text = |name, summary| field(name, DataType::Utf8, None, summary);
    vec![
        text("user_id", "The user"),
        text("source", "How the data came in: external, simulation or web"),
        text("label", "normal, anomaly or another name that the user gave"),
        field("collection_timestamp", DataType::Timestamp, None, "When the sample was collected"),
    ]
}

/// The declaration of [`SAMPLES`] or [`TRAINING`]: time, sample, origin and provenance.
fn table(name: &str) -> Table {
    let mut fields = vec![field("time", DataType::Timestamp, None, "When the sample was taken")];
    fields.extend(sample_fields());
    fields.extend(origin_fields());
    fields.push(field("file", DataType::Utf8, None, "The file that the sample came in"));
    fields.push(field("digest", DataType::Utf8, None, "SHA-256 of that file"));
    let summary = if name == TRAINING { "Samples of all users to train on" } else { "Samples of users, file by file" };
    Table {
        name: name.to_owned(),
        summary: summary.to_owned(),
        kind: TableKind::Events,
        fields,
        primary_key: Vec::new(),
        time_field: Some("time".to_owned()),
        attributes: Vec::new(),
    }
}
