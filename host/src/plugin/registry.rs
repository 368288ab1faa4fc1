//! Where components are kept and how a reference becomes a plugin: those that ship with the binary, files, and the store
//! by digest under the data folder, which is what lets a run be made again after its plugins have changed.

use super::descriptor::Descriptor;
use super::engine::{Engine, Plugin};
use super::error::PluginError;
use super::files;
use super::log::printable;
use super::shipped;
use super::world::{CONTRACT_VERSION, PluginKind};
use crate::core::digest::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The folder in the data folder.
const FOLDER: &str = "plugins";
/// How a reference by digest starts.
const BY_DIGEST: &str = "sha256:";

/// A plugin as a list shows it; no code of it has to run for that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// The digest of its component.
    pub digest: Digest,
    /// What it does.
    pub kind: PluginKind,
    /// Whether it ships with this binary.
    pub shipped: bool,
    /// What it says of itself.
    pub descriptor: Descriptor,
}

/// The file beside a component that keeps what it said of itself.
#[derive(Serialize, Deserialize)]
struct Described {
    contract: String,
    kind: PluginKind,
    descriptor: Descriptor,
}

/// Finds, keeps and loads components.
#[derive(Clone)]
pub struct Registry {
    engine: Engine,
    dir: PathBuf,
}

impl Registry {
    /// The registry of a data folder; nothing is written before a plugin is used.
    pub fn new(engine: Engine, data_dir: &Path) -> Self {
        Self { engine, dir: data_dir.join(FOLDER) }
    }

    /// The engine that plugins are loaded with.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Loads a plugin by the name of one that ships, by the path of a `.wasm` file, or by `sha256:` and the digest of one
    /// that was used before; and keeps its component, so that it can be loaded by digest from now on.
    ///
    /// # Errors
    /// Nothing of that name, bytes that can't be used, a store that can't be written.
    pub fn load(&self, reference: &str) -> Result<Plugin, PluginError> {
        let (origin, bytes) = self.find(reference)?;
        let plugin = self.engine.load(&origin, &bytes)?;
        self.keep(plugin.digest(), &bytes)?;
        self.keep_description(&plugin);
        Ok(plugin)
    }

    /// Loads the component of a digest: what a run was made with, or a shipped one.
    ///
    /// # Errors
    /// Not in the store, or damaged there.
    pub fn load_digest(&self, digest: Digest) -> Result<Plugin, PluginError> {
        self.load(&format!("{BY_DIGEST}{digest}"))
    }

    /// Whether the component of this digest ships with this binary.
    pub fn ships(&self, digest: Digest) -> bool {
        shipped::SHIPPED.iter().any(|(_, bytes)| Digest::of(bytes) == digest)
    }

    /// The bytes of a digest, without loading or keeping them.
    ///
    /// # Errors
    /// Not in the store, or damaged there.
    pub fn bytes_of(&self, digest: Digest) -> Result<Vec<u8>, PluginError> {
        self.bytes(&format!("{BY_DIGEST}{digest}"))
    }

    /// The bytes that a reference means, without loading or keeping them.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn bytes(&self, reference: &str) -> Result<Vec<u8>, PluginError> {
        self.find(reference).map(|(_, bytes)| bytes)
    }

    /// What a plugin says of itself; runs nothing where that is known already.
    ///
    /// # Errors
    /// As [`Self::load`], but nothing has to be written.
    pub fn describe(&self, reference: &str) -> Result<Listed, PluginError> {
        let (origin, bytes) = self.find(reference)?;
        self.describe_bytes(&origin, &bytes)
    }

    /// The plugins that ship, in the order of their names, then those of the store.
    ///
    /// # Errors
    /// A shipped plugin that can't be used. What can't be used in the store is reported in the log and left out.
    pub fn list(&self) -> Result<Vec<Listed>, PluginError> {
        let mut listed = Vec::new();
        for (name, bytes) in shipped::SHIPPED {
            listed.push(self.describe_bytes(name, bytes)?);
        }
        let shipped: Vec<_> = listed.iter().map(|plugin| plugin.digest).collect();
        for digest in self.stored() {
            if shipped.contains(&digest) {
                continue;
            }
            match self.describe(&format!("{BY_DIGEST}{digest}")) {
                Ok(plugin) => listed.push(plugin),
                Err(error) => tracing::warn!("left out of the list: {error}"),
            }
        }
        let order = |plugin: &Listed| (!plugin.shipped, plugin.kind, plugin.descriptor.name.clone(), plugin.digest);
        listed.sort_by_key(order);
        Ok(listed)
    }

    fn find(&self, reference: &str) -> Result<(String, Vec<u8>), PluginError> {
        if let Some(digest) = reference.strip_prefix(BY_DIGEST) {
            return self.find_digest(reference, digest);
        }
        if reference.contains('/') || reference.ends_with(".wasm") {
            let path = Path::new(reference);
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Ok((name, self.read(path)?));
        }
        match shipped::find(reference) {
            Some(bytes) => Ok((reference.to_owned(), bytes.to_vec())),
            None => {
                let names: Vec<_> = shipped::SHIPPED.iter().map(|(name, _)| *name).collect();
                let message = format!(
                    "{} ship with this binary; others are named by the path of a .wasm file or by {BY_DIGEST} and a digest",
                    if names.is_empty() { "no plugins".to_owned() } else { names.join(", ") }
                );
                Err(PluginError::NotFound { reference: printable(reference), message })
            }
        }
    }

    fn find_digest(&self, reference: &str, digest: &str) -> Result<(String, Vec<u8>), PluginError> {
        let not_found = |message: String| PluginError::NotFound { reference: printable(reference), message };
        let wanted: Digest = digest.parse().map_err(not_found)?;
        let origin = format!("component {}", wanted.short());
        if let Some((_, bytes)) = shipped::SHIPPED.iter().find(|(_, bytes)| Digest::of(bytes) == wanted) {
            return Ok((origin, bytes.to_vec()));
        }
        let path = self.component_path(wanted);
        if !path.exists() {
            return Err(not_found(format!(
                "no run in this data folder used it; {} lists those that were",
                "`telemill plugin list`"
            )));
        }
        let bytes = self.read(&path)?;
        let found = Digest::of(&bytes);
        if found != wanted {
            return Err(not_found(format!("the file {} is damaged: its digest is {}", path.display(), found.short())));
        }
        Ok((origin, bytes))
    }

    /// Reads a file, but never much more of it than a component may have.
    fn read(&self, path: &Path) -> Result<Vec<u8>, PluginError> {
        let io = |source| PluginError::Io { action: "read", path: path.to_owned(), source };
        let mut bytes = Vec::new();
        let file = fs::File::open(path).map_err(io)?;
        file.take(self.engine.limits().component_bytes + 1).read_to_end(&mut bytes).map_err(io)?;
        Ok(bytes)
    }

    fn describe_bytes(&self, origin: &str, bytes: &[u8]) -> Result<Listed, PluginError> {
        let digest = Digest::of(bytes);
        let shipped = shipped::SHIPPED.iter().any(|(_, shipped)| *shipped == bytes);
        if let Some(Described { kind, descriptor, .. }) = self.described(digest) {
            return Ok(Listed { digest, kind, shipped, descriptor });
        }
        let plugin = self.engine.load(origin, bytes)?;
        self.keep_description(&plugin);
        Ok(Listed { digest, kind: plugin.kind(), shipped, descriptor: plugin.descriptor().clone() })
    }

    fn described(&self, digest: Digest) -> Option<Described> {
        let text = fs::read(self.description_path(digest)).ok()?;
        let described: Described = serde_json::from_slice(&text).ok()?;
        (described.contract == CONTRACT_VERSION).then_some(described)
    }

    /// Only ever a convenience: a folder that can't be written costs time, not results.
    fn keep_description(&self, plugin: &Plugin) {
        let path = self.description_path(plugin.digest());
        if path.exists() && self.described(plugin.digest()).is_some() {
            return;
        }
        let described = Described {
            contract: CONTRACT_VERSION.to_owned(),
            kind: plugin.kind(),
            descriptor: plugin.descriptor().clone(),
        };
        let written = serde_json::to_vec(&described).map_err(std::io::Error::other).and_then(|text| {
            files::private_dir(&self.dir)?;
            files::write_whole(&path, &[&text])
        });
        if let Err(error) = written {
            tracing::debug!(path = %path.display(), "a plugin's description is not kept: {error}");
        }
    }

    /// Puts a component into the store, where it is not there already.
    fn keep(&self, digest: Digest, bytes: &[u8]) -> Result<(), PluginError> {
        let path = self.component_path(digest);
        if fs::metadata(&path).is_ok_and(|found| found.len() == bytes.len() as u64) {
            return Ok(());
        }
        let written = files::private_dir(&self.dir).and_then(|()| files::write_whole(&path, &[bytes]));
        written.map_err(|source| PluginError::Io { action: "keep a plugin in", path, source })
    }

    /// Digests of the store's components, in order.
    fn stored(&self) -> Vec<Digest> {
        let Ok(entries) = fs::read_dir(&self.dir) else { return Vec::new() };
        let found = entries.flatten().filter_map(|entry| {
            let name = entry.file_name();
            let digest: Digest = name.to_str()?.strip_suffix(".wasm")?.parse().ok()?;
            Some((digest, ()))
        });
        found.collect::<BTreeMap<_, _>>().into_keys().collect()
    }

    fn component_path(&self, digest: Digest) -> PathBuf {
        self.dir.join(format!("{digest}.wasm"))
    }

    fn description_path(&self, digest: Digest) -> PathBuf {
        self.dir.join(format!("{digest}.json"))
    }
}
