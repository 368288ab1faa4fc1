//! The tables that rows are taken in for, as the catalog declares them. The catalog is the one place where columns are
//! held; what was read of it is kept until its schema version changes.

use super::frame::TableRef;
use crate::batch::TableLayout;
use crate::core::schema::Table;
use crate::core::time::Timestamp;
use crate::lake::{Commit, Lake, LakeError, Mode, TableFiles};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// Who declares tables, in the catalog.
const AUTHOR: &str = "telemill ingest";
/// Datasets whose tables are remembered; beyond, all are forgotten and read again.
const MAX_DATASETS: usize = 256;

/// A table that is there.
#[derive(Debug, Clone)]
pub struct Declared {
    pub(super) table: TableRef,
    /// Its columns.
    pub layout: Arc<TableLayout>,
}

/// Finds and makes tables.
#[derive(Debug)]
pub(super) struct Tables {
    lake: Lake,
    runtime: Handle,
    known: Mutex<Known>,
}

type OfDataset = Arc<BTreeMap<String, Declared>>;

#[derive(Debug, Default)]
struct Known {
    version: i64,
    datasets: BTreeMap<String, OfDataset>,
}

impl Tables {
    pub(super) fn new(lake: Lake, runtime: Handle) -> Self {
        Self { lake, runtime, known: Mutex::default() }
    }

    /// The table, where it is there.
    pub(super) fn find(&self, dataset: &str, table: &str) -> Result<Option<Declared>, LakeError> {
        Ok(self.of_dataset(dataset)?.get(table).cloned())
    }

    fn of_dataset(&self, dataset: &str) -> Result<OfDataset, LakeError> {
        let version = self.runtime.block_on(self.lake.schema_version())?;
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tables) = Some(known())
            .filter(|known| known.version == version)
            .and_then(|known| known.datasets.get(dataset).cloned())
        {
            return Ok(tables);
        }
        // Read after the version: what is newer than it is read again next time, and nothing older is kept.
        let name: Arc<str> = dataset.into();
        let tables = self.runtime.block_on(self.lake.declared(dataset))?.into_iter().map(|table| {
            let declared = Declared {
                table: TableRef { dataset: Arc::clone(&name), table: table.table.name.as_str().into(), id: table.id },
                layout: Arc::new(TableLayout::new(table.table)),
            };
            (declared.layout.table.name.clone(), declared)
        });
        let tables: OfDataset = Arc::new(tables.collect());
        let mut known = known();
        if known.version != version || known.datasets.len() >= MAX_DATASETS {
            *known = Known { version, datasets: BTreeMap::new() };
        }
        known.datasets.insert(dataset.to_owned(), Arc::clone(&tables));
        Ok(tables)
    }

    /// Declares tables of one dataset: makes them, or adds the columns that are new at their ends.
    ///
    /// # Errors
    /// What is there does not fit.
    pub(super) fn declare(&self, dataset: &str, tables: Vec<Table>, at: Timestamp) -> Result<(), LakeError> {
        let names: Vec<_> = tables.iter().map(|table| table.name.as_str()).collect();
        let commit = Commit {
            dataset: dataset.to_owned(),
            mode: Mode::Append,
            at,
            author: AUTHOR.to_owned(),
            message: format!("declared {}", names.join(", ")),
            tables: tables.into_iter().map(|table| TableFiles { table, files: Vec::new(), replace: false }).collect(),
            extra: None,
        };
        self.runtime.block_on(async {
            let mut tx = self.lake.store().write().await?;
            self.lake.commit(&mut tx, &commit).await?;
            Ok(tx.commit().await?)
        })
    }
}
