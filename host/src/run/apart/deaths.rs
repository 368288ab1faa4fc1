//! How often a worker may die over the same work.

use crate::run::error::RunError;
use crate::worker::End;

/// Attempts in a row that come to nothing; then the shard has failed.
const FUTILE_ATTEMPTS: u32 = 3;

/// Attempts that came to nothing, since one came to something.
#[derive(Debug, Default)]
pub(super) struct Deaths(u32);

impl Deaths {
    /// Work was finished: what died before is forgiven.
    pub(super) fn forget(&mut self) {
        self.0 = 0;
    }

    /// Counts a worker that ended as `end` and had `data_bytes` of memory.
    ///
    /// # Errors
    /// Another attempt would be as futile.
    pub(super) fn count(&mut self, end: &End, data_bytes: u64) -> Result<(), RunError> {
        self.0 += 1;
        let died = |message| Err(RunError::Worker { message });
        // The same work would take the same memory again.
        if end.out_of_memory() {
            return died(format!("{end}; it may use {data_bytes} bytes of memory"));
        }
        if self.0 >= FUTILE_ATTEMPTS { died(format!("{end}, as did {} before it", self.0 - 1)) } else { Ok(()) }
    }
}
