//! Which values were seen before, in bounded memory.
//!
//! Values are kept as 64-bit hashes: of n values, a wrong alarm has a probability of n^2 / 2^65 (one in a million for 6
//! million values). Where the table is full, half of all *values* are forgotten by a bit of their hash, and so on: what
//! remains is a sample of values of which every repetition is seen.

/// A set of hashes with linear probing; 0 marks a free slot.
///
/// ```
/// use telemill_sdk::distinct::Distinct;
/// use telemill_sdk::random::hash_bytes;
/// let mut seen = Distinct::new(1 << 16);
/// assert_eq!(seen.add(hash_bytes(0, b"till-1")), Some(false));
/// assert_eq!(seen.add(hash_bytes(0, b"till-1")), Some(true));
/// assert_eq!(seen.contains(hash_bytes(0, b"till-2")), Some(false));
/// ```
#[derive(Clone, Debug)]
pub struct Distinct {
    slots: Vec<u64>,
    used: usize,
    most_slots: usize,
    /// Hashes with one of these low bits set are not looked at.
    forgotten: u64,
}

const FIRST_SLOTS: usize = 1 << 12;
/// A hash of 0 would be a free slot.
const FOR_ZERO: u64 = 1 << 63;

impl Distinct {
    /// A set of at most `bytes`, rounded down to a power of two.
    pub fn new(bytes: usize) -> Self {
        let most = (bytes / size_of::<u64>()).max(FIRST_SLOTS);
        let most_slots = 1usize << most.ilog2();
        Self { slots: vec![0; FIRST_SLOTS], used: 0, most_slots, forgotten: 0 }
    }

    /// The share of values that are looked at.
    pub fn share(&self) -> f64 {
        1.0 / (self.forgotten + 1) as f64
    }

    /// Adds a hash. None where its value is not looked at, else whether it was there before.
    #[inline]
    pub fn add(&mut self, hash: u64) -> Option<bool> {
        if hash & self.forgotten != 0 {
            return None;
        }
        let hash = if hash == 0 { FOR_ZERO } else { hash };
        if self.used * 4 >= self.slots.len() * 3 {
            self.make_room();
            if hash & self.forgotten != 0 {
                return None;
            }
        }
        let seen = self.place(hash);
        self.used += usize::from(!seen);
        Some(seen)
    }

    /// Whether a hash is in the set; none where its value is not looked at.
    #[inline]
    pub fn contains(&self, hash: u64) -> Option<bool> {
        if hash & self.forgotten != 0 {
            return None;
        }
        let hash = if hash == 0 { FOR_ZERO } else { hash };
        let mask = self.slots.len() - 1;
        let mut at = (hash >> 24) as usize & mask;
        loop {
            match self.slots.get(at) {
                Some(slot) if *slot == hash => return Some(true),
                Some(slot) if *slot == 0 => return Some(false),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// The hashes that are kept, in no order.
    pub fn hashes(&self) -> impl Iterator<Item = u64> + '_ {
        self.slots.iter().copied().filter(|hash| *hash != 0)
    }

    /// How many hashes are kept.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Finds a hash or puts it into the first free slot; whether it was there.
    #[inline]
    fn place(&mut self, hash: u64) -> bool {
        let mask = self.slots.len() - 1;
        // The high bits choose the slot, as the low ones say what is forgotten.
        let mut at = (hash >> 24) as usize & mask;
        loop {
            match self.slots.get_mut(at) {
                Some(slot) if *slot == hash => return true,
                Some(slot) if *slot == 0 => {
                    *slot = hash;
                    return false;
                }
                _ => at = (at + 1) & mask,
            }
        }
    }

    fn make_room(&mut self) {
        let grown = self.slots.len() < self.most_slots;
        if !grown {
            self.forgotten = (self.forgotten << 1) | 1;
        }
        let forgotten = self.forgotten;
        let kept: Vec<u64> = if grown {
            let slots = vec![0; self.slots.len() * 2];
            std::mem::replace(&mut self.slots, slots)
        } else {
            let kept = self.slots.iter().copied().filter(|hash| hash & forgotten == 0).collect();
            self.slots.fill(0);
            kept
        };
        self.used = 0;
        for hash in kept.into_iter().filter(|hash| *hash != 0) {
            self.place(hash);
            self.used += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::random::hash_u64;

    use super::*;

    #[test]
    fn repetitions_are_seen_and_nothing_else() {
        let mut distinct = Distinct::new(1 << 22);
        for i in 0..300_000u64 {
            assert_eq!(distinct.add(hash_u64(1, i)), Some(false));
        }
        for i in (0..300_000).step_by(7) {
            assert_eq!(distinct.add(hash_u64(1, i)), Some(true));
            assert_eq!(distinct.contains(hash_u64(1, i)), Some(true));
            assert_eq!(distinct.contains(hash_u64(2, i)), Some(false));
        }
        assert_eq!((distinct.len(), distinct.hashes().count()), (300_000, 300_000));
        assert_eq!((distinct.add(0), distinct.add(0), distinct.share()), (Some(false), Some(true), 1.0));
    }

    #[test]
    fn a_full_set_keeps_a_sample_of_values_with_all_their_repetitions() {
        let mut distinct = Distinct::new(1 << 16);
        for i in 0..200_000u64 {
            assert_ne!(distinct.add(hash_u64(1, i)), Some(true));
        }
        assert!(distinct.slots.len() * 8 <= 1 << 16);
        let again = (0..200_000u64).filter(|i| distinct.add(hash_u64(1, *i)) == Some(true)).count();
        let expected = 200_000.0 * distinct.share();
        assert!((again as f64 - expected).abs() < 6.0 * expected.sqrt(), "{again} {expected}");
        assert!(distinct.share() < 0.04);
    }
}
