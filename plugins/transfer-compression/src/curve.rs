//! Distributions as functions of a standard normal score, tabulated once and read with linear interpolation.
//!
//! A column that must keep its distribution and still follow a load draws a score z of mean 0 and variance 1, mixed of what it
//! follows and of chance, and reads its value from its curve. Knows nothing of which column that is.

use telemill_sdk::quantile::normal_quantile;

/// A score in units of 2^-24. Scores are mixed and looked up as whole numbers, since the sandbox pays more for each operation on fractions.
pub type Score = i64;

/// Bits of a score below its point.
pub const POINT: u32 = 24;

/// The score of a number.
pub fn score(z: f64) -> Score {
    (z * f64::from(1 << POINT)) as Score
}

/// A curve reaches to these scores on either side, in intervals of 1/64.
const REACH: i64 = 5;
const PER_SCORE_BITS: u32 = 6;
const INTERVALS: usize = (2 * REACH as usize) << PER_SCORE_BITS;
/// Bits of a score within an interval.
const WITHIN_BITS: u32 = POINT - PER_SCORE_BITS;
/// Points at which a distribution function is asked to invert it.
const POINTS: usize = 4096;

/// A value for each score between -5 and 5; beyond, those at the ends.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Value of each interval and its rise by the unit of a score, side by side, so that one look finds both.
    intervals: Box<[[f64; 2]; INTERVALS]>,
}

impl Curve {
    /// Tabulates a function of the score, which is asked for scores that rise.
    pub fn of(mut value: impl FnMut(f64) -> f64) -> Self {
        let mut intervals = Box::new([[0.0; 2]; INTERVALS]);
        let at = |i: usize| i as f64 / f64::from(1 << PER_SCORE_BITS) - REACH as f64;
        let mut from = value(at(0));
        for (i, interval) in intervals.iter_mut().enumerate() {
            let to = value(at(i + 1));
            *interval = [from, (to - from) / f64::from(1 << WITHIN_BITS)];
            from = to;
        }
        Self { intervals }
    }

    /// The curve of a law on positive numbers: `shares` gives the shares below and above a number, and practically all of
    /// them lie between `least` and `most`.
    pub fn of_law(least: f64, most: f64, shares: impl Fn(f64) -> (f64, f64)) -> Self {
        let growth = (most / least).powf(1.0 / POINTS as f64);
        let at = |x: f64| {
            let (below, above) = shares(x);
            if below < above { normal_quantile(below.max(1e-12)) } else { -normal_quantile(above.max(1e-12)) }
        };
        let (mut low, mut high) = ((least, at(least)), (least, at(least)));
        Self::of(|z| {
            while high.1 < z && high.0 < most {
                low = high;
                high.0 *= growth;
                high.1 = at(high.0);
            }
            let way = if high.1 > low.1 { ((z - low.1) / (high.1 - low.1)).clamp(0.0, 1.0) } else { 0.0 };
            low.0 + (high.0 - low.0) * way
        })
    }

    /// The share of standard normal scores below a score: the integral of their density, by Simpson's rule.
    pub fn of_shares() -> Self {
        let density = |z: f64| (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
        let (mut last, mut share) = (-(REACH as f64), 0.0);
        Self::of(|z| {
            share += (z - last) / 6.0 * (density(last) + 4.0 * density(f64::midpoint(last, z)) + density(z));
            last = z;
            share
        })
    }

    /// The value at a score.
    #[inline]
    pub fn at(&self, z: Score) -> f64 {
        let x = (z + (REACH << POINT)).clamp(0, ((2 * REACH) << POINT) - 1);
        let [low, rise] = self.intervals[(x >> WITHIN_BITS) as usize % INTERVALS];
        low + rise * f64::from(x as i32 & ((1 << WITHIN_BITS) - 1))
    }
}

/// Intervals of one half of the normal quantile, how many of them the tail refines, and how finely.
const HALF: usize = 2048;
const EDGE: usize = 8;
const REFINE: usize = 128;

/// The source of standard normal scores: the quantile of uniform bits, without a logarithm and without steps.
#[derive(Clone, Debug)]
pub struct Scores {
    /// Magnitude and fall of each interval, as in [`Curve`].
    half: Box<[[i32; 2]; HALF]>,
    tail: Box<[[i32; 2]; EDGE * REFINE]>,
}

impl Default for Scores {
    fn default() -> Self {
        // The outermost magnitude would be infinite; a quarter of an interval further in it is 5.0.
        let outermost = 0.25 / (2 * HALF * REFINE) as f64;
        let interval = |i: usize, of: usize| {
            let magnitude = |i: usize| score(-normal_quantile((i as f64 / of as f64).max(outermost))) as i32;
            [magnitude(i), magnitude(i + 1) - magnitude(i)]
        };
        let mut half = Box::new([[0; 2]; HALF]);
        half.iter_mut().enumerate().for_each(|(i, to)| *to = interval(i, 2 * HALF));
        let mut tail = Box::new([[0; 2]; EDGE * REFINE]);
        tail.iter_mut().enumerate().for_each(|(i, to)| *to = interval(i, 2 * HALF * REFINE));
        Self { half, tail }
    }
}

impl Scores {
    /// The score of 32 uniform bits, which are the share of all scores below it.
    #[inline]
    pub fn at(&self, bits: u32) -> Score {
        let upper = bits >> 31 == 1;
        let share = if upper { !bits } else { bits };
        let i = (share >> 20) as usize & (HALF - 1);
        let magnitude = if i >= EDGE {
            let [near, fall] = self.half[i];
            i64::from(near) + ((i64::from(fall) * i64::from(share & 0xf_ffff)) >> 20)
        } else {
            self.in_tail(share)
        };
        if upper { magnitude } else { -magnitude }
    }

    #[cold]
    fn in_tail(&self, share: u32) -> Score {
        let [near, fall] = self.tail[(share >> 13) as usize & (EDGE * REFINE - 1)];
        i64::from(near) + ((i64::from(fall) * i64::from(share & 0x1fff)) >> 13)
    }
}

#[cfg(test)]
mod tests {
    use telemill_sdk::{Process, hash};

    use super::*;

    fn number(z: Score) -> f64 {
        z as f64 / f64::from(1 << POINT)
    }

    #[test]
    fn scores_are_standard_normal() {
        let scores = Scores::default();
        let n = 400_000;
        let draws: Vec<f64> = (0..n).map(|i| number(scores.at(hash(1, Process::named("z"), i, 0) as u32))).collect();
        let moment = |power: i32| draws.iter().map(|z| z.powi(power)).sum::<f64>() / n as f64;
        assert!(moment(1).abs() < 0.006, "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.01, "{}", moment(2));
        assert!((moment(4) - 3.0).abs() < 0.08, "{}", moment(4));
        let beyond = |z: f64| draws.iter().filter(|draw| draw.abs() > z).count() as f64 / n as f64;
        assert!((beyond(1.0) - 0.3173).abs() < 0.003 && (beyond(3.0) / 0.0027 - 1.0).abs() < 0.15);
        // Both ends of the bits, where tables end.
        for bits in [0, 1, u32::MAX, 1 << 31, (1 << 31) - 1, 7 << 20 | 0xf_ffff, 8 << 20] {
            assert!(number(scores.at(bits)).abs() < 5.1, "{bits}");
        }
        for bits in (0..u32::MAX - 4_099).step_by(4_099) {
            let rise = number(scores.at(bits + 4_099) - scores.at(bits));
            assert!((0.0..0.2).contains(&rise), "{bits}: {rise}");
        }
    }

    #[test]
    fn a_curve_gives_back_its_law() {
        let exponential = Curve::of_law(1e-8, 40.0, |x| (1.0 - (-x).exp(), (-x).exp()));
        for p in [0.001, 0.1, 0.5, 0.9, 0.999, 0.999_99] {
            let (got, want) = (exponential.at(score(normal_quantile(p))), -(1.0 - p).ln());
            assert!((got / want - 1.0).abs() < 2e-3, "{p}: {got} instead of {want}");
        }
        let line = Curve::of(|z| 2.0 * z);
        assert!((line.at(score(1.2345)) - 2.469).abs() < 1e-5);
        assert!((line.at(score(99.0)) - 10.0).abs() < 1e-3 && (line.at(score(-99.0)) + 10.0).abs() < 1e-3);
    }
}
