//! What incidents do to signals, and which of them to blame. The rules of overlap are those of `wit/types.wit`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Error, Incident, Role, Simulation, Target, Timestamp, Window};

mod bend;
#[cfg(test)]
mod tests;

use bend::{Bend, Sum};

/// Whether a target is in trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is wrong.
    Normal,
    /// An incident of this index is on: from an effect's start to its release.
    Incident(usize),
    /// An incident of this index fades: from an effect's release to its end.
    Recovery(usize),
}

impl Phase {
    /// The index of the incident; none in normal times.
    pub fn incident(self) -> Option<usize> {
        match self {
            Self::Normal => None,
            Self::Incident(index) | Self::Recovery(index) => Some(index),
        }
    }

    /// `normal`, `incident` or `recovery`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Incident(_) => "incident",
            Self::Recovery(_) => "recovery",
        }
    }
}

/// Who changed a row, and how much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blame<'a> {
    /// The incident's index, see [`Effects::incident`].
    pub incident: usize,
    /// The incident's id.
    pub id: &'a str,
    /// The change of the signal in relation to its base: 1.0 where it doubled.
    pub change: f64,
}

impl<'a> Blame<'a> {
    /// Of two, the one that changed more; ties go to the smaller id.
    pub fn most(a: Option<Blame<'a>>, b: Option<Blame<'a>>) -> Option<Blame<'a>> {
        match (a, b) {
            (Some(a), Some(b)) => {
                let first = a.change > b.change || (a.change == b.change && a.id <= b.id);
                Some(if first { a } else { b })
            }
            (a, b) => a.or(b),
        }
    }
}

/// A signal of a target at one instant. It is small: take it once a step and apply it to every row.
#[derive(Clone, Copy, Debug)]
pub struct Bent<'a> {
    effects: &'a Effects,
    bends: &'a [Bend],
    t: Timestamp,
    sum: Sum,
}

impl<'a> Bent<'a> {
    /// Whether nothing acts on the signal at this instant.
    #[inline]
    pub fn is_neutral(&self) -> bool {
        self.sum == Sum::NEUTRAL
    }

    /// What becomes of a base value.
    #[inline]
    pub fn apply(&self, base: f64) -> f64 {
        self.sum.apply(base)
    }

    /// The product of all scales alone, for what has no base of its own.
    #[inline]
    pub fn scale(&self) -> f64 {
        self.sum.scale
    }

    /// The incident that changes a base value most, with how much it changes it by itself; none where none does.
    /// Decoys change values and are never to blame.
    pub fn blame(&self, base: f64) -> Option<Blame<'a>> {
        if self.is_neutral() {
            return None;
        }
        let mut most = None;
        for (at, bend) in self.bends.iter().enumerate() {
            let seen = self.bends.iter().take(at).any(|earlier| earlier.incident == bend.incident);
            if seen || bend.decoy {
                continue;
            }
            let alone = Sum::of(self.bends, self.t, |other| other.incident == bend.incident).apply(base);
            let change = (alone - base).abs() / base.abs().max(f64::MIN_POSITIVE);
            if change > 0.0 {
                let id = self.effects.id(bend.incident);
                most = Blame::most(most, Some(Blame { incident: bend.incident, id, change }));
            }
        }
        most
    }
}

/// All that incidents do to a simulation.
///
/// Targets and signals are counted as in the [`Simulation`]. The session that drives a plugin prepares it for each window; a
/// look-up then costs a few additions, and where nothing acts, one comparison.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    incidents: Vec<Incident>,
    layout: Arc<Layout>,
    /// For each target and signal, what acts on it, sorted by start.
    bends: Vec<Vec<Bend>>,
    /// The same, of the prepared window alone.
    active: Vec<Vec<Bend>>,
    /// For each target, the incidents' effects on any of its signals in the prepared window.
    active_on_target: Vec<Vec<Bend>>,
    prepared: Option<Window>,
}

/// Which targets and signals there are.
#[derive(Clone, Debug, Default)]
struct Layout {
    signals: Vec<String>,
    targets: Vec<TargetLayout>,
}

/// One target: its own name and those of all that it belongs to, and the positions of its signals.
#[derive(Clone, Debug)]
struct TargetLayout {
    names: Vec<String>,
    signals: Vec<usize>,
}

impl Effects {
    /// Nothing acts yet on these targets.
    pub fn new(simulation: &Simulation) -> Self {
        let signals: Vec<String> = simulation.signals.iter().map(|signal| signal.name.clone()).collect();
        let mut by_name: BTreeMap<&str, Vec<&Target>> = BTreeMap::new();
        for target in &simulation.targets {
            by_name.entry(&target.name).or_default().push(target);
        }
        let targets: Vec<TargetLayout> = simulation
            .targets
            .iter()
            .map(|target| TargetLayout {
                names: with_ancestors(&by_name, &target.name),
                signals: target.signals.iter().filter_map(|name| simulation.signal(name)).collect(),
            })
            .collect();
        let pairs = signals.len() * targets.len();
        Self {
            incidents: Vec::new(),
            bends: vec![Vec::new(); pairs],
            active: vec![Vec::new(); pairs],
            active_on_target: vec![Vec::new(); targets.len()],
            layout: Arc::new(Layout { signals, targets }),
            prepared: None,
        }
    }

    /// Adds incidents; one whose id is known already is left as it is. Effects on targets or signals that the simulation does not have
    /// do nothing.
    ///
    /// # Errors
    /// Where an effect's times are out of order or its value is no finite number.
    pub fn inject(&mut self, incidents: Vec<Incident>) -> Result<(), Error> {
        for incident in incidents {
            if self.incidents.iter().any(|known| known.id == incident.id) {
                continue;
            }
            if let Some(wrong) = incident.effects.iter().find(|effect| {
                !(effect.value.is_finite()
                    && effect.start <= effect.full
                    && effect.full <= effect.release
                    && effect.release <= effect.end)
            }) {
                return Err(Error::failed(format!(
                    "incident {:?}: the effect on {:?} of {:?} is not finite or not in the order start, full, release, end",
                    incident.id, wrong.signal, wrong.target
                )));
            }
            self.add(incident);
        }
        self.prepared = None;
        Ok(())
    }

    fn add(&mut self, incident: Incident) {
        let layout = Arc::clone(&self.layout);
        let index = self.incidents.len();
        for effect in &incident.effects {
            let Some(signal) = layout.signals.iter().position(|name| *name == effect.signal) else {
                continue;
            };
            for (target, _) in layout
                .targets
                .iter()
                .enumerate()
                .filter(|(_, layout)| layout.signals.contains(&signal) && layout.names.contains(&effect.target))
            {
                let bend = Bend {
                    operation: effect.operation,
                    value: effect.value,
                    start: effect.start,
                    full: effect.full,
                    release: effect.release,
                    end: effect.end,
                    incident: index,
                    decoy: incident.role == Role::Decoy,
                };
                if let Some(bends) = self.bends.get_mut(target * layout.signals.len() + signal) {
                    bends.push(bend);
                }
            }
        }
        self.incidents.push(incident);
        // The order must not depend on when an incident became known.
        let incidents = &self.incidents;
        for bends in &mut self.bends {
            bends.sort_by(|a, b| (a.start, &incidents[a.incident].id).cmp(&(b.start, &incidents[b.incident].id)));
        }
    }

    /// Gathers what acts within a window. Look-ups outside the window that was prepared last find nothing.
    pub fn prepare(&mut self, window: Window) {
        if self.prepared == Some(window) {
            return;
        }
        let signals = self.layout.signals.len();
        for list in &mut self.active_on_target {
            list.clear();
        }
        for (pair, (bends, active)) in self.bends.iter().zip(&mut self.active).enumerate() {
            active.clear();
            active.extend(bends.iter().filter(|bend| bend.start < window.end && window.start < bend.end));
            if let Some(list) = pair.checked_div(signals).and_then(|target| self.active_on_target.get_mut(target)) {
                list.extend(active.iter().filter(|bend| !bend.decoy));
            }
        }
        self.prepared = Some(window);
    }

    /// Whether anything acts anywhere within a part of the prepared window.
    pub fn any(&self, window: Window) -> bool {
        self.active.iter().flatten().any(|bend| bend.start < window.end && window.start < bend.end)
    }

    /// Whether an incident or a decoy acts on a target within a part of the prepared window.
    pub fn any_on(&self, target: usize, window: Window) -> bool {
        let signals = self.layout.signals.len();
        let lists = self.active.get(target * signals..(target + 1) * signals).unwrap_or_default();
        lists.iter().flatten().any(|bend| bend.start < window.end && window.start < bend.end)
    }

    /// What becomes of a signal of a target at an instant of the prepared window.
    #[inline]
    pub fn at(&self, target: usize, signal: usize, t: Timestamp) -> Bent<'_> {
        let bends = self.active.get(target * self.layout.signals.len() + signal).map_or(&[] as &[Bend], Vec::as_slice);
        let sum = if bends.is_empty() { Sum::NEUTRAL } else { Sum::of(bends, t, |_| true) };
        Bent { effects: self, bends, t, sum }
    }

    /// Whether a target is in trouble at an instant of the prepared window. Where incidents overlap, one that is on comes before one
    /// that fades, then the one that began first, then the smaller id.
    pub fn phase(&self, target: usize, t: Timestamp) -> Phase {
        let bends = self.active_on_target.get(target).map_or(&[] as &[Bend], Vec::as_slice);
        let first = bends.iter().filter(|bend| bend.start <= t && t < bend.end).min_by(|a, b| {
            (t >= a.release, a.start, self.id(a.incident)).cmp(&(t >= b.release, b.start, self.id(b.incident)))
        });
        match first {
            None => Phase::Normal,
            Some(bend) if t < bend.release => Phase::Incident(bend.incident),
            Some(bend) => Phase::Recovery(bend.incident),
        }
    }

    /// The incidents that are known, in the order in which they became known.
    pub fn incidents(&self) -> &[Incident] {
        &self.incidents
    }

    /// An incident by its index.
    pub fn incident(&self, index: usize) -> Option<&Incident> {
        self.incidents.get(index)
    }

    /// An incident's id; empty for an index that no incident has.
    pub fn id(&self, index: usize) -> &str {
        self.incidents.get(index).map_or("", |incident| incident.id.as_str())
    }
}

/// A target's name and those of all that it belongs to, directly or through another target.
fn with_ancestors(targets: &BTreeMap<&str, Vec<&Target>>, name: &str) -> Vec<String> {
    let mut names = vec![name.to_owned()];
    let mut next = 0;
    while let Some(name) = names.get(next).cloned() {
        for target in targets.get(name.as_str()).into_iter().flatten() {
            for parent in &target.parents {
                if !names.contains(parent) {
                    names.push(parent.clone());
                }
            }
        }
        next += 1;
    }
    names
}
