//! Finished segments of runs: what a resume keeps.

use super::{Store, StoreError, WriteTx, count, json, time, to_count, to_json};
use crate::core::id::RunId;
use crate::core::time::Window;
use futures::TryStreamExt as _;
use serde_json::Value;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use std::collections::HashSet;

/// A piece of a shard whose rows are complete in files that nobody sees yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// The run.
    pub run_id: RunId,
    /// Which partition.
    pub partition: u32,
    /// Which piece of its span, from 0.
    pub segment: u32,
    /// The simulated time that it covers.
    pub window: Window,
    /// What the guest saved at its end; none where it carries nothing over.
    pub state: Option<Vec<u8>>,
    /// Its files by table, as the lake describes them.
    pub files: Value,
    /// Its part of each table's fingerprint.
    pub fingerprints: Value,
    /// Rows of all tables together.
    pub rows: u64,
}

impl WriteTx {
    /// Records a finished segment. Its files must be in place, for a resume takes them as they are.
    ///
    /// # Errors
    /// SQLite failed, or the segment is recorded already.
    pub async fn insert_segment(&mut self, segment: &Segment) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(segment.run_id.as_str())
            .bind(segment.partition)
            .bind(segment.segment)
            .bind(segment.window.start.0)
            .bind(segment.window.end.0)
            .bind(segment.state.as_deref())
            .bind(to_json("files", &segment.files)?)
            .bind(to_json("fingerprints", &segment.fingerprints)?)
            .bind(to_count("rows", segment.rows)?)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Forgets the segments of a run: it is finished, so the catalog names its files, or it will never be resumed.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn forget_segments(&mut self, run_id: &RunId) -> Result<(), StoreError> {
        let query = sqlx::query("DELETE FROM segments WHERE run_id = ?").bind(run_id.as_str());
        query.execute(self.connection()).await?;
        Ok(())
    }
}

impl Store {
    /// The finished segments of a run, by partition and segment. Only the last of each partition has its state: that
    /// is where a resume goes on.
    ///
    /// # Errors
    /// SQLite failed, or a record can't be read.
    pub async fn segments(&self, run_id: &RunId) -> Result<Vec<Segment>, StoreError> {
        let mut segments = Vec::new();
        self.each_segment(run_id, |segment| segments.push(segment)).await?;
        Ok(segments)
    }

    /// Hands the same segments to `each`, one at a time: a year has thousands, and what they tell of every column of their
    /// files takes fifty times its room as a tree of JSON.
    ///
    /// # Errors
    /// As [`Store::segments`].
    pub async fn each_segment(&self, run_id: &RunId, mut each: impl FnMut(Segment)) -> Result<(), StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query(
            "SELECT run_id, partition, segment, window_start, window_end, files, fingerprints, rows,
                    CASE WHEN segment = max(segment) OVER (PARTITION BY partition) THEN state END AS state
             FROM segments WHERE run_id = ? ORDER BY partition, segment",
        );
        let mut rows = query.bind(run_id.as_str()).fetch(tx.connection());
        while let Some(row) = rows.try_next().await? {
            each(record(run_id, &row)?);
        }
        Ok(())
    }

    /// The paths of all files that segments name, in whatever shape `files` has: they are no rubbish, although the
    /// catalog does not know them yet.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn segment_files(&self) -> Result<HashSet<String>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query_scalar(
            "SELECT tree.atom FROM segments, json_tree(segments.files) AS tree WHERE tree.key = 'path' AND tree.type = 'text'",
        );
        let paths: Vec<String> = query.fetch_all(tx.connection()).await?;
        Ok(paths.into_iter().collect())
    }
}

fn record(run_id: &RunId, row: &SqliteRow) -> Result<Segment, StoreError> {
    Ok(Segment {
        run_id: run_id.clone(),
        partition: row.try_get("partition")?,
        segment: row.try_get("segment")?,
        window: Window { start: time(row, "window_start")?, end: time(row, "window_end")? },
        state: row.try_get("state")?,
        files: json(row, "files")?,
        fingerprints: json(row, "fingerprints")?,
        rows: count(row, "rows")?,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::core::time::Timestamp;
    use crate::store::{DATABASE_FILE, RunRecord};
    use serde_json::json;

    fn segment(run_id: &RunId, partition: u32, segment: u32) -> Segment {
        Segment {
            run_id: run_id.clone(),
            partition,
            segment,
            window: Window { start: Timestamp(-7), end: Timestamp(7) },
            state: Some(vec![0, 255, segment as u8]),
            files: json!({"t": [{"path": format!("shop/t/{partition}-{segment}.parquet"), "rows": 2}]}),
            fingerprints: json!({"t": "00ff"}),
            rows: 2,
        }
    }

    #[tokio::test]
    async fn a_resume_finds_the_segments_in_order_and_the_last_states() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join(DATABASE_FILE)).await.unwrap();
        let (run_id, other) = (RunId::new(1, 1), RunId::new(2, 2));
        let mut tx = store.write().await.unwrap();
        for id in [&run_id, &other] {
            tx.insert_run(&RunRecord::planned(id.clone(), "shop", json!({}), Timestamp(0))).await.unwrap();
        }
        for (partition, number) in [(1, 0), (0, 1), (0, 0)] {
            tx.insert_segment(&segment(&run_id, partition, number)).await.unwrap();
        }
        tx.insert_segment(&segment(&other, 3, 3)).await.unwrap();
        assert!(tx.insert_segment(&segment(&run_id, 0, 0)).await.is_err(), "twice");
        assert!(tx.insert_segment(&segment(&RunId::new(9, 9), 0, 0)).await.is_err(), "of no run");
        tx.commit().await.unwrap();

        let first = Segment { state: None, ..segment(&run_id, 0, 0) };
        let expected = [first, segment(&run_id, 0, 1), segment(&run_id, 1, 0)];
        assert_eq!(store.segments(&run_id).await.unwrap(), expected);
        assert!(store.segment_files().await.unwrap().contains("shop/t/3-3.parquet"));

        let mut tx = store.write().await.unwrap();
        tx.forget_segments(&run_id).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.segments(&run_id).await.unwrap(), []);
        assert_eq!(store.segment_files().await.unwrap().len(), 1);
    }
}
