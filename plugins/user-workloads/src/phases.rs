//! What a user's machine is busy with: five phases, how they follow one another, and how long they last.

use telemill_sdk::chain::{Chain, Dwell};
use telemill_sdk::time::{MINUTE, SECOND};
use telemill_sdk::whole::normal;
use telemill_sdk::{Process, Stream, hash};

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

/// Spread of the logarithm of a dwell time.
const DWELL_SIGMA: f64 = 0.6;
/// No phase is shorter.
const SHORTEST: i64 = 10 * SECOND;
/// Spread of the logarithm of how much a user is given to a phase.
const TASTE_SIGMA: f64 = 0.2;

const TASTE: Process = Process::named("user's phases");
const CHAIN: Process = Process::named("phase chain");

/// How long the phases of a configuration last.
pub fn dwell(config: &Config) -> Dwell {
    let means = config.dwell_minutes.all().map(|minutes| minutes * MINUTE as f64);
    Dwell::new(means.to_vec(), DWELL_SIGMA, SHORTEST)
}

/// The phases of the user of this index.
pub fn chain(config: &Config, dwell: &Dwell, seed: u64, user: u64) -> Chain {
    let mut stream = Stream::of(seed, TASTE, user, 0);
    let weights = config.phase_weights.all().map(|weight| weight * (TASTE_SIGMA * normal(stream.next() as u32)).exp());
    let mut transitions = TRANSITIONS;
    for row in &mut transitions {
        row.iter_mut().zip(&weights).for_each(|(share, weight)| *share *= weight);
    }
    Chain::new(hash(seed, CHAIN, user, 0), &transitions, dwell)
}

#[cfg(test)]
mod tests {
    use telemill_sdk::chain::time_shares;

    use super::*;
    use crate::config::{DwellMinutes, PhaseWeights};

    #[test]
    fn phases_have_about_the_same_share_of_time() {
        let shares = time_shares(&TRANSITIONS, &DwellMinutes::default().all());
        assert!(shares.iter().all(|share| (0.17..0.24).contains(share)), "{shares:?}");
        assert!(TRANSITIONS.iter().all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-9));
    }

    #[test]
    fn weights_are_heeded_and_users_differ() {
        let never = PhaseWeights { idle: 0.0, ..PhaseWeights::default() };
        let config = Config { phase_weights: never, ..Config::default() };
        let dwell = dwell(&config);
        let share = |user: u64| {
            let mut chain = chain(&config, &dwell, 5, user);
            let states: Vec<usize> = (0..20_000).map(|i| chain.at(i * 10 * SECOND, &dwell).state).collect();
            assert!(!states.contains(&3), "nobody is idle");
            states.iter().filter(|state| **state == 0).count() as f64 / states.len() as f64
        };
        let shares: Vec<f64> = (0..8).map(share).collect();
        assert!(shares.iter().any(|s| *s > 0.32) && shares.iter().any(|s| *s < 0.28), "{shares:?}");
    }
}
