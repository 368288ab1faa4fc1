//! Pairs of a target and one of its signals: which are tried, one by one or with all that are alike, and which are not.

use super::bend::{Long, SHORT_ROWS, Trial};
use super::generator::First;
use super::pass::Subject;
use super::reach::{self, Reach, Reaches};
use super::{CheckOptions, Record, text};
use crate::core::schema::{Signal, Simulation, Target};
use crate::core::time::Window;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Fewest steps of a window that targets are tried in first.
const LEAST_STEPS: u64 = 12;
/// Most time for one of each kind of target, once every signal has been tried on one; what is not tried then is counted.
const PAIRS_TIME: Duration = Duration::from_secs(60);
/// The attribute that says what a target is.
const ROLE: &str = "role";
const LAW: &str = "each kind of target moves its signals' columns";

/// How far effects were tried. A target and one of its signals are a pair; the four numbers of pairs that follow add up to all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EffectsTried {
    /// Pairs that there are.
    pub pairs: u64,
    /// Pairs whose column moved while nothing else was bent.
    pub alone: u64,
    /// Pairs whose column moved by more than chance together with all targets that are alike, and not alone.
    pub together: u64,
    /// Pairs that were left out, because a target that is alike was tried.
    pub alike: u64,
    /// Pairs that were not tried, nor any target like theirs.
    pub not_tried: u64,
    /// Signals that were tried on no single kind of target, which fails the check.
    pub signals_not_tried: Vec<String>,
    /// Fields of all tables.
    pub fields: u64,
    /// Fields that say which signals move them, and were held to it.
    pub fields_held: u64,
    /// Pairs that were tried alone and changed rows of other targets, which may be meant.
    pub reaching: u64,
    /// Those of them that changed the most rows, 64 at most.
    pub reaches_others: Vec<Reach>,
}

impl EffectsTried {
    /// Nothing is tried yet.
    pub(super) fn of(simulation: &Simulation) -> Self {
        let pairs = simulation
            .signals
            .iter()
            .flat_map(|signal| simulation.targets.iter().filter(|target| target.signals.contains(&signal.name)));
        let pairs = pairs.count() as u64;
        let signals_not_tried = simulation.signals.iter().map(|signal| signal.name.clone()).collect();
        Self { pairs, not_tried: pairs, signals_not_tried, ..Self::default() }
    }

    /// Moves pairs of a signal from those that were not tried.
    fn add(&mut self, signal: &Signal, (alone, together, alike): (u64, u64, u64)) {
        self.alone += alone;
        self.together += together;
        self.alike += alike;
        self.not_tried = self.not_tried.saturating_sub(alone + together + alike);
        self.signals_not_tried.retain(|name| *name != signal.name);
    }

    fn told(&self) -> String {
        let Self { pairs, alone, together, alike, not_tried, signals_not_tried, .. } = self;
        let tried = alone + together;
        let mut told = format!(
            "{tried} of {pairs} pairs of target and signal were tried: {alone} moved alone, {together} with all that are alike"
        );
        if *alike > 0 {
            told += &format!("; {alike} more are like one that was tried");
        }
        if *not_tried > 0 {
            told += &format!("; {not_tried} were not tried for want of time");
        }
        if !signals_not_tried.is_empty() {
            told += &format!("; signals that were not tried at all: {}", signals_not_tried.join(", "));
        }
        told
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

/// Tries every signal on one kind of target, then on one target of each kind that has it while there is time; or, where the
/// options say so, on every target. What was not tried is counted, and a signal that was tried on none fails.
pub(super) fn check(
    record: &mut Record,
    (subject, options, first): (&Subject<'_>, &CheckOptions, &First),
    (full, long): (&Trial<'_>, &Long<'_>),
    tried: &mut EffectsTried,
) {
    let left = record.left();
    let mut short = None;
    record.make(LAW, || {
        let window = short_window(first);
        if window != first.window {
            short = Some(Trial::new(subject, options, first, window).map_err(text)?);
        }
        let trials = Trials { short: short.as_ref(), full, long, every: options.every_target };
        trials.all(&first.simulation, left, tried)?;
        let whole = tried.signals_not_tried.is_empty() && (tried.not_tried == 0 || !options.every_target);
        if whole { Ok((tried.told(), ())) } else { Err(tried.told()) }
    });
    let windows: Vec<&Trial<'_>> = short.iter().chain([full]).chain(long.trial()).collect();
    (tried.reaching, tried.reaches_others) = Reaches::told(windows.iter().map(|trial| &trial.reaches));
    reach::check(record, &first.simulation, &windows, (tried.alone, tried.pairs));
}

/// The windows that pairs are tried in, the shortest first.
struct Trials<'a, 'long> {
    /// None where the check's own window is short.
    short: Option<&'a Trial<'a>>,
    full: &'a Trial<'a>,
    long: &'a Long<'long>,
    /// Whether each target of a group is tried, or one.
    every: bool,
}

impl Trials<'_, '_> {
    fn all(&self, simulation: &Simulation, left: Duration, tried: &mut EffectsTried) -> Result<(), String> {
        let started = Instant::now();
        let groups = alike(simulation);
        for (round, index, group) in rounds(simulation, &groups) {
            let Some(signal) = simulation.signals.get(index) else { continue };
            let most = if round == 0 || self.every { left } else { left.min(PAIRS_TIME) };
            if self.every {
                self.each(index, signal, group, (started, most), tried)?;
            } else if started.elapsed() <= most {
                let moved = self.one(index, signal, group)?;
                tried.add(signal, moved);
            }
        }
        Ok(())
    }

    /// One target of a group and, where that shows too little, all of them: how many moved alone, together, and were left out.
    fn one(&self, index: usize, signal: &Signal, group: &[&Target]) -> Result<(u64, u64, u64), String> {
        let Some(one) = group.first() else { return Ok((0, 0, 0)) };
        let all = group.len() as u64;
        let shortest = self.short.unwrap_or(self.full);
        shortest.deaf(index, signal, group)?;
        if shortest.moved(index, signal, &[one]).is_ok() {
            return Ok((1, 0, all - 1));
        }
        self.together(index, signal, group)?;
        Ok(if all == 1 { (1, 0, 0) } else { (0, all, 0) })
    }

    /// What one target does may be rarer than a short window, or less than chance.
    fn together(&self, index: usize, signal: &Signal, group: &[&Target]) -> Result<(), String> {
        let seen = match self.short.filter(|_| group.len() > 1) {
            Some(short) => short.moved(index, signal, group),
            None => Err(String::new()),
        };
        let seen = seen.or_else(|_| self.full.moved(index, signal, group));
        let seen = seen.or_else(|seen| self.long.moved(index, signal, group, seen));
        let one = group.first().map(|target| target.name.as_str()).unwrap_or_default();
        seen.map(|_| ()).map_err(|seen| format!("{} on {one} and its like: {seen}", signal.name))
    }

    /// Every target of a group by itself, while there is time; those that show too little, together once.
    fn each(
        &self,
        index: usize,
        signal: &Signal,
        group: &[&Target],
        (started, most): (Instant, Duration),
        tried: &mut EffectsTried,
    ) -> Result<(), String> {
        self.full.deaf(index, signal, group)?;
        let mut shown_together = false;
        for target in group {
            if started.elapsed() > most {
                return Ok(());
            }
            let one = [*target];
            let alone = self.short.map_or(Err(String::new()), |short| short.moved(index, signal, &one));
            let alone = alone.or_else(|_| self.full.moved(index, signal, &one));
            if alone.is_ok() {
                tried.add(signal, (1, 0, 0));
                continue;
            }
            if !shown_together {
                self.together(index, signal, group)?;
                shown_together = true;
            }
            tried.add(signal, if group.len() == 1 { (1, 0, 0) } else { (0, 1, 0) });
        }
        Ok(())
    }
}

/// Every signal with every group that has it: each signal once, then each once more, so that time that ends leaves none out.
fn rounds<'a>(simulation: &Simulation, groups: &'a [Vec<&'a Target>]) -> Vec<(usize, usize, &'a [&'a Target])> {
    let mut all = Vec::new();
    for (index, signal) in simulation.signals.iter().enumerate() {
        let with_it = groups.iter().filter(|group| group.iter().any(|target| target.signals.contains(&signal.name)));
        all.extend(with_it.enumerate().map(|(round, group)| (round, index, group.as_slice())));
    }
    all.sort_by_key(|(round, index, _)| (*round, *index));
    all
}

/// The start of the window, as long as it takes for some rows.
fn short_window(first: &First) -> Window {
    let step = first.simulation.step_us;
    let steps = first.window.length_us() / step;
    let wanted = steps.saturating_mul(SHORT_ROWS) / first.rows.count().max(1);
    let us = wanted.clamp(LEAST_STEPS.min(steps), steps).saturating_mul(step);
    Window::from_start(first.window.start, i64::try_from(us).unwrap_or(i64::MAX))
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::core::schema::Attribute;

    fn simulation() -> Simulation {
        let signal = |name: &str| Signal {
            name: name.into(),
            unit: None,
            summary: String::new(),
            table: "readings".into(),
            column: "value".into(),
            inverse: false,
        };
        let target = |name: &str, role: &str, signals: &[&str]| Target {
            name: name.into(),
            parents: Vec::new(),
            signals: signals.iter().map(|&name| name.to_owned()).collect(),
            attributes: vec![Attribute { name: ROLE.into(), value: role.into() }],
        };
        Simulation {
            tables: Vec::new(),
            signals: vec![signal("heat"), signal("noise")],
            targets: vec![
                target("a1", "room", &["heat"]),
                target("a2", "room", &["heat"]),
                target("b", "door", &["heat", "noise"]),
                target("c", "house", &["noise"]),
            ],
            inputs: Vec::new(),
            step_us: 1,
            attributes: Vec::new(),
        }
    }

    #[test]
    fn every_signal_is_tried_before_any_is_tried_twice() {
        let simulation = simulation();
        let groups = alike(&simulation);
        assert_eq!(groups.len(), 3);
        let rounds = rounds(&simulation, &groups);
        let signals: Vec<_> = rounds.iter().map(|(round, signal, _)| (*round, *signal)).collect();
        assert_eq!(signals, [(0, 0), (0, 1), (1, 0), (1, 1)]);
        let with_heat = rounds.iter().filter(|(_, signal, _)| *signal == 0).map(|(.., group)| group.len());
        assert_eq!(with_heat.sum::<usize>(), 3);
    }

    #[test]
    fn what_was_tried_adds_up() {
        let simulation = simulation();
        let mut tried = EffectsTried::of(&simulation);
        assert_eq!((tried.pairs, tried.not_tried, tried.signals_not_tried.len()), (5, 5, 2));
        tried.add(&simulation.signals[0], (1, 0, 1));
        tried.add(&simulation.signals[0], (1, 0, 0));
        assert_eq!((tried.alone, tried.alike, tried.not_tried), (2, 1, 2));
        assert!(tried.told().ends_with("signals that were not tried at all: noise"), "{}", tried.told());
        assert!(tried.told().starts_with("2 of 5 pairs"), "{}", tried.told());
    }
}
