//! What a guest can do to its host beside answering wrongly: run on, take memory, trap, talk.
//! Knows nothing of rows.

use std::hint::black_box;

use crate::bindings::telemill::plugin::host::{Level, log};
use crate::bindings::telemill::plugin::types::Error;
use crate::fault::Fault;

/// A line that forges others: a terminal's escape codes, a made-up log record, a reversed direction.
pub(crate) const FORGED: &str =
    "done\r\n2026-01-01T00:00:00Z  INFO run finished run.id=forged\n\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}drawkcab\0";

/// More than any state that a simulation of this size needs.
pub(crate) const HUGE_STATE_BYTES: usize = 64 << 20;

const LOG_FLOOD_LINES: u32 = 100_000;
const LOG_LINE_BYTES: usize = 8 << 20;

/// Carries out the faults that need no rows.
pub(crate) fn commit(fault: Fault) -> Result<(), Error> {
    match fault {
        Fault::EndlessLoop => loop_forever(),
        Fault::Panic => panic(),
        Fault::MemoryHog => hog(),
        Fault::StackOverflow => drop(black_box(recurse(0))),
        Fault::LogFlood => (0..LOG_FLOOD_LINES).for_each(|i| log(Level::Warn, &format!("line {i} of a flood"))),
        Fault::LogLine => log(Level::Info, &"x".repeat(LOG_LINE_BYTES)),
        Fault::LogForgery => log(Level::Error, FORGED),
        Fault::ErrorFailed => return Err(Error::Failed("the meters are on strike".into())),
        Fault::ErrorForgery => return Err(Error::Failed(FORGED.into())),
        _ => {}
    }
    Ok(())
}

/// Never comes back.
pub(crate) fn loop_forever() -> ! {
    let mut count = 0u64;
    loop {
        count = black_box(count.wrapping_add(1));
    }
}

/// Traps.
pub(crate) fn panic() -> ! {
    panic!("the guest was told to panic")
}

/// Takes memory until the host refuses, and fails then.
fn hog() {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(black_box(vec![1; 1 << 20]));
    }
}

/// Deeper than any stack. The frame is large and used, so that no optimisation makes a loop of it.
#[expect(unconditional_recursion, reason = "the fault")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 32]);
    black_box(recurse(black_box(depth + 1))) + frame[7]
}
