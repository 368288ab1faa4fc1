//! Correlated noise in whole numbers.

use super::{POINT, Quantiles, Score, whole};
use crate::noise::{INNOVATION, START, WARM_UP_TIME_CONSTANTS};
use crate::{Steps, hash};

/// Bits of the factors below their point, and of the value; their product fits into 63 bits up to a value of 8.
const FACTOR: u32 = 28;
const VALUE: u32 = 30;

/// The process of [`OrnsteinUhlenbeck`](crate::noise::OrnsteinUhlenbeck), as scores: of mean 0, variance 1 and a correlation that
/// falls to 1/e in `tau_steps`, which should be below 100,000. It depends on key and step alone.
#[derive(Clone, Debug)]
pub struct Wander {
    key: u64,
    innovations: Steps,
    normal: &'static Quantiles,
    phi: i64,
    spread: i64,
    block_steps: i64,
    /// Where the recursion stands, and the end of its block: a cache, never state.
    step: i64,
    end: i64,
    value: i64,
}

impl Wander {
    /// `tau_steps`: the time in which correlation falls to 1/e, in steps.
    pub fn new(key: u64, tau_steps: f64) -> Self {
        let tau = tau_steps.max(1e-3);
        let phi = (-1.0 / tau).exp();
        Self {
            key,
            innovations: Steps::of(key, INNOVATION, 0),
            normal: Quantiles::normal(),
            phi: whole(phi, FACTOR),
            spread: whole((1.0 - phi * phi).sqrt(), FACTOR),
            block_steps: ((tau * WARM_UP_TIME_CONSTANTS).ceil() as i64).max(1),
            step: i64::MAX,
            end: i64::MIN,
            value: 0,
        }
    }

    /// The process of which neighbours have the correlation `lag_1` (0 for white noise).
    pub fn with_lag_1(key: u64, lag_1: f64) -> Self {
        let lag_1 = lag_1.clamp(1e-9, 0.999_99);
        Self::new(key, -1.0 / lag_1.ln())
    }

    /// The value at a step of the grid. Going on by a step costs one draw, jumping at most 14 tau.
    #[inline]
    pub fn at(&mut self, step: i64) -> Score {
        if step < self.step || step >= self.end {
            self.begin(step);
        }
        while self.step < step {
            self.step += 1;
            self.value = self.next(self.value, self.step);
        }
        self.value >> (VALUE - POINT)
    }

    /// The values at a step and those that follow, as many as there is room for: a loop that the sandbox runs faster than one with
    /// other work between the steps.
    pub fn fill(&mut self, first: i64, values: &mut [i32]) {
        let mut left = values;
        let mut step = first;
        while let Some((one, rest)) = left.split_first_mut() {
            // The first of a block begins its recursion anew.
            *one = self.at(step) as i32;
            let of_block = usize::try_from(self.end - step - 1).unwrap_or(0).min(rest.len());
            let (same, others) = rest.split_at_mut(of_block);
            let (mut at, mut value) = (step, self.value);
            for to in same {
                at += 1;
                value = self.next(value, at);
                *to = (value >> (VALUE - POINT)) as i32;
            }
            (self.step, self.value) = (at, value);
            step = at + 1;
            left = others;
        }
    }

    #[inline]
    fn next(&self, value: i64, step: i64) -> i64 {
        let innovation = self.normal.draw(self.innovations.hash(step) as u32) << (VALUE - POINT);
        (self.phi * value + self.spread * innovation) >> FACTOR
    }

    /// Goes to the start of the recursion of a step's block, which is the block before.
    #[cold]
    fn begin(&mut self, step: i64) {
        let block = step.div_euclid(self.block_steps);
        self.step = (block - 1) * self.block_steps;
        self.end = (block + 1) * self.block_steps;
        self.value = self.normal.draw(hash(self.key, START, 0, self.step) as u32) << (VALUE - POINT);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::number;
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_value_depends_on_the_step_alone(
            key: u64, tau in 0.1f64..60.0, steps in prop::collection::vec(-2_000i64..2_000, 1..40),
        ) {
            let mut jumping = Wander::new(key, tau);
            for step in steps {
                let mut walking = Wander::new(key, tau);
                walking.at(step - 25);
                let walked = (step - 24..=step).map(|step| walking.at(step)).last();
                prop_assert_eq!(Some(jumping.at(step)), walked);
                let mut filled = [0; 90];
                walking.fill(step - 5, &mut filled);
                for (step, value) in (step - 5..).zip(filled) {
                    prop_assert_eq!(i64::from(value), jumping.at(step));
                }
                prop_assert_eq!(walking.at(step + 85), jumping.at(step + 85));
            }
        }

        #[test]
        fn variance_and_correlation_are_those_of_the_process(key: u64, lag_1 in 0.0f64..0.98) {
            let mut process = Wander::with_lag_1(key, lag_1);
            let path: Vec<f64> = (0..200_000).map(|step| number(process.at(step), POINT)).collect();
            let n = path.len() as f64;
            let mean = path.iter().sum::<f64>() / n;
            let variance = path.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            let got = path.windows(2).map(|w| (w[0] - mean) * (w[1] - mean)).sum::<f64>() / n / variance;
            prop_assert!(mean.abs() < 0.12, "mean {}", mean);
            prop_assert!((variance - 1.0).abs() < 0.1, "variance {}", variance);
            prop_assert!((got - lag_1).abs() < 0.015, "{} instead of {}", got, lag_1);
        }
    }
}
