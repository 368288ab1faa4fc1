//! Curves of laws: the value at a standard normal score, in whole numbers.
//!
//! A column that must keep its distribution and still follow a load draws a score of mean 0 and variance 1, mixed of what it follows and of
//! chance, and reads its value from its curve. Knows nothing of which column that is.

use telemill_sdk::quantile::normal_quantile;
use telemill_sdk::whole::Curve;

use crate::laws::{BELOW, SHARE};

/// Points at which a distribution function is asked to invert it.
const POINTS: usize = 4096;

/// The curve of a law on positive numbers, times `per` and in units of 2^-16: `shares` gives the shares below and above a number, and
/// practically all of them lie between `least` and `most`.
pub fn of_law(per: f64, least: f64, most: f64, shares: impl Fn(f64) -> (f64, f64)) -> Curve {
    let growth = (most / least).powf(1.0 / POINTS as f64);
    let at = |x: f64| {
        let (below, above) = shares(x);
        if below < above { normal_quantile(below.max(1e-12)) } else { -normal_quantile(above.max(1e-12)) }
    };
    let (mut low, mut high) = ((least, at(least)), (least, at(least)));
    Curve::new(BELOW, |z| {
        while high.1 < z && high.0 < most {
            low = high;
            high.0 *= growth;
            high.1 = at(high.0);
        }
        let way = if high.1 > low.1 { ((z - low.1) / (high.1 - low.1)).clamp(0.0, 1.0) } else { 0.0 };
        per * (low.0 + (high.0 - low.0) * way)
    })
}

/// The share of standard normal scores below a score, in units of 2^-30: the integral of their density, by Simpson's rule.
pub fn shares() -> Curve {
    let density = |z: f64| (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
    let (mut last, mut share) = (None, 0.0);
    Curve::new(SHARE, |z| {
        let from: f64 = last.unwrap_or(z);
        share += (z - from) / 6.0 * (density(from) + 4.0 * density(f64::midpoint(from, z)) + density(z));
        last = Some(z);
        share
    })
}

#[cfg(test)]
mod tests {
    use telemill_sdk::whole::{number, score};

    use super::*;

    #[test]
    fn a_curve_gives_back_its_law() {
        let exponential = of_law(1.0, 1e-8, 40.0, |x| (1.0 - (-x).exp(), (-x).exp()));
        for p in [0.1, 0.5, 0.9, 0.999, 0.999_99] {
            let (got, want) = (number(exponential.at(score(normal_quantile(p))), BELOW), -(1.0 - p).ln());
            assert!((got / want - 1.0).abs() < 2e-3, "{p}: {got} instead of {want}");
        }
    }
}
