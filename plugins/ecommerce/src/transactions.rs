//! Rows of `transactions`: what one second's arrivals logged.
//!
//! Each row draws from a stream of its own, keyed by second and index, so any partition can make any row without the others.

use telemill_sdk::quantile::QuantileTable;
use telemill_sdk::{
    DictionaryColumn, Effects, I32Column, I64Column, Nullable, Process, Shard, Steps, TextColumn, TimestampColumn,
    Weighted, hash, table,
};

use crate::catalogue::Catalogue;
use crate::marks::Marks;
use crate::system::System;

mod chunk;
mod draw;

use chunk::Chunk;
use draw::{Draw, INDEX_BITS};

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
    // Trouble changes how calls end, and more demand how many there are.
    moved_by: {
        "demand": [
            timestamp, transaction_id, trace_id, session_id, user_id, service, operation, http_method, http_path, amount,
            currency, payment_provider, channel, region, host,
        ],
    },
}

const COUNT: Process = Process::named("transaction count");
const CLUSTER: Process = Process::named("transaction cluster");
const ROW: Process = Process::named("transaction");

const USER_ZIPF: f64 = 0.8;
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
    amount_median: Option<f32>,
    pays: bool,
    first_host: u32,
    hosts: u32,
}

/// What rows are looked up in.
#[derive(Debug)]
struct Tables {
    lines: Vec<Line>,
    host_regions: Vec<u32>,
    users: Weighted,
    latency: QuantileTable,
    slow_latency: QuantileTable,
    amounts: QuantileTable,
}

/// Makes the rows of one shard.
#[derive(Debug)]
pub struct TransactionLog {
    seed: u64,
    partition: u32,
    partitions: u32,
    tables: Tables,
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
                amount_median: operation.amount_median.map(|amount| amount as f32),
                pays: operation.pays,
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
            partitions: shard.partitions.max(1),
            tables: Tables {
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
            },
            chunk: Box::default(),
            rows,
        }
    }

    /// The rows so far, with the ids of the incidents that they name.
    pub fn rows(&mut self, catalogue: &Catalogue, ids: &[String]) -> &mut Transactions {
        self.chunk.flush(&self.tables, catalogue, &mut self.rows);
        self.rows.incident_id.inner_mut().set_values(ids);
        &mut self.rows
    }

    /// Response times in relation to their median: normal ones, and those of an operation in trouble.
    pub fn latency_tables(&self) -> (&QuantileTable, &QuantileTable) {
        (&self.tables.latency, &self.tables.slow_latency)
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
        let draw = Draw {
            second,
            pairs,
            rows: Steps::of(self.seed, ROW, second as u64),
            clusters: Steps::of(self.seed, CLUSTER, second as u64),
        };
        let mut next = self.partition;
        while next < calls {
            if self.chunk.is_full() {
                self.chunk.flush(&self.tables, catalogue, &mut self.rows);
            }
            let left = (calls - next).div_ceil(self.partitions);
            let taken = self.chunk.draw(&draw, (next, self.partitions, left), catalogue);
            self.chunk.meet_state(taken, &self.tables, system.operations(), blip, marks, effects);
            next += taken * self.partitions;
        }
    }
}
