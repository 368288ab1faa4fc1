//! Records of what validators said.

use super::{Store, StoreError, WriteTx, json, parsed, time, to_json};
use crate::core::digest::Digest;
use crate::core::id::RunId;
use crate::core::report::Report;
use crate::core::time::{Timestamp, Window};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

/// A report that is not recorded yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NewReport {
    /// The run whose rows were judged; none where a dataset was judged later.
    pub run_id: Option<RunId>,
    /// The dataset that was judged.
    pub dataset: String,
    /// The validator.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// The digest of its component.
    pub digest: Digest,
    /// The simulated time that was judged.
    pub window: Window,
    /// The verdict.
    pub passed: bool,
    /// All that it said.
    pub report: Report,
    /// When.
    pub created_at: Timestamp,
}

/// A recorded report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReportRecord {
    /// Its number, growing.
    pub id: i64,
    /// What was recorded.
    #[serde(flatten)]
    pub content: NewReport,
}

impl WriteTx {
    /// Records a report and returns its number.
    ///
    /// # Errors
    /// SQLite failed, or there is no such run.
    pub async fn insert_report(&mut self, report: &NewReport) -> Result<i64, StoreError> {
        let inserted = sqlx::query(
            "INSERT INTO reports (run_id, dataset, plugin, version, digest, window_start, window_end, passed, report,
                 created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(report.run_id.as_ref().map(RunId::as_str))
        .bind(&report.dataset)
        .bind(&report.plugin)
        .bind(&report.version)
        .bind(report.digest.to_string())
        .bind(report.window.start.0)
        .bind(report.window.end.0)
        .bind(report.passed)
        .bind(to_json("report", &report.report)?)
        .bind(report.created_at.0)
        .execute(self.connection())
        .await?;
        Ok(inserted.last_insert_rowid())
    }
}

impl Store {
    /// The reports on a run, oldest first.
    ///
    /// # Errors
    /// SQLite failed, or a record can't be read.
    pub async fn run_reports(&self, run_id: &RunId) -> Result<Vec<ReportRecord>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT * FROM reports WHERE run_id = ? ORDER BY id").bind(run_id.as_str());
        query.fetch_all(tx.connection()).await?.iter().map(record).collect()
    }

    /// At most `limit` reports, newest first: on `dataset`, where one is given, and with numbers below `before`.
    ///
    /// # Errors
    /// SQLite failed, or a record can't be read.
    pub async fn reports(
        &self,
        dataset: Option<&str>,
        limit: u32,
        before: Option<i64>,
    ) -> Result<Vec<ReportRecord>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query(
            "SELECT * FROM reports WHERE (?1 IS NULL OR dataset = ?1) AND id < ?2 ORDER BY id DESC LIMIT ?3",
        );
        let query = query.bind(dataset).bind(before.unwrap_or(i64::MAX)).bind(limit);
        query.fetch_all(tx.connection()).await?.iter().map(record).collect()
    }
}

fn record(row: &SqliteRow) -> Result<ReportRecord, StoreError> {
    let run_id: Option<String> = row.try_get("run_id")?;
    let bad_id = |reason| StoreError::Corrupt { what: "run_id", reason };
    let content = NewReport {
        run_id: run_id.map(|text| text.parse().map_err(bad_id)).transpose()?,
        dataset: row.try_get("dataset")?,
        plugin: row.try_get("plugin")?,
        version: row.try_get("version")?,
        digest: parsed(row, "digest")?,
        window: Window { start: time(row, "window_start")?, end: time(row, "window_end")? },
        passed: row.try_get("passed")?,
        report: json(row, "report")?,
        created_at: time(row, "created_at")?,
    };
    Ok(ReportRecord { id: row.try_get("id")?, content })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::core::incident::Severity;
    use crate::core::report::{Finding, Metric};
    use crate::store::{DATABASE_FILE, RunRecord};

    #[tokio::test]
    async fn reports_read_back_by_run_and_by_dataset() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join(DATABASE_FILE)).await.unwrap();
        let run_id = RunId::new(1, 1);
        let finding = Finding {
            rule: "range".into(),
            severity: Severity::High,
            table: Some("t".into()),
            column: None,
            message: "too \"large\"".into(),
            failed: 1,
            checked: 2,
            samples: vec![0],
        };
        let metric = Metric { name: "p99".into(), value: 0.1, unit: Some("ms".into()), at: None };
        let ours = NewReport {
            run_id: Some(run_id.clone()),
            dataset: "shop".into(),
            plugin: "table-rules".into(),
            version: "0.1.0".into(),
            digest: Digest::of(b"x"),
            window: Window { start: Timestamp(0), end: Timestamp::MAX },
            passed: false,
            report: Report { findings: vec![finding], metrics: vec![metric] },
            created_at: Timestamp(3),
        };
        let later = NewReport { run_id: None, passed: true, report: Report::default(), ..ours.clone() };
        let mut tx = store.write().await.unwrap();
        assert!(tx.insert_report(&ours).await.is_err(), "of no run");
        tx.insert_run(&RunRecord::planned(run_id.clone(), "shop", serde_json::json!({}), Timestamp(0))).await.unwrap();
        let first = tx.insert_report(&ours).await.unwrap();
        let second = tx.insert_report(&later).await.unwrap();
        tx.commit().await.unwrap();
        let (first, second) = (ReportRecord { id: first, content: ours }, ReportRecord { id: second, content: later });
        assert_eq!(store.run_reports(&run_id).await.unwrap(), std::slice::from_ref(&first));
        assert_eq!(store.reports(Some("shop"), 9, None).await.unwrap(), [second, first]);
        assert_eq!(store.reports(Some("other"), 9, None).await.unwrap(), []);
    }
}
