//! A run of a spec, with some of its values changed.

use super::TaskError;
use crate::core::time::{Length, Timestamp};
use crate::plugin::log_to_tracing;
use crate::run::{self, Cancel, Changes, Existing, Host, Observer, Outcome, Plan, Request, RunSpec};
use crate::store::RunRecord;
use serde::Deserialize;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Which run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generate {
    /// A spec, or the name of a shipped scenario.
    pub spec: PathBuf,
    /// Another dataset than the spec's.
    #[serde(default)]
    pub dataset: Option<String>,
    /// Another seed.
    #[serde(default)]
    pub seed: Option<u64>,
    /// Another start.
    #[serde(default)]
    pub start: Option<Timestamp>,
    /// Another length.
    #[serde(default)]
    pub duration: Option<Length>,
    /// Another number of partitions.
    #[serde(default)]
    pub partitions: Option<u32>,
    /// Keys of plugins' configurations, as `PLUGIN.KEY=VALUE`.
    #[serde(default)]
    pub set: Vec<String>,
    /// What becomes of rows that the dataset has; as the spec says where it is left out.
    #[serde(default)]
    pub existing: Option<Existing>,
    /// Whether the spec's validators judge what was made.
    #[serde(default = "yes")]
    pub validate: bool,
    /// Threads; one for each core where it is left out.
    #[serde(default)]
    pub workers: Option<NonZeroUsize>,
}

fn yes() -> bool {
    true
}

impl Generate {
    /// The spec with its changes.
    ///
    /// # Errors
    /// There is no such spec, or a change that can't be made.
    pub fn spec(&self) -> Result<RunSpec, TaskError> {
        let mut spec = RunSpec::named(&self.spec)?;
        let Self { dataset, seed, start, duration, partitions, set, .. } = self.clone();
        spec.change(&Changes { dataset, seed, start, duration, partitions, sets: set })?;
        spec.existing = self.existing.unwrap_or(spec.existing);
        if !self.validate {
            spec.validators.clear();
        }
        Ok(spec)
    }

    /// Makes the run; `begun` learns its record before the first row is made.
    ///
    /// # Errors
    /// As [`Generate::spec`] and [`run::start`].
    pub fn run(
        &self,
        host: &Host,
        begun: &dyn Fn(&RunRecord, &Plan),
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<Outcome, TaskError> {
        let request = Request { workers: self.workers, log: log_to_tracing() };
        Ok(run::start(host, self.spec()?, &request, begun, observer, cancel)?)
    }
}
