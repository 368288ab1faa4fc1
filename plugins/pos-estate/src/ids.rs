//! Numbers of requests, errors, sessions and jobs: unique by construction, and below 2^53, so that every tool can read them.

use telemill_sdk::Timestamp;
use telemill_sdk::time::SECOND;

/// Minutes whose sessions, jobs and error clusters are told apart within one second.
pub const LIVE_MINUTES: i64 = 64;
/// Most sessions and jobs of users that begin in a minute, and most clusters of errors.
pub const SESSIONS: u32 = 384;
/// Most sessions that deliveries begin in a minute.
pub const DELIVERIES: u32 = 128;
/// Most jobs that users queue in a minute.
pub const JOBS: u32 = 512;
/// Most clusters of errors that begin in a minute.
pub const CLUSTERS: u32 = 256;
/// Where the indices of roll-out jobs begin; before it are those of users.
const ROLLOUT_JOBS: i64 = 1 << 19;

/// Who brings a request or an error about. Within a second each numbers its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// An agent sends metrics.
    AgentMetrics = 0,
    /// An agent asks for its configuration.
    AgentConfig = 1,
    /// A session of a user.
    Session = 2,
    /// A job of a user.
    Job = 3,
    /// A job of a roll-out.
    Rollout = 4,
    /// A cluster of errors on a terminal.
    Cluster = 5,
    /// Errors that an incident adds on a terminal.
    Incident = 6,
    /// A terminal that is missed.
    Missed = 7,
}

/// The number of something at an instant; `index` is below 2^19.
pub fn of(t: Timestamp, lane: Lane, index: u64) -> i64 {
    (t.div_euclid(SECOND) << 22) | ((lane as i64) << 19) | (index as i64 & 0x7_ffff)
}

/// The index of a part of what began in a minute: the `part`-th (of `1 << bits`) of the `number`-th.
pub fn part(minute: i64, number: u32, bits: u32, part: u32) -> u64 {
    let minute = minute.rem_euclid(LIVE_MINUTES) as u64;
    (minute << 13) | (u64::from(number) << bits) | u64::from(part)
}

/// The number of what began in a minute.
pub fn begun(minute: i64, number: u32) -> i64 {
    (minute << 20) | i64::from(number)
}

/// The number of a terminal's roll-out job.
pub fn rollout_job(minute: i64, terminal: usize) -> i64 {
    (minute << 20) | ROLLOUT_JOBS | terminal as i64
}
