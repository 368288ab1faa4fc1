//! Who runs the shards. Runs reach their workers through [`Workers`] alone, so that other machines can be some.

use super::apart;
use super::error::RunError;
use super::execute::Request;
use super::output::{Accept, Output};
use super::plan::Plan;
use super::shard::{Progress, Watch};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// Makes the shards of `plan`, each from where `before` says it was: on threads, or in processes that threads wait for.
///
/// # Errors
/// The first shard that fails.
pub(super) fn make_shards(
    plan: &Plan,
    request: &Request,
    before: &(dyn Fn(u32) -> Progress + Sync),
    output: &(impl Output + Accept),
    watch: &Watch<'_>,
) -> Result<(), RunError> {
    let partitions = plan.spec.spec().partitions;
    let making = plan.making();
    let pool = LocalWorkers::new(request.workers);
    let stop = || watch.stop();
    match &plan.processes {
        Some(processes) => {
            let shards = apart::Shards::new(plan, processes, output.destination())?;
            let work = |partition| shards.run(plan.shard(partition, partitions), before(partition), output, watch);
            pool.run(partitions, &work, &stop)
        }
        None => {
            let work = |partition| making.run(plan.shard(partition, partitions), before(partition), output, watch);
            pool.run(partitions, &work, &stop)
        }
    }
}

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
