//! Rows by key in a plain SQLite table: a row with a key that is there replaces what it had; columns that are new are added. For tables that other programs
//! read, in a file of their own or beside the catalog.

use super::{StoreError, WriteTx};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{AssertSqlSafe, Connection as _, QueryBuilder, Sqlite};
use std::path::Path;

/// Values of one statement: SQLite takes 32,766.
const MAX_VALUES: usize = 16_000;

/// A column of such a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedColumn {
    /// Its name, a plain identifier.
    pub name: String,
    /// What it holds.
    pub kind: KeyedType,
    /// Whether it is part of the key.
    pub key: bool,
}

impl KeyedColumn {
    fn declaration(&self) -> String {
        let kind = match self.kind {
            KeyedType::Text => "TEXT",
            KeyedType::Integer => "INTEGER",
            KeyedType::Real => "REAL",
        };
        format!("{:?} {kind}", self.name)
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyedType {
    /// Text, and what is neither.
    Text,
    /// Whole numbers and truth values.
    Integer,
    /// Other numbers.
    Real,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyedValue {
    /// None.
    Null,
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
}

/// A table and the rows to put into it.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyedRows {
    /// The table's name, a plain identifier; it is made where it is missing.
    pub table: String,
    /// Its columns.
    pub columns: Vec<KeyedColumn>,
    /// Values in the order of the columns.
    pub rows: Vec<Vec<KeyedValue>>,
}

impl WriteTx {
    /// Puts rows into a table of this database.
    ///
    /// # Errors
    /// The table is there with another key, or SQLite failed.
    pub async fn upsert_keyed(&mut self, rows: &KeyedRows) -> Result<(), StoreError> {
        upsert(self.connection(), rows).await
    }
}

/// Puts rows into a table of the database at `path`, which is made where it is missing; all of them or none.
///
/// # Errors
/// The file can't be opened, the table is there with another key, or SQLite failed.
pub async fn upsert_into_file(path: &Path, rows: &KeyedRows) -> Result<(), StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(super::BUSY_TIMEOUT);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    upsert(&mut tx, rows).await?;
    tx.commit().await?;
    Ok(connection.close().await?)
}

async fn upsert(connection: &mut SqliteConnection, rows: &KeyedRows) -> Result<(), StoreError> {
    let KeyedRows { table, columns, rows } = rows;
    let declared = columns.iter().map(KeyedColumn::declaration);
    let names = |key: bool| {
        let names = columns.iter().filter(|column| column.key || !key).map(|column| format!("{:?}", column.name));
        names.collect::<Vec<_>>().join(", ")
    };
    let create = format!(
        "CREATE TABLE IF NOT EXISTS {table:?} ({}, PRIMARY KEY ({}))",
        declared.collect::<Vec<_>>().join(", "),
        names(true)
    );
    sqlx::query(AssertSqlSafe(create)).execute(&mut *connection).await?;
    let there: Vec<String> =
        sqlx::query_scalar("SELECT name FROM pragma_table_info(?)").bind(table).fetch_all(&mut *connection).await?;
    // A part of the key that is missing is an error of the next statement: rows that are there would have none.
    for column in columns.iter().filter(|column| !column.key && !there.contains(&column.name)) {
        let add = format!("ALTER TABLE {table:?} ADD COLUMN {}", column.declaration());
        sqlx::query(AssertSqlSafe(add)).execute(&mut *connection).await?;
    }
    let insert = format!("INSERT OR REPLACE INTO {table:?} ({}) ", names(false));
    for piece in rows.chunks((MAX_VALUES / columns.len().max(1)).max(1)) {
        let mut query = QueryBuilder::<Sqlite>::new(insert.clone());
        query.push_values(piece, |mut values, row| {
            for value in row {
                match value {
                    KeyedValue::Null => values.push_bind(None::<String>),
                    KeyedValue::Text(text) => values.push_bind(text.clone()),
                    KeyedValue::Integer(value) => values.push_bind(*value),
                    KeyedValue::Real(value) => values.push_bind(*value),
                };
            }
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}
