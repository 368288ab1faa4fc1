//! Whatever comes in is refused or used, and never ends the host: what guests return, the texts that people write, and
//! components. A bounded number of inputs in every run of the tests; `cargo bolero test` goes on as long as it is let.
#![expect(clippy::unwrap_used, reason = "tests")]

mod answers;
mod batches;
mod components;
mod descriptors;
mod grafts;
mod parrot;
mod states;
mod texts;
mod uploads;
mod values;
mod workers;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use telemill::plugin::{Engine, Limits};

/// An engine that gives up early.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let limits = Limits {
        memory_bytes: 16 << 20,
        call_fuel: 10_000_000,
        call_ms: 5_000,
        host_bytes: 4 << 20,
        log_lines: 10,
        ..Limits::default()
    };
    Engine::new(limits, None).unwrap()
});

/// Decisions, one after the other, from the bytes of an input; zeroes when they are used up.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn below(&mut self, end: usize) -> usize {
        (usize::from(self.byte()) << 8 | usize::from(self.byte())) % end.max(1)
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }

    /// Mostly as asked for.
    fn about(&mut self, length: usize) -> usize {
        match self.byte() {
            0 => length + 1,
            1 => length.saturating_sub(1),
            2 => self.below(64),
            _ => length,
        }
    }
}

/// How often something was accepted and how often it was refused: a test in which hardly any input comes through, or hardly any
/// is stopped, has tested little.
#[derive(Debug, Default)]
struct Tally {
    accepted: AtomicUsize,
    refused: AtomicUsize,
}

impl Tally {
    fn accept(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Both happened, each to a tenth of the inputs at least.
    fn expect_both(&self, what: &str) {
        let (accepted, refused) = (self.accepted.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed));
        eprintln!("{what}: {accepted} accepted, {refused} refused");
        assert!(accepted.min(refused) * 10 > accepted + refused, "{what}: {accepted} accepted, {refused} refused");
    }
}

/// Whether a text forges no line, moves no cursor and hides nothing.
fn is_shown_safely(text: &str) -> bool {
    let hides =
        |c| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    !text.chars().any(|c| c.is_control() || hides(c))
}
