//! Where components are kept and how a reference becomes a plugin: those that ship with the binary, files, and the store
//! by digest under the data folder, which is what lets a run be made again after its plugins have changed.

use super::descriptor::Descriptor;
use super::engine::{Engine, LoadedPlugin, Plugin};
use super::error::PluginError;
use super::files;
use super::shipped;
use super::world::{CONTRACT_VERSION, PluginKind};
use crate::core::digest::{BY_DIGEST, Digest};
use crate::core::printable::printable;
use crate::worker::Program;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The folder in the data folder.
const FOLDER: &str = "plugins";
/// Hex digits of a whole digest; fewer are the beginning of one.
const DIGEST_DIGITS: usize = 64;

/// Tells which installed component a name means; none where it means the plugin that ships, or nothing. What it says when
/// it can't tell ends the look-up.
pub type Names = Arc<dyn Fn(&str) -> Result<Option<Digest>, String> + Send + Sync>;

/// A plugin as a list shows it; no code of it has to run for that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ListedPlugin)]
pub struct Listed {
    /// The digest of its component.
    pub digest: Digest,
    /// What it does.
    pub kind: PluginKind,
    /// Whether it ships with this binary.
    pub shipped: bool,
    /// Bytes of its component.
    pub size_bytes: u64,
    /// Names of what it imports.
    pub imports: Vec<String>,
    /// Whether its `describe` was called just now; else what it said before is shown, and nothing of it ran.
    pub described_now: bool,
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
    /// Whether nothing is written into `dir`.
    read_only: bool,
    names: Option<Names>,
    /// What this process has loaded and not let go: loaded once for all, and never taken away from under them.
    loaded: Arc<Mutex<BTreeMap<Digest, LoadedPlugin>>>,
    /// What ships, once it was described: a server is asked for it again and again, and it stays what it is.
    shipped: Arc<OnceLock<Vec<Listed>>>,
}

impl Registry {
    /// The registry of a data folder; nothing is written before a plugin is used.
    pub fn new(engine: Engine, data_dir: &Path) -> Self {
        let dir = data_dir.join(FOLDER);
        Self { engine, dir, read_only: false, names: None, loaded: Arc::default(), shipped: Arc::default() }
    }

    /// What runs as a worker process; none where all code of plugins runs on threads of this one.
    pub fn worker(&self) -> Option<&Program> {
        self.engine.compiler()
    }

    /// The same, whose names mean what `names` says first, and else plugins that ship.
    #[must_use]
    pub fn with_names(self, names: Names) -> Self {
        Self { names: Some(names), ..self }
    }

    /// The same, which keeps neither components nor what they say of themselves.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }

    /// The engine that plugins are loaded with.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Loads a plugin by the name of one that is installed or ships, by the path of a `.wasm` file, or by `sha256:` and the
    /// digest of one that was used before, of which the beginning is enough; and keeps its component, so that it can be
    /// loaded by digest from now on.
    ///
    /// # Errors
    /// Nothing of that name, bytes that can't be used, a store that can't be written.
    pub fn load(&self, reference: &str) -> Result<Plugin, PluginError> {
        let (origin, bytes) = self.find(reference)?;
        self.load_bytes(&origin, &bytes)
    }

    /// Loads these bytes, and keeps them.
    ///
    /// # Errors
    /// Bytes that can't be used, a store that can't be written.
    pub fn load_bytes(&self, origin: &str, bytes: &[u8]) -> Result<Plugin, PluginError> {
        let digest = Digest::of(bytes);
        let plugin = match self.loaded(digest) {
            Some(plugin) => plugin,
            None => self.engine.load(origin, bytes)?,
        };
        self.keep_description(&plugin);
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        self.keep(digest, bytes)?;
        loaded.retain(|_, plugin| plugin.get().is_some());
        loaded.insert(digest, plugin.downgrade());
        Ok(plugin)
    }

    /// The plugin of this component, where this process uses it just now.
    fn loaded(&self, digest: Digest) -> Option<Plugin> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).get(&digest)?.get()
    }

    /// Takes the component of a digest out of the store; whether it did. It stays where something in this process uses it.
    ///
    /// # Errors
    /// A file that can't be removed.
    pub fn forget(&self, digest: Digest) -> Result<bool, PluginError> {
        // Held until the files are gone, so that nobody begins to use what is about to go.
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.get(&digest).is_some_and(|plugin| plugin.get().is_some()) {
            return Ok(false);
        }
        for path in [self.component_path(digest), self.description_path(digest)] {
            match fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(PluginError::Io { action: "remove", path, source }),
            }
        }
        Ok(true)
    }

    /// The digest of the plugin of this name that ships.
    pub fn shipped(&self, name: &str) -> Option<Digest> {
        shipped::find(name).map(Digest::of)
    }

    /// Loads the component of a digest: what a run was made with, or a shipped one.
    ///
    /// # Errors
    /// Not in the store, or damaged there.
    pub fn load_digest(&self, digest: Digest) -> Result<Plugin, PluginError> {
        self.load(&digest.reference())
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
        self.bytes(&digest.reference())
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
        let mut listed = match self.shipped.get() {
            Some(shipped) => shipped.clone(),
            None => {
                let describe = |(name, bytes): &(&str, &[u8])| self.describe_bytes(name, bytes);
                let described = shipped::SHIPPED.iter().map(describe).collect::<Result<Vec<_>, _>>()?;
                let kept = described.iter().cloned().map(|plugin| Listed { described_now: false, ..plugin });
                self.shipped.get_or_init(|| kept.collect());
                described
            }
        };
        let shipped: Vec<_> = listed.iter().map(|plugin| plugin.digest).collect();
        for digest in self.stored() {
            if shipped.contains(&digest) {
                continue;
            }
            match self.describe(&digest.reference()) {
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
        if is_path(reference) {
            let path = Path::new(reference);
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Ok((name, self.read(path)?));
        }
        let not_found = |message: String| PluginError::NotFound { reference: printable(reference), message };
        if let Some(digest) = self.names.as_ref().map_or(Ok(None), |names| names(reference)).map_err(not_found)? {
            let (_, bytes) = self.find_digest(reference, &digest.to_string())?;
            return Ok((reference.to_owned(), bytes));
        }
        let names = || shipped::SHIPPED.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        shipped::find(reference).map(|bytes| (reference.to_owned(), bytes.to_vec())).ok_or_else(|| {
            not_found(format!(
                "{} ship with this binary; `telemill plugin list` shows those that are installed; others are named by the \
                 path of a .wasm file or by {BY_DIGEST} and a digest",
                if shipped::SHIPPED.is_empty() { "no plugins".to_owned() } else { names() }
            ))
        })
    }

    fn find_digest(&self, reference: &str, digest: &str) -> Result<(String, Vec<u8>), PluginError> {
        let not_found = |message: String| PluginError::NotFound { reference: printable(reference), message };
        let wanted = self.whole_digest(digest).map_err(not_found)?;
        let origin = format!("component {}", wanted.short());
        if let Some((_, bytes)) = shipped::SHIPPED.iter().find(|(_, bytes)| Digest::of(bytes) == wanted) {
            return Ok((origin, bytes.to_vec()));
        }
        let path = self.component_path(wanted);
        if !path.exists() {
            return Err(not_found(format!(
                "nothing in this data folder used it; {} lists what did",
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

    /// The digest that `text` says, or the one that ships or lies in the store and begins with it.
    fn whole_digest(&self, text: &str) -> Result<Digest, String> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if text.len() >= DIGEST_DIGITS || !digits {
            return text.parse();
        }
        let known = shipped::SHIPPED.iter().map(|(_, bytes)| Digest::of(bytes)).chain(self.stored());
        let fitting: BTreeSet<_> = known.filter(|digest| digest.to_string().starts_with(text)).collect();
        let mut fitting = fitting.into_iter();
        match (fitting.next(), fitting.next()) {
            (Some(digest), None) => Ok(digest),
            (None, _) => {
                Err("no component here has a digest that begins so; `telemill plugin list` shows those that do"
                    .to_owned())
            }
            (Some(one), Some(other)) => Err(format!(
                "several digests begin so, {} and {} among them; name one by more digits",
                one.short(),
                other.short()
            )),
        }
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
        let rejected = |reason| PluginError::Rejected { origin: printable(origin), reason };
        let imports = self.engine.inspect(bytes).map_err(rejected)?.imports;
        let digest = Digest::of(bytes);
        let shipped = shipped::SHIPPED.iter().any(|(_, shipped)| *shipped == bytes);
        let size_bytes = bytes.len() as u64;
        if let Some(Described { kind, descriptor, .. }) = self.described(digest) {
            return Ok(Listed { digest, kind, shipped, size_bytes, imports, described_now: false, descriptor });
        }
        let plugin = self.engine.load(origin, bytes)?;
        self.keep_description(&plugin);
        let (kind, descriptor) = (plugin.kind(), plugin.descriptor().clone());
        Ok(Listed { digest, kind, shipped, size_bytes, imports, described_now: true, descriptor })
    }

    fn described(&self, digest: Digest) -> Option<Described> {
        let text = fs::read(self.description_path(digest)).ok()?;
        let described: Described = serde_json::from_slice(&text).ok()?;
        (described.contract == CONTRACT_VERSION).then_some(described)
    }

    /// Only ever a convenience: a folder that can't be written costs time, not results.
    fn keep_description(&self, plugin: &Plugin) {
        let path = self.description_path(plugin.digest());
        if self.read_only || path.exists() && self.described(plugin.digest()).is_some() {
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
        if self.read_only || fs::metadata(&path).is_ok_and(|found| found.len() == bytes.len() as u64) {
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
/// Whether a plugin is named by the path of its file.
pub fn is_path(reference: &str) -> bool {
    reference.contains(['/', '\\']) || reference.ends_with(".wasm")
}
