//! A worker's own side: its bounds, its job, and what it says.

use super::{Bounds, Frame};
use serde::Serialize;
use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// How a worker ends when the process that started it is gone.
const ORPHANED: i32 = 3;

/// The pipes to the process that started this worker.
pub struct Link {
    out: Mutex<io::Stdout>,
}

impl Link {
    /// Bounds this process as its arguments say, and reads its job. From here on the process ends with its standard input.
    ///
    /// # Errors
    /// Arguments that no [`super::Process`] makes, bounds that can't be set, or no job.
    pub fn open(args: &[OsString]) -> io::Result<(Self, Frame)> {
        let misused = || io::Error::new(io::ErrorKind::InvalidInput, "telemill starts its workers itself");
        Bounds::from_args(args).ok_or_else(misused)?.apply()?;
        let mut input = io::stdin();
        // The process that started this one is trusted, and what it sends is bounded by the worker's memory.
        let job = Frame::read(&mut input.lock(), u64::MAX)?.ok_or_else(misused)?;
        thread::Builder::new().name("worker-leash".into()).spawn(move || {
            // Nothing more is sent: reading ends when the other side does.
            drop(input.read(&mut [0]));
            std::process::exit(ORPHANED);
        })?;
        Ok((Self { out: Mutex::new(io::stdout()) }, job))
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
