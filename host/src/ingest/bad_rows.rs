//! Rows that can't be taken in: the first are kept, all are counted.

use super::{IngestError, LISTED_BAD_ROWS};
use crate::core::problem::Problem;

/// Longest message kept: a bad value may be as long as a line.
const MAX_MESSAGE_CHARS: usize = 300;

/// Bad rows so far.
#[derive(Debug, Default)]
pub(super) struct BadRows {
    total: u64,
    first: Vec<Problem>,
}

impl BadRows {
    /// Adds the row at `place`, such as `line 7`.
    pub(super) fn add(&mut self, place: String, message: &str) {
        self.total += 1;
        if self.first.len() < LISTED_BAD_ROWS {
            self.first.push(Problem::new(place, message.chars().take(MAX_MESSAGE_CHARS).collect::<String>()));
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The error, where there are some.
    pub(super) fn check(self, file: String) -> Result<(), IngestError> {
        if self.is_empty() { Ok(()) } else { Err(IngestError::BadRows { file, total: self.total, first: self.first }) }
    }
}
