//! The runtime: loads WebAssembly components, holds them to the contract and to limits, and calls them.
//!
//! wasmtime's types stay inside this module; what leaves it are the records of `core` and the columns of `batch`.
//! It knows nothing of runs, lakes or schedules. Calls are synchronous and meant for threads of their own.
//!
//! A component's way: [`Registry`] finds its bytes, [`Engine::load`] checks the world, compiles (or takes compiled code
//! from the cache) and asks it to describe itself, which makes a [`Plugin`]; what is not in the cache is tried first by a
//! worker process ([`vet`]); each [`Generator`], [`IncidentModel`] and
//! [`Validator`] that is made of it is an instance with a memory and limits of its own.

mod bindings;
mod cache;
pub mod check;
mod config;
mod convert;
mod descriptor;
mod engine;
mod error;
mod fault;
mod files;
mod generator;
mod handed;
mod incident_model;
mod instance;
mod limits;
mod log;
mod registry;
mod shipped;
mod ticker;
mod validator;
pub mod vet;
mod wire;
mod world;

pub use descriptor::{Descriptor, Example};
pub use engine::{Engine, Plugin};
pub use error::{Limit, PluginError, PluginId, Rejection};
pub use generator::{Generator, Shard};
pub use incident_model::{IncidentKind, IncidentModel};
pub use limits::{Guards, Limits};
pub use log::{LogLevel, LogLine, LogSink, log_nowhere, log_to_tracing};
pub use registry::{Listed, Names, Registry, is_path};
pub use shipped::{TextError, is_shipped, named_text, profiles, recipes, routes, scenario, scenarios, shipped_text};
pub use validator::{Selection, Validator};
pub use wire::{ErrorForm, LineForm};
pub use world::{CONTRACT_VERSION, PluginKind};
