//! What a stream has done lately: rates, drift and the newest line of its log, for people and for other programs.

use super::clock;
use crate::core::id::StreamId;
use crate::core::time::Timestamp;
use crate::plugin::{LogLevel, LogSink};
use crate::store::{StreamRecord, StreamState};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use utoipa::ToSchema;

/// Seconds that rates and the largest drift are taken over.
const WINDOW_S: i64 = 60;

/// What a stream is doing, in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StreamStats {
    /// The stream.
    pub id: StreamId,
    /// What it is doing.
    pub state: StreamState,
    /// `backfill` while it has to catch up with its clock, else `live`.
    pub mode: String,
    /// What its simulated clock shows.
    pub clock: Timestamp,
    /// Simulated seconds a second.
    pub speed: f64,
    /// Rows before this simulated time are in the lake.
    pub position: Timestamp,
    /// How far the position is behind the clock, in seconds of simulated time.
    pub behind_s: f64,
    /// How long after the clock had reached a segment's end its rows were visible, in milliseconds: of the last
    /// commit; none while it has to catch up.
    pub drift_ms: Option<i64>,
    /// The largest of the last minute.
    pub max_drift_ms: i64,
    /// Commits since the stream began.
    pub commits: u64,
    /// Rows since the stream began, by table.
    pub rows: BTreeMap<String, u64>,
    /// When this process took the stream up.
    pub session_since: Option<Timestamp>,
    /// Rows since then, by table.
    pub session_rows: BTreeMap<String, u64>,
    /// Rows of the last minute.
    pub rows_per_minute: u64,
    /// The same by table; tables without rows in it are left out.
    pub table_rows_per_minute: BTreeMap<String, u64>,
    /// The newest line that one of its plugins logged.
    pub newest_log: Option<LoggedLine>,
}

/// What a record tells of a stream that nobody runs.
pub fn stats_at_rest(record: &StreamRecord, now: Timestamp) -> StreamStats {
    let mut stats = StreamStats {
        id: record.id.clone(),
        state: record.state,
        mode: "backfill".to_owned(),
        clock: clock::shown(record.clock, record.state, now),
        speed: record.clock.speed,
        position: record.position,
        behind_s: 0.0,
        drift_ms: None,
        max_drift_ms: 0,
        commits: record.commits,
        rows: record.tables.iter().map(|(table, sum)| (table.clone(), sum.rows)).collect(),
        session_since: None,
        session_rows: BTreeMap::new(),
        rows_per_minute: 0,
        table_rows_per_minute: BTreeMap::new(),
        newest_log: None,
    };
    stats.lag();
    stats
}

impl StreamStats {
    /// Works out how far the position is behind the clock.
    pub(super) fn lag(&mut self) {
        self.behind_s = self.clock.0.saturating_sub(self.position.0) as f64 / 1e6;
    }
}

/// A line that a plugin of the stream logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoggedLine {
    /// When, by the wall's clock.
    pub at: Timestamp,
    /// How important.
    pub level: LogLevel,
    /// Which plugin.
    pub plugin: String,
    /// The text.
    pub message: String,
}

/// What goes on in one second.
#[derive(Debug, Clone, Default)]
struct Second {
    at_s: i64,
    /// By table; none that is zero.
    rows: BTreeMap<String, u64>,
    drift_ms: i64,
}

/// Counted while the stream runs in this process.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// When this process took the stream up.
    pub(super) since: Option<Timestamp>,
    /// Rows since then, by table.
    pub(super) rows: BTreeMap<String, u64>,
    /// Drift of the last commit: how long after the simulated clock had reached its end it was visible.
    pub(super) drift_ms: Option<i64>,
    seconds: VecDeque<Second>,
    newest: Arc<Mutex<Option<LoggedLine>>>,
}

impl Recent {
    /// Nothing yet, from `now` on.
    pub(super) fn since(now: Timestamp) -> Self {
        Self { since: Some(now), ..Self::default() }
    }

    /// Counts a commit at `now`; its drift where the stream had caught up.
    pub(super) fn committed(&mut self, now: Timestamp, rows: &BTreeMap<String, u64>, drift_ms: Option<i64>) {
        rows.iter().for_each(|(table, rows)| *self.rows.entry(table.clone()).or_default() += rows);
        self.drift_ms = drift_ms;
        let at_s = now.0.div_euclid(1_000_000);
        if self.seconds.back().is_none_or(|last| last.at_s != at_s) {
            self.seconds.push_back(Second { at_s, ..Second::default() });
        }
        if let Some(second) = self.seconds.back_mut() {
            add(&mut second.rows, rows);
            second.drift_ms = second.drift_ms.max(drift_ms.unwrap_or(0));
        }
        self.forget(at_s);
    }

    fn forget(&mut self, at_s: i64) {
        while self.seconds.front().is_some_and(|second| second.at_s <= at_s - WINDOW_S) {
            self.seconds.pop_front();
        }
    }

    /// Rows of the last minute by table, and the largest drift in it.
    pub(super) fn minute(&mut self, now: Timestamp) -> (BTreeMap<String, u64>, i64) {
        self.forget(now.0.div_euclid(1_000_000));
        let mut rows = BTreeMap::new();
        self.seconds.iter().for_each(|second| add(&mut rows, &second.rows));
        (rows, self.seconds.iter().map(|second| second.drift_ms).max().unwrap_or(0))
    }

    /// The newest line that a plugin logged.
    pub(super) fn newest_line(&self) -> Option<LoggedLine> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A sink that keeps the newest line and passes all on to `next`.
    pub(super) fn log(&self, next: LogSink) -> LogSink {
        let newest = Arc::clone(&self.newest);
        Arc::new(move |line| {
            let logged = LoggedLine {
                at: crate::run::now(),
                level: line.level,
                plugin: line.plugin.name.clone(),
                message: line.message.to_owned(),
            };
            *newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(logged);
            next(line);
        })
    }
}

/// Adds rows of tables to those that there are.
fn add(sums: &mut BTreeMap<String, u64>, rows: &BTreeMap<String, u64>) {
    for (table, rows) in rows.iter().filter(|(_, rows)| **rows > 0) {
        *sums.entry(table.clone()).or_default() += rows;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_a_minute() {
        let mut recent = Recent::default();
        let rows = |count| BTreeMap::from([("t".to_owned(), count)]);
        let empty = || BTreeMap::from([("t".to_owned(), 0), ("u".to_owned(), 2)]);
        recent.committed(Timestamp(1_000_000), &rows(5), Some(70));
        recent.committed(Timestamp(1_400_000), &rows(5), Some(20));
        recent.committed(Timestamp(30_000_000), &rows(1), None);
        assert_eq!(recent.minute(Timestamp(60_000_000)), (rows(11), 70));
        assert_eq!(recent.minute(Timestamp(61_000_000)), (rows(1), 0));
        assert_eq!(recent.rows, rows(11));
        recent.committed(Timestamp(120_000_000), &empty(), None);
        assert_eq!(recent.minute(Timestamp(120_000_000)).0, BTreeMap::from([("u".to_owned(), 2)]));
        assert_eq!((recent.rows["t"], recent.rows["u"]), (11, 2), "all tables of the session, each");
    }
}
