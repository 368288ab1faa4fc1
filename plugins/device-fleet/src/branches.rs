//! The branches: where they are, when they open, how good their link is, how large they are.
//!
//! Codes and states follow from their number alone, so that a simulation's targets are the same for every seed.

use telemill_sdk::time::HOUR;
use telemill_sdk::{Process, Stream};

use crate::catalogue::STATES;

const BRANCH: Process = Process::named("branch");

/// Five digits without a leading zero.
const FIRST_CODE: usize = 10_000;
const CODES: usize = 90_000;
/// Shares no factor with the number of codes, so that codes are scattered and none comes twice.
const CODE_STRIDE: usize = 37_117;
const CODE_START: usize = 2_345;
/// How much of the reports the worst link loses; most lose next to nothing.
const WORST_LINK: f64 = 0.3;

/// What is known of a branch whatever the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its five digits.
    pub code: u32,
    /// Position of its state.
    pub state: u8,
}

/// The places of so many branches: states have branches in proportion to their population.
pub fn places(branches: usize) -> Vec<Place> {
    let people: f64 = STATES.iter().map(|state| state.population).sum();
    let mut states = STATES.iter().scan(0.0, |sum, state| {
        *sum += state.population / people;
        Some(*sum)
    });
    let mut below = states.next().unwrap_or(1.0);
    let mut state = 0;
    (0..branches)
        .map(|index| {
            while (index as f64 + 0.5) / branches as f64 > below && usize::from(state) + 1 < STATES.len() {
                below = states.next().unwrap_or(1.0);
                state += 1;
            }
            Place { code: (FIRST_CODE + (CODE_START + index * CODE_STRIDE) % CODES) as u32, state }
        })
        .collect()
}

/// A branch.
#[derive(Clone, Copy, Debug)]
pub struct Branch {
    /// Where it is.
    pub place: Place,
    /// What its clocks are off UTC, in microseconds.
    pub utc_offset: i64,
    /// When it opens to the public, in minutes after local midnight.
    pub opens: i64,
    /// When it closes.
    pub closes: i64,
    /// Share of reports that its link lets through.
    pub link: f64,
    /// How many machines it has in relation to others.
    pub size: f64,
}

/// The branches of a seed.
pub fn branches(seed: u64, count: usize) -> Vec<Branch> {
    places(count)
        .into_iter()
        .enumerate()
        .map(|(index, place)| {
            let mut draw = Stream::of(seed, BRANCH, index as u64, 0);
            let hours_off = STATES.get(usize::from(place.state)).map_or(0, |state| state.utc_offset_hours);
            // Most are open from 10 to 16 o'clock, some an hour earlier or later.
            let shift = [-60, 0, 0, 0, 0, 0, 60][draw.below(7) as usize % 7];
            let longer = [0, 0, 60][draw.below(3) as usize % 3];
            Branch {
                place,
                utc_offset: hours_off * HOUR,
                opens: 10 * 60 + shift,
                closes: 16 * 60 + shift + longer,
                link: 1.0 - WORST_LINK * draw.unit().powi(6),
                // Most are small: about a lognormal law with a spread of 0.5.
                size: (draw.unit() + draw.unit() + draw.unit() - 1.5).exp(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_states_have_their_share() {
        let all = places(50_000);
        let codes: BTreeSet<u32> = all.iter().map(|place| place.code).collect();
        assert_eq!(codes.len(), all.len());
        assert!(codes.first() >= Some(&10_000) && codes.last() <= Some(&99_999));
        let people: f64 = STATES.iter().map(|state| state.population).sum();
        for (at, state) in STATES.iter().enumerate() {
            let share = all.iter().filter(|place| usize::from(place.state) == at).count() as f64 / all.len() as f64;
            assert!((share - state.population / people).abs() < 1e-4, "{}: {share}", state.code);
        }
    }
}
