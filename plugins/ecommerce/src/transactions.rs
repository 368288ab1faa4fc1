//! Rows of `transactions`: what one second's arrivals logged.
//!
//! Each row draws from a stream of its own, keyed by second and index, so any partition can make any row without the others.

use telemill_sdk::column::{NULL_KEY, NULL_NUMBER};
use telemill_sdk::quantile::QuantileTable;
use telemill_sdk::time::{MILLISECOND, SECOND};
use telemill_sdk::{
    DictionaryColumn, Effects, I32Column, I64Column, Nullable, Process, Shard, Stream, TextColumn, TimestampColumn,
    Weighted, hash, table,
};

use crate::catalogue::Catalogue;
use crate::marks::Marks;
use crate::operations::OperationState;
use crate::system::System;
use crate::templates::Cause;

table! {
    /// Every call that a service of the shop answered, refused or failed to answer.
    #[derive(Debug)]
    pub struct Transactions("transactions") {
        /// When the call came in, to the millisecond.
        timestamp: TimestampColumn,
        /// Unique: the second since 1970 times 2^20, plus the index within the second.
        transaction_id: I64Column,
        /// 16 hexadecimal digits, the first eight of them the second since 1970; calls of one action of a user share it.
        trace_id: TextColumn,
        /// One user's half an hour.
        session_id: I64Column,
        /// Who called; activity follows Zipf's law.
        user_id: I64Column,
        /// The service that was called.
        service: DictionaryColumn,
        /// What it was asked to do.
        operation: DictionaryColumn,
        /// HTTP method.
        http_method: DictionaryColumn,
        /// HTTP path; popularity follows Zipf's law.
        http_path: DictionaryColumn,
        /// HTTP status.
        http_status: I32Column,
        /// success or error.
        status: DictionaryColumn,
        /// From the call to the last byte of the answer.
        response_time_ms: I32Column => "ms",
        /// Money that the call is about, in minor units.
        amount: Nullable<I64Column>,
        /// Currency of the amount.
        currency: Nullable<DictionaryColumn>,
        /// Who settles the payment.
        payment_provider: Nullable<DictionaryColumn>,
        /// Code of the error.
        error_type: Nullable<DictionaryColumn>,
        /// What the error says.
        error_message: Nullable<DictionaryColumn>,
        /// How often the call was tried again.
        retries: I32Column,
        /// closed, open (the call was refused) or half_open (it was a trial).
        circuit_breaker_state: DictionaryColumn,
        /// Where the user sits: web, android, ios.
        channel: DictionaryColumn,
        /// Region of the host.
        region: DictionaryColumn,
        /// The host that answered.
        host: DictionaryColumn,
        /// normal, incident or recovery.
        phase: DictionaryColumn,
        /// The incident that changed the call's circumstances most.
        incident_id: Nullable<DictionaryColumn>,
    }
    time_field: "timestamp",
    primary_key: ["transaction_id"],
}

const COUNT: Process = Process::named("transaction count");
const CLUSTER: Process = Process::named("transaction cluster");
const ROW: Process = Process::named("transaction");

const CLOSED: u32 = 0;
const OPEN: u32 = 1;
const HALF_OPEN: u32 = 2;

const USER_ZIPF: f64 = 0.8;
const FIRST_USER_ID: i64 = 10_000;
const SESSION_SECONDS: i64 = 1_800;
const INDEX_BITS: u32 = 20;
/// A caller's own deadline, after which nobody waits any more.
const LONGEST_MS: f32 = 35_000.0;
const TIMEOUT_MS: i32 = 30_000;
const POOL_TIMEOUT_MS: i32 = 5_000;
/// Body of response times: 5 to 95 percent within 200 to 800 ms around the medians of the operations.
const LATENCY_SPREAD: f64 = 0.36;
const LATENCY_TAIL_SHARE: f64 = 0.015;
const LATENCY_TAIL_EXPONENT: f64 = 2.5;
/// In trouble all calls are slow, and alike.
const SLOW_SPREAD: f64 = 0.35;
const AMOUNT_SPREAD: f64 = 0.75;

/// What a row needs of its operation, close together.
#[derive(Clone, Copy, Debug)]
struct Line {
    service: u32,
    method: u32,
    path: u32,
    variants: bool,
    pays: bool,
    amount_median: f32,
    first_host: u32,
    hosts: u32,
}

/// Rows are gathered in arrays of this length and moved to the columns together; small enough for the first-level cache.
const CHUNK: usize = 128;

/// Rows on their way to the columns.
#[derive(Debug)]
struct Chunk {
    rows: usize,
    timestamp: [i64; CHUNK],
    transaction_id: [i64; CHUNK],
    trace_id: [u64; CHUNK],
    session_id: [i64; CHUNK],
    user_id: [i64; CHUNK],
    operation: [u32; CHUNK],
    service: [u32; CHUNK],
    http_method: [u32; CHUNK],
    http_path: [u32; CHUNK],
    http_status: [i32; CHUNK],
    status: [u32; CHUNK],
    response_time_ms: [i32; CHUNK],
    amount: [i64; CHUNK],
    currency: [u32; CHUNK],
    payment_provider: [u32; CHUNK],
    error: [u32; CHUNK],
    retries: [i32; CHUNK],
    circuit_breaker_state: [u32; CHUNK],
    channel: [u32; CHUNK],
    region: [u32; CHUNK],
    host: [u32; CHUNK],
    phase: [u32; CHUNK],
    incident: [u32; CHUNK],
}

impl Chunk {
    fn new() -> Self {
        Self {
            rows: 0,
            timestamp: [0; CHUNK],
            transaction_id: [0; CHUNK],
            trace_id: [0; CHUNK],
            session_id: [0; CHUNK],
            user_id: [0; CHUNK],
            operation: [0; CHUNK],
            service: [0; CHUNK],
            http_method: [0; CHUNK],
            http_path: [0; CHUNK],
            http_status: [0; CHUNK],
            status: [0; CHUNK],
            response_time_ms: [0; CHUNK],
            amount: [0; CHUNK],
            currency: [0; CHUNK],
            payment_provider: [0; CHUNK],
            error: [0; CHUNK],
            retries: [0; CHUNK],
            circuit_breaker_state: [0; CHUNK],
            channel: [0; CHUNK],
            region: [0; CHUNK],
            host: [0; CHUNK],
            phase: [0; CHUNK],
            incident: [0; CHUNK],
        }
    }

    /// Moves the rows to the columns.
    fn flush(&mut self, to: &mut Transactions) {
        let n = self.rows.min(CHUNK);
        to.timestamp.push_slice(&self.timestamp[..n]);
        to.transaction_id.push_slice(&self.transaction_id[..n]);
        to.trace_id.push_hex16_slice(&self.trace_id[..n]);
        to.session_id.push_slice(&self.session_id[..n]);
        to.user_id.push_slice(&self.user_id[..n]);
        to.service.push_keys(&self.service[..n]);
        to.operation.push_keys(&self.operation[..n]);
        to.http_method.push_keys(&self.http_method[..n]);
        to.http_path.push_keys(&self.http_path[..n]);
        to.http_status.push_slice(&self.http_status[..n]);
        to.status.push_keys(&self.status[..n]);
        to.response_time_ms.push_slice(&self.response_time_ms[..n]);
        to.amount.push_numbers(&self.amount[..n]);
        to.currency.push_keys(&self.currency[..n]);
        to.payment_provider.push_keys(&self.payment_provider[..n]);
        to.error_type.push_keys(&self.error[..n]);
        to.error_message.push_keys(&self.error[..n]);
        to.retries.push_slice(&self.retries[..n]);
        to.circuit_breaker_state.push_keys(&self.circuit_breaker_state[..n]);
        to.channel.push_keys(&self.channel[..n]);
        to.region.push_keys(&self.region[..n]);
        to.host.push_keys(&self.host[..n]);
        to.phase.push_keys(&self.phase[..n]);
        to.incident_id.push_keys(&self.incident[..n]);
        self.rows = 0;
    }
}

/// Makes the rows of one shard.
#[derive(Debug)]
pub struct TransactionLog {
    seed: u64,
    partition: u32,
    partitions: u32,
    lines: Vec<Line>,
    host_regions: Vec<u32>,
    users: Weighted,
    latency: QuantileTable,
    slow_latency: QuantileTable,
    amounts: QuantileTable,
    chunk: Box<Chunk>,
    rows: Transactions,
}

impl TransactionLog {
    /// The log of a shard.
    pub fn new(catalogue: &Catalogue, users: u32, shard: &Shard) -> Self {
        let lines = catalogue.operations.iter().map(|operation| {
            let service = &catalogue.services[operation.service];
            Line {
                service: operation.service as u32,
                method: operation.method,
                path: operation.path,
                variants: operation.path_variant.is_some(),
                pays: operation.pays,
                amount_median: operation.amount_median.map_or(-1.0, |amount| amount as f32),
                first_host: service.hosts.start as u32,
                hosts: service.hosts.len() as u32,
            }
        });
        let mut rows = Transactions::default();
        rows.service.set_values(catalogue.services.iter().map(|service| &service.name));
        rows.operation.set_values(catalogue.operations.iter().map(|operation| &operation.name));
        rows.http_method.set_values(&catalogue.methods);
        rows.http_path.set_values(&catalogue.paths);
        rows.status.set_values(["success", "error"]);
        rows.currency.inner_mut().set_values(&catalogue.currencies.names);
        rows.payment_provider.inner_mut().set_values(&catalogue.providers.names);
        rows.error_type.inner_mut().set_values(catalogue.errors.iter().map(|error| &error.kind));
        rows.error_message.inner_mut().set_values(catalogue.errors.iter().map(|error| &error.message));
        rows.circuit_breaker_state.set_values(["closed", "open", "half_open"]);
        rows.channel.set_values(&catalogue.channels.names);
        rows.region.set_values(&catalogue.regions);
        rows.host.set_values(catalogue.hosts.iter().map(|host| &host.name));
        rows.phase.set_values(Marks::PHASES);
        Self {
            seed: shard.seed,
            partition: shard.partition,
            partitions: shard.partitions,
            lines: lines.collect(),
            host_regions: catalogue.hosts.iter().map(|host| host.region).collect(),
            users: Weighted::zipf(users as usize, USER_ZIPF),
            latency: QuantileTable::lognormal_with_pareto_tail(
                LATENCY_SPREAD,
                LATENCY_TAIL_SHARE,
                LATENCY_TAIL_EXPONENT,
            ),
            slow_latency: QuantileTable::lognormal(SLOW_SPREAD),
            amounts: QuantileTable::lognormal(AMOUNT_SPREAD),
            chunk: Box::new(Chunk::new()),
            rows,
        }
    }

    /// The rows so far, with the ids of the incidents that they name.
    pub fn rows(&mut self, ids: &[String]) -> &mut Transactions {
        self.chunk.flush(&mut self.rows);
        self.rows.incident_id.inner_mut().set_values(ids);
        &mut self.rows
    }

    /// Response times in relation to their median: normal ones, and those of an operation in trouble.
    pub fn latency_tables(&self) -> (&QuantileTable, &QuantileTable) {
        (&self.latency, &self.slow_latency)
    }

    /// How many calls come in a second, and how many of them in pairs.
    pub fn count(&self, system: &System, second: i64) -> (u32, u32) {
        let arrivals = system.arrivals();
        let pairs = arrivals.pairs.draw(hash(self.seed, COUNT, 1, second));
        let singles = arrivals.singles.draw(hash(self.seed, COUNT, 0, second));
        let limit = 1 << INDEX_BITS;
        let pairs = pairs.min(limit / 2);
        ((singles + 2 * pairs).min(limit), pairs)
    }

    /// This shard's calls of a second.
    pub fn log_second(
        &mut self,
        system: &System,
        second: i64,
        catalogue: &Catalogue,
        marks: &mut Marks,
        effects: &Effects,
    ) {
        let (calls, pairs) = self.count(system, second);
        let blip = system.blip_threshold(second);
        let session = second.div_euclid(SESSION_SECONDS) << INDEX_BITS;
        let operations = system.operations();
        for index in (self.partition..calls).step_by(self.partitions.max(1) as usize) {
            let paired = index < 2 * pairs;
            let cluster = if paired { index / 2 } else { index - pairs };
            // Both calls of a pair see the same bits.
            let shared = hash(self.seed, CLUSTER, second as u64, i64::from(cluster));
            let mut stream = Stream::of(self.seed, ROW, second as u64, i64::from(index));
            let place = stream.next();
            let at = catalogue.mix.pick(place);
            let (line, state) = (self.lines[at], operations[at]);
            let bits = stream.next();
            let more = stream.next();

            let user = self.users.pick(shared) as i64;
            let spread = shared.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut millisecond = ((spread >> 48) * 1_000) >> 16;
            if paired && index % 2 == 1 {
                millisecond = (millisecond + 5 + (more >> 58)).min(999);
            }
            if self.chunk.rows >= CHUNK {
                self.chunk.flush(&mut self.rows);
            }
            let n = self.chunk.rows % CHUNK;
            let chunk = &mut *self.chunk;
            chunk.rows += 1;
            chunk.timestamp[n] = second * SECOND + millisecond as i64 * MILLISECOND;
            chunk.transaction_id[n] = (second << INDEX_BITS) | i64::from(index);
            chunk.trace_id[n] = ((second as u64) << 32) | ((spread >> 16) & 0xffff_ffff);
            chunk.session_id[n] = session | user;
            chunk.user_id[n] = FIRST_USER_ID + user;
            chunk.channel[n] = catalogue.channels.draw.pick(spread.rotate_left(32)) as u32;

            chunk.service[n] = line.service;
            chunk.operation[n] = at as u32;
            chunk.http_method[n] = line.method;
            chunk.http_path[n] = match &catalogue.operations[at].path_variant {
                Some(variants) if line.variants => line.path + variants.pick(stream.next()) as u32,
                _ => line.path,
            };
            let host = line.first_host + (((more & 0xffff) * u64::from(line.hosts)) >> 16) as u32;
            chunk.host[n] = host;
            chunk.region[n] = self.host_regions[host as usize];

            (chunk.amount[n], chunk.currency[n]) = if line.amount_median >= 0.0 {
                let money = stream.next();
                let amount = (line.amount_median * self.amounts.draw((money >> 32) as u32)) as i64;
                (amount.max(1), catalogue.currencies.draw.pick(money.rotate_left(32)) as u32)
            } else {
                (NULL_NUMBER, NULL_KEY)
            };
            chunk.payment_provider[n] =
                if line.pays { catalogue.providers.draw.pick(stream.next()) as u32 } else { NULL_KEY };

            let table = if state.slow { &self.slow_latency } else { &self.latency };
            let latency_ms = (state.latency_ms * table.draw((bits >> 32) as u32)).min(LONGEST_MS) as i32;
            let tried_again = ((more >> 16) as u32) < state.retried_below;
            let fate = bits as u32;
            chunk.http_status[n] = 200;
            chunk.status[n] = 0;
            chunk.response_time_ms[n] = latency_ms.max(1);
            chunk.error[n] = NULL_KEY;
            chunk.retries[n] = i32::from(tried_again);
            chunk.circuit_breaker_state[n] = if state.half_open { HALF_OPEN } else { CLOSED };
            (chunk.phase[n], chunk.incident[n]) = match state.mark {
                None => (0, NULL_KEY),
                Some(mark) => (Marks::phase(&mark), marks.key(mark.incident, effects)),
            };
            if fate < state.failed_below.saturating_add(blip) {
                chunk.fail(n, &state, at, fate, catalogue, stream.next());
            }
        }
    }
}

impl Chunk {
    /// The columns in which a call that failed differs from the success that the row says so far.
    #[cold]
    fn fail(
        &mut self,
        n: usize,
        state: &OperationState,
        operation: usize,
        fate: u32,
        catalogue: &Catalogue,
        bits: u64,
    ) {
        let (latency_ms, again) = (self.response_time_ms[n], self.retries[n]);
        let few = (bits & 0x1f) as i32;
        let (cause, response_ms, retries) = if fate < state.rejected_below {
            self.circuit_breaker_state[n] = OPEN;
            (Cause::Rejection, 3 + few, 0)
        } else if fate < state.timed_out_below {
            (Cause::Timeout, TIMEOUT_MS + few * 8, 1 + few % 3)
        } else if fate < state.stressed_below && state.stress == Cause::Pool {
            (Cause::Pool, latency_ms.max(POOL_TIMEOUT_MS + few), 1 + few % 2)
        } else if fate < state.stressed_below {
            (state.stress, latency_ms, again + few % 2)
        } else {
            (Cause::Normal, latency_ms, again)
        };
        let (templates, draw) = &catalogue.operations[operation].errors[cause as usize];
        let template = templates.get(draw.pick(bits.rotate_left(17))).copied();
        let status = template.and_then(|at| catalogue.errors.get(at as usize)).map_or(500, |error| error.http_status);
        self.http_status[n] = status;
        self.status[n] = 1;
        self.response_time_ms[n] = response_ms;
        self.error[n] = template.unwrap_or(NULL_KEY);
        self.retries[n] = retries;
    }
}
