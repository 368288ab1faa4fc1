//! Draws, curves and noise in whole numbers, for generators whose rows are rounded anyway.
//!
//! In the sandbox each operation on fractions costs several instructions more, because a result that is no number gets
//! one pattern of bits on all machines, and exponentials and logarithms are calls into a library. Whole numbers have no such
//! price. Owns scores, quantiles, curves and the Ornstein-Uhlenbeck process on them; [`quantile`](crate::quantile) and
//! [`noise`](crate::noise) have the same in fractions. Knows nothing of columns: see
//! [`F64Column::push_fractions`](crate::F64Column::push_fractions).

mod curve;
mod wander;

use std::sync::LazyLock;

pub use curve::Curve;
pub use wander::Wander;

use crate::quantile::normal_quantile;

/// A standard normal score in units of 2^-24.
pub type Score = i64;

/// Bits of a score below its point.
pub const POINT: u32 = 24;

/// The score of a number.
pub const fn score(z: f64) -> Score {
    whole(z, POINT)
}

/// A number in units of 2^-`bits`, to the nearest.
pub const fn whole(value: f64, bits: u32) -> i64 {
    let scaled = value * (1u64 << bits) as f64;
    (if scaled < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i64
}

/// The number that is so many units of 2^-`bits`.
pub const fn number(value: i64, bits: u32) -> f64 {
    value as f64 / (1u64 << bits) as f64
}

/// Intervals of the body, and the outermost of them on either side, which the tails cut finer.
const BODY_BITS: u32 = 11;
const BODY: usize = 1 << BODY_BITS;
const EDGE: usize = 8;
const REFINE_BITS: u32 = 7;
const FINE: usize = EDGE << REFINE_BITS;
/// Bits of a draw below its interval, in the body and in the tails.
const BODY_REST: u32 = 32 - BODY_BITS;
const FINE_REST: u32 = BODY_REST - REFINE_BITS;
/// Fine intervals of the whole.
const ALL_FINE: f64 = (1u64 << (BODY_BITS + REFINE_BITS)) as f64;

/// An inverse distribution function in whole numbers, with straight lines between its points: 2048 intervals, of which the
/// outer eight on either side are cut 128 times finer, so that a heavy tail keeps its shape up to the quantile 1 - 1e-6.
#[derive(Clone, Debug)]
pub struct Quantiles {
    body: Box<[i32; BODY + 1]>,
    low: Box<[i32; FINE + 1]>,
    high: Box<[i32; FINE + 1]>,
}

impl Quantiles {
    /// Tabulates `quantile` in units of 2^-`bits`; it is asked for probabilities strictly between 0 and 1 that rise, and its values must fit
    /// into 31 bits.
    pub fn new(bits: u32, quantile: impl Fn(f64) -> f64) -> Self {
        // The ends of a law may be infinite; a quarter of an interval further in they are not.
        let outermost = 0.25 / ALL_FINE;
        let at = |p: f64| whole(quantile(p.clamp(outermost, 1.0 - outermost)), bits) as i32;
        let high_from = ALL_FINE - FINE as f64;
        Self {
            body: Box::new(std::array::from_fn(|i| at(i as f64 / BODY as f64))),
            low: Box::new(std::array::from_fn(|i| at(i as f64 / ALL_FINE))),
            high: Box::new(std::array::from_fn(|i| at((high_from + i as f64) / ALL_FINE))),
        }
    }

    /// Lognormal with median 1 and spread `sigma`, in units of 2^-`bits`.
    pub fn lognormal(bits: u32, sigma: f64) -> Self {
        Self::of_normal(bits, |z, _| (sigma * z).exp())
    }

    /// Lognormal with median 1 and spread `sigma`, whose uppermost `tail_share` is Pareto with exponent `alpha`: the two meet
    /// at their common quantile.
    pub fn lognormal_with_pareto_tail(bits: u32, sigma: f64, tail_share: f64, alpha: f64) -> Self {
        let join = (sigma * normal_quantile(1.0 - tail_share)).exp();
        let value = |z: f64, above: f64| {
            if above > tail_share { (sigma * z).exp() } else { join * (above / tail_share).powf(-1.0 / alpha) }
        };
        Self::of_normal(bits, value)
    }

    /// Tabulates a function that rises with the normal score at a probability; it also gets the share of all scores above. The points
    /// are those of the normal table, which saves a logarithm and a root for each.
    fn of_normal(bits: u32, value: impl Fn(f64, f64) -> f64) -> Self {
        let normal = Self::normal();
        let outermost = 0.25 / ALL_FINE;
        let at = |z: i32, above: f64| {
            whole(value(number(i64::from(z), POINT), above.clamp(outermost, 1.0 - outermost)), bits) as i32
        };
        Self {
            body: Box::new(std::array::from_fn(|i| at(normal.body[i], 1.0 - i as f64 / BODY as f64))),
            low: Box::new(std::array::from_fn(|i| at(normal.low[i], 1.0 - i as f64 / ALL_FINE))),
            high: Box::new(std::array::from_fn(|i| at(normal.high[i], (FINE - i) as f64 / ALL_FINE))),
        }
    }

    /// The standard normal law, as [`Score`]s: one table for all who ask.
    pub fn normal() -> &'static Self {
        static NORMAL: LazyLock<Quantiles> = LazyLock::new(|| Quantiles::new(POINT, normal_quantile));
        &NORMAL
    }

    /// One draw from 32 uniform bits, which are the share of all draws below it.
    #[inline]
    pub fn draw(&self, bits: u32) -> i64 {
        let at = (bits >> BODY_REST) as usize;
        if at.wrapping_sub(EDGE) < BODY - 2 * EDGE {
            between(self.body[at], self.body[at + 1], bits & ((1 << BODY_REST) - 1), BODY_REST)
        } else {
            self.draw_edge(bits)
        }
    }

    #[cold]
    fn draw_edge(&self, bits: u32) -> i64 {
        let at = (bits >> FINE_REST) as usize;
        let (table, at) = if at < FINE { (&self.low, at) } else { (&self.high, at - ((1 << (32 - FINE_REST)) - FINE)) };
        let at = at.min(FINE - 1);
        between(table[at], table[at + 1], bits & ((1 << FINE_REST) - 1), FINE_REST)
    }
}

/// A standard normal draw from 32 uniform bits, as a fraction: for what is drawn rarely beside draws in whole numbers, which then
/// need one table alone.
pub fn normal(bits: u32) -> f64 {
    number(Quantiles::normal().draw(bits), POINT)
}

/// The point of a straight line that lies `rest` of 2^`bits` behind its beginning.
#[inline]
fn between(from: i32, to: i32, rest: u32, bits: u32) -> i64 {
    i64::from(from) + (((i64::from(to) - i64::from(from)) * i64::from(rest)) >> bits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Process, hash};

    const DRAW: Process = Process::named("whole draw");

    #[test]
    fn normal_draws_have_the_moments_and_tails_of_their_law() {
        let normal = Quantiles::normal();
        let n = 2_000_000;
        let draws: Vec<f64> = (0..n).map(|i| number(normal.draw(hash(1, DRAW, i, 0) as u32), POINT)).collect();
        let moment = |power: i32| draws.iter().map(|z| z.powi(power)).sum::<f64>() / n as f64;
        assert!(moment(1).abs() < 0.003, "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.004, "{}", moment(2));
        assert!((moment(4) - 3.0).abs() < 0.03, "{}", moment(4));
        for (beyond, share) in [(1.0, 0.317_311), (2.0, 0.045_500), (3.0, 0.002_700), (4.0, 6.334e-5)] {
            let got = draws.iter().filter(|z| z.abs() > beyond).count() as f64 / n as f64;
            let error = 4.0 * (share / n as f64).sqrt();
            assert!((got - share).abs() < error, "beyond {beyond}: {got} instead of {share}");
        }
    }

    #[test]
    fn draws_rise_with_their_bits_across_all_seams() {
        let heavy = Quantiles::lognormal_with_pareto_tail(18, 0.45, 0.01, 2.5);
        for table in [Quantiles::normal(), &heavy] {
            let seams = [EDGE, BODY - EDGE].map(|at| (at as u64) << BODY_REST);
            let near = seams.into_iter().flat_map(|seam| seam - 100..seam + 100);
            let mut all: Vec<u64> = (0..1u64 << 32).step_by(65_521).chain(near).chain([u64::from(u32::MAX)]).collect();
            all.sort_unstable();
            let draws: Vec<i64> = all.iter().map(|bits| table.draw(*bits as u32)).collect();
            assert!(draws.is_sorted());
        }
    }

    #[test]
    fn a_pareto_tail_has_its_exponent() {
        let heavy = Quantiles::lognormal_with_pareto_tail(18, 0.45, 0.01, 2.5);
        let at = |p: f64| number(heavy.draw((p * 4_294_967_296.0) as u32), 18);
        assert!((at(0.5) - 1.0).abs() < 1e-4);
        for p in [1e-2, 1e-3, 1e-4] {
            let ratio = at(1.0 - p / 8.0) / at(1.0 - p);
            assert!((ratio / 8f64.powf(1.0 / 2.5) - 1.0).abs() < 0.01, "{p}: {ratio}");
        }
    }

    proptest! {
        #[test]
        fn a_draw_is_the_quantile_of_its_bits(bits in any::<u32>(), sigma in 0.05f64..1.5) {
            let p = (f64::from(bits) + 0.5) / 4_294_967_296.0;
            // The outermost thirtieth of a millionth of either side is a straight line.
            prop_assume!(p > 4e-6 && p < 1.0 - 4e-6);
            let z = number(Quantiles::normal().draw(bits), POINT);
            prop_assert!((z - normal_quantile(p)).abs() < 0.03, "{z} instead of {}", normal_quantile(p));
            if (1e-4..1.0 - 1e-4).contains(&p) {
                prop_assert!((z - normal_quantile(p)).abs() < 1e-3);
            }
            let value = number(Quantiles::lognormal(18, sigma).draw(bits), 18);
            let want = (sigma * normal_quantile(p)).exp();
            prop_assert!((value / want - 1.0).abs() < 0.03 * sigma + 1e-3, "{value} instead of {want}");
        }

        #[test]
        fn whole_numbers_are_the_nearest(value in -1e6f64..1e6, bits in 0u32..32) {
            prop_assert!((number(whole(value, bits), bits) - value).abs() <= 0.5 / (1u64 << bits) as f64);
        }
    }
}
