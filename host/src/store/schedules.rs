//! Records of pipelines: which there are, which due times are claimed, and how runs and their steps ended.

mod record;

use super::{Store, StoreError, WriteTx, json, parsed, time, to_json};
use crate::core::time::Timestamp;
use serde_json::Value;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

pub use record::{Cause, PipelineRecord, PipelineRun, RunClaim, RunRequest, StepRun, StepTotal, WorkState};

impl WriteTx {
    /// Keeps what a pipeline's file says; due times before `now` are of no interest for one that is new.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn register_pipeline(
        &mut self,
        name: &str,
        file: &str,
        definition: &Value,
        next_due: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO pipelines (name, file, definition, seen_until, next_due) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (name) DO UPDATE SET file = ?2, definition = ?3, next_due = ?5",
        )
        .bind(name)
        .bind(file)
        .bind(to_json("definition", definition)?)
        .bind(now.0)
        .bind(next_due.map(|due| due.0))
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Says when a pipeline runs next.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn set_next_due(&mut self, name: &str, next_due: Option<Timestamp>) -> Result<(), StoreError> {
        let update = sqlx::query("UPDATE pipelines SET next_due = ? WHERE name = ?");
        update.bind(next_due.map(|due| due.0)).bind(name).execute(self.connection()).await?;
        Ok(())
    }

    /// Claims a due time: none where it was claimed before. Once this is committed, nobody claims it again.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn claim_run(&mut self, claim: &RunClaim<'_>) -> Result<Option<PipelineRun>, StoreError> {
        let begun = claim.state == WorkState::Running;
        let clock = if begun { self.next_clock(claim.pipeline, claim.clock).await? } else { None };
        let row = sqlx::query(
            "INSERT INTO pipeline_runs (pipeline, due, attempt, cause, state, clock, claimed_at, finished_at, error)
             VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING *",
        )
        .bind(claim.pipeline)
        .bind(claim.due.0)
        .bind(claim.cause.as_str())
        .bind(claim.state.as_str())
        .bind(clock.map(|at| at.0))
        .bind(claim.now.0)
        .bind(if begun { None } else { Some(claim.now.0) })
        .bind(claim.error)
        .fetch_optional(self.connection())
        .await?;
        if claim.cause == Cause::Schedule {
            sqlx::query("UPDATE pipelines SET seen_until = max(seen_until, ?) WHERE name = ?")
                .bind(claim.due.0)
                .bind(claim.pipeline)
                .execute(self.connection())
                .await?;
        }
        if let (Some(_), Some((_, advance))) = (&row, claim.clock.filter(|_| begun)) {
            sqlx::query("UPDATE pipelines SET clock = ? WHERE name = ?")
                .bind(clock.map(|at| at.plus_us(advance).0))
                .bind(claim.pipeline)
                .execute(self.connection())
                .await?;
        }
        row.as_ref().map(run).transpose()
    }

    async fn next_clock(
        &mut self,
        pipeline: &str,
        clock: Option<(Timestamp, i64)>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let Some((start, _)) = clock else { return Ok(None) };
        let stored: Option<Option<i64>> = sqlx::query_scalar("SELECT clock FROM pipelines WHERE name = ?")
            .bind(pipeline)
            .fetch_optional(self.connection())
            .await?;
        Ok(Some(stored.flatten().map_or(start, Timestamp)))
    }

    /// Claims a run that is there and has ended, for one more attempt at its due time and its simulated time; none where it
    /// is under way, or there is no such run of the pipeline.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn claim_again(
        &mut self,
        pipeline: &str,
        id: i64,
        now: Timestamp,
    ) -> Result<Option<PipelineRun>, StoreError> {
        let row = sqlx::query(
            "INSERT INTO pipeline_runs (pipeline, due, attempt, cause, state, clock, claimed_at)
             SELECT pipeline, due, (SELECT max(attempt) + 1 FROM pipeline_runs AS all_of
                                    WHERE all_of.pipeline = old.pipeline AND all_of.due = old.due),
                    'again', 'running', clock, ?
             FROM pipeline_runs AS old WHERE id = ? AND pipeline = ? AND state <> 'running' RETURNING *",
        )
        .bind(now.0)
        .bind(id)
        .bind(pipeline)
        .fetch_optional(self.connection())
        .await?;
        row.as_ref().map(run).transpose()
    }

    /// A run has ended.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn finish_pipeline_run(
        &mut self,
        id: i64,
        state: WorkState,
        error: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE pipeline_runs SET state = ?, error = ?, finished_at = ? WHERE id = ?")
            .bind(state.as_str())
            .bind(error)
            .bind(now.0)
            .bind(id)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Keeps how far a step of run `id` is.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn put_step(&mut self, id: i64, step: &StepRun) -> Result<(), StoreError> {
        sqlx::query("INSERT OR REPLACE INTO pipeline_steps VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(id)
            .bind(step.position)
            .bind(&step.name)
            .bind(&step.kind)
            .bind(step.state.as_str())
            .bind(step.tries)
            .bind(step.started_at.0)
            .bind(step.finished_at.map(|at| at.0))
            .bind(&step.error)
            .bind(to_json("result", &step.result)?)
            .bind(to_json("log", &step.log)?)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Runs and steps that are said to be under way, though their process has ended, are interrupted; gives the runs.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn interrupt_pipelines(&mut self, now: Timestamp) -> Result<Vec<PipelineRun>, StoreError> {
        sqlx::query(
            "UPDATE pipeline_steps SET state = 'interrupted', finished_at = ? WHERE state = 'running'
             AND run_id IN (SELECT id FROM pipeline_runs WHERE state = 'running')",
        )
        .bind(now.0)
        .execute(self.connection())
        .await?;
        let rows = sqlx::query(
            "UPDATE pipeline_runs SET state = 'interrupted', finished_at = ?,
                 error = 'the process ended while it was under way; `telemill schedule trigger --again` runs it again'
             WHERE state = 'running' RETURNING *",
        )
        .bind(now.0)
        .fetch_all(self.connection())
        .await?;
        rows.iter().map(run).collect()
    }

    /// Forgets the oldest runs of a pipeline but for `keep`; claims stay, since nothing before `seen_until` is looked at.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn prune_pipeline_runs(&mut self, pipeline: &str, keep: u32) -> Result<(), StoreError> {
        sqlx::query(
            "DELETE FROM pipeline_runs WHERE pipeline = ?1 AND state <> 'running' AND id <= (
                 SELECT id FROM pipeline_runs WHERE pipeline = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        )
        .bind(pipeline)
        .bind(keep)
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Asks the scheduler for a run.
    ///
    /// # Errors
    /// There is no such pipeline or run, or SQLite failed.
    pub async fn request_run(&mut self, pipeline: &str, again: Option<i64>, now: Timestamp) -> Result<i64, StoreError> {
        let known: i64 = sqlx::query_scalar("SELECT count(*) FROM pipelines WHERE name = ?")
            .bind(pipeline)
            .fetch_one(self.connection())
            .await?;
        if known == 0 {
            return Err(StoreError::NoPipeline(pipeline.to_owned()));
        }
        if let Some(id) = again {
            let of: Option<String> = sqlx::query_scalar("SELECT pipeline FROM pipeline_runs WHERE id = ?")
                .bind(id)
                .fetch_optional(self.connection())
                .await?;
            if of.as_deref() != Some(pipeline) {
                return Err(StoreError::NoPipelineRun { pipeline: pipeline.to_owned(), id });
            }
        }
        let insert = sqlx::query("INSERT INTO pipeline_requests (pipeline, again, requested_at) VALUES (?, ?, ?)");
        let inserted = insert.bind(pipeline).bind(again).bind(now.0).execute(self.connection()).await?;
        Ok(inserted.last_insert_rowid())
    }

    /// Takes a request away, since it is claimed in this transaction, or can't be.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn forget_request(&mut self, id: i64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM pipeline_requests WHERE id = ?").bind(id).execute(self.connection()).await?;
        Ok(())
    }
}

impl Store {
    /// All pipelines, by name.
    ///
    /// # Errors
    /// SQLite failed, or a record can't be read.
    pub async fn pipelines(&self) -> Result<Vec<PipelineRecord>, StoreError> {
        let mut tx = self.read().await?;
        sqlx::query("SELECT * FROM pipelines ORDER BY name")
            .fetch_all(tx.connection())
            .await?
            .iter()
            .map(pipeline)
            .collect()
    }

    /// The pipeline `name`.
    ///
    /// # Errors
    /// There is none, or SQLite failed.
    pub async fn pipeline(&self, name: &str) -> Result<PipelineRecord, StoreError> {
        let mut tx = self.read().await?;
        let row = sqlx::query("SELECT * FROM pipelines WHERE name = ?").bind(name).fetch_optional(tx.connection());
        pipeline(&row.await?.ok_or_else(|| StoreError::NoPipeline(name.to_owned()))?)
    }

    /// At most `limit` runs of one pipeline, or of all, newest first; with `before`, only those with a smaller number.
    ///
    /// # Errors
    /// SQLite failed, or a record can't be read.
    pub async fn pipeline_runs(
        &self,
        pipeline: Option<&str>,
        limit: u32,
        before: Option<i64>,
    ) -> Result<Vec<PipelineRun>, StoreError> {
        let mut tx = self.read().await?;
        sqlx::query(
            "SELECT * FROM pipeline_runs WHERE (?1 IS NULL OR pipeline = ?1) AND (?2 IS NULL OR id < ?2)
             ORDER BY id DESC LIMIT ?3",
        )
        .bind(pipeline)
        .bind(before)
        .bind(limit)
        .fetch_all(tx.connection())
        .await?
        .iter()
        .map(run)
        .collect()
    }

    /// One run, where it is there.
    ///
    /// # Errors
    /// SQLite failed, or the record can't be read.
    pub async fn pipeline_run(&self, id: i64) -> Result<Option<PipelineRun>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT * FROM pipeline_runs WHERE id = ?").bind(id);
        query.fetch_optional(tx.connection()).await?.as_ref().map(run).transpose()
    }

    /// The steps of a run, in the order of the file.
    ///
    /// # Errors
    /// SQLite failed, or a record can't be read.
    pub async fn pipeline_steps(&self, id: i64) -> Result<Vec<StepRun>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT * FROM pipeline_steps WHERE run_id = ? ORDER BY position").bind(id);
        query.fetch_all(tx.connection()).await?.iter().map(step).collect()
    }

    /// How the steps of the runs that are kept ended, by pipeline and step.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn step_totals(&self) -> Result<Vec<StepTotal>, StoreError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query(
            "SELECT r.pipeline, s.name, s.kind, sum(s.state = 'succeeded') AS succeeded, sum(s.state = 'failed') AS failed,
                 (SELECT l.finished_at - l.started_at FROM pipeline_steps AS l JOIN pipeline_runs AS o ON o.id = l.run_id
                  WHERE o.pipeline = r.pipeline AND l.name = s.name AND l.state = 'succeeded'
                  ORDER BY l.run_id DESC LIMIT 1) AS last_us
             FROM pipeline_steps AS s JOIN pipeline_runs AS r ON r.id = s.run_id
             GROUP BY r.pipeline, s.name, s.kind ORDER BY r.pipeline, s.name",
        )
        .fetch_all(tx.connection())
        .await?;
        let total = |row: &SqliteRow| {
            Ok(StepTotal {
                pipeline: row.try_get("pipeline")?,
                step: row.try_get("name")?,
                kind: row.try_get("kind")?,
                succeeded: super::count(row, "succeeded")?,
                failed: super::count(row, "failed")?,
                last_us: row.try_get("last_us")?,
            })
        };
        rows.iter().map(total).collect()
    }

    /// When each pipeline last succeeded, by name; only those that did.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn last_successes(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query(
            "SELECT pipeline, max(finished_at) AS at FROM pipeline_runs WHERE state = 'succeeded'
             GROUP BY pipeline ORDER BY pipeline",
        );
        let rows = rows.fetch_all(tx.connection()).await?;
        rows.iter().map(|row| Ok((row.try_get("pipeline")?, time(row, "at")?))).collect()
    }

    /// What was asked for and not taken yet, oldest first.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn run_requests(&self) -> Result<Vec<RunRequest>, StoreError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query("SELECT * FROM pipeline_requests ORDER BY id").fetch_all(tx.connection()).await?;
        let request = |row: &SqliteRow| {
            Ok(RunRequest {
                id: row.try_get("id")?,
                pipeline: row.try_get("pipeline")?,
                again: row.try_get("again")?,
                requested_at: time(row, "requested_at")?,
            })
        };
        rows.iter().map(request).collect()
    }
}

fn maybe_time(row: &SqliteRow, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp))
}

fn pipeline(row: &SqliteRow) -> Result<PipelineRecord, StoreError> {
    Ok(PipelineRecord {
        name: row.try_get("name")?,
        file: row.try_get("file")?,
        definition: json(row, "definition")?,
        seen_until: time(row, "seen_until")?,
        next_due: maybe_time(row, "next_due")?,
        clock: maybe_time(row, "clock")?,
    })
}

fn run(row: &SqliteRow) -> Result<PipelineRun, StoreError> {
    Ok(PipelineRun {
        id: row.try_get("id")?,
        pipeline: row.try_get("pipeline")?,
        due: time(row, "due")?,
        attempt: row.try_get("attempt")?,
        cause: parsed(row, "cause")?,
        state: parsed(row, "state")?,
        clock: maybe_time(row, "clock")?,
        claimed_at: time(row, "claimed_at")?,
        finished_at: maybe_time(row, "finished_at")?,
        error: row.try_get("error")?,
    })
}

fn step(row: &SqliteRow) -> Result<StepRun, StoreError> {
    Ok(StepRun {
        position: row.try_get("position")?,
        name: row.try_get("name")?,
        kind: row.try_get("kind")?,
        state: parsed(row, "state")?,
        tries: row.try_get("tries")?,
        started_at: time(row, "started_at")?,
        finished_at: maybe_time(row, "finished_at")?,
        error: row.try_get("error")?,
        result: json(row, "result")?,
        log: json(row, "log")?,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::store::DATABASE_FILE;

    async fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join(DATABASE_FILE)).await.unwrap();
        let mut tx = store.write().await.unwrap();
        tx.register_pipeline("p", "p.toml", &Value::Null, None, Timestamp(100)).await.unwrap();
        tx.commit().await.unwrap();
        (folder, store)
    }

    fn claim(due: i64, clock: Option<(Timestamp, i64)>) -> RunClaim<'static> {
        let (due, now) = (Timestamp(due), Timestamp(due + 1));
        RunClaim { pipeline: "p", due, cause: Cause::Schedule, state: WorkState::Running, error: None, clock, now }
    }

    #[tokio::test]
    async fn a_due_time_is_claimed_once_and_the_clock_moves_with_claims_alone() {
        let (_folder, store) = store().await;
        let clock = Some((Timestamp(1_000), 15));
        let mut tx = store.write().await.unwrap();
        let first = tx.claim_run(&claim(200, clock)).await.unwrap().unwrap();
        assert_eq!((first.clock, first.attempt), (Some(Timestamp(1_000)), 1));
        assert_eq!(tx.claim_run(&claim(200, clock)).await.unwrap(), None);
        let skipped = RunClaim { state: WorkState::Skipped, error: Some("busy"), ..claim(300, clock) };
        assert_eq!(tx.claim_run(&skipped).await.unwrap().unwrap().clock, None);
        assert_eq!(tx.claim_run(&claim(400, clock)).await.unwrap().unwrap().clock, Some(Timestamp(1_015)));
        tx.commit().await.unwrap();
        let record = store.pipeline("p").await.unwrap();
        assert_eq!((record.seen_until, record.clock), (Timestamp(400), Some(Timestamp(1_030))));
    }

    #[tokio::test]
    async fn what_was_under_way_is_interrupted_and_may_be_run_again_at_its_own_times() {
        let (_folder, store) = store().await;
        let mut tx = store.write().await.unwrap();
        let first = tx.claim_run(&claim(200, Some((Timestamp(7), 1)))).await.unwrap().unwrap();
        assert_eq!(tx.claim_again("p", first.id, Timestamp(5)).await.unwrap(), None, "it is under way");
        let interrupted = tx.interrupt_pipelines(Timestamp(900)).await.unwrap();
        assert_eq!(interrupted.iter().map(|run| run.state).collect::<Vec<_>>(), [WorkState::Interrupted]);
        assert!(tx.interrupt_pipelines(Timestamp(901)).await.unwrap().is_empty());
        let again = tx.claim_again("p", first.id, Timestamp(950)).await.unwrap().unwrap();
        assert_eq!((again.due, again.attempt, again.clock), (Timestamp(200), 2, Some(Timestamp(7))));
        assert_eq!(again.cause, Cause::Again);
        assert!(matches!(tx.request_run("q", None, Timestamp(1)).await, Err(StoreError::NoPipeline(_))));
        assert!(matches!(tx.request_run("p", Some(99), Timestamp(1)).await, Err(StoreError::NoPipelineRun { .. })));
    }

    #[tokio::test]
    async fn a_history_is_bounded_and_a_forgotten_due_time_is_not_claimed_twice() {
        let (_folder, store) = store().await;
        let mut tx = store.write().await.unwrap();
        for due in 200..210 {
            let run = tx.claim_run(&claim(due, None)).await.unwrap().unwrap();
            tx.finish_pipeline_run(run.id, WorkState::Succeeded, None, Timestamp(due + 2)).await.unwrap();
        }
        tx.prune_pipeline_runs("p", 3).await.unwrap();
        tx.commit().await.unwrap();
        let left = store.pipeline_runs(Some("p"), 100, None).await.unwrap();
        assert_eq!(left.iter().map(|run| run.due.0).collect::<Vec<_>>(), [209, 208, 207]);
        assert_eq!(store.pipeline("p").await.unwrap().seen_until, Timestamp(209));
    }
}
