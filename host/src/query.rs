//! SQL and scans over the lake, with limits, for reading only. DataFusion's types stay in here; what callers see
//! is Arrow batches. Which files a table has comes from the catalog, never from a directory's listing.

mod catalog;
mod error;
mod limits;
mod objects;
mod ordered;
mod profile;
mod render;
mod rows;
mod scan;
mod sql;
mod statistics;
mod table;
mod view;

pub use error::QueryError;
pub use limits::Limits;
pub use profile::ColumnProfile;
pub use render::{Format, render};
pub use rows::{BatchStream, Blocking, Rows};
pub use scan::{Scan, TextForm};
pub use view::{Bound, ColumnBounds, FileView, LakeView, TableView};

use datafusion::execution::disk_manager::{DiskManager, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use std::path::PathBuf;
use std::sync::Arc;

/// Reads one snapshot of the lake. Cheap to clone; all queries of one engine share its memory and spill limits.
#[derive(Clone)]
pub struct Engine {
    view: Arc<LakeView>,
    limits: Limits,
    runtime: Arc<RuntimeEnv>,
}

impl Engine {
    /// An engine over `view`, whose sorts and aggregations spill into `spill_dir` (made when first used).
    ///
    /// # Errors
    /// When the spill folder can't be prepared.
    pub fn new(view: LakeView, limits: Limits, spill_dir: PathBuf) -> Result<Self, QueryError> {
        let disk = DiskManager::builder()
            .with_mode(DiskManagerMode::Directories(vec![spill_dir]))
            .with_max_temp_directory_size(limits.spill_bytes);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(limits.memory_bytes)))
            .with_disk_manager_builder(disk)
            .with_object_store_registry(Arc::new(objects::registry(Arc::clone(&view.store))))
            .build_arc()?;
        Ok(Self { view: Arc::new(view), limits, runtime })
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The snapshot that the engine reads.
    pub fn view(&self) -> &LakeView {
        &self.view
    }

    /// A session of its own for one query, with nothing in it but the lake.
    fn session(&self, threads: usize) -> SessionContext {
        let mut config = SessionConfig::new()
            .with_target_partitions(threads.max(1))
            .with_create_default_catalog_and_schema(false)
            .with_default_catalog_and_schema(catalog::CATALOG, self.view.default_dataset())
            .with_information_schema(true)
            .with_batch_size(self.limits.batch_rows.max(1));
        let options = config.options_mut();
        options.execution.time_zone = Some("UTC".to_owned());
        options.execution.sort_spill_reservation_bytes =
            options.execution.sort_spill_reservation_bytes.min(self.limits.memory_bytes / 8);
        let session = SessionContext::new_with_config_rt(config, Arc::clone(&self.runtime));
        session.register_catalog(catalog::CATALOG, Arc::new(catalog::LakeCatalog::new(Arc::clone(&self.view))));
        session
    }

    fn threads(&self) -> usize {
        self.limits.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
