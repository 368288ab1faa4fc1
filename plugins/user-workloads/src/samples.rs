//! Rows of `user_metrics`: one user's samples, from phase, noise and incidents to the figures of the document.

use telemill_sdk::chain::{Chain, Dwell};
use telemill_sdk::noise::OrnsteinUhlenbeck;
use telemill_sdk::quantile::{QuantileTable, normal};
use telemill_sdk::time::{SECOND, step_index};
use telemill_sdk::{
    Blame, DictionaryColumn, Effects, F64Column, Marks, Nullable, Process, Shard, Timestamp, TimestampColumn, Window,
    hash, table,
};

use crate::config::{Amounts, Config};
use crate::load::{Load, Noise, demand, served};
use crate::machines::Machine;
use crate::phases;
use crate::signals::Signals;

table! {
    /// What a user's collector reads of the machine at every interval.
    #[derive(Debug)]
    pub struct UserMetrics("user_metrics") {
        /// When it was read.
        time: TimestampColumn,
        /// Time since the user's start.
        timestamp: F64Column => "s",
        /// Busy share of the processors.
        cpu_percent: F64Column => "%",
        /// Used share of the memory.
        memory_percent: F64Column => "%",
        /// Used memory.
        memory_used_gb: F64Column => "GBy",
        /// Data read from disk, since the sample before or since the user's start.
        disk_read_mb: F64Column => "MBy",
        /// Data written to disk, likewise.
        disk_write_mb: F64Column => "MBy",
        /// Data sent over the network, likewise.
        network_sent_mb: F64Column => "MBy",
        /// Data received over the network, likewise.
        network_recv_mb: F64Column => "MBy",
        /// What the machine is busy with: cpu_bound, io_bound, memory_bound, idle or mixed.
        phase: DictionaryColumn,
        /// The user.
        user_id: DictionaryColumn,
        /// How the data came in: external, simulation or web.
        source: DictionaryColumn,
        /// normal, or anomaly where an incident changed the row.
        label: DictionaryColumn,
        /// When the collector's upload with this sample arrived.
        collection_timestamp: TimestampColumn,
        /// The incident that changed the row most.
        incident_id: Nullable<DictionaryColumn>,
    }
    time_field: "time",
    primary_key: ["time", "user_id"],
}

/// Values of the column `label`.
pub const LABELS: [&str; 2] = ["normal", "anomaly"];

/// Smaller changes of a quantity, in relation to itself, mark no row.
const LEAST_CHANGE: f64 = 0.01;
/// How long the intensity of work and the wander of memory last, in seconds.
const INTENSITY_SECONDS: f64 = 20.0;
const MEMORY_SECONDS: f64 = 300.0;
/// Amounts of data: the spread of the logarithm of the body, and a tail.
const SPIKE_SIGMA: f64 = 0.45;
const SPIKE_TAIL: (f64, f64) = (0.01, 2.5);
/// Uploads arrive after so many microseconds, at least and at most.
const UPLOAD_DELAY: (u64, u64) = (80_000, 1_500_000);

const INTENSITY: Process = Process::named("user's intensity");
const MEMORY: Process = Process::named("user's memory");
const CPU: Process = Process::named("user's cpu noise");
const SPIKES: Process = Process::named("user's spikes");
const UPLOAD: Process = Process::named("user's upload");

/// What all users of a shard have in common.
#[derive(Debug)]
pub struct Setting {
    seed: u64,
    step: i64,
    upload: i64,
    amounts: Amounts,
    dwell: Dwell,
    spikes: QuantileTable,
}

impl Setting {
    /// The tables of a configuration.
    pub fn new(config: &Config, seed: u64) -> Self {
        Self {
            seed,
            step: config.step_micros(),
            upload: i64::from(config.upload_seconds.max(1)) * SECOND,
            amounts: config.disk_and_network,
            dwell: phases::dwell(config),
            spikes: QuantileTable::lognormal_with_pareto_tail(SPIKE_SIGMA, SPIKE_TAIL.0, SPIKE_TAIL.1),
        }
    }
}

/// Data moved since the user's start, in hundredths of a megabyte: read, written, sent, received.
pub type Counters = [i64; 4];

/// One user, and where its processes stand.
#[derive(Debug)]
pub struct User {
    /// Its place among all users.
    pub index: u32,
    /// What it has moved so far: the only state that is carried over a step, and only where rows show it.
    pub counters: Counters,
    machine: Machine,
    start: Timestamp,
    chain: Chain,
    intensity: OrnsteinUhlenbeck,
    memory: OrnsteinUhlenbeck,
}

impl User {
    /// The user of this index.
    pub fn new(config: &Config, setting: &Setting, shard: &Shard, index: u32) -> Self {
        let (seed, user) = (shard.seed, u64::from(index));
        let machine = Machine::new(config, seed, user);
        let noise = |process: Process, seconds: f64| {
            OrnsteinUhlenbeck::new(hash(seed, process, user, 0), seconds / f64::from(config.interval_seconds.max(1)))
        };
        Self {
            index,
            counters: Counters::default(),
            start: machine.start(shard.span.start, config.step_micros()),
            machine,
            chain: phases::chain(config, &setting.dwell, seed, user),
            intensity: noise(INTENSITY, INTENSITY_SECONDS),
            memory: noise(MEMORY, MEMORY_SECONDS),
        }
    }

    /// Adds the user's samples of a window to the rows.
    pub fn sample(
        &mut self,
        window: Window,
        setting: &Setting,
        effects: &Effects,
        marks: &mut Marks,
        rows: &mut UserMetrics,
    ) {
        let acting = effects.any_on(self.index as usize, window).then_some(effects);
        let step = setting.step;
        let mut t = -(-window.start).div_euclid(step) * step;
        t = t.max(self.start);
        while t < window.end {
            self.row(t, setting, acting, marks, rows);
            t += step;
        }
    }

    fn row(
        &mut self,
        t: Timestamp,
        setting: &Setting,
        effects: Option<&Effects>,
        marks: &mut Marks,
        rows: &mut UserMetrics,
    ) {
        let user = u64::from(self.index);
        let step = step_index(t, setting.step);
        let now = self.chain.at(t, &setting.dwell);
        let noise = noise(self.intensity.at(step), self.memory.at(step), user, step, setting);
        let asked = demand(&now, &self.machine, &noise);
        let (asked, blame) = match effects {
            Some(effects) => bend(asked, &self.machine, effects, self.index as usize, t),
            None => (asked, None),
        };
        let load = served(asked, &self.machine);

        rows.time.push(t);
        rows.timestamp.push((t - self.start) as f64 / SECOND as f64);
        rows.cpu_percent.push(tenths(load.cpu_pct));
        rows.memory_percent.push(tenths(load.memory_pct));
        rows.memory_used_gb.push(hundredths(load.memory_pct * self.machine.memory_gb / 100.0) as f64 / 100.0);
        let seconds = setting.step as f64 / SECOND as f64;
        let moved = [load.disk_read, load.disk_write, load.sent, load.received].map(|rate| hundredths(rate * seconds));
        let shown = match setting.amounts {
            Amounts::PerSample => moved,
            Amounts::SinceStart => {
                self.counters.iter_mut().zip(moved).for_each(|(counter, moved)| *counter += moved);
                self.counters
            }
        };
        let [read, written, sent, received] = shown.map(|hundredths| hundredths as f64 / 100.0);
        rows.disk_read_mb.push(read);
        rows.disk_write_mb.push(written);
        rows.network_sent_mb.push(sent);
        rows.network_recv_mb.push(received);
        rows.phase.push(now.state as u32);
        rows.user_id.push(self.index);
        rows.source.push(self.machine.source);
        rows.label.push(u32::from(blame.is_some()));
        rows.collection_timestamp.push(self.collected(t, setting));
        marks.push(&mut rows.incident_id, blame);
    }

    /// When the upload that holds the sample of an instant arrived.
    fn collected(&self, t: Timestamp, setting: &Setting) -> Timestamp {
        let upload = (t - self.start).div_euclid(setting.upload) + 1;
        let (least, most) = UPLOAD_DELAY;
        let delay = least + hash(setting.seed, UPLOAD, u64::from(self.index), upload) % (most - least);
        self.start + upload * setting.upload + delay as i64
    }
}

fn noise(intensity: f64, memory: f64, user: u64, step: i64, setting: &Setting) -> Noise {
    let disk = hash(setting.seed, SPIKES, user * 2, step);
    let network = hash(setting.seed, SPIKES, user * 2 + 1, step);
    let spike = |bits: u64| f64::from(setting.spikes.draw(bits as u32));
    Noise {
        intensity,
        memory,
        cpu: f64::from(normal(hash(setting.seed, CPU, user, step) as u32)),
        spikes: [spike(disk >> 32), spike(disk), spike(network >> 32), spike(network)],
    }
}

/// What incidents make of a load, and which of them is to blame.
fn bend(asked: Load, machine: &Machine, effects: &Effects, user: usize, t: Timestamp) -> (Load, Option<usize>) {
    let mut blame: Option<Blame<'_>> = None;
    let mut bent = |signal: Signals, base: f64, unit: f64| {
        let bent = effects.at(user, signal as usize, t);
        if bent.is_neutral() {
            return base;
        }
        blame = Blame::most(blame, bent.blame(base / unit));
        bent.apply(base / unit) * unit
    };
    let (disk, network) = (machine.disk_mb_per_s, machine.network_mb_per_s);
    let load = Load {
        cpu_pct: bent(Signals::Cpu, asked.cpu_pct, 1.0),
        memory_pct: bent(Signals::Memory, asked.memory_pct, 1.0),
        disk_read: bent(Signals::DiskRead, asked.disk_read, disk),
        disk_write: bent(Signals::DiskWrite, asked.disk_write, disk),
        sent: bent(Signals::NetworkSent, asked.sent, network),
        received: bent(Signals::NetworkReceived, asked.received, network),
    };
    (load, blame.filter(|blame| blame.change > LEAST_CHANGE).map(|blame| blame.incident))
}

fn tenths(value: f64) -> f64 {
    (value * 10.0 + 0.5) as i64 as f64 / 10.0
}

fn hundredths(value: f64) -> i64 {
    (value * 100.0 + 0.5) as i64
}
