//! Which version somebody means, and which one a spec's name means.

use super::error::VersionsError;
use crate::core::digest::{BY_DIGEST, Digest};
use crate::plugin::{Listed, Names, is_shipped};
use crate::run::Host;
use crate::store::{Activation, PluginVersion, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use tokio::runtime::Handle;

/// Changes of what a name means that a listing shows.
const MAX_HISTORY: u32 = 100;

/// What a component is to the data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PluginState)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its name means it: installed and enabled, or the one that ships.
    Active,
    /// It ships, and an installed version has its name.
    Shipped,
    /// Installed, and named by digest or version alone.
    Installed,
    /// Used by its path before, and named by digest alone.
    Used,
}

impl State {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Shipped => "shipped",
            Self::Installed => "installed",
            Self::Used => "used",
        }
    }
}

/// A component with what it is to the data folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = StatedPlugin)]
pub struct Stated {
    /// What it says of itself.
    #[serde(flatten)]
    pub plugin: Listed,
    /// What it is to the data folder.
    pub state: State,
}

/// A plugin by name: its versions, and which one it means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PluginListing)]
pub struct Listing {
    /// The plugin's name.
    pub name: String,
    /// The installed version that the name means.
    pub active: Option<Digest>,
    /// The version that ships.
    pub shipped: Option<Digest>,
    /// The installed versions, newest first.
    pub versions: Vec<PluginVersion>,
    /// What was changed, newest first.
    pub history: Vec<Activation>,
}

/// Everything that can be used here: what ships, what is installed, what was used; without `store`, nothing is installed.
///
/// # Errors
/// A shipped plugin that can't be used, or the database failed.
pub fn list(
    registry: &crate::plugin::Registry,
    store: Option<&Store>,
    runtime: &Handle,
) -> Result<Vec<Stated>, VersionsError> {
    let mut active = Vec::new();
    let mut installed = Vec::new();
    if let Some(store) = store {
        runtime.block_on(async {
            for version in store.plugin_versions(None).await? {
                if store.active_plugin(&version.name).await? == Some(version.digest) {
                    active.push((version.name.clone(), version.digest));
                }
                installed.push(version.digest);
            }
            Ok::<_, StoreError>(())
        })?;
    }
    let state = |plugin: &Listed| {
        if active.iter().any(|(_, digest)| *digest == plugin.digest) {
            State::Active
        } else if plugin.shipped {
            let hidden = active.iter().any(|(name, _)| *name == plugin.descriptor.name);
            if hidden { State::Shipped } else { State::Active }
        } else if installed.contains(&plugin.digest) {
            State::Installed
        } else {
            State::Used
        }
    };
    Ok(registry.list()?.into_iter().map(|plugin| Stated { state: state(&plugin), plugin }).collect())
}

/// One plugin by name.
///
/// # Errors
/// Nothing of that name, or the database failed.
pub fn listing(host: &Host, name: &str) -> Result<Listing, VersionsError> {
    let shipped = host.registry.shipped(name);
    let listing = host.runtime.block_on(async {
        Ok::<_, StoreError>(Listing {
            name: name.to_owned(),
            active: host.store.active_plugin(name).await?,
            shipped,
            versions: host.store.plugin_versions(Some(name)).await?,
            history: host.store.plugin_history(name, MAX_HISTORY).await?,
        })
    })?;
    if listing.versions.is_empty() && shipped.is_none() {
        return Err(not_installed(name, "`telemill plugin list` shows those that are"));
    }
    Ok(listing)
}

/// The installed version that `reference` means: `NAME` for the newest, `NAME@VERSION`, or `sha256:DIGEST`, of which the
/// beginning is enough.
///
/// # Errors
/// None, or several.
pub fn version(host: &Host, reference: &str) -> Result<PluginVersion, VersionsError> {
    if let Some(start) = reference.strip_prefix(BY_DIGEST) {
        let all = host.runtime.block_on(host.store.plugin_versions(None))?;
        let beginning = |version: &&PluginVersion| version.digest.to_string().starts_with(start);
        return one(reference, all.iter().filter(beginning)).cloned();
    }
    let (name, wanted) = reference.split_once('@').map_or((reference, None), |(name, at)| (name, Some(at)));
    let all = host.runtime.block_on(host.store.plugin_versions(Some(name)))?;
    match wanted {
        Some(wanted) => one(reference, all.iter().filter(|version| version.version == wanted)).cloned(),
        None => all.first().cloned().ok_or_else(|| not_installed(name, "`telemill plugin install` does")),
    }
}

/// What names in specs mean: `NAME` the active version, `NAME@VERSION` the installed one of that version.
pub fn names(store: Store, runtime: Handle) -> Names {
    Arc::new(move |reference| {
        let found = runtime.block_on(async {
            match reference.split_once('@') {
                None => match store.active_plugin(reference).await? {
                    None if !is_shipped(reference) => {
                        let versions = store.plugin_versions(Some(reference)).await?;
                        versions.first().map_or(Ok(None), |newest| Err(not_enabled(newest)))
                    }
                    active => Ok(active),
                },
                Some((name, wanted)) => {
                    let versions = store.plugin_versions(Some(name)).await?;
                    let version = one(reference, versions.iter().filter(|version| version.version == wanted))?;
                    Ok(Some(version.digest))
                }
            }
        });
        found.map_err(|error: VersionsError| error.to_string())
    })
}

/// The same from the database at `path`, opened when it is first asked; where there is none, nothing is installed.
pub fn names_of_file(path: PathBuf, runtime: Handle) -> Names {
    let opened: OnceLock<Names> = OnceLock::new();
    Arc::new(move |reference| {
        if let Some(names) = opened.get() {
            return names(reference);
        }
        if !path.exists() {
            return Ok(None);
        }
        let store = runtime.block_on(Store::open_read_only(&path)).map_err(|error| error.to_string())?;
        opened.get_or_init(|| names(store, runtime.clone()))(reference)
    })
}

/// The one version of those that fit.
pub(super) fn one<'a>(
    reference: &str,
    versions: impl Iterator<Item = &'a PluginVersion>,
) -> Result<&'a PluginVersion, VersionsError> {
    let found: Vec<_> = versions.collect();
    match found[..] {
        [version] => Ok(version),
        [] => Err(not_installed(reference, "`telemill plugin list` shows those that are")),
        _ => {
            let names: Vec<_> = found.iter().map(|version| titled(version)).collect();
            Err(not_installed(reference, &format!("it may be {}; name one by its digest", names.join(" or "))))
        }
    }
}

/// Name, version and digest, as messages call a version.
pub(super) fn titled(version: &PluginVersion) -> String {
    format!("{} {} ({BY_DIGEST}{})", version.name, version.version, version.digest.short())
}

fn not_enabled(newest: &PluginVersion) -> VersionsError {
    VersionsError::NotEnabled { name: newest.name.clone(), version: newest.version.clone() }
}

fn not_installed(reference: &str, message: &str) -> VersionsError {
    VersionsError::NotInstalled { reference: reference.to_owned(), message: message.to_owned() }
}
