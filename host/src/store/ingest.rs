//! How far the log of acknowledged rows has been moved into the lake, and the idempotency keys of what was moved.

use super::{ReadTx, Store, StoreError, WriteTx};
use crate::core::digest::Digest;
use crate::core::time::Timestamp;
use sqlx::Row as _;

/// What was taken under an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUse {
    /// The key's digest.
    pub key: Digest,
    /// A hash of what came with it, so that other content under the same key is told apart.
    pub body: u64,
    /// Rows that were taken.
    pub rows: u64,
    /// When.
    pub at: Timestamp,
}

impl ReadTx {
    /// The position up to which the log is in the lake.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn moved_position(&mut self) -> Result<u64, StoreError> {
        let query = sqlx::query_scalar::<_, i64>("SELECT moved FROM ingest_position WHERE one = 1");
        Ok(query.fetch_one(self.connection()).await?.cast_unsigned())
    }
}

impl Store {
    /// The position up to which the log is in the lake.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn moved_position(&self) -> Result<u64, StoreError> {
        self.read().await?.moved_position().await
    }

    /// What was moved under `key`, if anything.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn moved_key(&self, key: &Digest) -> Result<Option<KeyUse>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT body, rows, at FROM ingest_keys WHERE key = ?").bind(key.to_string());
        let Some(row) = query.fetch_optional(tx.connection()).await? else { return Ok(None) };
        let number = |column: &str| row.try_get::<i64, _>(column).map(i64::cast_unsigned);
        Ok(Some(KeyUse { key: *key, body: number("body")?, rows: number("rows")?, at: Timestamp(row.try_get("at")?) }))
    }
}

impl WriteTx {
    /// Says that the log is in the lake up to `position`.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn set_moved_position(&mut self, position: u64) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE ingest_position SET moved = ? WHERE one = 1").bind(position.cast_signed());
        query.execute(self.connection()).await?;
        Ok(())
    }

    /// Keeps the keys of what was moved, and forgets those from before `oldest`.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn insert_moved_keys(&mut self, keys: &[KeyUse], oldest: Timestamp) -> Result<(), StoreError> {
        for used in keys {
            sqlx::query("INSERT OR REPLACE INTO ingest_keys VALUES (?, ?, ?, ?)")
                .bind(used.key.to_string())
                .bind(used.body.cast_signed())
                .bind(used.rows.cast_signed())
                .bind(used.at.0)
                .execute(self.connection())
                .await?;
        }
        sqlx::query("DELETE FROM ingest_keys WHERE at < ?").bind(oldest.0).execute(self.connection()).await?;
        Ok(())
    }
}
