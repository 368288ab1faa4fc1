//! Distributions, prepared once so that a draw is a look-up. Every draw takes 32 uniform bits that the caller got from a key.

use std::sync::LazyLock;

use telemill_sdk::demand::Poisson;
use telemill_sdk::quantile::{QuantileTable, normal};

use crate::value::{Scalar, Value};

/// A distribution of numbers. Categories are the numbers of their places.
#[derive(Clone, Debug)]
pub enum Draw {
    /// Always the same.
    Constant(f64),
    /// Even between two ends.
    Uniform(f64, f64),
    /// Normal, with mean and standard deviation.
    Normal(f64, f64),
    /// An offset and a factor on a tabulated distribution.
    Table(f64, f64, Box<QuantileTable>),
    /// Counts.
    Counts(Poisson),
    /// Values at evenly spaced quantiles.
    Quantiles(Vec<f64>),
    /// Values at shares of rows.
    Empirical(Vec<f64>, Vec<f64>),
    /// One of some values, with the upper ends of their shares of 2^32.
    Choice(Vec<f64>, Vec<u32>),
}

const POINTS: usize = 4096;
/// The standard normal distribution at -6 to 6, as shares of 2^32.
static NORMAL_SHARE: LazyLock<Vec<f64>> = LazyLock::new(|| {
    // Simpson's rule on the density, which is exact to ten digits on this grid.
    let density = |z: f64| (-z * z / 2.0).exp();
    let step = 12.0 / POINTS as f64;
    let mut sum = 0.0;
    let mut all = vec![0.0];
    for i in 0..POINTS {
        let z = -6.0 + i as f64 * step;
        sum += (density(z) + 4.0 * density(z + step / 2.0) + density(z + step)) * step / 6.0;
        all.push(sum);
    }
    all.iter().map(|share| share / sum * f64::from(u32::MAX)).collect()
});

/// The uniform bits that a standard normal value stands for.
pub fn bits_of_normal(z: f64) -> u32 {
    let place = ((z + 6.0) / 12.0 * POINTS as f64).clamp(0.0, POINTS as f64 - 1.0);
    let (at, rest) = (place as usize, place.fract());
    match NORMAL_SHARE.get(at..at + 2) {
        Some([low, high]) => (low + (high - low) * rest) as u32,
        _ => u32::MAX,
    }
}

impl Draw {
    /// The distribution of a value that is drawn; always 0 for those that come from elsewhere.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Constant(Scalar::Number(number)) => Self::Constant(*number),
            Value::Constant(Scalar::Boolean(flag)) => Self::Constant(f64::from(u8::from(*flag))),
            Value::Constant(Scalar::Text(_)) => Self::Constant(0.0),
            Value::Uniform { low, high } => Self::Uniform(*low, *high),
            Value::Normal { mean, deviation } => Self::Normal(*mean, *deviation),
            Value::Lognormal { median, sigma } => Self::table(0.0, *median, QuantileTable::lognormal(*sigma)),
            Value::Exponential { mean } => Self::table(0.0, *mean, QuantileTable::new(|p| -(1.0 - p).ln())),
            Value::Gamma { shape, scale } => Self::table(0.0, *scale, gamma(*shape)),
            Value::Beta { a, b, low, high } => Self::table(*low, high - low, beta(*a, *b)),
            Value::Poisson { mean } => Self::Counts(Poisson::new(*mean)),
            Value::Quantiles(values) => Self::Quantiles(values.clone()),
            Value::Empirical { shares, values } => Self::Empirical(shares.clone(), values.clone()),
            Value::Chance(probability) => Self::choice(vec![1.0, 0.0], &[*probability, 1.0 - probability]),
            Value::Numbers { values, weights } => Self::choice(values.clone(), weights),
            Value::Categories { values, weights, zipf } => {
                let places = (0..values.len()).map(|place| place as f64).collect();
                zipf.map_or_else(|| Self::choice(places, weights), |exponent| Self::place(values.len(), exponent))
            }
            _ => Self::Constant(0.0),
        }
    }

    /// The place of one of so many things, of which the i-th has a weight of 1 / i^zipf.
    pub fn place(count: usize, zipf: f64) -> Self {
        Self::choice((0..count).map(|place| place as f64).collect(), &zipf_weights(count, zipf))
    }

    fn table(offset: f64, factor: f64, table: QuantileTable) -> Self {
        Self::Table(offset, factor, Box::new(table))
    }

    /// One of some values by weight; alike where there are no weights.
    pub fn choice(values: Vec<f64>, weights: &[f64]) -> Self {
        let weight = |at: usize| if weights.is_empty() { 1.0 } else { weights.get(at).copied().unwrap_or(0.0) };
        let total: f64 = (0..values.len()).map(weight).sum();
        let mut sum = 0.0;
        let ends = (0..values.len())
            .map(|at| {
                sum += weight(at);
                (sum / total * f64::from(u32::MAX)).round() as u32
            })
            .collect();
        Self::Choice(values, ends)
    }

    /// One draw from uniform bits.
    #[inline]
    pub fn draw(&self, bits: u32) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Uniform(low, high) => low + (high - low) * share(bits),
            Self::Normal(mean, deviation) => mean + deviation * f64::from(normal(bits)),
            Self::Table(offset, factor, table) => offset + factor * f64::from(table.draw(bits)),
            Self::Counts(law) => f64::from(law.draw(u64::from(bits) << 32)),
            Self::Quantiles(values) => {
                let place = share(bits) * (values.len().saturating_sub(1)) as f64;
                let (at, rest) = (place as usize, place.fract());
                let low = values.get(at).copied().unwrap_or(0.0);
                low + (values.get(at + 1).copied().unwrap_or(low) - low) * rest
            }
            Self::Empirical(shares, values) => {
                let wanted = share(bits);
                let at =
                    shares.partition_point(|known| *known <= wanted).clamp(1, shares.len().saturating_sub(1).max(1));
                let point = |at: usize| shares.get(at).copied().zip(values.get(at).copied()).unwrap_or_default();
                let ((from, low), (to, high)) = (point(at - 1), point(at));
                low + (high - low) * ((wanted - from) / (to - from).max(f64::MIN_POSITIVE)).min(1.0)
            }
            Self::Choice(values, ends) => {
                values.get(ends.partition_point(|end| *end <= bits)).or(values.last()).copied().unwrap_or(0.0)
            }
        }
    }

    /// One draw from a standard normal value, for draws that remember the one before.
    pub fn of_normal(&self, z: f64) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Normal(mean, deviation) => mean + deviation * z,
            _ => self.draw(bits_of_normal(z)),
        }
    }
}

/// Weights of Zipf's law.
pub fn zipf_weights(n: usize, exponent: f64) -> Vec<f64> {
    (1..=n).map(|i| (i as f64).powf(-exponent)).collect()
}

fn share(bits: u32) -> f64 {
    (f64::from(bits) + 0.5) / 4_294_967_296.0
}

/// Gamma with scale 1. In y = sqrt(x) the density has no pole from shape 0.5 on.
fn gamma(shape: f64) -> QuantileTable {
    let most = (shape + 12.0 * shape.sqrt() + 40.0).sqrt();
    let log_density = |y: f64| (2.0 * shape - 1.0) * y.ln() - y * y;
    inverse(1e-9, most, log_density, |y| y * y)
}

/// Beta between 0 and 1. In the angle whose squared sine is x the density has no pole from shapes of 0.5 on.
fn beta(a: f64, b: f64) -> QuantileTable {
    let log_density = |angle: f64| (2.0 * a - 1.0) * angle.sin().ln() + (2.0 * b - 1.0) * angle.cos().ln();
    inverse(1e-9, std::f64::consts::FRAC_PI_2 - 1e-9, log_density, |angle| angle.sin().powi(2))
}

/// Tabulates the quantiles of a density that is known up to a factor, by adding it up over a grid.
fn inverse(low: f64, high: f64, log_density: impl Fn(f64) -> f64, value: impl Fn(f64) -> f64) -> QuantileTable {
    let at = |i: usize| low + (high - low) * i as f64 / POINTS as f64;
    let logs: Vec<f64> = (0..=POINTS).map(|i| log_density(at(i))).collect();
    let most = logs.iter().fold(f64::NEG_INFINITY, |most: f64, log| most.max(*log));
    let mut sums = vec![0.0];
    let mut sum = 0.0;
    for pair in logs.windows(2) {
        sum += pair.iter().map(|log| (log - most).exp()).sum::<f64>();
        sums.push(sum);
    }
    QuantileTable::new(|p| {
        let wanted = p * sum;
        let i = sums.partition_point(|known| *known < wanted).clamp(1, POINTS);
        let (below, above) = (sums.get(i - 1).copied().unwrap_or(0.0), sums.get(i).copied().unwrap_or(sum));
        let rest = if above > below { (wanted - below) / (above - below) } else { 0.0 };
        let from = at(i - 1);
        value(from + (at(i) - from) * rest)
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Mean and variance over evenly spaced bits.
    fn moments(value: &str) -> (f64, f64) {
        let draw = Draw::of(&serde_json::from_str(value).unwrap());
        let draws: Vec<f64> = (0..1u32 << 18).map(|i| draw.draw((i << 14) + 8192)).collect();
        let n = draws.len() as f64;
        let mean = draws.iter().sum::<f64>() / n;
        (mean, draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n)
    }

    #[test]
    fn distributions_have_their_moments() {
        let lognormal = (0.5f64 * 0.5).exp();
        for (value, mean, variance) in [
            (r#"{"constant": 3}"#, 3.0, 0.0),
            (r#"{"uniform": {"low": -1, "high": 3}}"#, 1.0, 16.0 / 12.0),
            (r#"{"normal": {"mean": 5, "deviation": 2}}"#, 5.0, 4.0),
            (
                r#"{"lognormal": {"median": 10, "sigma": 0.5}}"#,
                10.0 * lognormal.sqrt(),
                100.0 * lognormal * (lognormal - 1.0),
            ),
            (r#"{"gamma": {"shape": 0.5, "scale": 4}}"#, 2.0, 8.0),
            (r#"{"gamma": {"shape": 9, "scale": 10}}"#, 90.0, 900.0),
            (r#"{"gamma": {"shape": 400, "scale": 1}}"#, 400.0, 400.0),
            (r#"{"exponential": {"mean": 7}}"#, 7.0, 49.0),
            (r#"{"beta": {"a": 3, "b": 2}}"#, 0.6, 0.04),
            (r#"{"beta": {"a": 0.5, "b": 0.5, "low": 10, "high": 20}}"#, 15.0, 12.5),
            (r#"{"poisson": {"mean": 4}}"#, 4.0, 4.0),
            (r#"{"poisson": {"mean": 80}}"#, 80.0, 80.0),
            (r#"{"quantiles": [0, 0, 10]}"#, 2.5, 50.0 / 3.0 - 6.25),
            (r#"{"empirical": {"shares": [0, 0.5, 1], "values": [0, 0, 10]}}"#, 2.5, 50.0 / 3.0 - 6.25),
            (r#"{"empirical": {"shares": [0, 0.9, 0.9, 1], "values": [1, 1, 5, 5]}}"#, 1.4, 1.44),
            (r#"{"numbers": {"values": [1, 2, 7], "weights": [0.5, 0.25, 0.25]}}"#, 2.75, 6.1875),
            (r#"{"chance": 0.25}"#, 0.25, 0.1875),
            (r#"{"categories": {"values": ["a", "b"], "weights": [3, 1]}}"#, 0.25, 0.1875),
            (r#"{"categories": {"values": ["a", "b"], "zipf": 1}}"#, 1.0 / 3.0, 2.0 / 9.0),
        ] {
            let got = moments(value);
            assert!((got.0 - mean).abs() < 0.002 + 0.005 * mean.abs(), "{value}: mean {}", got.0);
            assert!((got.1 - variance).abs() < 0.002 + 0.02 * variance, "{value}: variance {}", got.1);
        }
    }

    #[test]
    fn normal_values_stand_for_their_share() {
        for (z, share) in [(0.0, 0.5), (1.0, 0.841_344_7), (-1.959_964, 0.025), (3.0, 0.998_650_1)] {
            let got = f64::from(bits_of_normal(z)) / 4_294_967_296.0;
            assert!((got - share).abs() < 1e-6, "{z}: {got}");
        }
        assert!(bits_of_normal(-9.0) < 100 && bits_of_normal(9.0) > u32::MAX - 100);
        let draw = Draw::of(&Value::Exponential { mean: 1.0 });
        assert!((draw.of_normal(0.0) - std::f64::consts::LN_2).abs() < 1e-3);
    }
}
