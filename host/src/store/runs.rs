//! Records of runs: what was asked, what made it, how far it came and what came out.

use super::{ReadTx, Store, StoreError, WriteTx, json, parsed, time, to_json};
use crate::core::digest::Digest;
use crate::core::id::RunId;
use crate::core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Recorded; no row was made yet.
    Planned,
    /// Rows are being made; also the state of a run whose process was killed.
    Running,
    /// All rows are in the lake.
    Finished,
    /// Something went wrong; finished segments are kept for a resume.
    Failed,
    /// Somebody stopped it; finished segments are kept for a resume.
    Cancelled,
}

impl RunState {
    const ALL: [Self; 5] = [Self::Planned, Self::Running, Self::Finished, Self::Failed, Self::Cancelled];

    /// The state's name, as the database and JSON have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether a run in this state may become `next`. A running one may start again: its process was killed.
    pub fn may_become(self, next: Self) -> bool {
        match next {
            Self::Planned => false,
            Self::Running => self != Self::Finished,
            Self::Finished => self == Self::Running,
            Self::Failed | Self::Cancelled => matches!(self, Self::Planned | Self::Running),
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for RunState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is no state of a run"))
    }
}

/// A component that a run uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PluginUse {
    /// What for: `generator`, `incident-model` or `validator`.
    pub role: String,
    /// The plugin's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The digest of its component.
    pub digest: Digest,
}

/// What a run made of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TableTotal {
    /// The table.
    pub table: String,
    /// Its rows.
    pub rows: u64,
    /// Its fingerprint, hex.
    pub fingerprint: String,
}

/// A run, from its plan to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunRecord {
    /// Its id.
    pub id: RunId,
    /// The dataset that it writes.
    pub dataset: String,
    /// How far it has come.
    pub state: RunState,
    /// The resolved spec.
    pub spec: Value,
    /// The components.
    pub plugins: Vec<PluginUse>,
    /// Versions of what else shapes rows, by name.
    pub versions: BTreeMap<String, String>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it last started.
    pub started_at: Option<Timestamp>,
    /// When it ended, well or not.
    pub finished_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<String>,
    /// The fingerprint of the dataset that it made.
    pub fingerprint: Option<Digest>,
    /// What it made, by table.
    pub tables: Vec<TableTotal>,
    /// The lake's snapshot that shows it.
    pub snapshot_id: Option<i64>,
}

impl RunRecord {
    /// A run that is only planned.
    pub fn planned(id: RunId, dataset: impl Into<String>, spec: Value, created_at: Timestamp) -> Self {
        Self {
            id,
            dataset: dataset.into(),
            state: RunState::Planned,
            spec,
            plugins: Vec::new(),
            versions: BTreeMap::new(),
            created_at,
            started_at: None,
            finished_at: None,
            error: None,
            fingerprint: None,
            tables: Vec::new(),
            snapshot_id: None,
        }
    }

    /// How many validators judge its rows.
    pub fn validators(&self) -> usize {
        self.plugins.iter().filter(|used| used.role == "validator").count()
    }
}

/// What a finished run leaves in its record.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The fingerprint of the dataset that it made.
    pub fingerprint: Digest,
    /// What it made, by table.
    pub tables: Vec<TableTotal>,
    /// The lake's snapshot that shows it.
    pub snapshot_id: i64,
}

impl WriteTx {
    /// Records a new run.
    ///
    /// # Errors
    /// SQLite failed, or the id is taken.
    pub async fn insert_run(&mut self, run: &RunRecord) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(run.id.as_str())
            .bind(&run.dataset)
            .bind(run.state.as_str())
            .bind(to_json("spec", &run.spec)?)
            .bind(to_json("plugins", &run.plugins)?)
            .bind(to_json("versions", &run.versions)?)
            .bind(run.created_at.0)
            .bind(run.started_at.map(|at| at.0))
            .bind(run.finished_at.map(|at| at.0))
            .bind(&run.error)
            .bind(run.fingerprint.map(|digest| digest.to_string()))
            .bind(to_json("tables", &run.tables)?)
            .bind(run.snapshot_id)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// A run starts, or goes on after a failure, a stop or a kill.
    ///
    /// # Errors
    /// There is no such run, or it is finished.
    pub async fn start_run(&mut self, id: &RunId, at: Timestamp) -> Result<(), StoreError> {
        self.change_state(id, RunState::Running).await?;
        sqlx::query("UPDATE runs SET started_at = ?, finished_at = NULL, error = NULL WHERE id = ?")
            .bind(at.0)
            .bind(id.as_str())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// A run has all its rows in the lake.
    ///
    /// # Errors
    /// There is no such run, or it is not running.
    pub async fn finish_run(&mut self, id: &RunId, at: Timestamp, outcome: &Outcome) -> Result<(), StoreError> {
        self.change_state(id, RunState::Finished).await?;
        sqlx::query("UPDATE runs SET finished_at = ?, fingerprint = ?, tables = ?, snapshot_id = ? WHERE id = ?")
            .bind(at.0)
            .bind(outcome.fingerprint.to_string())
            .bind(to_json("tables", &outcome.tables)?)
            .bind(outcome.snapshot_id)
            .bind(id.as_str())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// A run went wrong.
    ///
    /// # Errors
    /// There is no such run, or it is neither planned nor running.
    pub async fn fail_run(&mut self, id: &RunId, at: Timestamp, error: &str) -> Result<(), StoreError> {
        self.change_state(id, RunState::Failed).await?;
        self.end_run(id, at, Some(error)).await
    }

    /// Somebody stopped a run.
    ///
    /// # Errors
    /// There is no such run, or it is neither planned nor running.
    pub async fn cancel_run(&mut self, id: &RunId, at: Timestamp) -> Result<(), StoreError> {
        self.change_state(id, RunState::Cancelled).await?;
        self.end_run(id, at, None).await
    }

    async fn end_run(&mut self, id: &RunId, at: Timestamp, error: Option<&str>) -> Result<(), StoreError> {
        sqlx::query("UPDATE runs SET finished_at = ?, error = ? WHERE id = ?")
            .bind(at.0)
            .bind(error)
            .bind(id.as_str())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn change_state(&mut self, id: &RunId, to: RunState) -> Result<(), StoreError> {
        let row = sqlx::query("SELECT state FROM runs WHERE id = ?").bind(id.as_str());
        let row = row.fetch_optional(self.connection()).await?.ok_or_else(|| StoreError::NoRun(id.clone()))?;
        let from: RunState = parsed(&row, "state")?;
        if !from.may_become(to) {
            return Err(StoreError::Transition { id: id.clone(), from, to });
        }
        sqlx::query("UPDATE runs SET state = ? WHERE id = ?")
            .bind(to.as_str())
            .bind(id.as_str())
            .execute(self.connection())
            .await?;
        Ok(())
    }
}

impl Store {
    /// The run `id`.
    ///
    /// # Errors
    /// There is no such run, or SQLite failed.
    pub async fn run(&self, id: &RunId) -> Result<RunRecord, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT * FROM runs WHERE id = ?").bind(id.as_str());
        let row = query.fetch_optional(tx.connection()).await?;
        record(&row.ok_or_else(|| StoreError::NoRun(id.clone()))?)
    }

    /// The newest run, where there is one.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn latest_run(&self) -> Result<Option<RunRecord>, StoreError> {
        Ok(self.runs(1, None).await?.pop())
    }

    /// The newest run that is not finished, or of which a validator's report is missing; none where there is no such run.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn run_to_resume(&self) -> Result<Option<RunRecord>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query(
            "SELECT * FROM runs WHERE state <> ?
             OR (SELECT count(*) FROM json_each(plugins) WHERE json_extract(value, '$.role') = 'validator')
                 > (SELECT count(*) FROM reports WHERE run_id = runs.id)
             ORDER BY id DESC LIMIT 1",
        );
        let row = query.bind(RunState::Finished.as_str()).fetch_optional(tx.connection()).await?;
        row.as_ref().map(record).transpose()
    }

    /// At most `limit` runs, newest first; with `before`, only those that are older than that one, so that the last
    /// of one page is the cursor of the next.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn runs(&self, limit: u32, before: Option<&RunId>) -> Result<Vec<RunRecord>, StoreError> {
        let mut tx: ReadTx = self.read().await?;
        let query = sqlx::query("SELECT * FROM runs WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2")
            .bind(before.map(RunId::as_str))
            .bind(limit);
        query.fetch_all(tx.connection()).await?.iter().map(record).collect()
    }
}

pub(super) fn record(row: &SqliteRow) -> Result<RunRecord, StoreError> {
    let maybe_time = |column| Ok::<_, StoreError>(row.try_get::<Option<i64>, _>(column)?.map(Timestamp));
    let fingerprint: Option<String> = row.try_get("fingerprint")?;
    let bad_digest = |reason| StoreError::Corrupt { what: "fingerprint", reason };
    Ok(RunRecord {
        id: parsed(row, "id")?,
        dataset: row.try_get("dataset")?,
        state: parsed(row, "state")?,
        spec: json(row, "spec")?,
        plugins: json(row, "plugins")?,
        versions: json(row, "versions")?,
        created_at: time(row, "created_at")?,
        started_at: maybe_time("started_at")?,
        finished_at: maybe_time("finished_at")?,
        error: row.try_get("error")?,
        fingerprint: fingerprint.map(|text| text.parse().map_err(bad_digest)).transpose()?,
        tables: json(row, "tables")?,
        snapshot_id: row.try_get("snapshot_id")?,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::store::DATABASE_FILE;
    use serde_json::json;

    async fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join(DATABASE_FILE)).await.unwrap();
        (folder, store)
    }

    fn planned(ms: u64) -> RunRecord {
        let mut run = RunRecord::planned(RunId::new(ms, 7), "shop", json!({"seed": u64::MAX}), Timestamp(-1));
        let digest = Digest::of(b"component");
        run.plugins.push(PluginUse { role: "generator".into(), name: "e".into(), version: "1".into(), digest });
        run.versions.insert("telemill".into(), "0.1.0".into());
        run
    }

    #[tokio::test]
    async fn a_run_reads_back_as_it_was_written_through_all_its_states() {
        let (_folder, store) = store().await;
        let mut run = planned(5);
        let mut tx = store.write().await.unwrap();
        tx.insert_run(&run).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.run(&run.id).await.unwrap(), run);

        let mut tx = store.write().await.unwrap();
        tx.start_run(&run.id, Timestamp(10)).await.unwrap();
        tx.fail_run(&run.id, Timestamp(11), "it's broken").await.unwrap();
        tx.commit().await.unwrap();
        (run.state, run.started_at, run.finished_at) = (RunState::Failed, Some(Timestamp(10)), Some(Timestamp(11)));
        run.error = Some("it's broken".into());
        assert_eq!(store.run(&run.id).await.unwrap(), run);

        let outcome = Outcome {
            fingerprint: Digest::of(b"rows"),
            tables: vec![TableTotal { table: "t".into(), rows: 3, fingerprint: "ab".into() }],
            snapshot_id: 9,
        };
        let mut tx = store.write().await.unwrap();
        tx.start_run(&run.id, Timestamp(12)).await.unwrap();
        tx.finish_run(&run.id, Timestamp(13), &outcome).await.unwrap();
        tx.commit().await.unwrap();
        let finished = store.run(&run.id).await.unwrap();
        assert_eq!((finished.state, finished.error), (RunState::Finished, None));
        assert_eq!(finished.fingerprint, Some(outcome.fingerprint));
        assert_eq!((finished.tables, finished.snapshot_id), (outcome.tables, Some(9)));
    }

    #[tokio::test]
    async fn a_finished_run_stays_finished_and_a_missing_one_is_named() {
        let (_folder, store) = store().await;
        let mut run = planned(5);
        run.state = RunState::Finished;
        let mut tx = store.write().await.unwrap();
        tx.insert_run(&run).await.unwrap();
        let again = tx.start_run(&run.id, Timestamp(1)).await.unwrap_err();
        assert!(again.to_string().contains("is finished and can't become running"), "{again}");
        let missing = tx.cancel_run(&RunId::new(1, 1), Timestamp(1)).await.unwrap_err();
        assert!(matches!(missing, StoreError::NoRun(_)) && missing.to_string().contains("telemill run list"));
    }

    #[test]
    fn states_read_back_and_only_a_running_run_can_finish() {
        for state in RunState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
            assert_eq!(state.may_become(RunState::Finished), state == RunState::Running);
        }
    }

    #[tokio::test]
    async fn runs_come_newest_first_in_pages() {
        let (_folder, store) = store().await;
        assert_eq!(store.latest_run().await.unwrap(), None);
        let mut tx = store.write().await.unwrap();
        for ms in [3, 1, 2, 4] {
            tx.insert_run(&planned(ms)).await.unwrap();
        }
        tx.commit().await.unwrap();
        assert_eq!(store.latest_run().await.unwrap().map(|run| run.id), Some(RunId::new(4, 7)));
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = store.runs(3, cursor.as_ref()).await.unwrap();
            let Some(last) = page.last() else { break };
            cursor = Some(last.id.clone());
            seen.extend(page.into_iter().map(|run| run.id));
        }
        assert_eq!(seen, [4, 3, 2, 1].map(|ms| RunId::new(ms, 7)));
    }
}
