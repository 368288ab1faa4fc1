//! Rows of `transactions`: what one second's arrivals logged.
//!
//! Each row draws from a stream of its own, keyed by second and index, so any partition can make any row without the others.

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
    /// The rows so far.
    pub rows: Transactions,
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
            rows,
        }
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
            self.rows.timestamp.push(second * SECOND + millisecond as i64 * MILLISECOND);
            self.rows.transaction_id.push(second << INDEX_BITS | i64::from(index));
            self.rows.trace_id.push_hex16((second as u64) << 32 | spread >> 16 & 0xffff_ffff);
            self.rows.session_id.push(session | user);
            self.rows.user_id.push(FIRST_USER_ID + user);
            self.rows.channel.push(catalogue.channels.draw.pick(spread.rotate_left(32)) as u32);

            self.rows.service.push(line.service);
            self.rows.operation.push(at as u32);
            self.rows.http_method.push(line.method);
            let path = match &catalogue.operations[at].path_variant {
                Some(variants) if line.variants => line.path + variants.pick(stream.next()) as u32,
                _ => line.path,
            };
            self.rows.http_path.push(path);
            let host = line.first_host + (((more & 0xffff) * u64::from(line.hosts)) >> 16) as u32;
            self.rows.host.push(host);
            self.rows.region.push(self.host_regions[host as usize]);

            if line.amount_median >= 0.0 {
                let money = stream.next();
                self.rows.amount.push((line.amount_median * self.amounts.draw((money >> 32) as u32)) as i64);
                self.rows.currency.push(catalogue.currencies.draw.pick(money.rotate_left(32)) as u32);
            } else {
                self.rows.amount.push_null();
                self.rows.currency.push_null();
            }
            if line.pays {
                self.rows.payment_provider.push(catalogue.providers.draw.pick(stream.next()) as u32);
            } else {
                self.rows.payment_provider.push_null();
            }

            let table = if state.slow { &self.slow_latency } else { &self.latency };
            let latency_ms = (state.latency_ms * table.draw((bits >> 32) as u32)).min(LONGEST_MS) as i32;
            let tried_again = ((more >> 16) as u32) < state.retried_below;
            let fate = bits as u32;
            if fate < state.failed_below.saturating_add(blip) {
                self.fail(&state, at, fate, latency_ms, tried_again, catalogue, stream.next());
            } else {
                self.rows.http_status.push(200);
                self.rows.status.push(0);
                self.rows.response_time_ms.push(latency_ms.max(1));
                self.rows.error_type.push_null();
                self.rows.error_message.push_null();
                self.rows.retries.push(i32::from(tried_again));
                self.rows.circuit_breaker_state.push(if state.half_open { HALF_OPEN } else { CLOSED });
            }
            match state.mark {
                None => {
                    self.rows.phase.push(0);
                    self.rows.incident_id.push_null();
                }
                Some(mark) => {
                    self.rows.phase.push(Marks::phase(&mark));
                    self.rows.incident_id.push(marks.key(mark.incident, effects));
                }
            }
        }
    }

    /// The columns in which a call that failed differs.
    #[cold]
    #[expect(clippy::too_many_arguments, reason = "the rest of a row that is half written")]
    fn fail(
        &mut self,
        state: &OperationState,
        operation: usize,
        fate: u32,
        latency_ms: i32,
        tried_again: bool,
        catalogue: &Catalogue,
        bits: u64,
    ) {
        let again = i32::from(tried_again);
        let few = (bits & 0x1f) as i32;
        let (cause, response_ms, retries, breaker) = if fate < state.rejected_below {
            (Cause::Rejection, 3 + few, 0, OPEN)
        } else if fate < state.timed_out_below {
            (Cause::Timeout, TIMEOUT_MS + few * 8, 1 + few % 3, CLOSED)
        } else if fate < state.stressed_below && state.stress == Cause::Pool {
            (Cause::Pool, latency_ms.max(POOL_TIMEOUT_MS + few), 1 + few % 2, CLOSED)
        } else if fate < state.stressed_below {
            (state.stress, latency_ms, again + few % 2, CLOSED)
        } else {
            (Cause::Normal, latency_ms, again, CLOSED)
        };
        let breaker = if breaker == CLOSED && state.half_open { HALF_OPEN } else { breaker };
        let (templates, draw) = &catalogue.operations[operation].errors[cause as usize];
        let template = templates.get(draw.pick(bits.rotate_left(17))).copied();
        let status = template.and_then(|at| catalogue.errors.get(at as usize)).map_or(500, |error| error.http_status);
        self.rows.http_status.push(status);
        self.rows.status.push(1);
        self.rows.response_time_ms.push(response_ms.max(1));
        self.rows.error_type.push_option(template);
        self.rows.error_message.push_option(template);
        self.rows.retries.push(retries);
        self.rows.circuit_breaker_state.push(breaker);
    }
}
