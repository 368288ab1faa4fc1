//! What the query layer knows of the lake: the tables of a dataset at one snapshot, their files, and bounds of
//! their columns.

use super::QueryError;
use super::unmoved::{self, UnmovedRows};
use crate::batch::TableLayout;
use crate::core::schema::{DataType, Field};
use crate::core::time::{Timestamp, Window};
use crate::lake::{ColumnStats, DataFile, Dataset, LakeFile, LakeTable};
use arrow::record_batch::RecordBatch;
use object_store::path::Path;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Texts from this length on may be cut in Parquet's statistics, so that they are bounds, but no values.
const WHOLE_TEXT_BYTES: usize = 64;

/// A dataset at one snapshot.
#[derive(Debug)]
pub(super) struct DatasetView {
    pub(super) name: String,
    pub(super) tables: BTreeMap<String, Arc<TableView>>,
}

/// A table at one snapshot.
#[derive(Debug)]
pub(super) struct TableView {
    /// Its columns now.
    pub(super) layout: TableLayout,
    /// Its files in the order of the catalog. A file from before a column was added lacks that column.
    pub(super) files: Vec<Arc<FileView>>,
    /// Rows that are in no file yet; a batch from before a column was added lacks that column.
    pub(super) unmoved: Vec<RecordBatch>,
}

/// A Parquet file.
#[derive(Debug)]
pub(super) struct FileView {
    pub(super) path: Path,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// What is known of its columns, in the order of the table's fields.
    pub(super) columns: Vec<ColumnBounds>,
}

/// What is known of a column's values in a file, exactly.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ColumnBounds {
    pub(super) nulls: Option<u64>,
    /// The least value; none where it is not known or there is none.
    pub(super) min: Option<Bound>,
    /// The greatest value.
    pub(super) max: Option<Bound>,
    /// Whether some value may be NaN, which Parquet's own bounds leave out.
    pub(super) nan: bool,
}

/// A bound in its widest type.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bound {
    Boolean(bool),
    /// Of an integer column, of a date in days, of a timestamp in microseconds.
    Int(i64),
    Float(f64),
    Text(String),
}

impl DatasetView {
    /// What queries want of `dataset`, which goes file by file: a year has thousands of them.
    pub(super) fn new(dataset: Dataset, unmoved: &[UnmovedRows]) -> Self {
        let Dataset { name, tables, .. } = dataset;
        let tables = tables.into_iter().map(|table| {
            let unmoved = unmoved::of_table(unmoved, &name, &table);
            (table.table.name.clone(), Arc::new(TableView::new(table, unmoved)))
        });
        let tables = tables.collect();
        Self { name, tables }
    }

    /// The table `name`, or which there are.
    pub(super) fn table(&self, name: &str) -> Result<&Arc<TableView>, QueryError> {
        self.tables.get(name).ok_or_else(|| QueryError::UnknownTable {
            dataset: self.name.clone(),
            table: name.to_owned(),
            known: self.tables.keys().cloned().collect(),
        })
    }
}

impl TableView {
    fn new(table: LakeTable, unmoved: Vec<RecordBatch>) -> Self {
        let LakeTable { table, files, .. } = table;
        let files = files.into_iter().map(|file| Arc::new(FileView::new(&file, &table.fields))).collect();
        Self { layout: TableLayout::new(table), files, unmoved }
    }

    /// First and last time of the rows of `file`, where the catalog knows both.
    pub(super) fn time_range(&self, file: &FileView) -> Option<(Timestamp, Timestamp)> {
        let bounds = file.columns.get(self.layout.table.time_index()?)?;
        match (&bounds.min, &bounds.max) {
            (Some(Bound::Int(first)), Some(Bound::Int(last))) => Some((Timestamp(*first), Timestamp(*last))),
            _ => None,
        }
    }

    /// How `file` lies to `window`.
    pub(super) fn cut(&self, file: &FileView, window: Window) -> Cut {
        match self.time_range(file) {
            Some((first, last)) if last < window.start || first >= window.end => Cut::Outside,
            Some((first, last)) if window.contains(first) && window.contains(last) => Cut::Inside,
            _ => Cut::Partly,
        }
    }
}

impl FileView {
    fn new(file: &LakeFile, fields: &[Field]) -> Self {
        let mut columns = vec![ColumnBounds::default(); fields.len()];
        for stats in &file.columns {
            // Field ids count from 1.
            let index = usize::try_from(stats.field_id - 1).ok();
            if let Some((index, field)) = index.and_then(|index| Some((index, fields.get(index)?)))
                && let Some(column) = columns.get_mut(index)
            {
                *column = ColumnBounds::new(stats, field.data_type);
            }
        }
        Self { path: Path::from(file.path.as_str()), rows: file.rows, bytes: file.bytes, columns }
    }

    /// A file that the catalog does not have, and of whose columns nothing is known.
    pub(super) fn unseen(file: &DataFile) -> Self {
        Self { path: Path::from(file.path.as_str()), rows: file.rows, bytes: file.bytes, columns: Vec::new() }
    }
}

impl ColumnBounds {
    fn new(stats: &ColumnStats, data_type: DataType) -> Self {
        // Queries sort NaN behind every number, the catalog leaves it out: with one, its bounds are not theirs.
        let nan = matches!(data_type, DataType::Float32 | DataType::Float64) && stats.contains_nan != Some(false);
        let bound =
            |text: &Option<String>| text.as_deref().filter(|_| !nan).and_then(|text| Bound::parse(text, data_type));
        Self { nulls: Some(stats.null_count), min: bound(&stats.min), max: bound(&stats.max), nan }
    }
}

impl Bound {
    /// The value behind the catalog's text form.
    fn parse(text: &str, data_type: DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean(matches!(text, "1" | "true")),
            DataType::Int32 | DataType::Int64 => Self::Int(text.parse().ok()?),
            DataType::Float32 | DataType::Float64 => Self::Float(text.parse().ok()?),
            DataType::Utf8 => Self::Text((text.len() < WHOLE_TEXT_BYTES).then(|| text.to_owned())?),
            DataType::Date => {
                let midnight: Timestamp = text.parse().ok()?;
                Self::Int(midnight.0.div_euclid(crate::core::time::DAY_US))
            }
            DataType::Timestamp => {
                let (date, time) = text.strip_suffix("+00")?.split_once(' ')?;
                let at: Timestamp = format!("{date}T{time}Z").parse().ok()?;
                Self::Int(at.0)
            }
        })
    }
}

/// How a file lies to a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Outside,
    Partly,
    Inside,
}
