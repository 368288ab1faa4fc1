//! What the query layer knows of the lake: the tables of one snapshot, their files, and bounds of their columns.

use super::QueryError;
use crate::batch::TableLayout;
use crate::core::time::{Timestamp, Window};
use object_store::{ObjectStore, path::Path};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The lake at one snapshot.
#[derive(Debug)]
pub struct LakeView {
    /// Where the files' paths lead.
    pub store: Arc<dyn ObjectStore>,
    /// Tables by dataset and name.
    pub datasets: BTreeMap<String, BTreeMap<String, Arc<TableView>>>,
}

/// A table at one snapshot.
#[derive(Debug)]
pub struct TableView {
    /// Its columns now.
    pub layout: TableLayout,
    /// Its files in the order of the catalog. A file from before a column was added lacks that column.
    pub files: Vec<FileView>,
}

/// A Parquet file.
#[derive(Debug, Clone)]
pub struct FileView {
    /// Its path within the store.
    pub path: Path,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// What is known of its columns, in the order of the table's fields.
    pub columns: Vec<ColumnBounds>,
}

/// What is known of a column's values in a file, exactly.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ColumnBounds {
    /// How many values are missing.
    pub nulls: Option<u64>,
    /// The least value; none where it is not known or there is none.
    pub min: Option<Bound>,
    /// The greatest value; none where it is not known, there is none, or some values are not a number.
    pub max: Option<Bound>,
}

/// A bound in its widest type.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    /// Of a boolean column.
    Boolean(bool),
    /// Of an integer column, of a date in days, of a timestamp in microseconds.
    Int(i64),
    /// Of a float column.
    Float(f64),
    /// Of a text column, whole.
    Text(String),
}

impl LakeView {
    /// The table `dataset.table`.
    ///
    /// # Errors
    /// Which of the two names is unknown, and what there is instead.
    pub fn table(&self, dataset: &str, table: &str) -> Result<&Arc<TableView>, QueryError> {
        let tables =
            self.datasets.get(dataset).ok_or_else(|| QueryError::UnknownDataset { name: dataset.to_owned() })?;
        tables.get(table).ok_or_else(|| QueryError::UnknownTable {
            dataset: dataset.to_owned(),
            table: table.to_owned(),
            known: tables.keys().cloned().collect(),
        })
    }

    /// The dataset that a table's bare name belongs to: the only one, where there is only one.
    pub(super) fn default_dataset(&self) -> &str {
        match self.datasets.len() {
            1 => self.datasets.keys().next().map_or("public", String::as_str),
            _ => "public",
        }
    }
}

impl TableView {
    /// Rows of all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The names of its columns.
    pub(super) fn column_names(&self) -> Vec<String> {
        self.layout.table.fields.iter().map(|field| field.name.clone()).collect()
    }

    /// First and last time of the rows of `file`, where the catalog knows both.
    pub(super) fn time_range(&self, file: &FileView) -> Option<(Timestamp, Timestamp)> {
        let bounds = file.columns.get(self.layout.table.time_index()?)?;
        match (&bounds.min, &bounds.max) {
            (Some(Bound::Int(first)), Some(Bound::Int(last))) => Some((Timestamp(*first), Timestamp(*last))),
            _ => None,
        }
    }

    /// Whether `file` may hold rows of `window`, and whether it holds rows of nothing else.
    pub(super) fn cut(&self, file: &FileView, window: Window) -> Cut {
        match self.time_range(file) {
            Some((first, last)) if last < window.start || first >= window.end => Cut::Outside,
            Some((first, last)) if window.contains(first) && window.contains(last) => Cut::Inside,
            _ => Cut::Partly,
        }
    }
}

/// How a file lies to a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Outside,
    Partly,
    Inside,
}
