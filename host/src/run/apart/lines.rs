//! How much of a log comes out of one worker.

use super::lie;
use crate::plugin::{Limits, LineForm, LogSink};
use crate::run::error::RunError;

/// Instances that one worker makes, at most, for each of which its own bound holds.
const INSTANCES: u64 = 2;

/// Lines that a worker may still pass on. It counts them itself; one that does not fills no disk either.
pub(super) struct Lines {
    left: u64,
}

impl Lines {
    /// What the instances of one worker may log.
    pub(super) fn of(limits: &Limits) -> Self {
        Self { left: limits.instance_log_lines().saturating_mul(INSTANCES) }
    }

    /// Hands a line to `log`.
    ///
    /// # Errors
    /// There are more than any instance logs.
    pub(super) fn pass_on(&mut self, line: &LineForm, log: &LogSink) -> Result<(), RunError> {
        self.left = self.left.checked_sub(1).ok_or_else(|| lie("more lines of a log than an instance may have"))?;
        line.pass_on(log);
        Ok(())
    }
}
