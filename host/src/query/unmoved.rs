//! Rows that are acknowledged and durable in a log, and not in the lake's files yet: one more part of their tables.

use crate::lake::LakeTable;
use arrow::record_batch::RecordBatch;
use std::fmt;
use std::sync::Arc;

/// What holds such rows.
pub trait Unmoved: fmt::Debug + Send + Sync {
    /// All of them, in the order in which they came. What was moved before the call may be left out; nothing else.
    fn rows(&self) -> Vec<UnmovedRows>;
}

/// Some rows of one table.
#[derive(Debug, Clone)]
pub struct UnmovedRows {
    /// The dataset.
    pub dataset: Arc<str>,
    /// The table's id in the catalog.
    pub table_id: i64,
    /// Their position in the log: they are in the lake where it has been moved up to here.
    pub position: u64,
    /// The rows, in the columns that the table had then: it may have got more at its end since.
    pub rows: RecordBatch,
}

/// The rows of one table of a cut.
pub(super) fn of_table(cut: &[UnmovedRows], dataset: &str, table: &LakeTable) -> Vec<RecordBatch> {
    let own = cut.iter().filter(|rows| rows.table_id == table.id && &*rows.dataset == dataset);
    own.map(|rows| rows.rows.clone()).collect()
}
