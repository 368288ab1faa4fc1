//! `telemill worker`: what this program starts itself as, to do one job in a process of its own. No command for people.

use crate::plugin::{check, vet};
use crate::run;
use crate::worker::{COMMAND, Link};
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

/// The arguments of a worker: its job, and its bounds. None where the program is started as anything else.
pub(super) fn job(args: &[OsString]) -> Option<&[OsString]> {
    match args {
        [_, command, job @ ..] if command == COMMAND => Some(job),
        _ => None,
    }
}

/// Does the job.
pub(super) fn run(job: &[OsString]) -> ExitCode {
    match serve(job) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn serve(args: &[OsString]) -> io::Result<()> {
    let (job, bounds) = args.split_first().map_or((None, args), |(job, bounds)| (job.to_str(), bounds));
    let (link, frame) = Link::open(bounds)?;
    match job {
        Some(vet::JOB) => vet::serve(&link, frame),
        Some(check::JOB) => check::serve(&link, frame),
        Some(run::JOB) => run::serve(link, frame),
        Some(run::OPEN_JOB) => run::answer(link, frame),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no such job")),
    }
}
