//! How many events arrive: bursts with a long memory, and small clusters.
//!
//! Owns the burst factor and the counts of one step. Knows nothing of daily profiles: the caller brings the
//! expected rate. Every count follows from keyed bits, so all partitions see the same ones.

use crate::noise::OrnsteinUhlenbeck;
use crate::quantile::normal;
use crate::{Process, hash};

const BURST: Process = Process::named("burst");

/// One share of the bursts' variance and how long it lasts.
#[derive(Debug, Clone, Copy)]
pub struct BurstScale {
    /// Variance of the logarithm of the rate.
    pub variance: f64,
    /// Time constant in steps of the burst's grid.
    pub tau_steps: f64,
}

/// A lognormal factor on a rate with mean 1: the exponential of a sum of Ornstein-Uhlenbeck
/// processes, whose time constants lie far apart, which gives the slowly falling correlation of
/// real traffic.
#[derive(Debug, Clone)]
pub struct Bursts {
    scales: Vec<(f64, OrnsteinUhlenbeck)>,
    variance: f64,
}

impl Bursts {
    /// `key` names the process; each scale gets a stream of its own.
    pub fn new(key: u64, scales: &[BurstScale]) -> Self {
        Self {
            variance: scales.iter().map(|scale| scale.variance).sum(),
            scales: scales
                .iter()
                .enumerate()
                .map(|(i, scale)| {
                    let key = hash(key, BURST, i as u64, 0);
                    (scale.variance.max(0.0).sqrt(), OrnsteinUhlenbeck::new(key, scale.tau_steps))
                })
                .collect(),
        }
    }

    /// The factor at a step. `relative_variance` scales the variance: a rate that is a sum of independent
    /// sources has one in inverse proportion to their number.
    pub fn factor(&mut self, step: i64, relative_variance: f64) -> f64 {
        let spread = relative_variance.max(0.0).sqrt();
        let sum: f64 = self.scales.iter_mut().map(|(weight, process)| *weight * process.at(step)).sum();
        (spread * sum - 0.5 * relative_variance.max(0.0) * self.variance).exp()
    }
}

/// Poisson counts of one mean, prepared once for many draws.
#[derive(Debug, Clone, Copy, Default)]
pub struct Poisson {
    mean: f64,
    root: f64,
    none: f64,
}

/// From this mean on the quantile's expansion is better than a count in a hundred thousand.
const EXPAND_FROM: f64 = 12.0;

impl Poisson {
    /// `mean` per step; negative counts as 0.
    pub fn new(mean: f64) -> Self {
        let mean = if mean.is_finite() { mean.max(0.0) } else { 0.0 };
        let none = if mean < EXPAND_FROM { (-mean).exp() } else { 0.0 };
        Self { mean, root: mean.sqrt(), none }
    }

    /// Bits below this give 0, which one who draws often for a small mean can look at first.
    pub fn none_below(&self) -> u64 {
        (self.none * 18_446_744_073_709_551_616.0) as u64
    }

    /// One count from 64 uniform bits: by inversion where the mean is small, else by the
    /// Cornish-Fisher expansion of the quantile to third order.
    #[inline]
    pub fn draw(&self, bits: u64) -> u32 {
        if self.mean >= EXPAND_FROM {
            let z = f64::from(normal((bits >> 32) as u32));
            let count = self.mean + self.root * z + (z * z - 1.0) / 6.0 + (z - z * z * z) / (72.0 * self.root);
            return (count + 0.5).max(0.0) as u32;
        }
        let uniform = (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64);
        let (mut count, mut probability, mut below) = (0u32, self.none, self.none);
        while uniform > below && count < 100 {
            count += 1;
            probability *= self.mean / f64::from(count);
            below += probability;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: impl Iterator<Item = f64>) -> (f64, f64) {
        let values: Vec<f64> = values.collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (mean, values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64)
    }

    #[test]
    fn counts_have_mean_and_variance_of_a_poisson_law() {
        for mean in [0.3, 4.0, 11.9, 12.1, 40.0, 900.0] {
            let law = Poisson::new(mean);
            let (got, variance) = moments((0..100_000).map(|i| f64::from(law.draw(hash(3, BURST, 0, i)))));
            assert!((got / mean - 1.0).abs() < 0.02, "{mean}: mean {got}");
            let last = law.none_below().checked_sub(1);
            assert!(last.is_none_or(|bits| law.draw(bits) == 0) && last.is_some() == (mean < EXPAND_FROM));
            assert!((variance / mean - 1.0).abs() < 0.03, "{mean}: variance {variance}");
        }
    }

    #[test]
    fn bursts_leave_the_mean_alone() {
        let scales = [BurstScale { variance: 0.02, tau_steps: 3.0 }, BurstScale { variance: 0.05, tau_steps: 40.0 }];
        let mut bursts = Bursts::new(5, &scales);
        let (mean, variance) = moments((0..200_000).map(|step| bursts.factor(step, 1.0)));
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        assert!((variance / (0.07f64.exp() - 1.0) - 1.0).abs() < 0.1, "{variance}");
    }
}
