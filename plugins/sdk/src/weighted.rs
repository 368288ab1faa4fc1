//! One of n things by weight, in constant time: Vose's alias method (1991).

use crate::Stream;

/// A table of weights from which a draw costs one random number.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighted {
    /// For each slot, the share (of 2^32) that it keeps for itself, and who gets the rest.
    slots: Vec<(u32, u32)>,
}

impl Weighted {
    /// Things with these weights. Weights that are negative or no number count as zero; where none is above zero, all
    /// things are alike. At most 2^32 things.
    pub fn new(weights: &[f64]) -> Self {
        let clean: Vec<f64> = weights.iter().map(|w| if w.is_finite() && *w > 0.0 { *w } else { 0.0 }).collect();
        let total: f64 = clean.iter().sum();
        let n = clean.len();
        if n == 0 {
            return Self { slots: vec![(u32::MAX, 0)] };
        }
        let mut scaled: Vec<f64> =
            if total > 0.0 { clean.iter().map(|w| w * n as f64 / total).collect() } else { vec![1.0; n] };
        let mut slots: Vec<(u32, u32)> = (0..n).map(|i| (u32::MAX, i as u32)).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..n).partition(|&i| scaled[i] < 1.0);
        while let (Some(s), Some(&l)) = (small.pop(), large.last()) {
            slots[s] = ((scaled[s] * 4_294_967_296.0) as u32, l as u32);
            scaled[l] -= 1.0 - scaled[s];
            if scaled[l] < 1.0 {
                large.pop();
                small.push(l);
            }
        }
        Self { slots }
    }

    /// `n` things of which the i-th (from 0) has the weight 1 / (i + 1)^exponent.
    pub fn zipf(n: usize, exponent: f64) -> Self {
        Self::new(&inverse_powers(n, exponent))
    }

    /// How many things there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Never: there is always a thing to draw.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Draws one.
    #[inline]
    pub fn draw(&self, stream: &mut Stream) -> usize {
        self.pick(stream.next())
    }

    /// The thing that 64 random bits choose: the high half the slot, the low half within it.
    #[inline]
    pub fn pick(&self, bits: u64) -> usize {
        let slot = (((bits >> 32) * self.slots.len() as u64) >> 32) as usize;
        let (keep, other) = self.slots[slot];
        if (bits as u32) < keep || keep == u32::MAX { slot } else { other as usize }
    }
}

/// 1 / i^exponent for i from 1 to n. The power of a product is the product of the powers, so only primes ask the library.
fn inverse_powers(n: usize, exponent: f64) -> Vec<f64> {
    let mut powers = vec![1.0; n];
    // For each number a prime that divides it; 0 where none is known.
    let mut divisors = vec![0; n + 1];
    for i in 2..=n {
        powers[i - 1] = match divisors[i] {
            0 => {
                (i * i..=n).step_by(i).for_each(|multiple| divisors[multiple] = i);
                (i as f64).powf(-exponent)
            }
            prime => powers[prime - 1] * powers[i / prime - 1],
        };
    }
    powers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Process;

    fn shares(weighted: &Weighted, draws: u64) -> Vec<f64> {
        let mut counts = vec![0u64; weighted.len()];
        for i in 0..draws {
            counts[weighted.draw(&mut Stream::of(1, Process::named("w"), i, 0))] += 1;
        }
        counts.iter().map(|n| *n as f64 / draws as f64).collect()
    }

    #[test]
    fn shares_follow_the_weights() {
        let weights = [0.0, 5.0, 1.0, 0.001, 3.999, f64::NAN, -2.0];
        for (share, weight) in
            shares(&Weighted::new(&weights), 200_000).iter().zip([0.0, 0.5, 0.1, 0.0001, 0.3999, 0.0, 0.0])
        {
            assert!((share - weight).abs() < 0.005, "{share} {weight}");
            assert!(weight > 0.0 || *share == 0.0);
        }
    }

    #[test]
    fn zipf_has_its_exponent() {
        let shares = shares(&Weighted::zipf(1000, 1.0), 400_000);
        assert!((shares[0] / shares[9] - 10.0).abs() < 1.5, "{}", shares[0] / shares[9]);
    }

    #[test]
    fn powers_are_those_of_the_library() {
        for (i, power) in inverse_powers(1_000, 0.8).into_iter().enumerate() {
            assert!((power * ((i + 1) as f64).powf(0.8) - 1.0).abs() < 1e-12, "{i}");
        }
        assert!(inverse_powers(0, 1.0).is_empty());
    }

    #[test]
    fn there_is_always_a_thing_to_draw() {
        for weighted in [Weighted::new(&[]), Weighted::new(&[0.0]), Weighted::new(&[1e300, 1e300])] {
            let draw = weighted.pick(u64::MAX);
            assert!(draw < weighted.len());
        }
    }
}
