//! What the lake holds at a snapshot: datasets, their tables as declared, and their files with what is known of them.

use super::catalog::MAIN_SCHEMA;
use super::stats::{self, ColumnStats};
use super::{Lake, LakeError, SnapshotId};
use crate::core::schema::Table;
use crate::core::time::Timestamp;
use crate::store::WriteTx;
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use std::collections::BTreeMap;

/// A dataset in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DatasetSummary {
    /// Its name.
    pub name: String,
    /// How many tables it has.
    pub tables: u64,
    /// How many files.
    pub files: u64,
    /// How many rows, over all tables.
    pub rows: u64,
    /// Size of its files.
    pub bytes: u64,
}

/// A dataset with its tables.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Dataset {
    /// Its name.
    pub name: String,
    /// The snapshot that this was read at.
    pub snapshot: SnapshotId,
    /// Its tables, by name.
    pub tables: Vec<LakeTable>,
}

/// A table with its files.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct LakeTable {
    /// Its id in the catalog.
    pub id: i64,
    /// What it is declared as. A file may lack the last columns, which are null in its rows then.
    pub table: Table,
    /// How many rows it has.
    pub rows: u64,
    /// Size of its files.
    pub bytes: u64,
    /// Its files, in the order in which they came.
    pub files: Vec<LakeFile>,
}

/// A file of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LakeFile {
    /// Below the lake's folder.
    pub path: String,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// The snapshot that it came with.
    pub since: SnapshotId,
    /// What is known of its columns, by field id.
    pub columns: Vec<ColumnStats>,
}

/// A state of the lake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Snapshot {
    /// Its number.
    pub id: SnapshotId,
    /// When it was made, as `2026-11-22 01:25:43.575015+00`.
    pub at: String,
    /// What it changed, in DuckLake's words.
    pub changes: String,
    /// Who made it.
    pub author: Option<String>,
    /// What for.
    pub message: Option<String>,
    /// The id of the run that made it.
    pub extra: Option<String>,
}

impl Dataset {
    /// The table `name`.
    pub fn table(&self, name: &str) -> Option<&LakeTable> {
        self.tables.iter().find(|table| table.table.name == name)
    }
}

impl LakeFile {
    /// The least and the greatest time that the file's rows can have, where its table has a time field.
    pub fn time_bounds(&self, table: &Table) -> Option<(Timestamp, Timestamp)> {
        let column = self.columns.get(table.time_index()?)?;
        let parse = |bound: &Option<String>| stats::parse_timestamp(bound.as_deref()?);
        Some((parse(&column.min)?, parse(&column.max)?))
    }
}

impl Lake {
    /// The newest snapshot.
    ///
    /// # Errors
    /// The database failed.
    pub async fn latest_snapshot(&self) -> Result<SnapshotId, LakeError> {
        let mut tx = self.store.read().await?;
        Ok(SnapshotId(super::catalog::head(tx.connection()).await?.snapshot))
    }

    /// The newest snapshot, and the position up to which the log of acknowledged rows is in it: one state of both.
    ///
    /// # Errors
    /// The database failed.
    pub async fn cut(&self) -> Result<(SnapshotId, u64), LakeError> {
        let mut tx = self.store.read().await?;
        let snapshot = SnapshotId(super::catalog::head(tx.connection()).await?.snapshot);
        Ok((snapshot, tx.moved_position().await?))
    }

    /// The tables that `dataset` has, or had `at` a snapshot, without their files, which a year has thousands of.
    ///
    /// # Errors
    /// There is no such dataset or snapshot, or the database failed.
    pub async fn tables(&self, dataset: &str, at: Option<SnapshotId>) -> Result<Vec<LakeTable>, LakeError> {
        let mut tx = self.store.read().await?;
        Ok(tables_at(tx.connection(), dataset, at).await?.1)
    }

    /// A number that every change of some table's columns, and every table that comes or goes, makes larger.
    ///
    /// # Errors
    /// The database failed.
    pub async fn schema_version(&self) -> Result<i64, LakeError> {
        let mut tx = self.store.read().await?;
        Ok(super::catalog::head(tx.connection()).await?.schema_version)
    }

    /// The tables that `dataset` has now, without their files; none where there is no such dataset.
    ///
    /// # Errors
    /// The database failed.
    pub async fn declared(&self, dataset: &str) -> Result<Vec<LakeTable>, LakeError> {
        let mut tx = self.store.read().await?;
        declared(tx.connection(), dataset).await
    }

    /// The same as [`Lake::declared`], as `tx` sees it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn declared_in(&self, tx: &mut WriteTx, dataset: &str) -> Result<Vec<LakeTable>, LakeError> {
        declared(tx.connection(), dataset).await
    }

    /// All snapshots that can be read, newest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn snapshots(&self) -> Result<Vec<Snapshot>, LakeError> {
        let mut tx = self.store.read().await?;
        let rows = sqlx::query(
            "SELECT snapshot_id, snapshot_time, changes_made, author, commit_message, commit_extra_info
             FROM ducklake_snapshot LEFT JOIN ducklake_snapshot_changes USING (snapshot_id) ORDER BY snapshot_id DESC",
        );
        let snapshot = |row: &SqliteRow| {
            Ok(Snapshot {
                id: SnapshotId(row.try_get("snapshot_id")?),
                at: row.try_get("snapshot_time")?,
                changes: row.try_get::<Option<String>, _>("changes_made")?.unwrap_or_default(),
                author: row.try_get("author")?,
                message: row.try_get("commit_message")?,
                extra: row.try_get("commit_extra_info")?,
            })
        };
        rows.fetch_all(tx.connection()).await?.iter().map(snapshot).collect()
    }

    /// The datasets that are there, or were `at` a snapshot, by name.
    ///
    /// # Errors
    /// There is no such snapshot, or the database failed.
    pub async fn datasets(&self, at: Option<SnapshotId>) -> Result<Vec<DatasetSummary>, LakeError> {
        let mut tx = self.store.read().await?;
        let snapshot = resolve(tx.connection(), at).await?;
        let rows = sqlx::query(
            "SELECT schema_name, count(DISTINCT t.table_id) AS tables, count(f.data_file_id) AS files,
                    coalesce(sum(f.record_count), 0) AS rows, coalesce(sum(f.file_size_bytes), 0) AS bytes
             FROM ducklake_schema s
             LEFT JOIN ducklake_table t ON t.schema_id = s.schema_id
                 AND t.begin_snapshot <= ?1 AND coalesce(t.end_snapshot > ?1, true)
             LEFT JOIN ducklake_data_file f ON f.table_id = t.table_id
                 AND f.begin_snapshot <= ?1 AND coalesce(f.end_snapshot > ?1, true)
             WHERE s.begin_snapshot <= ?1 AND coalesce(s.end_snapshot > ?1, true) AND schema_name <> ?2
             GROUP BY s.schema_id ORDER BY schema_name",
        );
        let rows = rows.bind(snapshot.0).bind(MAIN_SCHEMA).fetch_all(tx.connection()).await?;
        let summary = |row: &SqliteRow| {
            Ok(DatasetSummary {
                name: row.try_get("schema_name")?,
                tables: count(row, "tables")?,
                files: count(row, "files")?,
                rows: count(row, "rows")?,
                bytes: count(row, "bytes")?,
            })
        };
        rows.iter().map(summary).collect()
    }

    /// The dataset `name` as it is, or was `at` a snapshot.
    ///
    /// # Errors
    /// There is no such dataset or snapshot, or the database failed.
    pub async fn dataset(&self, name: &str, at: Option<SnapshotId>) -> Result<Dataset, LakeError> {
        let mut tx = self.store.read().await?;
        let (snapshot, mut tables) = tables_at(tx.connection(), name, at).await?;
        for table in &mut tables {
            table.files = files(tx.connection(), name, table, snapshot).await?;
        }
        Ok(Dataset { name: name.to_owned(), snapshot, tables })
    }
}

async fn declared(connection: &mut SqliteConnection, dataset: &str) -> Result<Vec<LakeTable>, LakeError> {
    match super::catalog::live_schema(connection, dataset).await? {
        Some(schema_id) if dataset != MAIN_SCHEMA => tables(connection, schema_id, None).await,
        _ => Ok(Vec::new()),
    }
}

/// The snapshot `at`, where there is such a one, or the newest.
async fn resolve(connection: &mut SqliteConnection, at: Option<SnapshotId>) -> Result<SnapshotId, LakeError> {
    let Some(at) = at else { return Ok(SnapshotId(super::catalog::head(connection).await?.snapshot)) };
    let query = sqlx::query_scalar::<_, i64>("SELECT snapshot_id FROM ducklake_snapshot WHERE snapshot_id = ?");
    let found = query.bind(at.0).fetch_optional(connection).await?;
    found.map(SnapshotId).ok_or(LakeError::NoSnapshot(at))
}

/// The tables of `dataset` without their files, and the snapshot that they were read at.
async fn tables_at(
    connection: &mut SqliteConnection,
    dataset: &str,
    at: Option<SnapshotId>,
) -> Result<(SnapshotId, Vec<LakeTable>), LakeError> {
    let snapshot = resolve(connection, at).await?;
    let schema_id: Option<i64> = sqlx::query_scalar(
        "SELECT schema_id FROM ducklake_schema
         WHERE schema_name = ?1 AND begin_snapshot <= ?2 AND coalesce(end_snapshot > ?2, true)",
    )
    .bind(dataset)
    .bind(snapshot.0)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(schema_id) = schema_id.filter(|_| dataset != MAIN_SCHEMA) else {
        return Err(LakeError::NoDataset { dataset: dataset.to_owned(), at });
    };
    Ok((snapshot, tables(connection, schema_id, Some(snapshot)).await?))
}

/// The tables of a schema, by name, without their files; those that are there now where no snapshot is given.
pub(super) async fn tables(
    connection: &mut SqliteConnection,
    schema_id: i64,
    at: Option<SnapshotId>,
) -> Result<Vec<LakeTable>, LakeError> {
    // Whatever is there now has no end, so the largest number finds it.
    let at = at.map_or(i64::MAX, |at| at.0);
    let rows = sqlx::query(
        "SELECT t.table_id, t.table_name, d.declaration, coalesce(sum(f.record_count), 0) AS rows,
                coalesce(sum(f.file_size_bytes), 0) AS bytes
         FROM ducklake_table t
         LEFT JOIN dataset_tables d ON d.table_id = t.table_id
             AND d.begin_snapshot <= ?2 AND coalesce(d.end_snapshot > ?2, true)
         LEFT JOIN ducklake_data_file f ON f.table_id = t.table_id
             AND f.begin_snapshot <= ?2 AND coalesce(f.end_snapshot > ?2, true)
         WHERE t.schema_id = ?1 AND t.begin_snapshot <= ?2 AND coalesce(t.end_snapshot > ?2, true)
         GROUP BY t.table_id ORDER BY t.table_name",
    );
    let rows = rows.bind(schema_id).bind(at).fetch_all(connection).await?;
    let table = |row: &SqliteRow| {
        let name: String = row.try_get("table_name")?;
        let declaration = row.try_get::<Option<String>, _>("declaration")?.unwrap_or_default();
        let table = serde_json::from_str(&declaration)
            .map_err(|error| LakeError::Corrupt(format!("the declaration of table {name}: {error}")))?;
        let (rows, bytes) = (count(row, "rows")?, count(row, "bytes")?);
        Ok(LakeTable { id: row.try_get("table_id")?, table, rows, bytes, files: Vec::new() })
    };
    rows.iter().map(table).collect()
}

async fn files(
    connection: &mut SqliteConnection,
    dataset: &str,
    table: &LakeTable,
    at: SnapshotId,
) -> Result<Vec<LakeFile>, LakeError> {
    let mut columns: BTreeMap<i64, Vec<ColumnStats>> = BTreeMap::new();
    let rows = sqlx::query(
        "SELECT data_file_id, s.column_id, min_value, max_value, null_count, s.value_count, contains_nan, s.column_size_bytes
         FROM ducklake_data_file f JOIN ducklake_file_column_stats s USING (data_file_id)
         WHERE f.table_id = ?1 AND f.begin_snapshot <= ?2 AND coalesce(f.end_snapshot > ?2, true)
         ORDER BY data_file_id, s.column_id",
    );
    // One at a time: a row as the database gives it takes ten times the room of what is kept of it, and there is one for each
    // column of each file.
    let mut rows = rows.bind(table.id).bind(at.0).fetch(&mut *connection);
    while let Some(row) = rows.try_next().await? {
        columns.entry(row.try_get("data_file_id")?).or_default().push(column_stats(&row)?);
    }
    drop(rows);
    let rows = sqlx::query(
        "SELECT data_file_id, path, record_count, file_size_bytes, begin_snapshot FROM ducklake_data_file
         WHERE table_id = ?1 AND begin_snapshot <= ?2 AND coalesce(end_snapshot > ?2, true) ORDER BY data_file_id",
    );
    let rows = rows.bind(table.id).bind(at.0).fetch_all(connection).await?;
    let file = |row: &SqliteRow| {
        let name: String = row.try_get("path")?;
        Ok(LakeFile {
            path: format!("{dataset}/{}/{name}", table.table.name),
            rows: count(row, "record_count")?,
            bytes: count(row, "file_size_bytes")?,
            since: SnapshotId(row.try_get("begin_snapshot")?),
            columns: columns.remove(&row.try_get("data_file_id")?).unwrap_or_default(),
        })
    };
    rows.iter().map(file).collect()
}

fn column_stats(row: &SqliteRow) -> Result<ColumnStats, LakeError> {
    Ok(ColumnStats {
        field_id: row.try_get("column_id")?,
        min: row.try_get("min_value")?,
        max: row.try_get("max_value")?,
        null_count: count(row, "null_count")?,
        value_count: count(row, "value_count")?,
        contains_nan: row.try_get("contains_nan")?,
        column_size_bytes: count(row, "column_size_bytes")?,
    })
}

fn count(row: &SqliteRow, column: &str) -> Result<u64, LakeError> {
    let value: i64 = row.try_get(column)?;
    u64::try_from(value).map_err(|_| LakeError::Corrupt(format!("{column} is {value}")))
}
