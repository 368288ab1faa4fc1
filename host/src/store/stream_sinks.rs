//! How far the rows of streams have come besides the lake, and what could not be delivered.

use super::{Store, StoreError, WriteTx, count, json, time, to_count, to_json};
use crate::core::id::StreamId;
use crate::core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

/// Most dead letters of a sink; older ones are dropped, and stay counted.
const MAX_DEAD_LETTERS: i64 = 1_000;

/// A sink of a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StreamSink {
    /// Its name.
    pub name: String,
    /// What it is.
    pub config: Value,
    /// Commits up to this number are delivered, or given up.
    pub position: u64,
    /// Rows that arrived.
    pub rows: u64,
    /// Batches that arrived.
    pub batches: u64,
    /// How often a batch was sent again.
    pub retries: u64,
    /// Batches that were given up.
    pub dead: u64,
    /// Why the last attempt failed; none where it did not.
    pub error: Option<String>,
}

/// A batch that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The batch's key.
    pub batch_key: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// What was sent.
    pub body: Vec<u8>,
}

impl WriteTx {
    /// Records a new sink of a stream, at its start.
    ///
    /// # Errors
    /// SQLite failed, or the stream has one of that name.
    pub async fn insert_stream_sink(&mut self, id: &StreamId, name: &str, config: &Value) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO stream_sinks VALUES (?, ?, ?, 0, 0, 0, 0, 0, NULL)")
            .bind(id.as_str())
            .bind(name)
            .bind(to_json("config", config)?)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// How far a sink has come.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn put_stream_sink(&mut self, id: &StreamId, sink: &StreamSink) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE stream_sinks SET position = ?, rows = ?, batches = ?, retries = ?, dead = ?, error = ?
             WHERE stream_id = ? AND name = ?",
        )
        .bind(to_count("position", sink.position)?)
        .bind(to_count("rows", sink.rows)?)
        .bind(to_count("batches", sink.batches)?)
        .bind(to_count("retries", sink.retries)?)
        .bind(to_count("dead", sink.dead)?)
        .bind(&sink.error)
        .bind(id.as_str())
        .bind(&sink.name)
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Keeps a batch that was given up.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn insert_dead_letter(
        &mut self,
        id: &StreamId,
        sink: &str,
        letter: &DeadLetter,
    ) -> Result<(), StoreError> {
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
}

impl Store {
    /// The sinks of a stream, by name.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn stream_sinks(&self, id: &StreamId) -> Result<Vec<StreamSink>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT * FROM stream_sinks WHERE stream_id = ? ORDER BY name").bind(id.as_str());
        let sink = |row: &SqliteRow| {
            Ok(StreamSink {
                name: row.try_get("name")?,
                config: json(row, "config")?,
                position: count(row, "position")?,
                rows: count(row, "rows")?,
                batches: count(row, "batches")?,
                retries: count(row, "retries")?,
                dead: count(row, "dead")?,
                error: row.try_get("error")?,
            })
        };
        query.fetch_all(tx.connection()).await?.iter().map(sink).collect()
    }

    /// The newest dead letters of a sink.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn dead_letters(&self, id: &StreamId, sink: &str, limit: u32) -> Result<Vec<DeadLetter>, StoreError> {
        let mut tx = self.read().await?;
        let query =
            sqlx::query("SELECT * FROM stream_dead_letters WHERE stream_id = ? AND sink = ? ORDER BY id DESC LIMIT ?");
        let letter = |row: &SqliteRow| {
            Ok(DeadLetter {
                batch_key: row.try_get("batch_key")?,
                at: time(row, "at")?,
                reason: row.try_get("reason")?,
                body: row.try_get("body")?,
            })
        };
        query.bind(id.as_str()).bind(sink).bind(limit).fetch_all(tx.connection()).await?.iter().map(letter).collect()
    }
}
