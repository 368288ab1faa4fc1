//! What an effect on one target does to rows of others: it is told, and is no fault by itself, because parts of a system slow each
//! other down. Where a table says whose its rows are, it is one.

use super::Record;
use super::bend::Trial;
use super::made::Made;
use super::pass::Subject;
use crate::core::schema::{Field, Signal, Simulation, Table, Target};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Most pairs that are told one by one.
const MAX_TOLD: usize = 64;

/// The attribute of a field that names the target that a row belongs to, and its value there.
const OWNER: &str = "owner";
const TARGET: &str = "target";
const LAW: &str = "effects leave rows of other targets alone";

/// A target and one of its signals whose effect, with nothing else bent, changed rows of other targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Reach {
    /// The target that was bent.
    pub target: String,
    /// The signal that was bent.
    pub signal: String,
    /// Other targets that changed rows name, or belong to: neither the target itself, nor what it belongs to, nor what belongs to it.
    pub targets: u64,
    /// Rows that changed and name, or belong to, such targets alone.
    pub rows: u64,
}

/// What was seen of it.
#[derive(Default)]
pub(super) struct Reaches {
    /// By signal and target.
    seen: RefCell<BTreeMap<(String, String), Reach>>,
    /// The first effect that changed what a table says is another target's.
    broken: RefCell<Option<String>>,
}

/// The column that names the target that rows of a table belong to.
pub(super) fn owner(table: &Table) -> Option<usize> {
    let owns = |field: &Field| field.attributes.iter().any(|said| said.name == OWNER && said.value == TARGET);
    table.fields.iter().position(owns)
}

/// Tables that say whose their rows are, are held to it in all windows in which pairs were tried.
pub(super) fn check(record: &mut Record, simulation: &Simulation, windows: &[&Trial<'_>], (alone, all): (u64, u64)) {
    let owned = || simulation.tables.iter().enumerate().filter_map(|(at, table)| Some((at, table, owner(table)?)));
    if owned().count() == 0 {
        record.skip(LAW, "no table says whose its rows are: the attribute `owner` of a field is for that");
        return;
    }
    record.make(LAW, || {
        for (at, table, owner) in owned() {
            if windows.iter().any(|trial| trial.base.nobodys(at)) {
                let field = table.fields.get(owner).map(|field| field.name.as_str()).unwrap_or_default();
                return Err(format!("{}.{field} says whose rows are, and names no target", table.name));
            }
        }
        match windows.iter().find_map(|trial| trial.reaches.broken.borrow().clone()) {
            Some(broken) => Err(broken),
            None => Ok((
                format!("{} of {} tables, in {alone} of {all} pairs", owned().count(), simulation.tables.len()),
                (),
            )),
        }
    });
}

impl Reaches {
    /// Looks at what bending one target alone did to the rows `before`.
    pub(super) fn look(
        &self,
        (subject, simulation): (&Subject<'_>, &Simulation),
        (signal, target): (&Signal, &Target),
        (before, after): (&Made, &Made),
    ) {
        let Some(bent) = subject.target(&target.name) else { return };
        let line = line(subject, simulation, bent);
        let mut known = BTreeMap::new();
        let mut own = |other: usize| {
            *known
                .entry(other)
                .or_insert_with(|| line.contains(&other) || self::line(subject, simulation, other).contains(&bent))
        };
        let (mut targets, mut rows) = (BTreeSet::new(), 0);
        for (table, strangers) in simulation.tables.iter().zip(before.strangers(after, &mut own)) {
            if strangers.rows > 0 && owner(table).is_some() {
                let one = strangers.targets.first().and_then(|one| simulation.targets.get(*one));
                let one = one.map(|one| one.name.as_str()).unwrap_or_default();
                let (signal, target, rows, table) = (&signal.name, &target.name, strangers.rows, &table.name);
                let broken =
                    format!("{signal} on {target} changes {rows} rows of {table} that belong to others, such as {one}");
                self.broken.borrow_mut().get_or_insert(broken);
            }
            targets.extend(strangers.targets);
            rows += strangers.rows;
        }
        if rows > 0 {
            let (target, signal) = (target.name.clone(), signal.name.clone());
            let reach = Reach { target: target.clone(), signal: signal.clone(), targets: targets.len() as u64, rows };
            self.seen.borrow_mut().insert((signal, target), reach);
        }
    }

    /// What was seen in several windows: how many pairs reach others, and those that reach the most rows, each with what it does in the
    /// last window that it was tried in.
    pub(super) fn told<'a>(windows: impl IntoIterator<Item = &'a Self>) -> (u64, Vec<Reach>) {
        let mut all = BTreeMap::new();
        windows.into_iter().for_each(|seen| all.extend(seen.seen.borrow().clone()));
        let mut most: Vec<Reach> = all.into_values().collect();
        let pairs = most.len() as u64;
        most.sort_by_key(|reach| std::cmp::Reverse(reach.rows));
        most.truncate(MAX_TOLD);
        (pairs, most)
    }
}

/// A target, what it belongs to, and what these belong to.
fn line(subject: &Subject<'_>, simulation: &Simulation, target: usize) -> BTreeSet<usize> {
    let (mut line, mut open) = (BTreeSet::new(), vec![target]);
    while let Some(next) = open.pop() {
        if line.insert(next) {
            let parents = simulation.targets.get(next).into_iter().flat_map(|target| &target.parents);
            open.extend(parents.filter_map(|parent| subject.target(parent)));
        }
    }
    line
}
