//! The same once more in a process of its own: what another process makes of the same component, configuration, seed and
//! inputs is what this one made, bit by bit.

use super::meter::Meter;
use super::{Config, Record, generator, incident_model, text, validator};
use crate::batch::GuestBatch;
use crate::core::printable::printable;
use crate::core::schema::{Table, Target};
use crate::core::time::Window;
use crate::plugin::engine::Engine;
use crate::plugin::generator::Shard;
use crate::plugin::limits::Limits;
use crate::plugin::vet;
use crate::worker::{Bounds, Frame, Link, Process, Program, Said};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// The word for this job on a worker's command line.
pub const JOB: &str = "check";

/// What a worker says at most: the incidents of a week, or a report.
const MOST_BYTES: u64 = 64 << 20;

/// What is made again.
#[derive(Serialize, Deserialize)]
pub(super) enum Again {
    /// Rows of a generator in `window`, from calls of at most `call_us`; the answer is a fingerprint for each table.
    Rows { shard: Shard, window: Window, call_us: u64 },
    /// Incidents of all days of `span`.
    Incidents { seed: u64, span: Window, targets: Vec<Target> },
    /// The report of the batches that are given, in their order.
    Report { tables: Vec<Table>, window: Window },
}

/// The frame's blobs: the component, and the batches.
#[derive(Serialize, Deserialize)]
struct Job {
    origin: String,
    config: Value,
    limits: Limits,
    cache_dir: Option<PathBuf>,
    again: Again,
}

/// What was made is the frame's blob.
#[derive(Serialize, Deserialize)]
enum Answer {
    Made,
    Failed(String),
}

/// A component, and the processes that it can be tried in.
pub(super) struct Elsewhere<'a> {
    program: &'a Program,
    origin: &'a str,
    component: &'a [u8],
    limits: &'a Limits,
    cache_dir: Option<PathBuf>,
}

impl<'a> Elsewhere<'a> {
    /// None where the engine starts no processes.
    pub(super) fn of(engine: &'a Engine, origin: &'a str, component: &'a [u8]) -> Option<Self> {
        let cache_dir = engine.cache_dir().and_then(|dir| std::path::absolute(dir).ok());
        engine.compiler().map(|program| Self { program, origin, component, limits: engine.limits(), cache_dir })
    }

    /// What a process of its own makes, in at most `within`.
    fn make(&self, config: &Config, again: Again, given: &[GuestBatch], within: Duration) -> Result<Vec<u8>, String> {
        let given = packed(&given)?;
        let bounds = Bounds {
            data_bytes: self.limits.process_bytes(self.component.len(), given.len()),
            files: vet::FILES,
            // Files that live in memory, for the first content of the guest's, and the cache's where it is written again.
            file_bytes: self.limits.memory_bytes.max(vet::code_bytes(self.component.len())),
        };
        let job = Job {
            origin: self.origin.to_owned(),
            config: config.effective.clone(),
            limits: self.limits.clone(),
            cache_dir: self.cache_dir.clone(),
            again,
        };
        let frame = Frame::new(&job, vec![self.component.to_vec(), given]).map_err(text)?;
        let mut worker = Process::start(self.program, bounds, JOB, frame, MOST_BYTES).map_err(text)?;
        match worker.listen(within).map_err(text)? {
            Said::Frame(mut frame) => match (frame.head().map_err(text)?, frame.blobs.pop()) {
                (Answer::Failed(message), _) => Err(format!("in another process it failed: {}", printable(&message))),
                (Answer::Made, Some(made)) => Ok(made),
                (Answer::Made, None) => Err("the worker process has made nothing".to_owned()),
            },
            Said::Nothing => Err(format!("another process needed more than the {} s that were left", within.as_secs())),
            Said::Ended(end) => Err(end.to_string()),
        }
    }
}

/// Lets a process of its own make the same of a configuration; `same` says what it sees in that, or what is wrong.
pub(super) fn check(
    record: &mut Record,
    law: &str,
    elsewhere: Option<&Elsewhere<'_>>,
    config: &Config,
    (again, given): (Again, &[GuestBatch]),
    same: impl FnOnce(&[u8]) -> Result<String, String>,
) {
    let Some(elsewhere) = elsewhere else {
        record.skip(law, "no processes are started here");
        return;
    };
    let within = record.left();
    record.make(law, || Ok((same(&elsewhere.make(config, again, given, within)?)?, ())));
}

/// What crosses the pipe: equal values are equal bytes.
pub(super) fn packed(value: &impl Serialize) -> Result<Vec<u8>, String> {
    postcard::to_stdvec(value).map_err(text)
}

/// What [`packed`] packed.
pub(super) fn unpacked<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    postcard::from_bytes(bytes).map_err(text)
}

/// The worker's side.
///
/// # Errors
/// No job of this kind, or nobody to answer to.
pub fn serve(link: &Link, mut frame: Frame) -> io::Result<()> {
    let job: Job = frame.head()?;
    let mut blob = || frame.blobs.pop().ok_or(io::ErrorKind::UnexpectedEof);
    let (given, component) = (blob()?, blob()?);
    match made(job, &component, &given) {
        Ok(bytes) => link.say(&Answer::Made, vec![bytes]),
        Err(message) => link.say(&Answer::Failed(message), Vec::new()),
    }
}

fn made(job: Job, component: &[u8], given: &[u8]) -> Result<Vec<u8>, String> {
    let Job { origin, config, limits, cache_dir, again } = job;
    let engine = Engine::new(limits, cache_dir.as_deref()).map_err(text)?;
    let plugin = engine.load(&origin, component).map_err(text)?;
    let meter = Meter::default();
    match again {
        Again::Rows { shard, window, call_us } => {
            packed(&generator::fingerprints(&plugin, &config, (shard, window, call_us), &meter).map_err(text)?)
        }
        Again::Incidents { seed, span, targets } => {
            let days = span.days().collect();
            packed(&incident_model::planned(&plugin, &config, (seed, span, &targets), days, &meter).map_err(text)?)
        }
        Again::Report { tables, window } => {
            let batches: Vec<GuestBatch> = unpacked(given)?;
            packed(&validator::judged(&plugin, &config, (&tables, window), |_| Ok(batches), &meter)?)
        }
    }
}
