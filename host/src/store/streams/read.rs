//! Reads what is recorded of streams.

use super::{ClockAnchor, StreamCommit, StreamIncident, StreamRecord, StreamSwap};
use crate::core::id::StreamId;
use crate::core::time::{Timestamp, Window};
use crate::store::{Store, StoreError, count, json, parsed, time, to_count};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;

impl Store {
    /// The stream `id`.
    ///
    /// # Errors
    /// There is no such stream, or SQLite failed.
    pub async fn stream(&self, id: &StreamId) -> Result<StreamRecord, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT * FROM streams WHERE id = ?").bind(id.as_str());
        let row = query.fetch_optional(tx.connection()).await?;
        record(&row.ok_or_else(|| StoreError::NoStream(id.clone()))?)
    }

    /// At most `limit` streams, newest first; with `before`, only those that are older than that one.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn streams(&self, limit: u32, before: Option<&StreamId>) -> Result<Vec<StreamRecord>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT * FROM streams WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2")
            .bind(before.map(StreamId::as_str))
            .bind(limit);
        query.fetch_all(tx.connection()).await?.iter().map(record).collect()
    }

    /// The streams that are running or paused, oldest first.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn live_streams(&self) -> Result<Vec<StreamRecord>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT * FROM streams WHERE state IN ('running', 'paused') ORDER BY id");
        query.fetch_all(tx.connection()).await?.iter().map(record).collect()
    }

    /// The streams that were stopped before all their sinks had all rows, oldest first.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn undelivered_streams(&self) -> Result<Vec<StreamRecord>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query(
            "SELECT * FROM streams WHERE state = 'stopped' AND EXISTS
                 (SELECT 1 FROM stream_sinks WHERE stream_id = streams.id AND position < streams.commits) ORDER BY id",
        );
        query.fetch_all(tx.connection()).await?.iter().map(record).collect()
    }

    /// The newest stream of a dataset.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn newest_stream(&self, dataset: &str) -> Result<Option<StreamRecord>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT * FROM streams WHERE dataset = ? ORDER BY id DESC LIMIT 1");
        let row = query.bind(dataset).fetch_optional(tx.connection()).await?;
        row.as_ref().map(record).transpose()
    }

    /// Whether a stream of a dataset, other than `id`, has failed.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn another_stream_failed(&self, dataset: &str, id: &StreamId) -> Result<bool, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT 1 FROM streams WHERE dataset = ? AND id <> ? AND state = 'failed' LIMIT 1");
        Ok(query.bind(dataset).bind(id.as_str()).fetch_optional(tx.connection()).await?.is_some())
    }

    /// The newest stream of a dataset that was not stopped.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn unfinished_stream(&self, dataset: &str) -> Result<Option<StreamRecord>, StoreError> {
        let mut tx = self.read().await?;
        let query = "SELECT * FROM streams WHERE dataset = ? AND state <> 'stopped' ORDER BY id DESC LIMIT 1";
        let row = sqlx::query(query).bind(dataset).fetch_optional(tx.connection()).await?;
        row.as_ref().map(record).transpose()
    }

    /// What the instances of a stream saved at its position, by partition.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn stream_states(&self, id: &StreamId) -> Result<BTreeMap<u32, Vec<u8>>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query_as("SELECT partition, state FROM stream_states WHERE stream_id = ?");
        let rows: Vec<(u32, Vec<u8>)> = query.bind(id.as_str()).fetch_all(tx.connection()).await?;
        Ok(rows.into_iter().collect())
    }

    /// The incidents of a stream that are over after `after`, in the order in which they became known.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn stream_incidents(&self, id: &StreamId, after: Timestamp) -> Result<Vec<StreamIncident>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT * FROM stream_incidents WHERE stream_id = ? AND recovered > ? ORDER BY number");
        let incident = |row: &SqliteRow| {
            Ok(StreamIncident {
                incident_id: row.try_get("incident_id")?,
                start: time(row, "start_time")?,
                recovered: time(row, "recovered")?,
                shown: row.try_get("shown")?,
                incident: json(row, "incident")?,
            })
        };
        query.bind(id.as_str()).bind(after.0).fetch_all(tx.connection()).await?.iter().map(incident).collect()
    }

    /// The versions of plugins that took over in a stream, in order.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn stream_swaps(&self, id: &StreamId) -> Result<Vec<StreamSwap>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT * FROM stream_swaps WHERE stream_id = ? ORDER BY id").bind(id.as_str());
        let swap = |row: &SqliteRow| {
            Ok(StreamSwap {
                at: time(row, "at")?,
                swapped_at: time(row, "swapped_at")?,
                before: json(row, "before")?,
                after: json(row, "after")?,
                afresh: row.try_get("afresh")?,
            })
        };
        query.fetch_all(tx.connection()).await?.iter().map(swap).collect()
    }

    /// At most `limit` commits of a stream behind number `after`, in order.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn stream_commits(&self, id: &StreamId, after: u64, limit: u32) -> Result<Vec<StreamCommit>, StoreError> {
        let mut tx = self.read().await?;
        let query =
            sqlx::query("SELECT * FROM stream_commits WHERE stream_id = ? AND number > ? ORDER BY number LIMIT ?");
        let query = query.bind(id.as_str()).bind(to_count("number", after)?).bind(limit);
        let commit = |row: &SqliteRow| {
            Ok(StreamCommit {
                stream_id: id.clone(),
                number: count(row, "number")?,
                window: Window { start: time(row, "window_start")?, end: time(row, "window_end")? },
                committed_at: time(row, "committed_at")?,
                rows: count(row, "rows")?,
                files: json(row, "files")?,
            })
        };
        query.fetch_all(tx.connection()).await?.iter().map(commit).collect()
    }
}

fn record(row: &SqliteRow) -> Result<StreamRecord, StoreError> {
    Ok(StreamRecord {
        id: parsed(row, "id")?,
        dataset: row.try_get("dataset")?,
        state: parsed(row, "state")?,
        spec: json(row, "spec")?,
        plugins: json(row, "plugins")?,
        versions: json(row, "versions")?,
        created_at: time(row, "created_at")?,
        ended_at: row.try_get::<Option<i64>, _>("ended_at")?.map(Timestamp),
        error: row.try_get("error")?,
        clock: ClockAnchor {
            wall: time(row, "wall_anchor")?,
            clock: time(row, "clock_anchor")?,
            speed: row.try_get("speed")?,
        },
        position: time(row, "position")?,
        planned_until: time(row, "planned_until")?,
        judged_until: time(row, "judged_until")?,
        commits: count(row, "commits")?,
        tables: json(row, "tables")?,
    })
}
