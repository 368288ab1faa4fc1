//! What a Telemill plugin in Rust needs, so that its author writes a model and no plumbing.
//!
//! A plugin implements one trait ([`Generator`], [`IncidentModel`] or [`Validator`]) and names its type in one
//! macro ([`export_generator!`], [`export_incident_model!`], [`export_validator!`]). Everything else is plain Rust:
//! the types here know nothing of WASM, so a plugin's logic compiles, runs and is tested natively, with
//! [`native`] in the place of the host. Only `glue` (conversions) and `bindings` (generated) exist on WASM alone.
//!
//! | for | see |
//! |---|---|
//! | time, windows, local time | [`time`] |
//! | tables, signals, targets | [`mod@schema`], [`table!`](crate::table) |
//! | rows out | [`mod@column`], [`Output`] |
//! | rows in | [`Batch`] |
//! | seeded randomness | [`Stream`], [`Process`], [`Weighted`] |
//! | incidents | [`incident`], [`Effects`], [`Marks`] |
//! | demand, noise, queues, states | [`profile`], [`demand`], [`noise`], [`queue`], [`chain`] |
//! | draws that cost little in the sandbox | [`mod@quantile`], [`mod@whole`] |

pub mod batch;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;
pub mod chain;
pub mod column;
pub mod config;
pub mod demand;
pub mod distinct;
pub mod effects;
pub mod error;
#[doc(hidden)]
pub mod glue;
pub mod incident;
mod log;
pub mod marks;
pub mod native;
pub mod noise;
pub mod output;
pub mod plugin;
pub mod profile;
pub mod quantile;
pub mod queue;
pub mod random;
pub mod range;
pub mod report;
pub mod schema;
pub mod session;
mod table;
pub mod time;
pub mod weighted;
pub mod whole;

pub use batch::{Batch, Column};
pub use column::{
    BoolColumn, DateColumn, DictionaryColumn, F32Column, F64Column, I32Column, I64Column, Nullable, TextColumn,
    TimestampColumn,
};
pub use effects::{Bent, Blame, Effects, Phase};
pub use error::{Error, Problem};
pub use incident::{Effect, Incident, Kind, Operation, Role, Severity};
pub use log::{Level, log};
pub use marks::Marks;
pub use output::{Output, Rows};
pub use plugin::{About, Example, Generator, IncidentModel, Shard, Validator};
pub use random::{Process, Steps, Stream, hash};
pub use report::{Finding, Metric, Report, Selection};
pub use schema::{Attribute, DataType, Field, Input, Signal, Simulation, Table, TableKind, Target};
pub use time::{Clock, Timestamp, Window, Zone};
pub use weighted::Weighted;

pub use rand;
pub use rand_distr;
