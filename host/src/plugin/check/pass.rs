//! One pass of a generator over a window, reduced to what the laws compare: a fingerprint for each table and what the
//! signals' columns show.

use super::meter::Meter;
use crate::batch::{TableFingerprint, TableLayout};
use crate::core::incident::Incident;
use crate::core::schema::{Signal, Simulation};
use crate::core::time::Window;
use crate::plugin::engine::Plugin;
use crate::plugin::error::PluginError;
use crate::plugin::generator::{Generator, Shard};
use crate::plugin::log::log_nowhere;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use serde_json::Value;
use std::collections::HashMap;

/// What a generator made.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    pub(super) tables: Vec<TableFingerprint>,
    /// For each signal, what its column shows.
    pub(super) shown: Vec<Shown>,
    /// Bytes of Arrow, about what the guest handed over.
    pub(super) bytes: u64,
}

impl Rows {
    pub(super) fn count(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// Names of tables whose rows differ, with their numbers.
    pub(super) fn difference(&self, other: &Self, simulation: &Simulation) -> Option<String> {
        let tables = simulation.tables.iter().zip(self.tables.iter().zip(&other.tables));
        let different: Vec<_> = tables
            .filter(|(_, (one, other))| one != other)
            .map(|(table, (one, other))| format!("{} ({} and {} rows)", table.name, one.rows, other.rows))
            .collect();
        if different.is_empty() { None } else { Some(different.join(", ")) }
    }
}

/// Sum, values and rows of a column. What has no number counts its values.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Shown {
    pub(super) sum: f64,
    pub(super) values: u64,
}

impl Shown {
    pub(super) fn mean(self) -> f64 {
        self.sum / (self.values as f64).max(1.0)
    }

    /// One more value; NaN is none.
    pub(super) fn push(&mut self, value: f64) {
        if !value.is_nan() {
            self.sum += value;
            self.values += 1;
        }
    }
}

/// A column as numbers: what has none counts 1 for a value; NaN where there is none.
pub(super) fn numbers(column: &ArrayRef) -> Vec<f64> {
    let numeric = column.data_type().is_numeric() || column.data_type() == &DataType::Boolean;
    match cast(column, &DataType::Float64) {
        Ok(numbers) if numeric => {
            numbers.as_primitive::<Float64Type>().iter().map(|number| number.unwrap_or(f64::NAN)).collect()
        }
        _ => (0..column.len()).map(|row| if column.is_valid(row) { 1.0 } else { f64::NAN }).collect(),
    }
}

/// A generator with a configuration, and what the passes over it have in common.
pub(super) struct Subject<'a> {
    pub(super) plugin: &'a Plugin,
    pub(super) config: &'a Value,
    pub(super) layouts: &'a [TableLayout],
    pub(super) meter: &'a Meter,
    /// Where signals show, as table and column; none where the column is not declared.
    shown_at: Vec<Option<(usize, usize)>>,
    /// The targets' positions by their names.
    targets: HashMap<String, usize>,
}

impl<'a> Subject<'a> {
    pub(super) fn new(
        plugin: &'a Plugin,
        config: &'a Value,
        simulation: &Simulation,
        layouts: &'a [TableLayout],
        meter: &'a Meter,
    ) -> Self {
        let shown_at = simulation.signals.iter().map(|signal| place(simulation, signal)).collect();
        let targets = simulation.targets.iter().enumerate().map(|(at, target)| (target.name.clone(), at));
        Self { plugin, config, layouts, meter, shown_at, targets: targets.collect() }
    }

    /// The position of a target.
    pub(super) fn target(&self, name: &str) -> Option<usize> {
        self.targets.get(name).copied()
    }

    /// The target of each row that `column` names one in; none where it holds no text.
    pub(super) fn named(&self, column: &ArrayRef) -> Option<Vec<Option<usize>>> {
        if column.data_type() != &DataType::Utf8 {
            return None;
        }
        let target = |name: Option<&str>| name.and_then(|name| self.target(name));
        Some(column.as_string::<i32>().iter().map(target).collect())
    }

    /// Where a signal shows, as table and column.
    pub(super) fn shown_at(&self, signal: usize) -> Option<(usize, usize)> {
        self.shown_at.get(signal).copied().flatten()
    }

    /// Where the signals show.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, usize)> {
        self.shown_at.iter().copied().flatten()
    }

    /// An instance, opened.
    pub(super) fn open(&self, shard: Shard, incidents: &[Incident]) -> Result<Generator, PluginError> {
        let mut generator = self.plugin.generator(log_nowhere())?;
        self.meter.call("open", &mut generator, |generator| generator.open(self.config, shard))?;
        self.inject(&mut generator, incidents)?;
        Ok(generator)
    }

    /// An instance that goes on from a state.
    pub(super) fn restore(&self, shard: Shard, state: &[u8], incidents: &[Incident]) -> Result<Generator, PluginError> {
        let mut generator = self.plugin.generator(log_nowhere())?;
        self.meter.call("restore", &mut generator, |generator| generator.restore(self.config, shard, state))?;
        self.inject(&mut generator, incidents)?;
        Ok(generator)
    }

    fn inject(&self, generator: &mut Generator, incidents: &[Incident]) -> Result<(), PluginError> {
        if incidents.is_empty() {
            return Ok(());
        }
        self.meter.call("inject", generator, |generator| generator.inject(incidents))
    }

    /// What an instance saves.
    pub(super) fn save(&self, generator: &mut Generator) -> Result<Option<Vec<u8>>, PluginError> {
        self.meter.call("save", generator, Generator::save)
    }

    /// A whole pass: an instance, opened, through all windows.
    pub(super) fn pass(
        &self,
        shard: Shard,
        incidents: &[Incident],
        windows: impl IntoIterator<Item = Window>,
    ) -> Result<Rows, PluginError> {
        let mut generator = self.open(shard, incidents)?;
        let mut rows = self.nothing();
        self.advance(&mut generator, windows, &mut rows)?;
        Ok(rows)
    }

    /// Takes an instance on through windows and adds what it makes.
    pub(super) fn advance(
        &self,
        generator: &mut Generator,
        windows: impl IntoIterator<Item = Window>,
        rows: &mut Rows,
    ) -> Result<(), PluginError> {
        self.batches(generator, windows, |table, batch| self.add(rows, table, batch))
    }

    /// Takes an instance on through windows and hands over what it makes.
    pub(super) fn batches(
        &self,
        generator: &mut Generator,
        windows: impl IntoIterator<Item = Window>,
        mut take: impl FnMut(usize, &RecordBatch),
    ) -> Result<(), PluginError> {
        let count = |made: &Result<Vec<(usize, RecordBatch)>, PluginError>| {
            made.iter().flatten().map(|(_, batch)| batch.num_rows() as u64).sum()
        };
        for window in windows {
            let made = |generator: &mut Generator| generator.rows(self.layouts, window);
            for (table, batch) in self.meter.row_call("advance", generator, made, count)? {
                take(table, &batch);
            }
        }
        Ok(())
    }

    pub(super) fn nothing(&self) -> Rows {
        Rows {
            tables: vec![TableFingerprint::default(); self.layouts.len()],
            shown: vec![Shown::default(); self.shown_at.len()],
            bytes: 0,
        }
    }

    fn add(&self, rows: &mut Rows, table: usize, batch: &RecordBatch) {
        rows.bytes += batch.get_array_memory_size() as u64;
        if let Some(fingerprint) = rows.tables.get_mut(table) {
            add(fingerprint, batch);
        }
        for (shown, at) in rows.shown.iter_mut().zip(&self.shown_at) {
            if let Some((_, column)) = at.filter(|(shown_in, _)| *shown_in == table)
                && let Some(column) = batch.columns().get(column)
            {
                numbers(column).into_iter().for_each(|number| shown.push(number));
            }
        }
    }
}

/// Adds rows that were checked, which always have a fingerprint.
pub(super) fn add(fingerprint: &mut TableFingerprint, batch: &RecordBatch) {
    if let Err(error) = fingerprint.add(batch) {
        tracing::error!("checked rows have no fingerprint, a fault of the host: {error}");
    }
}

fn place(simulation: &Simulation, signal: &Signal) -> Option<(usize, usize)> {
    let table = simulation.tables.iter().position(|table| table.name == signal.table)?;
    Some((table, simulation.tables.get(table)?.field_index(&signal.column)?))
}
