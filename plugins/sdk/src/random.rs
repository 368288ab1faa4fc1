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

/// 64 random bits of a key. Use it for ids and single choices; [`Stream`] for more.
#[inline]
pub const fn hash(seed: u64, process: Process, entity: u64, step: i64) -> u64 {
    let key = mix(seed.wrapping_add(GOLDEN) ^ process.0);
    let key = mix(key.wrapping_add(entity.wrapping_mul(GOLDEN)) ^ 0x6a09_e667_f3bc_c909);
    mix(key.wrapping_add((step as u64).wrapping_mul(GOLDEN)) ^ 0xbb67_ae85_84ca_a73b)
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
        let key = hash(seed, process, entity, step);
        // `mix` is a bijection, so of two different arguments at most one gives zero: the state is never all zero.
        Self { low: mix(key.wrapping_add(GOLDEN)), high: mix(key.wrapping_add(GOLDEN.wrapping_mul(2))) }
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
