//! How far the rows of streams have come besides the lake.

use super::{Store, StoreError, WriteTx, count, json, to_count, to_json};
use crate::core::id::StreamId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

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
    /// Batches that were given up, those that were sent again later included.
    pub dead: u64,
    /// Dead letters that are kept: what was given up, and was neither sent again nor dropped.
    pub letters: u64,
    /// Why the last attempt failed; none where it did not.
    pub error: Option<String>,
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
}

impl Store {
    /// The sinks of a stream, by name.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn stream_sinks(&self, id: &StreamId) -> Result<Vec<StreamSink>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query(
            "SELECT *, (SELECT count(*) FROM stream_dead_letters AS letter
                        WHERE letter.stream_id = stream_sinks.stream_id AND letter.sink = stream_sinks.name) AS letters
             FROM stream_sinks WHERE stream_id = ? ORDER BY name",
        )
        .bind(id.as_str());
        let sink = |row: &SqliteRow| {
            Ok(StreamSink {
                name: row.try_get("name")?,
                config: json(row, "config")?,
                position: count(row, "position")?,
                rows: count(row, "rows")?,
                batches: count(row, "batches")?,
                retries: count(row, "retries")?,
                dead: count(row, "dead")?,
                letters: count(row, "letters")?,
                error: row.try_get("error")?,
            })
        };
        query.fetch_all(tx.connection()).await?.iter().map(sink).collect()
    }
}
