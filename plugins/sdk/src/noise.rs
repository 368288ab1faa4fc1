//! Correlated noise that any window can be made of without a replay from the beginning.
//!
//! Owns the Ornstein-Uhlenbeck process on a grid of steps. Knows nothing of what it is noise for.

use crate::quantile::QuantileTable;
use crate::{Process, Steps, hash};

/// The stationary draw of a block's start, apart from the innovation of the same step.
pub(crate) const START: Process = Process::named("ornstein-uhlenbeck start");
pub(crate) const INNOVATION: Process = Process::named("ornstein-uhlenbeck innovation");
/// Memory of the start that is left after a warm-up: exp(-7), about 0.1 %.
pub(crate) const WARM_UP_TIME_CONSTANTS: f64 = 7.0;

/// A stationary Ornstein-Uhlenbeck process with mean 0 and variance 1, exactly discretised:
/// x' = phi x + sqrt(1 - phi^2) e with phi = exp(-1 / tau).
///
/// Time is cut into blocks of seven time constants. The value at a step comes from a recursion that
/// starts at the block before with a stationary draw and takes the same keyed innovations whoever
/// asks, so it depends on key and step alone. Where two blocks meet, the recursions differ by
/// exp(-7) of a standard deviation. Going on by a step costs one draw, jumping at most 14 tau.
#[derive(Debug, Clone)]
pub struct OrnsteinUhlenbeck {
    key: u64,
    innovations: Steps,
    phi: f64,
    spread: f64,
    normal: &'static QuantileTable,
    block_steps: i64,
    /// Where the recursion stands, and the end of its block: a cache, never state.
    step: i64,
    end: i64,
    value: f64,
}

impl OrnsteinUhlenbeck {
    /// `tau_steps`: the time in which correlation falls to 1/e, in steps.
    pub fn new(key: u64, tau_steps: f64) -> Self {
        let tau = tau_steps.max(1e-3);
        let phi = (-1.0 / tau).exp();
        Self {
            key,
            innovations: Steps::of(key, INNOVATION, 0),
            phi,
            spread: (1.0 - phi * phi).sqrt(),
            block_steps: ((tau * WARM_UP_TIME_CONSTANTS).ceil() as i64).max(1),
            normal: QuantileTable::normal(),
            step: i64::MAX,
            end: i64::MIN,
            value: 0.0,
        }
    }

    /// The process of which neighbours have the correlation `lag_1` (0 for white noise).
    pub fn with_lag_1(key: u64, lag_1: f64) -> Self {
        let lag_1 = lag_1.clamp(1e-9, 0.999_999);
        Self::new(key, -1.0 / lag_1.ln())
    }

    /// The value at a step of the grid.
    #[inline]
    pub fn at(&mut self, step: i64) -> f64 {
        if step < self.step || step >= self.end {
            self.begin(step);
        }
        while self.step < step {
            self.step += 1;
            let innovation = f64::from(self.normal.draw(self.innovations.hash(self.step) as u32));
            self.value = self.phi * self.value + self.spread * innovation;
        }
        self.value
    }

    /// Goes to the start of the recursion of a step's block, which is the block before.
    #[cold]
    fn begin(&mut self, step: i64) {
        let block = step.div_euclid(self.block_steps);
        self.step = (block - 1) * self.block_steps;
        self.end = (block + 1) * self.block_steps;
        self.value = f64::from(self.normal.draw(hash(self.key, START, 0, self.step) as u32));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_depends_on_the_step_alone() {
        let mut forward = OrnsteinUhlenbeck::new(7, 12.0);
        let path: Vec<f64> = (-500..500).map(|step| forward.at(step)).collect();
        let mut backward = OrnsteinUhlenbeck::new(7, 12.0);
        for (i, step) in (-500..500i32).enumerate().rev() {
            let step = i64::from(step);
            assert_eq!(Some(&backward.at(step)), path.get(i));
            let mut jumped = OrnsteinUhlenbeck::new(7, 12.0);
            assert_eq!(Some(&jumped.at(step)), path.get(i));
        }
    }

    #[test]
    fn variance_and_correlation_are_those_of_the_process() {
        let mut process = OrnsteinUhlenbeck::with_lag_1(11, 0.97);
        let path: Vec<f64> = (0..200_000).map(|step| process.at(step)).collect();
        let n = path.len() as f64;
        let mean = path.iter().sum::<f64>() / n;
        let variance = path.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        let lag_1 = path.windows(2).map(|w| (w[0] - mean) * (w[1] - mean)).sum::<f64>() / n / variance;
        assert!((variance - 1.0).abs() < 0.1, "{variance}");
        assert!((lag_1 - 0.97).abs() < 0.005, "{lag_1}");
    }
}
