//! The conformance check: whether a component keeps the contract, found out by running it. The command line uses it, and
//! whatever takes plugins from people later.
//!
//! A check that finds nothing wrong in a sample proves nothing for all time; what it does find is certain.

mod generator;
mod incident_model;
mod pass;
mod sample;
mod validator;

pub use sample::Sample;

use super::engine::{Engine, Plugin};
use super::error::{PluginError, Rejection};
use super::log::printable;
use super::world::PluginKind;
use crate::core::digest::Digest;
use crate::core::schema::Table;
use crate::core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Instant;

/// What to check with.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// The seed of all passes.
    pub seed: u64,
    /// Where simulated time starts.
    pub start: Timestamp,
    /// How much of it a pass covers, in microseconds; cut to whole steps.
    pub length_us: u64,
    /// The configuration to try the laws with; without it, the schema's defaults. The plugin's examples always have to
    /// work.
    pub config: Option<Value>,
    /// What an incident model and a validator are checked against; without it, the generator that ships which suits best.
    pub sample: Option<Sample>,
    /// Tables that a dataset has beside the generator's own: the ground truth.
    pub other_tables: Vec<Table>,
}

impl Default for CheckOptions {
    /// A quarter of an hour of a Monday morning, when systems have something to do.
    fn default() -> Self {
        Self {
            seed: 42,
            start: Timestamp(1_772_445_600_000_000),
            length_us: 900_000_000,
            config: None,
            sample: None,
            other_tables: Vec::new(),
        }
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing wrong was found.
    Passed,
    /// Something is wrong.
    Failed,
    /// It could not be looked at; the message says why.
    Skipped,
}

/// One law of the contract, looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Which.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen, or what is wrong.
    pub message: String,
    /// How long it took.
    pub duration_ms: u64,
}

/// All that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckReport {
    /// The digest of the component.
    pub digest: Digest,
    /// The plugin's name, where it came to describing itself.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// What it does.
    pub kind: Option<PluginKind>,
    /// The checks in the order in which they were made; the first that fails may keep others from being made.
    pub checks: Vec<Check>,
}

impl CheckReport {
    /// Whether nothing failed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.outcome != Outcome::Failed)
    }
}

/// Checks a component. Nothing is kept of it but compiled code.
pub fn check(engine: &Engine, origin: &str, bytes: &[u8], options: &CheckOptions) -> CheckReport {
    let mut record = Record::default();
    let plugin = component(&mut record, engine, origin, bytes);
    if let Some(plugin) = &plugin {
        let configs = configurations(&mut record, plugin, options);
        match plugin.kind() {
            PluginKind::Generator => generator::check(&mut record, plugin, &configs, options),
            PluginKind::IncidentModel => incident_model::check(&mut record, engine, plugin, &configs, options),
            PluginKind::Validator => validator::check(&mut record, engine, plugin, &configs, options),
        }
    }
    let id = plugin.as_ref().map(Plugin::id);
    CheckReport {
        digest: Digest::of(bytes),
        name: id.map(|id| id.name.clone()),
        version: id.map(|id| id.version.clone()),
        kind: plugin.as_ref().map(Plugin::kind),
        checks: record.checks,
    }
}

/// World, imports and descriptor; loading does all of it, and the kind of its error says how far it came.
fn component(record: &mut Record, engine: &Engine, origin: &str, bytes: &[u8]) -> Option<Plugin> {
    let shown = printable(origin);
    let world = record.make("imports", || {
        let world = engine.inspect(bytes).map_err(|reason| reason.to_string())?;
        let names = if world.imports.is_empty() { "nothing".to_owned() } else { world.imports.join(", ") };
        Ok((format!("imports {names}"), world))
    })?;
    record.make("world", || {
        let kind = world.kind().map_err(|reason| reason.to_string())?;
        Ok((format!("exports the world of a plugin of kind {}", kind.interface()), ()))
    })?;
    record.make("descriptor", || {
        let plugin = engine.load(&shown, bytes).map_err(|error| match error {
            PluginError::Rejected {
                reason: reason @ (Rejection::BadDescriptor { .. } | Rejection::Invalid { .. }),
                ..
            } => reason.to_string(),
            other => other.to_string(),
        })?;
        Ok((plugin.id().to_string(), plugin))
    })
}

/// A configuration to check with, and what it is called.
struct Config {
    name: String,
    effective: Value,
}

/// What the options ask for, the defaults and the examples, each of which has to be accepted. The laws are tried with the
/// first.
fn configurations(record: &mut Record, plugin: &Plugin, options: &CheckOptions) -> Vec<Config> {
    let mut configs = Vec::new();
    let empty = Value::Object(serde_json::Map::new());
    let asked = options.config.iter().map(|config| ("the configuration given".to_owned(), config));
    let examples = plugin.descriptor().examples.iter();
    let examples = examples.map(|example| (format!("example {}", example.name), &example.config));
    for (name, config) in asked.chain([("defaults".to_owned(), &empty)]).chain(examples) {
        let made = record.make(&format!("configuration: {name}"), || {
            let effective = plugin.check_config(config).map_err(|error| error.to_string())?;
            Ok((String::new(), effective))
        });
        configs.extend(made.map(|effective| Config { name, effective }));
    }
    configs
}

/// Collects checks as they are made.
#[derive(Default)]
struct Record {
    checks: Vec<Check>,
}

impl Record {
    /// Makes a check: its message and what later checks need of it, or what is wrong.
    fn make<T>(&mut self, name: &str, check: impl FnOnce() -> Result<(String, T), String>) -> Option<T> {
        let started = Instant::now();
        let (outcome, message, value) = match check() {
            Ok((message, value)) => (Outcome::Passed, message, Some(value)),
            Err(message) => (Outcome::Failed, message, None),
        };
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.checks.push(Check { name: name.to_owned(), outcome, message, duration_ms });
        value
    }

    fn skip(&mut self, name: &str, why: &str) {
        let message = why.to_owned();
        self.checks.push(Check { name: name.to_owned(), outcome: Outcome::Skipped, message, duration_ms: 0 });
    }
}
