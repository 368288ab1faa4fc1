//! A dataset as it is told to others: its tables without their files.

use super::{Dataset, LakeTable, SnapshotId};
use crate::core::schema::Table;
use crate::core::time::{Timestamp, Window};
use serde::{Deserialize, Serialize};

/// A dataset with its tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DatasetDetail {
    /// Its name.
    pub name: String,
    /// The snapshot that this was read at.
    pub snapshot: SnapshotId,
    /// Its tables, by name.
    pub tables: Vec<TableDetail>,
}

/// A table, without its files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = TableSummary)]
pub struct TableDetail {
    /// Its declaration: fields with types, units and meaning, keys, time.
    pub table: Table,
    /// Rows.
    pub rows: u64,
    /// Size of its files.
    pub bytes: u64,
    /// How many files.
    pub files: usize,
    /// From the first row's time to just behind the last one's, where rows have a time.
    pub times: Option<Window>,
}

impl LakeTable {
    /// From the first row's time to just behind the last one's; none where no row has a time.
    pub fn times(&self) -> Option<Window> {
        let bounds = self.files.iter().filter_map(|file| file.time_bounds(&self.table));
        let window = |(first, last): (Timestamp, Timestamp)| Window { start: first, end: last.plus_us(1) };
        bounds.map(window).reduce(joined)
    }
}

/// The least window that has both.
pub(super) fn joined(first: Window, second: Window) -> Window {
    Window { start: first.start.min(second.start), end: first.end.max(second.end) }
}

impl From<LakeTable> for TableDetail {
    fn from(table: LakeTable) -> Self {
        let times = table.times();
        Self { rows: table.rows, bytes: table.bytes, files: table.files.len(), times, table: table.table }
    }
}

impl From<Dataset> for DatasetDetail {
    fn from(dataset: Dataset) -> Self {
        let tables = dataset.tables.into_iter().map(TableDetail::from).collect();
        Self { name: dataset.name, snapshot: dataset.snapshot, tables }
    }
}
