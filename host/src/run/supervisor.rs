//! Runs under way in this process: each on a thread of its own, watched, cancelled and joined by id.

use super::error::RunError;
use super::execute::{self, Host, Outcome, Request};
use super::plan::Plan;
use super::shard::Observer;
use super::spec::RunSpec;
use crate::core::cancel::Cancel;
use crate::core::id::RunId;
use crate::core::problem::chain;
use crate::store::{RunRecord, RunState};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::watch;

/// Most runs at once: each uses all cores by itself, so more would only share them and their memory.
pub const MAX_ACTIVE_RUNS: usize = 4;

/// What is said of a run that somebody else has begun.
const UNDER_WAY: &str = "it is under way here already";

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Progress {
    /// The run.
    pub id: RunId,
    /// Its state.
    pub state: RunState,
    /// Simulated time that is done, summed over partitions, in microseconds.
    pub done_us: u64,
    /// Simulated time in all, summed over partitions, in microseconds.
    pub total_us: u64,
    /// Rows made since it started or went on.
    pub rows: u64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Starts runs and knows those that are under way.
pub struct Supervisor {
    host: Arc<Host>,
    active: Mutex<BTreeMap<RunId, Active>>,
    places: Arc<Mutex<Places>>,
}

/// Who is at work, from being asked on: nothing of a run may be looked at twice at once, not even whether it can go on.
#[derive(Debug, Default)]
struct Places {
    taken: usize,
    resumed: BTreeSet<RunId>,
}

/// A place among the runs, and that of one run where it is known already. It is free again when this is dropped.
#[derive(Debug)]
struct Place {
    places: Arc<Mutex<Places>>,
    resumed: Option<RunId>,
}

impl Place {
    fn take(places: &Arc<Mutex<Places>>, work: &Work) -> Result<Self, RunError> {
        let resumed = match work {
            Work::Start(_) => None,
            Work::Resume(id) => Some(id.clone()),
        };
        let mut all = lock(places);
        if let Some(id) = resumed.clone().filter(|id| all.resumed.contains(id)) {
            return Err(RunError::State { id, state: RunState::Running, message: UNDER_WAY });
        }
        if all.taken >= MAX_ACTIVE_RUNS {
            return Err(RunError::Busy { active: all.taken });
        }
        all.taken += 1;
        all.resumed.extend(resumed.clone());
        Ok(Self { places: Arc::clone(places), resumed })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = lock(&self.places);
        all.taken -= 1;
        if let Some(id) = &self.resumed {
            all.resumed.remove(id);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Active {
    cancel: Arc<Cancel>,
    progress: watch::Receiver<Progress>,
    thread: Option<JoinHandle<()>>,
}

/// Publishes how far one run is.
struct Watched(watch::Sender<Progress>);

impl Observer for Watched {
    fn progress(&self, done_us: u64, rows: u64) {
        self.0.send_modify(|progress| (progress.done_us, progress.rows) = (done_us, rows));
    }
}

/// What a run is made from.
enum Work {
    Start(Box<RunSpec>),
    Resume(RunId),
}

impl Supervisor {
    /// Knows of no run yet.
    pub fn new(host: Arc<Host>) -> Self {
        Self { host, active: Mutex::default(), places: Arc::default() }
    }

    /// Starts a run; returns when it is recorded, before its first row.
    ///
    /// # Errors
    /// Too many are under way, and what [`super::start`] finds before it makes rows.
    pub fn start(self: &Arc<Self>, spec: RunSpec, request: Request) -> Result<RunRecord, RunError> {
        self.begin(Work::Start(Box::new(spec)), request)
    }

    /// Goes on with a run that is not finished, or not judged by all its validators; returns when it has begun.
    ///
    /// # Errors
    /// It is under way already, too many are, and what [`super::resume`] finds before it makes rows.
    pub fn resume(self: &Arc<Self>, id: RunId, request: Request) -> Result<RunRecord, RunError> {
        if self.lock().contains_key(&id) {
            return Err(RunError::State { id, state: RunState::Running, message: UNDER_WAY });
        }
        self.begin(Work::Resume(id), request)
    }

    /// Asks a run to stop; it does so between two calls into its plugins, and can be resumed.
    ///
    /// # Errors
    /// It is not under way in this process.
    pub fn cancel(&self, id: &RunId) -> Result<(), RunError> {
        match self.lock().get(id) {
            Some(active) => {
                active.cancel.cancel();
                Ok(())
            }
            None => {
                let record = self.host.runtime.block_on(self.host.store.run(id))?;
                Err(RunError::State { id: record.id, state: record.state, message: "it is not under way here" })
            }
        }
    }

    /// How far a run is, now and from now on; none where it is not under way in this process.
    pub fn watch(&self, id: &RunId) -> Option<watch::Receiver<Progress>> {
        self.lock().get(id).map(|active| active.progress.clone())
    }

    /// How many are under way.
    pub fn active(&self) -> usize {
        self.lock().len()
    }

    /// Asks all to stop and waits until they have.
    pub fn shut_down(&self) {
        let threads: Vec<_> = {
            let mut active = self.lock();
            active.values().for_each(|run| run.cancel.cancel());
            active.values_mut().filter_map(|run| run.thread.take()).collect()
        };
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("the thread of a run panicked");
            }
        }
    }

    fn begin(self: &Arc<Self>, work: Work, request: Request) -> Result<RunRecord, RunError> {
        let place = Place::take(&self.places, &work)?;
        // One message: either the record of the run that has begun, or why it has not.
        let (sender, receiver) = sync_channel(1);
        let supervisor = Arc::clone(self);
        let thread = std::thread::Builder::new().name("run".to_owned());
        let spawned = thread.spawn(move || {
            // Until all is over, verdicts included.
            let _place = place;
            supervisor.make(work, &request, &sender);
        });
        let thread = spawned.map_err(RunError::Thread)?;
        let record = receiver.recv().map_err(|_| RunError::Cancelled)??;
        if let Some(active) = self.lock().get_mut(&record.id) {
            active.thread = Some(thread);
        }
        Ok(record)
    }

    fn make(&self, work: Work, request: &Request, told: &SyncSender<Result<RunRecord, RunError>>) {
        let cancel = Arc::new(Cancel::default());
        let (sender, _) = watch::channel(Progress {
            id: RunId::new(0, 0),
            state: RunState::Planned,
            done_us: 0,
            total_us: 0,
            rows: 0,
            error: None,
        });
        let watched = Watched(sender);
        let begun = |record: &RunRecord, plan: &Plan| {
            let total_us = plan.spec.window().length_us() * u64::from(plan.spec.spec().partitions);
            watched.0.send_modify(|progress| {
                (progress.id, progress.state, progress.total_us) = (record.id.clone(), RunState::Running, total_us);
            });
            let active = Active { cancel: Arc::clone(&cancel), progress: watched.0.subscribe(), thread: None };
            self.lock().insert(record.id.clone(), active);
            // The record as it is from now on; whoever asked may have gone.
            drop(told.send(Ok(RunRecord { state: RunState::Running, ..record.clone() })));
        };
        let made = match work {
            Work::Start(spec) => execute::start(&self.host, *spec, request, &begun, &watched, &cancel),
            Work::Resume(id) => execute::resume(&self.host, Some(&id), request, &begun, &watched, &cancel),
        };
        let id = watched.0.borrow().id.clone();
        let was_begun = self.lock().remove(&id).is_some();
        watched.0.send_modify(|progress| (progress.state, progress.error) = end(&made));
        if let Err(error) = made {
            if was_begun {
                tracing::warn!(run.id = %id, "the run ended: {}", chain(&error));
            } else {
                drop(told.send(Err(error)));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RunId, Active>> {
        lock(&self.active)
    }
}

/// How a run ended, for those who watch it.
fn end(made: &Result<Outcome, RunError>) -> (RunState, Option<String>) {
    match made {
        Ok(_) => (RunState::Finished, None),
        Err(RunError::Cancelled) => (RunState::Cancelled, None),
        Err(error) => (RunState::Failed, Some(chain(error))),
    }
}
