//! The users and their machines, which persist: size, speed of disk and network, habits.

use telemill_sdk::time::MINUTE;
use telemill_sdk::whole::normal;
use telemill_sdk::{Process, Stream, Timestamp, Weighted};

use crate::config::Config;

/// Names of the sources, in the order of their numbers.
pub const SOURCES: [&str; 3] = ["external", "simulation", "web"];

/// Memory in GB and how common it is. The document's example, 2.1 GB at 30.2 %, is one of 8 GB, of which the system shows a
/// little less.
const MEMORY_GB: [(f64, f64); 4] = [(8.0, 0.35), (16.0, 0.40), (32.0, 0.20), (64.0, 0.05)];
/// Firmware and graphics keep a part of the memory for themselves.
const MEMORY_SHOWN: (f64, f64) = (0.90, 0.985);
/// What a disk can do in MB/s: a hard disk, SATA and NVMe flash.
const DISK_MB_PER_S: [(f64, f64); 3] = [(160.0, 0.15), (520.0, 0.45), (1900.0, 0.40)];
/// What a network can do in MB/s: 100, 250 and 1,000 Mbit/s.
const NETWORK_MB_PER_S: [(f64, f64); 3] = [(12.5, 0.3), (31.25, 0.4), (125.0, 0.3)];
/// Share of the memory, in percent, that is taken before any work.
const RESIDENT_PCT: (f64, f64) = (18.0, 30.0);
/// Spread of the logarithm of how much data a user's work moves.
const DATA_SIGMA: f64 = 0.2;

const MACHINE: Process = Process::named("user's machine");

/// A user with a machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// Memory that the system shows, in GB.
    pub memory_gb: f64,
    /// Memory that is taken before any work, in percent.
    pub resident_pct: f64,
    /// What the disk can do, in MB/s, reading and writing together.
    pub disk_mb_per_s: f64,
    /// What the network can do in each direction, in MB/s.
    pub network_mb_per_s: f64,
    /// How much data the user's work moves in relation to others'.
    pub data: f64,
    /// The number of the source.
    pub source: u32,
    /// Time between the span's start and the user's first sample: a whole number of steps.
    pub joins_after: i64,
}

/// "user_001".
pub fn user_id(index: u32) -> String {
    format!("user_{:03}", index + 1)
}

impl Machine {
    /// The machine of the user of this index.
    pub fn new(config: &Config, seed: u64, user: u64) -> Self {
        let mut stream = Stream::of(seed, MACHINE, user, 0);
        let memory = pick(&MEMORY_GB, &mut stream) * stream.between(MEMORY_SHOWN.0, MEMORY_SHOWN.1);
        let disk_mb_per_s = pick(&DISK_MB_PER_S, &mut stream) * stream.between(0.85, 1.1);
        let network_mb_per_s = pick(&NETWORK_MB_PER_S, &mut stream);
        let resident_pct = stream.between(RESIDENT_PCT.0, RESIDENT_PCT.1);
        let data = (DATA_SIGMA * normal(stream.next() as u32)).exp();
        let source = Weighted::new(&config.sources.all()).draw(&mut stream) as u32;
        let spread = (config.start_spread_minutes * MINUTE as f64) as u64;
        let joins_after = if user == 0 { 0 } else { stream.below(spread + 1) as i64 };
        let step = config.step_micros();
        Self {
            // Two decimals, as in the rows.
            memory_gb: (memory * 100.0).round() / 100.0,
            resident_pct,
            disk_mb_per_s,
            network_mb_per_s,
            data,
            source,
            joins_after: joins_after / step * step,
        }
    }

    /// The user's first instant in a span, on the grid of steps.
    pub fn start(&self, span_start: Timestamp, step: i64) -> Timestamp {
        span_start.div_euclid(step).saturating_add(i64::from(span_start.rem_euclid(step) > 0)) * step + self.joins_after
    }
}

fn pick<const N: usize>(choices: &[(f64, f64); N], stream: &mut Stream) -> f64 {
    let at = Weighted::new(&choices.map(|(_, weight)| weight)).draw(stream);
    choices.get(at).map_or(0.0, |(value, _)| *value)
}
