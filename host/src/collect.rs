//! One-shot collection: rows of a source, such as an HTTP endpoint, at one instant; kept as the source sent them (JSON; what came
//! as annotated CSV becomes objects), flat (CSV), by key in a SQLite table, and in the lake.
//!
//! Knows no schedule: whoever calls it says when. The instant may be a simulated one, which a file keeps from call to call.

mod clock;
mod flat;
mod flux;
mod lake;
mod source;
#[cfg(test)]
mod tests;

pub use clock::{Clock, ClockError};
pub use source::{Question, Source};

use crate::core::id::{self, BadName};
use crate::core::problem::Problem;
use crate::core::time::Timestamp;
use crate::ingest::IngestError;
use crate::lake::LakeError;
use crate::query::QueryError;
use crate::run::Host;
use crate::store::{self, StoreError};
use arrow::error::ArrowError;
use serde::Serialize;
use source::Fetched;
use std::path::{Path, PathBuf};

/// What to collect, and where to.
#[derive(Debug, Clone)]
pub struct Collection {
    /// Where rows come from.
    pub source: Source,
    /// Folder of the snapshots: `json/` and `csv/` below it.
    pub output_dir: PathBuf,
    /// What rows are called: the table's name and the start of the files'.
    pub table: String,
    /// The columns that make a row unique; all that hold no numbers, where there is none. Counts by segment have the columns and the
    /// key of the example system's table then.
    pub key: Vec<String>,
    /// A SQLite file with the table, where one is wanted.
    pub database: Option<PathBuf>,
    /// Whether the catalog's database has the table.
    pub catalog: bool,
    /// The dataset of the lake that takes the rows, where one is wanted: those with a key that is there replace it.
    pub dataset: Option<String>,
}

/// What was collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// The instant that was asked for.
    pub at: Timestamp,
    /// Rows that the source had.
    pub rows: u64,
    /// Rows that are new in the lake, or say something else than before.
    pub lake_rows: u64,
    /// What the source sent.
    pub json: PathBuf,
    /// The rows, flat.
    pub csv: PathBuf,
}

/// Why nothing was collected.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The source can't be reached or is in trouble.
    #[error("can't collect from {url}: {reason}")]
    Source {
        /// Where.
        url: String,
        /// Why.
        reason: String,
    },
    /// The source refuses what it is asked, and will again.
    #[error("can't collect from {url}: {reason}")]
    Refused {
        /// Where.
        url: String,
        /// Its answer.
        reason: String,
    },
    /// Mend the credentials.
    #[error("can't ask {url}: {reason}")]
    Credentials {
        /// Where.
        url: String,
        /// Why.
        reason: String,
    },
    /// What the source sent is not rows.
    #[error("what {url} sent can't be kept: {problem}")]
    Unfit {
        /// Where from.
        url: String,
        /// What is wrong.
        problem: Problem,
    },
    /// A name that can't be one.
    #[error(transparent)]
    BadName(#[from] BadName),
    /// A file can't be written.
    #[error("can't write {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The rows can't be written by key.
    #[error("can't write the table {table} of {}", path.display())]
    Table {
        /// The database.
        path: PathBuf,
        /// The table.
        table: String,
        /// What SQLite said.
        source: StoreError,
    },
    /// The lake or the catalog was asked for, and the data folder is not open.
    #[error("rows for the lake need a data folder: this is a fault of telemill, please report it")]
    NoHost,
    /// Rows can't be taken into the lake.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The lake can't be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Rows that are there can't be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Others write the table all the time.
    #[error("{dataset}.{table} is written by others all the time: collect again later")]
    Busy {
        /// The dataset.
        dataset: String,
        /// The table.
        table: String,
    },
    /// Columns can't be built: a fault of Telemill.
    #[error("rows can't be put together: this is a fault of telemill, please report it")]
    Batch(#[from] ArrowError),
}

/// Collects once, `at` an instant, on the wall clock's `now`. Calling it again for the same instant adds nothing to tables and
/// lake. `host` is the data folder, open for writing, where catalog or lake are wanted. To be called on a thread that runs no
/// async tasks.
///
/// # Errors
/// The source fails, or something can't be written; what was written before stays, and the next call replaces it.
pub fn collect(
    collection: &Collection,
    host: Option<&Host>,
    runtime: &tokio::runtime::Handle,
    at: Timestamp,
    now: Timestamp,
) -> Result<Collected, CollectError> {
    id::check_identifier("table", &collection.table)?;
    let Fetched { raw, rows } = collection.source.fetch(at)?;
    let url = collection.source.url.clone();
    let flat = flat::rows(&rows, collection).map_err(|problem| CollectError::Unfit { url, problem })?;
    let stamp = clock::stamp(at);
    let file = |kind: &str| collection.output_dir.join(kind).join(format!("{}_{stamp}.{kind}", collection.table));
    let (json, csv) = (file("json"), file("csv"));
    write(&json, &raw)?;
    write(&csv, flat::csv(&flat).as_bytes())?;
    if let Some(path) = &collection.database {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| CollectError::File { path: folder.to_owned(), source })?;
        }
        let failed = |source| CollectError::Table { path: path.clone(), table: collection.table.clone(), source };
        runtime.block_on(store::upsert_into_file(path, &flat)).map_err(failed)?;
    }
    if collection.catalog {
        let host = host.ok_or(CollectError::NoHost)?;
        let own = store::KeyedRows { table: format!("collected_{}", flat.table), ..flat.clone() };
        runtime.block_on(async {
            let mut tx = host.store.write().await?;
            tx.upsert_keyed(&own).await?;
            tx.commit().await
        })?;
    }
    let lake_rows = match &collection.dataset {
        Some(dataset) => lake::upsert(host.ok_or(CollectError::NoHost)?, dataset, &flat, now)?,
        None => 0,
    };
    Ok(Collected { at, rows: flat.rows.len() as u64, lake_rows, json, csv })
}

/// Writes a file whole: it has its name when it is complete.
fn write(path: &Path, bytes: &[u8]) -> Result<(), CollectError> {
    let failed = |source| CollectError::File { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let staged = path.with_extension("part");
    std::fs::write(&staged, bytes).map_err(failed)?;
    std::fs::rename(&staged, path).map_err(failed)
}
