//! Records of alerts: what is wrong, what was told of it, and how far each channel has come.

use super::{Store, StoreError, WriteTx, json, parsed, time, to_json};
use crate::core::incident::Severity;
use crate::core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use std::str::FromStr;
use utoipa::ToSchema;

/// How far an alert has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Nobody has seen to it.
    Open,
    /// Somebody has seen it.
    Acknowledged,
    /// What was wrong is no longer.
    Resolved,
}

impl AlertState {
    /// The state's name, as the database and JSON have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }
}

impl FromStr for AlertState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = [Self::Open, Self::Acknowledged, Self::Resolved].into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is no state of an alert; there are open, acknowledged and resolved"))
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAlert {
    /// Who found it: `pipeline/STEP` or the like.
    pub source: String,
    /// The validator; none where a pipeline failed.
    pub validator: Option<String>,
    /// The dataset that it judged.
    pub dataset: Option<String>,
    /// The rule that is broken.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// What was measured.
    pub details: Value,
}

impl NewAlert {
    /// What tells alerts apart: of one key, at most one is not resolved.
    pub fn key(&self) -> String {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        [self.source.clone(), part(&self.validator), part(&self.dataset), self.rule.clone()].join("|")
    }
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    /// Its number, growing.
    pub id: i64,
    /// Who found it.
    pub source: String,
    /// The validator; none where a pipeline failed.
    pub validator: Option<String>,
    /// The dataset that it judged.
    pub dataset: Option<String>,
    /// The rule that is broken.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line, as it was found last.
    pub message: String,
    /// What was measured then.
    pub details: Value,
    /// How far it has come.
    pub state: AlertState,
    /// How often it was found.
    pub times: u64,
    /// When it was found first.
    pub raised_at: Timestamp,
    /// When it was found last.
    pub last_at: Timestamp,
    /// When somebody acknowledged it.
    pub acknowledged_at: Option<Timestamp>,
    /// Who did.
    pub acknowledged_by: Option<String>,
    /// What they said.
    pub note: Option<String>,
    /// When it was over.
    pub resolved_at: Option<Timestamp>,
}

/// Something that channels are told.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AlertEvent {
    /// Its number, growing.
    pub id: i64,
    /// `raised`, `acknowledged` or `resolved`.
    pub kind: String,
    /// When.
    pub at: Timestamp,
    /// The alert as it was then.
    pub alert: Alert,
}

/// How far a channel has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelRecord {
    /// The last event that was told, or given up.
    pub position: i64,
    /// How often the next one failed.
    pub failures: u32,
}

impl WriteTx {
    /// Raises an alert, or counts it once more where it is there and not resolved; whether it is new.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn raise_alert(&mut self, new: &NewAlert, now: Timestamp) -> Result<bool, StoreError> {
        let key = new.key();
        let updated = sqlx::query(
            "UPDATE alerts SET times = times + 1, last_at = ?, message = ?, details = ?, severity = ?
             WHERE key = ? AND state <> 'resolved'",
        )
        .bind(now.0)
        .bind(&new.message)
        .bind(to_json("details", &new.details)?)
        .bind(to_json("severity", &new.severity)?)
        .bind(&key)
        .execute(self.connection())
        .await?;
        if updated.rows_affected() > 0 {
            return Ok(false);
        }
        let row = sqlx::query(
            "INSERT INTO alerts (key, source, validator, dataset, rule, severity, message, details, state, times,
                 raised_at, last_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'open', 1, ?, ?) RETURNING *",
        )
        .bind(&key)
        .bind(&new.source)
        .bind(&new.validator)
        .bind(&new.dataset)
        .bind(&new.rule)
        .bind(to_json("severity", &new.severity)?)
        .bind(&new.message)
        .bind(to_json("details", &new.details)?)
        .bind(now.0)
        .bind(now.0)
        .fetch_one(self.connection())
        .await?;
        self.insert_event("raised", &alert(&row)?, now).await?;
        Ok(true)
    }

    /// Resolves the alerts of one source, validator and dataset but for those of the rules `broken`; how many.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn resolve_alerts(
        &mut self,
        source: &str,
        validator: Option<&str>,
        dataset: Option<&str>,
        broken: &[String],
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let rows = sqlx::query(
            "UPDATE alerts SET state = 'resolved', resolved_at = ?
             WHERE state <> 'resolved' AND source = ? AND validator IS ? AND dataset IS ?
               AND rule NOT IN (SELECT value FROM json_each(?)) RETURNING *",
        )
        .bind(now.0)
        .bind(source)
        .bind(validator)
        .bind(dataset)
        .bind(to_json("rules", &broken)?)
        .fetch_all(self.connection())
        .await?;
        for row in &rows {
            self.insert_event("resolved", &alert(row)?, now).await?;
        }
        Ok(rows.len())
    }

    /// Somebody has seen an alert; none where there is no such alert that is open.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn acknowledge_alert(
        &mut self,
        id: i64,
        by: Option<&str>,
        note: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Alert>, StoreError> {
        let row = sqlx::query(
            "UPDATE alerts SET state = 'acknowledged', acknowledged_at = ?, acknowledged_by = ?, note = ?
             WHERE id = ? AND state = 'open' RETURNING *",
        )
        .bind(now.0)
        .bind(by)
        .bind(note)
        .bind(id)
        .fetch_optional(self.connection())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let alert = alert(&row)?;
        self.insert_event("acknowledged", &alert, now).await?;
        Ok(Some(alert))
    }

    async fn insert_event(&mut self, kind: &str, alert: &Alert, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO alert_events (kind, at, alert) VALUES (?, ?, ?)")
            .bind(kind)
            .bind(now.0)
            .bind(to_json("alert", alert)?)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// How far the channel `name` has come; one that is new begins with what happens from now on.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn alert_channel(&mut self, name: &str) -> Result<ChannelRecord, StoreError> {
        sqlx::query(
            "INSERT INTO alert_channels (name, position, failures)
             VALUES (?, (SELECT coalesce(max(id), 0) FROM alert_events), 0) ON CONFLICT DO NOTHING",
        )
        .bind(name)
        .execute(self.connection())
        .await?;
        let row = sqlx::query("SELECT * FROM alert_channels WHERE name = ?").bind(name);
        let row = row.fetch_one(self.connection()).await?;
        Ok(ChannelRecord { position: row.try_get("position")?, failures: row.try_get("failures")? })
    }

    /// Keeps how far the channel `name` has come.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn move_alert_channel(
        &mut self,
        name: &str,
        record: &ChannelRecord,
        error: Option<&str>,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE alert_channels SET position = ?, failures = ?, error = ? WHERE name = ?")
            .bind(record.position)
            .bind(record.failures)
            .bind(error)
            .bind(name)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Forgets resolved alerts, and events, but for the newest `keep` of each.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn prune_alerts(&mut self, keep: u32) -> Result<(), StoreError> {
        for sql in [
            "DELETE FROM alerts WHERE state = 'resolved' AND id <= (SELECT id FROM alerts ORDER BY id DESC LIMIT 1 OFFSET ?)",
            "DELETE FROM alert_events WHERE id <= (SELECT id FROM alert_events ORDER BY id DESC LIMIT 1 OFFSET ?)",
        ] {
            sqlx::query(sql).bind(keep).execute(self.connection()).await?;
        }
        Ok(())
    }
}

impl Store {
    /// At most `limit` alerts, newest first: those in `state`, or all; with `before`, only those with a smaller number.
    ///
    /// # Errors
    /// SQLite failed, or a record can't be read.
    pub async fn alerts(
        &self,
        state: Option<AlertState>,
        limit: u32,
        before: Option<i64>,
    ) -> Result<Vec<Alert>, StoreError> {
        let mut tx = self.read().await?;
        sqlx::query(
            "SELECT * FROM alerts WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR id < ?2)
             ORDER BY id DESC LIMIT ?3",
        )
        .bind(state.map(AlertState::as_str))
        .bind(before)
        .bind(limit)
        .fetch_all(tx.connection())
        .await?
        .iter()
        .map(alert)
        .collect()
    }

    /// One alert, where it is there.
    ///
    /// # Errors
    /// SQLite failed, or the record can't be read.
    pub async fn alert(&self, id: i64) -> Result<Option<Alert>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT * FROM alerts WHERE id = ?").bind(id);
        query.fetch_optional(tx.connection()).await?.as_ref().map(alert).transpose()
    }

    /// How many alerts are not resolved.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn unresolved_alerts(&self) -> Result<u64, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT count(*) AS alerts FROM alerts WHERE state <> 'resolved'");
        super::count(&query.fetch_one(tx.connection()).await?, "alerts")
    }

    /// The number of the newest event; 0 where there is none.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn newest_alert_event(&self) -> Result<i64, StoreError> {
        let mut tx = self.read().await?;
        Ok(sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM alert_events").fetch_one(tx.connection()).await?)
    }

    /// At most `limit` events with a greater number than `after`, oldest first.
    ///
    /// # Errors
    /// SQLite failed, or a record can't be read.
    pub async fn alert_events(&self, after: i64, limit: u32) -> Result<Vec<AlertEvent>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT * FROM alert_events WHERE id > ? ORDER BY id LIMIT ?").bind(after).bind(limit);
        let event = |row: &SqliteRow| {
            Ok(AlertEvent {
                id: row.try_get("id")?,
                kind: row.try_get("kind")?,
                at: time(row, "at")?,
                alert: json(row, "alert")?,
            })
        };
        query.fetch_all(tx.connection()).await?.iter().map(event).collect()
    }
}

fn alert(row: &SqliteRow) -> Result<Alert, StoreError> {
    let maybe_time = |column| Ok::<_, StoreError>(row.try_get::<Option<i64>, _>(column)?.map(Timestamp));
    Ok(Alert {
        id: row.try_get("id")?,
        source: row.try_get("source")?,
        validator: row.try_get("validator")?,
        dataset: row.try_get("dataset")?,
        rule: row.try_get("rule")?,
        severity: json(row, "severity")?,
        message: row.try_get("message")?,
        details: json(row, "details")?,
        state: parsed(row, "state")?,
        times: super::count(row, "times")?,
        raised_at: time(row, "raised_at")?,
        last_at: time(row, "last_at")?,
        acknowledged_at: maybe_time("acknowledged_at")?,
        acknowledged_by: row.try_get("acknowledged_by")?,
        note: row.try_get("note")?,
        resolved_at: maybe_time("resolved_at")?,
    })
}
