//! Which rows of a dataset are meant, by their time: from, to, or the last stretch of it.

use super::LakeTable;
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
    /// The window that was asked for; none where it is all of the time. The newest row is that of `tables`.
    pub fn window(&self, tables: &[LakeTable]) -> Option<Window> {
        if let Some(last) = self.last {
            let end = bounds(tables).map_or(Timestamp(0), |(_, last)| last.plus_us(1));
            let us = i64::try_from(last.us()).unwrap_or(i64::MAX);
            return Some(Window { start: end.plus_us(us.saturating_neg()), end });
        }
        if self.from.is_none() && self.to.is_none() {
            return None;
        }
        Some(Window { start: self.from.unwrap_or(Timestamp(i64::MIN)), end: self.to.unwrap_or(Timestamp::MAX) })
    }

    /// The window that was asked for, held to what `tables` cover where a side of it is open, and where it is longer than
    /// all that there is: nobody is to be blamed for what was before.
    pub fn covered(&self, tables: &[LakeTable]) -> Window {
        let (first, last) = bounds(tables).unwrap_or((Timestamp(0), Timestamp(-1)));
        let all = Window { start: first, end: last.plus_us(1) };
        match self.window(tables) {
            Some(window) if self.last.is_some() => Window { start: window.start.max(all.start), end: window.end },
            _ => Window { start: self.from.unwrap_or(all.start), end: self.to.unwrap_or(all.end) },
        }
    }
}

/// First and last time of all rows; none where no row has a time.
fn bounds(tables: &[LakeTable]) -> Option<(Timestamp, Timestamp)> {
    let files = tables.iter().flat_map(|table| table.files.iter().filter_map(|file| file.time_bounds(&table.table)));
    files.reduce(|(first, last), (start, end)| (first.min(start), last.max(end)))
}
