//! Work that blocks: on threads beside the runtime's own, few at a time, with a short queue in front.

use super::Shared;
use super::error::Problem;
use crate::run::{Cancel, Host};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Requests that are worked on at once: SQLite has four readers and one writer, and there are few cores.
const AT_ONCE: usize = 16;
/// Requests that wait for one of these: with milliseconds each, the last waits for less than a second.
const WAITING: usize = 256;

/// Queries, exports and previews at once: each may take `query.memory_bytes`, and one is enough for few cores.
const QUERIES: usize = 8;
/// How long one of them waits for its turn: long enough for a picture's worth of short ones, and not for people to notice.
const TURN_WAIT: Duration = Duration::from_millis(250);

/// Bounds how much blocking work is under way.
pub(super) struct Work {
    slots: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    queries: Arc<Semaphore>,
}

/// A turn among the queries, held until the last row is with the client.
#[derive(Debug)]
pub(super) struct Turn {
    _slot: OwnedSemaphorePermit,
}

/// A turn among the queries.
///
/// # Errors
/// None is free, and none became free while it could be waited for.
pub(super) async fn turn(services: &Shared) -> Result<Turn, Problem> {
    match timeout(TURN_WAIT, Arc::clone(&services.work.queries).acquire_owned()).await {
        Ok(Ok(slot)) => Ok(Turn { _slot: slot }),
        Ok(Err(_)) | Err(_) => Err(Problem::overloaded()),
    }
}

impl Default for Work {
    fn default() -> Self {
        let of = |slots| Arc::new(Semaphore::new(slots));
        Self { slots: of(AT_ONCE), queue: of(AT_ONCE + WAITING), queries: of(QUERIES) }
    }
}

/// Cancels work when its handler is dropped: nobody waits for it any more.
#[derive(Default)]
pub(super) struct CancelOnDrop(Arc<Cancel>);

impl CancelOnDrop {
    /// What the work looks at.
    pub(super) fn cancel(&self) -> Arc<Cancel> {
        Arc::clone(&self.0)
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Calls `f` with the host on a thread that may block.
///
/// # Errors
/// Those of `f`, and too much work under way already.
pub(super) async fn blocking<T, E, F>(services: &Shared, f: F) -> Result<T, Problem>
where
    T: Send + 'static,
    E: Into<Problem> + Send + 'static,
    F: FnOnce(&Host) -> Result<T, E> + Send + 'static,
{
    let _queued = Arc::clone(&services.work.queue).try_acquire_owned().map_err(|_| Problem::overloaded())?;
    let slot = Arc::clone(&services.work.slots).acquire_owned().await.map_err(|_| Problem::overloaded())?;
    let host = Arc::clone(&services.host);
    let done = tokio::task::spawn_blocking(move || {
        // Held by the work itself: a client that goes away does not end it.
        let _slot = slot;
        f(&host).map_err(Into::into)
    });
    done.await.map_err(|error| Problem::internal(&error))?
}

/// As [`blocking`], with all rows that were acknowledged in the lake: for what reads or changes whole datasets.
///
/// # Errors
/// Those of `f`, and a lake that can't be written.
pub(super) async fn settled<T, E, F>(services: &Shared, f: F) -> Result<T, Problem>
where
    T: Send + 'static,
    E: Into<Problem> + Send + 'static,
    F: FnOnce(&Host) -> Result<T, E> + Send + 'static,
{
    let log = Arc::clone(&services.log);
    let call = move |host: &Host| -> Result<T, Problem> {
        log.move_now()?;
        f(host).map_err(Into::into)
    };
    blocking(services, call).await
}
