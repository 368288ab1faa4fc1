//! From bytes to a plugin that can be called: the configuration of wasmtime, the checks before compiling, the cache of
//! compiled code, linking, and the plugin's own description. Knows nothing of where components are kept.

use super::bindings::{about, generator, host, incident_model, types, validator};
use super::cache::{self, CodeCache};
use super::config::ConfigSchema;
use super::convert;
use super::descriptor::{self, Descriptor};
use super::error::{PluginError, PluginId, Rejection};
use super::instance::{Instance, State, Used};
use super::limits::{Guards, Limits};
use super::log::{LogSink, log_to_tracing};
use super::ticker::Ticker;
use super::vet;
use super::world::{self, PluginKind};
use crate::core::digest::Digest;
use crate::core::printable::printable;
use crate::worker::Program;
use serde_json::Value;
use std::path::Path;
use std::sync::{Arc, Weak};
use wasmtime::Store;
use wasmtime::component::{self, Component, HasSelf, InstancePre, Linker};

/// Runs components under one set of limits. Cheap to clone; one a process is enough.
#[derive(Clone)]
pub struct Engine(Arc<EngineParts>);

struct EngineParts {
    engine: wasmtime::Engine,
    linker: Linker<State>,
    cache: Option<CodeCache>,
    /// Compiles what is not in the cache; without it, this process does.
    compiler: Option<Program>,
    limits: Limits,
    guards: Guards,
    /// Last, so that the clock stops after everything that needs it.
    _ticker: Ticker,
}

impl Engine {
    /// An engine that keeps compiled code in the folder `cache_dir`, or nowhere without one.
    ///
    /// A cache that can't be used is reported in the log and done without: components are compiled anew then.
    ///
    /// # Errors
    /// Limits that can't be used, or a machine that can't run WebAssembly.
    pub fn new(limits: Limits, cache_dir: Option<&Path>) -> Result<Self, PluginError> {
        Self::build(limits, cache_dir, None, Guards::ALL)
    }

    /// An engine that lets processes of `program` compile and try what is not in the cache, within the limits
    /// `compile_ms` and `compile_bytes`: for components that come from anybody.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_compiler(limits: Limits, cache_dir: Option<&Path>, program: Program) -> Result<Self, PluginError> {
        Self::build(limits, cache_dir, Some(program), Guards::ALL)
    }

    /// An engine without some of the guards: what benchmarks measure their price against.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_guards(limits: Limits, cache_dir: Option<&Path>, guards: Guards) -> Result<Self, PluginError> {
        Self::build(limits, cache_dir, None, guards)
    }

    fn build(
        limits: Limits,
        cache_dir: Option<&Path>,
        compiler: Option<Program>,
        guards: Guards,
    ) -> Result<Self, PluginError> {
        let problems = limits.problems();
        if !problems.is_empty() {
            return Err(PluginError::BadLimits { problems });
        }
        let broken = |error: wasmtime::Error| PluginError::Engine { message: format!("{error:#}") };
        let engine = wasmtime::Engine::new(&configuration(&limits, guards)).map_err(broken)?;
        let mut linker = Linker::new(&engine);
        host::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state).map_err(broken)?;
        types::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state).map_err(broken)?;
        let cache = cache_dir.and_then(|dir| match CodeCache::open(dir, &engine) {
            Ok(cache) => Some(cache),
            Err(error) => {
                tracing::warn!(path = %dir.display(), "compiled code is not kept: {error}");
                None
            }
        });
        let ticker = Ticker::start(&engine).map_err(|error| PluginError::Engine { message: error.to_string() })?;
        Ok(Self(Arc::new(EngineParts { engine, linker, cache, compiler, limits, guards, _ticker: ticker })))
    }

    /// The limits that plugins run under.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// The folder of compiled code; none where it is not kept.
    pub fn cache_dir(&self) -> Option<&Path> {
        self.0.cache.as_ref().map(CodeCache::dir)
    }

    /// The program whose processes compile for this engine; none where it compiles by itself.
    pub(super) fn compiler(&self) -> Option<&Program> {
        self.0.compiler.as_ref()
    }

    /// Makes a plugin of a component: checks its world and imports, compiles it (or takes the code from the cache),
    /// links it and asks it to describe itself. `origin` is what messages call it before it has a name.
    ///
    /// # Errors
    /// [`PluginError::Rejected`] where it can't be used; what a call can fail with where `describe` fails.
    pub fn load(&self, origin: &str, bytes: &[u8]) -> Result<Plugin, PluginError> {
        let rejected = |reason| PluginError::Rejected { origin: printable(origin), reason };
        let world = self.inspect(bytes).map_err(rejected)?;
        let kind = world.kind().map_err(rejected)?;
        let digest = Digest::of(bytes);
        let component = self.compile(&printable(origin), digest, bytes)?;
        let (pre, exports) = self.link(kind, &component).map_err(|error| rejected(invalid(&error)))?;
        let unnamed = Arc::new(PluginId { name: printable(origin), version: String::new() });
        let (mut instance, made) = self.instantiate(&pre, &unnamed, log_to_tracing())?;
        // Functions are there by name; whether they have the contract's types shows when they are looked up.
        let mistyped = |error: wasmtime::Error| rejected(invalid(&error));
        let about = instance.call("describe", |store| {
            Ok(exports.own.check(store, &made).and_then(|()| exports.about.load(&mut *store, &made)))
        })?;
        let about = about.map_err(mistyped)?;
        let raw = instance.take("describe", |store| about.telemill_plugin_about().call_describe(store))?;
        let (descriptor, schema) =
            descriptor::accept(raw).map_err(|problems| rejected(Rejection::BadDescriptor { problems }))?;
        let id = Arc::new(PluginId { name: descriptor.name.clone(), version: descriptor.version.clone() });
        let (engine, imports) = (self.clone(), world.imports);
        Ok(Plugin(Arc::new(PluginParts { engine, id, digest, imports, kind, descriptor, schema, pre, exports })))
    }

    /// Which kind of plugin a component is, told by its exports; nothing is compiled. `origin` is what messages call it.
    ///
    /// # Errors
    /// [`PluginError::Rejected`] where it is no component of the contract's worlds.
    pub fn kind_of(&self, origin: &str, bytes: &[u8]) -> Result<PluginKind, PluginError> {
        let kind = self.inspect(bytes).and_then(|world| world.kind());
        kind.map_err(|reason| PluginError::Rejected { origin: printable(origin), reason })
    }

    /// What can be known before compiling: size, format, imports.
    pub(super) fn inspect(&self, bytes: &[u8]) -> Result<world::World, Rejection> {
        let allowed = self.0.limits.component_bytes;
        if bytes.len() as u64 > allowed {
            return Err(Rejection::TooLarge { bytes: bytes.len() as u64, allowed });
        }
        let world = world::read(bytes)?;
        world.check_imports()?;
        Ok(world)
    }

    fn instantiate(
        &self,
        pre: &InstancePre<State>,
        plugin: &Arc<PluginId>,
        sink: LogSink,
    ) -> Result<(Instance, component::Instance), PluginError> {
        Instance::new(pre, plugin, &self.0.limits, self.0.guards, sink)
    }

    fn compile(&self, origin: &str, digest: Digest, bytes: &[u8]) -> Result<Component, PluginError> {
        let EngineParts { engine, cache, compiler, limits, guards, .. } = &*self.0;
        if let Some(component) = cache.as_ref().and_then(|cache| cache.load(engine, digest)) {
            return Ok(component);
        }
        let rejected =
            |error: wasmtime::Error| PluginError::Rejected { origin: origin.to_owned(), reason: invalid(&error) };
        // Seconds that nobody should wait through without a word.
        match cache {
            Some(_) => tracing::info!("compiling {origin}, once for this data folder"),
            None => tracing::info!("compiling {origin}"),
        }
        let (component, code) = match compiler {
            Some(program) => {
                let code = vet::compile(program, limits, *guards, origin, bytes)?;
                (cache::deserialize(engine, &code).map_err(rejected)?, code)
            }
            None => {
                let component = Component::from_binary(engine, bytes).map_err(rejected)?;
                let code = if cache.is_some() { component.serialize().map_err(rejected)? } else { Vec::new() };
                (component, code)
            }
        };
        if let Some(cache) = cache
            && let Err(error) = cache.store(digest, &code)
        {
            tracing::warn!(component = %digest.short(), "compiled code is not kept: {error}");
        }
        Ok(component)
    }

    fn link(&self, kind: PluginKind, component: &Component) -> wasmtime::Result<(InstancePre<State>, Exports)> {
        let pre = self.0.linker.instantiate_pre(component)?;
        let about = about::AboutOnlyIndices::new(&pre)?;
        let own = match kind {
            PluginKind::Generator => OwnExports::Generator(generator::GeneratorOnlyIndices::new(&pre)?),
            PluginKind::IncidentModel => {
                OwnExports::IncidentModel(incident_model::IncidentModelOnlyIndices::new(&pre)?)
            }
            PluginKind::Validator => OwnExports::Validator(validator::ValidatorOnlyIndices::new(&pre)?),
        };
        Ok((pre, Exports { about, own }))
    }
}

fn invalid(error: &wasmtime::Error) -> Rejection {
    Rejection::Invalid { message: printable(&format!("{error:#}")) }
}

/// Deterministic, interruptible and no larger than plugins need: what could make two machines disagree (NaN patterns,
/// relaxed SIMD, threads) is fixed or off, and so are proposals that no tool chain for plugins uses.
fn configuration(limits: &Limits, guards: Guards) -> wasmtime::Config {
    let mut config = wasmtime::Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .consume_fuel(guards.fuel)
        .epoch_interruption(guards.epochs)
        .cranelift_nan_canonicalization(guards.canonical_nans)
        .relaxed_simd_deterministic(true)
        .shared_memory(false)
        .wasm_memory64(false)
        .gc_support(false)
        .wasm_gc(false)
        .max_wasm_stack(usize::try_from(limits.stack_bytes).unwrap_or(usize::MAX));
    config
}

/// Where a component has the functions of the contract.
struct Exports {
    about: about::AboutOnlyIndices,
    own: OwnExports,
}

enum OwnExports {
    Generator(generator::GeneratorOnlyIndices),
    IncidentModel(incident_model::IncidentModelOnlyIndices),
    Validator(validator::ValidatorOnlyIndices),
}

impl OwnExports {
    fn check(&self, store: &mut Store<State>, made: &component::Instance) -> wasmtime::Result<()> {
        match self {
            Self::Generator(indices) => indices.load(&mut *store, made).map(drop),
            Self::IncidentModel(indices) => indices.load(&mut *store, made).map(drop),
            Self::Validator(indices) => indices.load(&mut *store, made).map(drop),
        }
    }
}

/// A component that is compiled, linked and described, ready for instances. Cheap to clone.
#[derive(Clone)]
pub struct Plugin(Arc<PluginParts>);

/// A plugin that goes when nobody uses it any more.
pub(super) struct LoadedPlugin(Weak<PluginParts>);

impl LoadedPlugin {
    /// The plugin, where somebody uses it still.
    pub(super) fn get(&self) -> Option<Plugin> {
        self.0.upgrade().map(Plugin)
    }
}

struct PluginParts {
    engine: Engine,
    id: Arc<PluginId>,
    digest: Digest,
    imports: Vec<String>,
    kind: PluginKind,
    descriptor: Descriptor,
    schema: ConfigSchema,
    pre: InstancePre<State>,
    exports: Exports,
}

impl Plugin {
    /// Name and version.
    pub fn id(&self) -> &Arc<PluginId> {
        &self.0.id
    }

    /// The digest of the component's bytes.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// Names of what it imports.
    pub fn imports(&self) -> &[String] {
        &self.0.imports
    }

    /// The limits that its instances run under.
    pub fn limits(&self) -> &Limits {
        self.0.engine.limits()
    }

    /// The folder of its compiled code; none where it is not kept.
    pub fn cache_dir(&self) -> Option<&Path> {
        self.0.engine.cache_dir()
    }

    /// What it does.
    pub fn kind(&self) -> PluginKind {
        self.0.kind
    }

    /// What it says of itself.
    pub fn descriptor(&self) -> &Descriptor {
        &self.0.descriptor
    }

    /// The configuration with the schema's defaults filled in, checked against the schema and then by the plugin's own
    /// `check`. An empty object means all defaults.
    ///
    /// # Errors
    /// [`PluginError::InvalidConfig`] with a JSON Pointer for every problem.
    pub fn check_config(&self, config: &Value) -> Result<Value, PluginError> {
        self.checked_config(config).map(|(effective, _)| effective)
    }

    /// The same, with what the plugin's own `check` took.
    pub(super) fn checked_config(&self, config: &Value) -> Result<(Value, Used), PluginError> {
        let invalid = |problems| PluginError::InvalidConfig { plugin: Arc::clone(self.id()), problems };
        let effective = self.0.schema.effective(config).map_err(invalid)?;
        let (mut instance, made) = self.instantiate(log_to_tracing())?;
        let about = instance.call("check", |store| self.0.exports.about.load(&mut *store, &made))?;
        let text = effective.to_string();
        let problems = instance.take("check", |store| about.telemill_plugin_about().call_check(store, &text))?;
        if problems.is_empty() {
            Ok((effective, instance.used().unwrap_or_default()))
        } else {
            Err(invalid(convert::problems_from(problems)))
        }
    }

    pub(super) fn downgrade(&self) -> LoadedPlugin {
        LoadedPlugin(Arc::downgrade(&self.0))
    }

    pub(super) fn instantiate(&self, sink: LogSink) -> Result<(Instance, component::Instance), PluginError> {
        self.0.engine.instantiate(&self.0.pre, &self.0.id, sink)
    }

    /// Its machine code, for an engine of the same configuration.
    pub(super) fn machine_code(&self) -> Result<Vec<u8>, PluginError> {
        let failed = |error: wasmtime::Error| PluginError::Engine { message: format!("{error:#}") };
        self.0.pre.component().serialize().map_err(failed)
    }

    pub(super) fn generator_exports(&self) -> Result<&generator::GeneratorOnlyIndices, PluginError> {
        match &self.0.exports.own {
            OwnExports::Generator(indices) => Ok(indices),
            _ => Err(self.wrong_kind(PluginKind::Generator)),
        }
    }

    pub(super) fn incident_model_exports(&self) -> Result<&incident_model::IncidentModelOnlyIndices, PluginError> {
        match &self.0.exports.own {
            OwnExports::IncidentModel(indices) => Ok(indices),
            _ => Err(self.wrong_kind(PluginKind::IncidentModel)),
        }
    }

    pub(super) fn validator_exports(&self) -> Result<&validator::ValidatorOnlyIndices, PluginError> {
        match &self.0.exports.own {
            OwnExports::Validator(indices) => Ok(indices),
            _ => Err(self.wrong_kind(PluginKind::Validator)),
        }
    }

    /// Refuses a plugin that is used as what it is not.
    ///
    /// # Errors
    /// [`PluginError::WrongKind`].
    pub fn expect_kind(&self, wanted: PluginKind) -> Result<(), PluginError> {
        if self.kind() == wanted { Ok(()) } else { Err(self.wrong_kind(wanted)) }
    }

    fn wrong_kind(&self, wanted: PluginKind) -> PluginError {
        PluginError::WrongKind { plugin: Arc::clone(self.id()), is: self.kind(), wanted }
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({})", self.kind(), self.id(), self.digest().short())
    }
}
