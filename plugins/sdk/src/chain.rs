//! States that follow one another: a semi-Markov chain that any window can be made of without a replay from the beginning.
//!
//! Owns which state an entity is in when. Knows nothing of what the states mean.

use crate::quantile::QuantileTable;
use crate::{Process, Stream, Timestamp, Weighted, hash};

const OFFSET: Process = Process::named("chain offset");
const STRETCHES: Process = Process::named("chain stretches");

/// Stretches of the longest state that a block holds on average. The first stretch of a block does not know the last of the block
/// before, so there should be many.
const BLOCK_DWELLS: f64 = 60.0;

/// How long states last: lognormal, each with its own mean. It is shared by all entities with the same states.
#[derive(Clone, Debug)]
pub struct Dwell {
    means: Vec<f64>,
    shortest: i64,
    block: i64,
    /// Lognormal with mean 1.
    shape: QuantileTable,
}

impl Dwell {
    /// `means` of each state, in microseconds; `sigma`: spread of the logarithm; no stretch is shorter than `shortest`.
    pub fn new(means: Vec<f64>, sigma: f64, shortest: i64) -> Self {
        let mean = (sigma * sigma / 2.0).exp();
        let longest = means.iter().fold(1.0, |longest: f64, mean| longest.max(*mean));
        Self {
            block: ((longest * BLOCK_DWELLS) as i64).max(1),
            shape: QuantileTable::new(|p| (sigma * crate::quantile::normal_quantile(p)).exp() / mean),
            shortest: shortest.max(1),
            means,
        }
    }

    fn draw(&self, state: usize, bits: u32) -> i64 {
        let mean = self.means.get(state).copied().unwrap_or(1.0);
        ((mean * f64::from(self.shape.draw(bits))) as i64).max(self.shortest)
    }
}

/// A state from some instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    start: Timestamp,
    state: usize,
}

/// Where an entity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The state's number.
    pub state: usize,
    /// The state before.
    pub before: usize,
    /// Microseconds since the state began.
    pub age_micros: i64,
}

/// The states of one entity.
///
/// Time is cut into blocks, at other instants for each entity. Within a block, states follow from the key and the block alone: the first by
/// its share of time, the others by the transitions.
#[derive(Clone, Debug)]
pub struct Chain {
    key: u64,
    offset: i64,
    first: Weighted,
    next: Vec<Weighted>,
    /// The block that the stretches belong to: a cache, never state.
    block: i64,
    last_of_block_before: usize,
    stretches: Vec<Stretch>,
    at: usize,
}

impl Chain {
    /// `key` names the entity; `transitions[i][j]` is how often state i is followed by state j, in relation to the rest of the row.
    /// A state that follows itself lasts for another dwell time.
    pub fn new<R: AsRef<[f64]>>(key: u64, transitions: &[R], dwell: &Dwell) -> Self {
        Self {
            key,
            offset: Stream::of(key, OFFSET, 0, 0).below(dwell.block as u64) as i64,
            first: Weighted::new(&time_shares(transitions, &dwell.means)),
            next: transitions.iter().map(|row| Weighted::new(row.as_ref())).collect(),
            block: i64::MIN,
            last_of_block_before: 0,
            stretches: Vec::new(),
            at: 0,
        }
    }

    /// Where the entity is at an instant. Cheap where instants go on; a jump costs a few dozen draws.
    pub fn at(&mut self, t: Timestamp, dwell: &Dwell) -> Now {
        let block = (t - self.offset).div_euclid(dwell.block);
        if block != self.block {
            self.block = block;
            self.last_of_block_before = self.stretches_of(block - 1, dwell).last().map_or(0, |last| last.state);
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
            Some(stretch) => stretch.state,
            None => self.last_of_block_before,
        };
        match self.stretches.get(self.at) {
            Some(now) => Now { state: now.state, before, age_micros: t - now.start },
            None => Now { state: before, before, age_micros: 0 },
        }
    }

    /// Where the entity is at an instant, and until when it stays there at least.
    pub fn stretch(&mut self, t: Timestamp, dwell: &Dwell) -> (Now, Timestamp) {
        let now = self.at(t, dwell);
        let end = (self.block + 1) * dwell.block + self.offset;
        (now, self.stretches.get(self.at + 1).map_or(end, |next| next.start.min(end)))
    }

    fn stretches_of(&self, block: i64, dwell: &Dwell) -> Vec<Stretch> {
        let mut stream = Stream::of(hash(self.key, STRETCHES, 0, block), STRETCHES, 0, 0);
        let end = (block + 1) * dwell.block + self.offset;
        let mut start = block * dwell.block + self.offset;
        let mut state = self.first.draw(&mut stream);
        let mut stretches = Vec::new();
        while start < end {
            stretches.push(Stretch { start, state });
            start += dwell.draw(state, (stream.next() >> 32) as u32);
            state = self.next.get(state).map_or(0, |next| next.draw(&mut stream));
        }
        stretches
    }
}

/// The share of time in each state: how often it is entered in the long run, times how long it lasts.
pub fn time_shares<R: AsRef<[f64]>>(transitions: &[R], dwell: &[f64]) -> Vec<f64> {
    let n = transitions.len().max(1);
    let mut entered = vec![1.0 / n as f64; n];
    // Half of each share stays, so that chains that swing between two states settle as well.
    for _ in 0..60 {
        let mut next: Vec<f64> = entered.iter().map(|share| share / 2.0).collect();
        for (share, row) in entered.iter().zip(transitions) {
            let total: f64 = row.as_ref().iter().sum();
            for (to, weight) in next.iter_mut().zip(row.as_ref()) {
                *to += share / 2.0 * weight / total.max(f64::MIN_POSITIVE);
            }
        }
        entered = next;
    }
    let shares: Vec<f64> = entered.iter().zip(dwell).map(|(share, length)| share * length).collect();
    let total: f64 = shares.iter().sum();
    shares.iter().map(|share| share / total.max(f64::MIN_POSITIVE)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{MINUTE, SECOND};

    const TRANSITIONS: [[f64; 3]; 3] = [[0.0, 0.7, 0.3], [0.5, 0.0, 0.5], [0.9, 0.1, 0.0]];
    const MINUTES: [f64; 3] = [6.0, 2.0, 10.0];

    fn dwell() -> Dwell {
        Dwell::new(MINUTES.map(|minutes| minutes * MINUTE as f64).to_vec(), 0.6, SECOND)
    }

    #[test]
    fn a_state_depends_on_the_instant_alone() {
        let dwell = dwell();
        let mut forward = Chain::new(9, &TRANSITIONS, &dwell);
        let times: Vec<i64> = (-6000..6000).map(|i| i * 17 * SECOND).collect();
        let path: Vec<Now> = times.iter().map(|t| forward.at(*t, &dwell)).collect();
        let mut backward = Chain::new(9, &TRANSITIONS, &dwell);
        for (t, now) in times.iter().zip(&path).rev() {
            assert_eq!(backward.at(*t, &dwell), *now);
            let (there, until) = backward.stretch(*t, &dwell);
            assert_eq!(there, *now);
            assert!(until > *t && (until - 1 == *t || backward.at(until - 1, &dwell).state == now.state));
        }
        assert_eq!(Chain::new(9, &TRANSITIONS, &dwell).at(4321 * SECOND, &dwell), forward.at(4321 * SECOND, &dwell));
    }

    #[test]
    fn dwell_times_transitions_and_shares_are_the_configured_ones() {
        let dwell = dwell();
        let (mut lengths, mut counts, mut time) = ([(0.0, 0.0); 3], [[0.0; 3]; 3], [0.0; 3]);
        for key in 0..60 {
            let mut chain = Chain::new(key, &TRANSITIONS, &dwell);
            let (mut from, mut last) = (None, chain.at(0, &dwell).state);
            for i in 1..40_000 {
                let t = i * 5 * SECOND;
                let state = chain.at(t, &dwell).state;
                time[state] += 1.0;
                if state != last {
                    if let Some(from) = from {
                        lengths[last] = (lengths[last].0 + (t - from) as f64 / MINUTE as f64, lengths[last].1 + 1.0);
                        counts[last][state] += 1.0;
                    }
                    (from, last) = (Some(t), state);
                }
            }
        }
        let shares = time_shares(&TRANSITIONS, &MINUTES);
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let all: f64 = time.iter().sum();
        for state in 0..3 {
            let mean = lengths[state].0 / lengths[state].1;
            assert!((mean / MINUTES[state] - 1.0).abs() < 0.05, "state {state} lasts {mean} minutes");
            assert!((time[state] / all - shares[state]).abs() < 0.02, "state {state} has {}", time[state] / all);
            let total: f64 = counts[state].iter().sum();
            for (share, want) in counts[state].iter().map(|n| n / total).zip(TRANSITIONS[state]) {
                assert!((share - want).abs() < 0.03, "{share} instead of {want}");
            }
        }
    }
}
