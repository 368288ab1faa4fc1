//! A component held to the contract, without taking it in.

use super::error::VersionsError;
use crate::plugin::check::{CheckOptions, CheckReport, Sample, check};
use crate::plugin::{Plugin, PluginKind, Registry};
use crate::run;
use crate::store::{PluginVersion, Store, StoreError};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::runtime::Handle;

/// Seconds that a check may take where nothing else is said.
pub const CHECK_S: u64 = 300;
/// The same where every target is tried: a day, which is beyond anybody's patience.
const EVERY_TARGET_S: u64 = 86_400;
/// Most installed generators that an incident model or a validator is tried on.
const MAX_GENERATORS: usize = 32;

/// What a component is held to the contract with.
#[derive(Debug, Clone, Default)]
pub struct Testing {
    /// The configuration that the laws are tried with; the schema's defaults without it.
    pub config: Option<Value>,
    /// The generator on whose targets and rows an incident model or a validator is tried; without it, the one that suits best of
    /// those that ship or are installed.
    pub generator: Option<String>,
    /// The seed of the check.
    pub seed: Option<u64>,
    /// How long it may take; without it, [`CHECK_S`], or a day where every target is tried.
    pub within: Option<Duration>,
    /// Whether every target is tried with every signal, instead of one of each kind.
    pub every_target: bool,
}

/// Where generators are installed that others can be tried on: the database that says so, and what drives it. None where there
/// is no database.
pub type Records<'a> = Option<(&'a Store, &'a Handle)>;

/// Holds a component to the contract. Nothing is kept of it but compiled code; what is wrong with it stands in the report.
///
/// # Errors
/// The generator can't be used, or the database failed.
pub fn test(
    registry: &Registry,
    records: Records<'_>,
    component: (&str, &[u8]),
    testing: Testing,
) -> Result<CheckReport, VersionsError> {
    let options = check_options(registry, records, component, testing)?;
    let (origin, bytes) = component;
    Ok(check(registry.engine(), origin, bytes, &options))
}

/// What a component is tried with: the sample of the generator that was named, or the generators that it can be tried on.
///
/// # Errors
/// As [`test`].
pub fn check_options(
    registry: &Registry,
    records: Records<'_>,
    (origin, bytes): (&str, &[u8]),
    testing: Testing,
) -> Result<CheckOptions, VersionsError> {
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
    } else if registry.engine().kind_of(origin, bytes).is_ok_and(|kind| kind != PluginKind::Generator) {
        options.generators = generators(registry, records)?;
    }
    Ok(options)
}

/// The installed generators, one version of each name: those that are enabled first, then the newest of those that are not.
///
/// # Errors
/// The database failed. What can't be loaded is told in the log and left out.
fn generators(registry: &Registry, records: Records<'_>) -> Result<Vec<Plugin>, VersionsError> {
    let Some((store, runtime)) = records else { return Ok(Vec::new()) };
    let versions = runtime.block_on(async {
        let mut versions: BTreeMap<String, (bool, PluginVersion)> = BTreeMap::new();
        for version in store.plugin_versions(None).await? {
            if version.kind != PluginKind::Generator.interface() {
                continue;
            }
            let active = store.active_plugin(&version.name).await? == Some(version.digest);
            match versions.get(&version.name) {
                Some((shown, kept)) if *shown || (!active && kept.installed_at >= version.installed_at) => {}
                _ => drop(versions.insert(version.name.clone(), (active, version))),
            }
        }
        Ok::<_, StoreError>(versions)
    })?;
    let (enabled, others): (Vec<_>, Vec<_>) = versions.into_values().partition(|(active, _)| *active);
    let mut generators = Vec::new();
    for (_, version) in enabled.into_iter().chain(others).take(MAX_GENERATORS) {
        match registry.load_digest(version.digest) {
            Ok(generator) => generators.push(generator),
            Err(error) => tracing::warn!("{} is not tried as a sample: {error}", version.name),
        }
    }
    Ok(generators)
}
