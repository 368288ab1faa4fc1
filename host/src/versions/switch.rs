//! What a name means, changed: enable, disable, roll back, remove. Each is one transaction, so that a run that is planned
//! meanwhile sees the one or the other.

use super::error::VersionsError;
use super::install::tables;
use super::resolve::{one, titled};
use crate::core::digest::Digest;
use crate::core::problem::Problem;
use crate::core::schema::Table;
use crate::core::time::Timestamp;
use crate::lake;
use crate::run::Host;
use crate::store::{Activated, Activation, PluginVersion, RunState, StreamState, WriteTx};
use serde::{Deserialize, Serialize};

/// Users that a refusal lists.
const MAX_LISTED: usize = 5;

/// What a name means now, and what it meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = SwitchedPlugin)]
pub struct Switched {
    /// The plugin's name.
    pub name: String,
    /// The version that is active; none where the name means the plugin that ships, or nothing.
    pub active: Option<Digest>,
    /// What was active before.
    pub before: Option<Digest>,
    /// Whether that is a change; a version that is active already stays so.
    pub changed: bool,
    /// Whether a plugin of this name ships.
    pub shipped: bool,
}

/// A version that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = RemovedVersion)]
pub struct Removed {
    /// The plugin's name.
    pub name: String,
    /// The version.
    pub digest: Digest,
    /// Whether its component stays in the data folder, because a finished run or a stopped stream was made with it, or
    /// something uses it now.
    pub kept_for_runs: bool,
}

/// Makes the installed version `reference` what its name means: `NAME` for the newest, `NAME@VERSION` or `sha256:DIGEST`.
///
/// Its tables may only add columns to those of what the name means now. This holds here alone: [`rollback`] and [`disable`] are the
/// way back from a version that added some, and must never be refused for it. Datasets that have such columns take rows without
/// them, since what is added may be null; a table that does not fit at all is refused by the commit, and a stream that has made rows
/// with more columns keeps its version, as [`super::follow`] says.
///
/// # Errors
/// No such version, or one whose tables do more than add columns to those of the version before.
pub fn enable(host: &Host, reference: &str, at: Timestamp) -> Result<Switched, VersionsError> {
    let version = super::version(host, reference)?;
    let (name, digest) = (version.name.clone(), version.digest);
    let shipped = shipped_tables(host, &name)?;
    host.runtime.block_on(async {
        let mut tx = host.store.write().await?;
        let versions = tx.plugin_versions(&name).await?;
        // It may have been removed since it was looked up.
        one(reference, versions.iter().filter(|version| version.digest == digest))?;
        let current = tx.activation(&name).await?;
        let before = current.as_ref().and_then(|activation| activation.digest);
        if before != Some(digest) {
            let active = versions.iter().find(|version| Some(version.digest) == before);
            let (from, tables) = match active {
                Some(active) => (titled(active), active.tables.clone()),
                None => (format!("the {name} that ships"), shipped),
            };
            hold_tables(&from, tables.as_deref(), &version)?;
            let current = current.map(|activation| activation.id);
            tx.insert_activation(&name, Some(digest), Activated::Enable, at, current).await?;
            tx.commit().await?;
        }
        Ok(switched(host, &name, Some(digest), before))
    })
}

/// Makes a name mean what it means without any installed version: the plugin that ships, or nothing.
///
/// # Errors
/// No version of the name is installed.
pub fn disable(host: &Host, name: &str, at: Timestamp) -> Result<Switched, VersionsError> {
    host.runtime.block_on(async {
        let mut tx = host.store.write().await?;
        let current = installed(&mut tx, name).await?;
        let before = current.as_ref().and_then(|activation| activation.digest);
        if before.is_some() {
            tx.insert_activation(name, None, Activated::Disable, at, current.map(|activation| activation.id)).await?;
            tx.commit().await?;
        }
        Ok(switched(host, name, None, before))
    })
}

/// Makes a name mean what it meant before the last change; again, what it meant before that. Versions that are no longer
/// installed are passed over.
///
/// # Errors
/// The name was never changed, or stands at its beginning again.
pub fn rollback(host: &Host, name: &str, at: Timestamp) -> Result<Switched, VersionsError> {
    host.runtime.block_on(async {
        let mut tx = host.store.write().await?;
        let current = installed(&mut tx, name).await?;
        let Some(current) = current.filter(|activation| activation.digest.is_some() || activation.before.is_some())
        else {
            return Err(VersionsError::NothingBefore(name.to_owned()));
        };
        let versions = tx.plugin_versions(name).await?;
        let there = |digest: Digest| versions.iter().any(|version| version.digest == digest);
        let mut wanted = of_id(&mut tx, current.before).await?;
        while let Some(gone) = wanted.as_ref().filter(|earlier| earlier.digest.is_some_and(|digest| !there(digest))) {
            wanted = of_id(&mut tx, gone.before).await?;
        }
        let (digest, before) = wanted.map_or((None, None), |earlier| (earlier.digest, earlier.before));
        tx.insert_activation(name, digest, Activated::Rollback, at, before).await?;
        tx.commit().await?;
        Ok(switched(host, name, digest, current.digest))
    })
}

/// Forgets a version. Its component goes as well, unless a finished run or a stopped stream was made with it: that can be
/// proved still.
///
/// # Errors
/// No such version, or one that is active, or that a run which is not finished, or a stream which is not stopped, uses.
pub fn remove(host: &Host, reference: &str) -> Result<Removed, VersionsError> {
    let version = super::version(host, reference)?;
    let digest = version.digest;
    let made = host.runtime.block_on(async {
        let mut tx = host.store.write().await?;
        let active = tx.activation(&version.name).await?.and_then(|activation| activation.digest);
        let (runs, streams) = (tx.runs_of_plugin(digest).await?, tx.streams_of_plugin(digest).await?);
        let mut users: Vec<_> = (active == Some(digest))
            .then(|| format!("the name {0}, which means it (`telemill plugin disable {0}`)", version.name))
            .into_iter()
            .collect();
        let open = runs.iter().filter(|run| run.state != RunState::Finished);
        users.extend(open.take(MAX_LISTED).map(|run| format!("run {}, which is {}", run.id, run.state)));
        let live = streams.iter().filter(|(_, state)| *state != StreamState::Stopped);
        users.extend(live.take(MAX_LISTED).map(|(id, state)| format!("stream {id}, which is {state}")));
        if !users.is_empty() {
            return Err(VersionsError::InUse { version: titled(&version), users });
        }
        tx.delete_plugin_version(digest).await?;
        tx.commit().await?;
        Ok(runs.len() + streams.len())
    })?;
    let forgotten = made == 0 && host.registry.forget(digest)?;
    Ok(Removed { name: version.name, digest, kept_for_runs: !forgotten })
}

/// What holds for a name of which a version is installed.
async fn installed(tx: &mut WriteTx, name: &str) -> Result<Option<Activation>, VersionsError> {
    let current = tx.activation(name).await?;
    if current.is_none() && tx.plugin_versions(name).await?.is_empty() {
        let message = "`telemill plugin list` shows those that are".to_owned();
        return Err(VersionsError::NotInstalled { reference: name.to_owned(), message });
    }
    Ok(current)
}

async fn of_id(tx: &mut WriteTx, id: Option<i64>) -> Result<Option<Activation>, VersionsError> {
    match id {
        Some(id) => Ok(tx.activation_of_id(id).await?),
        None => Ok(None),
    }
}

fn switched(host: &Host, name: &str, active: Option<Digest>, before: Option<Digest>) -> Switched {
    let shipped = host.registry.shipped(name).is_some();
    Switched { name: name.to_owned(), active, before, changed: active != before, shipped }
}

fn shipped_tables(host: &Host, name: &str) -> Result<Option<Vec<Table>>, VersionsError> {
    match host.registry.shipped(name) {
        Some(digest) => Ok(tables(&host.registry.load_digest(digest)?)?),
        None => Ok(None),
    }
}

/// Datasets that hold rows of the version before must be able to take those of the next.
fn hold_tables(from: &str, before: Option<&[Table]>, version: &PluginVersion) -> Result<(), VersionsError> {
    let (Some(before), Some(now)) = (before, version.tables.as_deref()) else { return Ok(()) };
    let mut problems = Vec::new();
    for old in before {
        let Some(new) = now.iter().find(|table| table.name == old.name) else {
            problems.push(Problem::new(&old.name, "is missing"));
            continue;
        };
        let under = |problem: Problem| match problem.path.as_str() {
            "" => Problem::new(&old.name, problem.message),
            column => Problem::new(format!("{}.{column}", old.name), problem.message),
        };
        problems.extend(lake::added_only(old, new).into_iter().map(under));
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(VersionsError::Tables { from: from.to_owned(), to: titled(version), problems })
}
