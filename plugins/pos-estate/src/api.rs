//! Rows of `api_request_logs`: calls of the platform's API by users, agents and jobs.
//!
//! Calls per minute follow what users and agents do; the platform's utilisation drives latency; failures come at a low rate and in
//! short blips, so that errors are clustered. A call that fails leaves a row in the error log.

use telemill_sdk::quantile::QuantileTable;
use telemill_sdk::queue::Queue;
use telemill_sdk::time::{MINUTE, SECOND};
use telemill_sdk::{
    Blame, DictionaryColumn, Effects, F64Column, I32Column, I64Column, Nullable, Process, Stream, Timestamp,
    TimestampColumn, hash, table,
};

use crate::agents::ASKS_EVERY;
use crate::config::Config;
use crate::endpoints::ENDPOINTS;
use crate::errors::{Entry, Message};
use crate::inventory::Estate;
use crate::metrics::round;
use crate::signals::{Signals, Targets, bend};

table! {
    /// Calls of the platform's API.
    #[derive(Debug)]
    pub struct ApiRequestLogs("api_request_logs") {
        /// Unique: the second since 1970, who called, and the index within the second.
        request_id: I64Column,
        /// When the call came in.
        time: TimestampColumn,
        /// HTTP method.
        method: DictionaryColumn,
        /// HTTP path.
        path: DictionaryColumn,
        /// HTTP status.
        status: I32Column,
        /// From the call to the answer.
        latency_ms: F64Column => "ms",
        /// Who called: user, agent or job.
        source: DictionaryColumn,
        /// The site of the user or the terminal.
        site_id: DictionaryColumn,
        /// The terminal that called, or that the call is about.
        device_id: Nullable<DictionaryColumn>,
        /// The user who called.
        user_id: Nullable<I64Column>,
        /// The user's session.
        session_id: Nullable<I64Column>,
        /// The incident that changed the answer most.
        incident_id: Nullable<DictionaryColumn>,
    }
    time_field: "time",
    primary_key: ["request_id"],
    // Terminals that reach nobody ask for nothing.
    moved_by: {
        "packet_loss": [request_id, time, method, path, source, site_id, device_id, user_id, session_id],
        "packet_loss, api_latency, api_errors": [status, latency_ms],
    },
}

/// Calls of users for each thing that they do, measured.
const CALLS_PER_ACTIVITY: f64 = 1.1;
/// Share of the normal errors that are calls of the API; the rest happens on terminals.
pub const API_ERRORS: f64 = 0.7;
/// Share of those that come in blips, how many seconds one lasts, and how many errors it has where there are calls enough.
const BLIP_SHARE: f64 = 0.6;
const BLIP_SECONDS: i64 = 8;
const BLIP_ERRORS: f64 = 5.0;
const BLIP_WORST: f64 = 0.4;
/// Utilisation of the platform at twice the average of calls; it has eight workers.
const BUSY: f64 = 0.6;
const WORKERS: u32 = 8;
/// Callers wait no longer.
pub const DEADLINE_MS: f64 = 10_000.0;

const BLIP: Process = Process::named("api blip");
const CALL: Process = Process::named("api call");

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A user in a session.
    User {
        /// Who.
        user: i64,
        /// The session.
        session: i64,
    },
    /// An agent on a terminal.
    Agent,
    /// The platform's jobs.
    Job,
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Its number.
    pub id: i64,
    /// When it comes in.
    pub t: Timestamp,
    /// The position of its path.
    pub endpoint: usize,
    /// Who calls.
    pub source: Source,
    /// The site.
    pub site: usize,
    /// The terminal that calls, or that the call is about.
    pub terminal: Option<usize>,
}

/// How the API stands in one minute.
#[derive(Clone, Copy, Debug)]
struct Minute {
    index: i64,
    slowdown: f64,
    blip: (i64, i64),
}

/// Makes the rows of one shard.
#[derive(Debug)]
pub struct ApiLog {
    seed: u64,
    latency: QuantileTable,
    queue: Queue,
    agent_calls_per_minute: f64,
    user_calls_per_minute: f64,
    calm_share: f64,
    blip_share: f64,
    blips_per_minute: f64,
    minute: Minute,
    /// The rows so far.
    pub rows: ApiRequestLogs,
}

impl ApiLog {
    /// The log of a shard.
    pub fn new(config: &Config, estate: &Estate, seed: u64) -> Self {
        let agents = estate.terminals.len() as f64 * 60.0 / f64::from(config.agent_call_seconds);
        let agent_calls_per_minute = agents * (1.0 + 1.0 / ASKS_EVERY as f64);
        let user_calls_per_minute = config.activities_per_minute * CALLS_PER_ACTIVITY + config.jobs_per_minute * 2.0;
        let calls = (agent_calls_per_minute + user_calls_per_minute).max(1e-6);
        let errors = config.errors_per_minute * API_ERRORS;
        // As many blips as bring their share of the errors; more of them fail where more than one in two minutes would be needed.
        let calls_in_blip = calls * BLIP_SECONDS as f64 / 60.0;
        let wanted = (BLIP_ERRORS / calls_in_blip).min(BLIP_WORST);
        let blips_per_minute = (BLIP_SHARE * errors / (calls_in_blip * wanted)).min(0.5);
        let blip_share = if blips_per_minute > 0.0 {
            (BLIP_SHARE * errors / (calls_in_blip * blips_per_minute)).min(0.95)
        } else {
            0.0
        };
        let mut rows = ApiRequestLogs::default();
        rows.method.set_values(ENDPOINTS.iter().map(|endpoint| endpoint.method));
        rows.path.set_values(ENDPOINTS.iter().map(|endpoint| endpoint.path));
        rows.source.set_values(["user", "agent", "job"]);
        rows.site_id.set_values(estate.sites.iter().map(|site| &site.id));
        rows.device_id.inner_mut().set_values(estate.terminals.iter().map(|terminal| &terminal.id));
        Self {
            seed,
            latency: QuantileTable::lognormal_with_pareto_tail(0.4, 0.015, 2.5),
            queue: Queue::new(WORKERS, 100.0, 0.0),
            agent_calls_per_minute,
            user_calls_per_minute,
            calm_share: ((1.0 - BLIP_SHARE) * errors / calls).min(0.5),
            blip_share,
            blips_per_minute,
            minute: Minute { index: i64::MIN, slowdown: 1.0, blip: (0, 0) },
            rows,
        }
    }

    /// How the API stands at an instant; `activity` tells how much users do in a minute, in relation to the average.
    fn go_to(&mut self, t: Timestamp, activity: impl FnOnce(i64) -> f64) {
        let index = t.div_euclid(MINUTE);
        if index == self.minute.index {
            return;
        }
        let mean = self.agent_calls_per_minute + self.user_calls_per_minute;
        let calls = self.agent_calls_per_minute + self.user_calls_per_minute * activity(index);
        let load = BUSY * calls / (2.0 * mean.max(1e-6));
        let bits = hash(self.seed, BLIP, 0, index);
        let comes = ((bits >> 32) as f64) < self.blips_per_minute * 4_294_967_296.0;
        let from = (((bits & 0xffff) * (60 - BLIP_SECONDS) as u64) >> 16) as i64;
        self.minute = Minute {
            index,
            slowdown: 1.0 + self.queue.at(load.min(0.97)).wait,
            blip: if comes { (from, from + BLIP_SECONDS) } else { (0, 0) },
        };
    }

    /// How long a call takes, failures apart.
    pub fn latency_ms<'a>(
        &mut self,
        request: &Request,
        activity: impl FnOnce(i64) -> f64,
        effects: Option<&'a Effects>,
        blame: &mut Option<Blame<'a>>,
    ) -> f64 {
        self.go_to(request.t, activity);
        let median = ENDPOINTS.get(request.endpoint).map_or(50.0, |endpoint| endpoint.median_ms);
        let draw = f64::from(self.latency.draw((hash(self.seed, CALL, request.id as u64, 0) >> 32) as u32));
        let normal = median * self.minute.slowdown * draw;
        match effects {
            Some(effects) => bend(effects, &[Targets::API], Signals::ApiLatency, request.t, normal, blame).max(0.1),
            None => normal,
        }
    }

    /// Logs a call; what went wrong, if anything did.
    pub fn log(
        &mut self,
        request: &Request,
        activity: impl FnOnce(i64) -> f64,
        effects: Option<&Effects>,
    ) -> Option<Entry> {
        let mut blame = None;
        let latency = self.latency_ms(request, activity, effects, &mut blame);
        let second = request.t.div_euclid(SECOND).rem_euclid(60);
        let in_blip = (self.minute.blip.0..self.minute.blip.1).contains(&second);
        let share = if in_blip { self.blip_share } else { self.calm_share };
        let share = match effects {
            Some(effects) => bend(effects, &[Targets::API], Signals::ApiErrors, request.t, share, &mut blame),
            None => share,
        };
        let endpoint = ENDPOINTS.get(request.endpoint).copied().unwrap_or(ENDPOINTS[0]);
        let mut stream = Stream::of(self.seed, CALL, request.id as u64, 1);
        let fails = stream.chance(share);
        let kind = stream.unit();
        let (status, latency, message) = if latency >= DEADLINE_MS || (fails && kind < 0.4) {
            (504, DEADLINE_MS + 5.0 * stream.unit(), Some(Message::Timeout))
        } else if fails && kind < 0.7 && endpoint.method != "GET" {
            (422, latency * 0.5, Some(Message::Validation))
        } else if fails {
            (500, latency, Some(Message::Crash))
        } else {
            (if endpoint.method == "POST" { 201 } else { 200 }, latency, None)
        };
        let incident = blame.map(|blame| blame.incident);
        let (source, user, session) = match request.source {
            Source::User { user, session } => (0, Some(user), Some(session)),
            Source::Agent => (1, None, None),
            Source::Job => (2, None, None),
        };
        let rows = &mut self.rows;
        rows.request_id.push(request.id);
        rows.time.push(request.t);
        rows.method.push(request.endpoint as u32);
        rows.path.push(request.endpoint as u32);
        rows.status.push(status);
        rows.latency_ms.push(round(latency));
        rows.source.push(source);
        rows.site_id.push(request.site as u32);
        rows.device_id.push_option(request.terminal.map(|terminal| terminal as u32));
        rows.user_id.push_option(user);
        rows.session_id.push_option(session);
        rows.incident_id.push_option(incident.map(|incident| incident as u32));
        message.map(|message| Entry {
            id: request.id,
            t: request.t,
            message,
            bits: stream.next(),
            terminal: request.terminal,
            site: Some(request.site),
            request: Some((request.endpoint, request.id)),
            occurrences: 1,
            incident,
        })
    }
}
