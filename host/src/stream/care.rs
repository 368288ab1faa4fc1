//! Keeps what streams leave bounded: small files become larger ones, old rows go, and so do snapshots and commits that
//! nobody needs any more.

use super::clock;
use super::error::StreamError;
use super::pool::Task;
use super::spec::StreamSpec;
use crate::core::id::StreamId;
use crate::core::problem;
use crate::core::time::{Length, Timestamp};
use crate::lake::{COMPACTION, Compacted};
use crate::run::{self, Host};
use crate::store::{StreamRecord, StreamState};
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often it looks after the streams.
const EVERY: Duration = Duration::from_secs(30);
/// How often snapshots expire and files leave the disk.
const EXPIRE_EVERY: Duration = Duration::from_secs(600);
/// Commits whose files a tail may still ask for one by one.
const TAIL_COMMITS: u64 = 1_000;
/// Snapshots of streams, as SQLite's GLOB has it: their extra information is the stream's id.
const STREAM_SNAPSHOTS: &str = "s????????????????";

/// How old things become before they go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ages {
    /// Snapshots of streams: whoever reads one has that long. Runs' own snapshots stay.
    pub(super) snapshots: Length,
    /// Files that no snapshot has.
    pub(super) files: Length,
}

impl Default for Ages {
    fn default() -> Self {
        let hour = 3_600 * 1_000_000;
        Self { snapshots: Length::from_us(hour), files: Length::from_us(24 * hour) }
    }
}

/// The task that looks after all streams.
pub(super) struct Care {
    host: Host,
    expired: Mutex<Option<Instant>>,
    /// Streams that this process took up, and that were not looked after since they ended.
    taken_up: Mutex<BTreeSet<StreamId>>,
}

impl Care {
    pub(super) fn new(host: &Host) -> Self {
        Self { host: host.clone(), expired: Mutex::default(), taken_up: Mutex::default() }
    }

    /// A stream is taken up: once it has ended, and its sinks have everything, it is looked after one last time.
    pub(super) fn takes_up(&self, id: &StreamId) {
        self.taken_up().insert(id.clone());
    }

    fn taken_up(&self) -> MutexGuard<'_, BTreeSet<StreamId>> {
        self.taken_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_after_all(&self) -> Result<(), StreamError> {
        let mut records = self.host.runtime.block_on(self.host.store.live_streams())?;
        let live: BTreeSet<StreamId> = records.iter().map(|record| record.id.clone()).collect();
        let ended: Vec<StreamId> = self.taken_up().difference(&live).cloned().collect();
        for id in ended {
            records.push(self.host.runtime.block_on(self.host.store.stream(&id))?);
        }
        for record in records.iter().filter(|record| record.commits > 0) {
            if let Err(error) = self.look_after(record) {
                tracing::warn!(stream.id = %record.id, "it can't be looked after: {}", problem::chain(&error));
            }
        }
        let mut expired = self.expired.lock().unwrap_or_else(PoisonError::into_inner);
        if !records.is_empty() && expired.is_none_or(|last| last.elapsed() >= EXPIRE_EVERY) {
            expire(&self.host, run::now(), Ages::default())?;
            *expired = Some(Instant::now());
        }
        Ok(())
    }

    /// Looks after one stream.
    pub(super) fn look_after(&self, record: &StreamRecord) -> Result<Compacted, StreamError> {
        let sinks = self.host.runtime.block_on(self.host.store.stream_sinks(&record.id))?;
        let delivered = sinks.iter().map(|sink| sink.position).min().unwrap_or(record.commits);
        let compacted = look_after(&self.host, record, delivered, run::now())?;
        let over = matches!(record.state, StreamState::Stopped | StreamState::Failed);
        if over && delivered == record.commits {
            self.taken_up().remove(&record.id);
        }
        Ok(compacted)
    }
}

impl Task for Care {
    fn run(&self) -> Option<Instant> {
        if let Err(error) = self.look_after_all() {
            tracing::warn!("streams can't be looked after: {}", problem::chain(&error));
        }
        Some(Instant::now() + EVERY)
    }
}

/// Lets old rows of a stream go, writes its small files again as larger ones, and forgets commits. Files behind commit `delivered`,
/// which a sink has not read yet, stay as they are, unless they are too old.
fn look_after(host: &Host, record: &StreamRecord, delivered: u64, now: Timestamp) -> Result<Compacted, StreamError> {
    let done = delivered.min(record.commits.saturating_sub(TAIL_COMMITS));
    host.runtime.block_on(async {
        let mut tx = host.store.write().await?;
        tx.forget_stream_commits(&record.id, done).await?;
        tx.commit().await
    })?;
    // First, so that nothing is written again that goes at once.
    let spec = StreamSpec::of_value(&record.spec)?;
    if let Some(retention) = spec.settings.retention {
        let clock =
            if record.state == StreamState::Running { clock::at(record.clock, now) } else { record.clock.clock };
        let before = Timestamp(clock.min(record.position).0.saturating_sub_unsigned(retention.us()));
        let own = |name: &str| name.starts_with(record.id.as_str());
        host.runtime.block_on(async {
            let mut tx = host.store.write().await?;
            let ended = host.lake.forget_before(&mut tx, &record.dataset, before, now, &own).await?;
            if ended > 0 {
                tx.commit().await?;
            }
            Ok::<_, StreamError>(())
        })?;
    }
    let mut compacted = Compacted::default();
    let prefix = format!("{}-c", record.id);
    let own = |name: &str| may_change(&record.id, name, delivered);
    for table in record.tables.keys() {
        let done = host.lake.compact(&host.runtime, (&record.dataset, table), &prefix, &host.writer, now, &own)?;
        compacted.files += done.files;
        compacted.into += done.into;
        compacted.rows += done.rows;
    }
    Ok(compacted)
}

/// Lets go of snapshots that streams made and of the files that only they have.
pub(super) fn expire(host: &Host, now: Timestamp, ages: Ages) -> Result<(), StreamError> {
    let before = Timestamp(now.0.saturating_sub_unsigned(ages.snapshots.us()));
    host.runtime.block_on(async {
        let mut tx = host.store.write().await?;
        for pattern in [STREAM_SNAPSHOTS, COMPACTION] {
            host.lake.expire_of(&mut tx, pattern, before, now).await?;
        }
        tx.commit().await?;
        host.lake.sweep(now, ages.files).await?;
        Ok(())
    })
}

/// Whether a file is the stream's, and no sink is going to ask for it by name: commits up to `delivered` are done with.
fn may_change(id: &StreamId, name: &str, delivered: u64) -> bool {
    let Some(rest) = name.strip_prefix(id.as_str()).and_then(|rest| rest.strip_prefix('-')) else { return false };
    let number = rest.split('-').next().unwrap_or_default();
    number.starts_with('c') || number.parse::<u64>().is_ok_and(|number| number <= delivered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_sinks_are_done_with_is_written_again() {
        let id = StreamId::new(1, 1);
        let name = |rest: &str| format!("{id}-{rest}-0.parquet");
        assert!(may_change(&id, &name("0000000007"), 7));
        assert!(!may_change(&id, &name("0000000008"), 7));
        assert!(may_change(&id, &name("c0000000001-0000000008"), 0));
        assert!(!may_change(&StreamId::new(2, 2), &name("0000000001"), 7));
        assert!(!may_change(&id, "r0123-p0000-s000000-0.parquet", 7));
    }
}
