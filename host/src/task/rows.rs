//! Rows of tables for those who make something of them, wherever they are: in the lake of this data folder, or behind a server.

use super::TaskError;
use crate::lake::{DatasetDetail, TableDetail};
use crate::query::{Engine, Scan};
use crate::run::Host;
use arrow::record_batch::RecordBatch;

/// Batches as they come; text columns may be dictionaries.
pub type Batches<'a> = Box<dyn Iterator<Item = Result<RecordBatch, TaskError>> + 'a>;

/// Where rows come from.
pub trait RowSource {
    /// The tables of a dataset, by name.
    ///
    /// # Errors
    /// There is no such dataset, or it can't be looked at.
    fn tables(&self, dataset: &str) -> Result<Vec<TableDetail>, TaskError>;

    /// The rows of a scan; of its fields those that say which snapshot, form and size are the source's own matter.
    ///
    /// # Errors
    /// Unknown names, and rows that can't be read.
    fn rows(&self, scan: &Scan) -> Result<Batches<'_>, TaskError>;
}

/// The lake of a data folder, at one snapshot.
pub struct LakeRows<'a> {
    host: &'a Host,
    engine: Engine,
}

impl<'a> LakeRows<'a> {
    /// The rows that there are now.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn of(host: &'a Host) -> Result<Self, TaskError> {
        Ok(Self { host, engine: host.query_engine(None)? })
    }
}

impl RowSource for LakeRows<'_> {
    fn tables(&self, dataset: &str) -> Result<Vec<TableDetail>, TaskError> {
        let found = self.host.runtime.block_on(self.host.lake.dataset(dataset, None))?;
        Ok(DatasetDetail::from(found).tables)
    }

    fn rows(&self, scan: &Scan) -> Result<Batches<'_>, TaskError> {
        let runtime = &self.host.runtime;
        let rows = runtime.block_on(self.engine.scan(scan))?.blocking(runtime.clone());
        Ok(Box::new(rows.map(|batch| Ok(batch?))))
    }
}
