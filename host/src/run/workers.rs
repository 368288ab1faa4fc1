//! Who runs the shards. Runs reach their workers through [`Workers`] alone, so that other machines can be some.

use super::error::RunError;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// Runs work for every partition of a run, in any order and anywhere.
pub(super) trait Workers {
    /// Calls `work` once for each of `0..partitions`; the first error ends it, and `stop` tells the rest.
    fn run(
        &self,
        partitions: u32,
        work: &(dyn Fn(u32) -> Result<(), RunError> + Sync),
        stop: &(dyn Fn() + Sync),
    ) -> Result<(), RunError>;
}

/// Threads of this process.
pub(super) struct LocalWorkers {
    threads: usize,
}

impl LocalWorkers {
    /// As many threads as asked for, or one for each core.
    pub(super) fn new(threads: Option<NonZeroUsize>) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self { threads: threads.map_or_else(cores, NonZeroUsize::get) }
    }
}

impl Workers for LocalWorkers {
    fn run(
        &self,
        partitions: u32,
        work: &(dyn Fn(u32) -> Result<(), RunError> + Sync),
        stop: &(dyn Fn() + Sync),
    ) -> Result<(), RunError> {
        let next = AtomicU32::new(0);
        let failure = Mutex::new(None);
        let threads = self.threads.min(partitions as usize).max(1);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let partition = next.fetch_add(1, Ordering::Relaxed);
                        if partition >= partitions {
                            return;
                        }
                        if let Err(error) = work(partition) {
                            stop();
                            // A shard that ended because another failed says nothing new.
                            let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                            if failure.is_none() || matches!(*failure, Some(RunError::Cancelled)) {
                                *failure = Some(error);
                            }
                            return;
                        }
                    }
                });
            }
        });
        failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }
}
