//! Functions of a score, tabulated once and read with straight lines between their points.

use super::{POINT, Score, whole};

/// A curve reaches to these scores on either side, in intervals of 1/64.
const REACH: i64 = 5;
const PER_SCORE_BITS: u32 = 6;
const INTERVALS: usize = (2 * REACH as usize) << PER_SCORE_BITS;
/// Bits of a score within an interval.
const WITHIN_BITS: u32 = POINT - PER_SCORE_BITS;

/// A whole number for each score between -5 and 5; beyond, those at the ends.
#[derive(Clone, Debug)]
pub struct Curve {
    points: Box<[i64; INTERVALS + 1]>,
}

impl Curve {
    /// Tabulates a function of the score in units of 2^-`bits`. It is asked for scores that rise, and rises by less than 2^44 units from
    /// one to the next.
    pub fn new(bits: u32, mut value: impl FnMut(f64) -> f64) -> Self {
        let at = |i: usize| i as f64 / f64::from(1u32 << PER_SCORE_BITS) - REACH as f64;
        Self { points: Box::new(std::array::from_fn(|i| whole(value(at(i)), bits))) }
    }

    /// The value at a score.
    #[inline]
    pub fn at(&self, z: Score) -> i64 {
        let x = (z + (REACH << POINT)).clamp(0, ((2 * REACH) << POINT) - 1);
        let at = (x >> WITHIN_BITS) as usize % INTERVALS;
        let (from, to) = (self.points[at], self.points[at + 1]);
        from + (((to - from) * (x & ((1 << WITHIN_BITS) - 1))) >> WITHIN_BITS)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{number, score};
    use super::*;

    proptest! {
        #[test]
        fn a_curve_is_its_function(z in -4.999f64..4.999, spread in 0.05f64..1.5) {
            let curve = Curve::new(20, |z| (spread * z).exp());
            let (got, want) = (number(curve.at(score(z)), 20), (spread * z).exp());
            // The sagitta of an interval, and what a unit is worth.
            let most = (spread / 64.0).powi(2) / 8.0 * 1.05 * want + 2e-6;
            prop_assert!((got - want).abs() < most, "{got} instead of {want}");
        }
    }

    #[test]
    fn beyond_its_ends_a_curve_is_flat() {
        let line = Curve::new(24, |z| 2.0 * z);
        assert!((number(line.at(score(99.0)), 24) - 10.0).abs() < 1e-5);
        assert_eq!(line.at(score(-99.0)), -10 << 24);
        assert_eq!(line.at(score(0.0)), 0);
    }
}
