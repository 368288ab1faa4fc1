//! What is going to happen: sessions, jobs and clusters of errors are worked out in the minute that they begin in, and wait here until
//! their time comes.
//!
//! Nothing here depends on incidents or on what happened before, so the agenda of any instant follows from the last hour's
//! minutes: it is a cache and no state.

use telemill_sdk::demand::Poisson;
use telemill_sdk::time::{MILLISECOND, MINUTE, SECOND};
use telemill_sdk::{Process, Shard, Stream, Timestamp, Window, hash};

use crate::api::{API_ERRORS, Request, Source};
use crate::config::Config;
use crate::endpoints::{ACKNOWLEDGE, NEW_JOB};
use crate::errors::{Entry, Message};
use crate::ids::{self, Lane};
use crate::inventory::Estate;
use crate::jobs::{Job, JobLog};
use crate::rhythm::{Rhythm, minute_of_day};
use crate::sessions::{ACTIVITIES_PER_SESSION, Activity, FIRST_USER, HEADQUARTERS_USERS, LONGEST, Sessions, Start};

const SESSIONS: Process = Process::named("sessions of a minute");
const JOBS: Process = Process::named("jobs of a minute");
const CLUSTERS: Process = Process::named("error clusters of a minute");
const SITE: Process = Process::named("site of a session");
const JOB: Process = Process::named("who wants a job");
const CLUSTER: Process = Process::named("error cluster");

/// What began before does not reach into a minute: the longest session and the longest queue, and a minute to begin in.
const MINUTES_BACK: i64 = LONGEST / MINUTE + 2;
/// Share of the jobs and of the terminals' errors that come by day and night alike; the rest follows the users.
const STEADY: f64 = 0.4;
/// Errors of a cluster on average, and how far they are apart.
const CLUSTER_ERRORS: f64 = 2.5;
const CLUSTER_GAP_SECONDS: u64 = 8;
const MOST_IN_CLUSTER: u32 = 7;
/// Tries to find a site that is busy.
const TRIES: u64 = 12;

/// Something that is going to happen.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A user does something.
    Activity(Activity),
    /// The API is called.
    Call(Request),
    /// A terminal acknowledges a job, if it can.
    Acknowledge(Request),
    /// A job starts.
    Job(Job),
    /// A terminal logs an error, if it is reached.
    Error(Entry),
}

impl Event {
    fn t(&self) -> Timestamp {
        match self {
            Self::Activity(activity) => activity.t,
            Self::Call(request) | Self::Acknowledge(request) => request.t,
            Self::Job(job) => job.t,
            Self::Error(entry) => entry.t,
        }
    }
}

/// The agenda of one shard.
#[derive(Debug)]
pub struct Agenda {
    shard: Shard,
    sessions: Sessions,
    sessions_per_minute: f64,
    jobs_per_minute: f64,
    clusters_per_minute: f64,
    /// The first minute that is not worked out.
    next: i64,
    /// Until where events were handed out.
    until: Timestamp,
    waiting: Vec<Event>,
}

impl Agenda {
    /// The agenda of a shard, empty.
    pub fn new(config: &Config, shard: &Shard) -> Self {
        Self {
            shard: *shard,
            sessions: Sessions::new(shard.seed),
            sessions_per_minute: config.activities_per_minute / ACTIVITIES_PER_SESSION,
            jobs_per_minute: config.jobs_per_minute,
            clusters_per_minute: config.errors_per_minute * (1.0 - API_ERRORS) / CLUSTER_ERRORS,
            next: i64::MIN,
            until: i64::MIN,
            waiting: Vec::new(),
        }
    }

    /// This shard's events of a window, in no order.
    pub fn take(&mut self, window: Window, estate: &Estate, rhythm: &mut Rhythm, jobs: &JobLog) -> Vec<Event> {
        let (first, end) = (window.start.div_euclid(MINUTE), (window.end - 1).div_euclid(MINUTE) + 1);
        if self.until != window.start {
            self.waiting.clear();
            self.next = first - MINUTES_BACK;
        }
        while self.next < end {
            self.work_out(self.next, estate, rhythm, jobs);
            self.next += 1;
        }
        self.until = window.end;
        let (now, later) = self.waiting.drain(..).partition(|event| event.t() < window.end);
        self.waiting = later;
        let mut now: Vec<Event> = now;
        now.retain(|event| event.t() >= window.start);
        now
    }

    fn work_out(&mut self, minute: i64, estate: &Estate, rhythm: &mut Rhythm, jobs: &JobLog) {
        if estate.terminals.is_empty() {
            return;
        }
        let shard = self.shard;
        let local = rhythm.local(minute);
        let activity = rhythm.activity(minute);
        let count = |mean: f64, process: Process, most: u32| {
            Poisson::new(mean).draw(hash(shard.seed, process, 0, minute)).min(most)
        };
        let owns = |number: &u32| shard.owns((minute + i64::from(*number)) as u64);

        let sessions = count(self.sessions_per_minute * activity, SESSIONS, ids::SESSIONS);
        for number in (0..sessions).filter(owns) {
            let site = busy_site(shard.seed, minute, number, estate, |site| {
                estate.sites.get(site).map_or(0.0, |site| rhythm.quiet_level(site, &local))
            });
            self.begin(Start { minute, number, receives: false }, site, estate);
        }
        let arriving =
            (0..estate.sites.len()).filter(|site| rhythm.delivery(*site, local.day) == Some(minute_of_day(&local)));
        let arriving: Vec<usize> = arriving.take(ids::DELIVERIES as usize).collect();
        for (place, site) in arriving.into_iter().enumerate() {
            let number = ids::SESSIONS + place as u32;
            if owns(&number) {
                self.begin(Start { minute, number, receives: true }, site, estate);
            }
        }

        // Some jobs and errors come by day and night alike.
        let by_day = STEADY + (1.0 - STEADY) * activity;
        for number in (0..count(self.jobs_per_minute * by_day, JOBS, ids::JOBS)).filter(owns) {
            let mut draw = Stream::of(shard.seed, JOB, u64::from(number), minute);
            let terminal = draw.below(estate.terminals.len() as u64) as usize;
            let user = FIRST_USER + draw.below(HEADQUARTERS_USERS as u64) as i64;
            let job = jobs.by_user(minute, number, user, terminal);
            self.queue(job, Some(ids::part(minute, number, 4, 0)), estate);
        }
        if rhythm.rolls_out(&local) {
            for (index, terminal) in estate.terminals.iter().enumerate().filter(|(at, _)| shard.owns(*at as u64)) {
                if rhythm.update(index, terminal.group, local.day) == Some(minute_of_day(&local)) {
                    self.queue(jobs.of_rollout(minute, index), None, estate);
                }
            }
        }

        let clusters = count(self.clusters_per_minute * by_day, CLUSTERS, ids::CLUSTERS);
        for number in (0..clusters).filter(owns) {
            self.cluster(minute, number, estate);
        }
    }

    fn begin(&mut self, start: Start, site: usize, estate: &Estate) {
        let waiting = std::cell::RefCell::new(&mut self.waiting);
        self.sessions.run(
            start,
            site,
            estate,
            |activity| waiting.borrow_mut().push(Event::Activity(activity)),
            |call| waiting.borrow_mut().push(Event::Call(call)),
        );
    }

    /// A job, with the call that ordered it where a user did, and the one that acknowledges it.
    fn queue(&mut self, job: Job, ordered: Option<u64>, estate: &Estate) {
        let site = estate.terminals.get(job.terminal).map_or(0, |terminal| terminal.site);
        let call = |t: Timestamp, id: i64, endpoint: usize, source: Source| Request {
            id,
            t,
            endpoint,
            source,
            site,
            terminal: Some(job.terminal),
        };
        if let Some(index) = ordered {
            self.waiting.push(Event::Call(call(
                job.queued,
                ids::of(job.queued, Lane::Job, index),
                NEW_JOB,
                Source::Job,
            )));
        }
        let t = job.acknowledged();
        let id = match ordered {
            Some(index) => ids::of(t, Lane::Job, index + 1),
            None => ids::of(t, Lane::Rollout, job.terminal as u64),
        };
        self.waiting.push(Event::Acknowledge(call(t, id, ACKNOWLEDGE, Source::Agent)));
        self.waiting.push(Event::Job(job));
    }

    /// Errors on one terminal, shortly after each other.
    fn cluster(&mut self, minute: i64, number: u32, estate: &Estate) {
        let mut draw = Stream::of(self.shard.seed, CLUSTER, u64::from(number), minute);
        let terminal = draw.below(estate.terminals.len() as u64) as usize;
        let site = estate.terminals.get(terminal).map(|terminal| terminal.site);
        let mut t = minute * MINUTE + draw.below(60_000) as i64 * MILLISECOND;
        let bits = draw.next();
        for part in 0..MOST_IN_CLUSTER {
            self.waiting.push(Event::Error(Entry {
                id: ids::of(t, Lane::Cluster, ids::part(minute, number, 5, part)),
                t,
                message: Message::Terminal,
                bits,
                terminal: Some(terminal),
                site,
                request: None,
                occurrences: 1,
                incident: None,
            }));
            if draw.chance(1.0 / CLUSTER_ERRORS) {
                return;
            }
            t += SECOND + draw.below(CLUSTER_GAP_SECONDS * 1_000) as i64 * MILLISECOND;
        }
    }
}

/// A site, the more likely the more terminals it has and the busier it is.
fn busy_site(seed: u64, minute: i64, number: u32, estate: &Estate, level: impl Fn(usize) -> f64) -> usize {
    let mut site = 0;
    for attempt in 0..TRIES {
        let mut draw = Stream::of(seed, SITE, u64::from(number) << 8 | attempt, minute);
        let terminal = draw.below(estate.terminals.len() as u64) as usize;
        site = estate.terminals.get(terminal).map_or(0, |terminal| terminal.site);
        if draw.unit() * 1.25 < level(site) {
            break;
        }
    }
    site
}
