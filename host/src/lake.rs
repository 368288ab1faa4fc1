//! The lake: Parquet files, and a DuckLake catalog of them in the store's database that DuckDB attaches as it is.
//!
//! Owns how rows become files ([`TableWriter`]), how files become visible ([`Lake::commit`]) and what is there at
//! which snapshot. Does not know runs, plugins or queries. Only one process writes ([`crate::store::DataDirLock`]);
//! any number read beside it.

mod catalog;
mod commit;
mod compact;
mod detail;
mod dictionary;
mod encoding;
mod evolve;
mod expire;
mod files;
mod read;
mod row_groups;
mod span;
mod stats;
mod upload;
mod writer;

pub use commit::{Commit, Mode, TableFiles};
pub use compact::{COMPACTION, Compacted};
pub use detail::{DatasetDetail, TableDetail};
pub use encoding::WriterSettings;
pub use evolve::{added_only, clashes};
pub use expire::{Expired, Swept};
pub use files::LakeFiles;
pub use read::{Dataset, DatasetSummary, LakeFile, LakeTable, Snapshot};
pub use span::Span;
pub use stats::{ColumnStats, DataFile};
pub use writer::TableWriter;

use crate::core::problem::{self, Problem};
use crate::core::time::Timestamp;
use crate::store::{Store, StoreError, WriteTx};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// The folder below the data folder that holds the lake's files.
pub const LAKE_FOLDER: &str = "lake";

/// Why the lake could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The database failed, or holds what can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file or folder of the lake can't be used.
    #[error("the lake's file {} can't be used", .path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The object store failed.
    #[error("the lake's file {path} can't be stored")]
    Objects {
        /// Its path below the lake's folder.
        path: String,
        /// What the object store said.
        source: object_store::Error,
    },
    /// Rows can't be written as Parquet.
    #[error("the rows of {path} can't be written as Parquet")]
    Parquet {
        /// The file's path below the lake's folder.
        path: String,
        /// What the encoder said.
        source: parquet::errors::ParquetError,
    },
    /// The catalog holds what this version can't read.
    #[error("the lake's catalog can't be read: {0}")]
    Corrupt(String),
    /// A dataset that has rows was to be created.
    #[error("the dataset {dataset} has {rows} rows: add to them with --append, or begin anew with --replace")]
    DatasetExists {
        /// The dataset.
        dataset: String,
        /// Its rows.
        rows: u64,
    },
    /// A dataset that is named does not exist.
    #[error("there is no dataset {dataset}{}: `telemill dataset list` shows those there are", at_snapshot(.at))]
    NoDataset {
        /// The dataset.
        dataset: String,
        /// The snapshot that was asked for.
        at: Option<SnapshotId>,
    },
    /// A snapshot that is named does not exist.
    #[error("there is no snapshot {0}: it may have expired")]
    NoSnapshot(SnapshotId),
    /// New rows do not fit the table that is there.
    #[error("rows for {dataset}.{table} do not fit the table that is there ({}): use --replace or another dataset", problem::join(.problems))]
    SchemaChanged {
        /// The dataset.
        dataset: String,
        /// The table.
        table: String,
        /// What does not fit, by column.
        problems: Vec<Problem>,
    },
    /// A file was committed to a table whose folder it is not in.
    #[error("the file {path} is not in the folder of {dataset}.{table}: this is a fault of telemill, please report it")]
    Misplaced {
        /// The file's path below the lake's folder.
        path: String,
        /// The dataset.
        dataset: String,
        /// The table.
        table: String,
    },
}

impl From<sqlx::Error> for LakeError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

fn at_snapshot(snapshot: &Option<SnapshotId>) -> String {
    snapshot.map(|id| format!(" at snapshot {id}")).unwrap_or_default()
}

/// A state of the whole lake; each commit makes the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = i64)]
pub struct SnapshotId(pub i64);

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The lake of a data folder. Clones share it.
#[derive(Debug, Clone)]
pub struct Lake {
    store: Store,
    files: LakeFiles,
}

impl Lake {
    /// Opens the lake of `data_dir`, whose database is `store`, for writing: makes its folder and, at `now`, an empty
    /// catalog where there is none, and tells the catalog where the folder stands now, for it may have been moved.
    ///
    /// # Errors
    /// The folder or the database can't be used.
    pub async fn open(data_dir: &Path, store: Store, now: Timestamp) -> Result<Self, LakeError> {
        let files = LakeFiles::create(&data_dir.join(LAKE_FOLDER))?;
        let mut tx: WriteTx = store.write().await?;
        catalog::initialise(&mut tx, files.root(), now).await?;
        tx.commit().await?;
        Ok(Self { store, files })
    }

    /// Opens the lake of `data_dir`, whose database is `store`, for reading beside a writer.
    ///
    /// # Errors
    /// There is no such folder.
    pub fn open_read_only(data_dir: &Path, store: Store) -> Result<Self, LakeError> {
        Ok(Self { store, files: LakeFiles::open(&data_dir.join(LAKE_FOLDER))? })
    }

    /// Where files are.
    pub fn files(&self) -> &LakeFiles {
        &self.files
    }

    /// The database that holds the catalog.
    pub fn store(&self) -> &Store {
        &self.store
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
