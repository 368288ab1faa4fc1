//! The time of day, as the scheduler sees it.

use crate::core::time::{Length, Timestamp};
use crate::run::{self, Cancel};
use std::time::{Duration, Instant};

/// How often a sleeper looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Tells the time and lets it pass.
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// Lets `length` pass, or less where somebody sets `cancel`.
    fn sleep(&self, length: Length, cancel: &Cancel);
}

/// The machine's clock, which people and time servers set forward and back.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        run::now()
    }

    fn sleep(&self, length: Length, cancel: &Cancel) {
        let (begun, length) = (Instant::now(), Duration::from_micros(length.us()));
        while !cancel.is_cancelled() {
            match length.checked_sub(begun.elapsed()) {
                Some(left) if !left.is_zero() => std::thread::sleep(left.min(LOOK)),
                _ => return,
            }
        }
    }
}
