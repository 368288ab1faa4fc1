//! How long a window of simulated time one call asks for: long enough that calls cost nothing, short enough that
//! batches stay in cache and far below the limit on output. Rows do not depend on it.

use crate::core::time::{Timestamp, Window};

/// Rows that a call should return: batches of 8 to 64 thousand rows are fastest through every later stage.
const TARGET_ROWS: u64 = 32_768;
/// Bytes that a call should return: an eighth of the limit's default, so that a burst does not reach it.
const TARGET_BYTES: u64 = 2 << 20;
/// Longest window of a call, in microseconds: progress and Ctrl-C are seen this often even where nothing happens.
const MAX_WINDOW_US: u64 = 3_600 * 1_000_000;

/// Cuts a span into windows and learns from what they returned.
#[derive(Debug)]
pub struct Windows {
    step_us: u64,
    steps: u64,
    next: Timestamp,
    end: Timestamp,
}

impl Windows {
    /// Windows over `span` in whole steps of `step_us`, the first one step long.
    pub fn new(span: Window, step_us: u64) -> Self {
        Self::with_steps(span, step_us, 1)
    }

    /// The same with a first window of `steps` steps: what [`Self::steps`] said at the end of the span before.
    pub fn with_steps(span: Window, step_us: u64, steps: u64) -> Self {
        Self { step_us: step_us.max(1), steps: steps.max(1), next: span.start, end: span.end }
    }

    /// Steps of the next window, where its span is that long.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The next window; none at the end of the span.
    #[expect(clippy::should_implement_trait, reason = "what it returned shapes the next one")]
    pub fn next(&mut self) -> Option<Window> {
        let us = i64::try_from(self.steps.saturating_mul(self.step_us)).unwrap_or(i64::MAX);
        let window = Window { start: self.next, end: self.next.plus_us(us).min(self.end) };
        self.next = window.end;
        (!window.is_empty()).then_some(window)
    }

    /// What the last window returned: the next one is longer or shorter by at most a factor of four.
    pub fn returned(&mut self, rows: u64, bytes: u64) {
        let longest = (MAX_WINDOW_US / self.step_us).max(1);
        let by_rows = self.steps.saturating_mul(TARGET_ROWS) / rows.max(1);
        let by_bytes = self.steps.saturating_mul(TARGET_BYTES) / bytes.max(1);
        let wanted = by_rows.min(by_bytes).clamp(self.steps / 4, self.steps.saturating_mul(4));
        self.steps = wanted.clamp(1, longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_the_span_and_approach_the_target() {
        let span = Window { start: Timestamp(0), end: Timestamp(86_400_000_000) };
        let mut windows = Windows::new(span, 1_000_000);
        let (mut covered, mut last) = (0, 0);
        while let Some(window) = windows.next() {
            assert_eq!(window.start.0.rem_euclid(1_000_000), 0);
            covered += window.length_us();
            let rows = window.length_us() / 1_000_000 * 27;
            last = last.max(rows);
            windows.returned(rows, rows * 200);
        }
        assert_eq!(covered, span.length_us());
        assert!((8_192..=TARGET_ROWS).contains(&last), "{last}");
    }

    #[test]
    fn a_heavy_second_makes_the_next_window_shorter() {
        let mut windows = Windows::new(Window { start: Timestamp(0), end: Timestamp(i64::MAX) }, 1_000_000);
        for _ in 0..5 {
            windows.next();
            windows.returned(1, 1);
        }
        assert_eq!(windows.steps, 1_024);
        windows.returned(10 << 20, 16 << 20);
        assert_eq!(windows.steps, 256);
    }
}
