//! Bytes that were components once: cut and damaged ones are refused or harmless.

use super::component::{Guest, World};
use super::{ENGINE, drive};

/// A generator of random numbers that is the same everywhere.
fn numbers(mut state: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    }
}

#[test]
fn cut_components_are_refused() {
    for world in World::ALL {
        let whole = Guest::new(world).build();
        for end in (0..whole.len()).step_by(7) {
            // A cut between two sections may leave a component, though never one of ours.
            assert!(drive(&ENGINE, &whole[..end]).is_err(), "{world:?} cut at {end}");
        }
    }
}

/// Components of a world with changes in a few places.
pub(super) fn mutated(world: World, count: usize) -> impl Iterator<Item = Vec<u8>> {
    let whole = Guest::new(world).build();
    let mut number = numbers(world as u64 + 1);
    (0..count).map(move |_| {
        let mut bytes = whole.clone();
        for _ in 0..=number(4) {
            let at = number(bytes.len());
            match number(4) {
                0 => bytes[at] ^= 1 << number(8),
                1 => bytes[at] = number(256) as u8,
                2 => drop(bytes.drain(at..(at + number(16)).min(bytes.len()))),
                _ => {
                    let from = number(bytes.len());
                    let piece: Vec<u8> = bytes[from..(from + number(32)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        bytes
    })
}

#[test]
fn mutated_components_are_refused_or_harmless() {
    for world in World::ALL {
        mutated(world, 250).for_each(|bytes| drop(drive(&ENGINE, &bytes)));
    }
}
