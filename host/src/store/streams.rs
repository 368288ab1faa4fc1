//! Records of streams: what was asked, how far each has come, what it committed and which incidents it knows.

use super::{PluginUse, Store, StoreError, WriteTx, count, json, parsed, time, to_count, to_json};
use crate::batch::TableFingerprint;
use crate::core::id::StreamId;
use crate::core::time::{Timestamp, Window};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What a stream is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamState {
    /// Its clock goes on; also while nobody runs it.
    Running,
    /// Its clock stands.
    Paused,
    /// Somebody ended it, or it came to its end; for good.
    Stopped,
    /// Something went wrong; it can be resumed once that is mended.
    Failed,
}

impl StreamState {
    const ALL: [Self; 4] = [Self::Running, Self::Paused, Self::Stopped, Self::Failed];

    /// The state's name, as the database and JSON have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for StreamState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for StreamState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is no state of a stream"))
    }
}

/// A simulated clock: at `wall` it showed `clock`, and it goes `speed` times as fast as the wall's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClockAnchor {
    /// Wall-clock time.
    pub wall: Timestamp,
    /// What the simulated clock showed then.
    pub clock: Timestamp,
    /// Simulated seconds a second, above 0.
    pub speed: f64,
}

/// A stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamRecord {
    /// Its id.
    pub id: StreamId,
    /// The dataset that it writes.
    pub dataset: String,
    /// What it is doing.
    pub state: StreamState,
    /// Its spec without open choices, incidents by hand included.
    pub spec: Value,
    /// The components that make its rows now.
    pub plugins: Vec<PluginUse>,
    /// Versions of what else shapes rows, by name.
    pub versions: BTreeMap<String, String>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it was stopped or failed.
    pub ended_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<String>,
    /// Its simulated clock.
    pub clock: ClockAnchor,
    /// Rows before this simulated time are in the lake, and no others.
    pub position: Timestamp,
    /// Incidents of the days before this one are planned.
    pub planned_until: Timestamp,
    /// Rows before this simulated time were judged by the validators.
    pub judged_until: Timestamp,
    /// How many commits it has made.
    pub commits: u64,
    /// Rows and fingerprints of all that it committed, by table.
    pub tables: BTreeMap<String, TableFingerprint>,
}

/// How far a commit brings a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamCommit {
    /// The stream.
    pub stream_id: StreamId,
    /// Which of its commits, from 1.
    pub number: u64,
    /// The simulated time that it covers.
    pub window: Window,
    /// When it was made.
    pub committed_at: Timestamp,
    /// Its rows, over all tables.
    pub rows: u64,
    /// Its files by table, as the lake describes them.
    pub files: Value,
}

/// An incident that a stream knows.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamIncident {
    /// Its id.
    pub incident_id: String,
    /// When it starts.
    pub start: Timestamp,
    /// When everything is back to normal.
    pub recovered: Timestamp,
    /// Whether it is a row of the ground truth already.
    pub shown: bool,
    /// The incident with its model.
    pub incident: Value,
}

/// Versions of plugins that took over in a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamSwap {
    /// The simulated time from which on the new versions make the rows.
    pub at: Timestamp,
    /// When it was done, by the wall's clock.
    pub swapped_at: Timestamp,
    /// The components until then.
    pub before: Vec<PluginUse>,
    /// The components from then on.
    pub after: Vec<PluginUse>,
    /// Whether the generator began afresh there, since it could not read the state.
    pub afresh: bool,
}

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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::store::DATABASE_FILE;
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
