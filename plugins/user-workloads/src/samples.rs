//! Rows of `user_metrics`: one user's samples, from phase, noise and incidents to the figures of the document.

use telemill_sdk::chain::{Chain, Dwell};
use telemill_sdk::column::NULL_KEY;
use telemill_sdk::time::{SECOND, step_index};
use telemill_sdk::whole::{Quantiles, Wander};
use telemill_sdk::{
    Blame, DictionaryColumn, Effects, F64Column, Marks, Nullable, Process, Shard, Steps, Timestamp, TimestampColumn,
    Window, hash, table,
};

use crate::config::{Amounts, Config};
use crate::load::{Asked, Capacity, FACTOR, Load, Noise, UNIT, Work, served};
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
    moved_by: {
        "": [time, timestamp, phase, user_id, source, collection_timestamp],
        "memory": [memory_percent, memory_used_gb],
        "cpu, memory, disk_read, disk_write": [cpu_percent],
        "memory, disk_read, disk_write": [disk_read_mb, disk_write_mb],
        "network_sent": [network_sent_mb],
        "network_recv": [network_recv_mb],
    },
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
    work: Work,
    spikes: Quantiles,
    normal: &'static Quantiles,
}

impl Setting {
    /// The tables of a configuration.
    pub fn new(config: &Config, seed: u64) -> Self {
        let (share, alpha) = SPIKE_TAIL;
        Self {
            seed,
            step: config.step_micros(),
            upload: i64::from(config.upload_seconds.max(1)) * SECOND,
            amounts: config.disk_and_network,
            dwell: phases::dwell(config),
            work: Work::default(),
            spikes: Quantiles::lognormal_with_pareto_tail(FACTOR, SPIKE_SIGMA, share, alpha),
            normal: Quantiles::normal(),
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
    capacity: Capacity,
    start: Timestamp,
    chain: Chain,
    intensity: Wander,
    memory: Wander,
    cpu: Steps,
    spikes: [Steps; 2],
}

/// Rows are gathered in arrays of this length and moved to the columns together; small enough for the first-level cache.
const CHUNK: usize = 128;

/// Rows of one user on their way to the columns, which are what differs from row to row.
struct Chunk {
    rows: usize,
    time: [Timestamp; CHUNK],
    seconds: [f64; CHUNK],
    collected: [Timestamp; CHUNK],
    phase: [u32; CHUNK],
    label: [u32; CHUNK],
    incident: [u32; CHUNK],
    cpu: [i32; CHUNK],
    memory: [i32; CHUNK],
    memory_gb: [i32; CHUNK],
    moved: [[i32; CHUNK]; 4],
}

/// The noise of a chunk, as whole numbers of 32 bits.
struct Draws {
    intensity: [i32; CHUNK],
    memory: [i32; CHUNK],
    cpu: [i32; CHUNK],
    spikes: [[i32; CHUNK]; 4],
}

impl User {
    /// The user of this index.
    pub fn new(config: &Config, setting: &Setting, shard: &Shard, index: u32) -> Self {
        let (seed, user) = (shard.seed, u64::from(index));
        let machine = Machine::new(config, seed, user);
        let noise = |process: Process, seconds: f64| {
            Wander::new(hash(seed, process, user, 0), seconds / f64::from(config.interval_seconds.max(1)))
        };
        Self {
            index,
            counters: Counters::default(),
            start: machine.start(shard.span.start, config.step_micros()),
            capacity: Capacity::of(&machine),
            machine,
            chain: phases::chain(config, &setting.dwell, seed, user),
            intensity: noise(INTENSITY, INTENSITY_SECONDS),
            memory: noise(MEMORY, MEMORY_SECONDS),
            cpu: Steps::of(seed, CPU, user),
            spikes: [Steps::of(seed, SPIKES, user * 2), Steps::of(seed, SPIKES, user * 2 + 1)],
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
        let first = (-(-window.start).div_euclid(step) * step).max(self.start);
        let mut chunk = Chunk {
            rows: 0,
            time: [0; CHUNK],
            seconds: [0.0; CHUNK],
            collected: [0; CHUNK],
            phase: [0; CHUNK],
            label: [0; CHUNK],
            incident: [NULL_KEY; CHUNK],
            cpu: [0; CHUNK],
            memory: [0; CHUNK],
            memory_gb: [0; CHUNK],
            moved: [[0; CHUNK]; 4],
        };
        let mut t = first;
        while t < window.end {
            let left = (window.end - t + step - 1) / step;
            chunk.rows = left.min(CHUNK as i64) as usize;
            self.draw(t, setting, acting, marks, &mut chunk);
            self.place(t, setting, &mut chunk);
            self.push(&chunk, setting, rows);
            t += chunk.rows as i64 * step;
        }
    }

    /// What the machine does at each of a chunk's samples, from `t` on.
    #[inline]
    fn draw(
        &mut self,
        mut t: Timestamp,
        setting: &Setting,
        effects: Option<&Effects>,
        marks: &mut Marks,
        chunk: &mut Chunk,
    ) {
        let rows = chunk.rows.min(CHUNK);
        let draws = self.noise(step_index(t, setting.step), rows, setting);
        let per_sample = 100 * (setting.step / SECOND);
        let (mut now, mut until) = self.chain.stretch(t, &setting.dwell);
        let mut since = t - now.age_micros;
        for n in 0..rows {
            if t >= until {
                (now, until) = self.chain.stretch(t, &setting.dwell);
                since = t - now.age_micros;
            }
            let noise = Noise {
                intensity: i64::from(draws.intensity[n]),
                memory: i64::from(draws.memory[n]),
                cpu: i64::from(draws.cpu[n]),
                spikes: draws.spikes.each_ref().map(|spikes| i64::from(spikes[n])),
            };
            let mut asked = setting.work.demand(&now, t - since, &self.capacity, &noise);
            if let Some(effects) = effects {
                let (bent, blame) = bend(asked, &self.machine, effects, self.index as usize, t);
                asked = bent;
                chunk.label[n] = u32::from(blame.is_some());
                chunk.incident[n] = blame.map_or(NULL_KEY, |incident| marks.key(incident));
            }
            let load = served(asked, &self.capacity);
            chunk.phase[n] = now.state as u32;
            chunk.cpu[n] = rounded(load.cpu, 10) as i32;
            chunk.memory[n] = rounded(load.memory, 10) as i32;
            chunk.memory_gb[n] = self.capacity.memory_hundredths(load.memory) as i32;
            for (to, rate) in chunk.moved.iter_mut().zip(load.rates) {
                to[n] = rounded(rate, per_sample) as i32;
            }
            t += setting.step;
        }
    }

    /// The noise of as many samples as there are rows: a pass for each quantity, which the sandbox likes better than one for all.
    #[inline]
    fn noise(&mut self, first: i64, rows: usize, setting: &Setting) -> Draws {
        let mut draws = Draws { intensity: [0; CHUNK], memory: [0; CHUNK], cpu: [0; CHUNK], spikes: [[0; CHUNK]; 4] };
        self.intensity.fill(first, &mut draws.intensity[..rows]);
        self.memory.fill(first, &mut draws.memory[..rows]);
        for (cpu, step) in draws.cpu[..rows].iter_mut().zip(first..) {
            *cpu = setting.normal.draw(self.cpu.hash(step) as u32) as i32;
        }
        let (disk, network) = draws.spikes.split_at_mut(2);
        for (spikes, steps) in [disk, network].into_iter().zip(self.spikes) {
            let [first_of_pair, second] = spikes else { continue };
            for ((to, other), step) in first_of_pair[..rows].iter_mut().zip(&mut second[..rows]).zip(first..) {
                let bits = steps.hash(step);
                *to = setting.spikes.draw((bits >> 32) as u32) as i32;
                *other = setting.spikes.draw(bits as u32) as i32;
            }
        }
        draws
    }

    /// The times of a chunk's samples, from `t` on, and when the uploads that hold them arrived.
    fn place(&self, mut t: Timestamp, setting: &Setting, chunk: &mut Chunk) {
        let (mut collected, mut until) = (0, Timestamp::MIN);
        let mut seconds = (t - self.start) / SECOND;
        for n in 0..chunk.rows.min(CHUNK) {
            if t >= until {
                (collected, until) = self.upload(t, setting);
            }
            chunk.time[n] = t;
            chunk.seconds[n] = seconds as f64;
            chunk.collected[n] = collected;
            t += setting.step;
            seconds += setting.step / SECOND;
        }
    }

    fn push(&mut self, chunk: &Chunk, setting: &Setting, rows: &mut UserMetrics) {
        let n = chunk.rows.min(CHUNK);
        rows.time.push_slice(&chunk.time[..n]);
        rows.timestamp.push_slice(&chunk.seconds[..n]);
        rows.cpu_percent.push_fractions(&chunk.cpu[..n], 10.0);
        rows.memory_percent.push_fractions(&chunk.memory[..n], 10.0);
        rows.memory_used_gb.push_fractions(&chunk.memory_gb[..n], 100.0);
        let columns =
            [&mut rows.disk_read_mb, &mut rows.disk_write_mb, &mut rows.network_sent_mb, &mut rows.network_recv_mb];
        for ((column, moved), counter) in columns.into_iter().zip(&chunk.moved).zip(&mut self.counters) {
            match setting.amounts {
                Amounts::PerSample => column.push_fractions(&moved[..n], 100.0),
                Amounts::SinceStart => moved[..n].iter().for_each(|moved| {
                    *counter += i64::from(*moved);
                    column.push(*counter as f64 / 100.0);
                }),
            }
        }
        rows.phase.push_keys(&chunk.phase[..n]);
        rows.user_id.push_many(self.index, n);
        rows.source.push_many(self.machine.source, n);
        rows.label.push_keys(&chunk.label[..n]);
        rows.collection_timestamp.push_slice(&chunk.collected[..n]);
        rows.incident_id.push_keys(&chunk.incident[..n]);
    }

    /// When the upload that holds the sample of an instant arrived, and the first instant that it does not hold.
    fn upload(&self, t: Timestamp, setting: &Setting) -> (Timestamp, Timestamp) {
        let upload = (t - self.start).div_euclid(setting.upload) + 1;
        let (least, most) = UPLOAD_DELAY;
        let delay = least + hash(setting.seed, UPLOAD, u64::from(self.index), upload) % (most - least);
        let end = self.start + upload * setting.upload;
        (end + delay as i64, end)
    }
}

/// To the nearest multiple of 1 / `per`, as so many of them.
#[inline]
fn rounded(value: i64, per: i64) -> i64 {
    (value * per + (1 << (UNIT - 1))) >> UNIT
}

/// What incidents make of a load, and which of them is to blame.
#[cold]
fn bend(whole: Asked, machine: &Machine, effects: &Effects, user: usize, t: Timestamp) -> (Asked, Option<usize>) {
    let asked = Load::from(whole);
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
    let blame = blame.filter(|blame| blame.change > LEAST_CHANGE).map(|blame| blame.incident);
    (load.into(), blame)
}
