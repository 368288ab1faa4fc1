//! What can go wrong with a plugin, told apart by what the caller does next: mend the input, choose another component,
//! report to the plugin's author, raise a limit.

use super::world::{CONTRACT_VERSION, PluginKind};
use crate::batch::BadBatch;
use crate::core::problem::{self, Problem};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Which plugin an error or a line of its log is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PluginId {
    /// Its name; where it has not described itself yet, the digest of its component.
    pub name: String,
    /// Its version; empty where it has not described itself yet.
    pub version: String,
}

impl fmt::Display for PluginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.version.is_empty() { f.write_str(&self.name) } else { write!(f, "{} {}", self.name, self.version) }
    }
}

/// A limit of [`super::Limits`], or one of the fixed ones that stand in `limits.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Memories of an instance, summed, in bytes.
    MemoryBytes,
    /// Wall time of a call, in milliseconds.
    CallMs,
    /// Instructions of a call.
    CallFuel,
    /// Bytes that one call may make the host allocate for what it is handed.
    HostBytes,
    /// Native stack of a call, in bytes.
    StackBytes,
    /// Lines that a call may log.
    LogLines,
    /// Bytes that a call may log.
    LogBytes,
    /// Bytes that a call may return.
    OutputBytes,
    /// Core instances of a component; fixed.
    Instances,
    /// Tables of an instance; fixed.
    Tables,
    /// Elements of all tables of an instance; fixed.
    TableElements,
    /// Memories of an instance; fixed.
    Memories,
    /// Handles of an instance; fixed.
    Handles,
    /// Wall time of compiling a component, in milliseconds.
    CompileMs,
    /// Memory of compiling a component, in bytes.
    CompileBytes,
}

impl Limit {
    /// The limit's key in the settings; the fixed ones have a name only.
    pub fn key(self) -> &'static str {
        match self {
            Self::MemoryBytes => "memory_bytes",
            Self::CallMs => "call_ms",
            Self::CallFuel => "call_fuel",
            Self::HostBytes => "host_bytes",
            Self::StackBytes => "stack_bytes",
            Self::LogLines => "log_lines",
            Self::LogBytes => "log_bytes",
            Self::OutputBytes => "output_bytes",
            Self::Instances => "instances",
            Self::Tables => "tables",
            Self::TableElements => "table_elements",
            Self::Memories => "memories",
            Self::Handles => "handles",
            Self::CompileMs => "compile_ms",
            Self::CompileBytes => "compile_bytes",
        }
    }
}

/// Limits whose values stand in `limits.rs`, and in no settings.
const FIXED: [Limit; 5] = [Limit::Instances, Limit::Tables, Limit::TableElements, Limit::Memories, Limit::Handles];

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// Why bytes can't be used as a plugin at all, found before any of their code runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Rejection {
    /// More bytes than the setting `component_bytes` allows.
    #[error("it has {bytes} bytes, more than the limit component_bytes = {allowed}")]
    TooLarge {
        /// Bytes of the file.
        bytes: u64,
        /// The limit.
        allowed: u64,
    },
    /// No WebAssembly in it.
    #[error("it is no WebAssembly: it does not start with \\0asm")]
    NotWasm,
    /// A core module, which knows nothing of interfaces.
    #[error(
        "it is a core module, not a component; link with wasm-component-ld, or run `wasm-tools component new` on it"
    )]
    CoreModule,
    /// A cut or damaged file.
    #[error("it is damaged at byte {offset}: {message}")]
    Malformed {
        /// Where.
        offset: u64,
        /// What the parser says.
        message: String,
    },
    /// Imports of something that is not the contract's.
    #[error("it imports {}, which no plugin may; a plugin imports nothing but telemill:plugin/*", .names.join(", "))]
    ForeignImports {
        /// Names of the imports.
        names: Vec<String>,
    },
    /// Imports or exports of another version of the contract.
    #[error("it is made for {names}, and this host speaks telemill:plugin {ours}", names = .names.join(", "))]
    OtherContract {
        /// Names of the interfaces.
        names: Vec<String>,
        /// The version of this host.
        #[serde(skip, default = "our_version")]
        ours: &'static str,
    },
    /// None of the three worlds, or more than one.
    #[error("it is none of the three worlds: {message}")]
    NoWorld {
        /// What is missing or too much.
        message: String,
    },
    /// The interfaces have the right names and the wrong types, or the code is invalid.
    #[error("it can't be compiled and linked: {message}")]
    Invalid {
        /// What the compiler says.
        message: String,
    },
    /// Compiling it takes more than the settings allow.
    #[error("compiling it takes more than the limit {limit} = {allowed}")]
    CompileCost {
        /// Time or memory.
        limit: Limit,
        /// Its value.
        allowed: u64,
    },
    /// It crashes the compiler: report the component to Telemill's authors.
    #[error("it can't be compiled: {message}")]
    CompilerCrashed {
        /// How the process that compiled it ended.
        message: String,
    },
    /// It describes itself in a way that can't be used.
    #[error("its descriptor can't be used: {}", problem::join(.problems))]
    BadDescriptor {
        /// What is wrong.
        problems: Vec<Problem>,
    },
}

/// Anything that goes wrong with plugins.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// Mend or rebuild the component.
    #[error("{origin} can't be used as a plugin: {reason}")]
    Rejected {
        /// Where the component came from: a file's name, a plugin's name, a digest.
        origin: String,
        /// Why.
        reason: Rejection,
    },
    /// A limit ended the call, and the instance with it. Raise it in the settings, or report to the plugin's author.
    #[error("plugin {plugin}: {call} went over the limit {limit} = {allowed}{}", used_suffix(*.used))]
    OverLimit {
        /// Which plugin.
        plugin: Arc<PluginId>,
        /// The function of the contract that was called.
        call: &'static str,
        /// Which limit.
        limit: Limit,
        /// Its value.
        allowed: u64,
        /// What was asked for, where that is known.
        used: Option<u64>,
    },
    /// The component's code crashed; the instance is gone. Report to the plugin's author.
    #[error("plugin {plugin}: {call} crashed: {message}")]
    Crashed {
        /// Which plugin.
        plugin: Arc<PluginId>,
        /// The function of the contract that was called.
        call: &'static str,
        /// The panic's message where one was logged, else the kind of trap; then what the call had logged.
        message: String,
    },
    /// The plugin says that it can't go on.
    #[error("plugin {plugin}: {call} failed: {message}")]
    Failed {
        /// Which plugin.
        plugin: Arc<PluginId>,
        /// The function of the contract that was called.
        call: &'static str,
        /// The plugin's own words.
        message: String,
    },
    /// Mend the configuration.
    #[error("the configuration of plugin {plugin} can't be used: {}", problem::join(.problems))]
    InvalidConfig {
        /// Which plugin.
        plugin: Arc<PluginId>,
        /// What is wrong and where, as JSON Pointers.
        problems: Vec<Problem>,
    },
    /// A saved state that this version of the plugin can't read: open afresh.
    #[error("plugin {plugin} can't go on from this saved state; it was made by another version")]
    UnsupportedState {
        /// Which plugin.
        plugin: Arc<PluginId>,
    },
    /// It returned something that breaks the contract. Report to the plugin's author.
    #[error("plugin {plugin}: {call} broke the contract: {}", problem::join(.problems))]
    BrokenContract {
        /// Which plugin.
        plugin: Arc<PluginId>,
        /// The function of the contract that was called.
        call: &'static str,
        /// What is wrong with what it returned.
        problems: Vec<Problem>,
    },
    /// It returned rows that break the contract. Report to the plugin's author.
    #[error("plugin {plugin}: {call} returned rows that can't be used: {source}")]
    BadRows {
        /// Which plugin.
        plugin: Arc<PluginId>,
        /// The function of the contract that was called.
        call: &'static str,
        /// Which table and column, and what is wrong.
        source: BadBatch,
    },
    /// A call to an instance that an earlier error ended.
    #[error("plugin {plugin}: {call} was called on an instance that had already ended with an error")]
    Dead {
        /// Which plugin.
        plugin: Arc<PluginId>,
        /// The function of the contract that was called.
        call: &'static str,
    },
    /// A plugin used as what it is not.
    #[error("plugin {plugin} is of kind {is}, and a plugin of kind {wanted} is needed here")]
    WrongKind {
        /// Which plugin.
        plugin: Arc<PluginId>,
        /// What it is.
        is: PluginKind,
        /// What was asked for.
        wanted: PluginKind,
    },
    /// Nothing of that name, path or digest.
    #[error("there is no plugin {reference:?}: {message}")]
    NotFound {
        /// The reference as given.
        reference: String,
        /// What there is instead, and where to look.
        message: String,
    },
    /// A file that can't be read or written.
    #[error("can't {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Settings that can't be used.
    #[error("the plugins' limits can't be used: {}", problem::join(.problems))]
    BadLimits {
        /// Which, and why.
        problems: Vec<Problem>,
    },
    /// A process of this program that worked for a plugin could not be started, or ended before its work.
    #[error("a worker process failed: {message}")]
    Worker {
        /// How.
        message: String,
    },
    /// The machine can't run components; a fault of the host.
    #[error("can't start the WebAssembly engine: {message}")]
    Engine {
        /// What the engine says.
        message: String,
    },
}

impl PluginError {
    /// The limit of the settings that was in the way, and could be raised.
    pub fn limit(&self) -> Option<Limit> {
        let limit = match self {
            Self::OverLimit { limit, .. } | Self::Rejected { reason: Rejection::CompileCost { limit, .. }, .. } => {
                *limit
            }
            _ => return None,
        };
        (!FIXED.contains(&limit)).then_some(limit)
    }
}

fn our_version() -> &'static str {
    CONTRACT_VERSION
}

fn used_suffix(used: Option<u64>) -> String {
    used.map(|used| format!(" (asked for {used})")).unwrap_or_default()
}
