//! Which rows of a dataset are meant, by their time: from, to, or the last stretch of it.

use super::detail::joined;
use crate::core::time::{Length, Timestamp, Window};

/// A span of time that may be left open, or be told from the newest row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// Only rows from here on.
    pub from: Option<Timestamp>,
    /// Only rows before this.
    pub to: Option<Timestamp>,
    /// Only the span of this length that ends with the newest row; `from` and `to` say nothing then.
    pub last: Option<Length>,
}

impl Span {
    /// The window that was asked for; none where it is all of the time. The newest row is that of tables with these `times`.
    pub fn window(&self, times: impl IntoIterator<Item = Option<Window>>) -> Option<Window> {
        if let Some(last) = self.last {
            let end = all(times).map_or(Timestamp(0), |all| all.end);
            let us = last.micros();
            return Some(Window { start: end.plus_us(us.saturating_neg()), end });
        }
        if self.from.is_none() && self.to.is_none() {
            return None;
        }
        Some(Window { start: self.from.unwrap_or(Timestamp(i64::MIN)), end: self.to.unwrap_or(Timestamp::MAX) })
    }

    /// The window that was asked for, held to what tables with these `times` cover where a side of it is open, and where it is
    /// longer than all that there is: nobody is to be blamed for what was before.
    pub fn covered(&self, times: impl IntoIterator<Item = Option<Window>>) -> Window {
        let all = all(times).unwrap_or(Window { start: Timestamp(0), end: Timestamp(0) });
        match self.window([Some(all)]) {
            Some(window) if self.last.is_some() => Window { start: window.start.max(all.start), end: window.end },
            _ => Window { start: self.from.unwrap_or(all.start), end: self.to.unwrap_or(all.end) },
        }
    }
}

/// From the first to behind the last of all rows; none where no row has a time.
fn all(times: impl IntoIterator<Item = Option<Window>>) -> Option<Window> {
    times.into_iter().flatten().reduce(joined)
}
