//! Rows of `device_metrics`: what a terminal's agent reads and sends.
//!
//! Sales drive processor, disk and network; the level of the site drives sales. Memory and disk use are sticky, the rest is spiky.

use telemill_sdk::demand::Poisson;
use telemill_sdk::noise::OrnsteinUhlenbeck;
use telemill_sdk::quantile::QuantileTable;
use telemill_sdk::time::{MINUTE, SECOND};
use telemill_sdk::{
    DictionaryColumn, Effects, F64Column, I32Column, Nullable, Process, Shard, Steps, Timestamp, TimestampColumn,
    Window, hash, table,
};

use crate::config::Config;
use crate::inventory::{Estate, Terminal};
use crate::rhythm::{Rhythm, minute_of_day};
use crate::signals::{Signals, bend};

table! {
    /// What terminals report.
    #[derive(Debug)]
    pub struct DeviceMetrics("device_metrics") {
        /// When it was read.
        time: TimestampColumn,
        /// Which terminal.
        device_id: DictionaryColumn,
        /// Where it stands.
        site_id: DictionaryColumn,
        /// Busy share of the processor.
        cpu_pct: F64Column => "%",
        /// Used share of the memory.
        memory_pct: F64Column => "%",
        /// Used share of the disk.
        disk_pct: F64Column => "%",
        /// Written to and read from the disk.
        disk_io_kbps: F64Column => "kBy/s",
        /// Sent and received.
        network_kbps: F64Column => "kbit/s",
        /// Round trip to the platform, with what had to be sent again.
        network_latency_ms: F64Column => "ms",
        /// Sales rung up since the last reading.
        transactions: I32Column,
        /// The incident that changed the reading most.
        incident_id: Nullable<DictionaryColumn>,
    }
    time_field: "time",
    primary_key: ["time", "device_id"],
}

const MEMORY: Process = Process::named("terminal memory");
const DISK: Process = Process::named("terminal disk");
const CPU: Process = Process::named("terminal processor");
const OWN: Process = Process::named("what a terminal is like");
const SALE: Process = Process::named("sale");
const SPIKE: Process = Process::named("terminal spike");
const LOST: Process = Process::named("lost report");

/// Correlation of neighbouring readings, out of the two families of real telemetry: 0.96 to 0.99, and 0 to 0.4.
const STICKY: f64 = 0.98;
const STICKY_DISK: f64 = 0.975;
const SPIKY: f64 = 0.3;
/// Sales a minute of a terminal at its site's peak.
const SALES_PER_MINUTE: f64 = 1.5;
/// Share of packets that a good line loses.
pub const NORMAL_LOSS: f64 = 0.003;
/// Each lost packet costs a wait for its repetition, so many round trips of the rest.
const REPEAT_COST: f64 = 25.0;
/// What logs add to a disk in a day, and the local minute at which they are rotated.
const LOGS_PCT: f64 = 4.0;
const ROTATED_AT_MINUTE: i64 = 3 * 60;

/// The share of reports that get lost on a line that loses a share of its packets: a report is repeated, until it is too late.
pub fn lost_share(packet_loss: f64) -> f64 {
    ((packet_loss - 0.2) / 0.6).clamp(0.0, 1.0)
}

/// Whether a terminal's report or job at an instant gets lost.
pub fn is_lost(seed: u64, terminal: usize, t: Timestamp, packet_loss: f64) -> bool {
    let share = lost_share(packet_loss);
    share > 0.0 && ((hash(seed, LOST, terminal as u64, t) >> 32) as f64) < share * 4_294_967_296.0
}

/// One terminal of this shard.
#[derive(Debug)]
struct Unit {
    index: usize,
    memory: OrnsteinUhlenbeck,
    disk: OrnsteinUhlenbeck,
    cpu: OrnsteinUhlenbeck,
    spikes: [Steps; 2],
    sales: Steps,
    idle_cpu_pct: f64,
    sale_cpu_pct: f64,
    memory_pct: f64,
    disk_pct: f64,
    latency_ms: f64,
}

/// Makes the rows of one shard.
#[derive(Debug)]
pub struct MetricsLog {
    seed: u64,
    step_micros: i64,
    units: Vec<Unit>,
    spikes: QuantileTable,
    /// Levels of the sites, a row of minutes each, over the window that is made.
    levels: Vec<Vec<f64>>,
    /// The rows so far.
    pub rows: DeviceMetrics,
}

impl MetricsLog {
    /// The log of a shard.
    pub fn new(config: &Config, estate: &Estate, shard: &Shard) -> Self {
        let seed = shard.seed;
        let units = (0..estate.terminals.len()).filter(|index| shard.owns(*index as u64)).map(|index| {
            let entity = index as u64;
            let own = |what: i64| (hash(seed, OWN, entity, what) >> 11) as f64 / (1u64 << 53) as f64;
            Unit {
                index,
                memory: OrnsteinUhlenbeck::with_lag_1(hash(seed, MEMORY, entity, 0), STICKY),
                disk: OrnsteinUhlenbeck::with_lag_1(hash(seed, DISK, entity, 0), STICKY_DISK),
                cpu: OrnsteinUhlenbeck::with_lag_1(hash(seed, CPU, entity, 0), SPIKY),
                spikes: [Steps::of(seed, SPIKE, entity), Steps::of(seed, SPIKE, entity ^ (1 << 40))],
                sales: Steps::of(seed, SALE, entity),
                idle_cpu_pct: 4.0 + 5.0 * own(0),
                sale_cpu_pct: 12.0 + 10.0 * own(1),
                memory_pct: 42.0 + 22.0 * own(2),
                disk_pct: 30.0 + 30.0 * own(3),
                latency_ms: 8.0 + 20.0 * own(4),
            }
        });
        let mut rows = DeviceMetrics::default();
        rows.device_id.set_values(estate.terminals.iter().map(|terminal| &terminal.id));
        rows.site_id.set_values(estate.sites.iter().map(|site| &site.id));
        Self {
            seed,
            step_micros: i64::from(config.metrics_seconds) * SECOND,
            units: units.collect(),
            // Kurtosis far above a normal law's, as disks and networks of real machines have.
            spikes: QuantileTable::lognormal_with_pareto_tail(0.3, 0.02, 2.2),
            levels: Vec::new(),
            rows,
        }
    }

    /// This shard's readings of a window; `effects` where any may act in it.
    pub fn log(&mut self, window: Window, estate: &Estate, rhythm: &mut Rhythm, effects: Option<&Effects>) {
        let first = window.start.div_euclid(MINUTE);
        let last = (window.end - 1).div_euclid(MINUTE);
        self.levels.clear();
        for (at, site) in estate.sites.iter().enumerate() {
            self.levels.push((first..=last).map(|minute| rhythm.level(at, site, minute)).collect());
        }
        let locals: Vec<_> = (first..=last).map(|minute| rhythm.local(minute)).collect();
        for unit in &mut self.units {
            let Some(terminal) = estate.terminals.get(unit.index) else { continue };
            let acting = effects.filter(|effects| terminal.chain.iter().any(|target| effects.any_on(*target, window)));
            let Some(levels) = self.levels.get(terminal.site) else { continue };
            for ((minute, level), local) in (first..=last).zip(levels).zip(&locals) {
                let start = window.start.max(minute * MINUTE);
                let end = window.end.min((minute + 1) * MINUTE);
                let sales = Poisson::new(level * SALES_PER_MINUTE * self.step_micros as f64 / MINUTE as f64);
                let updating = rhythm.updates(unit.index, terminal.group, local);
                let since_rotation = (minute_of_day(local) - ROTATED_AT_MINUTE).rem_euclid(1_440) as f64 / 1_440.0;
                let still = Still { level: *level, sales, updating, logs_pct: LOGS_PCT * since_rotation };
                let mut t = start + (-start).rem_euclid(self.step_micros);
                while t < end {
                    unit.read(t, self.step_micros, self.seed, terminal, &still, &self.spikes, acting, &mut self.rows);
                    t += self.step_micros;
                }
            }
        }
    }
}

/// What holds still for a minute.
struct Still {
    level: f64,
    sales: Poisson,
    updating: bool,
    logs_pct: f64,
}

impl Unit {
    #[expect(clippy::too_many_arguments, reason = "one reading, from all that it follows from")]
    fn read(
        &mut self,
        t: Timestamp,
        step_micros: i64,
        seed: u64,
        terminal: &Terminal,
        still: &Still,
        spikes: &QuantileTable,
        effects: Option<&Effects>,
        rows: &mut DeviceMetrics,
    ) {
        let step = t.div_euclid(step_micros);
        let mut blame = None;
        let mut bent = |signal: Signals, base: f64| match effects {
            Some(effects) => bend(effects, &terminal.chain, signal, t, base, &mut blame),
            None => base,
        };
        let loss = bent(Signals::PacketLoss, NORMAL_LOSS).clamp(0.0, 1.0);
        if is_lost(seed, self.index, t, loss) {
            return;
        }
        let [bits, more] = [self.spikes[0].hash(step), self.spikes[1].hash(step)];
        let sales = f64::from(still.sales.draw(self.sales.hash(step)));
        let update = if still.updating { 1.0 } else { 0.0 };
        let spike = |bits: u64| f64::from(spikes.draw(bits as u32));
        let noise = 2.2 * self.cpu.at(step);
        let cpu =
            self.idle_cpu_pct + 9.0 * still.level + self.sale_cpu_pct * sales * spike(bits) + 24.0 * update + noise;
        let cpu = bent(Signals::Cpu, cpu.max(0.5)).clamp(0.0, 100.0);
        let memory = self.memory_pct + 6.0 * still.level + 2.4 * self.memory.at(step) + 5.0 * update;
        let memory = bent(Signals::Memory, memory).clamp(0.0, 99.5);
        let disk = self.disk_pct + still.logs_pct + 0.5 * self.disk.at(step);
        let disk = bent(Signals::Disk, disk).clamp(0.0, 100.0);
        let disk_io = (18.0 + 85.0 * sales + 900.0 * update) * spike(bits >> 32).powi(2);
        let network = (5.0 + 34.0 * sales + 420.0 * update) * spike(more).powi(2);
        let latency = self.latency_ms * spike(more >> 32) * (1.0 + REPEAT_COST * loss);

        rows.time.push(t);
        rows.device_id.push(self.index as u32);
        rows.site_id.push(terminal.site as u32);
        rows.cpu_pct.push(round(cpu));
        rows.memory_pct.push(round(memory));
        rows.disk_pct.push(round(disk));
        rows.disk_io_kbps.push(round(disk_io));
        rows.network_kbps.push(round(network));
        rows.network_latency_ms.push(round(latency));
        rows.transactions.push(sales as i32);
        rows.incident_id.push_option(blame.map(|blame| blame.incident as u32));
    }
}

/// Agents report two decimals; the rest would be noise to store.
pub fn round(value: f64) -> f64 {
    (value * 100.0 + 0.5) as i64 as f64 / 100.0
}
