//! A bounded number of threads for any number of tasks, each of which runs when it is due. A task never runs twice at a
//! time; those that are due earliest go first.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

/// Work that comes up again and again.
pub(super) trait Task: Send + Sync {
    /// Does what is due; says when to come again, if at all.
    fn run(&self) -> Option<Instant>;
}

/// The threads and what they wait for.
pub(super) struct Pool {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    due: BTreeSet<(Instant, u64)>,
    tasks: BTreeMap<u64, Entry>,
    next_id: u64,
    ended: bool,
}

struct Entry {
    task: Arc<dyn Task>,
    /// When it is due; none while it runs or waits to be woken.
    due: Option<Instant>,
    running: bool,
    /// Woken while it ran.
    again: Option<Instant>,
}

/// A task of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TaskId(u64);

impl Pool {
    /// Starts `threads` threads called `name`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(name: &str, threads: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { queue: Mutex::default(), wake: Condvar::new() });
        let mut handles = Vec::new();
        for number in 0..threads.max(1) {
            let shared = Arc::clone(&shared);
            let builder = std::thread::Builder::new().name(format!("{name}-{number}"));
            handles.push(builder.spawn(move || shared.work())?);
        }
        Ok(Self { shared, threads: Mutex::new(handles) })
    }

    /// Takes over a task that is due at once.
    pub(super) fn add(&self, task: Arc<dyn Task>) -> TaskId {
        let mut queue = self.shared.lock();
        queue.next_id += 1;
        let id = queue.next_id;
        queue.tasks.insert(id, Entry { task, due: None, running: false, again: None });
        queue.schedule(id, Instant::now());
        self.shared.wake.notify_one();
        TaskId(id)
    }

    /// A task is due now, whatever it said before.
    pub(super) fn wake(&self, id: TaskId) {
        self.shared.lock().schedule(id.0, Instant::now());
        self.shared.wake.notify_one();
    }

    /// Lets go of a task; one that runs ends by itself.
    pub(super) fn remove(&self, id: TaskId) {
        let mut queue = self.shared.lock();
        if let Some(due) = queue.tasks.remove(&id.0).and_then(|entry| entry.due) {
            queue.due.remove(&(due, id.0));
        }
    }

    /// Ends the threads once the tasks that run have returned; nothing starts any more.
    pub(super) fn end(&self) {
        self.shared.lock().ended = true;
        self.shared.wake.notify_all();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A thread outlives every panic of a task, so that there is nothing to be told.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut queue = self.lock();
        while !queue.ended {
            let Some(&(due, id)) = queue.due.first() else {
                queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let now = Instant::now();
            if due > now {
                queue = self.wake.wait_timeout(queue, due - now).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            queue.due.remove(&(due, id));
            let Some(entry) = queue.tasks.get_mut(&id) else { continue };
            (entry.due, entry.running) = (None, true);
            let task = Arc::clone(&entry.task);
            // Another thread waits for the next one.
            self.wake.notify_one();
            drop(queue);
            let next = catch_unwind(AssertUnwindSafe(|| task.run())).unwrap_or_else(|_| {
                tracing::error!("a task of the streams panicked and is not run again: this is a fault of telemill");
                None
            });
            drop(task);
            queue = self.lock();
            let again = queue.tasks.get_mut(&id).and_then(|entry| {
                entry.running = false;
                entry.again.take()
            });
            if let Some(at) = [next, again].into_iter().flatten().min() {
                queue.schedule(id, at);
            }
        }
    }
}

impl Queue {
    fn schedule(&mut self, id: u64, at: Instant) {
        let Some(entry) = self.tasks.get_mut(&id) else { return };
        if entry.running {
            entry.again = Some(entry.again.map_or(at, |again| again.min(at)));
            return;
        }
        if let Some(due) = entry.due.replace(at) {
            self.due.remove(&(due, id));
        }
        self.due.insert((at, id));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    struct Counted {
        runs: AtomicU32,
        busy: AtomicBool,
        done: Mutex<mpsc::Sender<()>>,
        times: u32,
    }

    impl Task for Counted {
        fn run(&self) -> Option<Instant> {
            assert!(!self.busy.swap(true, Ordering::SeqCst), "it ran twice at a time");
            let runs = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
            self.busy.store(false, Ordering::SeqCst);
            if runs == self.times {
                self.done.lock().unwrap().send(()).unwrap();
                return None;
            }
            Some(Instant::now() + Duration::from_micros(100))
        }
    }

    #[test]
    fn many_tasks_share_two_threads_and_each_comes_again() {
        let pool = Pool::start("test", 2).unwrap();
        let (sender, receiver) = mpsc::channel();
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let done = Mutex::new(sender.clone());
                Arc::new(Counted { runs: AtomicU32::new(0), busy: AtomicBool::new(false), done, times: 20 })
            })
            .collect();
        let ids: Vec<_> = tasks.iter().map(|task| pool.add(Arc::clone(task) as Arc<dyn Task>)).collect();
        ids.iter().for_each(|id| pool.wake(*id));
        for _ in &tasks {
            receiver.recv_timeout(Duration::from_secs(60)).unwrap();
        }
        pool.end();
        assert!(tasks.iter().all(|task| task.runs.load(Ordering::SeqCst) >= 20));
    }

    #[test]
    fn a_task_that_was_let_go_does_not_come_again() {
        let pool = Pool::start("test", 1).unwrap();
        let (sender, receiver) = mpsc::channel();
        let task = || {
            let done = Mutex::new(sender.clone());
            Arc::new(Counted { runs: AtomicU32::new(0), busy: AtomicBool::new(false), done, times: u32::MAX })
        };
        let (gone, kept) = (task(), task());
        let id = pool.add(Arc::clone(&gone) as Arc<dyn Task>);
        pool.remove(id);
        pool.wake(id);
        // It may have been at work just then, and no longer once another was.
        pool.add(Arc::clone(&kept) as Arc<dyn Task>);
        while kept.runs.load(Ordering::SeqCst) < 3 {
            std::thread::yield_now();
        }
        let runs = gone.runs.load(Ordering::SeqCst);
        while kept.runs.load(Ordering::SeqCst) < 10 {
            std::thread::yield_now();
        }
        pool.end();
        assert_eq!(gone.runs.load(Ordering::SeqCst), runs);
        assert!(receiver.try_recv().is_err());
    }

    struct Panics(Mutex<mpsc::Sender<()>>);

    impl Task for Panics {
        fn run(&self) -> Option<Instant> {
            self.0.lock().unwrap().send(()).unwrap();
            panic!("on purpose");
        }
    }

    #[test]
    fn a_task_that_panics_does_not_take_its_thread_with_it() {
        let pool = Pool::start("test", 1).unwrap();
        let (sender, receiver) = mpsc::channel();
        for _ in 0..2 {
            pool.add(Arc::new(Panics(Mutex::new(sender.clone()))));
        }
        for _ in 0..2 {
            receiver.recv_timeout(Duration::from_secs(60)).unwrap();
        }
        pool.end();
    }
}
