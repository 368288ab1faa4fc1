//! What a user's machine is busy with: five phases, how they follow one another, and how long they last.
//!
//! Time is cut into blocks. Within a block the phases are a semi-Markov chain that follows from the user and the block
//! alone, so any window can be made without a replay from the user's start.

use telemill_sdk::quantile::QuantileTable;
use telemill_sdk::time::{HOUR, MINUTE, SECOND};
use telemill_sdk::{Process, Stream, Timestamp, Weighted};

use crate::config::Config;

/// Names of the phases, in the order of their numbers.
pub const PHASES: [&str; 5] = ["cpu_bound", "io_bound", "memory_bound", "idle", "mixed"];
/// How many phases there are.
pub const COUNT: usize = PHASES.len();

/// How often a phase (row) is followed by another (column). Work often ends in a bit of everything; after a rest, computing
/// comes first. Nothing follows itself: that would be the same phase, lasting longer.
const TRANSITIONS: [[f64; COUNT]; COUNT] = [
    [0.00, 0.25, 0.20, 0.25, 0.30],
    [0.25, 0.00, 0.20, 0.25, 0.30],
    [0.25, 0.20, 0.00, 0.25, 0.30],
    [0.30, 0.25, 0.20, 0.00, 0.25],
    [0.28, 0.27, 0.25, 0.20, 0.00],
];

/// About seventy phases: the first of a block does not know the last of the one before, so blocks should be long.
const BLOCK: i64 = 6 * HOUR;
/// Spread of the logarithm of a dwell time.
const DWELL_SIGMA: f64 = 0.6;
/// No phase is shorter.
const SHORTEST: i64 = 10 * SECOND;
/// Spread of the logarithm of how much a user is given to a phase.
const TASTE_SIGMA: f64 = 0.2;

const TASTE: Process = Process::named("user's phases");
const OFFSET: Process = Process::named("phase block offset");
const CHAIN: Process = Process::named("phase chain");

/// The dwell times of all users, as tables.
#[derive(Clone, Debug)]
pub struct Dwell {
    means: [f64; COUNT],
    /// Lognormal with mean 1.
    shape: QuantileTable,
}

impl Dwell {
    /// The dwell times of a configuration.
    pub fn new(config: &Config) -> Self {
        let mean = (DWELL_SIGMA * DWELL_SIGMA / 2.0).exp();
        let lognormal = QuantileTable::lognormal(DWELL_SIGMA);
        Self {
            means: config.dwell_minutes.all().map(|minutes| minutes * MINUTE as f64),
            shape: QuantileTable::new(|p| lognormal.quantile(p) / mean),
        }
    }

    /// How long a phase lasts, in microseconds.
    fn draw(&self, phase: usize, bits: u32) -> i64 {
        let mean = self.means.get(phase).copied().unwrap_or(MINUTE as f64);
        ((mean * f64::from(self.shape.draw(bits))) as i64).max(SHORTEST)
    }
}

/// A phase from some instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    start: Timestamp,
    phase: usize,
}

/// Where a user is: the phase, how long it has been on, and the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The phase's number.
    pub phase: usize,
    /// The one before; its resources are still being given back.
    pub before: usize,
    /// Microseconds since the phase began.
    pub age_micros: i64,
}

/// The phases of one user.
#[derive(Clone, Debug)]
pub struct Chain {
    seed: u64,
    user: u64,
    offset: i64,
    first: Weighted,
    next: Vec<Weighted>,
    /// The block that the stretches below belong to: a cache, never state.
    block: i64,
    last_of_block_before: usize,
    stretches: Vec<Stretch>,
    at: usize,
}

impl Chain {
    /// The phases of the user of this index.
    pub fn new(config: &Config, seed: u64, user: u64) -> Self {
        let mut stream = Stream::of(seed, TASTE, user, 0);
        let weights = config.phase_weights.all().map(|weight| {
            let z = telemill_sdk::quantile::normal(stream.next() as u32);
            weight * (TASTE_SIGMA * f64::from(z)).exp()
        });
        let mut transitions = TRANSITIONS;
        for row in &mut transitions {
            row.iter_mut().zip(&weights).for_each(|(share, weight)| *share *= weight);
        }
        let shares = time_shares(&transitions, &config.dwell_minutes.all());
        Self {
            seed,
            user,
            offset: Stream::of(seed, OFFSET, user, 0).below(BLOCK as u64) as i64,
            first: Weighted::new(&shares),
            next: transitions.iter().map(|row| Weighted::new(row)).collect(),
            block: i64::MIN,
            last_of_block_before: 0,
            stretches: Vec::new(),
            at: 0,
        }
    }

    /// Where the user is at an instant. Cheap where instants go on.
    pub fn at(&mut self, t: Timestamp, dwell: &Dwell) -> Now {
        let block = (t - self.offset).div_euclid(BLOCK);
        if block != self.block {
            self.block = block;
            self.last_of_block_before = self.stretches_of(block - 1, dwell).last().map_or(0, |last| last.phase);
            self.stretches = self.stretches_of(block, dwell);
            self.at = 0;
        }
        if self.stretches.get(self.at).is_some_and(|now| now.start > t) {
            self.at = 0;
        }
        while self.stretches.get(self.at + 1).is_some_and(|next| next.start <= t) {
            self.at += 1;
        }
        let before = match self.at.checked_sub(1).and_then(|at| self.stretches.get(at)) {
            Some(stretch) => stretch.phase,
            None => self.last_of_block_before,
        };
        match self.stretches.get(self.at) {
            Some(now) => Now { phase: now.phase, before, age_micros: t - now.start },
            None => Now { phase: before, before, age_micros: 0 },
        }
    }

    fn stretches_of(&self, block: i64, dwell: &Dwell) -> Vec<Stretch> {
        let mut stream = Stream::of(self.seed, CHAIN, self.user, block);
        let end = (block + 1) * BLOCK + self.offset;
        let mut start = block * BLOCK + self.offset;
        let mut phase = self.first.draw(&mut stream);
        let mut stretches = Vec::new();
        while start < end {
            stretches.push(Stretch { start, phase });
            start += dwell.draw(phase, (stream.next() >> 32) as u32);
            phase = self.next.get(phase).map_or(0, |next| next.draw(&mut stream));
        }
        stretches
    }
}

/// The share of time in each phase: how often it is entered in the long run, times how long it lasts.
pub fn time_shares(transitions: &[[f64; COUNT]; COUNT], dwell: &[f64; COUNT]) -> [f64; COUNT] {
    let mut entered = [1.0 / COUNT as f64; COUNT];
    // Half of each share stays, so that chains that swing between two phases settle as well.
    for _ in 0..60 {
        let mut next = entered.map(|share| share / 2.0);
        for (share, row) in entered.iter().zip(transitions) {
            let total: f64 = row.iter().sum();
            for (to, weight) in next.iter_mut().zip(row) {
                *to += share / 2.0 * weight / total.max(f64::MIN_POSITIVE);
            }
        }
        entered = next;
    }
    let mut shares = entered;
    shares.iter_mut().zip(dwell).for_each(|(share, minutes)| *share *= minutes);
    let total: f64 = shares.iter().sum();
    shares.map(|share| share / total.max(f64::MIN_POSITIVE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_depends_on_the_instant_alone() {
        let (config, dwell) = (Config::default(), Dwell::new(&Config::default()));
        let mut forward = Chain::new(&config, 3, 9);
        let times: Vec<i64> = (-3000..3000).map(|i| i * 17 * SECOND).collect();
        let path: Vec<Now> = times.iter().map(|t| forward.at(*t, &dwell)).collect();
        let mut backward = Chain::new(&config, 3, 9);
        for (t, now) in times.iter().zip(&path).rev() {
            assert_eq!(backward.at(*t, &dwell), *now);
        }
        assert_eq!(Chain::new(&config, 3, 9).at(4321 * SECOND, &dwell), forward.at(4321 * SECOND, &dwell));
    }

    /// Stretches of two hundred users over two days, as (phase, next phase, length); the first and last are cut, so they are
    /// left out.
    fn stretches(config: &Config) -> Vec<(usize, usize, i64)> {
        let dwell = Dwell::new(config);
        let mut all = Vec::new();
        for user in 0..200 {
            let mut chain = Chain::new(config, 5, user);
            let (mut from, mut last) = (None, chain.at(0, &dwell).phase);
            for second in 1..2 * 86_400 / 5 {
                let t = second * 5 * SECOND;
                let phase = chain.at(t, &dwell).phase;
                if phase != last {
                    if let Some(from) = from {
                        all.push((last, phase, t - from));
                    }
                    (from, last) = (Some(t), phase);
                }
            }
        }
        all
    }

    #[test]
    fn dwell_times_and_transitions_are_the_configured_ones() {
        let config = Config::default();
        let all = stretches(&config);
        let mut counts = [[0.0; COUNT]; COUNT];
        for (phase, want) in config.dwell_minutes.all().into_iter().enumerate() {
            let lengths: Vec<f64> = all.iter().filter(|s| s.0 == phase).map(|s| s.2 as f64 / MINUTE as f64).collect();
            let mean = lengths.iter().sum::<f64>() / lengths.len() as f64;
            assert!((mean / want - 1.0).abs() < 0.05, "{}: {mean} instead of {want}", PHASES[phase]);
        }
        all.iter().for_each(|(from, to, _)| counts[*from][*to] += 1.0);
        for (from, row) in counts.iter().enumerate() {
            let total: f64 = row.iter().sum();
            for (to, count) in row.iter().enumerate() {
                let (share, want) = (count / total, TRANSITIONS[from][to]);
                assert!((share - want).abs() < 0.03, "{} to {}: {share}", PHASES[from], PHASES[to]);
            }
        }
    }

    #[test]
    fn weights_and_dwell_times_move_the_shares() {
        let shares = |transitions: &[[f64; COUNT]; COUNT], dwell: &[f64; COUNT]| time_shares(transitions, dwell);
        let usual = shares(&TRANSITIONS, &[6.0, 5.0, 6.0, 6.0, 4.5]);
        assert!(usual.iter().all(|share| (0.15..0.25).contains(share)), "{usual:?}");
        assert!((usual.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let lazy = shares(&TRANSITIONS, &[6.0, 5.0, 6.0, 30.0, 4.5]);
        assert!(lazy[3] > 0.5, "{lazy:?}");
    }
}
