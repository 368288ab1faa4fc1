//! Rows of `infrastructure_metrics`: what an agent on each host reads every ten seconds.
//!
//! Utilisation, latency and errors are the shared system's; this adds the host's own: how it differs from its neighbours, its
//! noise (sticky for memory, spiky for disk and network), and the saw of its heap.

use telemill_sdk::noise::OrnsteinUhlenbeck;
use telemill_sdk::quantile::QuantileTable;
use telemill_sdk::time::SECOND;
use telemill_sdk::{
    DictionaryColumn, Effects, F64Column, I32Column, Nullable, Process, Shard, TimestampColumn, hash, table,
};

use crate::catalogue::{Catalogue, Host};
use crate::marks::Marks;
use crate::operations::{MEMORY_PCT, Mark, connections_share};
use crate::signals::Signals;
use crate::system::{ServiceState, System, TICK_SECONDS};

table! {
    /// What an agent on each host reads every ten seconds.
    #[derive(Debug)]
    pub struct InfrastructureMetrics("infrastructure_metrics") {
        /// When it was read.
        timestamp: TimestampColumn,
        /// The host.
        host: DictionaryColumn,
        /// The service that runs on it.
        service: DictionaryColumn,
        /// Where it stands.
        region: DictionaryColumn,
        /// Busy share of the processors.
        cpu_pct: F64Column => "%",
        /// Used share of the memory.
        memory_used_pct: F64Column => "%",
        /// Used heap; it saws with the collections.
        heap_used_mib: F64Column => "MiBy",
        /// Largest heap.
        heap_max_mib: F64Column => "MiBy",
        /// Time that collections stopped the host within the ten seconds.
        gc_pause_ms: F64Column => "ms",
        /// Worker threads in use.
        threads_active: I32Column,
        /// Most worker threads.
        threads_max: I32Column,
        /// Database connections in use.
        db_connections_used: I32Column,
        /// Most database connections.
        db_connections_max: I32Column,
        /// Calls that wait.
        queue_depth: F64Column,
        /// Calls per second.
        request_rate_rps: F64Column => "/s",
        /// Share of calls that fail.
        error_rate_pct: F64Column => "%",
        /// Share of calls without an answer in time.
        timeout_rate_pct: F64Column => "%",
        /// Share of calls that an open circuit breaker refuses.
        rejection_rate_pct: F64Column => "%",
        /// Share of calls that are tried again.
        retry_rate_pct: F64Column => "%",
        /// Median response time.
        latency_p50_ms: F64Column => "ms",
        /// 95 % of calls are faster.
        latency_p95_ms: F64Column => "ms",
        /// 99 % of calls are faster.
        latency_p99_ms: F64Column => "ms",
        /// Traffic of the network.
        network_mbps: F64Column => "Mbit/s",
        /// Writes to disk.
        disk_write_mbps: F64Column => "MBy/s",
        /// normal, incident or recovery.
        phase: DictionaryColumn,
        /// The incident that changed the host's circumstances most.
        incident_id: Nullable<DictionaryColumn>,
    }
    time_field: "timestamp",
    primary_key: ["timestamp", "host"],
    moved_by: {
        "": [timestamp, host, service, region, heap_max_mib, threads_max, db_connections_max],
        "demand": [request_rate_rps, network_mbps, disk_write_mbps],
        "memory": [memory_used_pct, heap_used_mib],
        "demand, capacity, retry_rate, memory, cpu": [cpu_pct],
        "demand, capacity, retry_rate, memory, gc_pause": [gc_pause_ms],
    },
}

const HOST: Process = Process::named("host");
const NOISE: Process = Process::named("host noise");
const SPIKE: Process = Process::named("host spike");
const HEAP: Process = Process::named("heap saw");

const IDLE_CPU_PCT: f64 = 6.0;
const BUSY_CPU_PCT: f64 = 88.0;
/// The heap saws within blocks of two hours, which begin with a collection.
const SAW_BLOCK_SECONDS: i64 = 7_200;
const LONGEST_LATENCY_MS: f64 = 35_000.0;
/// Bytes that a call moves, both ways, in megabits.
const CALL_MBIT: f64 = 0.35;
/// Work that a call in flight occupies besides its own thread.
const THREADS_PER_CALL: f64 = 6.0;
const IDLE_THREADS: f64 = 8.0;

/// A host's own processes.
#[derive(Debug)]
struct Unit {
    index: usize,
    /// How it differs from its neighbours: load and memory.
    skew: f64,
    memory_pct: f64,
    saw_offset: i64,
    saw_cycles: (i64, f64),
    cpu: OrnsteinUhlenbeck,
    memory: OrnsteinUhlenbeck,
    network: OrnsteinUhlenbeck,
    disk: OrnsteinUhlenbeck,
}

/// Makes the rows of one shard's hosts.
#[derive(Debug)]
pub struct MetricsLog {
    seed: u64,
    units: Vec<Unit>,
    /// Median, 95 % and 99 % of response times in relation to the median, in normal times and in trouble.
    quantiles: [[f64; 3]; 2],
    spikes: QuantileTable,
    /// The rows so far.
    pub rows: InfrastructureMetrics,
}

impl MetricsLog {
    /// The log of a shard.
    pub fn new(catalogue: &Catalogue, latency: (&QuantileTable, &QuantileTable), shard: &Shard) -> Self {
        let units = (0..catalogue.hosts.len()).filter(|&index| shard.owns(index as u64));
        let noise = |host: usize, metric: u64, lag_1: f64| {
            OrnsteinUhlenbeck::with_lag_1(hash(shard.seed, NOISE, host as u64, metric as i64), lag_1)
        };
        let unit = |index: usize| {
            let bits = hash(shard.seed, HOST, index as u64, 0);
            let share = |shift: u32| ((bits >> shift) & 0xffff) as f64 / 65_536.0;
            Unit {
                index,
                skew: 0.92 + 0.16 * share(0),
                memory_pct: MEMORY_PCT - 6.0 + 12.0 * share(16),
                saw_offset: (share(32) * SAW_BLOCK_SECONDS as f64) as i64,
                saw_cycles: (i64::MIN, 1.0),
                cpu: noise(index, 0, 0.45),
                memory: noise(index, 1, 0.985),
                network: noise(index, 2, 0.3),
                disk: noise(index, 3, 0.1),
            }
        };
        let mut rows = InfrastructureMetrics::default();
        rows.host.set_values(catalogue.hosts.iter().map(|host| &host.name));
        rows.service.set_values(catalogue.services.iter().map(|service| &service.name));
        rows.region.set_values(&catalogue.regions);
        rows.phase.set_values(Marks::PHASES);
        let quantiles = [latency.0, latency.1].map(|table| [0.5, 0.95, 0.99].map(|p| table.quantile(p)));
        Self {
            seed: shard.seed,
            units: units.map(unit).collect(),
            quantiles,
            // Kurtosis far above a normal law's, as real disks and networks have.
            spikes: QuantileTable::lognormal_with_pareto_tail(0.25, 0.02, 2.2),
            rows,
        }
    }

    /// This shard's readings at the second that begins a tick.
    pub fn log_tick(
        &mut self,
        system: &mut System,
        second: i64,
        catalogue: &Catalogue,
        marks: &mut Marks,
        effects: Option<&Effects>,
    ) {
        let tick = second.div_euclid(TICK_SECONDS);
        for unit in &mut self.units {
            let host = &catalogue.hosts[unit.index];
            let service = &catalogue.services[host.service];
            let state = system.services()[host.service];
            let target = system.targets().host(unit.index);
            let t = second * SECOND;
            let mut mark = service_mark(system, catalogue, host.service, effects);
            let mut bend = |signal: Signals, base: f64| match effects {
                None => base,
                Some(effects) => {
                    let bent = effects.at(target, signal as usize, t);
                    if !bent.is_neutral() {
                        mark = Mark::most(mark, Mark::of(bent.blame(base), effects, t), effects);
                    }
                    bent.apply(base)
                }
            };
            let index = unit.index as u64;
            let spike = |metric: u64| {
                let bits = hash(self.seed, SPIKE, index * 8 + metric, tick);
                f64::from(self.spikes.draw((bits >> 32) as u32))
            };
            let rate = state.rate / service.hosts.len().max(1) as f64 * unit.skew;
            let saw = saw(unit, second, system);
            let busy = IDLE_CPU_PCT + BUSY_CPU_PCT * state.queue.utilisation * unit.skew;
            let pressed = 1.0 + 0.8 * state.mean.memory_pressure;
            let cpu_pct = bend(Signals::Cpu, (busy * pressed + 2.5 * unit.cpu.at(tick) * spike(0)).max(1.0));
            let memory_base = unit.memory_pct + 2.5 * unit.memory.at(tick) + 7.0 * saw;
            let memory_pct = bend(Signals::Memory, memory_base).clamp(0.0, 99.5);
            // What fills memory is the heap's live part: it rises from its normal third as memory does.
            let live = (0.33 * memory_pct / memory_base.max(1.0)).min(0.9);
            let heap_share = (live + (0.97 - live) * 0.75 * saw).min(0.99);
            let gc_pause_ms = bend(Signals::GcPause, collections(&state, heap_share, saw < SAW_FRESH, spike(1)));
            let latency_ms = state.mean.latency_ms * (0.96 + 0.04 * spike(2));
            let (threads, waiting) = threads(host, rate, latency_ms, |base| bend(Signals::Threads, base));
            let most = f64::from(host.db_connections_max);
            let connections = bend(Signals::DbConnections, connections_share(state.queue.utilisation * unit.skew));
            let connections = (connections * most * (0.9 + 0.1 * spike(3))).clamp(0.0, most);
            let request_rate = rate * (0.9 + 0.1 * spike(4));
            let failures = 0.8 + 0.2 * spike(5);
            let network = request_rate * CALL_MBIT * (1.0 + 0.3 * unit.network.at(tick)).max(0.1) * spike(6).powi(2);
            let disk = (0.6 + 0.05 * rate) * (1.0 + 0.2 * unit.disk.at(tick)).max(0.1) * spike(7).powi(2);

            let rows = &mut self.rows;
            rows.timestamp.push(t);
            rows.host.push(unit.index as u32);
            rows.service.push(host.service as u32);
            rows.region.push(host.region);
            rows.cpu_pct.push(round(cpu_pct.clamp(0.0, 100.0)));
            rows.memory_used_pct.push(round(memory_pct));
            rows.heap_used_mib.push(round(heap_share * host.heap_max_mib));
            rows.heap_max_mib.push(host.heap_max_mib);
            rows.gc_pause_ms.push(round(gc_pause_ms.max(0.0)));
            rows.threads_active.push(threads);
            rows.threads_max.push(host.threads_max as i32);
            rows.db_connections_used.push(connections.round() as i32);
            rows.db_connections_max.push(host.db_connections_max as i32);
            rows.queue_depth.push(round(state.queue.depth / service.hosts.len().max(1) as f64 + waiting));
            rows.request_rate_rps.push(round(request_rate));
            let pct = |share: f64| round((share * failures * 100.0).clamp(0.0, 100.0));
            rows.error_rate_pct.push(pct(state.mean.errors));
            rows.timeout_rate_pct.push(pct(state.mean.timeouts));
            rows.rejection_rate_pct.push(pct(state.mean.rejections));
            rows.retry_rate_pct.push(pct(state.mean.retries));
            let [normal, slow] = self.quantiles;
            let quantile = |at: usize| {
                let stretched = (normal[at] - 1.0).max(0.0) * state.mean.stretch;
                let factor = normal[at] + (slow[at] - normal[at]) * state.mean.slow + stretched;
                round((latency_ms * factor).min(LONGEST_LATENCY_MS))
            };
            rows.latency_p50_ms.push(quantile(0));
            rows.latency_p95_ms.push(quantile(1));
            rows.latency_p99_ms.push(quantile(2));
            rows.network_mbps.push(round(network));
            rows.disk_write_mbps.push(round(disk));
            match (mark, effects) {
                (Some(mark), Some(effects)) => {
                    rows.phase.push(Marks::phase(&mark));
                    rows.incident_id.push(marks.key(mark.incident, effects));
                }
                _ => {
                    rows.phase.push(0);
                    rows.incident_id.push_null();
                }
            }
        }
    }
}

/// Within this much of a tooth the collection that began it lies within the last ten seconds, or nearly.
const SAW_FRESH: f64 = 0.012;

/// The worst mark of a service's operations: what they suffer, its hosts show.
fn service_mark(system: &System, catalogue: &Catalogue, service: usize, effects: Option<&Effects>) -> Option<Mark> {
    let effects = effects?;
    system.operations()[catalogue.services[service].operations.clone()]
        .iter()
        .fold(None, |most, operation| Mark::most(most, operation.mark, effects))
}

/// Where the heap stands between two collections, 0 to 1. The number of collections in a block follows the demand in its
/// middle, so no history is needed to know the phase.
fn saw(unit: &mut Unit, second: i64, system: &mut System) -> f64 {
    let at = second + unit.saw_offset;
    let block = at.div_euclid(SAW_BLOCK_SECONDS);
    if unit.saw_cycles.0 != block {
        let middle = block * SAW_BLOCK_SECONDS + SAW_BLOCK_SECONDS / 2 - unit.saw_offset;
        let load = system.expected_rate(middle) / system.peak_rate();
        let jitter = (hash(unit.index as u64, HEAP, 0, block) >> 62) as f64;
        unit.saw_cycles = (block, (3.0 + 7.0 * load + jitter).round().max(1.0));
    }
    let place = at.rem_euclid(SAW_BLOCK_SECONDS) as f64 / SAW_BLOCK_SECONDS as f64;
    (place * unit.saw_cycles.1).fract()
}

/// Pauses of ten seconds: the young generation's always, and a long one after a full collection; both grow as the heap fills up.
fn collections(state: &ServiceState, heap_share: f64, full: bool, spike: f64) -> f64 {
    let young = (4.0 + 30.0 * state.queue.utilisation) * spike;
    let old = if full { 140.0 } else { 0.0 };
    (young + old) * (1.0 + 0.2 * heap_share / (1.0 - heap_share))
}

/// Threads in use by Little's law, and the calls that find none.
fn threads(host: &Host, rate: f64, latency_ms: f64, bend: impl FnOnce(f64) -> f64) -> (i32, f64) {
    let most = f64::from(host.threads_max);
    let wanted = bend(IDLE_THREADS + THREADS_PER_CALL * rate * latency_ms / 1000.0).max(0.0);
    (wanted.min(most).round() as i32, (wanted - most).max(0.0))
}

/// Agents report three decimals; the rest would be noise to store.
fn round(value: f64) -> f64 {
    (value * 1000.0 + 0.5) as i64 as f64 / 1000.0
}
