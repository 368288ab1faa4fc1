//! The instant that is collected: the wall clock's, one that is named, or a simulated one that goes on from call to call.

use crate::core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Microseconds of a minute.
const MINUTE_US: i64 = 60_000_000;

/// Which instant is collected.
#[derive(Debug, Clone)]
pub struct Clock {
    /// The instant, or where a simulated clock begins; the wall clock's where there is none.
    pub current: Option<Timestamp>,
    /// How far a simulated clock goes on with each call.
    pub simulate_minutes: Option<u32>,
    /// The file that keeps a simulated clock.
    pub state_file: PathBuf,
}

/// Why there is no instant.
#[derive(Debug, thiserror::Error)]
#[error("the simulated clock {} can't be used: {reason}", path.display())]
pub struct ClockError {
    /// The file.
    path: PathBuf,
    /// Why.
    reason: String,
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct State {
    /// The instant that was collected last.
    current_time: Timestamp,
}

impl Clock {
    /// The instant to collect on the wall clock's `now`: of a simulated clock the one after that which [`Clock::keep`] kept.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn at(&self, now: Timestamp) -> Result<Timestamp, ClockError> {
        let begin = self.current.unwrap_or(now);
        let Some(minutes) = self.simulate_minutes else { return Ok(begin) };
        let text = match std::fs::read(&self.state_file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(begin),
            Err(error) => return Err(self.unusable(&error)),
        };
        let state: State = serde_json::from_slice(&text).map_err(|error| self.unusable(&error))?;
        // A time that is named begins anew.
        Ok(self.current.unwrap_or_else(|| state.current_time.plus_us(i64::from(minutes) * MINUTE_US)))
    }

    /// Keeps that `at` was collected, where the clock is simulated.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn keep(&self, at: Timestamp) -> Result<(), ClockError> {
        if self.simulate_minutes.is_none() {
            return Ok(());
        }
        let text = serde_json::to_vec(&State { current_time: at }).map_err(|error| self.unusable(&error))?;
        let staged = self.state_file.with_extension("part");
        let folder = self.state_file.parent().filter(|folder| *folder != Path::new(""));
        folder
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&staged, text))
            .and_then(|()| std::fs::rename(&staged, &self.state_file))
            .map_err(|error| self.unusable(&error))
    }

    fn unusable(&self, reason: &dyn std::fmt::Display) -> ClockError {
        ClockError { path: self.state_file.clone(), reason: reason.to_string() }
    }
}

/// `20261109_142500`, for the name of a file.
pub(super) fn stamp(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.strftime("%Y%m%d_%H%M%S").to_string()
}
