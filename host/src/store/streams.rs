//! Records of streams: what was asked, how far each has come, what it committed and which incidents it knows.

mod read;
mod record;

use super::{StoreError, WriteTx, to_count, to_json};
use crate::batch::TableFingerprint;
use crate::core::id::StreamId;
use crate::core::time::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

pub use record::{ClockAnchor, StreamCommit, StreamIncident, StreamRecord, StreamState, StreamSwap};

impl WriteTx {
    /// Records a new stream.
    ///
    /// # Errors
    /// SQLite failed, or the id is taken.
    pub async fn insert_stream(&mut self, stream: &StreamRecord) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO streams VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(stream.id.as_str())
            .bind(&stream.dataset)
            .bind(stream.state.as_str())
            .bind(to_json("spec", &stream.spec)?)
            .bind(to_json("plugins", &stream.plugins)?)
            .bind(to_json("versions", &stream.versions)?)
            .bind(stream.created_at.0)
            .bind(stream.ended_at.map(|at| at.0))
            .bind(&stream.error)
            .bind(stream.clock.wall.0)
            .bind(stream.clock.clock.0)
            .bind(stream.clock.speed)
            .bind(stream.position.0)
            .bind(stream.planned_until.0)
            .bind(stream.judged_until.0)
            .bind(to_count("commits", stream.commits)?)
            .bind(to_json("tables", &stream.tables)?)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// A stream does something else from now on.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn set_stream_state(
        &mut self,
        id: &StreamId,
        state: StreamState,
        at: Timestamp,
        error: Option<&str>,
    ) -> Result<(), StoreError> {
        let ended = matches!(state, StreamState::Stopped | StreamState::Failed).then_some(at.0);
        sqlx::query("UPDATE streams SET state = ?, ended_at = ?, error = ? WHERE id = ?")
            .bind(state.as_str())
            .bind(ended)
            .bind(error)
            .bind(id.as_str())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Sets a stream's clock.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn set_stream_clock(&mut self, id: &StreamId, clock: ClockAnchor) -> Result<(), StoreError> {
        sqlx::query("UPDATE streams SET wall_anchor = ?, clock_anchor = ?, speed = ? WHERE id = ?")
            .bind(clock.wall.0)
            .bind(clock.clock.0)
            .bind(clock.speed)
            .bind(id.as_str())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Replaces a stream's spec: an incident by hand became part of it.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn set_stream_spec(&mut self, id: &StreamId, spec: &Value) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE streams SET spec = ? WHERE id = ?").bind(to_json("spec", spec)?);
        query.bind(id.as_str()).execute(self.connection()).await?;
        Ok(())
    }

    /// The validators have judged a stream's rows before `until`.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn set_stream_judged(&mut self, id: &StreamId, until: Timestamp) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE streams SET judged_until = ? WHERE id = ?").bind(until.0);
        query.bind(id.as_str()).execute(self.connection()).await?;
        Ok(())
    }

    /// Brings a stream to the end of `commit`: position, totals, and what its instances saved there, by partition.
    ///
    /// # Errors
    /// SQLite failed, or the commit is recorded already.
    pub async fn advance_stream(
        &mut self,
        commit: &StreamCommit,
        planned_until: Timestamp,
        tables: &BTreeMap<String, TableFingerprint>,
        states: &[Option<Vec<u8>>],
    ) -> Result<(), StoreError> {
        let number = to_count("commits", commit.number)?;
        sqlx::query("UPDATE streams SET position = ?, planned_until = ?, commits = ?, tables = ? WHERE id = ?")
            .bind(commit.window.end.0)
            .bind(planned_until.0)
            .bind(number)
            .bind(to_json("tables", tables)?)
            .bind(commit.stream_id.as_str())
            .execute(self.connection())
            .await?;
        sqlx::query("INSERT INTO stream_commits VALUES (?, ?, ?, ?, ?, ?, ?)")
            .bind(commit.stream_id.as_str())
            .bind(number)
            .bind(commit.window.start.0)
            .bind(commit.window.end.0)
            .bind(commit.committed_at.0)
            .bind(to_count("rows", commit.rows)?)
            .bind(to_json("files", &commit.files)?)
            .execute(self.connection())
            .await?;
        for (partition, state) in (0_u32..).zip(states) {
            match state {
                Some(state) => {
                    sqlx::query("INSERT OR REPLACE INTO stream_states VALUES (?, ?, ?)")
                        .bind(commit.stream_id.as_str())
                        .bind(partition)
                        .bind(state)
                        .execute(self.connection())
                        .await?;
                }
                None => {
                    sqlx::query("DELETE FROM stream_states WHERE stream_id = ? AND partition = ?")
                        .bind(commit.stream_id.as_str())
                        .bind(partition)
                        .execute(self.connection())
                        .await?;
                }
            }
        }
        Ok(())
    }

    /// Other versions of plugins make a stream's rows from now on.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn insert_stream_swap(&mut self, id: &StreamId, swap: &StreamSwap) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO stream_swaps VALUES (NULL, ?, ?, ?, ?, ?, ?)")
            .bind(id.as_str())
            .bind(swap.at.0)
            .bind(swap.swapped_at.0)
            .bind(to_json("before", &swap.before)?)
            .bind(to_json("after", &swap.after)?)
            .bind(swap.afresh)
            .execute(self.connection())
            .await?;
        let query = sqlx::query("UPDATE streams SET plugins = ? WHERE id = ?").bind(to_json("plugins", &swap.after)?);
        query.bind(id.as_str()).execute(self.connection()).await?;
        Ok(())
    }

    /// Incidents became known to a stream, in this order.
    ///
    /// # Errors
    /// SQLite failed, or one of that id is known already.
    pub async fn insert_stream_incidents(
        &mut self,
        id: &StreamId,
        incidents: &[StreamIncident],
    ) -> Result<(), StoreError> {
        for incident in incidents {
            sqlx::query(
                "INSERT INTO stream_incidents VALUES (?1, ?2,
                     (SELECT coalesce(max(number), 0) + 1 FROM stream_incidents WHERE stream_id = ?1), ?3, ?4, ?5, ?6)",
            )
            .bind(id.as_str())
            .bind(&incident.incident_id)
            .bind(incident.start.0)
            .bind(incident.recovered.0)
            .bind(incident.shown)
            .bind(to_json("incident", &incident.incident)?)
            .execute(self.connection())
            .await?;
        }
        Ok(())
    }

    /// The incidents that start before `before` are rows of the ground truth now.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn show_stream_incidents(&mut self, id: &StreamId, before: Timestamp) -> Result<(), StoreError> {
        let query =
            sqlx::query("UPDATE stream_incidents SET shown = 1 WHERE stream_id = ? AND start_time < ? AND NOT shown");
        query.bind(id.as_str()).bind(before.0).execute(self.connection()).await?;
        Ok(())
    }

    /// Forgets the commits of a stream up to `number`: nobody is going to read their files one by one.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn forget_stream_commits(&mut self, id: &StreamId, number: u64) -> Result<u64, StoreError> {
        let query = sqlx::query("DELETE FROM stream_commits WHERE stream_id = ? AND number <= ?");
        let query = query.bind(id.as_str()).bind(to_count("number", number)?);
        Ok(query.execute(self.connection()).await?.rows_affected())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::core::time::Window;
    use crate::store::{DATABASE_FILE, Store};
    use serde_json::json;

    fn stream(ms: u64) -> StreamRecord {
        StreamRecord {
            id: StreamId::new(ms, 1),
            dataset: "shop".into(),
            state: StreamState::Running,
            spec: json!({"seed": 1}),
            plugins: Vec::new(),
            versions: BTreeMap::new(),
            created_at: Timestamp(1),
            ended_at: None,
            error: None,
            clock: ClockAnchor { wall: Timestamp(10), clock: Timestamp(-10), speed: 1.5 },
            position: Timestamp(-10),
            planned_until: Timestamp(-20),
            judged_until: Timestamp(-10),
            commits: 0,
            tables: BTreeMap::new(),
        }
    }

    fn commit(stream: &StreamRecord, number: u64) -> StreamCommit {
        StreamCommit {
            stream_id: stream.id.clone(),
            number,
            window: Window { start: Timestamp(-10), end: Timestamp(number as i64) },
            committed_at: Timestamp(12),
            rows: 3,
            files: json!({"t": []}),
        }
    }

    #[tokio::test]
    async fn a_stream_reads_back_as_it_was_written_and_goes_on_from_its_last_commit() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join(DATABASE_FILE)).await.unwrap();
        let (mut first, second) = (stream(1), stream(2));
        let mut tx = store.write().await.unwrap();
        for stream in [&first, &second] {
            tx.insert_stream(stream).await.unwrap();
        }
        tx.set_stream_state(&second.id, StreamState::Failed, Timestamp(7), Some("it broke")).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.stream(&first.id).await.unwrap(), first);
        assert_eq!(store.live_streams().await.unwrap(), [first.clone()]);
        let failed = store.stream(&second.id).await.unwrap();
        assert_eq!((failed.state, failed.ended_at), (StreamState::Failed, Some(Timestamp(7))));
        assert!(matches!(store.stream(&StreamId::new(9, 9)).await, Err(StoreError::NoStream(_))));

        first.tables.insert("t".into(), TableFingerprint::default());
        let states = [Some(vec![1, 2]), None];
        let mut tx = store.write().await.unwrap();
        tx.advance_stream(&commit(&first, 1), Timestamp(0), &first.tables, &states).await.unwrap();
        assert!(tx.advance_stream(&commit(&first, 1), Timestamp(0), &first.tables, &states).await.is_err(), "twice");
        drop(tx);
        assert_eq!(store.stream(&first.id).await.unwrap().commits, 0, "undone as a whole");
        let mut tx = store.write().await.unwrap();
        tx.advance_stream(&commit(&first, 1), Timestamp(0), &first.tables, &states).await.unwrap();
        tx.advance_stream(&commit(&first, 2), Timestamp(0), &first.tables, &[None, Some(vec![3])]).await.unwrap();
        tx.commit().await.unwrap();
        let advanced = store.stream(&first.id).await.unwrap();
        assert_eq!((advanced.position, advanced.commits, advanced.planned_until), (Timestamp(2), 2, Timestamp(0)));
        assert_eq!(store.stream_states(&first.id).await.unwrap(), [(1, vec![3])].into());
        assert_eq!(store.stream_commits(&first.id, 1, 10).await.unwrap(), [commit(&first, 2)]);
    }

    #[tokio::test]
    async fn incidents_come_in_the_order_in_which_they_became_known() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join(DATABASE_FILE)).await.unwrap();
        let stream = stream(1);
        let incident = |id: &str, start: i64, shown| StreamIncident {
            incident_id: id.into(),
            start: Timestamp(start),
            recovered: Timestamp(start + 5),
            shown,
            incident: json!({"id": id}),
        };
        let mut tx = store.write().await.unwrap();
        tx.insert_stream(&stream).await.unwrap();
        tx.insert_stream_incidents(&stream.id, &[incident("b", 3, false), incident("a", 1, false)]).await.unwrap();
        tx.insert_stream_incidents(&stream.id, &[incident("c", -9, true)]).await.unwrap();
        assert!(tx.insert_stream_incidents(&stream.id, &[incident("a", 1, true)]).await.is_err(), "twice");
        tx.show_stream_incidents(&stream.id, Timestamp(2)).await.unwrap();
        tx.commit().await.unwrap();
        let known = store.stream_incidents(&stream.id, Timestamp(0)).await.unwrap();
        assert_eq!(known, [incident("b", 3, false), incident("a", 1, true)]);
    }
}
