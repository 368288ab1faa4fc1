//! The catalog's rows one by one: what DuckLake 1.0 wants in which table. The order of a commit is in [`super::commit`].

use super::LakeError;
use super::stats::{self, ColumnStats, DataFile};
use crate::core::digest::Digest;
use crate::core::schema::{DataType, Field, Table};
use crate::core::time::Timestamp;
use crate::store::WriteTx;
use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Row as _};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

/// The schema that DuckLake wants to be there; no dataset is kept in it.
pub(super) const MAIN_SCHEMA: &str = "main";

/// The newest snapshot and the counters that it carries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) snapshot: i64,
    pub(super) schema_version: i64,
    pub(super) next_catalog_id: i64,
    pub(super) next_file_id: i64,
}

/// Makes an empty catalog where there is none, and tells it where the lake's folder `root` stands.
pub(super) async fn initialise(tx: &mut WriteTx, root: &Path, now: Timestamp) -> Result<(), LakeError> {
    let data_path = format!("{}/", root.display());
    let connection = tx.connection();
    let updated = sqlx::query("UPDATE ducklake_metadata SET value = ? WHERE key = 'data_path'").bind(&data_path);
    if updated.execute(&mut *connection).await?.rows_affected() > 0 {
        return Ok(());
    }
    let created_by = concat!("telemill ", env!("CARGO_PKG_VERSION"));
    let metadata = [
        ("version", "1.0"),
        ("created_by", created_by),
        ("data_path", &data_path),
        ("encrypted", "false"),
        ("data_inlining_row_limit", "0"),
    ];
    for (key, value) in metadata {
        let query = sqlx::query("INSERT INTO ducklake_metadata (key, value) VALUES (?, ?)");
        query.bind(key).bind(value).execute(&mut *connection).await?;
    }
    sqlx::query("INSERT INTO ducklake_snapshot VALUES (0, ?, 0, 1, 0)")
        .bind(time_text(now))
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO ducklake_snapshot_changes (snapshot_id, changes_made) VALUES (0, ?)")
        .bind(format!("created_schema:{MAIN_SCHEMA:?}"))
        .execute(&mut *connection)
        .await?;
    insert_schema(connection, 0, 0, MAIN_SCHEMA, now).await
}

pub(super) async fn head(connection: &mut SqliteConnection) -> Result<Head, LakeError> {
    let row = sqlx::query("SELECT * FROM ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1");
    let row = row.fetch_optional(connection).await?;
    let row = row.ok_or_else(|| LakeError::Corrupt("it has no snapshot".into()))?;
    Ok(Head {
        snapshot: row.try_get("snapshot_id")?,
        schema_version: row.try_get("schema_version")?,
        next_catalog_id: row.try_get("next_catalog_id")?,
        next_file_id: row.try_get("next_file_id")?,
    })
}

pub(super) async fn insert_snapshot(
    connection: &mut SqliteConnection,
    head: Head,
    at: Timestamp,
    changes: &[String],
    (author, message, extra): (&str, &str, Option<&str>),
) -> Result<(), LakeError> {
    sqlx::query("INSERT INTO ducklake_snapshot VALUES (?, ?, ?, ?, ?)")
        .bind(head.snapshot)
        .bind(time_text(at))
        .bind(head.schema_version)
        .bind(head.next_catalog_id)
        .bind(head.next_file_id)
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO ducklake_snapshot_changes VALUES (?, ?, ?, ?, ?)")
        .bind(head.snapshot)
        .bind(changes.join(","))
        .bind(author)
        .bind(message)
        .bind(extra)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

/// The id of the schema `name` that is there now.
pub(super) async fn live_schema(connection: &mut SqliteConnection, name: &str) -> Result<Option<i64>, LakeError> {
    let query =
        sqlx::query_scalar("SELECT schema_id FROM ducklake_schema WHERE schema_name = ? AND end_snapshot IS NULL");
    Ok(query.bind(name).fetch_optional(connection).await?)
}

pub(super) async fn insert_schema(
    connection: &mut SqliteConnection,
    id: i64,
    snapshot: i64,
    name: &str,
    at: Timestamp,
) -> Result<(), LakeError> {
    sqlx::query("INSERT INTO ducklake_schema VALUES (?, ?, ?, NULL, ?, ?, 1)")
        .bind(id)
        .bind(uuid("schema", id, at, name))
        .bind(snapshot)
        .bind(name)
        .bind(format!("{name}/"))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn insert_table(
    connection: &mut SqliteConnection,
    id: i64,
    schema_id: i64,
    head: Head,
    table: &Table,
    at: Timestamp,
) -> Result<(), LakeError> {
    sqlx::query("INSERT INTO ducklake_table VALUES (?, ?, ?, NULL, ?, ?, ?, 1)")
        .bind(id)
        .bind(uuid("table", id, at, &table.name))
        .bind(head.snapshot)
        .bind(schema_id)
        .bind(&table.name)
        .bind(format!("{}/", table.name))
        .execute(&mut *connection)
        .await?;
    insert_columns(connection, id, head, 0, &table.fields).await
}

/// Adds columns behind the first `known` ones of a table, and the schema version that has them.
pub(super) async fn insert_columns(
    connection: &mut SqliteConnection,
    table_id: i64,
    head: Head,
    known: usize,
    fields: &[Field],
) -> Result<(), LakeError> {
    for (id, field) in (known as i64 + 1..).zip(fields) {
        sqlx::query(
            "INSERT INTO ducklake_column (column_id, begin_snapshot, table_id, column_order, column_name, column_type,
                 default_value, nulls_allowed, default_value_type, default_value_dialect)
             VALUES (?1, ?2, ?3, ?1, ?4, ?5, 'NULL', ?6, 'literal', 'duckdb')",
        )
        .bind(id)
        .bind(head.snapshot)
        .bind(table_id)
        .bind(&field.name)
        .bind(column_type(field.data_type))
        .bind(field.nullable)
        .execute(&mut *connection)
        .await?;
    }
    sqlx::query("INSERT INTO ducklake_schema_versions VALUES (?, ?, ?)")
        .bind(head.snapshot)
        .bind(head.schema_version)
        .bind(table_id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Keeps what a table was declared as from `snapshot` on: in full for us, its summaries as comments for DuckDB.
pub(super) async fn declare(
    connection: &mut SqliteConnection,
    table_id: i64,
    snapshot: i64,
    table: &Table,
) -> Result<(), LakeError> {
    end_declaration(connection, table_id, snapshot).await?;
    let declaration = serde_json::to_string(table).map_err(|error| LakeError::Corrupt(error.to_string()))?;
    sqlx::query("INSERT INTO dataset_tables VALUES (?, ?, NULL, ?)")
        .bind(table_id)
        .bind(snapshot)
        .bind(declaration)
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO ducklake_tag VALUES (?, ?, NULL, 'comment', ?)")
        .bind(table_id)
        .bind(snapshot)
        .bind(&table.summary)
        .execute(&mut *connection)
        .await?;
    for (id, field) in (1_i64..).zip(&table.fields) {
        sqlx::query("INSERT INTO ducklake_column_tag VALUES (?, ?, ?, NULL, 'comment', ?)")
            .bind(table_id)
            .bind(id)
            .bind(snapshot)
            .bind(&field.summary)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn end_declaration(connection: &mut SqliteConnection, table_id: i64, snapshot: i64) -> Result<(), LakeError> {
    for statement in [
        "UPDATE dataset_tables SET end_snapshot = ? WHERE table_id = ? AND end_snapshot IS NULL",
        "UPDATE ducklake_tag SET end_snapshot = ? WHERE object_id = ? AND end_snapshot IS NULL",
        "UPDATE ducklake_column_tag SET end_snapshot = ? WHERE table_id = ? AND end_snapshot IS NULL",
    ] {
        sqlx::query(statement).bind(snapshot).bind(table_id).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Ends a table: it is not there from `snapshot` on, and as it was before.
pub(super) async fn end_table(
    connection: &mut SqliteConnection,
    table_id: i64,
    snapshot: i64,
) -> Result<(), LakeError> {
    for statement in [
        "UPDATE ducklake_table SET end_snapshot = ? WHERE table_id = ? AND end_snapshot IS NULL",
        "UPDATE ducklake_column SET end_snapshot = ? WHERE table_id = ? AND end_snapshot IS NULL",
    ] {
        sqlx::query(statement).bind(snapshot).bind(table_id).execute(&mut *connection).await?;
    }
    end_declaration(connection, table_id, snapshot).await?;
    end_files(connection, table_id, snapshot).await?;
    Ok(())
}

/// Ends the files that a table has; returns how many there were.
pub(super) async fn end_files(
    connection: &mut SqliteConnection,
    table_id: i64,
    snapshot: i64,
) -> Result<u64, LakeError> {
    let query =
        sqlx::query("UPDATE ducklake_data_file SET end_snapshot = ? WHERE table_id = ? AND end_snapshot IS NULL");
    Ok(query.bind(snapshot).bind(table_id).execute(connection).await?.rows_affected())
}

pub(super) async fn end_schema(
    connection: &mut SqliteConnection,
    schema_id: i64,
    snapshot: i64,
) -> Result<(), LakeError> {
    let query = sqlx::query("UPDATE ducklake_schema SET end_snapshot = ? WHERE schema_id = ? AND end_snapshot IS NULL");
    query.bind(snapshot).bind(schema_id).execute(connection).await?;
    Ok(())
}

/// Adds a file whose name below its table's folder is `name`.
pub(super) async fn insert_file(
    connection: &mut SqliteConnection,
    table_id: i64,
    head: Head,
    name: &str,
    file: &DataFile,
    row_id_start: i64,
) -> Result<(), LakeError> {
    sqlx::query(
        "INSERT INTO ducklake_data_file (data_file_id, table_id, begin_snapshot, path, path_is_relative, file_format,
             record_count, file_size_bytes, footer_size, row_id_start) VALUES (?, ?, ?, ?, 1, 'parquet', ?, ?, ?, ?)",
    )
    .bind(head.next_file_id)
    .bind(table_id)
    .bind(head.snapshot)
    .bind(name)
    .bind(to_i64(file.rows)?)
    .bind(to_i64(file.bytes)?)
    .bind(to_i64(file.footer_bytes)?)
    .bind(row_id_start)
    .execute(&mut *connection)
    .await?;
    // At most 1,024 columns, and ten values each: far below the 32,766 that one statement may bind.
    let mut insert = QueryBuilder::new("INSERT INTO ducklake_file_column_stats ");
    insert.push_values(&file.columns, |mut row, column| {
        row.push_bind(head.next_file_id)
            .push_bind(table_id)
            .push_bind(column.field_id)
            .push_bind(column.column_size_bytes as i64)
            .push_bind(column.value_count as i64)
            .push_bind(column.null_count as i64)
            .push_bind(column.min.as_deref())
            .push_bind(column.max.as_deref())
            .push_bind(column.contains_nan)
            .push("NULL");
    });
    insert.build().execute(connection).await?;
    Ok(())
}

/// The catalog's sums over all files that a table ever had: they only ever widen, since older snapshots read them too.
#[derive(Debug, Default)]
pub(super) struct TableStats {
    is_new: bool,
    rows: i64,
    pub(super) next_row_id: i64,
    bytes: i64,
    columns: BTreeMap<i64, ColumnTotals>,
}

#[derive(Debug, Clone, Default)]
struct ColumnTotals {
    contains_null: bool,
    contains_nan: Option<bool>,
    /// Unknown where there were values and no bound for some of them.
    min: Option<String>,
    max: Option<String>,
}

impl TableStats {
    pub(super) async fn load(connection: &mut SqliteConnection, table_id: i64) -> Result<Self, LakeError> {
        let query = sqlx::query("SELECT * FROM ducklake_table_stats WHERE table_id = ?").bind(table_id);
        let Some(row) = query.fetch_optional(&mut *connection).await? else {
            return Ok(Self { is_new: true, ..Self::default() });
        };
        let mut stats = Self {
            is_new: false,
            rows: row.try_get("record_count")?,
            next_row_id: row.try_get("next_row_id")?,
            bytes: row.try_get("file_size_bytes")?,
            columns: BTreeMap::new(),
        };
        let query = sqlx::query("SELECT * FROM ducklake_table_column_stats WHERE table_id = ?").bind(table_id);
        for row in query.fetch_all(connection).await? {
            let totals = ColumnTotals {
                contains_null: row.try_get::<Option<bool>, _>("contains_null")?.unwrap_or(true),
                contains_nan: row.try_get("contains_nan")?,
                min: row.try_get("min_value")?,
                max: row.try_get("max_value")?,
            };
            stats.columns.insert(row.try_get("column_id")?, totals);
        }
        Ok(stats)
    }

    /// Widens by a file of a table with `fields`.
    pub(super) fn add(&mut self, file: &DataFile, fields: &[Field]) -> Result<(), LakeError> {
        let had_rows = self.rows > 0;
        self.rows += to_i64(file.rows)?;
        self.next_row_id += to_i64(file.rows)?;
        self.bytes += to_i64(file.bytes)?;
        for (id, field) in (1_i64..).zip(fields) {
            let new = file.columns.iter().find(|column| column.field_id == id);
            match (self.columns.get_mut(&id), new) {
                (Some(totals), Some(new)) => totals.widen(new, field.data_type),
                (Some(totals), None) => totals.contains_null = true,
                // The rows before the column was there read as null.
                (None, Some(new)) => {
                    let mut totals = ColumnTotals::of(new);
                    totals.contains_null |= had_rows;
                    self.columns.insert(id, totals);
                }
                (None, None) => {}
            }
        }
        Ok(())
    }

    pub(super) async fn save(&self, connection: &mut SqliteConnection, table_id: i64) -> Result<(), LakeError> {
        let statement = if self.is_new {
            "INSERT INTO ducklake_table_stats (record_count, next_row_id, file_size_bytes, table_id) VALUES (?, ?, ?, ?)"
        } else {
            "UPDATE ducklake_table_stats SET record_count = ?, next_row_id = ?, file_size_bytes = ? WHERE table_id = ?"
        };
        sqlx::query(statement)
            .bind(self.rows)
            .bind(self.next_row_id)
            .bind(self.bytes)
            .bind(table_id)
            .execute(&mut *connection)
            .await?;
        let query = sqlx::query("DELETE FROM ducklake_table_column_stats WHERE table_id = ?").bind(table_id);
        query.execute(&mut *connection).await?;
        for (id, totals) in &self.columns {
            sqlx::query("INSERT INTO ducklake_table_column_stats VALUES (?, ?, ?, ?, ?, ?, NULL)")
                .bind(table_id)
                .bind(id)
                .bind(totals.contains_null)
                .bind(totals.contains_nan)
                .bind(&totals.min)
                .bind(&totals.max)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}

impl ColumnTotals {
    fn of(column: &ColumnStats) -> Self {
        Self {
            contains_null: column.null_count > 0,
            contains_nan: column.contains_nan,
            min: column.min.clone(),
            max: column.max.clone(),
        }
    }

    fn widen(&mut self, column: &ColumnStats, data_type: DataType) {
        self.contains_null |= column.null_count > 0;
        self.contains_nan = self.contains_nan.zip(column.contains_nan).map(|(a, b)| a | b);
        if column.value_count > 0 {
            self.min = widest(self.min.take(), column.min.as_deref(), data_type, Ordering::Less);
            self.max = widest(self.max.take(), column.max.as_deref(), data_type, Ordering::Greater);
        }
    }
}

/// The bound that lies on the `side`; unknown where either is, for then nothing is known of the whole.
fn widest(known: Option<String>, new: Option<&str>, data_type: DataType, side: Ordering) -> Option<String> {
    let (known, new) = (known?, new?);
    let order = stats::compare(new, &known, data_type)?;
    Some(if order == side { new.to_owned() } else { known })
}

fn column_type(data_type: DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "boolean",
        DataType::Int32 => "int32",
        DataType::Int64 => "int64",
        DataType::Float32 => "float32",
        DataType::Float64 => "float64",
        DataType::Utf8 => "varchar",
        DataType::Date => "date",
        DataType::Timestamp => "timestamptz",
    }
}

pub(super) fn to_i64(value: u64) -> Result<i64, LakeError> {
    i64::try_from(value).map_err(|_| LakeError::Corrupt(format!("the count {value} is too large for it")))
}

/// The time of a snapshot; a clock outside the years 0 to 9999 counts as 1970.
pub(super) fn time_text(at: Timestamp) -> String {
    stats::timestamp_text(at).unwrap_or_else(|| "1970-01-01 00:00:00+00".to_owned())
}

/// A UUID (version 8) of what is created: different for every id, and every time that one is given out.
fn uuid(kind: &str, id: i64, at: Timestamp, name: &str) -> String {
    let digest =
        Digest::of_parts([kind.as_bytes(), &id.to_le_bytes(), &at.0.to_le_bytes(), name.as_bytes()]).to_string();
    let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
    format!("{}-{}-8{}-a{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}
