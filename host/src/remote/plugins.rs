//! Plugins of a server.

use super::target::Target;
use super::{RemoteError, Server};
use crate::api::{Compare, Uploaded};
use crate::core::digest::{BY_DIGEST, Digest};
use crate::plugin::Listed;
use crate::plugin::check::CheckReport;
use crate::versions::{Comparison, Followed, Listing, Removed, Stated, Testing};
use serde_json::json;
use std::io::Cursor;
use ureq::SendBody;
use ureq::http::Method;

/// Stands for the name where a digest says everything.
const ANY_NAME: &str = "any";

impl Server {
    /// The plugins, and which of them names mean.
    ///
    /// # Errors
    /// The server can't be asked.
    pub fn plugins(&self) -> Result<Vec<Stated>, RemoteError> {
        self.get(Target::new(&["plugins"]))
    }

    /// The installed versions of a name.
    ///
    /// # Errors
    /// There is nothing of that name, or the server can't be asked.
    pub fn plugin(&self, name: &str) -> Result<Listing, RemoteError> {
        self.get(Target::new(&["plugins", name]))
    }

    /// What a plugin is: `NAME`, `NAME@VERSION` or `sha256:DIGEST`.
    ///
    /// # Errors
    /// There is no such plugin, or the server can't be asked.
    pub fn inspect(&self, reference: &str) -> Result<Listed, RemoteError> {
        let (name, version) = any_named(reference);
        self.get(Target::new(&["plugins", name, "inspect"]).with("version", version))
    }

    /// Sends a component, which is checked and kept.
    ///
    /// # Errors
    /// It is refused, or the server can't be asked.
    pub fn install(
        &self,
        bytes: Vec<u8>,
        digest: Option<Digest>,
        generator: Option<&str>,
        activate: bool,
    ) -> Result<Uploaded, RemoteError> {
        let target = Target::new(&["plugins"]).with("activate", Some(activate)).with("digest", digest);
        let target = target.with("generator", generator);
        self.upload(Method::POST, target, "application/wasm", SendBody::from_owned_reader(Cursor::new(bytes)))
    }

    /// Holds a component to the contract there: the `bytes` that are sent, or the plugin of the server that `name` means.
    ///
    /// # Errors
    /// There is no such plugin or generator, or the server can't be asked.
    pub fn test(&self, name: &str, bytes: Option<Vec<u8>>, testing: &Testing) -> Result<CheckReport, RemoteError> {
        let (plugin, origin) = if bytes.is_some() { (None, Some(name)) } else { (Some(name), None) };
        let target = Target::new(&["checks"])
            .with("plugin", plugin)
            .with("origin", origin)
            .with("config", testing.config.as_ref())
            .with("generator", testing.generator.as_ref())
            .with("seed", testing.seed)
            .with("within", testing.within.map(|within| within.as_secs()))
            .with("every_target", testing.every_target.then_some(true));
        let body = SendBody::from_owned_reader(Cursor::new(bytes.unwrap_or_default()));
        self.upload(Method::POST, target, "application/wasm", body)
    }

    /// Makes a version what its name means.
    ///
    /// # Errors
    /// There is no such version, or the server can't be asked.
    pub fn enable(&self, reference: &str) -> Result<Followed, RemoteError> {
        let (name, version) = any_named(reference);
        let body = version.map_or(json!({}), |version| json!({ "version": version }));
        self.post(Target::new(&["plugins", name, "activate"]), &body)
    }

    /// Makes a name mean the plugin that ships again, or nothing.
    ///
    /// # Errors
    /// There is nothing of that name, or the server can't be asked.
    pub fn disable(&self, name: &str) -> Result<Followed, RemoteError> {
        self.post(Target::new(&["plugins", name, "disable"]), &json!({}))
    }

    /// Makes a name mean what it meant before the last change.
    ///
    /// # Errors
    /// There is nothing before, or the server can't be asked.
    pub fn roll_back(&self, name: &str) -> Result<Followed, RemoteError> {
        self.post(Target::new(&["plugins", name, "rollback"]), &json!({}))
    }

    /// Forgets a version that nothing uses.
    ///
    /// # Errors
    /// There is no such version, it is in use, or the server can't be asked.
    pub fn remove(&self, reference: &str) -> Result<Removed, RemoteError> {
        let (name, version) = any_named(reference);
        let version = match version {
            Some(version) => version.to_owned(),
            // The newest, as here.
            None => match self.plugin(name)?.versions.first() {
                Some(newest) => newest.digest.reference(),
                None => ANY_NAME.to_owned(),
            },
        };
        self.delete(Target::new(&["plugins", name, "versions", &version]))
    }

    /// Runs two versions of a generator, and holds their rows side by side.
    ///
    /// # Errors
    /// There is no such version, it fails, or the server can't be asked.
    pub fn compare(&self, name: Option<&str>, compare: &Compare) -> Result<Comparison, RemoteError> {
        self.post(Target::new(&["plugins", name.unwrap_or(ANY_NAME), "compare"]), compare)
    }
}

/// Name and version of a reference; a digest has no name.
pub fn named(reference: &str) -> (Option<&str>, Option<&str>) {
    if reference.starts_with(BY_DIGEST) {
        return (None, Some(reference));
    }
    reference.split_once('@').map_or((Some(reference), None), |(name, version)| (Some(name), Some(version)))
}

fn any_named(reference: &str) -> (&str, Option<&str>) {
    let (name, version) = named(reference);
    (name.unwrap_or(ANY_NAME), version)
}
