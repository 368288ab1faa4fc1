//! The rows of a pass, kept so that two passes can be told apart row by row and column by column.

use super::pass::{Shown, Subject, add, numbers};
use super::reach::owner;
use crate::batch::TableFingerprint;
use crate::core::incident::Incident;
use crate::core::schema::Table;
use crate::core::time::Window;
use crate::plugin::error::PluginError;
use crate::plugin::generator::Shard;
use arrow::array::RecordBatch;
use arrow::row::{RowConverter, SortField};
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::xxh3_128;

/// The rows of a pass, so that they can be told apart.
pub(super) struct Made {
    pub(super) tables: Vec<MadeTable>,
}

/// The rows that name a target.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Own {
    /// How many.
    pub(super) rows: f64,
    /// The sum of what a column shows in them, whatever its sign.
    pub(super) level: f64,
    /// How many of them differ.
    pub(super) changed: f64,
}

impl Own {
    /// The rows of two together.
    pub(super) fn and(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, level: self.level + other.level, changed: self.changed + other.changed }
    }

    /// How many rows of these would differ if they were as those of `others`: no more of them, and fewer where there is less to bend.
    pub(super) fn expected(self, others: Self) -> f64 {
        if self.rows <= 0.0 || others.rows <= 0.0 || others.level <= 0.0 {
            return 0.0;
        }
        let share = (others.changed / others.rows).min(1.0);
        let level = (self.level / self.rows) / (others.level / others.rows);
        self.rows * share * level.min(1.0)
    }
}

/// Rows of a table that differ and are no business of the target that was bent.
pub(super) struct Strangers {
    /// Whose they are.
    pub(super) targets: BTreeSet<usize>,
    /// How many.
    pub(super) rows: u64,
}

/// The rows of one table.
#[derive(Default)]
pub(super) struct MadeTable {
    /// A hash of each row and its number, by hash.
    rows: Vec<(u128, usize)>,
    /// The columns that signals show in, as numbers.
    shown: BTreeMap<usize, Vec<f64>>,
    /// Numbers of rows with the targets that they name, by row; of tables that a signal shows in, or that have an owner.
    named: Vec<(usize, usize)>,
    /// The column that names the target that a row belongs to, where one says so, and that target of each row.
    owner: Option<usize>,
    owners: Vec<Option<usize>>,
    /// All values of each column, whatever their rows.
    pub(super) columns: Vec<TableFingerprint>,
    /// Whether a column has any value.
    pub(super) filled: Vec<bool>,
}

impl Made {
    pub(super) fn by(
        subject: &Subject<'_>,
        shard: Shard,
        incidents: &[Incident],
        windows: impl IntoIterator<Item = Window>,
    ) -> Result<Self, PluginError> {
        let mut generator = subject.open(shard, incidents)?;
        let mut tables: Vec<_> = subject.layouts.iter().map(|layout| MadeTable::new(&layout.table)).collect();
        for (table, column) in subject.places() {
            if let Some(table) = tables.get_mut(table) {
                table.shown.entry(column).or_default();
            }
        }
        subject.batches(&mut generator, windows, |index, batch| {
            let conformed = subject.layouts.get(index).map(|layout| layout.conform(batch));
            if let (Some(table), Some(Ok(batch))) = (tables.get_mut(index), conformed) {
                table.add(subject, &batch);
            }
        })?;
        for table in &mut tables {
            table.rows.sort_unstable();
            table.named.sort_unstable();
        }
        Ok(Self { tables })
    }

    /// Whether no row of any table differs.
    pub(super) fn same(&self, other: &Self) -> bool {
        let rows = |made: &MadeTable| made.rows.iter().map(|(hash, _)| *hash).collect::<Vec<_>>();
        self.tables.iter().zip(&other.tables).all(|(one, other)| rows(one) == rows(other))
    }

    /// The rows of a table that name each target: how many there are here, what `column` shows in them, and how many of them
    /// are other ones there.
    pub(super) fn own(&self, other: &Self, table: usize, column: usize) -> BTreeMap<usize, Own> {
        let (Some(one), Some(other)) = (self.tables.get(table), other.tables.get(table)) else {
            return BTreeMap::new();
        };
        let mut own: BTreeMap<usize, Own> = BTreeMap::new();
        let shown = one.shown.get(&column);
        for (row, target) in &one.named {
            let value = shown.and_then(|values| values.get(*row)).copied().filter(|value| value.is_finite());
            let own = own.entry(*target).or_default();
            own.rows += 1.0;
            own.level += value.unwrap_or(0.0).abs();
        }
        let mut come: BTreeMap<usize, f64> = BTreeMap::new();
        other.targets(&other.only(one)).for_each(|target| *come.entry(target).or_default() += 1.0);
        one.targets(&one.only(other)).for_each(|target| own.entry(target).or_default().changed += 1.0);
        for (target, own) in &mut own {
            own.changed = own.changed.max(come.get(target).copied().unwrap_or(0.0));
        }
        own
    }

    /// Of each table, the rows that differ and name or belong to targets for none of which `own` says so.
    pub(super) fn strangers(&self, other: &Self, own: &mut dyn FnMut(usize) -> bool) -> Vec<Strangers> {
        let tables = self.tables.iter().zip(&other.tables).map(|(one, other)| {
            let mut targets = BTreeSet::new();
            let mut count = |made: &MadeTable, differ: &[usize]| {
                let strange =
                    differ.iter().map(|row| made.of(*row)).filter(|names| !names.iter().any(|name| own(*name)));
                strange.filter(|names| !names.is_empty()).inspect(|names| targets.extend(names)).count() as u64
            };
            let rows = count(one, &one.only(other)).max(count(other, &other.only(one)));
            Strangers { targets, rows }
        });
        tables.collect()
    }

    /// Whether a table has rows and none of them belongs to a target.
    pub(super) fn nobodys(&self, table: usize) -> bool {
        self.tables.get(table).is_some_and(|made| made.count() > 0 && made.owners.iter().all(Option::is_none))
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
    fn new(table: &Table) -> Self {
        let (fields, owner) = (table.fields.len(), owner(table));
        Self {
            columns: vec![TableFingerprint::default(); fields],
            filled: vec![false; fields],
            owner,
            ..Self::default()
        }
    }

    /// How many rows it has.
    pub(super) fn count(&self) -> usize {
        self.rows.len()
    }

    fn add(&mut self, subject: &Subject<'_>, batch: &RecordBatch) {
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
        if !self.shown.is_empty() || self.owner.is_some() {
            for (index, column) in batch.columns().iter().enumerate() {
                let Some(names) = subject.named(column) else { continue };
                if self.owner == Some(index) {
                    self.owners.extend(&names);
                }
                let named = names.into_iter().enumerate();
                self.named.extend(named.filter_map(|(at, target)| Some((start + at, target?))));
            }
        }
        for (filled, column) in self.filled.iter_mut().zip(batch.columns()) {
            *filled |= column.null_count() < column.len();
        }
        for (index, column) in self.columns.iter_mut().enumerate() {
            if let Ok(alone) = batch.project(&[index]) {
                add(column, &alone);
            }
        }
    }

    /// The targets that rows name.
    fn targets<'a>(&'a self, rows: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
        rows.iter().flat_map(|row| self.named_in(*row))
    }

    /// The target that a row belongs to, where a column says so; else all that it names.
    fn of(&self, row: usize) -> Vec<usize> {
        match self.owner {
            Some(_) => self.owners.get(row).copied().flatten().into_iter().collect(),
            None => self.named_in(row).collect(),
        }
    }

    /// The targets that a row names.
    fn named_in(&self, row: usize) -> impl Iterator<Item = usize> + '_ {
        let start = self.named.partition_point(|(named, _)| *named < row);
        let named = self.named.get(start..).unwrap_or_default().iter();
        named.take_while(move |(named, _)| *named == row).map(|(_, target)| *target)
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

#[cfg(test)]
mod tests {
    use super::Own;

    #[test]
    fn what_has_little_to_bend_is_expected_to_change_little() {
        let own = |rows: f64, level: f64, changed: f64| Own { rows, level, changed };
        let others = own(1_000.0, 20_000.0, 900.0);
        assert!((own(100.0, 2_000.0, 0.0).expected(others) - 90.0).abs() < 1e-9);
        assert!((own(100.0, 200.0, 0.0).expected(others) - 9.0).abs() < 1e-9, "a tenth of the level");
        assert!(own(100.0, 0.0, 0.0).expected(others) <= 0.0, "nothing to bend");
        assert!(own(0.0, 0.0, 0.0).expected(others) <= 0.0, "no rows");
        assert!(own(100.0, 2_000.0, 0.0).expected(own(1_000.0, 20_000.0, 0.0)) <= 0.0, "its like did not change");
        assert!((others.and(others).rows - 2_000.0).abs() < 1e-9);
    }
}
