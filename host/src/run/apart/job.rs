//! What crosses the pipes between a run and the workers of its shards.

use crate::batch::{GuestBatch, TableFingerprint};
use crate::core::incident::Incident;
use crate::core::printable::escaped;
use crate::core::problem::chain;
use crate::core::schema::Table;
use crate::core::time::Window;
use crate::plugin::{ErrorForm, Limits, LineForm, Shard};
use crate::run::error::RunError;
use crate::run::output::{Destination, FilesByTable};
use crate::run::plan::Configured;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io;
use std::path::PathBuf;

/// The instance that a worker is asked to begin with. The frame's blobs: the component, what [`pack`] made, and the saved
/// state.
#[derive(Serialize, Deserialize)]
pub(super) struct Opening {
    pub(super) origin: String,
    pub(super) config: Value,
    pub(super) shard: Shard,
    /// Whether there is a saved state.
    pub(super) saved: bool,
    pub(super) limits: Limits,
    pub(super) cache_dir: Option<PathBuf>,
}

impl Opening {
    /// An instance of `generator` for `shard`.
    ///
    /// # Errors
    /// The folder of compiled code can't be named for a process that stands elsewhere.
    pub(super) fn of(generator: &Configured, shard: Shard, saved: bool) -> io::Result<Self> {
        let plugin = &generator.plugin;
        Ok(Self {
            origin: plugin.id().name.clone(),
            config: generator.config.clone(),
            shard,
            saved,
            limits: plugin.limits().clone(),
            cache_dir: plugin.cache_dir().map(std::path::absolute).transpose()?,
        })
    }
}

/// What a worker is asked to make.
#[derive(Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) opening: Opening,
    pub(super) segments: Vec<Window>,
    /// Segments that are finished.
    pub(super) kept: usize,
    pub(super) step_us: u64,
    pub(super) tables: Vec<Table>,
    /// Where rows go; nowhere where they are only summed.
    pub(super) destination: Option<Destination>,
}

/// What a worker says.
#[derive(Serialize, Deserialize)]
pub(super) enum Word {
    /// Simulated time that is done and rows that were made, since the worker began.
    Progress { us: u64, rows: u64 },
    /// The guest logged something.
    Line(LineForm),
    /// A segment is complete; the state that was saved is the frame's blob.
    Segment { segment: usize, window: Window, saved: bool, fingerprints: Vec<TableFingerprint>, files: FilesByTable },
    /// The shard has failed, as it would anywhere.
    Failed { window: Option<Window>, failure: Failure },
}

#[derive(Serialize, Deserialize)]
pub(super) enum Failure {
    Plugin(ErrorForm),
    Other(String),
}

impl From<&RunError> for Failure {
    fn from(error: &RunError) -> Self {
        match error {
            RunError::Plugin(error) => Self::Plugin(ErrorForm::from(error)),
            other => Self::Other(chain(other)),
        }
    }
}

impl From<Failure> for RunError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Plugin(form) => Self::Plugin(form.into()),
            Failure::Other(message) => Self::Worker { message: escaped(&message) },
        }
    }
}

/// What an open instance in a process is asked.
#[derive(Serialize, Deserialize)]
pub(super) enum Ask {
    /// To know incidents; the blob is what [`pack`] made of them.
    Inject,
    /// For the rows of a window.
    Advance(Window),
    /// For its state.
    Save,
}

/// What it answers.
#[derive(Serialize, Deserialize)]
pub(super) enum Answer {
    /// The guest logged something; the answer follows.
    Line(LineForm),
    /// It is open, or knows.
    Done,
    /// Rows as the guest handed them over; the blob is what [`pack`] made of them.
    Rows,
    /// The state is the blob, where there is one.
    Saved,
    /// It has failed, as it would anywhere, and ends.
    Failed(Failure),
}

/// Incidents and rows as bytes: numbers keep every bit, and buffers their size.
pub(super) fn pack(incidents: &[Incident], rows: &[GuestBatch]) -> io::Result<Vec<u8>> {
    postcard::to_stdvec(&(incidents, rows)).map_err(io::Error::other)
}

/// What [`pack`] packed.
pub(super) fn unpack(bytes: &[u8]) -> io::Result<(Vec<Incident>, Vec<GuestBatch>)> {
    postcard::from_bytes(bytes).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::batch::{GuestColumn, GuestText, GuestValues};
    use crate::core::incident::{Effect, Operation, Role, Severity};
    use crate::core::time::Timestamp;

    #[test]
    fn incidents_and_rows_keep_every_bit() {
        let window = Window { start: Timestamp(-1), end: Timestamp(i64::MAX) };
        let effect = Effect {
            target: "t".into(),
            signal: "s".into(),
            operation: Operation::Offset,
            value: f64::from_bits(0x3fb9_9999_9999_999b),
            start: window.start,
            full: window.start,
            release: window.end,
            end: window.end,
        };
        let incident = Incident {
            id: "i".into(),
            kind: "k".into(),
            role: Role::Decoy,
            title: String::new(),
            severity: Severity::Low,
            cause: None,
            window,
            recovered: window.end,
            effects: vec![effect],
            attributes: Vec::new(),
        };
        let text = GuestText { offsets: vec![0; 8], bytes: vec![255] };
        let values = [
            GuestValues::Packed(vec![1, 2]),
            GuestValues::Float64s(vec![-0.0, f64::INFINITY]),
            GuestValues::Dictionary(vec![0; 4], text),
        ];
        let columns = values.map(|values| GuestColumn { values, validity: Some(vec![1]) }).into();
        let inputs = vec![GuestBatch { table: 1, rows: 1, columns }];
        let packed = pack(std::slice::from_ref(&incident), &inputs).unwrap();
        assert_eq!(unpack(&packed).unwrap(), (vec![incident], inputs));
    }
}
