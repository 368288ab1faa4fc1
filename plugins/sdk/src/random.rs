//! Keyed randomness: every draw follows from (seed, process, entity, step) and from nothing that came before it.

use std::convert::Infallible;

use rand::TryRng;

/// 2^64 divided by the golden ratio, the step of SplitMix64.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of SplitMix64 (Stafford's variant 13): a bijection that spreads every bit over all.
const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The name of something random ("arrivals", "latency"), hashed when the plugin is compiled.
///
/// ```
/// use telemill_sdk::{Process, Stream};
/// use telemill_sdk::rand::RngExt;
/// const ARRIVALS: Process = Process::named("arrivals");
/// let first: f64 = Stream::of(42, ARRIVALS, 7, 0).random();
/// assert_eq!(first, Stream::of(42, ARRIVALS, 7, 0).random::<f64>());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(u64);

impl Process {
    /// The process of a name (FNV-1a, then mixed).
    pub const fn named(name: &str) -> Self {
        let bytes = name.as_bytes();
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        let mut i = 0;
        while i < bytes.len() {
            hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            i += 1;
        }
        Self(mix(hash))
    }
}

/// Seed, process and entity of a key, mixed once for many steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps(u64);

impl Steps {
    /// The steps of an entity.
    #[inline]
    pub const fn of(seed: u64, process: Process, entity: u64) -> Self {
        let key = mix(seed.wrapping_add(GOLDEN) ^ process.0);
        Self(mix(key.wrapping_add(entity.wrapping_mul(GOLDEN)) ^ 0x6a09_e667_f3bc_c909))
    }

    /// What [`hash`] gives for a step.
    #[inline]
    pub const fn hash(self, step: i64) -> u64 {
        mix(self.0.wrapping_add((step as u64).wrapping_mul(GOLDEN)) ^ 0xbb67_ae85_84ca_a73b)
    }

    /// The [`Stream`] of a step.
    #[inline]
    pub const fn stream(self, step: i64) -> Stream {
        let key = self.hash(step);
        // `mix` is a bijection, so of two different arguments at most one gives zero: the state is never all zero.
        Stream { low: mix(key.wrapping_add(GOLDEN)), high: mix(key.wrapping_add(GOLDEN.wrapping_mul(2))) }
    }
}

/// 64 random bits of a key. Use it for ids and single choices; [`Stream`] for more.
#[inline]
pub const fn hash(seed: u64, process: Process, entity: u64, step: i64) -> u64 {
    Steps::of(seed, process, entity).hash(step)
}

/// 64 bits of some bytes, on top of `start`: for checksums and sets of values, no defence against an adversary.
#[inline]
pub fn hash_bytes(start: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut sum = start ^ (bytes.len() as u64).wrapping_mul(GOLDEN);
    for word in words {
        sum = mix(sum ^ u64::from_le_bytes(*word)).wrapping_add(GOLDEN);
    }
    let mut last = [0u8; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    mix(sum ^ u64::from_le_bytes(last))
}

/// 64 bits of a number, on top of `start`.
#[inline]
pub const fn hash_u64(start: u64, value: u64) -> u64 {
    mix(mix(start.wrapping_add(GOLDEN)) ^ value)
}

/// A stream of random numbers of one key: Xoroshiro128++ (Blackman and Vigna 2019). It is cheap to make, so make
/// one for each entity and step, and use it with everything of `rand` and `rand_distr`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    low: u64,
    high: u64,
}

impl Stream {
    /// The stream of a key.
    #[inline]
    pub const fn of(seed: u64, process: Process, entity: u64, step: i64) -> Self {
        Steps::of(seed, process, entity).stream(step)
    }

    /// The next 64 bits.
    #[inline]
    pub const fn next(&mut self) -> u64 {
        let (s0, mut s1) = (self.low, self.high);
        let out = s0.wrapping_add(s1).rotate_left(17).wrapping_add(s0);
        s1 ^= s0;
        self.low = s0.rotate_left(49) ^ s1 ^ (s1 << 21);
        self.high = s1.rotate_left(28);
        out
    }

    /// A number in [0, 1) with 53 random bits.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Whether an event of this probability happens.
    #[inline]
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A number in [low, high).
    #[inline]
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number below `n`, 0 for `n` = 0; its bias is below n / 2^64 (Lemire's multiplication).
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.next() >> 32) as u32)
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::{Rng, RngExt};
    use rand_distr::{Distribution, Normal};

    use super::*;

    const A: Process = Process::named("a");
    const B: Process = Process::named("b");

    #[test]
    fn the_generator_is_xoroshiro128_plus_plus() {
        // The reference implementation's first outputs for the state (1, 2).
        let mut stream = Stream { low: 1, high: 2 };
        let expected = [393_217, 669_327_710_093_319, 1_732_421_326_133_921_491];
        assert_eq!(expected, [stream.next(), stream.next(), stream.next()]);
    }

    #[test]
    fn every_part_of_the_key_counts() {
        let mut keys = BTreeSet::new();
        for seed in 0..8 {
            for process in [A, B] {
                for entity in 0..16 {
                    for step in -16..16 {
                        keys.insert(Stream::of(seed, process, entity, step).next());
                    }
                }
            }
        }
        assert_eq!(keys.len(), 8 * 2 * 16 * 32);
    }

    #[test]
    fn streams_of_neighbouring_keys_are_independent() {
        // First draws of neighbouring entities and steps: mean 1/2, variance 1/12, no correlation with the neighbour.
        for of in [|i: u64| Stream::of(1, A, i, 0).unit(), |i: u64| Stream::of(1, A, 0, i as i64).unit()] {
            let xs: Vec<f64> = (0..100_000).map(of).collect();
            let n = xs.len() as f64;
            let mean = xs.iter().sum::<f64>() / n;
            let variance = xs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            let covariance = xs.windows(2).map(|w| (w[0] - mean) * (w[1] - mean)).sum::<f64>() / n;
            assert!((mean - 0.5).abs() < 0.004, "{mean}");
            assert!((variance - 1.0 / 12.0).abs() < 0.002, "{variance}");
            assert!((covariance / variance).abs() < 0.015, "{covariance}");
        }
    }

    #[test]
    fn it_serves_rand_and_rand_distr() {
        let mut stream = Stream::of(7, A, 0, 0);
        let dice: u32 = stream.random_range(1..7);
        assert!((1..7).contains(&dice));
        let mut bytes = [0u8; 11];
        stream.fill_bytes(&mut bytes);
        assert!(bytes.iter().any(|byte| *byte != 0));
        let normal = Normal::new(10.0, 2.0)
            .into_iter()
            .flat_map(|normal| (0..20_000).map(move |i| normal.sample(&mut Stream::of(7, B, i, 3))));
        let xs: Vec<f64> = normal.collect();
        let mean = xs.iter().sum::<f64>() / xs.len() as f64;
        assert!(xs.len() == 20_000 && (mean - 10.0).abs() < 0.06, "{mean}");
    }

    #[test]
    fn below_and_between_stay_inside() {
        let mut stream = Stream::of(3, A, 0, 0);
        let mut seen = [0u32; 6];
        for _ in 0..6000 {
            seen[stream.below(6) as usize] += 1;
            assert!((2.0..3.0).contains(&stream.between(2.0, 3.0)));
        }
        assert!(seen.iter().all(|n| (850..1150).contains(n)), "{seen:?}");
        assert_eq!(stream.below(0), 0);
    }
}
