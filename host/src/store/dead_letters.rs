//! What sinks of streams could not deliver: kept with the reason, until it is sent again or dropped.

use super::{Store, StoreError, WriteTx, count, time};
use crate::core::id::StreamId;
use crate::core::time::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

/// Most dead letters of a sink; older ones are dropped, and stay counted.
const MAX_DEAD_LETTERS: i64 = 1_000;

/// A batch that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The batch's key, of which a sink keeps one letter.
    pub batch_key: String,
    /// When it was last refused.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// What was sent.
    pub body: Vec<u8>,
}

/// A dead letter without what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterHead {
    /// Later letters have larger ones.
    pub number: i64,
    /// The batch's key.
    pub batch_key: String,
    /// When it was last refused.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// How long the body is.
    pub bytes: u64,
}

impl WriteTx {
    /// Keeps a batch that was given up, in the place of a letter with the same key: a batch may come again.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn insert_dead_letter(
        &mut self,
        id: &StreamId,
        sink: &str,
        letter: &DeadLetter,
    ) -> Result<(), StoreError> {
        self.remove_dead_letter(id, sink, &letter.batch_key).await?;
        sqlx::query("INSERT INTO stream_dead_letters VALUES (NULL, ?, ?, ?, ?, ?, ?)")
            .bind(id.as_str())
            .bind(sink)
            .bind(&letter.batch_key)
            .bind(letter.at.0)
            .bind(&letter.reason)
            .bind(&letter.body)
            .execute(self.connection())
            .await?;
        sqlx::query(
            "DELETE FROM stream_dead_letters WHERE stream_id = ?1 AND sink = ?2 AND id NOT IN
                 (SELECT id FROM stream_dead_letters WHERE stream_id = ?1 AND sink = ?2 ORDER BY id DESC LIMIT ?3)",
        )
        .bind(id.as_str())
        .bind(sink)
        .bind(MAX_DEAD_LETTERS)
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// What became of a letter that was refused once more: when, why, and what is left of it.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn put_dead_letter(&mut self, id: &StreamId, sink: &str, letter: &DeadLetter) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE stream_dead_letters SET at = ?, reason = ?, body = ?
             WHERE stream_id = ? AND sink = ? AND batch_key = ?",
        )
        .bind(letter.at.0)
        .bind(&letter.reason)
        .bind(&letter.body)
        .bind(id.as_str())
        .bind(sink)
        .bind(&letter.batch_key)
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Takes a letter away.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn remove_dead_letter(&mut self, id: &StreamId, sink: &str, key: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM stream_dead_letters WHERE stream_id = ? AND sink = ? AND batch_key = ?")
            .bind(id.as_str())
            .bind(sink)
            .bind(key)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Takes all letters of a sink away, and says how many there were.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn drop_dead_letters(&mut self, id: &StreamId, sink: &str) -> Result<u64, StoreError> {
        let query = sqlx::query("DELETE FROM stream_dead_letters WHERE stream_id = ? AND sink = ?");
        Ok(query.bind(id.as_str()).bind(sink).execute(self.connection()).await?.rows_affected())
    }
}

impl Store {
    /// At most `limit` dead letters of a sink, newest first; with `before`, only those with a smaller number.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn dead_letters(
        &self,
        id: &StreamId,
        sink: &str,
        limit: u32,
        before: Option<i64>,
    ) -> Result<Vec<DeadLetterHead>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query(
            "SELECT id, batch_key, at, reason, length(body) AS bytes FROM stream_dead_letters
             WHERE stream_id = ?1 AND sink = ?2 AND (?3 IS NULL OR id < ?3) ORDER BY id DESC LIMIT ?4",
        );
        let head = |row: &SqliteRow| {
            Ok(DeadLetterHead {
                number: row.try_get("id")?,
                batch_key: row.try_get("batch_key")?,
                at: time(row, "at")?,
                reason: row.try_get("reason")?,
                bytes: count(row, "bytes")?,
            })
        };
        let query = query.bind(id.as_str()).bind(sink).bind(before).bind(limit);
        query.fetch_all(tx.connection()).await?.iter().map(head).collect()
    }

    /// The dead letter of a batch.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn dead_letter(&self, id: &StreamId, sink: &str, key: &str) -> Result<Option<DeadLetter>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT * FROM stream_dead_letters WHERE stream_id = ? AND sink = ? AND batch_key = ?");
        let row = query.bind(id.as_str()).bind(sink).bind(key).fetch_optional(tx.connection()).await?;
        row.as_ref().map(letter).transpose()
    }

    /// The oldest dead letter of a sink with a larger number than `after`, and its number.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn next_dead_letter(
        &self,
        id: &StreamId,
        sink: &str,
        after: i64,
    ) -> Result<Option<(i64, DeadLetter)>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query(
            "SELECT * FROM stream_dead_letters WHERE stream_id = ? AND sink = ? AND id > ? ORDER BY id LIMIT 1",
        );
        let row = query.bind(id.as_str()).bind(sink).bind(after).fetch_optional(tx.connection()).await?;
        row.map(|row| Ok((row.try_get("id")?, letter(&row)?))).transpose()
    }
}

fn letter(row: &SqliteRow) -> Result<DeadLetter, StoreError> {
    Ok(DeadLetter {
        batch_key: row.try_get("batch_key")?,
        at: time(row, "at")?,
        reason: row.try_get("reason")?,
        body: row.try_get("body")?,
    })
}
