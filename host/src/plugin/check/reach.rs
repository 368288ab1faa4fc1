//! What an effect on one target does to rows of others: it is told, and is no fault by itself, because parts of a system slow each
//! other down.

use super::made::Made;
use super::pass::Subject;
use crate::core::schema::{Signal, Simulation, Target};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Most pairs that are told one by one.
const MAX_TOLD: usize = 64;

/// A target and one of its signals whose effect, with nothing else bent, changed rows of other targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Reach {
    /// The target that was bent.
    pub target: String,
    /// The signal that was bent.
    pub signal: String,
    /// Other targets that changed rows name: neither the target itself, nor what it belongs to, nor what belongs to it.
    pub targets: u64,
    /// Rows that changed and name such targets alone.
    pub rows: u64,
}

/// What was seen of it, by signal and target.
#[derive(Default)]
pub(super) struct Reaches(RefCell<BTreeMap<(String, String), Reach>>);

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
        let (targets, rows) = before.strangers(after, &mut own);
        if rows > 0 {
            let (target, signal) = (target.name.clone(), signal.name.clone());
            let reach = Reach { target: target.clone(), signal: signal.clone(), targets: targets.len() as u64, rows };
            self.0.borrow_mut().insert((signal, target), reach);
        }
    }

    /// What was seen in several windows: how many pairs reach others, and those that reach the most rows, each with what it does in the
    /// last window that it was tried in.
    pub(super) fn told<'a>(windows: impl IntoIterator<Item = &'a Self>) -> (u64, Vec<Reach>) {
        let mut all = BTreeMap::new();
        windows.into_iter().for_each(|seen| all.extend(seen.0.borrow().clone()));
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
