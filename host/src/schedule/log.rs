//! What a step writes while it works: its last lines, bounded.

use std::collections::VecDeque;
use std::sync::Mutex;

/// Most lines that are kept; the end tells why something failed.
const MAX_LINES: usize = 500;
/// Longest line, in bytes; the rest of it is cut.
const MAX_LINE_BYTES: usize = 4_096;

/// The last lines of a step.
#[derive(Debug, Default)]
pub struct StepLog(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<String>,
    dropped: u64,
}

impl StepLog {
    /// Adds a line.
    pub fn line(&self, text: impl Into<String>) {
        let mut text: String = text.into();
        if text.len() > MAX_LINE_BYTES {
            let end = (0..=MAX_LINE_BYTES).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
            text.truncate(end);
            text.push_str(" (cut)");
        }
        let mut lines = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if lines.kept.len() == MAX_LINES {
            lines.kept.pop_front();
            lines.dropped += 1;
        }
        lines.kept.push_back(text);
    }

    /// The lines so far; the first says how many are gone where some are.
    pub fn lines(&self) -> Vec<String> {
        let lines = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let gone = (lines.dropped > 0).then(|| format!("({} lines before are gone)", lines.dropped));
        gone.into_iter().chain(lines.kept.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_stay_and_long_ones_are_cut() {
        let log = StepLog::default();
        (0..MAX_LINES + 3).for_each(|number| log.line(number.to_string()));
        let lines = log.lines();
        assert_eq!(lines.len(), MAX_LINES + 1);
        assert_eq!(lines.first().map(String::as_str), Some("(3 lines before are gone)"));
        assert_eq!(lines.last().map(String::as_str), Some("502"));
        log.line("ü".repeat(MAX_LINE_BYTES));
        assert!(log.lines().last().is_some_and(|line| line.len() <= MAX_LINE_BYTES + 6));
    }
}
