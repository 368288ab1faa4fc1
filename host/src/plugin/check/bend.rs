//! What an effect does to rows: each kind of target and each of its signals, three times as strong, moves the signal's column by
//! more than seeds differ, leaves alone the columns that the model says it does, and changes nothing before it starts.

use super::generator::{First, shard};
use super::pass::{Shown, Subject, add, numbers};
use super::{CheckOptions, Record, text};
use crate::batch::TableFingerprint;
use crate::core::incident::{Effect, Incident, Operation, Role, Severity};
use crate::core::schema::{Signal, Simulation, Table, Target};
use crate::core::time::Window;
use crate::plugin::error::PluginError;
use crate::plugin::generator::Shard;
use arrow::array::RecordBatch;
use arrow::row::{RowConverter, SortField};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::xxh3_128;

/// How far a threefold signal has to move its column at least, relative to where it was.
const LEAST_MOVE: f64 = 0.001;
/// Seeds between which columns differ by chance.
const SEEDS: u64 = 4;
/// Rows of the shorter windows that targets are tried in first.
const SHORT_ROWS: u64 = 20_000;
/// Fewest steps of such a window.
const LEAST_STEPS: u64 = 12;
/// How much longer the window is that is tried at last, where rows are few and chance is large.
const LONGER: u64 = 16;
/// Most time for trying targets one by one; what is not tried then is counted.
const PAIRS_TIME: Duration = Duration::from_secs(60);
/// The attribute of a field that names the signals that may move it, with commas between.
const MOVED_BY: &str = "moved_by";
/// The attribute that says what a target is.
const ROLE: &str = "role";

/// The laws of effects. More load makes more rows, so that calls are a quarter as long.
pub(super) fn check(record: &mut Record, subject: &Subject<'_>, options: &CheckOptions, first: &First) {
    let simulation = &first.simulation;
    if simulation.signals.is_empty() {
        return;
    }
    record.make("nothing changes before an incident starts", || before_the_start(subject, options, first));
    let full = record.make("how far seeds differ", || {
        let trial = Trial::new(subject, options, first, first.window).map_err(text)?;
        Ok((format!("{SEEDS} seeds of {} rows", trial.base.rows()), trial))
    });
    let Some(full) = full else { return };
    let long = Long { subject, options, first, trial: OnceCell::new() };
    for (index, signal) in simulation.signals.iter().enumerate() {
        let all: Vec<&Target> = simulation.targets.iter().collect();
        record.make(&format!("signal {} moves its column", signal.name), || {
            full.moved(index, signal, &all).or_else(|seen| long.moved(index, signal, &all, seen))
        });
    }
    record.make("each kind of target moves its signals' columns", || pairs(subject, options, first, &full, &long));
}

/// A longer window, run when it is first needed.
struct Long<'a> {
    subject: &'a Subject<'a>,
    options: &'a CheckOptions,
    first: &'a First,
    trial: OnceCell<Option<Trial<'a>>>,
}

impl Long<'_> {
    /// Tries again what the shorter window has not shown. Where rows are many, it has shown all there is.
    fn moved(&self, index: usize, signal: &Signal, targets: &[&Target], seen: String) -> Result<(String, ()), String> {
        if self.first.rows.count() > SHORT_ROWS {
            return Err(seen);
        }
        let trial = self.trial.get_or_init(|| {
            let us = i64::try_from(self.first.window.length_us().saturating_mul(LONGER)).unwrap_or(i64::MAX);
            Trial::new(self.subject, self.options, self.first, Window::from_start(self.first.window.start, us)).ok()
        });
        trial.as_ref().map_or(Err(seen), |trial| trial.moved(index, signal, targets))
    }
}

/// Groups of targets that differ in their names and places alone: thousands of devices are alike.
pub(super) fn alike(simulation: &Simulation) -> Vec<Vec<&Target>> {
    let mut groups: BTreeMap<_, Vec<&Target>> = BTreeMap::new();
    for target in &simulation.targets {
        let role = target.attributes.iter().find(|attribute| attribute.name == ROLE);
        let names: Vec<_> = target.attributes.iter().map(|attribute| attribute.name.as_str()).collect();
        let like = (&target.signals, target.parents.len(), role.map(|role| role.value.as_str()), names);
        groups.entry(like).or_default().push(target);
    }
    groups.into_values().collect()
}

fn before_the_start(subject: &Subject<'_>, options: &CheckOptions, first: &First) -> Result<(String, ()), String> {
    let step = first.simulation.step_us;
    let half = i64::try_from((first.window.length_us() / 2 / step).max(1) * step).unwrap_or(i64::MAX);
    let before = Window::from_start(first.window.start, half);
    let after = Window { start: before.end, end: first.window.end };
    let targets: Vec<&Target> = first.simulation.targets.iter().collect();
    let mut incident = threefold("", &targets, after);
    for signal in &first.simulation.signals {
        incident.effects.extend(threefold(&signal.name, &targets, after).effects);
    }
    let whole = shard(options, first.window, 0, 1);
    let calm = subject.pass(whole, &[], before.pieces(first.call_us)).map_err(text)?;
    let warned = subject.pass(whole, &[incident], before.pieces(first.call_us)).map_err(text)?;
    match calm.difference(&warned, &first.simulation) {
        None => Ok((format!("{} rows", calm.count()), ())),
        Some(tables) => Err(format!("an incident that was to come made other rows: {tables}")),
    }
}

/// Every group of alike targets with every signal, on one target and, where that shows too little, on all of them.
fn pairs(
    subject: &Subject<'_>,
    options: &CheckOptions,
    first: &First,
    full: &Trial<'_>,
    long: &Long<'_>,
) -> Result<(String, ()), String> {
    let (simulation, started) = (&first.simulation, Instant::now());
    let short = short_window(first);
    let short = match short == first.window {
        true => None,
        false => Some(Trial::new(subject, options, first, short).map_err(text)?),
    };
    let (mut alone, mut together, mut left) = (0, 0, 0);
    for group in alike(simulation) {
        for (index, signal) in simulation.signals.iter().enumerate() {
            let Some(one) = group.first().filter(|target| target.signals.contains(&signal.name)) else { continue };
            if started.elapsed() > PAIRS_TIME {
                left += 1;
                continue;
            }
            let trial = short.as_ref().unwrap_or(full);
            if trial.moved(index, signal, &[one]).is_ok() {
                alone += 1;
            } else {
                // What one target does may be rarer than a short window, or less than chance.
                let seen = if group.len() > 1 && short.is_some() {
                    trial.moved(index, signal, &group)
                } else {
                    Err(String::new())
                };
                seen.or_else(|_| full.moved(index, signal, &group))
                    .or_else(|seen| long.moved(index, signal, &group, seen))
                    .map_err(|seen| format!("{} on {} and its like: {seen}", signal.name, one.name))?;
                together += 1;
            }
        }
    }
    let rest = if left == 0 { String::new() } else { format!("; {left} more were not tried for want of time") };
    Ok((format!("{alone} moved on one target, {together} on all that are alike{rest}"), ()))
}

/// The start of the window, as long as it takes for some rows.
fn short_window(first: &First) -> Window {
    let step = first.simulation.step_us;
    let steps = first.window.length_us() / step;
    let wanted = steps.saturating_mul(SHORT_ROWS) / first.rows.count().max(1);
    let us = wanted.clamp(LEAST_STEPS.min(steps), steps).saturating_mul(step);
    Window::from_start(first.window.start, i64::try_from(us).unwrap_or(i64::MAX))
}

/// A window, its rows without incidents, and how far seeds differ in it.
struct Trial<'a> {
    subject: &'a Subject<'a>,
    first: &'a First,
    shard: Shard,
    window: Window,
    base: Made,
    /// For each signal, the spread of its column's mean and sum between seeds.
    spread: Vec<(f64, f64)>,
}

impl<'a> Trial<'a> {
    fn new(
        subject: &'a Subject<'a>,
        options: &CheckOptions,
        first: &'a First,
        window: Window,
    ) -> Result<Self, PluginError> {
        let whole = shard(options, window, 0, 1);
        let base = Made::by(subject, whole, &[], window.pieces(first.call_us))?;
        let mut seen = vec![Vec::new(); first.simulation.signals.len()];
        for seed in 0..SEEDS {
            let other = Shard { seed: whole.seed.wrapping_add(seed), ..whole };
            let rows = subject.pass(other, &[], window.pieces(first.call_us))?;
            for (seen, shown) in seen.iter_mut().zip(&rows.shown) {
                seen.push((shown.mean(), shown.sum));
            }
        }
        let range = |values: &mut dyn Iterator<Item = f64>| {
            let (least, most) = values.fold((f64::MAX, f64::MIN), |(least, most), x| (least.min(x), most.max(x)));
            (most - least).max(0.0)
        };
        let spread = seen.iter().map(|seen: &Vec<(f64, f64)>| {
            (range(&mut seen.iter().map(|(mean, _)| *mean)), range(&mut seen.iter().map(|(_, sum)| *sum)))
        });
        Ok(Self { subject, first, shard: whole, window, base, spread: spread.collect() })
    }

    /// Bends a signal on targets; what it did to its column, or why that is too little or too much.
    fn moved(&self, index: usize, signal: &Signal, targets: &[&Target]) -> Result<(String, ()), String> {
        let simulation = &self.first.simulation;
        let incident = threefold(&signal.name, targets, self.window);
        if incident.effects.is_empty() {
            return Err("no target names it, so that nothing can bend it".into());
        }
        let step = simulation.step_us;
        let call_us = (self.first.call_us / 4 / step).max(1) * step;
        let bent = Made::by(self.subject, self.shard, &[incident], self.window.pieces(call_us)).map_err(text)?;
        let Some((table, column)) = self.subject.shown_at(index) else {
            return Err("its column is not declared".into());
        };
        self.left_alone(signal, &bent)?;
        let (before, after, rows, share) = self.base.changed(&bent, table, column);
        let way = if signal.inverse { -1.0 } else { 1.0 };
        let (mean, sum) = (way * (after.mean() - before.mean()), way * (after.sum - before.sum));
        let (mean_spread, sum_spread) = self.spread.get(index).copied().unwrap_or_default();
        // The rows that changed are a part of all: their mean varies more between seeds, and their sum less.
        let band =
            |spread: f64, scale: f64, of: f64| (spread * scale).max(LEAST_MOVE * of.abs()).max(f64::MIN_POSITIVE);
        let mean_band = band(mean_spread, 1.0 / share.sqrt(), before.mean());
        let sum_band = band(sum_spread, share.sqrt(), before.sum);
        let place = format!("{}.{}", signal.table, signal.column);
        let seen = format!(
            "in {rows} rows that changed, the mean of {place} went from {:.4} to {:.4} (seeds differ by {mean_band:.4}), its sum \
             from {:.4} to {:.4} (by {sum_band:.4})",
            before.mean(),
            after.mean(),
            before.sum,
            after.sum
        );
        if mean > mean_band || sum > sum_band {
            return Ok((seen, ()));
        }
        let way = if signal.inverse { "down" } else { "up" };
        Err(format!("three times as much of it must move {place} {way}, by more than seeds differ; {seen}"))
    }

    /// Columns whose fields say which signals move them have the same values under any other.
    fn left_alone(&self, signal: &Signal, bent: &Made) -> Result<(), String> {
        let tables = self.first.simulation.tables.iter().zip(self.base.tables.iter().zip(&bent.tables));
        for (table, (before, after)) in tables {
            for (field, (before, after)) in table.fields.iter().zip(before.columns.iter().zip(&after.columns)) {
                let says = field.attributes.iter().find(|attribute| attribute.name == MOVED_BY);
                let immune = says.is_some_and(|says| !says.value.split(',').any(|name| name.trim() == signal.name));
                if immune && before != after {
                    return Err(format!(
                        "{}.{} says that it is moved by {:?} alone, and {} moved it",
                        table.name,
                        field.name,
                        says.map(|says| says.value.as_str()).unwrap_or_default(),
                        signal.name
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The rows of a pass, so that they can be told apart.
struct Made {
    tables: Vec<MadeTable>,
}

/// The rows of one table.
#[derive(Default)]
struct MadeTable {
    /// A hash of each row and its number, by hash.
    rows: Vec<(u128, usize)>,
    /// The columns that signals show in, as numbers.
    shown: BTreeMap<usize, Vec<f64>>,
    /// All values of each column, whatever their rows.
    columns: Vec<TableFingerprint>,
}

impl Made {
    fn by(
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

    fn rows(&self) -> usize {
        self.tables.iter().map(|table| table.rows.len()).sum()
    }

    /// What a column shows in the rows that are here and not there, and the other way round; how many rows those are at most, and
    /// their share of all.
    fn changed(&self, other: &Self, table: usize, column: usize) -> (Shown, Shown, usize, f64) {
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

/// An incident that makes `signal` three times as strong over the window, on each of the targets that names it and is not
/// reached through a parent among them that does.
pub(super) fn threefold(signal: &str, targets: &[&Target], window: Window) -> Incident {
    let with_it = targets.iter().filter(|target| target.signals.iter().any(|own| own == signal));
    let names: BTreeSet<&str> = with_it.clone().map(|target| target.name.as_str()).collect();
    let outermost = with_it.filter(|target| !target.parents.iter().any(|parent| names.contains(parent.as_str())));
    let effects = outermost.map(|target| Effect {
        target: target.name.clone(),
        signal: signal.to_owned(),
        operation: Operation::Scale,
        value: 3.0,
        start: window.start,
        full: window.start,
        release: window.end,
        end: window.end,
    });
    Incident {
        id: "conformance".into(),
        kind: "conformance".into(),
        role: Role::Incident,
        title: format!("three times as much of {signal}"),
        severity: Severity::High,
        cause: None,
        window,
        recovered: window.end,
        effects: effects.collect(),
        attributes: Vec::new(),
    }
}
