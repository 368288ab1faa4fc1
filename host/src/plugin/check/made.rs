//! The rows of a pass, kept so that two passes can be told apart row by row and column by column.

use super::pass::{Shown, Subject, add, numbers};
use crate::batch::TableFingerprint;
use crate::core::incident::Incident;
use crate::core::schema::Table;
use crate::core::time::Window;
use crate::plugin::error::PluginError;
use crate::plugin::generator::Shard;
use arrow::array::RecordBatch;
use arrow::row::{RowConverter, SortField};
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_128;

/// The rows of a pass, so that they can be told apart.
pub(super) struct Made {
    pub(super) tables: Vec<MadeTable>,
}

/// The rows of one table.
#[derive(Default)]
pub(super) struct MadeTable {
    /// A hash of each row and its number, by hash.
    rows: Vec<(u128, usize)>,
    /// The columns that signals show in, as numbers.
    shown: BTreeMap<usize, Vec<f64>>,
    /// All values of each column, whatever their rows.
    pub(super) columns: Vec<TableFingerprint>,
}

impl Made {
    pub(super) fn by(
        subject: &Subject<'_>,
        shard: Shard,
        incidents: &[Incident],
        windows: impl IntoIterator<Item = Window>,
    ) -> Result<Self, PluginError> {
        let mut generator = subject.open(shard, incidents)?;
        let mut tables: Vec<_> = subject.layouts.iter().map(|layout| MadeTable::of(&layout.table)).collect();
        for (table, column) in subject.places() {
            if let Some(table) = tables.get_mut(table) {
                table.shown.entry(column).or_default();
            }
        }
        subject.batches(&mut generator, windows, |index, batch| {
            let conformed = subject.layouts.get(index).map(|layout| layout.conform(batch));
            if let (Some(table), Some(Ok(batch))) = (tables.get_mut(index), conformed) {
                table.add(&batch);
            }
        })?;
        tables.iter_mut().for_each(|table| table.rows.sort_unstable());
        Ok(Self { tables })
    }

    pub(super) fn rows(&self) -> usize {
        self.tables.iter().map(|table| table.rows.len()).sum()
    }

    /// What a column shows in the rows that are here and not there, and the other way round; how many rows those are at most, and
    /// their share of all.
    pub(super) fn changed(&self, other: &Self, table: usize, column: usize) -> (Shown, Shown, usize, f64) {
        let (Some(one), Some(other)) = (self.tables.get(table), other.tables.get(table)) else {
            return Default::default();
        };
        let (gone, come) = (one.only(other), other.only(one));
        let shown = |made: &MadeTable, rows: &[usize]| {
            let mut shown = Shown::default();
            let values = made.shown.get(&column);
            rows.iter().filter_map(|row| values?.get(*row)).for_each(|value| shown.push(*value));
            shown
        };
        let rows = gone.len().max(come.len());
        let all = one.rows.len().max(other.rows.len()).max(1);
        (shown(one, &gone), shown(other, &come), rows, rows.max(1) as f64 / all as f64)
    }
}

impl MadeTable {
    fn of(table: &Table) -> Self {
        Self { columns: vec![TableFingerprint::default(); table.fields.len()], ..Self::default() }
    }

    fn add(&mut self, batch: &RecordBatch) {
        let types = batch.columns().iter().map(|column| SortField::new(column.data_type().clone())).collect();
        let encoded = RowConverter::new(types).and_then(|converter| converter.convert_columns(batch.columns()));
        let start = self.rows.len();
        match encoded {
            Ok(encoded) => {
                self.rows.extend(encoded.iter().enumerate().map(|(at, row)| (xxh3_128(row.as_ref()), start + at)));
            }
            Err(error) => tracing::error!("checked rows can't be told apart, a fault of the host: {error}"),
        }
        for (column, values) in &mut self.shown {
            if let Some(column) = batch.columns().get(*column) {
                values.extend(numbers(column));
            }
        }
        for (index, column) in self.columns.iter_mut().enumerate() {
            if let Ok(alone) = batch.project(&[index]) {
                add(column, &alone);
            }
        }
    }

    /// Numbers of the rows that `other` has not, in the order of their hashes. Equal rows count as often as there are more of them.
    fn only(&self, other: &Self) -> Vec<usize> {
        let mut theirs = other.rows.iter().map(|(hash, _)| *hash).peekable();
        let mut only = Vec::new();
        for (hash, row) in &self.rows {
            while theirs.next_if(|their| their < hash).is_some() {}
            if theirs.next_if_eq(hash).is_none() {
                only.push(*row);
            }
        }
        only
    }
}
