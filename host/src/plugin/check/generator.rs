//! The laws of generators: rows follow from configuration, seed and time alone, whatever way the host cuts the work.

use super::apart::{self, Again, Elsewhere};
use super::bend::{self, threefold};
use super::meter::Meter;
use super::pairs::EffectsTried;
use super::pass::{Rows, Subject};
use super::rows::{self, FirstRows};
use super::{CheckOptions, Config, Record, text};
use crate::batch::{TableFingerprint, TableLayout};
use crate::core::incident::Incident;
use crate::core::schema::Simulation;
use crate::core::time::{Timestamp, Window};
use crate::plugin::engine::Plugin;
use crate::plugin::error::PluginError;
use crate::plugin::generator::Shard;
use crate::plugin::log::log_nowhere;
use serde_json::Value;

/// Partitions that have to make the same set as one.
const PARTITIONS: [u32; 2] = [2, 3];
/// Most calls of the pass that goes step by step; the rest of its window is left out.
const MAX_STEPS: u64 = 1_000;
/// Fewest steps that a pass covers, whatever the options say.
const LEAST_STEPS: u64 = 12;

/// Returns the first rows of the first configuration, and how far effects were tried with it.
pub(super) fn check(
    record: &mut Record,
    plugin: &Plugin,
    configs: &[Config],
    options: &CheckOptions,
    (meter, elsewhere): (&Meter, Option<&Elsewhere<'_>>),
) -> (FirstRows, Option<EffectsTried>) {
    let (mut shown, mut effects) = (FirstRows::default(), None);
    for (index, config) in configs.iter().enumerate() {
        let opened =
            record.make(&format!("rows: {}", config.name), || first_rows(plugin, config, options, meter).map_err(text));
        // The laws are tried with the first configuration that makes rows; the examples must only work.
        if index == 0
            && let Some(mut first) = opened
        {
            if let Some(first) = &mut first {
                shown = std::mem::take(&mut first.shown);
            }
            effects = laws(record, plugin, config, options, (meter, elsewhere), &first);
        }
    }
    (shown, effects)
}

/// A first pass, and how the others are cut.
pub(super) struct First {
    pub(super) simulation: Simulation,
    layouts: Vec<TableLayout>,
    pub(super) window: Window,
    /// The longest window of one call that stays well below the limit on output.
    pub(super) call_us: u64,
    pub(super) rows: Rows,
    shown: FirstRows,
}

fn first_rows(
    plugin: &Plugin,
    config: &Config,
    options: &CheckOptions,
    meter: &Meter,
) -> Result<(String, Option<First>), PluginError> {
    let mut generator = plugin.generator(log_nowhere())?;
    let simulation = meter.call("plan", &mut generator, |generator| generator.plan(&config.effective))?;
    if let Some(input) = simulation.inputs.iter().find(|input| input.required) {
        return Ok((format!("not run: it needs the input {:?}", input.table), None));
    }
    let layouts: Vec<_> = simulation.tables.iter().cloned().map(TableLayout::new).collect();
    let steps = (options.length_us / simulation.step_us).max(LEAST_STEPS);
    let start = on_grid(options.start, simulation.step_us);
    let length = i64::try_from(steps.saturating_mul(simulation.step_us)).unwrap_or(i64::MAX);
    let window = Window::from_start(start, length);
    let subject = Subject::new(plugin, &config.effective, &simulation, &layouts, meter);
    // Short calls first, because nothing is known of how much it makes; about 60 of them, of whole steps.
    let short_us = (steps / 60).max(1) * simulation.step_us;
    let whole = shard(options, window, 0, 1);
    let rows = subject.pass(whole, &[], window.pieces(short_us))?;
    let shown = rows::first_rows(&subject, whole, window.pieces(short_us))?;
    let affordable = (generator.output_bytes() / 4).saturating_mul(window.length_us()) / rows.bytes.max(1);
    let call_us = (affordable.min(window.length_us()) / simulation.step_us).max(1) * simulation.step_us;
    let message = format!("{} rows of {} tables in {window}", rows.count(), simulation.tables.len());
    Ok((message, Some(First { simulation, layouts, window, call_us, rows, shown })))
}

/// A fingerprint for each table of what a new instance makes in calls of at most some length.
pub(super) fn fingerprints(
    plugin: &Plugin,
    config: &Value,
    (shard, window, call_us): (Shard, Window, u64),
    meter: &Meter,
) -> Result<Vec<TableFingerprint>, PluginError> {
    let simulation = plugin.generator(log_nowhere())?.plan(config)?;
    let layouts: Vec<_> = simulation.tables.iter().cloned().map(TableLayout::new).collect();
    let subject = Subject::new(plugin, config, &simulation, &layouts, meter);
    Ok(subject.pass(shard, &[], window.pieces(call_us))?.tables)
}

fn laws(
    record: &mut Record,
    plugin: &Plugin,
    config: &Config,
    options: &CheckOptions,
    (meter, elsewhere): (&Meter, Option<&Elsewhere<'_>>),
    first: &Option<First>,
) -> Option<EffectsTried> {
    let Some(first) = first else {
        record.skip("laws", "they need an input that is not here");
        return None;
    };
    let subject = Subject::new(plugin, &config.effective, &first.simulation, &first.layouts, meter);
    let window = first.window;
    let whole = shard(options, window, 0, 1);
    let step = first.simulation.step_us;
    let same = |rows: Rows, law: &str| match first.rows.difference(&rows, &first.simulation) {
        None => Ok((format!("{} rows", rows.count()), ())),
        Some(tables) => Err(format!("{law}: {tables}")),
    };

    record.make("same seed, same rows", || {
        let rows = subject.pass(whole, &[], window.pieces(first.call_us)).map_err(text)?;
        same(rows, "another instance with the same seed and longer windows made other rows")
    });
    let again = Again::Rows { shard: whole, window, call_us: first.call_us };
    apart::check(record, "another process, same rows", elsewhere, config, (again, &[]), |made| {
        let rows = Rows { tables: apart::unpacked(made)?, ..subject.nothing() };
        same(rows, "another process made other rows").map(|(seen, ())| seen)
    });
    record.make("another seed, other rows", || {
        let other = Shard { seed: whole.seed.wrapping_add(1), ..whole };
        let rows = subject.pass(other, &[], window.pieces(first.call_us)).map_err(text)?;
        let differs = rows.count() == 0 || first.rows.difference(&rows, &first.simulation).is_some();
        if differs { Ok((String::new(), ())) } else { Err("the seed has no influence on the rows".to_owned()) }
    });
    for partitions in PARTITIONS {
        record.make(&format!("{partitions} partitions make the same set"), || {
            let mut rows = subject.nothing();
            for partition in 0..partitions {
                let mut generator = subject.open(shard(options, window, partition, partitions), &[]).map_err(text)?;
                subject.advance(&mut generator, window.pieces(first.call_us), &mut rows).map_err(text)?;
            }
            same(rows, "together they made other rows than one partition")
        });
    }
    record.make("many steps of one call equal calls of one step", || {
        let part = Window::from_start(window.start, micros(step.saturating_mul(MAX_STEPS))).min_end(window.end);
        let long = subject.pass(whole, &[], part.pieces(first.call_us)).map_err(text)?;
        let short = subject.pass(whole, &[], part.pieces(step)).map_err(text)?;
        match long.difference(&short, &first.simulation) {
            None => Ok((format!("{} rows", short.count()), ())),
            Some(tables) => Err(format!("step by step it made other rows: {tables}")),
        }
    });
    record.make("windows cut elsewhere make the same rows", || {
        let rows = subject.pass(whole, &[], uneven(window, step, first.call_us)).map_err(text)?;
        same(rows, "windows of uneven length made other rows")
    });
    record.make("save and restore go on exactly", || saved_and_restored(&subject, first, whole, &[]));
    record.make("nothing depends on the end of the span", || {
        let endless = Shard { span: Window { start: window.start, end: Timestamp::MAX }, ..whole };
        let rows = subject.pass(endless, &[], window.pieces(first.call_us)).map_err(text)?;
        same(rows, "with a span without an end it made other rows")
    });
    if let Some(signal) = first.simulation.signals.first() {
        record.make("save and restore go on exactly under an incident", || {
            let targets: Vec<_> = first.simulation.targets.iter().collect();
            saved_and_restored(&subject, first, whole, &[threefold(&signal.name, &targets, window)])
        });
    }
    bend::check(record, &subject, options, first)
}

/// Cuts the window in the middle, saves there, and goes on in the same instance, as a run does, and in another one, as a resume
/// does.
fn saved_and_restored(
    subject: &Subject<'_>,
    first: &First,
    whole: Shard,
    incidents: &[Incident],
) -> Result<(String, ()), String> {
    let (window, step) = (first.window, first.simulation.step_us);
    let half = micros((window.length_us() / 2 / step).max(1) * step);
    let before = Window::from_start(window.start, half);
    let after = Window { start: before.end, end: window.end };
    let expected = subject.pass(whole, incidents, window.pieces(first.call_us)).map_err(text)?;

    let mut rows = subject.nothing();
    let mut one = subject.open(whole, incidents).map_err(text)?;
    subject.advance(&mut one, before.pieces(first.call_us), &mut rows).map_err(text)?;
    let state = subject.save(&mut one).map_err(text)?;
    let saved = state.as_ref().map_or("no state".to_owned(), |state| format!("{} bytes of state", state.len()));
    let mut own = rows.clone();
    subject.advance(&mut one, after.pieces(first.call_us), &mut own).map_err(text)?;
    if let Some(tables) = expected.difference(&own, &first.simulation) {
        return Err(format!("an instance that had saved went on with other rows itself: {tables}"));
    }
    let mut other = match state {
        None => subject.open(whole, incidents).map_err(text)?,
        Some(state) => subject.restore(whole, &state, incidents).map_err(text)?,
    };
    subject.advance(&mut other, after.pieces(first.call_us), &mut rows).map_err(text)?;
    match expected.difference(&rows, &first.simulation) {
        None => Ok((saved, ())),
        Some(tables) => Err(format!("after {saved}, another instance went on with other rows: {tables}")),
    }
}

/// Windows of 1, 3, 7, 1, 3, 7 ... steps, none longer than a call may be.
fn uneven(window: Window, step_us: u64, call_us: u64) -> impl Iterator<Item = Window> {
    let mut start = window.start;
    // Long enough that a pass stays in the thousands of calls, and never even.
    let unit = (window.length_us() / step_us / 400).max(1) * step_us;
    let lengths = [1, 3, 7].map(|steps| unit.saturating_mul(steps).min(call_us));
    lengths.into_iter().cycle().map_while(move |length| {
        let piece = Window::from_start(start, micros(length)).min_end(window.end);
        start = piece.end;
        (!piece.is_empty()).then_some(piece)
    })
}

pub(super) fn shard(options: &CheckOptions, span: Window, partition: u32, partitions: u32) -> Shard {
    Shard { seed: options.seed, partition, partitions, span }
}

/// The last point of the grid that is not after `time`.
fn on_grid(time: Timestamp, step_us: u64) -> Timestamp {
    Timestamp(time.0 - time.0.rem_euclid(micros(step_us).max(1)))
}

fn micros(us: u64) -> i64 {
    i64::try_from(us).unwrap_or(i64::MAX)
}

trait MinEnd {
    fn min_end(self, end: Timestamp) -> Self;
}

impl MinEnd for Window {
    fn min_end(self, end: Timestamp) -> Self {
        Self { start: self.start, end: self.end.min(end) }
    }
}
