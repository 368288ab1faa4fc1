//! What a value must fulfil, and the texts that it can be.

use crate::problems::Problems;
use crate::value::{Scalar, Value};

/// Adds what is wrong with the numbers of a value.
pub fn check_value(value: &Value, path: &str, problems: &mut Problems) {
    let mut require = |good: bool, key: &str, message: &str| problems.require(good, format!("{path}/{key}"), message);
    let finite = |values: &[f64]| values.iter().all(|value| value.is_finite());
    let weights = |values: usize, weights: &[f64]| {
        let good = weights.is_empty() || weights.len() == values;
        let some = weights.is_empty() || weights.iter().any(|weight| *weight > 0.0);
        good && some && weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0)
    };
    const WEIGHTS: &str = "must be as many as the values, 0 or more, and one above 0";
    const POSITIVE: &str = "must be above 0";
    match value {
        Value::Constant(Scalar::Number(number)) => require(number.is_finite(), "constant", "must be finite"),
        Value::Uniform { low, high } => {
            require(finite(&[*low, *high]) && low <= high, "uniform/low", "must not be above high");
        }
        Value::Normal { mean, deviation } => {
            require(finite(&[*mean, *deviation]) && *deviation >= 0.0, "normal/deviation", "must be 0 or more");
        }
        Value::Lognormal { median, sigma } => {
            require(finite(&[*median]), "lognormal/median", "must be finite");
            require((0.0..=10.0).contains(sigma), "lognormal/sigma", "must be between 0 and 10");
        }
        Value::Gamma { shape, scale } => {
            require((0.5..=10_000.0).contains(shape), "gamma/shape", "must be between 0.5 and 10,000");
            require(scale.is_finite() && *scale > 0.0, "gamma/scale", POSITIVE);
        }
        Value::Exponential { mean } => require(mean.is_finite() && *mean > 0.0, "exponential/mean", POSITIVE),
        Value::Beta { a, b, low, high } => {
            for (shape, key) in [(a, "beta/a"), (b, "beta/b")] {
                require((0.5..=1_000.0).contains(shape), key, "must be between 0.5 and 1,000");
            }
            require(finite(&[*low, *high]) && low <= high, "beta/low", "must not be above high");
        }
        Value::Poisson { mean } => {
            require((0.0..=1e6).contains(mean), "poisson/mean", "must be between 0 and 1,000,000")
        }
        Value::Quantiles(values) => {
            let rising = values.windows(2).all(|pair| pair.first() <= pair.last());
            require(
                values.len() > 1 && finite(values) && rising,
                "quantiles",
                "must be two or more numbers that never fall",
            );
        }
        Value::Empirical { shares, values } => {
            let rising = |list: &[f64]| finite(list) && list.windows(2).all(|pair| pair.first() <= pair.last());
            let whole = shares.first() == Some(&0.0) && shares.last() == Some(&1.0);
            require(rising(shares) && whole, "empirical/shares", "must rise from 0 to 1");
            let alike = values.len() == shares.len();
            require(rising(values) && alike, "empirical/values", "must be as many as the shares, and never fall");
        }
        Value::Numbers { values, weights: given } => {
            require(!values.is_empty() && finite(values), "numbers/values", "must be one number at least");
            require(weights(values.len(), given), "numbers/weights", WEIGHTS);
        }
        Value::Categories { values, weights: given, zipf } => {
            require(!values.is_empty(), "categories/values", "must be one at least");
            require(weights(values.len(), given), "categories/weights", WEIGHTS);
            let one = given.is_empty() || zipf.is_none();
            let good = zipf.is_none_or(|zipf| (0.0..=10.0).contains(&zipf));
            require(one && good, "categories/zipf", "must be between 0 and 10, and not beside weights");
        }
        Value::Chance(share) => require((0.0..=1.0).contains(share), "chance", "must be between 0 and 1"),
        Value::Link { zipf, .. } => require((0.0..=10.0).contains(zipf), "link/zipf", "must be between 0 and 10"),
        _ => {}
    }
}

/// The texts that a drawn value chooses from; none where it is a number.
pub fn words_of(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Categories { values, .. } => Some(values.clone()),
        Value::Constant(Scalar::Text(text)) => Some(vec![text.clone()]),
        _ => None,
    }
}
