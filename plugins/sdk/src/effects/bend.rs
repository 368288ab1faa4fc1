//! One effect on one signal, how far it has set in, and how several add up. It knows neither targets nor names.

use crate::{Operation, Timestamp};

/// An effect on one signal of one target, found and checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bend {
    pub(super) operation: Operation,
    pub(super) value: f64,
    pub(super) start: Timestamp,
    pub(super) full: Timestamp,
    pub(super) release: Timestamp,
    pub(super) end: Timestamp,
    pub(super) incident: usize,
    pub(super) decoy: bool,
}

impl Bend {
    /// How far it has set in, 0 to 1.
    #[inline]
    pub(super) fn strength(&self, t: Timestamp) -> f64 {
        if t < self.start || t >= self.end {
            0.0
        } else if t < self.full {
            (t - self.start) as f64 / (self.full - self.start) as f64
        } else if t < self.release {
            1.0
        } else {
            (self.end - t) as f64 / (self.end - self.release) as f64
        }
    }
}

/// The bends of some list at one instant, summed up: base x scales + offsets, and over it each `set` in the order
/// in which they start, as far as it has set in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sum {
    pub(super) scale: f64,
    offset: f64,
    /// What the sets leave of the bent base.
    keep: f64,
    /// What they put in its place.
    put: f64,
}

impl Sum {
    pub(super) const NEUTRAL: Self = Self { scale: 1.0, offset: 0.0, keep: 1.0, put: 0.0 };

    /// Adds up the bends that `keep` lets through; they are sorted by start.
    #[inline]
    pub(super) fn of(bends: &[Bend], t: Timestamp, keep: impl Fn(&Bend) -> bool) -> Self {
        let mut sum = Self::NEUTRAL;
        for bend in bends.iter().filter(|bend| keep(bend)) {
            let strength = bend.strength(t);
            if strength <= 0.0 {
                continue;
            }
            match bend.operation {
                Operation::Scale => sum.scale *= 1.0 + (bend.value - 1.0) * strength,
                Operation::Offset => sum.offset += bend.value * strength,
                Operation::Set => {
                    sum.keep *= 1.0 - strength;
                    sum.put = sum.put * (1.0 - strength) + bend.value * strength;
                }
            }
        }
        sum
    }

    #[inline]
    pub(super) fn apply(&self, base: f64) -> f64 {
        (base * self.scale + self.offset) * self.keep + self.put
    }
}
