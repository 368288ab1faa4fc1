//! A component held to the contract, without taking it in.

use crate::plugin::check::{CheckOptions, CheckReport, Sample, check};
use crate::plugin::{PluginError, PluginKind, Registry};
use crate::run;
use serde_json::{Map, Value};
use std::time::Duration;

/// Seconds that a check may take where nothing else is said.
pub const CHECK_S: u64 = 300;
/// The same where every target is tried: a day, which is beyond anybody's patience.
const EVERY_TARGET_S: u64 = 86_400;

/// What a component is held to the contract with.
#[derive(Debug, Clone, Default)]
pub struct Testing {
    /// The configuration that the laws are tried with; the schema's defaults without it.
    pub config: Option<Value>,
    /// The generator on whose targets and rows an incident model or a validator is tried; a shipped one without it.
    pub generator: Option<String>,
    /// The seed of the check.
    pub seed: Option<u64>,
    /// How long it may take; without it, [`CHECK_S`], or a day where every target is tried.
    pub within: Option<Duration>,
    /// Whether every target is tried with every signal, instead of one of each kind.
    pub every_target: bool,
}

/// Holds a component to the contract. Nothing is kept of it but compiled code; what is wrong with it stands in the report.
///
/// # Errors
/// The generator can't be used.
pub fn test(registry: &Registry, origin: &str, bytes: &[u8], testing: Testing) -> Result<CheckReport, PluginError> {
    let Testing { config, generator, seed, within, every_target } = testing;
    let usual = Duration::from_secs(if every_target { EVERY_TARGET_S } else { CHECK_S });
    let defaults = CheckOptions::default();
    let mut options = CheckOptions {
        seed: seed.unwrap_or(defaults.seed),
        config,
        other_tables: vec![run::incidents_layout().table, run::effects_layout().table],
        most_time: within.unwrap_or(usual),
        every_target,
        ..defaults
    };
    if let Some(reference) = &generator {
        let generator = registry.load(reference)?;
        generator.expect_kind(PluginKind::Generator)?;
        let config = generator.check_config(&Value::Object(Map::new()))?;
        options.sample = Some(Sample::of(&generator, &config, &options)?);
    }
    Ok(check(registry.engine(), origin, bytes, &options))
}
