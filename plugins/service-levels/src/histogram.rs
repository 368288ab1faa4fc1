//! Quantiles of a stream of positive numbers in bounded memory: a histogram of 64 buckets an octave.

/// Buckets an octave, as a power of two: a bucket is 1.6 % wide, and its middle at most 0.8 % off.
const FINE_BITS: u32 = 6;
/// The least octave starts at 2^-16; smaller numbers count as the least.
const LEAST_EXPONENT: i64 = -16;
const OCTAVES: usize = 64;
const BUCKETS: usize = OCTAVES << FINE_BITS;
const MANTISSA_BITS: u32 = 52;
const FIRST: i64 = (1023 + LEAST_EXPONENT) << FINE_BITS;

/// How many numbers there were, and about which.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }
}

impl Histogram {
    /// Adds a number. Zero, negative numbers and NaN count as the least.
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        // The bits of a positive float, cut off, are its octave and its place within: no logarithm is needed.
        let bits = if value > 0.0 { (value.to_bits() >> (MANTISSA_BITS - FINE_BITS)) as i64 } else { 0 };
        let bucket = (bits - FIRST).clamp(0, BUCKETS as i64 - 1) as usize;
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.total += 1;
    }

    /// Adds all numbers of another.
    pub(crate) fn merge(&mut self, other: &Histogram) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(to, from)| *to += from);
        self.total += other.total;
    }

    /// The number below which a share of all lies, within 0.8 %; none where there are none.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let rank = ((share * self.total as f64).ceil() as u64).clamp(1, self.total.max(1));
        let mut below = 0;
        let bucket = self.counts.iter().position(|count| {
            below += count;
            below >= rank
        })?;
        let edge = |bucket: i64| f64::from_bits(((bucket + FIRST) as u64) << (MANTISSA_BITS - FINE_BITS));
        Some((edge(bucket as i64) + edge(bucket as i64 + 1)) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use telemill_sdk::{Process, Stream};

    use super::*;

    #[test]
    fn quantiles_are_right_within_their_stated_error() {
        let mut values: Vec<f64> =
            (0..20_000).map(|i| 10f64.powf(Stream::of(1, Process::named("h"), i, 0).between(-3.0, 8.0))).collect();
        let (mut one, mut other) = (Histogram::default(), Histogram::default());
        for (i, value) in values.iter().enumerate() {
            if i % 3 == 0 { one.add(*value) } else { other.add(*value) }
        }
        one.merge(&other);
        values.sort_by(f64::total_cmp);
        for share in [0.0001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.9999, 1.0] {
            let exact = values[((share * 20_000.0_f64).ceil() as usize).max(1) - 1];
            let found = one.quantile(share).unwrap_or(0.0);
            assert!((found / exact - 1.0).abs() <= 0.008, "{share}: {found} {exact}");
        }
        assert_eq!(one.total, 20_000);
    }

    #[test]
    fn odd_numbers_count_as_the_least_or_the_greatest() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        for value in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY, 1e300, f64::INFINITY] {
            histogram.add(value);
        }
        assert!(histogram.quantile(0.6).is_some_and(|value| value < 2e-5));
        assert!(histogram.quantile(0.7).is_some_and(|value| value > 1e14));
    }
}
