//! The worker's side of an open instance: it is asked for one thing after another, and answers.

use super::begin::{Begun, telling};
use super::broken;
use super::job::{Answer, Ask, Failure, Opening, pack, unpack};
use crate::plugin::Generator;
use crate::run::error::RunError;
use crate::worker::{Frame, Link};
use std::io;
use std::sync::Arc;

/// Opens the instance that `job` asks for and answers until nobody asks any more, which ends the process, or until it fails.
///
/// # Errors
/// No job of this kind, or nobody to answer to.
pub fn answer(link: Link, job: Frame) -> io::Result<()> {
    let link = Arc::new(link);
    let failed = |error: &RunError| link.say(&Answer::Failed(Failure::from(error)), Vec::new());
    let mut generator = match open(&link, job) {
        Ok(generator) => generator,
        Err(error) => return failed(&error),
    };
    link.say(&Answer::Done, Vec::new())?;
    loop {
        match found(&mut generator, link.hear()?) {
            Ok((answer, blob)) => link.say(&answer, blob.into_iter().collect())?,
            // Of no use after that.
            Err(error) => return failed(&error),
        }
    }
}

fn open(link: &Arc<Link>, job: Frame) -> Result<Generator, RunError> {
    let opening: Opening = job.head().map_err(broken)?;
    let mut begun = Begun::new(opening, job.blobs, telling(link, Answer::Line))?;
    let state = begun.state.take();
    begun.beginning().begin(begun.shard, state)
}

fn found(generator: &mut Generator, mut ask: Frame) -> Result<(Answer, Option<Vec<u8>>), RunError> {
    Ok(match ask.head().map_err(broken)? {
        Ask::Inject => {
            let (incidents, _) = unpack(&ask.blobs.pop().unwrap_or_default()).map_err(broken)?;
            generator.inject(&incidents)?;
            (Answer::Done, None)
        }
        Ask::Advance(window) => {
            let rows = generator.advance(window)?;
            (Answer::Rows, Some(pack(&[], &rows).map_err(broken)?))
        }
        Ask::Save => (Answer::Saved, generator.save()?),
    })
}
