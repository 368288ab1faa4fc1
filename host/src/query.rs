//! SQL and scans over the lake, with limits, for reading only. DataFusion's types stay in here; what callers see
//! is Arrow batches. Which files a table has comes from the catalog, never from a directory's listing.

mod catalog;
mod error;
mod file;
mod limits;
mod objects;
mod ordered;
mod profile;
mod quantile;
mod render;
mod rows;
mod scan;
mod series;
mod sql;
mod statistics;
mod step;
mod table;
mod unmoved;
mod view;

pub use error::QueryError;
pub use limits::Limits;
pub use profile::ColumnProfile;
pub use render::{Format, render};
pub use rows::{BatchStream, Blocking, Rows};
pub use scan::{Scan, TextForm};
pub use series::{Downsampling, MAX_POINTS, Series, SeriesPoint};
pub use step::Input;
pub use unmoved::{Unmoved, UnmovedRows};

use crate::lake::{Lake, LakeError, SnapshotId};
use datafusion::execution::disk_manager::{DiskManager, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Mutex;
use view::DatasetView;

/// Reads one snapshot of the lake. Cheap to clone; all queries of one engine and its clones share its limits on
/// memory and spilled data, and what was read of the catalog.
#[derive(Clone)]
pub struct Engine {
    lake: Lake,
    snapshot: SnapshotId,
    /// Names of all datasets, sorted.
    names: Arc<[String]>,
    /// Datasets that some query has named so far.
    datasets: Arc<Mutex<BTreeMap<String, Arc<DatasetView>>>>,
    /// Rows that are not in files at this snapshot.
    unmoved: Arc<[UnmovedRows]>,
    limits: Limits,
    runtime: Arc<RuntimeEnv>,
}

impl Engine {
    /// An engine over the newest snapshot of `lake`, or over `at`. Sorts and aggregations that are larger than
    /// their memory spill into `spill_dir`, which is made when first used.
    ///
    /// # Errors
    /// There is no such snapshot, or the catalog can't be read.
    pub async fn open(
        lake: &Lake,
        at: Option<SnapshotId>,
        limits: Limits,
        spill_dir: PathBuf,
    ) -> Result<Self, QueryError> {
        Self::open_beside(lake, None, at, limits, spill_dir).await
    }

    /// An engine that reads the rows of `unmoved` as well, in one state with the newest snapshot; a snapshot that is named
    /// is read without them.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub async fn open_beside(
        lake: &Lake,
        unmoved: Option<&dyn Unmoved>,
        at: Option<SnapshotId>,
        limits: Limits,
        spill_dir: PathBuf,
    ) -> Result<Self, QueryError> {
        // These first: rows that are moved after this are found in both, and told by their position.
        let mut rows = unmoved.filter(|_| at.is_none()).map(Unmoved::rows).unwrap_or_default();
        let snapshot = match at {
            Some(snapshot) => snapshot,
            None => {
                let (snapshot, moved) = lake.cut().await?;
                rows.retain(|rows| rows.position > moved);
                snapshot
            }
        };
        let names = lake.datasets(Some(snapshot)).await?.into_iter().map(|dataset| dataset.name).collect();
        let disk = DiskManager::builder()
            .with_mode(DiskManagerMode::Directories(vec![spill_dir]))
            .with_max_temp_directory_size(limits.spill_bytes);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(limits.memory_bytes)))
            .with_disk_manager_builder(disk)
            .with_object_store_registry(Arc::new(objects::registry(lake.files().objects())))
            .build_arc()?;
        Ok(Self {
            lake: lake.clone(),
            snapshot,
            names,
            datasets: Arc::default(),
            unmoved: rows.into(),
            limits,
            runtime,
        })
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The snapshot that is read.
    pub fn snapshot(&self) -> SnapshotId {
        self.snapshot
    }

    /// The dataset `name`, from the catalog when it is first asked for.
    async fn dataset(&self, name: &str) -> Result<Arc<DatasetView>, QueryError> {
        let mut datasets = self.datasets.lock().await;
        if let Some(dataset) = datasets.get(name) {
            return Ok(Arc::clone(dataset));
        }
        let dataset = match self.lake.dataset(name, Some(self.snapshot)).await {
            Ok(dataset) => Arc::new(DatasetView::new(dataset, &self.unmoved)),
            Err(LakeError::NoDataset { .. }) => return Err(QueryError::UnknownDataset { name: name.to_owned() }),
            Err(error) => return Err(error.into()),
        };
        datasets.insert(name.to_owned(), Arc::clone(&dataset));
        Ok(dataset)
    }

    /// The dataset that bare names of tables belong to: the only one, where there is only one.
    fn default_dataset(&self) -> Option<&str> {
        match self.names.as_ref() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// A session of its own for one query, with nothing in it but `datasets`.
    fn session(&self, datasets: Vec<Arc<DatasetView>>, threads: usize, batch_rows: usize) -> SessionContext {
        let catalog = catalog::LakeCatalog::new(datasets, None);
        self.session_of(catalog, self.default_dataset().unwrap_or("public"), threads, batch_rows)
    }

    /// A session over `catalog`, in which bare names are of `schema`.
    fn session_of(
        &self,
        catalog: catalog::LakeCatalog,
        schema: &str,
        threads: usize,
        batch_rows: usize,
    ) -> SessionContext {
        let mut config = SessionConfig::new()
            .with_target_partitions(threads.max(1))
            .with_create_default_catalog_and_schema(false)
            .with_default_catalog_and_schema(catalog::CATALOG, schema)
            .with_information_schema(true)
            .with_batch_size(batch_rows.max(1));
        let options = config.options_mut();
        options.execution.time_zone = Some("UTC".to_owned());
        options.execution.sort_spill_reservation_bytes =
            options.execution.sort_spill_reservation_bytes.min(self.limits.memory_bytes / 8);
        let session = SessionContext::new_with_config_rt(config, Arc::clone(&self.runtime));
        session.register_catalog(catalog::CATALOG, Arc::new(catalog));
        quantile::functions().into_iter().for_each(|function| session.register_udaf(function));
        session
    }

    fn threads(&self) -> usize {
        self.limits.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }
}

/// A name as SQL takes it, whatever is in it.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("snapshot", &self.snapshot).field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
