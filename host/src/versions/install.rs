//! A component's way into the data folder: looked at, described, held to the contract, kept, recorded. It is not active then.

use super::error::VersionsError;
use super::source::Found;
use super::test::{Testing, test};
use crate::core::digest::Digest;
use crate::core::schema::Table;
use crate::core::time::Timestamp;
use crate::plugin::check::{CheckReport, Outcome};
use crate::plugin::{Plugin, PluginError, PluginKind, log_nowhere};
use crate::run::{Host, RunSpec};
use crate::store::PluginVersion;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A version that is in the data folder now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = InstalledPlugin)]
pub struct Installed {
    /// The version.
    #[serde(flatten)]
    pub version: PluginVersion,
    /// Whether it came just now; it had been there before otherwise.
    pub new: bool,
}

/// Installs a component: it is checked as `telemill plugin test` does, kept, and recorded. What its name means stays as it is. An
/// incident model or a validator is tried on the rows of `generator`; without it, on those of the one that suits best.
///
/// # Errors
/// What is wrong with it, or a generator that can't be used; nothing is kept then.
pub fn install(
    host: &Host,
    found: &Found,
    generator: Option<String>,
    at: Timestamp,
) -> Result<Installed, VersionsError> {
    let digest = Digest::of(&found.bytes);
    if let Some(version) = host.runtime.block_on(host.store.plugin_version(digest))? {
        return Ok(Installed { version, new: false });
    }
    if let Some(text) = &found.scenario {
        let scenario = |source| VersionsError::Scenario { origin: found.origin.clone(), source };
        RunSpec::parse(text, false, super::source::SCENARIO_FILE).map_err(scenario)?;
    }
    // Nothing of it is kept but compiled code before it has passed.
    let plugin = host.registry.engine().load(&found.origin, &found.bytes)?;
    check_name(host, &found.origin, &plugin)?;
    let report = conformance(host, found, generator)?;
    let plugin = host.registry.load_bytes(plugin.id().name.as_str(), &found.bytes)?;
    let version = PluginVersion {
        digest,
        name: plugin.id().name.clone(),
        kind: plugin.kind().interface().to_owned(),
        version: plugin.id().version.clone(),
        summary: plugin.descriptor().summary.clone(),
        size_bytes: found.bytes.len() as u64,
        source: found.origin.clone(),
        installed_at: at,
        verdict: verdict(&report),
        imports: plugin.imports().to_vec(),
        tables: tables(&plugin)?,
        scenario: found.scenario.clone(),
    };
    host.runtime.block_on(async {
        let mut tx = host.store.write().await?;
        tx.insert_plugin_version(&version).await?;
        tx.commit().await
    })?;
    Ok(Installed { version, new: true })
}

/// A spec names a plugin by name alone, so that a name belongs to one kind.
fn check_name(host: &Host, origin: &str, plugin: &Plugin) -> Result<(), VersionsError> {
    let (name, kind) = (plugin.id().name.as_str(), plugin.kind());
    let taken = |kind: String| VersionsError::NameTaken { origin: origin.to_owned(), name: name.to_owned(), kind };
    let installed = host.runtime.block_on(host.store.plugin_versions(Some(name)))?;
    if let Some(other) = installed.iter().find(|version| version.kind != kind.interface()) {
        return Err(taken(other.kind.clone()));
    }
    if let Some(digest) = host.registry.shipped(name) {
        let shipped = host.registry.load_digest(digest)?;
        if shipped.kind() != kind {
            return Err(taken(shipped.kind().to_string()));
        }
    }
    Ok(())
}

fn conformance(host: &Host, found: &Found, generator: Option<String>) -> Result<CheckReport, VersionsError> {
    let testing = Testing { generator, ..Testing::default() };
    let records = Some((&host.store, &host.runtime));
    let report = test(&host.registry, records, (&found.origin, &found.bytes), testing)?;
    if report.passed() {
        Ok(report)
    } else {
        Err(VersionsError::Refused { origin: found.origin.clone(), report: Box::new(report) })
    }
}

/// What the record keeps of a check that found nothing wrong.
fn verdict(report: &CheckReport) -> Value {
    let skipped = report.checks.iter().filter(|check| check.outcome == Outcome::Skipped);
    json!({
        "passed": report.passed(),
        "checks": report.checks.len(),
        "skipped": skipped.map(|check| &check.name).collect::<Vec<_>>(),
        "took_ms": report.checks.iter().map(|check| check.duration_ms).sum::<u64>(),
    })
}

/// The tables that a generator declares by default, or with the first example that it can be planned with.
///
/// # Errors
/// The instance could not be made.
pub(super) fn tables(plugin: &Plugin) -> Result<Option<Vec<Table>>, PluginError> {
    if plugin.kind() != PluginKind::Generator {
        return Ok(None);
    }
    let defaults = json!({});
    let examples = plugin.descriptor().examples.iter().map(|example| &example.config);
    for config in std::iter::once(&defaults).chain(examples) {
        let Ok(config) = plugin.check_config(config) else { continue };
        if let Ok(simulation) = plugin.generator(log_nowhere())?.plan(&config) {
            return Ok(Some(simulation.tables));
        }
    }
    Ok(None)
}
