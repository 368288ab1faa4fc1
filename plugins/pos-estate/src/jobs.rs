//! Jobs on terminals: rows of `job_outcomes`, and of `config_history` for those that change a configuration.
//!
//! A job is queued, starts a few seconds later, is acknowledged by the terminal's push notification, and ends. How it ends is decided by
//! the state that the terminal is in when the job starts; both rows are written then, so their ids always link.

use telemill_sdk::quantile::QuantileTable;
use telemill_sdk::time::{DAY, MILLISECOND, MINUTE, SECOND};
use telemill_sdk::{
    Blame, DictionaryColumn, Effects, I32Column, I64Column, Nullable, Process, Stream, TextColumn, Timestamp,
    TimestampColumn, Weighted, hash, table,
};

use crate::ids;
use crate::inventory::Estate;
use crate::metrics::{NORMAL_LOSS, is_lost};
use crate::signals::{Signals, bend};

table! {
    /// Jobs that the platform ran on terminals.
    #[derive(Debug)]
    pub struct JobOutcomes("job_outcomes") {
        /// Which.
        job_id: I64Column,
        /// When it was queued.
        queued_at: TimestampColumn,
        /// When it was sent to the terminal; the row is placed in time by it.
        started_at: TimestampColumn,
        /// When the terminal acknowledged it by a push notification.
        acknowledged_at: Nullable<TimestampColumn>,
        /// When it succeeded or failed.
        finished_at: TimestampColumn,
        /// succeeded or failed.
        status: DictionaryColumn,
        /// What it does.
        job_type: DictionaryColumn,
        /// The terminal.
        device_id: TextColumn,
        /// The terminal's site.
        site_id: TextColumn,
        /// The user who asked for it; none for a roll-out.
        requested_by: Nullable<I64Column>,
        /// How often it was tried.
        attempts: I32Column,
        /// From the queue to the end.
        duration_ms: I64Column => "ms",
        /// Why it failed: no_acknowledgement, rejected_by_device or execution_failed.
        failure_reason: Nullable<DictionaryColumn>,
        /// The incident to blame.
        incident_id: Nullable<DictionaryColumn>,
    }
    time_field: "started_at",
    primary_key: ["job_id"],
    moved_by: {
        "": [job_id, queued_at, started_at, job_type, device_id, site_id, requested_by],
        "packet_loss": [acknowledged_at],
        "packet_loss, job_failures": [finished_at, status, attempts, duration_ms, failure_reason],
    },
}

table! {
    /// Audit trail: every job that changes a configuration.
    #[derive(Debug)]
    pub struct ConfigHistory("config_history") {
        /// The job that changes it.
        job_id: I64Column,
        /// When the change was sent.
        time: TimestampColumn,
        /// The terminal.
        device_id: TextColumn,
        /// The terminal's site.
        site_id: TextColumn,
        /// What changes.
        config_key: DictionaryColumn,
        /// The value that the job sets.
        new_value: TextColumn,
        /// The user who asked for it; none for a roll-out.
        changed_by: Nullable<I64Column>,
        /// user or rollout.
        origin: DictionaryColumn,
        /// How the job ended: succeeded, or failed, and the terminal keeps the value that it had.
        status: DictionaryColumn,
    }
    time_field: "time",
    primary_key: ["job_id"],
    moved_by: {
        "": [job_id, time, device_id, site_id, config_key, new_value, changed_by, origin],
        "packet_loss, job_failures": [status],
    },
}

/// A type of job.
#[derive(Clone, Copy, Debug)]
struct Kind {
    name: &'static str,
    weight: f64,
    /// The key that it changes, and what that is set to; none where it changes no configuration.
    changes: Option<(&'static str, Setting)>,
    median_seconds: f64,
}

/// The values that a key is set to.
#[derive(Clone, Copy, Debug)]
enum Setting {
    /// One of these.
    OneOf(&'static [&'static str]),
    /// After a prefix, how many times so many microseconds have passed since 1970: it rises and never falls.
    Counted(&'static str, i64),
}

const GATEWAY_TIMEOUTS_MS: &[&str] = &["2000", "3000", "5000", "8000", "10000", "15000"];
const RECEIPT_TEMPLATES: &[&str] = &["standard", "compact", "bilingual", "large-print", "seasonal", "loyalty"];

const fn kind(name: &'static str, weight: f64, changes: Option<(&'static str, Setting)>, median_seconds: f64) -> Kind {
    Kind { name, weight, changes, median_seconds }
}

/// The last is the roll-outs' own.
const KINDS: [Kind; 8] = [
    kind(
        "Update POS payment config",
        3.0,
        Some(("payment.gateway_timeout_ms", Setting::OneOf(GATEWAY_TIMEOUTS_MS))),
        14.0,
    ),
    // A tax table a week.
    kind("Update tax rates", 1.5, Some(("tax.table_version", Setting::Counted("v", 7 * DAY))), 9.0),
    kind("Update receipt template", 1.2, Some(("receipt.template", Setting::OneOf(RECEIPT_TEMPLATES))), 11.0),
    // A generation is numbered by the millisecond in which the key is made.
    kind("Rotate API credentials", 0.8, Some(("api.key_generation", Setting::Counted("", MILLISECOND))), 6.0),
    kind("Restart POS application", 1.4, None, 35.0),
    kind("Sync product catalogue", 1.6, None, 48.0),
    kind("Collect diagnostics", 1.0, None, 60.0),
    // A release a day.
    kind("Install software", 0.0, Some(("software.release", Setting::Counted("r", DAY))), 180.0),
];
const INSTALL: usize = 7;

/// How a job ends.
const STATUSES: [&str; 2] = ["succeeded", "failed"];

const JOB: Process = Process::named("job");
const RUN: Process = Process::named("job run");
/// Share of the attempts that fail on a terminal in normal times.
const FAILS: f64 = 0.05;
/// Share of those that no further attempt mends.
const FOR_GOOD: f64 = 0.5;
const MOST_ATTEMPTS: i32 = 3;
/// The platform waits so long for an acknowledgement, in each attempt.
const PATIENCE: i64 = 30 * SECOND;
/// No job waits longer in the queue.
pub const LONGEST_QUEUE: i64 = 2 * MINUTE;

/// A job that is queued.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// Its number.
    pub id: i64,
    /// When it was queued.
    pub queued: Timestamp,
    /// When it starts.
    pub t: Timestamp,
    /// The terminal.
    pub terminal: usize,
    /// The user; none for a roll-out.
    pub user: Option<i64>,
    /// From the start to the acknowledgement.
    pub push_micros: i64,
    kind: usize,
}

impl Job {
    /// When the terminal acknowledges it, if it does.
    pub fn acknowledged(&self) -> Timestamp {
        self.t + self.push_micros
    }
}

/// Makes the rows of one shard.
#[derive(Debug)]
pub struct JobLog {
    seed: u64,
    kinds: Weighted,
    spread: QuantileTable,
    /// Outcomes so far.
    pub outcomes: JobOutcomes,
    /// Changes so far.
    pub changes: ConfigHistory,
}

impl JobLog {
    /// The log of a shard.
    pub fn new(seed: u64) -> Self {
        let mut outcomes = JobOutcomes::default();
        outcomes.status.set_values(STATUSES);
        outcomes.job_type.set_values(KINDS.iter().map(|kind| kind.name));
        outcomes.failure_reason.inner_mut().set_values([
            "no_acknowledgement",
            "rejected_by_device",
            "execution_failed",
        ]);
        let mut changes = ConfigHistory::default();
        changes.config_key.set_values(KINDS.iter().map(|kind| kind.changes.map_or("", |(key, _)| key)));
        changes.origin.set_values(["user", "rollout"]);
        changes.status.set_values(STATUSES);
        Self {
            seed,
            kinds: Weighted::new(&KINDS.map(|kind| kind.weight)),
            spread: QuantileTable::lognormal_with_pareto_tail(0.7, 0.02, 2.0),
            outcomes,
            changes,
        }
    }

    /// A job that a user queues in a minute.
    pub fn by_user(&self, minute: i64, number: u32, user: i64, terminal: usize) -> Job {
        let id = ids::begun(minute, number);
        let kind = self.kinds.pick(hash(self.seed, JOB, id as u64, 1));
        let queued = minute * MINUTE + self.within_minute(id);
        self.job(id, queued, terminal, kind, Some(user))
    }

    /// The job of a roll-out that a terminal gets in a minute.
    pub fn of_rollout(&self, minute: i64, terminal: usize) -> Job {
        let id = ids::rollout_job(minute, terminal);
        self.job(id, minute * MINUTE + self.within_minute(id), terminal, INSTALL, None)
    }

    fn within_minute(&self, id: i64) -> i64 {
        (((hash(self.seed, JOB, id as u64, 2) >> 32) * 60_000) >> 32) as i64 * MILLISECOND
    }

    fn job(&self, id: i64, queued: Timestamp, terminal: usize, kind: usize, user: Option<i64>) -> Job {
        let bits = hash(self.seed, JOB, id as u64, 3);
        let wait = 2.5 * f64::from(self.spread.draw((bits >> 32) as u32));
        let push = 1.1 * f64::from(self.spread.draw(bits as u32));
        let micros = |seconds: f64| (seconds * 1_000.0) as i64 * MILLISECOND;
        let t = queued + micros(wait).min(LONGEST_QUEUE);
        Job { id, queued, t, terminal, user, push_micros: micros(push).clamp(SECOND / 10, PATIENCE - SECOND), kind }
    }

    /// Logs a job's outcome as it starts, and what it changes.
    pub fn log(&mut self, job: &Job, estate: &Estate, effects: Option<&Effects>) {
        let Some(terminal) = estate.terminals.get(job.terminal) else { return };
        let Some(kind) = KINDS.get(job.kind) else { return };
        let mut blame: Option<Blame<'_>> = None;
        let mut bent = |signal: Signals, base: f64| match effects {
            Some(effects) => bend(effects, &terminal.chain, signal, job.t, base, &mut blame),
            None => base,
        };
        let unreachable = is_lost(self.seed, job.terminal, job.t, bent(Signals::PacketLoss, NORMAL_LOSS));
        let fails = bent(Signals::JobFailures, FAILS).clamp(0.0, 1.0);
        let mut draw = Stream::of(self.seed, RUN, job.id as u64, 0);
        let (mut attempts, mut failure) = (1, None);
        while !unreachable && draw.chance(fails) {
            if draw.chance(FOR_GOOD) || attempts == MOST_ATTEMPTS {
                failure = Some(if draw.chance(0.6) { 1 } else { 2 });
                break;
            }
            attempts += 1;
        }
        let run = kind.median_seconds * f64::from(self.spread.draw((draw.next() >> 32) as u32));
        let (acknowledged, finished) = if unreachable {
            (attempts, failure) = (MOST_ATTEMPTS, Some(0));
            (None, job.t + i64::from(MOST_ATTEMPTS) * PATIENCE)
        } else {
            let run = (run.min(1_200.0) * 1_000.0) as i64 * MILLISECOND * i64::from(attempts);
            (Some(job.acknowledged()), job.acknowledged() + run)
        };
        let site = estate.sites.get(terminal.site).map_or("", |site| site.id.as_str());

        let rows = &mut self.outcomes;
        rows.job_id.push(job.id);
        rows.queued_at.push(job.queued);
        rows.started_at.push(job.t);
        rows.acknowledged_at.push_option(acknowledged);
        rows.finished_at.push(finished);
        rows.status.push(u32::from(failure.is_some()));
        rows.job_type.push(job.kind as u32);
        rows.device_id.push_str(&terminal.id);
        rows.site_id.push_str(site);
        rows.requested_by.push_option(job.user);
        rows.attempts.push(attempts);
        rows.duration_ms.push((finished - job.queued) / MILLISECOND);
        rows.failure_reason.push_option(failure);
        rows.incident_id.push_option(blame.map(|blame| blame.incident as u32));

        if let Some((_, setting)) = kind.changes {
            let rows = &mut self.changes;
            rows.job_id.push(job.id);
            rows.time.push(job.t);
            rows.device_id.push_str(&terminal.id);
            rows.site_id.push_str(site);
            rows.config_key.push(job.kind as u32);
            match setting {
                Setting::OneOf(values) => {
                    let bits = hash(self.seed, JOB, job.id as u64, 4);
                    let value = values.get((((bits >> 32) * values.len() as u64) >> 32) as usize);
                    rows.new_value.push_str(value.copied().unwrap_or_default());
                }
                Setting::Counted(prefix, micros) => {
                    rows.new_value.push_numbered(prefix, job.t.div_euclid(micros).max(0) as u64);
                }
            }
            rows.changed_by.push_option(job.user);
            rows.origin.push(u32::from(job.user.is_none()));
            rows.status.push(u32::from(failure.is_some()));
        }
    }
}
