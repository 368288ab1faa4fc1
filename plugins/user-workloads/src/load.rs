//! What a phase asks of a machine, and what the machine makes of it. Pure: noise comes in as numbers.
//!
//! In whole numbers, since the rows are rounded and the sandbox pays more for fractions: percent and MB/s are in units of 2^-20.

use telemill_sdk::chain::Now;
use telemill_sdk::time::SECOND;
use telemill_sdk::whole::{Curve, POINT, Score, number, whole};

use crate::machines::Machine;
use crate::phases::COUNT;

/// Bits below the point of percent and MB/s.
pub const UNIT: u32 = 20;
/// Bits below the point of factors with median 1: what work moves in relation to its mean.
pub const FACTOR: u32 = 18;

/// Resources in use: percent of processors and memory, MB/s of the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Busy share of the processors, in percent.
    pub cpu_pct: f64,
    /// Used share of the memory, in percent.
    pub memory_pct: f64,
    /// Read from disk, in MB/s.
    pub disk_read: f64,
    /// Written to disk, in MB/s.
    pub disk_write: f64,
    /// Sent over the network, in MB/s.
    pub sent: f64,
    /// Received over the network, in MB/s.
    pub received: f64,
}

/// The same in whole numbers of 2^-20.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Busy share of the processors, in percent.
    pub cpu: i64,
    /// Used share of the memory, in percent.
    pub memory: i64,
    /// Read from disk, written to disk, sent, received, in MB/s.
    pub rates: [i64; 4],
}

/// No quantity is larger, so that products fit; what is bent beyond is limited by the machine anyway.
const MOST: f64 = 1e6;

impl From<Asked> for Load {
    fn from(asked: Asked) -> Self {
        let [disk_read, disk_write, sent, received] = asked.rates.map(|rate| number(rate, UNIT));
        let (cpu_pct, memory_pct) = (number(asked.cpu, UNIT), number(asked.memory, UNIT));
        Self { cpu_pct, memory_pct, disk_read, disk_write, sent, received }
    }
}

impl From<Load> for Asked {
    fn from(load: Load) -> Self {
        let whole = |value: f64| whole(value.clamp(-MOST, MOST), UNIT);
        Self {
            cpu: whole(load.cpu_pct),
            memory: whole(load.memory_pct),
            rates: [load.disk_read, load.disk_write, load.sent, load.received].map(whole),
        }
    }
}

/// What a phase asks for on average.
#[derive(Clone, Copy, Debug)]
struct Signature {
    cpu_pct: f64,
    /// Standard deviation of the processors' load.
    cpu_spread: f64,
    /// Memory on top of what is resident, in percent.
    memory_pct: f64,
    disk_read: f64,
    disk_write: f64,
    sent: f64,
    received: f64,
}

/// In the order of the phases. Computing has the figures of the document's example (85.5 %, 5.2, 2.1, 1.0 and 0.8 MB); the
/// others are chosen around it.
const SIGNATURES: [Signature; COUNT] = [
    Signature {
        cpu_pct: 86.0,
        cpu_spread: 5.0,
        memory_pct: 6.0,
        disk_read: 5.0,
        disk_write: 2.0,
        sent: 1.0,
        received: 0.8,
    },
    Signature {
        cpu_pct: 28.0,
        cpu_spread: 6.0,
        memory_pct: 9.0,
        disk_read: 70.0,
        disk_write: 40.0,
        sent: 2.5,
        received: 3.5,
    },
    Signature {
        cpu_pct: 44.0,
        cpu_spread: 6.0,
        memory_pct: 48.0,
        disk_read: 6.0,
        disk_write: 7.0,
        sent: 0.8,
        received: 0.9,
    },
    Signature {
        cpu_pct: 4.0,
        cpu_spread: 1.5,
        memory_pct: 1.0,
        disk_read: 0.25,
        disk_write: 0.4,
        sent: 0.05,
        received: 0.1,
    },
    Signature {
        cpu_pct: 55.0,
        cpu_spread: 7.0,
        memory_pct: 22.0,
        disk_read: 22.0,
        disk_write: 14.0,
        sent: 3.0,
        received: 4.5,
    },
];

/// How fast processors, disk and network follow a new phase, and how fast memory does, in seconds.
const FOLLOWS_SECONDS: f64 = 1.5;
const MEMORY_FOLLOWS_SECONDS: f64 = 14.0;
/// How much the intensity of work moves data, as the spread of a logarithm.
const INTENSITY_SIGMA: f64 = 0.3;
/// Shares of the intensity and of chance in the processors' noise.
const CPU_OF_INTENSITY: f64 = 0.8;
const CPU_OF_CHANCE: f64 = 0.6;
/// How far memory wanders: in relation to the phase's, and by itself, in percent.
const MEMORY_SPREAD: f64 = 0.05;
const MEMORY_SPREAD_PCT: f64 = 0.6;
/// Pages are written out where less memory than this is free; at 10 percent more use, so many MB/s, of which so much is read again.
const PAGING_FROM_PCT: f64 = 88.0;
const PAGING_MB_PER_S: f64 = 40.0;
const PAGED_IN: f64 = 0.4;
/// From this share of what the disk can do, processors wait for it; at all of it, so much of their work is left undone.
const WAITS_FROM: f64 = 0.7;
const WAITING: f64 = 0.35;
/// No machine gives all of its memory away.
const MOST_MEMORY_PCT: f64 = 98.5;
const LEAST_MEMORY_PCT: f64 = 3.0;
/// No machine that runs does nothing.
const LEAST_CPU_PCT: f64 = 0.1;

/// The noise of one sample.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    /// How hard the user works; it moves processors, disk and network together.
    pub intensity: Score,
    /// The slow wander of memory.
    pub memory: Score,
    /// The processors' own.
    pub cpu: Score,
    /// Reads, writes, sent and received data come in spikes: factors of 2^-18 with median 1.
    pub spikes: [i64; 4],
}

/// A signature in whole numbers.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    cpu: i64,
    cpu_spread: i64,
    memory: i64,
    rates: [i64; 4],
}

/// `from` times so many units of 2^-`bits`.
#[inline]
const fn share(from: i64, of: i64, bits: u32) -> i64 {
    (from * of) >> bits
}

impl Level {
    fn of(signature: &Signature) -> Self {
        let [cpu, cpu_spread, memory, read, write, sent, received] = [
            signature.cpu_pct,
            signature.cpu_spread,
            signature.memory_pct,
            signature.disk_read,
            signature.disk_write,
            signature.sent,
            signature.received,
        ]
        .map(|value| whole(value, UNIT));
        Self { cpu, cpu_spread, memory, rates: [read, write, sent, received] }
    }

    /// This level where so much is left of the last one.
    fn after(&self, last: &Self, rest: i64, memory_rest: i64) -> Self {
        let mix = |this: i64, last: i64, rest: i64| this + share(last - this, rest, Decay::BITS);
        Self {
            cpu: mix(self.cpu, last.cpu, rest),
            cpu_spread: mix(self.cpu_spread, last.cpu_spread, rest),
            memory: mix(self.memory, last.memory, memory_rest),
            rates: std::array::from_fn(|i| mix(self.rates[i], last.rates[i], rest)),
        }
    }
}

/// exp(-age / tau) in units of 2^-30, and 0 where that is too little to be seen.
#[derive(Clone, Debug)]
struct Decay {
    tau_micros: i64,
    points: Vec<i64>,
}

impl Decay {
    const BITS: u32 = 30;
    /// Time constants after which nothing is seen, and points in each.
    const TAUS: i64 = 8;
    const PER_TAU: i64 = 64;

    fn new(seconds: f64) -> Self {
        let at = |i: i64| whole((-(i as f64) / Self::PER_TAU as f64).exp(), Self::BITS);
        let points = (0..=Self::TAUS * Self::PER_TAU).map(at).collect();
        Self { tau_micros: (seconds * SECOND as f64) as i64, points }
    }

    fn ends_after(&self) -> i64 {
        Self::TAUS * self.tau_micros
    }

    fn at(&self, age_micros: i64) -> i64 {
        let place = age_micros.max(0) * Self::PER_TAU;
        let (at, within) = (place / self.tau_micros, place % self.tau_micros);
        match (self.points.get(at as usize), self.points.get(at as usize + 1)) {
            (Some(from), Some(to)) => from + (to - from) * within / self.tau_micros,
            _ => 0,
        }
    }
}

/// What all machines have in common.
#[derive(Clone, Debug)]
pub struct Work {
    levels: [Level; COUNT],
    rest: Decay,
    memory_rest: Decay,
    intensity: Curve,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            levels: SIGNATURES.map(|signature| Level::of(&signature)),
            rest: Decay::new(FOLLOWS_SECONDS),
            memory_rest: Decay::new(MEMORY_FOLLOWS_SECONDS),
            intensity: Curve::new(FACTOR, |z| (INTENSITY_SIGMA * z).exp()),
        }
    }
}

/// A machine's part of the computation.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    resident: i64,
    data: i64,
    disk: i64,
    network: i64,
    /// What the disk does where processors begin to wait, and how fast that grows: 2^-30 of their work a MB/s.
    waits_from: i64,
    waiting: i64,
    /// GB.
    memory: i64,
}

impl Capacity {
    /// That of a machine.
    pub fn of(machine: &Machine) -> Self {
        Self {
            resident: whole(machine.resident_pct, UNIT),
            data: whole(machine.data, FACTOR),
            disk: whole(machine.disk_mb_per_s, UNIT),
            network: whole(machine.network_mb_per_s, UNIT),
            waits_from: whole(WAITS_FROM * machine.disk_mb_per_s, UNIT),
            waiting: whole(WAITING / ((1.0 - WAITS_FROM) * machine.disk_mb_per_s), 30),
            memory: whole(machine.memory_gb, UNIT),
        }
    }

    /// Hundredths of a GB that a share of the memory is.
    #[inline]
    pub fn memory_hundredths(&self, memory: i64) -> i64 {
        (memory * self.memory + (1 << (2 * UNIT - 1))) >> (2 * UNIT)
    }
}

impl Work {
    /// What is asked for on average in a phase of this age, before intensity and noise; `now` says which and what came before.
    #[inline]
    fn level(&self, now: &Now, age_micros: i64) -> Level {
        let this = self.levels[now.state % COUNT];
        if age_micros >= self.memory_rest.ends_after() {
            return this;
        }
        this.after(&self.levels[now.before % COUNT], self.rest.at(age_micros), self.memory_rest.at(age_micros))
    }

    /// What a user's work asks for in a phase that began so long ago.
    #[inline]
    pub fn demand(&self, now: &Now, age_micros: i64, capacity: &Capacity, noise: &Noise) -> Asked {
        const OF_INTENSITY: i64 = whole(CPU_OF_INTENSITY, POINT);
        const OF_CHANCE: i64 = whole(CPU_OF_CHANCE, POINT);
        const OF_MEMORY: i64 = whole(MEMORY_SPREAD, POINT);
        const OF_ALL_MEMORY: i64 = whole(MEMORY_SPREAD_PCT, UNIT);
        let level = self.level(now, age_micros);
        let data = share(self.intensity.at(noise.intensity), capacity.data, FACTOR);
        let cpu = share(OF_INTENSITY * noise.intensity + OF_CHANCE * noise.cpu, 1, POINT);
        let memory = share(level.memory, OF_MEMORY, POINT) + OF_ALL_MEMORY;
        Asked {
            cpu: level.cpu + share(level.cpu_spread, cpu, POINT),
            memory: capacity.resident + level.memory + share(memory, noise.memory, POINT),
            rates: std::array::from_fn(|i| share(share(level.rates[i], data, FACTOR), noise.spikes[i], FACTOR)),
        }
    }
}

/// What the machine makes of it: memory that runs out is paged, a busy disk keeps processors waiting, nothing goes beyond what
/// disk and network can do.
#[inline]
pub fn served(asked: Asked, capacity: &Capacity) -> Asked {
    const LEAST: i64 = whole(LEAST_MEMORY_PCT, UNIT);
    const MOST: i64 = whole(MOST_MEMORY_PCT, UNIT);
    const PAGES: i64 = whole(PAGING_FROM_PCT, UNIT);
    let memory = asked.memory.clamp(LEAST, MOST);
    let [read, write, sent, received] = asked.rates.map(|rate| rate.max(0));
    let (mut read, mut write) = (read, write);
    if memory > PAGES {
        let paging = share(memory - PAGES, const { whole(PAGING_MB_PER_S / 10.0, POINT) }, POINT);
        read += share(paging, const { whole(PAGED_IN, POINT) }, POINT);
        write += paging;
    }
    let mut cpu = asked.cpu;
    let busy = read + write;
    if busy > capacity.waits_from {
        cpu -= share(cpu, share(busy.min(capacity.disk) - capacity.waits_from, capacity.waiting, 30), UNIT);
        if busy > capacity.disk {
            let served = capacity.disk as f64 / busy as f64;
            (read, write) = ((read as f64 * served) as i64, (write as f64 * served) as i64);
        }
    }
    Asked {
        cpu: cpu.clamp(const { whole(LEAST_CPU_PCT, UNIT) }, const { whole(100.0, UNIT) }),
        memory,
        rates: [read, write, sent.min(capacity.network), received.min(capacity.network)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            memory_gb: 7.5,
            resident_pct: 24.0,
            disk_mb_per_s: 160.0,
            network_mb_per_s: 12.5,
            data: 1.0,
            source: 0,
            joins_after: 0,
        }
    }

    const QUIET: Noise = Noise { intensity: 0, memory: 0, cpu: 0, spikes: [1 << FACTOR; 4] };

    fn asked(now: &Now) -> Load {
        Work::default().demand(now, now.age_micros, &Capacity::of(&machine()), &QUIET).into()
    }

    fn given(load: Load) -> Load {
        served(load.into(), &Capacity::of(&machine())).into()
    }

    fn close(got: f64, want: f64) -> bool {
        (got - want).abs() < 1e-3
    }

    #[test]
    fn computing_has_the_documents_figures() {
        let load = given(asked(&Now { state: 0, before: 3, age_micros: 300 * SECOND }));
        let figures = [load.cpu_pct, load.memory_pct, load.disk_read, load.disk_write, load.sent, load.received];
        for (figure, document) in figures.iter().zip([85.5, 30.2, 5.2, 2.1, 1.0, 0.8]) {
            assert!((figure / document - 1.0).abs() < 0.06, "{figure} instead of {document}");
        }
    }

    #[test]
    fn memory_is_given_back_by_and_by() {
        let at = |seconds: i64| asked(&Now { state: 3, before: 2, age_micros: seconds * SECOND });
        assert!(close(at(0).memory_pct, 72.0) && close(at(0).cpu_pct, 44.0));
        assert!((40.0..60.0).contains(&at(14).memory_pct) && at(14).cpu_pct < 4.1);
        assert_eq!(at(200).memory_pct, 25.0);
    }

    #[test]
    fn what_is_left_of_a_phase_falls_exponentially() {
        let decay = Decay::new(1.5);
        for tenths in 0..200 {
            let (age, want) = (tenths * SECOND / 10, (-(tenths as f64) / 15.0).exp());
            let got = number(decay.at(age), Decay::BITS);
            assert!((got - want).abs() < 4e-4, "{tenths}: {got} instead of {want}");
        }
    }

    #[test]
    fn a_machine_gives_what_it_has() {
        let got = given(Load {
            cpu_pct: 90.0,
            memory_pct: 140.0,
            disk_read: 200.0,
            disk_write: 300.0,
            sent: 50.0,
            received: -1.0,
        });
        assert_eq!(got.memory_pct, MOST_MEMORY_PCT);
        assert!(close(got.disk_read + got.disk_write, 160.0));
        assert!(close(got.cpu_pct, 90.0 * (1.0 - WAITING)));
        assert_eq!((got.sent, got.received), (12.5, 0.0));
        // Memory that runs out is written to disk.
        let leak = given(Load { memory_pct: 98.0, ..Load::default() });
        assert!(leak.disk_write > 30.0);
        // Nothing that an incident asks for is too much.
        let all = given(Load {
            cpu_pct: f64::MAX,
            memory_pct: f64::MAX,
            disk_read: f64::MAX,
            disk_write: f64::MAX,
            sent: f64::MAX,
            received: f64::MAX,
        });
        assert!(all.cpu_pct <= 100.0 && close(all.disk_read + all.disk_write, 160.0) && all.sent == 12.5);
    }
}
