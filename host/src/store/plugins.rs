//! Records of plugins that were installed: their versions by digest, and the history of which one a name means.

use super::{ReadTx, Store, StoreError, WriteTx, count, json, parsed, time, to_count, to_json};
use crate::core::digest::Digest;
use crate::core::id::StreamId;
use crate::core::schema::Table;
use crate::core::time::Timestamp;
use crate::store::StreamState;
use crate::store::runs::{RunRecord, record as run_record};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use std::fmt;
use std::str::FromStr;

/// A version of a plugin that was checked and kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PluginVersion {
    /// The digest of its component, which is what tells versions apart.
    pub digest: Digest,
    /// The plugin's name.
    pub name: String,
    /// What it does: `generator`, `incident-model` or `validator`.
    pub kind: String,
    /// The version that it says it has.
    pub version: String,
    /// What it says of itself in one line.
    pub summary: String,
    /// Bytes of its component.
    pub size_bytes: u64,
    /// Where it came from: a path, a URL, an image, `upload`.
    pub source: String,
    /// When.
    pub installed_at: Timestamp,
    /// What the conformance check saw.
    pub verdict: Value,
    /// Names of what it imports.
    pub imports: Vec<String>,
    /// A generator's tables, where its defaults or an example can be planned.
    pub tables: Option<Vec<Table>>,
    /// The run spec that came beside it, in TOML.
    pub scenario: Option<String>,
}

/// Why what a name means changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activated {
    /// A version was made the active one.
    Enable,
    /// No installed version is active any more.
    Disable,
    /// What was active before is active again.
    Rollback,
}

impl Activated {
    const ALL: [Self; 3] = [Self::Enable, Self::Disable, Self::Rollback];

    /// Its name, as the database and JSON have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::Rollback => "rollback",
        }
    }
}

impl fmt::Display for Activated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Activated {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|action| action.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is no change of a plugin"))
    }
}

/// A change of what a name means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Activation {
    /// Its number, growing.
    pub id: i64,
    /// The plugin's name.
    pub name: String,
    /// The version that is active from here on; none where no installed one is.
    pub digest: Option<Digest>,
    /// What was done.
    pub action: Activated,
    /// When.
    pub at: Timestamp,
    /// The change that a rollback goes back to; none where nothing was active before.
    pub before: Option<i64>,
}

impl WriteTx {
    /// Records a version.
    ///
    /// # Errors
    /// SQLite failed, or the digest is recorded already.
    pub async fn insert_plugin_version(&mut self, version: &PluginVersion) -> Result<(), StoreError> {
        let tables = version.tables.as_ref().map(|tables| to_json("tables", tables)).transpose()?;
        sqlx::query("INSERT INTO plugin_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(version.digest.to_string())
            .bind(&version.name)
            .bind(&version.kind)
            .bind(&version.version)
            .bind(&version.summary)
            .bind(to_count("size", version.size_bytes)?)
            .bind(&version.source)
            .bind(version.installed_at.0)
            .bind(to_json("verdict", &version.verdict)?)
            .bind(to_json("imports", &version.imports)?)
            .bind(tables)
            .bind(&version.scenario)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Forgets a version.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn delete_plugin_version(&mut self, digest: Digest) -> Result<(), StoreError> {
        let delete = sqlx::query("DELETE FROM plugin_versions WHERE digest = ?").bind(digest.to_string());
        delete.execute(self.connection()).await?;
        Ok(())
    }

    /// Records that `name` means `digest` from now on; `before` is what a rollback goes back to.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn insert_activation(
        &mut self,
        name: &str,
        digest: Option<Digest>,
        action: Activated,
        at: Timestamp,
        before: Option<i64>,
    ) -> Result<Activation, StoreError> {
        let insert = "INSERT INTO plugin_activations (name, digest, action, at, before) VALUES (?, ?, ?, ?, ?)";
        let inserted = sqlx::query(insert)
            .bind(name)
            .bind(digest.map(|digest| digest.to_string()))
            .bind(action.as_str())
            .bind(at.0)
            .bind(before)
            .execute(self.connection())
            .await?;
        Ok(Activation { id: inserted.last_insert_rowid(), name: name.to_owned(), digest, action, at, before })
    }

    /// The versions of a plugin as this transaction sees them, newest first.
    ///
    /// # Errors
    /// SQLite failed, or a record can't be read.
    pub async fn plugin_versions(&mut self, name: &str) -> Result<Vec<PluginVersion>, StoreError> {
        versions(self.connection(), Some(name)).await
    }

    /// The change that holds for a name, as this transaction sees it.
    ///
    /// # Errors
    /// SQLite failed, or a record can't be read.
    pub async fn activation(&mut self, name: &str) -> Result<Option<Activation>, StoreError> {
        current(self.connection(), name).await
    }

    /// The change of this number.
    ///
    /// # Errors
    /// SQLite failed, or a record can't be read.
    pub async fn activation_of_id(&mut self, id: i64) -> Result<Option<Activation>, StoreError> {
        let query = sqlx::query("SELECT * FROM plugin_activations WHERE id = ?").bind(id);
        query.fetch_optional(self.connection()).await?.as_ref().map(activation).transpose()
    }

    /// The runs whose records name a component, newest first.
    ///
    /// # Errors
    /// SQLite failed, or a record can't be read.
    pub async fn runs_of_plugin(&mut self, digest: Digest) -> Result<Vec<RunRecord>, StoreError> {
        let query = "SELECT * FROM runs WHERE EXISTS (SELECT 1 FROM json_each(runs.plugins) AS used
             WHERE json_extract(used.value, '$.digest') = ?) ORDER BY id DESC";
        let rows = sqlx::query(query).bind(digest.to_string()).fetch_all(self.connection()).await?;
        rows.iter().map(run_record).collect()
    }

    /// The streams that use a component, or used it before another took over: id and state, newest first.
    ///
    /// # Errors
    /// SQLite failed, or a record can't be read.
    pub async fn streams_of_plugin(&mut self, digest: Digest) -> Result<Vec<(StreamId, StreamState)>, StoreError> {
        let query = "SELECT id, state FROM streams
             WHERE EXISTS (SELECT 1 FROM json_each(streams.plugins) AS used
                 WHERE json_extract(used.value, '$.digest') = ?1)
             OR id IN (SELECT stream_id FROM stream_swaps, json_each(stream_swaps.before) AS used
                 WHERE json_extract(used.value, '$.digest') = ?1)
             ORDER BY id DESC";
        let rows = sqlx::query(query).bind(digest.to_string()).fetch_all(self.connection()).await?;
        rows.iter().map(|row| Ok((parsed(row, "id")?, parsed(row, "state")?))).collect()
    }
}

impl Store {
    /// The versions of a plugin, or of all by name; of one plugin newest first.
    ///
    /// # Errors
    /// SQLite failed, or a record can't be read.
    pub async fn plugin_versions(&self, name: Option<&str>) -> Result<Vec<PluginVersion>, StoreError> {
        let mut tx: ReadTx = self.read().await?;
        versions(tx.connection(), name).await
    }

    /// The version of a digest, where it is installed.
    ///
    /// # Errors
    /// SQLite failed, or the record can't be read.
    pub async fn plugin_version(&self, digest: Digest) -> Result<Option<PluginVersion>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT * FROM plugin_versions WHERE digest = ?").bind(digest.to_string());
        query.fetch_optional(tx.connection()).await?.as_ref().map(version).transpose()
    }

    /// The installed version that a name means; none where it means the plugin that ships, or nothing.
    ///
    /// # Errors
    /// SQLite failed, or the record can't be read.
    pub async fn active_plugin(&self, name: &str) -> Result<Option<Digest>, StoreError> {
        let mut tx = self.read().await?;
        Ok(current(tx.connection(), name).await?.and_then(|activation| activation.digest))
    }

    /// At most `limit` changes of what a name means, newest first.
    ///
    /// # Errors
    /// SQLite failed, or a record can't be read.
    pub async fn plugin_history(&self, name: &str, limit: u32) -> Result<Vec<Activation>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT * FROM plugin_activations WHERE name = ? ORDER BY id DESC LIMIT ?");
        let rows = query.bind(name).bind(limit).fetch_all(tx.connection()).await?;
        rows.iter().map(activation).collect()
    }
}

async fn versions(connection: &mut SqliteConnection, name: Option<&str>) -> Result<Vec<PluginVersion>, StoreError> {
    let query = "SELECT * FROM plugin_versions WHERE ?1 IS NULL OR name = ?1
         ORDER BY name, installed_at DESC, digest";
    sqlx::query(query).bind(name).fetch_all(connection).await?.iter().map(version).collect()
}

async fn current(connection: &mut SqliteConnection, name: &str) -> Result<Option<Activation>, StoreError> {
    let query = sqlx::query("SELECT * FROM plugin_activations WHERE name = ? ORDER BY id DESC LIMIT 1").bind(name);
    query.fetch_optional(connection).await?.as_ref().map(activation).transpose()
}

fn version(row: &SqliteRow) -> Result<PluginVersion, StoreError> {
    let tables: Option<String> = row.try_get("tables")?;
    let unreadable = |error: serde_json::Error| StoreError::Corrupt { what: "tables", reason: error.to_string() };
    Ok(PluginVersion {
        digest: parsed(row, "digest")?,
        name: row.try_get("name")?,
        kind: row.try_get("kind")?,
        version: row.try_get("version")?,
        summary: row.try_get("summary")?,
        size_bytes: count(row, "size_bytes")?,
        source: row.try_get("source")?,
        installed_at: time(row, "installed_at")?,
        verdict: json(row, "verdict")?,
        imports: json(row, "imports")?,
        tables: tables.map(|text| serde_json::from_str(&text).map_err(unreadable)).transpose()?,
        scenario: row.try_get("scenario")?,
    })
}

fn activation(row: &SqliteRow) -> Result<Activation, StoreError> {
    let digest: Option<String> = row.try_get("digest")?;
    let bad_digest = |reason| StoreError::Corrupt { what: "digest", reason };
    Ok(Activation {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        digest: digest.map(|text| text.parse().map_err(bad_digest)).transpose()?,
        action: parsed(row, "action")?,
        at: time(row, "at")?,
        before: row.try_get("before")?,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::core::id::RunId;
    use crate::store::{ClockAnchor, DATABASE_FILE, PluginUse, StreamRecord, StreamSwap};
    use serde_json::json;

    fn version(bytes: &[u8], at: i64) -> PluginVersion {
        PluginVersion {
            digest: Digest::of(bytes),
            name: "thermostats".into(),
            kind: "generator".into(),
            version: "0.1.0".into(),
            summary: "warm".into(),
            size_bytes: 7,
            source: "a.wasm".into(),
            installed_at: Timestamp(at),
            verdict: json!({ "passed": true }),
            imports: vec!["telemill:plugin/host@0.1.0".into()],
            tables: None,
            scenario: None,
        }
    }

    #[tokio::test]
    async fn versions_and_their_history_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join(DATABASE_FILE)).await.unwrap();
        let (old, new) = (version(b"a", 1), PluginVersion { tables: Some(Vec::new()), ..version(b"b", 2) });
        let mut tx = store.write().await.unwrap();
        tx.insert_plugin_version(&old).await.unwrap();
        tx.insert_plugin_version(&new).await.unwrap();
        assert!(tx.insert_plugin_version(&new).await.is_err(), "a digest is there once");
        let first = tx.insert_activation("thermostats", Some(old.digest), Activated::Enable, Timestamp(3), None);
        let first = first.await.unwrap();
        assert_eq!(tx.activation("thermostats").await.unwrap(), Some(first.clone()));
        tx.commit().await.unwrap();
        assert_eq!(store.active_plugin("thermostats").await.unwrap(), Some(old.digest));
        assert_eq!(store.active_plugin("other").await.unwrap(), None);
        assert_eq!(store.plugin_versions(Some("thermostats")).await.unwrap(), [new.clone(), old.clone()]);
        assert_eq!(store.plugin_version(old.digest).await.unwrap(), Some(old));

        let mut tx = store.write().await.unwrap();
        let off = tx.insert_activation("thermostats", None, Activated::Disable, Timestamp(4), Some(first.id));
        let off = off.await.unwrap();
        tx.delete_plugin_version(new.digest).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.active_plugin("thermostats").await.unwrap(), None);
        assert_eq!(store.plugin_history("thermostats", 9).await.unwrap(), [off, first]);
        assert_eq!(store.plugin_version(new.digest).await.unwrap(), None);
    }

    #[tokio::test]
    async fn the_runs_and_streams_of_a_component_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join(DATABASE_FILE)).await.unwrap();
        let mut run = RunRecord::planned(RunId::new(5, 7), "shop", json!({}), Timestamp(0));
        let digest = Digest::of(b"a");
        let used = |digest| PluginUse { role: "generator".into(), name: "e".into(), version: "1".into(), digest };
        run.plugins.push(used(digest));
        let mut tx = store.write().await.unwrap();
        tx.insert_run(&run).await.unwrap();
        assert_eq!(tx.runs_of_plugin(digest).await.unwrap(), [run]);
        assert_eq!(tx.runs_of_plugin(Digest::of(b"b")).await.unwrap(), []);

        let stream = StreamRecord {
            id: StreamId::new(5, 7),
            dataset: "shop".into(),
            state: StreamState::Paused,
            spec: json!({}),
            plugins: vec![used(digest)],
            versions: Default::default(),
            created_at: Timestamp(0),
            ended_at: None,
            error: None,
            clock: ClockAnchor { wall: Timestamp(0), clock: Timestamp(0), speed: 1.0 },
            position: Timestamp(0),
            planned_until: Timestamp(0),
            judged_until: Timestamp(0),
            commits: 0,
            tables: Default::default(),
        };
        tx.insert_stream(&stream).await.unwrap();
        let found = [(stream.id.clone(), StreamState::Paused)];
        assert_eq!(tx.streams_of_plugin(digest).await.unwrap(), found);
        let after = Digest::of(b"b");
        assert_eq!(tx.streams_of_plugin(after).await.unwrap(), []);
        let (before, now) = (vec![used(digest)], Timestamp(1));
        let swap = StreamSwap { at: now, swapped_at: now, before, after: vec![used(after)], afresh: false };
        tx.insert_stream_swap(&stream.id, &swap).await.unwrap();
        assert_eq!(tx.streams_of_plugin(after).await.unwrap(), found);
        assert_eq!(tx.streams_of_plugin(digest).await.unwrap(), found, "a verification needs it still");
    }
}
