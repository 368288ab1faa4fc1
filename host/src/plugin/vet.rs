//! What nobody has compiled yet is compiled, and asked to describe itself, in a process of its own first. Compiling can't be
//! cancelled within a process, and a component that is made to be hard to compile is outside what wasmtime promises: here
//! time and memory are bounded by the system, and a compiler that crashes takes nothing with it.

use super::engine::Engine;
use super::error::{Limit, PluginError, Rejection};
use super::limits::{Guards, Limits};
use super::wire::ErrorForm;
use crate::worker::{Bounds, Frame, Link, Process, Program, Said};
use serde::{Deserialize, Serialize};
use std::io;
use std::time::{Duration, Instant};

/// The word for this job on a worker's command line.
pub const JOB: &str = "compile";

/// Files that compiling opens: the pipes, the cache's, and what Rust's own library reads about the machine.
pub(super) const FILES: u64 = 32;
/// Machine code for a byte of a component, at most: some four for Rust and Python guests.
const CODE_FOR_A_BYTE: u64 = 64;
/// Machine code of the smallest components, at most.
const LEAST_CODE_BYTES: u64 = 16 << 20;
/// Calls that describing makes: an instance, and `describe`.
const CALLS: u32 = 2;

/// What the worker is asked; the component is the frame's blob.
#[derive(Serialize, Deserialize)]
struct Job {
    origin: String,
    limits: Limits,
    guards: Guards,
}

/// What it answers; machine code is the frame's blob.
#[derive(Serialize, Deserialize)]
enum Answer {
    Compiled,
    Refused(ErrorForm),
}

/// Machine code of a component of so many bytes, at most.
pub(super) fn code_bytes(component_bytes: usize) -> u64 {
    LEAST_CODE_BYTES + CODE_FOR_A_BYTE * component_bytes as u64
}

/// Machine code of a component, made and tried by a process of `program`.
///
/// # Errors
/// [`Rejection::CompileCost`] and [`Rejection::CompilerCrashed`] where the process did not come to its end, and what
/// loading it there failed with.
pub(super) fn compile(
    program: &Program,
    limits: &Limits,
    guards: Guards,
    origin: &str,
    bytes: &[u8],
) -> Result<Vec<u8>, PluginError> {
    let failed = |source: io::Error| PluginError::Worker { message: source.to_string() };
    let rejected = |reason| PluginError::Rejected { origin: origin.to_owned(), reason };
    let job = Job { origin: origin.to_owned(), limits: limits.clone(), guards };
    let frame = Frame::new(&job, vec![bytes.to_vec()]).map_err(failed)?;
    // wasmtime keeps the first content of memories in files that live in memory.
    let bounds = Bounds { data_bytes: limits.compile_bytes, files: FILES, file_bytes: limits.memory_bytes };
    let most_bytes = code_bytes(bytes.len());
    let started = Instant::now();
    let mut worker = Process::start(program, bounds, JOB, frame, most_bytes).map_err(failed)?;
    let allowed = Duration::from_millis(limits.compile_ms);
    // Its code runs under its own limit.
    let deadline = allowed + CALLS * Duration::from_millis(limits.call_ms);
    match worker.listen(deadline.saturating_sub(started.elapsed())).map_err(failed)? {
        Said::Frame(mut frame) => match (frame.head().map_err(failed)?, frame.blobs.pop()) {
            (Answer::Refused(form), _) => Err(form.into()),
            (Answer::Compiled, Some(code)) => Ok(code),
            (Answer::Compiled, None) => Err(failed(io::ErrorKind::UnexpectedEof.into())),
        },
        Said::Nothing => Err(rejected(Rejection::CompileCost { limit: Limit::CompileMs, allowed: limits.compile_ms })),
        Said::Ended(end) if end.out_of_memory() => {
            Err(rejected(Rejection::CompileCost { limit: Limit::CompileBytes, allowed: limits.compile_bytes }))
        }
        Said::Ended(end) => Err(rejected(Rejection::CompilerCrashed { message: end.to_string() })),
    }
}

/// The worker's side of [`compile`].
///
/// # Errors
/// No job of this kind, or nobody to answer to.
pub fn serve(link: &Link, mut job: Frame) -> io::Result<()> {
    let Job { origin, limits, guards } = job.head()?;
    let bytes = job.blobs.pop().unwrap_or_default();
    let engine = Engine::with_guards(limits, None, guards);
    match engine.and_then(|engine| engine.load(&origin, &bytes)?.machine_code()) {
        Ok(code) => link.say(&Answer::Compiled, vec![code]),
        Err(error) => link.say(&Answer::Refused(ErrorForm::from(&error)), Vec::new()),
    }
}
