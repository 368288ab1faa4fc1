//! A worker's own side: its bounds, its job, and what it says.

use super::{Bounds, Frame};
use serde::Serialize;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// How a worker ends when the process that started it is gone.
const ORPHANED: i32 = 3;

/// The pipes to the process that started this worker.
pub struct Link {
    out: Mutex<io::Stdout>,
    asked: Mutex<Receiver<Frame>>,
}

impl Link {
    /// Bounds this process as its arguments say, and reads its job. From here on the process ends with its standard input.
    ///
    /// # Errors
    /// Arguments that no [`super::Process`] makes, bounds that can't be set, or no job.
    pub fn open(args: &[OsString]) -> io::Result<(Self, Frame)> {
        let misused = || io::Error::new(io::ErrorKind::InvalidInput, "telemill starts its workers itself");
        Bounds::from_args(args).ok_or_else(misused)?.apply()?;
        let input = io::stdin();
        // The process that started this one is trusted, and what it sends is bounded by the worker's memory.
        let job = Frame::read(&mut input.lock(), u64::MAX)?.ok_or_else(misused)?;
        // Nobody asks twice before there is an answer, so the thread is never kept from seeing the other side's end.
        let (sender, asked) = mpsc::sync_channel(1);
        thread::Builder::new().name("worker-leash".into()).spawn(move || {
            while let Ok(Some(frame)) = Frame::read(&mut input.lock(), u64::MAX) {
                // A job that asks for nothing more hears nothing.
                drop(sender.send(frame));
            }
            std::process::exit(ORPHANED);
        })?;
        Ok((Self { out: Mutex::new(io::stdout()), asked: Mutex::new(asked) }, job))
    }

    /// Waits for what is asked next. Where nothing is, the process ends.
    ///
    /// # Errors
    /// It is ending.
    pub fn hear(&self) -> io::Result<Frame> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.recv().map_err(|_| io::ErrorKind::UnexpectedEof.into())
    }

    /// Says something; waits while the other side does not read.
    ///
    /// # Errors
    /// The other side is gone.
    pub fn say(&self, head: &impl Serialize, blobs: Vec<Vec<u8>>) -> io::Result<()> {
        let frame = Frame::new(head, blobs)?;
        let out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffered = io::BufWriter::new(out.lock());
        frame.write(&mut buffered)?;
        buffered.flush()
    }
}
