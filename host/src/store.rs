//! Everything that is kept in SQL: the one database file of a data folder, its connections and its transactions.
//!
//! Owns [`WriteTx`], which the lake writes its catalog through, so that a run's files, incidents and record become
//! visible together. Knows records, but neither Parquet nor what a run does. Wall-clock times come from the caller.

mod alerts;
mod audit;
mod dead_letters;
mod idempotency;
mod ingest;
mod keyed;
mod lock;
mod migrations;
mod plugins;
mod reports;
mod runs;
mod schedules;
mod scratch;
mod segments;
mod stream_sinks;
mod streams;
mod tokens;

pub use alerts::{Alert, AlertEvent, AlertState, ChannelRecord, NewAlert};
pub use audit::AuditEntry;
pub use dead_letters::{DeadLetter, DeadLetterHead};
pub use idempotency::{Claim, KeptAnswer};
pub use ingest::KeyUse;
pub use keyed::{KeyedColumn, KeyedRows, KeyedType, KeyedValue, upsert_into_file};
pub use lock::DataDirLock;
pub use plugins::{Activated, Activation, PluginVersion};
pub use reports::{NewReport, ReportRecord};
pub use runs::{Outcome, PluginUse, RunRecord, RunState, TableTotal};
pub use schedules::{Cause, PipelineRecord, PipelineRun, RunClaim, RunRequest, StepRun, StepTotal, WorkState};
pub use scratch::Scratch;
pub use segments::Segment;
pub use stream_sinks::StreamSink;
pub use streams::{ClockAnchor, StreamCommit, StreamIncident, StreamRecord, StreamState, StreamSwap};
pub use tokens::{Scope, Token};

use crate::core::id::{RunId, StreamId};
use crate::core::time::Timestamp;
use migrations::MIGRATIONS;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions};
use sqlx::sqlite::{SqliteRow, SqliteSynchronous};
use sqlx::{Row as _, Sqlite, Transaction};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The database file of a data folder, which is also the DuckLake catalog that others attach.
pub const DATABASE_FILE: &str = "telemill.sqlite";

/// Connections for reading: more than the two cores that queries keep busy, fewer than the file handles of a laptop.
const READERS: u32 = 4;

/// How long a statement waits for another process that holds the file, such as a DuckDB session that attaches.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Why records could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data folder has no database yet.
    #[error("there is no data in {}: `telemill run start` makes some, --data-dir names another folder", .0.display())]
    NoDatabase(PathBuf),
    /// Another process writes the data folder.
    #[error("another telemill writes the data folder {}: wait for it or stop it, or name another with --data-dir", .0.display())]
    Locked(PathBuf),
    /// The folder or its lock can't be used.
    #[error("the data folder {} can't be used", .path.display())]
    Folder {
        /// The folder, or the file in it.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database was made by another version.
    #[error("the database {} does not fit this telemill: use the version that made it, or start a new data folder", .path.display())]
    Migrate {
        /// The database.
        path: PathBuf,
        /// What is in the way.
        source: MigrateError,
    },
    /// The file is no database, or one whose pages do not go together.
    #[error(
        "the database {} is damaged ({reason}): restore it from a copy, or name another data folder with --data-dir; \
         `telemill doctor` tells whether it is whole",
        .path.display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// The database was opened for reading only.
    #[error("the database was opened for reading only: this is a fault of telemill, please report it")]
    ReadOnly,
    /// A record that is named does not exist.
    #[error("there is no run {0}: `telemill run list` shows those there are")]
    NoRun(RunId),
    /// A stream that is named does not exist.
    #[error("there is no stream {0}: `telemill stream list` shows those there are")]
    NoStream(StreamId),
    /// There is no pipeline of that name.
    #[error("there is no pipeline {0:?}: `telemill schedule list` shows those there are")]
    NoPipeline(String),
    /// There is no such run of a pipeline.
    #[error("the pipeline {pipeline} has no run {id}: `telemill schedule history` shows those there are")]
    NoPipelineRun {
        /// The pipeline.
        pipeline: String,
        /// The run.
        id: i64,
    },
    /// There is a token of that name.
    #[error("there is a token {0:?} already; choose another name")]
    TokenExists(String),
    /// There is no token of that name that is in force.
    #[error("there is no token {0:?} in force: `telemill token list` shows those there are")]
    NoToken(String),
    /// A run can't go from its state to another.
    #[error("run {id} is {from} and can't become {to}")]
    Transition {
        /// The run.
        id: RunId,
        /// Its state.
        from: RunState,
        /// The state that was asked for.
        to: RunState,
    },
    /// A record holds what this version can't read.
    #[error("the database holds a {what} that can't be read: {reason}")]
    Corrupt {
        /// What kind of record and value.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// SQLite failed.
    #[error("the database failed{}", if is_damage(.0) { "; `telemill doctor` tells whether it is damaged" } else { "" })]
    Sql(#[from] sqlx::Error),
}

/// Whether SQLite says that the file is damaged (`SQLITE_CORRUPT`) or no database (`SQLITE_NOTADB`), of which its longer codes
/// are kinds.
fn is_damage(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()).and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| [11, 26].contains(&(code & 0xff)))
}

/// An error of opening the database at `path`.
fn unopened(path: &Path, error: sqlx::Error) -> StoreError {
    match error.as_database_error() {
        Some(said) if is_damage(&error) => {
            StoreError::Damaged { path: path.to_owned(), reason: said.message().to_owned() }
        }
        _ => StoreError::Sql(error),
    }
}

/// An error of reading or making the tables of the database at `path`.
fn unfit(path: &Path, source: MigrateError) -> StoreError {
    match source {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) if is_damage(&error) => {
            unopened(path, error)
        }
        source => StoreError::Migrate { path: path.to_owned(), source },
    }
}

impl StoreError {
    /// Whether there is no room on the disk: SQLite's own word for it, or a file of its that can't grow.
    pub fn is_disk_full(&self) -> bool {
        const FULL: [&str; 2] = ["13", "4874"];
        let Self::Sql(error) = self else { return false };
        error.as_database_error().and_then(|error| error.code()).is_some_and(|code| FULL.contains(&code.as_ref()))
    }
}

/// The database of a data folder: one connection that writes, and several that read beside it. Clones share them.
#[derive(Debug, Clone)]
pub struct Store {
    writer: Option<SqlitePool>,
    readers: SqlitePool,
}

/// A transaction that writes: nothing of it is visible to anybody before [`WriteTx::commit`]; dropping undoes it.
#[derive(Debug)]
pub struct WriteTx(Transaction<'static, Sqlite>);

/// A transaction that reads: one state of the database, however much is written meanwhile.
#[derive(Debug)]
pub struct ReadTx(Transaction<'static, Sqlite>);

impl Store {
    /// Opens the database at `path` for writing and reading, making and migrating it where needed. The caller holds
    /// the folder's [`DataDirLock`].
    ///
    /// # Errors
    /// The file can't be opened, or a newer version made it.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = options(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
        let writer = writer.map_err(|error| unopened(path, error))?;
        MIGRATIONS.run(&writer).await.map_err(|source| unfit(path, source))?;
        Ok(Self { writer: Some(writer), readers: readers(path).await? })
    }

    /// Opens the database at `path` for reading, beside a writer or without one.
    ///
    /// # Errors
    /// There is no such file, or another version made it.
    pub async fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::NoDatabase(path.parent().unwrap_or(path).to_owned()));
        }
        let readers = readers(path).await?;
        check_version(&readers, path).await?;
        Ok(Self { writer: None, readers })
    }

    /// Opens the database at `path` for short notes beside the process that writes the data folder, or without one: a run
    /// that is asked for, an alert that is acknowledged. Nothing that has to do with the lake is written this way.
    ///
    /// # Errors
    /// There is no such file, or another version made it.
    pub async fn open_beside(path: &Path) -> Result<Self, StoreError> {
        let beside = Self::open_read_only(path).await?;
        let options = options(path).synchronous(SqliteSynchronous::Full);
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        Ok(Self { writer: Some(writer), ..beside })
    }

    /// Begins a transaction that writes; waits for the one before it to end.
    ///
    /// # Errors
    /// The store was opened for reading only, or SQLite failed.
    pub async fn write(&self) -> Result<WriteTx, StoreError> {
        let writer = self.writer.as_ref().ok_or(StoreError::ReadOnly)?;
        Ok(WriteTx(writer.begin_with("BEGIN IMMEDIATE").await?))
    }

    /// Begins a transaction that reads.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn read(&self) -> Result<ReadTx, StoreError> {
        Ok(ReadTx(self.readers.begin().await?))
    }

    /// Reads the database at `path`, which is this one, from end to end.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where its pages do not go together.
    pub async fn check(&self, path: &Path) -> Result<(), StoreError> {
        let found: Result<String, _> = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&self.readers).await;
        match found {
            Ok(found) if found == "ok" => Ok(()),
            Ok(reason) => Err(StoreError::Damaged { path: path.to_owned(), reason }),
            Err(error) => Err(unopened(path, error)),
        }
    }

    /// Closes all connections, so that SQLite folds its journal into the file; dropping does so later.
    pub async fn close(&self) {
        self.readers.close().await;
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }
}

impl WriteTx {
    /// Makes all that was written visible and durable, together.
    ///
    /// # Errors
    /// SQLite failed; nothing was written then.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.0.commit().await?)
    }

    /// The connection, for the modules that write tables of their own into the database.
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.0
    }
}

impl ReadTx {
    /// The connection, for the modules that read tables of their own from the database.
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.0
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).foreign_keys(true).busy_timeout(BUSY_TIMEOUT)
}

async fn readers(path: &Path) -> Result<SqlitePool, StoreError> {
    let readers = SqlitePoolOptions::new().max_connections(READERS).connect_with(options(path).read_only(true)).await;
    readers.map_err(|error| unopened(path, error))
}

/// A reader can't migrate, so the file must already be as this version expects.
async fn check_version(readers: &SqlitePool, path: &Path) -> Result<(), StoreError> {
    let wrong = |source| unfit(path, source);
    let newest: Result<Option<i64>, _> =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success").fetch_one(readers).await;
    let expected = MIGRATIONS.iter().map(|migration| migration.version).max();
    match newest {
        Ok(found) if found == expected => Ok(()),
        Ok(found) => Err(wrong(MigrateError::VersionMissing(found.unwrap_or_default()))),
        Err(source) => Err(wrong(MigrateError::Execute(source))),
    }
}

/// JSON as the text that a column holds.
fn to_json<T: serde::Serialize>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt { what, reason: error.to_string() })
}

/// The value of a column that holds JSON.
fn json<T: serde::de::DeserializeOwned>(row: &SqliteRow, column: &'static str) -> Result<T, StoreError> {
    let text: String = row.try_get(column)?;
    serde_json::from_str(&text).map_err(|error| StoreError::Corrupt { what: column, reason: error.to_string() })
}

/// The value of a column that holds a text form.
fn parsed<T: std::str::FromStr<Err = String>>(row: &SqliteRow, column: &'static str) -> Result<T, StoreError> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|reason| StoreError::Corrupt { what: column, reason })
}

/// The value of a column that counts something.
fn count(row: &SqliteRow, column: &'static str) -> Result<u64, StoreError> {
    let value: i64 = row.try_get(column)?;
    u64::try_from(value).map_err(|_| StoreError::Corrupt { what: column, reason: format!("{value} is negative") })
}

/// A count as SQLite keeps it.
fn to_count(what: &'static str, value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Corrupt { what, reason: format!("{value} is too large") })
}

fn time(row: &SqliteRow, column: &'static str) -> Result<Timestamp, StoreError> {
    Ok(Timestamp(row.try_get(column)?))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reader_beside_the_writer_sees_what_is_committed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(DATABASE_FILE);
        assert!(matches!(Store::open_read_only(&path).await, Err(StoreError::NoDatabase(_))));
        let store = Store::open(&path).await.unwrap();
        let reader = Store::open_read_only(&path).await.unwrap();
        let count = async |store: &Store| -> i64 {
            let mut tx = store.read().await.unwrap();
            sqlx::query_scalar("SELECT count(*) FROM reports").fetch_one(tx.connection()).await.unwrap()
        };
        let insert = async |tx: &mut WriteTx, digest: &str| {
            let insert =
                "INSERT INTO reports (dataset, plugin, version, digest, window_start, window_end, passed, report,
                 created_at) VALUES ('shop', 'rules', '1.0.0', ?, 0, 1, 1, '{}', 0)";
            sqlx::query(insert).bind(digest.to_owned()).execute(tx.connection()).await.unwrap();
        };
        let mut tx = store.write().await.unwrap();
        insert(&mut tx, "x").await;
        assert_eq!(count(&reader).await, 0);
        drop(tx);
        let mut tx = store.write().await.unwrap();
        insert(&mut tx, "y").await;
        tx.commit().await.unwrap();
        assert_eq!(count(&reader).await, 1);
        assert!(matches!(reader.write().await, Err(StoreError::ReadOnly)));
    }

    #[tokio::test]
    async fn a_database_of_another_version_is_refused_with_a_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(DATABASE_FILE);
        let store = Store::open(&path).await.unwrap();
        let mut tx = store.write().await.unwrap();
        sqlx::query("INSERT INTO _sqlx_migrations SELECT 9999, description, installed_on, success, checksum, 0 FROM _sqlx_migrations LIMIT 1")
            .execute(tx.connection())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        store.close().await;
        for error in [Store::open(&path).await.unwrap_err(), Store::open_read_only(&path).await.unwrap_err()] {
            assert!(error.to_string().contains("use the version that made it"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_damaged_database_is_named_and_no_other_version_is_blamed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(DATABASE_FILE);
        std::fs::write(&path, "this is no database, however long it is looked at").unwrap();
        for error in [Store::open(&path).await.unwrap_err(), Store::open_read_only(&path).await.unwrap_err()] {
            let told = error.to_string();
            assert!(matches!(error, StoreError::Damaged { .. }), "{told}");
            assert!(told.contains(DATABASE_FILE) && told.contains("from a copy") && told.contains("doctor"), "{told}");
        }

        // One whose first page alone is what it should be.
        let path = folder.path().join("torn.sqlite");
        let store = Store::open(&path).await.unwrap();
        store.check(&path).await.unwrap();
        store.close().await;
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.iter_mut().skip(4096).for_each(|byte| *byte = 0x5a);
        std::fs::write(&path, bytes).unwrap();
        let error = match Store::open_read_only(&path).await {
            Ok(store) => store.check(&path).await.unwrap_err(),
            Err(error) => error,
        };
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    }
}
