//! Distributions as tables, so that a draw costs one lookup and no logarithm.
//!
//! Owns quantile tables and the normal quantile. Knows nothing of streams: every draw takes bits that the caller
//! got from a keyed one. rand_distr stays the tool for rare draws.

use std::array::from_fn;
use std::sync::LazyLock;

/// Entries of the body, and of each of the two tails.
const BODY: usize = 2048;
/// The outermost bins of the body on either side, which the tails resolve `REFINE` times finer.
const EDGE: usize = 8;
const REFINE: usize = 128;

/// An inverse distribution function: 2048 bins, of which the outer eight on either side are cut 128
/// times finer, so that a heavy tail keeps its shape up to the quantile 1 - 2e-6.
#[derive(Debug, Clone)]
pub struct QuantileTable {
    body: Box<[f32; BODY]>,
    low: Box<[f32; EDGE * REFINE]>,
    high: Box<[f32; EDGE * REFINE]>,
}

impl QuantileTable {
    /// Tabulates `quantile`, which is asked for probabilities strictly between 0 and 1.
    pub fn new(quantile: impl Fn(f64) -> f64) -> Self {
        let bins = BODY as f64;
        let fine = (EDGE * REFINE) as f64;
        let edge = EDGE as f64 / bins;
        let body = Box::new(from_fn(|i| quantile((i as f64 + 0.5) / bins) as f32));
        let low = Box::new(from_fn(|i| quantile((i as f64 + 0.5) / fine * edge) as f32));
        let high = Box::new(from_fn(|i| quantile(1.0 - edge + (i as f64 + 0.5) / fine * edge) as f32));
        Self { body, low, high }
    }

    /// Lognormal with median 1 and spread `sigma`.
    pub fn lognormal(sigma: f64) -> Self {
        Self::new(|p| (sigma * normal_quantile(p)).exp())
    }

    /// Lognormal with median 1 and spread `sigma`, whose uppermost `tail_share` is Pareto with exponent
    /// `alpha`: the two meet at their common quantile.
    pub fn lognormal_with_pareto_tail(sigma: f64, tail_share: f64, alpha: f64) -> Self {
        let join = (sigma * normal_quantile(1.0 - tail_share)).exp();
        Self::new(|p| {
            if p < 1.0 - tail_share {
                (sigma * normal_quantile(p)).exp()
            } else {
                join * ((1.0 - p) / tail_share).powf(-1.0 / alpha)
            }
        })
    }

    /// The standard normal law: one table for all who ask.
    pub fn normal() -> &'static Self {
        static NORMAL: LazyLock<QuantileTable> = LazyLock::new(|| QuantileTable::new(normal_quantile));
        &NORMAL
    }

    /// One draw from 32 uniform bits.
    #[inline]
    pub fn draw(&self, bits: u32) -> f32 {
        let bin = (bits >> 21) as usize;
        if (EDGE..BODY - EDGE).contains(&bin) { self.body[bin] } else { self.draw_edge(bin, bits) }
    }

    /// The value at a probability: the middle of the bin that holds it.
    pub fn quantile(&self, p: f64) -> f64 {
        f64::from(self.draw((p.clamp(0.0, 1.0) * f64::from(u32::MAX)) as u32))
    }

    #[cold]
    fn draw_edge(&self, bin: usize, bits: u32) -> f32 {
        let fine = ((bits >> 14) & 0x7f) as usize;
        let (table, bin) = if bin < EDGE { (&self.low, bin) } else { (&self.high, bin.saturating_sub(BODY - EDGE)) };
        table[(bin * REFINE + fine) % table.len()]
    }
}

/// A standard normal draw from 32 uniform bits.
#[inline]
pub fn normal(bits: u32) -> f32 {
    QuantileTable::normal().draw(bits)
}

/// The standard normal distribution's quantile (Acklam's rational approximation, relative error
/// below 1.2e-9).
pub fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 5] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 4] =
        [7.784_695_709_041_462e-3, 3.224_671_290_700_398e-1, 2.445_134_137_142_996, 3.754_408_661_907_416];
    let horner = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    let tail = |p: f64| {
        let q = (-2.0 * p.ln()).sqrt();
        horner(&C, q) / (horner(&D, q) * q + 1.0)
    };
    if p <= 0.0 {
        f64::NEG_INFINITY
    } else if p >= 1.0 {
        f64::INFINITY
    } else if p < 0.024_25 {
        tail(p)
    } else if p > 1.0 - 0.024_25 {
        -tail(1.0 - p)
    } else {
        let q = p - 0.5;
        let r = q * q;
        horner(&A, r) * q / (horner(&B, r) * r + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every bin once, from the top bits down.
    fn sweep() -> impl Iterator<Item = u32> {
        (0..1u32 << 18).map(|i| i << 14)
    }

    #[test]
    fn normal_draws_have_unit_variance_and_known_quantiles() {
        let draws: Vec<f64> = sweep().map(|bits| f64::from(normal(bits))).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 1e-3, "{mean}");
        assert!((variance - 1.0).abs() < 5e-3, "{variance}");
        assert!((normal_quantile(0.975) - 1.959_964).abs() < 1e-5);
        assert!((normal_quantile(0.001) + 3.090_232).abs() < 1e-5);
    }

    #[test]
    fn a_pareto_tail_is_heavier_than_the_lognormal_it_replaces() {
        let plain = QuantileTable::lognormal(0.42);
        let heavy = QuantileTable::lognormal_with_pareto_tail(0.42, 0.02, 2.0);
        assert_eq!(plain.draw(1 << 31), heavy.draw(1 << 31));
        assert!(heavy.draw(u32::MAX) > 5.0 * plain.draw(u32::MAX));
    }
}
