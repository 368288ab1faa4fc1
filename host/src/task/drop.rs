//! A dataset that goes.

use super::TaskError;
use crate::core::time::Timestamp;
use crate::lake::SnapshotId;
use crate::run::Host;
use serde::{Deserialize, Serialize};

/// A dataset that was taken away.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = DropAnswer)]
pub struct Dropped {
    /// The dataset.
    pub dropped: String,
    /// The rows that it had.
    pub rows: u64,
    /// The snapshot without it.
    pub snapshot: SnapshotId,
}

/// Takes the dataset `name` away; older snapshots keep it until they expire. `now` is the time of the snapshot.
///
/// # Errors
/// There is no such dataset, a stream writes it, or the catalog can't be written.
pub fn drop_dataset(host: &Host, name: &str, now: Timestamp) -> Result<Dropped, TaskError> {
    host.runtime.block_on(async {
        let dataset = host.lake.dataset(name, None).await?;
        let rows = dataset.tables.iter().map(|table| table.rows).sum();
        if let Some(stream) = host.store.unfinished_stream(name).await.map_err(crate::lake::LakeError::from)? {
            return Err(TaskError::Streamed { dataset: name.to_owned(), stream: stream.id });
        }
        let mut tx = host.store.write().await.map_err(crate::lake::LakeError::from)?;
        let snapshot = host.lake.drop_dataset(&mut tx, name, now, "telemill").await?;
        tx.commit().await.map_err(crate::lake::LakeError::from)?;
        Ok(Dropped { dropped: name.to_owned(), rows, snapshot })
    })
}
