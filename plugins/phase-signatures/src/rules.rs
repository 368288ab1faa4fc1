//! What is counted while rows go by, and the finding that each count becomes.

use telemill_sdk::{Finding, Severity};

use crate::config::Share;

/// Rows of a report's samples.
const SAMPLES: usize = 5;

/// One rule's rows so far.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Rows that it looked at.
    pub checked: u64,
    /// Rows that broke it.
    pub failed: u64,
    samples: Vec<u64>,
}

impl Tally {
    /// Counts a row, which is numbered in the order sent.
    pub fn count(&mut self, good: bool, row: u64) {
        self.checked += 1;
        if !good {
            self.failed += 1;
            if self.samples.len() < SAMPLES {
                self.samples.push(row);
            }
        }
    }

    /// Share of the rows that fulfilled it; 1 where there were none.
    pub fn share(&self) -> f64 {
        if self.checked == 0 { 1.0 } else { 1.0 - self.failed as f64 / self.checked as f64 }
    }
}

/// Makes the findings of one table.
#[derive(Clone, Debug)]
pub struct Findings {
    table: String,
    /// The findings so far.
    pub all: Vec<Finding>,
}

impl Findings {
    /// Nothing is found yet.
    pub fn new(table: &str) -> Self {
        Self { table: table.to_owned(), all: Vec::new() }
    }

    /// A rule that holds, or one that is broken.
    pub fn add(&mut self, rule: &str, column: Option<&str>, holds: bool, message: String, tally: &Tally) {
        self.all.push(Finding {
            rule: rule.to_owned(),
            severity: if holds { Severity::Info } else { Severity::High },
            table: Some(self.table.clone()),
            column: column.map(str::to_owned),
            message,
            failed: tally.failed,
            checked: tally.checked,
            samples: tally.samples.clone(),
        });
    }

    /// A share of all rows that must lie within a band; without a band, it is told and not judged.
    pub fn share(&mut self, rule: &str, column: &str, what: &str, count: u64, of: u64, band: Option<Share>) {
        let share = count as f64 / of.max(1) as f64;
        let has = format!("{what} has {:.1} % of the rows", share * 100.0);
        let Some(Share { at_least, at_most }) = band else {
            let message = format!("{has}; not judged, as there are too few");
            self.add(rule, Some(column), true, message, &Tally { checked: of, ..Tally::default() });
            return;
        };
        let message = format!("{has}; {:.1} to {:.1} % are asked for", at_least * 100.0, at_most * 100.0);
        let off = (share.clamp(at_least, at_most) - share).abs();
        let tally = Tally { checked: of, failed: (off * of as f64).ceil() as u64, samples: Vec::new() };
        self.add(rule, Some(column), off == 0.0, message, &tally);
    }
}
