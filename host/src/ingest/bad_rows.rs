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
    /// Whether they are left out, and the others are taken.
    tolerant: bool,
}

impl BadRows {
    /// Bad rows that keep no good one out, where `partial` says so.
    pub(super) fn new(partial: bool) -> Self {
        Self { tolerant: partial, ..Self::default() }
    }

    /// Whether good rows are taken beside bad ones.
    pub(super) fn tolerant(&self) -> bool {
        self.tolerant
    }

    /// How many there are, and the first of them.
    pub(super) fn listed(&self) -> (u64, &[Problem]) {
        (self.total, &self.first)
    }

    /// Adds the row at `place`, such as `line 7`.
    pub(super) fn add(&mut self, place: String, message: &str) {
        self.total += 1;
        if self.first.len() < LISTED_BAD_ROWS {
            self.first.push(Problem::new(place, message.chars().take(MAX_MESSAGE_CHARS).collect::<String>()));
        }
    }

    /// Whether nothing can be taken any more.
    pub(super) fn stop(&self) -> bool {
        self.total > 0 && !self.tolerant
    }

    /// The error, where there are some that are not tolerated.
    pub(super) fn check(&mut self, file: String) -> Result<(), IngestError> {
        if self.stop() {
            return Err(IngestError::BadRows { file, total: self.total, first: std::mem::take(&mut self.first) });
        }
        Ok(())
    }
}
