//! Runs: from a spec to rows that become visible in one commit, judged, and provably the same when made again.
//!
//! A run is planned ([`Plan`]), cut into shards that are pure functions of spec and components, written segment by
//! segment into staged files, and committed at once. It knows neither command line nor HTTP.

mod apart;
mod changes;
mod error;
mod execute;
mod incidents;
mod inputs;
mod judge;
mod kept;
mod named;
mod open;
mod output;
mod plan;
mod preview;
mod shard;
mod spec;
mod supervisor;
mod truth;
mod verify;
mod windows;
mod workers;

pub use crate::core::cancel::Cancel;
pub use apart::{JOB, OPEN_JOB, answer, serve};
pub use changes::Changes;
pub use error::RunError;
pub use execute::{Host, Outcome, Request, now, random, refuse_existing, resume, start, versions};
pub use incidents::{IncidentModels, MAX_INCIDENTS};
pub use inputs::ReadInput;
pub use judge::{Judged, Judgement, judge};
pub use open::OpenShard;
pub use plan::{Configured, Plan};
pub use preview::{is_stateless, preview, preview_each, stream};
pub use shard::{Observer, Unobserved};
pub use spec::{Existing, Isolation, PlacedIncident, PluginUse, ResolvedSpec, RunSpec, SpecError};
pub use supervisor::{MAX_ACTIVE_RUNS, Progress, Supervisor};
pub use truth::{PlannedIncident, effect_rows, effects_layout, incident_rows, incidents_layout};
pub use verify::{TableVerdict, Verification, verify, verify_lake};
pub use windows::Windows;
