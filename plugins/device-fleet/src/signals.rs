//! What incidents can act on: two signals, and the targets by state, branch, supplier and release.

use telemill_sdk::{Attribute, Blame, Effects, Signal, Target, Timestamp, Window};

use crate::branches::places;
use crate::catalogue::{MODELS, RELEASES, STATES, SUPPLIERS, SYSTEMS};
use crate::config::Config;
use crate::fleet::Fleet;

/// The whole fleet, the parent of every state.
pub const FLEET: &str = "fleet";

const AVAILABILITY: usize = 0;
const FAULTS: usize = 1;

/// The declarations, in the order in which [`Effects`] counts them.
pub fn signals() -> Vec<Signal> {
    let signal = |name: &str, summary: &str, table: &str, column: &str| Signal {
        name: name.to_owned(),
        unit: Some("1".to_owned()),
        summary: summary.to_owned(),
        table: table.to_owned(),
        column: column.to_owned(),
        inverse: false,
    };
    vec![
        signal(
            "availability",
            "Probability that a report of a machine that is switched on gets through",
            "segment_timeseries",
            "count",
        ),
        signal("faults", "Share of machines that are in trouble", "devices", "has_error"),
    ]
}

/// The fleet, its states, branches, suppliers and releases. Branches belong to their state, states to the fleet.
pub fn targets(config: &Config) -> Vec<Target> {
    let target = |name: String, parent: Option<&str>, role: &str| Target {
        name,
        parents: parent.map(str::to_owned).into_iter().collect(),
        signals: vec!["availability".to_owned(), "faults".to_owned()],
        attributes: vec![Attribute::new("role", role)],
    };
    let mut all = vec![target(FLEET.to_owned(), None, "system")];
    all.extend(STATES.iter().map(|state| target(state.code.to_owned(), Some(FLEET), "state")));
    all.extend(places(config.branches()).iter().map(|place| {
        let state = STATES.get(usize::from(place.state)).map(|state| state.code);
        target(place.code.to_string(), state, "branch")
    }));
    all.extend(SUPPLIERS.iter().map(|supplier| target((*supplier).to_owned(), None, "supplier")));
    all.extend(RELEASES.iter().map(|release| {
        let system = SYSTEMS.get(usize::from(release.system)).copied().unwrap_or_default();
        target(format!("{system} {}", release.version), None, "os_version")
    }));
    all
}

/// What incidents do to machines: through their branch (and so their state), their supplier and their release.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trouble<'a> {
    effects: Option<&'a Effects>,
}

impl<'a> Trouble<'a> {
    /// Nothing is wrong.
    pub const NONE: Self = Self { effects: None };

    /// What acts within a part of the window that `effects` are prepared for; nothing where nothing does.
    pub fn within(effects: &'a Effects, window: Window) -> Self {
        Self { effects: effects.any(window).then_some(effects) }
    }

    /// Whether nothing acts.
    pub fn is_none(&self) -> bool {
        self.effects.is_none()
    }

    /// The id of an incident by its number.
    pub fn id(&self, incident: usize) -> &'a str {
        self.effects.map_or("", |effects| effects.id(incident))
    }

    /// Whether anything acts on a machine within a window.
    pub fn touches(&self, fleet: &Fleet, index: usize, window: Window) -> bool {
        self.effects
            .is_some_and(|effects| targets_of(fleet, index).iter().any(|&target| effects.any_on(target, window)))
    }

    /// The probability of a report, bent.
    pub fn availability(&self, fleet: &Fleet, index: usize, t: Timestamp, base: f64) -> f64 {
        self.bend(fleet, index, AVAILABILITY, t, base)
    }

    /// The share of machines in trouble, bent.
    pub fn fault_share(&self, fleet: &Fleet, index: usize, t: Timestamp, base: f64) -> f64 {
        self.bend(fleet, index, FAULTS, t, base)
    }

    /// Who changes the probability of a report most.
    pub fn blame_availability(&self, fleet: &Fleet, index: usize, t: Timestamp, base: f64) -> Option<Blame<'a>> {
        self.blame(fleet, index, AVAILABILITY, t, base)
    }

    /// Who changes the share of machines in trouble most.
    pub fn blame_fault(&self, fleet: &Fleet, index: usize, t: Timestamp, base: f64) -> Option<Blame<'a>> {
        self.blame(fleet, index, FAULTS, t, base)
    }

    fn bend(&self, fleet: &Fleet, index: usize, signal: usize, t: Timestamp, base: f64) -> f64 {
        let Some(effects) = self.effects else { return base };
        targets_of(fleet, index).iter().fold(base, |value, &target| effects.at(target, signal, t).apply(value))
    }

    fn blame(&self, fleet: &Fleet, index: usize, signal: usize, t: Timestamp, base: f64) -> Option<Blame<'a>> {
        let effects = self.effects?;
        targets_of(fleet, index)
            .iter()
            .fold(None, |most, &target| Blame::most(most, effects.at(target, signal, t).blame(base)))
    }
}

/// The numbers of the targets that a machine belongs to.
fn targets_of(fleet: &Fleet, index: usize) -> [usize; 3] {
    let branches = 1 + STATES.len();
    let suppliers = branches + fleet.branches.len();
    let releases = suppliers + SUPPLIERS.len();
    fleet.devices.get(index).map_or([usize::MAX / 4; 3], |device| {
        let supplier = MODELS.get(usize::from(device.model)).map_or(0, |model| usize::from(model.supplier));
        [branches + device.branch as usize, suppliers + supplier, releases + usize::from(device.release)]
    })
}
