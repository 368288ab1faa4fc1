//! The conformance check: whether a component keeps the contract, found out by running it. The command line uses it, and
//! whatever takes plugins from people later.
//!
//! A check that finds nothing wrong in a sample proves nothing for all time; what it does find is certain.

mod apart;
mod bend;
mod configs;
mod generator;
mod incident_model;
mod made;
mod meter;
mod pairs;
mod pass;
mod reach;
mod rows;
mod sample;
mod validator;

pub use apart::{JOB, serve};
pub use meter::{CallCost, Margin, Profile};
pub use pairs::EffectsTried;
pub use reach::Reach;
pub use rows::{FirstRows, TableRows};
pub use sample::Sample;

pub(super) use meter::Metered;

use super::engine::{Engine, Plugin};
use super::error::{PluginError, Rejection};
use super::world::PluginKind;
use crate::core::digest::Digest;
use crate::core::printable::printable;
use crate::core::report::Report;
use crate::core::schema::{Simulation, Table};
use crate::core::time::Timestamp;
use apart::Elsewhere;
use configs::Config;
use meter::Meter;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::{Duration, Instant};

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
    /// What an incident model and a validator are checked against; without it, the generator which suits best of those that ship
    /// and `generators`.
    pub sample: Option<Sample>,
    /// Generators beside those that ship, the likeliest first.
    pub generators: Vec<Plugin>,
    /// Tables that a dataset has beside the generator's own: the ground truth.
    pub other_tables: Vec<Table>,
    /// How long the check may take; a component that needs longer fails. One call more may be under way at the end.
    pub most_time: Duration,
    /// Try every target with every signal, instead of one of each kind while there is a minute for it.
    pub every_target: bool,
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
            generators: Vec::new(),
            other_tables: Vec::new(),
            most_time: Duration::from_secs(300),
            every_target: false,
        }
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = CheckOutcome)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ConformanceCheck)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
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
    /// How far effects were tried; none where the plugin has no signals.
    pub effects: Option<EffectsTried>,
    /// What its calls cost.
    pub profile: Profile,
    /// A generator's first rows.
    #[schema(value_type = Vec<TableRows>)]
    pub first_rows: FirstRows,
}

impl CheckReport {
    /// Whether nothing failed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.outcome != Outcome::Failed)
    }
}

/// What an incident model or a validator is checked against: what the options bring, or a sample of the generator which suits it
/// best.
///
/// # Errors
/// A configuration that is refused, or no generator that makes a sample.
pub fn sample(engine: &Engine, plugin: &Plugin, options: &CheckOptions) -> Result<Sample, String> {
    let configs = [configured(plugin, options)?];
    let meter = Meter::default();
    let suits = |simulation: &Simulation| match plugin.kind() {
        PluginKind::IncidentModel => incident_model::suits(plugin, &configs, simulation, options, &meter),
        PluginKind::Validator => validator::suits(plugin, &configs, simulation, options),
        PluginKind::Generator => 0,
    };
    Sample::for_check(engine, options, &suits)
}

/// What a validator says of a sample's rows.
///
/// # Errors
/// A configuration that is refused, or what the validator fails with.
pub fn report(plugin: &Plugin, options: &CheckOptions, sample: &Sample) -> Result<Report, String> {
    validator::report(plugin, configured(plugin, options)?, sample)
}

/// The configuration given, or the defaults.
fn configured(plugin: &Plugin, options: &CheckOptions) -> Result<Config, String> {
    let config = options.config.clone().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    let effective = plugin.check_config(&config).map_err(text)?;
    Ok(Config { name: "the configuration given".to_owned(), effective })
}

/// Checks a component. Nothing is kept of it but compiled code.
pub fn check(engine: &Engine, origin: &str, bytes: &[u8], options: &CheckOptions) -> CheckReport {
    let mut record = Record::new(options.most_time);
    let meter = Meter::default();
    let elsewhere = Elsewhere::of(engine, origin, bytes);
    let with = (&meter, elsewhere.as_ref());
    let (mut first_rows, mut effects) = (FirstRows::new(), None);
    let plugin = component(&mut record, engine, origin, bytes);
    if let Some(plugin) = &plugin {
        let configs = configs::accepted(&mut record, plugin, options, &meter);
        if let Some(good) = configs.first() {
            configs::refused(&mut record, plugin, good);
        }
        match plugin.kind() {
            PluginKind::Generator => {
                (first_rows, effects) = generator::check(&mut record, plugin, &configs, options, with);
            }
            PluginKind::IncidentModel => incident_model::check(&mut record, engine, plugin, &configs, options, with),
            PluginKind::Validator => validator::check(&mut record, engine, plugin, &configs, options, with),
        }
    }
    let id = plugin.as_ref().map(Plugin::id);
    CheckReport {
        digest: Digest::of(bytes),
        name: id.map(|id| id.name.clone()),
        version: id.map(|id| id.version.clone()),
        kind: plugin.as_ref().map(Plugin::kind),
        checks: record.checks,
        effects,
        profile: meter.profile(engine.limits(), bytes.len()),
        first_rows,
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

/// Collects checks as they are made.
struct Record {
    checks: Vec<Check>,
    started: Instant,
    most_time: Duration,
}

impl Record {
    fn new(most_time: Duration) -> Self {
        Self { checks: Vec::new(), started: Instant::now(), most_time }
    }

    /// Makes a check: its message and what later checks need of it, or what is wrong.
    fn make<T>(&mut self, name: &str, check: impl FnOnce() -> Result<(String, T), String>) -> Option<T> {
        let started = Instant::now();
        let late = self.started.elapsed() > self.most_time;
        let checked = if late {
            Err(format!("it was not looked at: the check's {} s were up", self.most_time.as_secs()))
        } else {
            check()
        };
        let (outcome, message, value) = match checked {
            Ok((message, value)) => (Outcome::Passed, message, Some(value)),
            Err(message) => (Outcome::Failed, message, None),
        };
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.checks.push(Check { name: name.to_owned(), outcome, message, duration_ms });
        value
    }

    /// The time that is left.
    fn left(&self) -> Duration {
        self.most_time.saturating_sub(self.started.elapsed())
    }

    fn skip(&mut self, name: &str, why: &str) {
        let message = why.to_owned();
        self.checks.push(Check { name: name.to_owned(), outcome: Outcome::Skipped, message, duration_ms: 0 });
    }
}

/// What a check says of an error.
fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
