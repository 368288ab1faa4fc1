//! Rows of `device_metrics`: what a terminal's agent reads and sends.
//!
//! Sales drive processor, disk and network; the level of the site drives sales. Memory and disk use are sticky, the rest is spiky.
//! Readings are worked out in whole numbers, since they have two decimals and the sandbox pays more for fractions.

use telemill_sdk::column::NULL_KEY;
use telemill_sdk::demand::Poisson;
use telemill_sdk::time::{Local, MINUTE, SECOND};
use telemill_sdk::whole::{POINT, Quantiles, Wander, number, whole};
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
    // Reports get lost where many packets do.
    moved_by: {
        "packet_loss": [
            time, device_id, site_id, disk_io_kbps, network_kbps, network_latency_ms, transactions,
        ],
        "packet_loss, cpu": [cpu_pct],
        "packet_loss, memory": [memory_pct],
        "packet_loss, disk": [disk_pct],
    },
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

/// Bits below the point of percent, milliseconds and what they are made of; and of spikes, which are factors with median 1.
const UNIT: u32 = 20;
const SPIKE_UNIT: u32 = 18;
/// What goes into readings: percent of the processor at the site's peak, during an update, and by chance.
const CPU_AT_PEAK: f64 = 9.0;
const CPU_UPDATING: f64 = 24.0;
const CPU_NOISE: f64 = 2.2;
/// The same of the memory, and by chance of the disk.
const MEMORY_AT_PEAK: f64 = 6.0;
const MEMORY_UPDATING: f64 = 5.0;
const MEMORY_NOISE: f64 = 2.4;
const DISK_NOISE: f64 = 0.5;
const LEAST_CPU: f64 = 0.5;
const MOST_MEMORY: f64 = 99.5;
/// kB/s of the disk and kbit/s of the network at rest, of each sale, and of an update.
const DISK_IO: [i64; 3] = [18, 85, 900];
const NETWORK: [i64; 3] = [5, 34, 420];

/// One terminal of this shard.
#[derive(Debug)]
struct Unit {
    index: usize,
    memory: Wander,
    disk: Wander,
    cpu: Wander,
    spikes: [Steps; 2],
    sales: Steps,
    idle_cpu: i64,
    sale_cpu: i64,
    memory_rest: i64,
    disk_rest: i64,
    latency: i64,
}

/// Readings are gathered in arrays of this length and moved to the columns together; small enough for the first-level cache.
const CHUNK: usize = 128;

/// Readings of one terminal on their way to the columns: hundredths, but for times and counts.
#[derive(Debug)]
struct Chunk {
    rows: usize,
    time: [Timestamp; CHUNK],
    cpu: [i32; CHUNK],
    memory: [i32; CHUNK],
    disk: [i32; CHUNK],
    /// These two may be too large for 32 bits.
    disk_io: [f64; CHUNK],
    network: [f64; CHUNK],
    latency: [i32; CHUNK],
    sales: [i32; CHUNK],
    incident: [u32; CHUNK],
}

/// The noise of as many readings, as scores.
#[derive(Debug)]
struct Noise {
    memory: [i32; CHUNK],
    disk: [i32; CHUNK],
    cpu: [i32; CHUNK],
}

/// What a site's minute has for all its terminals.
#[derive(Clone, Copy, Debug)]
struct SiteMinute {
    cpu: i64,
    memory: i64,
    sales: Poisson,
    /// Bits below which there is no sale.
    none_below: u64,
}

/// Makes the rows of one shard.
#[derive(Debug)]
pub struct MetricsLog {
    seed: u64,
    step_micros: i64,
    units: Vec<Unit>,
    spikes: Quantiles,
    /// The minutes of each site over the window that is made.
    minutes: Vec<Vec<SiteMinute>>,
    chunk: Box<Chunk>,
    noise: Box<Noise>,
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
                memory: Wander::with_lag_1(hash(seed, MEMORY, entity, 0), STICKY),
                disk: Wander::with_lag_1(hash(seed, DISK, entity, 0), STICKY_DISK),
                cpu: Wander::with_lag_1(hash(seed, CPU, entity, 0), SPIKY),
                spikes: [Steps::of(seed, SPIKE, entity), Steps::of(seed, SPIKE, entity ^ (1 << 40))],
                sales: Steps::of(seed, SALE, entity),
                idle_cpu: whole(4.0 + 5.0 * own(0), UNIT),
                sale_cpu: whole(12.0 + 10.0 * own(1), UNIT),
                memory_rest: whole(42.0 + 22.0 * own(2), UNIT),
                disk_rest: whole(30.0 + 30.0 * own(3), UNIT),
                latency: whole(8.0 + 20.0 * own(4), UNIT),
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
            spikes: Quantiles::lognormal_with_pareto_tail(SPIKE_UNIT, 0.3, 0.02, 2.2),
            minutes: Vec::new(),
            chunk: Box::new(Chunk {
                rows: 0,
                time: [0; CHUNK],
                cpu: [0; CHUNK],
                memory: [0; CHUNK],
                disk: [0; CHUNK],
                disk_io: [0.0; CHUNK],
                network: [0.0; CHUNK],
                latency: [0; CHUNK],
                sales: [0; CHUNK],
                incident: [NULL_KEY; CHUNK],
            }),
            noise: Box::new(Noise { memory: [0; CHUNK], disk: [0; CHUNK], cpu: [0; CHUNK] }),
            rows,
        }
    }

    /// This shard's readings of a window; `effects` where any may act in it.
    pub fn log(&mut self, window: Window, estate: &Estate, rhythm: &mut Rhythm, effects: Option<&Effects>) {
        let step = self.step_micros;
        let first = window.start.div_euclid(MINUTE);
        let last = (window.end - 1).div_euclid(MINUTE);
        self.minutes.clear();
        for (at, site) in estate.sites.iter().enumerate() {
            let minute = |minute: i64| SiteMinute::new(rhythm.level(at, site, minute), step);
            self.minutes.push((first..=last).map(minute).collect());
        }
        let locals: Vec<_> = (first..=last).map(|minute| rhythm.local(minute)).collect();
        let begins = window.start + (-window.start).rem_euclid(step);
        for unit in &mut self.units {
            let index = unit.index;
            let Some(terminal) = estate.terminals.get(index) else { continue };
            let acting = effects.filter(|effects| terminal.chain.iter().any(|target| effects.any_on(*target, window)));
            let Some(minutes) = self.minutes.get(terminal.site) else { continue };
            let still = |t: Timestamp| {
                let minute = t.div_euclid(MINUTE);
                let place = (minute - first) as usize;
                let (of_site, local) = (minutes.get(place)?, locals.get(place)?);
                let still = Still::new(index, terminal, of_site, local, rhythm);
                Some((still, (minute + 1) * MINUTE))
            };
            let mut reading = Reading {
                seed: self.seed,
                step_micros: step,
                end: window.end,
                terminal,
                spikes: &self.spikes,
                effects: acting,
                still,
            };
            let mut t = begins;
            while t < window.end {
                let next = reading.take(unit, t, &mut self.noise, &mut self.chunk);
                self.chunk.push(index, terminal.site, &mut self.rows);
                t = next;
            }
        }
    }
}

impl SiteMinute {
    fn new(level: f64, step_micros: i64) -> Self {
        let sales = Poisson::new(level * SALES_PER_MINUTE * step_micros as f64 / MINUTE as f64);
        Self {
            cpu: whole(CPU_AT_PEAK * level, UNIT),
            memory: whole(MEMORY_AT_PEAK * level, UNIT),
            none_below: sales.none_below(),
            sales,
        }
    }
}

/// What holds still for a terminal's minute.
#[derive(Clone, Copy)]
struct Still {
    cpu: i64,
    memory: i64,
    logs: i64,
    updating: i64,
    sales: Poisson,
    none_below: u64,
}

impl Still {
    fn new(index: usize, terminal: &Terminal, of_site: &SiteMinute, local: &Local, rhythm: &Rhythm) -> Self {
        let updating = i64::from(rhythm.updates(index, terminal.group, local));
        let since_rotation = (minute_of_day(local) - ROTATED_AT_MINUTE).rem_euclid(1_440);
        Self {
            cpu: of_site.cpu + updating * const { whole(CPU_UPDATING, UNIT) },
            memory: of_site.memory + updating * const { whole(MEMORY_UPDATING, UNIT) },
            logs: since_rotation * const { whole(LOGS_PCT, UNIT) } / 1_440,
            updating,
            sales: of_site.sales,
            none_below: of_site.none_below,
        }
    }
}

/// What readings of one terminal follow from.
struct Reading<'a, S> {
    seed: u64,
    step_micros: i64,
    end: Timestamp,
    terminal: &'a Terminal,
    spikes: &'a Quantiles,
    effects: Option<&'a Effects>,
    /// What holds still at an instant, and until when.
    still: S,
}

/// Figures that incidents can bend: percent in units of 2^-20, and the share of packets that get lost.
#[derive(Clone, Copy)]
struct Bendable {
    cpu: i64,
    memory: i64,
    disk: i64,
    loss: f64,
}

impl<S: FnMut(Timestamp) -> Option<(Still, Timestamp)>> Reading<'_, S> {
    /// Takes a chunk of a terminal's readings from `t` on; the instant of the next one.
    fn take(&mut self, unit: &mut Unit, mut t: Timestamp, noise: &mut Noise, chunk: &mut Chunk) -> Timestamp {
        let left = (self.end - t + self.step_micros - 1) / self.step_micros;
        let rows = left.min(CHUNK as i64) as usize;
        let first = t.div_euclid(self.step_micros);
        unit.memory.fill(first, &mut noise.memory[..rows]);
        unit.disk.fill(first, &mut noise.disk[..rows]);
        unit.cpu.fill(first, &mut noise.cpu[..rows]);
        let normal_latency = (unit.latency * const { whole(1.0 + REPEAT_COST * NORMAL_LOSS, UNIT) }) >> UNIT;
        let (mut still, mut until): (Option<Still>, Timestamp) = (None, Timestamp::MIN);
        chunk.rows = 0;
        for (read, step) in (0..rows).zip(first..) {
            if t >= until {
                let now = (self.still)(t);
                still = now.map(|(still, _)| still);
                until = now.map_or(Timestamp::MAX, |(_, until)| until);
            }
            let Some(still) = still else { break };
            let bits = unit.sales.hash(step);
            let sales = if bits < still.none_below { 0 } else { i64::from(still.sales.draw(bits)) };
            let [bits, more] = [unit.spikes[0].hash(step), unit.spikes[1].hash(step)];
            let noise_of = |noise: &[i32; CHUNK], unit: i64| (i64::from(noise[read]) * unit) >> POINT;
            let cpu = unit.idle_cpu + still.cpu + noise_of(&noise.cpu, const { whole(CPU_NOISE, UNIT) });
            let cpu = cpu + ((unit.sale_cpu * sales * self.spikes.draw(bits as u32)) >> SPIKE_UNIT);
            let memory = unit.memory_rest + still.memory;
            let mut figures = Bendable {
                cpu: cpu.max(const { whole(LEAST_CPU, UNIT) }),
                memory: memory + noise_of(&noise.memory, const { whole(MEMORY_NOISE, UNIT) }),
                disk: unit.disk_rest + still.logs + noise_of(&noise.disk, const { whole(DISK_NOISE, UNIT) }),
                loss: NORMAL_LOSS,
            };
            let (mut latency, mut incident) = (normal_latency, NULL_KEY);
            if let Some(effects) = self.effects {
                (figures, incident) = bent(figures, effects, self.terminal, t);
                latency = (unit.latency * whole(1.0 + REPEAT_COST * figures.loss, UNIT)) >> UNIT;
                if is_lost(self.seed, unit.index, t, figures.loss) {
                    t += self.step_micros;
                    continue;
                }
            }
            let n = chunk.rows % CHUNK;
            let spike = |bits: u64| self.spikes.draw(bits as u32);
            let squared = |spike: i64| (spike * spike) >> SPIKE_UNIT;
            let moved = |[rest, of_sale, of_update]: [i64; 3], spike: i64| {
                hundredths((rest + of_sale * sales + of_update * still.updating) * squared(spike), SPIKE_UNIT) as f64
            };
            chunk.time[n] = t;
            chunk.cpu[n] = hundredths(figures.cpu.clamp(0, 100 << UNIT), UNIT) as i32;
            chunk.memory[n] = hundredths(figures.memory.clamp(0, const { whole(MOST_MEMORY, UNIT) }), UNIT) as i32;
            chunk.disk[n] = hundredths(figures.disk.clamp(0, 100 << UNIT), UNIT) as i32;
            chunk.disk_io[n] = moved(DISK_IO, spike(bits >> 32));
            chunk.network[n] = moved(NETWORK, spike(more));
            chunk.latency[n] = hundredths((latency * spike(more >> 32)) >> SPIKE_UNIT, UNIT) as i32;
            chunk.sales[n] = sales as i32;
            chunk.incident[n] = incident;
            chunk.rows += 1;
            t += self.step_micros;
        }
        t
    }
}

/// What incidents make of figures, with the key of the one that changed most.
#[cold]
fn bent(figures: Bendable, effects: &Effects, terminal: &Terminal, t: Timestamp) -> (Bendable, u32) {
    let mut blame = None;
    let mut bent = |signal: Signals, base: f64| bend(effects, &terminal.chain, signal, t, base, &mut blame);
    let mut percent =
        |signal: Signals, base: i64| whole(bent(signal, number(base, UNIT)).clamp(-1_000.0, 1_000.0), UNIT);
    let (cpu, memory) = (percent(Signals::Cpu, figures.cpu), percent(Signals::Memory, figures.memory));
    let disk = percent(Signals::Disk, figures.disk);
    let loss = bent(Signals::PacketLoss, figures.loss).clamp(0.0, 1.0);
    (Bendable { cpu, memory, disk, loss }, blame.map_or(NULL_KEY, |blame| blame.incident as u32))
}

impl Chunk {
    /// Moves the readings of a terminal to the columns.
    fn push(&mut self, index: usize, site: usize, rows: &mut DeviceMetrics) {
        let n = self.rows.min(CHUNK);
        for column in [&mut self.disk_io, &mut self.network] {
            column[..n].iter_mut().for_each(|hundredths| *hundredths /= 100.0);
        }
        rows.time.push_slice(&self.time[..n]);
        rows.device_id.push_many(index as u32, n);
        rows.site_id.push_many(site as u32, n);
        rows.cpu_pct.push_fractions(&self.cpu[..n], 100.0);
        rows.memory_pct.push_fractions(&self.memory[..n], 100.0);
        rows.disk_pct.push_fractions(&self.disk[..n], 100.0);
        rows.disk_io_kbps.push_slice(&self.disk_io[..n]);
        rows.network_kbps.push_slice(&self.network[..n]);
        rows.network_latency_ms.push_fractions(&self.latency[..n], 100.0);
        rows.transactions.push_slice(&self.sales[..n]);
        rows.incident_id.push_keys(&self.incident[..n]);
    }
}

/// A number in units of 2^-`bits` as hundredths, to the nearest.
#[inline]
fn hundredths(value: i64, bits: u32) -> i64 {
    (value * 100 + (1 << (bits - 1))) >> bits
}

/// Agents report two decimals; the rest would be noise to store.
pub fn round(value: f64) -> f64 {
    (value * 100.0 + 0.5) as i64 as f64 / 100.0
}
