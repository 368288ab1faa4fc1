//! The wish that something under way should end.

use std::sync::atomic::{AtomicBool, Ordering};

/// Set by whoever wants a run, a task or a try to stop; looked at between two windows or batches.
#[derive(Debug, Default)]
pub struct Cancel(AtomicBool);

impl Cancel {
    /// Asks to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
