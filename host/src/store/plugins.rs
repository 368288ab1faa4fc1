//! Records of components that were added to a data folder.

use super::{Store, StoreError, WriteTx, json, parsed, time, to_json};
use crate::core::digest::Digest;
use crate::core::time::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

/// A component and what it says of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PluginRecord {
    /// The digest of the component, which names its file.
    pub digest: Digest,
    /// The plugin's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `generator`, `incident-model` or `validator`.
    pub kind: String,
    /// Its descriptor.
    pub descriptor: Value,
    /// When it was added.
    pub added_at: Timestamp,
}

impl WriteTx {
    /// Records a component; one that is recorded already stays as it is.
    ///
    /// # Errors
    /// SQLite failed.
    pub async fn insert_plugin(&mut self, plugin: &PluginRecord) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO plugins VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING")
            .bind(plugin.digest.to_string())
            .bind(&plugin.name)
            .bind(&plugin.version)
            .bind(&plugin.kind)
            .bind(to_json("descriptor", &plugin.descriptor)?)
            .bind(plugin.added_at.0)
            .execute(self.connection())
            .await?;
        Ok(())
    }
}

impl Store {
    /// The component with this digest.
    ///
    /// # Errors
    /// SQLite failed, or the record can't be read.
    pub async fn plugin(&self, digest: &Digest) -> Result<Option<PluginRecord>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT * FROM plugins WHERE digest = ?").bind(digest.to_string());
        query.fetch_optional(tx.connection()).await?.as_ref().map(record).transpose()
    }

    /// All components, by name and the time they were added.
    ///
    /// # Errors
    /// SQLite failed, or a record can't be read.
    pub async fn plugins(&self) -> Result<Vec<PluginRecord>, StoreError> {
        let mut tx = self.read().await?;
        let query = sqlx::query("SELECT * FROM plugins ORDER BY name, added_at, digest");
        query.fetch_all(tx.connection()).await?.iter().map(record).collect()
    }
}

fn record(row: &SqliteRow) -> Result<PluginRecord, StoreError> {
    Ok(PluginRecord {
        digest: parsed(row, "digest")?,
        name: row.try_get("name")?,
        version: row.try_get("version")?,
        kind: row.try_get("kind")?,
        descriptor: json(row, "descriptor")?,
        added_at: time(row, "added_at")?,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::store::DATABASE_FILE;

    #[tokio::test]
    async fn a_component_is_recorded_once_and_found_by_digest() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join(DATABASE_FILE)).await.unwrap();
        let plugin = PluginRecord {
            digest: Digest::of(b"wasm"),
            name: "ecommerce".into(),
            version: "0.1.0".into(),
            kind: "generator".into(),
            descriptor: serde_json::json!({"summary": "a shop"}),
            added_at: Timestamp(1),
        };
        let again = PluginRecord { added_at: Timestamp(2), ..plugin.clone() };
        let mut tx = store.write().await.unwrap();
        tx.insert_plugin(&plugin).await.unwrap();
        tx.insert_plugin(&again).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.plugins().await.unwrap(), std::slice::from_ref(&plugin));
        assert_eq!(store.plugin(&plugin.digest).await.unwrap(), Some(plugin));
        assert_eq!(store.plugin(&Digest::of(b"other")).await.unwrap(), None);
    }
}
