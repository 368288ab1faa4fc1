//! Getting space back: snapshots that nobody needs, the files that only they have, and rubbish that no row names.

use super::catalog::{self, MAIN_SCHEMA};
use super::files::STAGING;
use super::{Lake, LakeError};
use crate::core::time::{Length, Timestamp};
use crate::store::WriteTx;
use serde::Serialize;
use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What [`Lake::expire`] let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Expired {
    /// Snapshots that can't be read any more.
    pub snapshots: u64,
    /// Files that are queued for a sweep.
    pub files: u64,
}

/// What [`Lake::sweep`] removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
pub struct Swept {
    /// Files.
    pub files: u64,
    /// Their sizes together.
    pub bytes: u64,
}

/// Rows that no snapshot can see any more: `begin_snapshot` and `end_snapshot` with no snapshot between.
const UNSEEN: &str = "end_snapshot IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ducklake_snapshot s
    WHERE s.snapshot_id >= begin_snapshot AND s.snapshot_id < end_snapshot)";

impl Lake {
    /// Lets go of the snapshots made before `before`, but the newest; queues the files that only they have, at `now`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn expire(&self, tx: &mut WriteTx, before: Timestamp, now: Timestamp) -> Result<Expired, LakeError> {
        self.expire_of(tx, "*", before, now).await
    }

    /// The same of those snapshots alone whose extra information (a run's id, or a stream's) is like `pattern`, as
    /// SQLite's GLOB has it; `*` is all.
    ///
    /// # Errors
    /// The database failed.
    pub async fn expire_of(
        &self,
        tx: &mut WriteTx,
        pattern: &str,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<Expired, LakeError> {
        let connection = tx.connection();
        let snapshots = sqlx::query(
            "DELETE FROM ducklake_snapshot WHERE snapshot_time < ?
             AND snapshot_id < (SELECT max(snapshot_id) FROM ducklake_snapshot)
             AND snapshot_id IN (SELECT snapshot_id FROM ducklake_snapshot_changes
                                 WHERE coalesce(commit_extra_info, '') GLOB ?)",
        )
        .bind(catalog::time_text(before))
        .bind(pattern)
        .execute(&mut *connection)
        .await?
        .rows_affected();
        let gone = "DELETE FROM ducklake_snapshot_changes WHERE snapshot_id NOT IN (SELECT snapshot_id FROM ducklake_snapshot)";
        sqlx::query(gone).execute(&mut *connection).await?;
        // As DuckLake does it: paths in the queue are relative to the lake's folder.
        let queue = format!(
            "INSERT INTO ducklake_files_scheduled_for_deletion
             SELECT f.data_file_id, s.path || t.path || f.path, 1, ? FROM
                 (SELECT data_file_id, table_id, path FROM ducklake_data_file WHERE {UNSEEN}) f
             JOIN (SELECT DISTINCT table_id, schema_id, path FROM ducklake_table) t ON t.table_id = f.table_id
             JOIN ducklake_schema s ON s.schema_id = t.schema_id"
        );
        let queued = sqlx::query(sqlx::AssertSqlSafe(queue)).bind(catalog::time_text(now));
        let files = queued.execute(&mut *connection).await?.rows_affected();
        for statement in [
            format!("DELETE FROM ducklake_data_file WHERE {UNSEEN}"),
            format!("DELETE FROM ducklake_table WHERE {UNSEEN}"),
            format!("DELETE FROM ducklake_column WHERE {UNSEEN}"),
            format!("DELETE FROM ducklake_tag WHERE {UNSEEN}"),
            format!("DELETE FROM ducklake_column_tag WHERE {UNSEEN}"),
            format!("DELETE FROM dataset_tables WHERE {UNSEEN}"),
            format!("DELETE FROM ducklake_schema WHERE {UNSEEN} AND schema_name <> '{MAIN_SCHEMA}'"),
            "DELETE FROM ducklake_file_column_stats
             WHERE data_file_id NOT IN (SELECT data_file_id FROM ducklake_data_file)"
                .to_owned(),
            "DELETE FROM ducklake_table_stats WHERE table_id NOT IN (SELECT table_id FROM ducklake_table)".to_owned(),
            "DELETE FROM ducklake_table_column_stats WHERE table_id NOT IN (SELECT table_id FROM ducklake_table)"
                .to_owned(),
            "DELETE FROM ducklake_schema_versions WHERE table_id NOT IN (SELECT table_id FROM ducklake_table)"
                .to_owned(),
        ] {
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut *connection).await?;
        }
        Ok(Expired { snapshots, files })
    }

    /// Removes files that have been queued, or have lain about without a row that names them, for at least `age`.
    /// Readers that began a query on an expired snapshot have that long to end it, and a run that long between
    /// writing a file and recording it.
    ///
    /// # Errors
    /// The disk or the database failed.
    pub async fn sweep(&self, now: Timestamp, age: Length) -> Result<Swept, LakeError> {
        // Listed before anybody has to wait for the database: a folder of a year's files takes a while.
        let root = self.files.root().to_owned();
        let stopped = |error| LakeError::Corrupt(format!("a sweep of its files stopped: {error}"));
        let listed = tokio::task::spawn_blocking(move || list(&root)).await.map_err(stopped)??;
        // Nobody names a file from here on until those that nobody names are gone.
        let mut tx = self.store.write().await?;
        let since = Timestamp(now.0.saturating_sub_unsigned(age.us()));
        let due: Vec<(i64, String)> = sqlx::query_as(
            "SELECT data_file_id, path FROM ducklake_files_scheduled_for_deletion
             WHERE path_is_relative AND schedule_start <= ?",
        )
        .bind(catalog::time_text(since))
        .fetch_all(tx.connection())
        .await?;
        let mut named: HashSet<String> = sqlx::query_scalar(
            "SELECT path FROM ducklake_files_scheduled_for_deletion UNION ALL
             SELECT s.path || t.path || f.path FROM ducklake_data_file f
             JOIN (SELECT DISTINCT table_id, schema_id, path FROM ducklake_table) t ON t.table_id = f.table_id
             JOIN ducklake_schema s ON s.schema_id = t.schema_id",
        )
        .fetch_all(tx.connection())
        .await?
        .into_iter()
        .collect();
        named.extend(self.store.segment_files().await?);
        for (_, path) in &due {
            named.remove(path);
        }
        let queued: HashSet<PathBuf> = due.iter().map(|(_, path)| self.files.local_path(path)).collect();
        let named: HashSet<PathBuf> = named.iter().map(|path| self.files.local_path(path)).collect();
        let young = SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(since.0).unwrap_or(0));
        let rubbish =
            |file: &Listed| !named.contains(&file.path) && (queued.contains(&file.path) || file.modified <= young);
        let rubbish: Vec<Listed> = listed.into_iter().filter(rubbish).collect();
        let swept = tokio::task::spawn_blocking(move || remove(&rubbish)).await.map_err(stopped)??;
        for (id, _) in due {
            let query = sqlx::query("DELETE FROM ducklake_files_scheduled_for_deletion WHERE data_file_id = ?");
            query.bind(id).execute(tx.connection()).await?;
        }
        tx.commit().await?;
        Ok(swept)
    }
}

/// A file of the lake.
struct Listed {
    path: PathBuf,
    modified: SystemTime,
    bytes: u64,
}

/// All files where the lake puts files: in the staging folder and in tables' folders.
fn list(root: &Path) -> Result<Vec<Listed>, LakeError> {
    let mut listed = Vec::new();
    for dataset in entries(root)? {
        let folders = if dataset.ends_with(STAGING) { vec![dataset] } else { entries(&dataset)? };
        for folder in folders {
            for path in entries(&folder)? {
                let unusable = |source| LakeError::File { path: path.clone(), source };
                let metadata = match path.metadata() {
                    Ok(metadata) if metadata.is_file() => metadata,
                    Ok(_) => continue,
                    // A staged file that has just got its name.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    Err(error) => return Err(unusable(error)),
                };
                let modified = metadata.modified().map_err(unusable)?;
                listed.push(Listed { path, modified, bytes: metadata.len() });
            }
        }
    }
    Ok(listed)
}

fn remove(files: &[Listed]) -> Result<Swept, LakeError> {
    let mut swept = Swept::default();
    for file in files {
        match std::fs::remove_file(&file.path) {
            Ok(()) => (swept.files, swept.bytes) = (swept.files + 1, swept.bytes + file.bytes),
            // It got its name, or went, since it was listed.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(LakeError::File { path: file.path.clone(), source }),
        }
    }
    Ok(swept)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, LakeError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let listed = std::fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    listed.map_err(|source| LakeError::File { path: folder.to_owned(), source })
}
