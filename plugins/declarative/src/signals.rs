//! What incidents can act on: signals on columns and rates, and the targets that have them.

use telemill_sdk::{Attribute, Signal, Target};

use crate::columns::{Column, Ref, Shape, Source};
use crate::config::Config;
use crate::entities::Kind;
use crate::plan::{Rows, Table};
use crate::problems::Problems;

/// Targets keep each other's names, so there may not be too many.
const MOST_TARGETS: usize = 5_000;

/// The signals of a configuration; each is noted at the column or the rate that it acts on.
pub fn signals(config: &Config, tables: &mut [Table], problems: &mut Problems) -> Vec<Signal> {
    let mut all: Vec<Signal> = Vec::new();
    for (i, signal) in config.signals.iter().enumerate() {
        let at = |key: &str| format!("/signals/{i}/{key}");
        problems.name(&signal.name, at("name"));
        problems.require(!all.iter().any(|known| known.name == signal.name), at("name"), "is there twice");
        let own = format!("{}.{}", signal.table, signal.column);
        let shown = signal.shown_in.as_ref().unwrap_or(&own);
        let (shown_table, shown_column) = shown.split_once('.').unwrap_or((shown, ""));
        let visible = tables.iter().any(|table| {
            let shows = |c: &Column| c.field.name == shown_column && !c.hidden && c.shape == Shape::Number;
            table.name == shown_table && table.columns.iter().any(shows)
        });
        problems.require(visible, at("shown_in"), "must be TABLE.COLUMN, a number that is not hidden");
        let Some(table) = tables.iter_mut().find(|table| table.name == signal.table) else {
            problems.add(at("table"), "names no table");
            continue;
        };
        problems.require(!matches!(table.rows, Rows::Once), at("table"), "is a snapshot, which nothing acts on");
        table.marked = true;
        if signal.rate {
            let events = matches!(table.rows, Rows::Events(_));
            problems.require(events, at("rate"), "is for tables of events");
            table.rate_signals.push(i);
        } else {
            let column = table.columns.iter_mut().find(|c| c.field.name == signal.column && c.shape == Shape::Number);
            match column {
                Some(column) => column.signals.push(i),
                None => problems.add(at("column"), "names no column of numbers"),
            }
        }
        all.push(Signal {
            name: signal.name.clone(),
            unit: signal.unit.clone(),
            summary: signal.summary.clone(),
            table: shown_table.to_owned(),
            column: shown_column.to_owned(),
            inverse: signal.inverse,
        });
    }
    all
}

/// The names of the signals that may move a column, where that follows from where it comes from: what a row says of its entity and of
/// itself changes only with which rows there are, and these with the rates of its table and of the tables above.
pub fn moved_by(column: &Column, at: usize, tables: &[Table], signals: &[Signal]) -> Option<String> {
    let own = matches!(
        column.source,
        Source::Time
            | Source::Entity(_)
            | Source::State
            | Source::Sequence(..)
            | Source::Id
            | Source::Link(..)
            | Source::Attribute(Ref::Attribute(..))
    );
    let bent = !column.signals.is_empty() || !column.plus.is_empty() || !column.times.is_empty();
    if !own || bent {
        return None;
    }
    let mut rates: Vec<usize> = Vec::new();
    let mut above = Some(at);
    while let Some(at) = above {
        rates.extend(tables.get(at).into_iter().flat_map(|table| table.rate_signals.iter().copied()));
        above = tables.iter().position(|table| table.children.contains(&at));
    }
    let names: Vec<&str> = rates.iter().filter_map(|at| Some(signals.get(*at)?.name.as_str())).collect();
    Some(names.join(", "))
}

/// The targets, and for each kind the number of its first: the system first, then the entities of each kind that some signal acts on, itself or through what belongs to it.
pub fn targets(
    config: &Config,
    kinds: &[Kind],
    tables: &[Table],
    signals: &[Signal],
    problems: &mut Problems,
) -> (Vec<Target>, Vec<Option<usize>>) {
    let mut acting: Vec<Vec<usize>> = vec![Vec::new(); kinds.len()];
    for table in tables {
        let on_columns = table.columns.iter().flat_map(|column| &column.signals);
        let list = table.of.and_then(|of| acting.get_mut(of));
        if let Some(list) = list {
            list.extend(on_columns.chain(&table.rate_signals).copied());
        }
    }
    for (at, kind) in kinds.iter().enumerate().rev() {
        let own = acting.get(at).cloned().unwrap_or_default();
        if let Some(parent) = kind.parent.and_then(|parent| acting.get_mut(parent)) {
            parent.extend(own);
        }
    }
    let name = |signal: &usize| signals.get(*signal).map(|signal| signal.name.clone());
    let mut all = Vec::new();
    let mut first_target = vec![None; kinds.len()];
    if !signals.is_empty() {
        all.push(Target {
            name: config.system.clone(),
            parents: Vec::new(),
            signals: signals.iter().map(|signal| signal.name.clone()).collect(),
            attributes: vec![Attribute::new("role", "system")],
        });
    }
    for (at, kind) in kinds.iter().enumerate() {
        let mut own = acting.get(at).cloned().unwrap_or_default();
        own.sort_unstable();
        own.dedup();
        if own.is_empty() {
            continue;
        }
        if let Some(first) = first_target.get_mut(at) {
            *first = Some(all.len());
        }
        let parents = kind.parent.and_then(|parent| kinds.get(parent)).map(|parent| &parent.ids);
        for (entity, id) in kind.ids.iter().enumerate().take(MOST_TARGETS + 1) {
            let above = parents.and_then(|ids| ids.get(entity % ids.len().max(1))).unwrap_or(&config.system);
            all.push(Target {
                name: id.clone(),
                parents: vec![above.clone()],
                signals: own.iter().filter_map(name).collect(),
                attributes: vec![Attribute::new("role", &kind.name)],
            });
        }
    }
    problems.require(all.len() <= MOST_TARGETS, "/signals", "act on more than 5,000 entities");
    let mut names: Vec<&str> = all.iter().map(|target| target.name.as_str()).collect();
    names.sort_unstable();
    let twice = names.windows(2).any(|pair| pair.first() == pair.last());
    problems.require(!twice, "/entities", "have an id twice, or one that is the system's name");
    (all, first_target)
}
