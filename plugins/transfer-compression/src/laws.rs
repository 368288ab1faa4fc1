//! The distributions of the example system's script (section 6.1 of its document), as curves of a standard normal score. Values are whole
//! numbers: what is shown with so many decimals, and some bits below that.

use telemill_sdk::quantile::normal_quantile;
use telemill_sdk::whole::{Curve, Quantiles, Score, score};

use crate::curve::{of_law, shares};

/// Shape and scale of the gamma law of round trips in milliseconds, by link type.
const ROUND_TRIPS: [(u32, f64); 3] = [(2, 0.3), (3, 2.5), (5, 8.0)];
/// Free bandwidth in Mbit/s is uniform between these, by link type.
pub const BANDWIDTHS: [(i64, i64); 3] = [(1_000, 10_000), (100, 1_000), (10, 200)];
/// Mean share of lost packets, which is exponential.
const LOSS: f64 = 0.001;
/// Mean and spread of the logarithm of sizes in bytes.
const SIZE: (f64, f64) = (15.0, 2.0);
/// Mean number of transfers under way, which is Poisson.
const ACTIVE: f64 = 3.0;
/// Counts of active transfers that are told apart.
const MOST_ACTIVE: usize = 16;

/// Bits of round trips, losses, shares and bandwidth below the last decimal that is shown.
pub const BELOW: u32 = 16;
/// Bits of a share of scores.
pub const SHARE: u32 = 30;
/// Bits of sizes below a byte.
pub const SIZE_BELOW: u32 = 4;

/// All curves.
#[derive(Clone, Debug)]
pub struct Laws {
    /// Where scores come from.
    pub scores: &'static Quantiles,
    /// The share of scores below a score, in 2^-30: what turns it into a uniform number.
    pub share: Curve,
    /// Round trips in tenths of a millisecond and 2^-16 of them, by link type.
    pub rtt: [Curve; 3],
    /// Share of lost packets, in thousandths and 2^-16 of them.
    pub loss: Curve,
    /// Sizes in sixteenths of a byte.
    pub size: Curve,
    /// Entropy in hundredths and 2^-16 of them: beta(3, 2).
    pub entropy: Curve,
    /// Busy share of processors in hundredths and 2^-16 of them: beta(2, 5).
    pub cpu: Curve,
    /// Scores from which on one more transfer is under way.
    active: [Score; MOST_ACTIVE],
}

/// The shares below and above x times the scale, of a gamma law with a whole shape.
fn erlang(shape: u32, x: f64) -> (f64, f64) {
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..shape {
        term *= x / f64::from(k);
        sum += term;
    }
    let above = (-x).exp() * sum;
    (1.0 - above, above)
}

impl Default for Laws {
    fn default() -> Self {
        let (mut probability, mut below) = ((-ACTIVE).exp(), (-ACTIVE).exp());
        let mut active = [Score::MAX; MOST_ACTIVE];
        for (k, from) in active.iter_mut().enumerate() {
            *from = score(normal_quantile(below.min(1.0 - 1e-12)));
            probability *= ACTIVE / (k + 1) as f64;
            below += probability;
        }
        Self {
            scores: Quantiles::normal(),
            rtt: ROUND_TRIPS
                .map(|(shape, scale)| of_law(10.0, 1e-4 * scale, 60.0 * scale, |x| erlang(shape, x / scale))),
            loss: of_law(1_000.0, 1e-7 * LOSS, 40.0 * LOSS, |x| erlang(1, x / LOSS)),
            size: Curve::new(SIZE_BELOW, |z| (SIZE.0 + SIZE.1 * z).exp()),
            entropy: of_law(100.0, 1e-3, 1.0, |x| {
                let above = (1.0 - x) * (1.0 - x) * (1.0 + 2.0 * x + 3.0 * x * x);
                (1.0 - above, above)
            }),
            cpu: of_law(100.0, 1e-5, 1.0, |x| {
                let above = (1.0 - x).powi(5) * (1.0 + 5.0 * x);
                (1.0 - above, above)
            }),
            share: shares(),
            active,
        }
    }
}

impl Laws {
    /// How many transfers are under way at a score.
    #[inline]
    pub fn active_transfers(&self, z: Score) -> i64 {
        self.active.iter().map(|from| i64::from(z >= *from)).sum()
    }

    /// A number uniform between two ends, in units of 2^-`bits`, which are at most 30, at a score.
    #[inline]
    pub fn uniform(&self, z: Score, low: i64, high: i64, bits: u32) -> i64 {
        (low << bits) + (((high - low) * self.share.at(z)) >> (SHARE - bits))
    }
}

/// A share between two, which are in units of 2^-`bits`, of 32 uniform bits.
#[inline]
pub fn between(bits: u32, low: i64, high: i64) -> i64 {
    low + (((high - low) * i64::from(bits)) >> 32)
}

#[cfg(test)]
mod tests {
    use telemill_sdk::whole::number;
    use telemill_sdk::{Process, hash};

    use super::*;

    #[test]
    fn moments_and_quantiles_are_those_of_the_script() {
        let laws = Laws::default();
        let n = 200_000;
        let draw = |curve: &Curve, per: f64, bits: u32| -> Vec<f64> {
            let drawn = |i| laws.scores.draw((hash(9, Process::named("law"), i, 0) >> 7) as u32);
            let mut all: Vec<f64> = (0..n).map(|i| number(curve.at(drawn(i)), bits) / per).collect();
            all.sort_by(f64::total_cmp);
            all
        };
        let moments = |values: &[f64]| {
            let mean = values.iter().sum::<f64>() / n as f64;
            (mean, values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64)
        };
        // Gamma: mean shape x scale, variance shape x scale^2; beta, exponential: textbook.
        for (name, curve, per, mean, variance) in [
            ("dc", &laws.rtt[0], 10.0, 0.6, 0.18),
            ("metro", &laws.rtt[1], 10.0, 7.5, 18.75),
            ("wan", &laws.rtt[2], 10.0, 40.0, 320.0),
            ("loss", &laws.loss, 1000.0, 0.001, 1e-6),
            ("entropy", &laws.entropy, 100.0, 0.6, 0.04),
            ("cpu", &laws.cpu, 100.0, 2.0 / 7.0, 10.0 / 392.0),
        ] {
            let (got, spread) = moments(&draw(curve, per, BELOW));
            assert!((got / mean - 1.0).abs() < 0.01, "{name}: mean {got} instead of {mean}");
            assert!((spread / variance - 1.0).abs() < 0.02, "{name}: variance {spread} instead of {variance}");
        }
        let sizes = draw(&laws.size, 1.0, SIZE_BELOW);
        let logs: Vec<f64> = sizes.iter().map(|size| size.ln()).collect();
        let (mean, variance) = moments(&logs);
        assert!((mean - 15.0).abs() < 0.02 && (variance - 4.0).abs() < 0.04, "{mean} {variance}");
        assert!((number(laws.size.at(0), SIZE_BELOW) / 15f64.exp() - 1.0).abs() < 1e-4);
        let mut counts = [0.0f64; 20];
        for i in 0..n {
            let z = laws.scores.draw(hash(4, Process::named("active"), i, 0) as u32);
            counts[laws.active_transfers(z) as usize] += 1.0 / n as f64;
        }
        for (k, want) in [0.049_787, 0.149_361, 0.224_042, 0.224_042, 0.168_031, 0.100_819].into_iter().enumerate() {
            assert!((counts[k] - want).abs() < 0.004, "{k}: {} instead of {want}", counts[k]);
        }
    }

    #[test]
    fn uniform_numbers_are_uniform() {
        let laws = Laws::default();
        let uniform = |z: f64, low: i64, high: i64| number(laws.uniform(score(z), low, high, 20), 20);
        assert!((uniform(0.0, 10, 30) - 20.0).abs() < 1e-4);
        assert!((uniform(1.959_964, 0, 1) - 0.975).abs() < 3e-5);
        assert!(uniform(5.0, 0, 1) <= 1.0 && uniform(-5.0, 0, 1) >= 0.0);
        assert_eq!((between(0, 100, 200), between(u32::MAX, 100, 200)), (100, 199));
    }
}
