//! What a phase asks of a machine, and what the machine makes of it. Pure: noise comes in as numbers.

use telemill_sdk::chain::Now;
use telemill_sdk::time::SECOND;

use crate::machines::Machine;
use crate::phases::COUNT;

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
/// Pages are written out where less memory than this is free; at 10 percent more use, so many MB/s.
const PAGING_FROM_PCT: f64 = 88.0;
const PAGING_MB_PER_S: f64 = 40.0;
/// From this share of what the disk can do, processors wait for it; at all of it, so much of their work is left undone.
const WAITS_FROM: f64 = 0.7;
const WAITING: f64 = 0.35;
/// No machine gives all of its memory away.
const MOST_MEMORY_PCT: f64 = 98.5;
const LEAST_MEMORY_PCT: f64 = 3.0;

/// The noise of one sample: the first three are standard normal, the last four have median 1.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    /// How hard the user works; it moves processors, disk and network together.
    pub intensity: f64,
    /// The slow wander of memory.
    pub memory: f64,
    /// The processors' own.
    pub cpu: f64,
    /// Reads, writes, sent and received data come in spikes.
    pub spikes: [f64; 4],
}

/// What a user's work asks for.
pub fn demand(now: &Now, machine: &Machine, noise: &Noise) -> Load {
    let (Some(this), Some(last)) = (SIGNATURES.get(now.state), SIGNATURES.get(now.before)) else {
        return Load::default();
    };
    let age = now.age_micros as f64 / SECOND as f64;
    // What is left of the phase before.
    let (rest, memory_rest) = (decay(age / FOLLOWS_SECONDS), decay(age / MEMORY_FOLLOWS_SECONDS));
    let level = |of: fn(&Signature) -> f64, rest: f64| of(this) * (1.0 - rest) + of(last) * rest;
    let data = machine.data * (INTENSITY_SIGMA * noise.intensity).exp();
    let [read, write, sent, received] = noise.spikes;
    Load {
        cpu_pct: level(|s| s.cpu_pct, rest) + level(|s| s.cpu_spread, rest) * (0.8 * noise.intensity + 0.6 * noise.cpu),
        memory_pct: machine.resident_pct
            + level(|s| s.memory_pct, memory_rest) * (1.0 + 0.05 * noise.memory)
            + 0.6 * noise.memory,
        disk_read: level(|s| s.disk_read, rest) * data * read,
        disk_write: level(|s| s.disk_write, rest) * data * write,
        sent: level(|s| s.sent, rest) * data * sent,
        received: level(|s| s.received, rest) * data * received,
    }
}

/// exp(-x), and 0 where that is too little to be seen.
fn decay(x: f64) -> f64 {
    if x > 8.0 { 0.0 } else { (-x).exp() }
}

/// What the machine makes of it: memory that runs out is paged, a busy disk keeps processors waiting, nothing goes beyond what
/// disk and network can do.
pub fn served(asked: Load, machine: &Machine) -> Load {
    let memory_pct = asked.memory_pct.clamp(LEAST_MEMORY_PCT, MOST_MEMORY_PCT);
    let paging = (memory_pct - PAGING_FROM_PCT).max(0.0) / 10.0 * PAGING_MB_PER_S;
    let (read, write) = (asked.disk_read.max(0.0) + paging * 0.4, asked.disk_write.max(0.0) + paging);
    let busy = (read + write) / machine.disk_mb_per_s;
    let share = if busy > 1.0 { 1.0 / busy } else { 1.0 };
    let waiting = ((busy.min(1.0) - WAITS_FROM) / (1.0 - WAITS_FROM)).max(0.0) * WAITING;
    Load {
        cpu_pct: (asked.cpu_pct * (1.0 - waiting)).clamp(0.1, 100.0),
        memory_pct,
        disk_read: read * share,
        disk_write: write * share,
        sent: asked.sent.clamp(0.0, machine.network_mb_per_s),
        received: asked.received.clamp(0.0, machine.network_mb_per_s),
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

    const QUIET: Noise = Noise { intensity: 0.0, memory: 0.0, cpu: 0.0, spikes: [1.0; 4] };

    #[test]
    fn computing_has_the_documents_figures() {
        let now = Now { state: 0, before: 3, age_micros: 300 * SECOND };
        let load = served(demand(&now, &machine(), &QUIET), &machine());
        let figures = [load.cpu_pct, load.memory_pct, load.disk_read, load.disk_write, load.sent, load.received];
        for (figure, document) in figures.iter().zip([85.5, 30.2, 5.2, 2.1, 1.0, 0.8]) {
            assert!((figure / document - 1.0).abs() < 0.06, "{figure} instead of {document}");
        }
    }

    #[test]
    fn memory_is_given_back_by_and_by() {
        let at = |seconds: i64| {
            let now = Now { state: 3, before: 2, age_micros: seconds * SECOND };
            demand(&now, &machine(), &QUIET)
        };
        assert_eq!((at(0).memory_pct, at(0).cpu_pct), (72.0, 44.0));
        assert!((40.0..60.0).contains(&at(14).memory_pct) && at(14).cpu_pct < 4.1);
        assert_eq!(at(200).memory_pct, 25.0);
    }

    #[test]
    fn a_machine_gives_what_it_has() {
        let asked =
            Load { cpu_pct: 90.0, memory_pct: 140.0, disk_read: 200.0, disk_write: 300.0, sent: 50.0, received: -1.0 };
        let got = served(asked, &machine());
        assert_eq!(got.memory_pct, MOST_MEMORY_PCT);
        assert!((got.disk_read + got.disk_write - 160.0).abs() < 1e-9);
        assert!((got.cpu_pct - 90.0 * (1.0 - WAITING)).abs() < 1e-9);
        assert_eq!((got.sent, got.received), (12.5, 0.0));
        // Memory that runs out is written to disk.
        let leak = served(Load { memory_pct: 98.0, ..Load::default() }, &machine());
        assert!(leak.disk_write > 30.0);
    }
}
