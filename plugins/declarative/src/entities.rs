//! The things that there are: ids, what each belongs to, attributes that stay, states.

use std::fmt::Write as _;
use std::sync::Arc;

use telemill_sdk::chain::{Chain, Dwell};
use telemill_sdk::time::{MINUTE, SECOND};
use telemill_sdk::{Process, hash};

use crate::check::{check_value, words_of};
use crate::config::{self, Config};
use crate::distribution::Draw;
use crate::problems::Problems;
use crate::value::{Scalar, Value};

const CHAIN: Process = Process::named("states");
/// Spread of the logarithm of how long states last.
const DWELL_SIGMA: f64 = 0.6;
const MOST: u32 = 1_000_000;
/// Entities with states keep tables of their own.
const MOST_WITH_STATES: usize = 10_000;

/// A kind of entity.
#[derive(Clone, Debug)]
pub struct Kind {
    /// Its name.
    pub name: String,
    /// The ids, in order; columns that show them share the list.
    pub ids: Arc<[String]>,
    /// The kind that its entities belong to.
    pub parent: Option<usize>,
    /// What stays.
    pub attributes: Vec<Attribute>,
    /// What it goes through.
    pub states: Option<States>,
}

/// Something about each entity of a kind that stays.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// The texts that numbers are the places of; none where it is a number.
    pub words: Option<Vec<String>>,
    source: Source,
    decimals: Option<u32>,
    key: Process,
}

#[derive(Clone, Debug)]
enum Source {
    Drawn(Value),
    List(Vec<f64>),
}

/// The states of a kind.
#[derive(Clone, Debug)]
pub struct States {
    /// Their names.
    pub names: Vec<String>,
    /// How long each lasts on average, in microseconds.
    means: Vec<f64>,
    transitions: Vec<Vec<f64>>,
    key: Process,
}

impl States {
    /// How long they last.
    pub fn dwell(&self) -> Dwell {
        Dwell::new(self.means.clone(), DWELL_SIGMA, SECOND)
    }

    /// The states of one entity.
    pub fn chain(&self, dwell: &Dwell, seed: u64, entity: usize) -> Chain {
        Chain::new(hash(hash(seed, CHAIN, 0, 0), self.key, entity as u64, 0), &self.transitions, dwell)
    }
}

impl Attribute {
    /// Its values for the first `count` entities.
    pub fn values(&self, seed: u64, count: usize) -> Vec<f64> {
        let values: Vec<f64> = match &self.source {
            Source::Drawn(value) => {
                let draw = Draw::of(value);
                (0..count).map(|entity| draw.draw(hash(seed, self.key, entity as u64, 0) as u32)).collect()
            }
            Source::List(list) => list.iter().copied().cycle().take(count).collect(),
        };
        values.into_iter().map(|value| round(value, self.decimals)).collect()
    }
}

/// A number rounded to so many places.
pub fn round(value: f64, decimals: Option<u32>) -> f64 {
    match decimals {
        None => value,
        Some(places) => {
            let unit = 10f64.powi(places as i32);
            (value * unit).round() / unit
        }
    }
}

/// The kinds of a configuration, as far as they can be read.
pub fn kinds(config: &Config, problems: &mut Problems) -> Vec<Kind> {
    let mut all: Vec<Kind> = Vec::new();
    for (i, kind) in config.entities.iter().enumerate() {
        let at = |key: &str| format!("/entities/{i}/{key}");
        problems.name(&kind.name, at("name"));
        problems.require(!all.iter().any(|known| known.name == kind.name), at("name"), "is there twice");
        let parent = kind.parent.as_ref().and_then(|name| {
            let found = all.iter().position(|known| known.name == *name);
            problems.require(found.is_some(), at("parent"), "names no kind above");
            found
        });
        let ids = ids(kind, i, problems);
        let attributes = kind
            .attributes
            .iter()
            .enumerate()
            .map(|(j, attribute)| read_attribute(kind, attribute, &at(&format!("attributes/{j}")), problems))
            .collect();
        let states = states(kind, i, ids.len(), problems);
        all.push(Kind { name: kind.name.clone(), ids, parent, attributes, states });
    }
    all
}

fn ids(kind: &config::Kind, i: usize, problems: &mut Problems) -> Arc<[String]> {
    if !kind.names.is_empty() {
        problems.require(kind.count == 0, format!("/entities/{i}/count"), "and names are not both needed");
        return kind.names.clone().into();
    }
    problems.require(
        (1..=MOST).contains(&kind.count),
        format!("/entities/{i}/count"),
        "must be between 1 and 1,000,000",
    );
    let pattern = if kind.id.is_empty() { format!("{}-{{n}}", kind.name) } else { kind.id.clone() };
    problems.require(
        pattern.contains("{n}") || kind.count == 1,
        format!("/entities/{i}/id"),
        "must have {n} for the number of the entity",
    );
    let digits = kind.count.to_string().len();
    let (before, after) = pattern.split_once("{n}").unwrap_or((&pattern, ""));
    let id = |n: u32| {
        let mut id = String::with_capacity(before.len() + digits + after.len());
        id.push_str(before);
        if pattern.len() > before.len() {
            // Writing into a string can't fail.
            let _ = write!(id, "{n:0digits$}");
        }
        id.push_str(after);
        id
    };
    (1..=kind.count.min(MOST)).map(id).collect()
}

fn read_attribute(
    kind: &config::Kind,
    attribute: &config::Attribute,
    path: &str,
    problems: &mut Problems,
) -> Attribute {
    problems.name(&attribute.name, format!("{path}/name"));
    let key = Process::named(&format!("{}.{}", kind.name, attribute.name));
    let (name, decimals) = (attribute.name.clone(), attribute.decimals);
    if let Value::List(values) = &attribute.value {
        let texts: Vec<String> =
            values.iter().filter_map(|v| if let Scalar::Text(text) = v { Some(text.clone()) } else { None }).collect();
        let numbers: Vec<f64> =
            values.iter().filter_map(|v| if let Scalar::Number(number) = v { Some(*number) } else { None }).collect();
        let (list, words) = if texts.len() == values.len() {
            ((0..texts.len()).map(|place| place as f64).collect(), Some(texts))
        } else {
            (numbers, None)
        };
        let good = list.len() == values.len() && !values.is_empty();
        problems.require(good, format!("{path}/value/list"), "must be all numbers or all texts, one at least");
        return Attribute { name, words, source: Source::List(list), decimals, key };
    }
    check_value(&attribute.value, &format!("{path}/value"), problems);
    problems.require(attribute.value.is_drawn(), format!("{path}/value"), "must be drawn, constant or a list");
    let source = Source::Drawn(attribute.value.clone());
    Attribute { name, words: words_of(&attribute.value), source, decimals, key }
}

fn states(kind: &config::Kind, i: usize, entities: usize, problems: &mut Problems) -> Option<States> {
    if kind.states.is_empty() {
        return None;
    }
    let at = |key: String| format!("/entities/{i}/states{key}");
    problems.require(entities <= MOST_WITH_STATES, at(String::new()), "are for at most 10,000 entities");
    problems.require(kind.states.len() > 1, at(String::new()), "must be two at least");
    let names: Vec<String> = kind.states.iter().map(|state| state.name.clone()).collect();
    let mut transitions = Vec::new();
    for (j, state) in kind.states.iter().enumerate() {
        let twice = names.iter().take(j).any(|name| *name == state.name);
        problems.require(!state.name.is_empty() && !twice, at(format!("/{j}/name")), "must be there, and once");
        let dwell = state.dwell_minutes;
        problems.require(dwell.is_finite() && dwell > 0.0, at(format!("/{j}/dwell_minutes")), "must be above 0");
        for (name, weight) in &state.next {
            problems.require(names.contains(name), at(format!("/{j}/next/{name}")), "names no state");
            problems.require(
                weight.is_finite() && *weight >= 0.0,
                at(format!("/{j}/next/{name}")),
                "must be 0 or more",
            );
        }
        problems.require(
            state.next.is_empty() || state.next.values().any(|weight| *weight > 0.0),
            at(format!("/{j}/next")),
            "must have a weight above 0",
        );
        let weight = |(k, name): (usize, &String)| match state.next.is_empty() {
            true => f64::from(u8::from(k != j)),
            false => state.next.get(name).copied().unwrap_or(0.0),
        };
        transitions.push(names.iter().enumerate().map(weight).collect());
    }
    let means = kind.states.iter().map(|state| state.dwell_minutes * MINUTE as f64).collect();
    let key = Process::named(&kind.name);
    Some(States { names, means, transitions, key })
}

/// The entity of a kind that an entity belongs to, directly or through others.
pub fn ancestor(kinds: &[Kind], mut kind: usize, mut entity: usize, wanted: usize) -> usize {
    while kind != wanted {
        let Some(parent) = kinds.get(kind).and_then(|kind| kind.parent) else { return entity };
        entity %= kinds.get(parent).map_or(1, |parent| parent.ids.len().max(1));
        kind = parent;
    }
    entity
}

/// The position of a kind, if an entity of `from` is or belongs to one of it.
pub fn kind_above(kinds: &[Kind], from: Option<usize>, name: &str) -> Option<usize> {
    let mut at = from;
    while let Some(kind) = at.and_then(|at| kinds.get(at)) {
        if kind.name == name {
            return at;
        }
        at = kind.parent;
    }
    None
}
