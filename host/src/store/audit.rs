//! Who changed what over HTTP.

use super::{Store, StoreError, WriteTx, time};
use crate::core::time::Timestamp;
use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

/// Entries that are kept; the oldest go. A line is some hundred bytes, so this is some ten megabytes.
const KEPT: i64 = 100_000;

/// One request that could change something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// Its number, growing.
    pub id: i64,
    /// When it was answered.
    pub at: Timestamp,
    /// The token's name, or `loopback`.
    pub caller: String,
    /// The method.
    pub method: String,
    /// The path, with what stood behind its question mark.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// What came of it, where the answer says so: the path of what was made, or what something was changed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

impl WriteTx {
    /// Adds an entry, whose number is not looked at, and lets the oldest go.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn insert_audit(&mut self, entry: &AuditEntry) -> Result<(), StoreError> {
        let insert =
            sqlx::query("INSERT INTO audit (at, caller, method, path, status, outcome) VALUES (?, ?, ?, ?, ?, ?)");
        let insert = insert.bind(entry.at.0).bind(&entry.caller).bind(&entry.method).bind(&entry.path);
        let id = insert.bind(entry.status).bind(&entry.outcome).execute(self.connection()).await?.last_insert_rowid();
        sqlx::query("DELETE FROM audit WHERE id <= ?").bind(id - KEPT).execute(self.connection()).await?;
        Ok(())
    }
}

impl Store {
    /// At most `limit` entries, newest first; only those before the number `before`, where one is given.
    ///
    /// # Errors
    /// SQLite failed, or an entry can't be read.
    pub async fn audit(&self, limit: u32, before: Option<i64>) -> Result<Vec<AuditEntry>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT * FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?");
        let rows = query.bind(before.unwrap_or(i64::MAX)).bind(limit).fetch_all(tx.connection()).await?;
        rows.iter().map(entry).collect()
    }
}

fn entry(row: &SqliteRow) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        id: row.try_get("id")?,
        at: time(row, "at")?,
        caller: row.try_get("caller")?,
        method: row.try_get("method")?,
        path: row.try_get("path")?,
        status: row.try_get("status")?,
        outcome: row.try_get("outcome")?,
    })
}
