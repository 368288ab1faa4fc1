//! How far a shard is whose workers may die: what is finished is kept, and the rest of what a dead one had made is no progress.

use crate::core::time::Window;
use crate::run::shard::{Progress, Watch};

/// How far a shard is.
pub(super) struct Standing {
    pub(super) progress: Progress,
    /// Rows of the segments that this process has seen finished.
    finished_rows: u64,
    /// As many, when the worker began that is at work.
    before_worker: u64,
    /// Simulated time and rows of which the run's observer was told.
    told: (u64, u64),
}

impl Standing {
    /// After what earlier processes have finished.
    pub(super) fn new(progress: Progress) -> Self {
        Self { progress, finished_rows: 0, before_worker: 0, told: (0, 0) }
    }

    /// The worker has come to `us` of the shard's simulated time, and has made so many rows since it began.
    pub(super) fn heard(&mut self, us: u64, rows: u64, watch: &Watch<'_>) {
        let come_to = (us.max(self.told.0), (self.before_worker + rows).max(self.told.1));
        watch.done(come_to.0 - self.told.0, come_to.1 - self.told.1);
        self.told = come_to;
    }

    /// The next segment is finished: its rows are kept, and what it saved.
    pub(super) fn finished(&mut self, rows: u64, state: Option<Vec<u8>>) {
        self.finished_rows += rows;
        self.progress = Progress { segments: self.progress.segments + 1, state };
    }

    /// The worker is gone, and another begins after the last of `segments` that is finished.
    pub(super) fn fall_back(&mut self, segments: &[Window], watch: &Watch<'_>) {
        let kept_us = segments.iter().take(self.progress.segments).map(Window::length_us).sum::<u64>();
        let kept = (kept_us.min(self.told.0), self.finished_rows.min(self.told.1));
        watch.undone(self.told.0 - kept.0, self.told.1 - kept.1);
        (self.told, self.before_worker) = (kept, self.finished_rows);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::core::cancel::Cancel;
    use crate::core::time::Timestamp;
    use crate::run::shard::Observer;
    use std::sync::Mutex;

    struct Seen(Mutex<(u64, u64)>);

    impl Observer for Seen {
        fn progress(&self, done_us: u64, rows: u64) {
            *self.0.lock().unwrap() = (done_us, rows);
        }
    }

    /// Three segments of ten microseconds; the first has 100 rows, the second 60, the third 50.
    #[test]
    fn what_a_dead_worker_had_made_is_progress_once_it_is_made_again() {
        let (seen, cancel) = (Seen(Mutex::default()), Cancel::default());
        let watch = Watch::new(&seen, &cancel);
        let told = || *seen.0.lock().unwrap();
        let segments: Vec<Window> = Window::from_start(Timestamp(0), 30).pieces(10).collect();
        let mut at = Standing::new(Progress::default());
        at.heard(10, 100, &watch);
        at.finished(100, None);
        at.heard(15, 140, &watch);
        assert_eq!(told(), (15, 140), "rows of a finished segment are counted once");
        at.fall_back(&segments, &watch);
        assert_eq!(told(), (10, 100), "what is kept");
        // The next one says of what is kept that it is done, and counts its own rows.
        at.heard(10, 0, &watch);
        assert_eq!(told(), (10, 100));
        at.heard(15, 40, &watch);
        at.heard(20, 60, &watch);
        at.finished(60, None);
        at.fall_back(&segments, &watch);
        assert_eq!(told(), (20, 160), "one that dies between segments takes nothing with it");
        at.heard(30, 50, &watch);
        at.finished(50, None);
        assert_eq!(told(), (30, 210));
    }

    #[test]
    fn what_an_earlier_process_has_finished_is_time_without_rows() {
        let (seen, cancel) = (Seen(Mutex::default()), Cancel::default());
        let watch = Watch::new(&seen, &cancel);
        let segments: Vec<Window> = Window::from_start(Timestamp(0), 30).pieces(10).collect();
        let mut at = Standing::new(Progress { segments: 2, state: None });
        at.fall_back(&segments, &watch);
        assert_eq!(*seen.0.lock().unwrap(), (0, 0), "a worker that dies before it says a word");
        at.heard(20, 0, &watch);
        at.heard(30, 50, &watch);
        assert_eq!(*seen.0.lock().unwrap(), (30, 50));
    }
}
