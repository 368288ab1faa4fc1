//! What an effect does to rows: each kind of target and each of its signals, three times as strong, moves the signal's column by
//! more than seeds differ, leaves alone the columns that the model says it does, and changes nothing before it starts; and no target
//! is deaf whose like are not.

use super::generator::{First, shard};
use super::made::{Made, Own};
use super::pairs::{self, EffectsTried};
use super::pass::Subject;
use super::reach::Reaches;
use super::{CheckOptions, Record, text};
use crate::core::incident::{Effect, Incident, Operation, Role, Severity};
use crate::core::schema::{DataType, Field, Signal, Simulation, Table, Target};
use crate::core::time::Window;
use crate::plugin::error::PluginError;
use crate::plugin::generator::Shard;
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

/// How far a threefold signal has to move its column at least, relative to where it was.
const LEAST_MOVE: f64 = 0.001;
/// Seeds between which columns differ by chance.
const SEEDS: u64 = 4;
/// Rows of the shorter windows that targets are tried in first.
pub(super) const SHORT_ROWS: u64 = 20_000;
/// How much longer the window is that is tried at last, where rows are few and chance is large.
const LONGER: u64 = 16;
/// Rows of a target that would have to differ, were it as its like, for it to be called deaf when none does.
const DEAF_ROWS: f64 = 10.0;
/// Most suspects of a group that are tried by themselves.
const MAX_SUSPECTS: usize = 3;
/// The attribute of a field that names the signals that may move it, with commas between.
const MOVED_BY: &str = "moved_by";

/// The laws of effects, and how far they were tried. More load makes more rows, so that calls are a quarter as long.
pub(super) fn check(
    record: &mut Record,
    subject: &Subject<'_>,
    options: &CheckOptions,
    first: &First,
) -> Option<EffectsTried> {
    let simulation = &first.simulation;
    if simulation.signals.is_empty() {
        return None;
    }
    let mut tried = EffectsTried::of(simulation);
    fields_that_say(record, simulation, &mut tried);
    record.make("nothing changes before an incident starts", || before_the_start(subject, options, first));
    let full = record.make("how far seeds differ", || {
        let trial = Trial::new(subject, options, first, first.window).map_err(text)?;
        Ok((format!("{SEEDS} seeds of {} rows", trial.base.rows()), trial))
    });
    let Some(full) = full else { return Some(tried) };
    let long = Long { subject, options, first, trial: OnceCell::new() };
    for (index, signal) in simulation.signals.iter().enumerate() {
        let all: Vec<&Target> = simulation.targets.iter().collect();
        record.make(&format!("signal {} moves its column", signal.name), || {
            full.moved(index, signal, &all).or_else(|seen| long.moved(index, signal, &all, seen))
        });
    }
    undeclared(record, &full);
    pairs::check(record, (subject, options, first), (&full, &long), &mut tried);
    Some(tried)
}

/// Fields that say which signals may move them are held to it under every signal; those that they name have to exist.
fn fields_that_say(record: &mut Record, simulation: &Simulation, tried: &mut EffectsTried) {
    const LAW: &str = "fields say which signals move them";
    let fields = || simulation.tables.iter().flat_map(|table| table.fields.iter().map(move |field| (table, field)));
    let known = |name: &str| name.is_empty() || simulation.signals.iter().any(|signal| signal.name == name);
    tried.fields = fields().count() as u64;
    tried.fields_held = fields().filter(|(_, field)| moved_by(field).is_some()).count() as u64;
    if tried.fields_held == 0 {
        record.skip(LAW, "none does, so that none is held to it: the attribute `moved_by` of a field is for that");
        return;
    }
    record.make(LAW, || {
        for (table, field) in fields() {
            if let Some(name) = moved_by(field).into_iter().flatten().find(|name| !known(name)) {
                return Err(format!(
                    "{}.{} says that it is moved by {name:?}, which is no signal",
                    table.name, field.name
                ));
            }
        }
        Ok((format!("{} of {} fields, held to it under every signal", tried.fields_held, tried.fields), ()))
    });
}

/// What else moved in tables of which no field says what may: no fault by itself, but nothing that anybody is held to either.
fn undeclared(record: &mut Record, full: &Trial<'_>) {
    let beside = full.beside.borrow();
    if beside.is_empty() {
        return;
    }
    let moved = beside.iter().map(|(place, signals)| {
        format!("{place} by {}", signals.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
    });
    let moved = moved.collect::<Vec<_>>().join("; ");
    let why = format!(
        "signals moved more than their columns where no field says `moved_by`, so that it may be meant: {moved}"
    );
    record.skip("signals move nothing else", &why);
}

/// The signals that may move a field; none where it does not say. An empty name stands for no signal.
fn moved_by(field: &Field) -> Option<impl Iterator<Item = &str>> {
    let says = field.attributes.iter().find(|attribute| attribute.name == MOVED_BY)?;
    Some(says.value.split(',').map(str::trim))
}

/// A longer window, run when it is first needed.
pub(super) struct Long<'a> {
    subject: &'a Subject<'a>,
    options: &'a CheckOptions,
    first: &'a First,
    trial: OnceCell<Option<Trial<'a>>>,
}

impl<'a> Long<'a> {
    /// Its trial, where one was needed.
    pub(super) fn trial(&self) -> Option<&Trial<'a>> {
        self.trial.get()?.as_ref()
    }

    /// Tries again what the shorter window has not shown. Where rows are many, it has shown all there is.
    pub(super) fn moved(
        &self,
        index: usize,
        signal: &Signal,
        targets: &[&Target],
        seen: String,
    ) -> Result<(String, ()), String> {
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

/// A window, its rows without incidents, and how far seeds differ in it.
pub(super) struct Trial<'a> {
    subject: &'a Subject<'a>,
    first: &'a First,
    shard: Shard,
    window: Window,
    pub(super) base: Made,
    /// For each signal, the spread of its column's mean and sum between seeds.
    spread: Vec<(f64, f64)>,
    /// What moved beside the signals' columns in tables of which no field says what may, with the signals that moved it.
    beside: RefCell<BTreeMap<String, BTreeSet<String>>>,
    /// What targets that were bent alone did to others.
    pub(super) reaches: Reaches,
}

impl<'a> Trial<'a> {
    pub(super) fn new(
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
        let (spread, beside, reaches) = (spread.collect(), RefCell::default(), Reaches::default());
        Ok(Self { subject, first, shard: whole, window, base, spread, beside, reaches })
    }

    /// Bends a signal on targets; what it did to its column, or why that is too little or too much.
    pub(super) fn moved(&self, index: usize, signal: &Signal, targets: &[&Target]) -> Result<(String, ()), String> {
        let incident = threefold(&signal.name, targets, self.window);
        if incident.effects.is_empty() {
            return Err("no target names it, so that nothing can bend it".into());
        }
        let bent = self.bent(self.shard, incident).map_err(text)?;
        let Some((table, column)) = self.subject.shown_at(index) else {
            return Err("its column is not declared".into());
        };
        if let &[one] = targets {
            self.reaches.look((self.subject, &self.first.simulation), (signal, one), (&self.base, &bent));
        }
        self.left_alone(signal, &bent)?;
        self.keys_kept(signal, &bent)?;
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

    /// The rows under an incident. More load makes more rows, so that calls are a quarter as long.
    fn bent(&self, shard: Shard, incident: Incident) -> Result<Made, PluginError> {
        let step = self.first.simulation.step_us;
        let call_us = (self.first.call_us / 4 / step).max(1) * step;
        Made::by(self.subject, shard, &[incident], self.window.pieces(call_us))
    }

    /// Bends a signal on all targets of a group, and fails where one of them shows nothing at all: its own rows, which name it, stay as
    /// they are while those of the others change, so that chance can't be why, nor does any row change when it is bent by itself,
    /// whatever the seed. A target without rows, or with nothing in them that could be bent, is not called deaf.
    pub(super) fn deaf(&self, index: usize, signal: &Signal, group: &[&Target]) -> Result<(), String> {
        let incident = threefold(&signal.name, group, self.window);
        let Some((table, column)) = self.subject.shown_at(index) else { return Ok(()) };
        if incident.effects.len() < 2 {
            return Ok(());
        }
        let bent: BTreeSet<&str> = incident.effects.iter().map(|effect| effect.target.as_str()).collect();
        let targets = self.first.simulation.targets.iter().enumerate();
        let members: Vec<_> = targets.filter(|(_, target)| bent.contains(target.name.as_str())).collect();
        let own = self.base.own(&self.bent(self.shard, incident.clone()).map_err(text)?, table, column);
        let of = |place: &usize| own.get(place).copied().unwrap_or_default();
        let all = members.iter().map(|(place, _)| of(place)).fold(Own::default(), Own::and);
        // A suspect is held against the rest of its group; of what changed, nothing was its own.
        let suspects = members.iter().filter(|(place, _)| {
            let own = of(place);
            let others = Own { rows: all.rows - own.rows, level: all.level - own.level, ..all };
            own.changed <= 0.0 && own.expected(others) >= DEAF_ROWS
        });
        for (_, target) in suspects.take(MAX_SUSPECTS) {
            if self.silent(signal, target).map_err(text)? {
                return Err(format!(
                    "{} on {} changes no row at all, while it changes those of targets that are alike",
                    signal.name, target.name
                ));
            }
        }
        Ok(())
    }

    /// Whether a signal that is bent on one target alone changes no row, with none of several seeds.
    fn silent(&self, signal: &Signal, target: &Target) -> Result<bool, PluginError> {
        for seed in 0..SEEDS {
            let shard = Shard { seed: self.shard.seed.wrapping_add(seed), ..self.shard };
            let bent = self.bent(shard, threefold(&signal.name, &[target], self.window))?;
            let same = if seed == 0 {
                self.base.same(&bent)
            } else {
                Made::by(self.subject, shard, &[], self.window.pieces(self.first.call_us))?.same(&bent)
            };
            if !same {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// In tables of which no field says what moves it, texts of the primary key stay what they are as long as there are as many rows.
    /// What else moves there is noted.
    fn keys_kept(&self, signal: &Signal, bent: &Made) -> Result<(), String> {
        let tables = self.first.simulation.tables.iter().zip(self.base.tables.iter().zip(&bent.tables));
        for (table, (before, after)) in tables.filter(|(table, _)| table.fields.iter().all(|f| moved_by(f).is_none())) {
            let note = |place: String| {
                self.beside.borrow_mut().entry(place).or_default().insert(signal.name.clone());
            };
            if before.count() != after.count() {
                note(format!("the number of rows of {}", table.name));
                continue;
            }
            let columns = before.columns.iter().zip(&after.columns).zip(&before.filled);
            for (field, ((before, after), filled)) in table.fields.iter().zip(columns) {
                // What has no value as long as nothing happens is there to name incidents.
                if before == after || !filled || is_shown(&self.first.simulation, table, field) {
                    continue;
                }
                let place = format!("{}.{}", table.name, field.name);
                if field.data_type == DataType::Utf8 && table.primary_key.contains(&field.name) {
                    return Err(format!(
                        "{place} is of the primary key, and {} moved it: rows keep their names under an effect; where it is meant, \
                         say so with `moved_by`",
                        signal.name
                    ));
                }
                note(place);
            }
        }
        Ok(())
    }

    /// Columns whose fields say which signals move them have the same values under any other.
    fn left_alone(&self, signal: &Signal, bent: &Made) -> Result<(), String> {
        let tables = self.first.simulation.tables.iter().zip(self.base.tables.iter().zip(&bent.tables));
        for (table, (before, after)) in tables {
            for (field, (before, after)) in table.fields.iter().zip(before.columns.iter().zip(&after.columns)) {
                let Some(movers) = moved_by(field) else { continue };
                let movers: Vec<&str> = movers.collect();
                if before != after && !movers.contains(&signal.name.as_str()) {
                    let (table, field, movers) = (&table.name, &field.name, movers.join(", "));
                    return Err(format!(
                        "{table}.{field} says that it is moved by {movers:?} alone, and {} moved it",
                        signal.name
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Whether a signal shows in this column.
fn is_shown(simulation: &Simulation, table: &Table, field: &Field) -> bool {
    simulation.signals.iter().any(|signal| signal.table == table.name && signal.column == field.name)
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
