//! States that were saved and then changed, as a damaged disk or another's hand leaves them: the guest that restores one refuses
//! it, fails over it with a typed error, or goes on and makes rows that are sound.

use std::sync::LazyLock;

use serde_json::{Value, json};
use telemill::batch::{TableFingerprint, TableLayout};
use telemill::core::time::{Timestamp, Window};
use telemill::plugin::{Engine, Limits, Plugin, PluginError, Shard, log_nowhere};
use telemill_sdk::random::hash_bytes;

use super::{Choices, Tally};

/// States that are restored.
const STATES: usize = 300;
/// Bytes of the sum that a state of the SDK begins with.
const SUM_BYTES: usize = 8;
/// What is simulated before the state is saved, and after it was restored, in microseconds.
const PIECE_US: i64 = 600_000_000;

struct Saved {
    plugin: Plugin,
    config: Value,
    layouts: Vec<TableLayout>,
    state: Vec<u8>,
}

fn piece(number: i64) -> Window {
    Window::from_start(Timestamp(1_772_445_600_000_000 + number * PIECE_US), PIECE_US)
}

fn shard() -> Shard {
    Shard { seed: 7, partition: 0, partitions: 1, span: Window { start: piece(0).start, end: piece(3).end } }
}

/// Of a generator that carries state over a step.
static SAVED: LazyLock<Saved> = LazyLock::new(|| {
    let engine = Engine::new(Limits { call_fuel: 1_000_000_000, ..Limits::default() }, None).unwrap();
    let plugin = engine.load("user-workloads.wasm", &telemill_tests::plugin("user-workloads").unwrap()).unwrap();
    let config = plugin.check_config(&json!({ "disk_and_network": "since_start", "users": 10 })).unwrap();
    let mut generator = plugin.generator(log_nowhere()).unwrap();
    let layouts: Vec<_> = generator.plan(&config).unwrap().tables.into_iter().map(TableLayout::new).collect();
    generator.open(&config, shard()).unwrap();
    generator.rows(&layouts, piece(0)).unwrap();
    let state = generator.save().unwrap().unwrap();
    Saved { plugin, config, layouts, state }
});

/// A state with some of its bytes changed. The SDK's states begin with a sum over plugin and bytes; a hand that knows of it makes
/// it fit.
fn changed(choices: &mut Choices<'_>, seal: bool) -> Vec<u8> {
    let (_, packed) = SAVED.state.split_at(SUM_BYTES);
    let mut packed = packed.to_vec();
    for _ in 0..=choices.below(3) {
        let at = choices.below(packed.len());
        match choices.byte() % 8 {
            0 => packed.truncate(at),
            1 => packed.extend(choices.bytes(9)),
            2 => drop(packed.drain(at..(at + 8).min(packed.len()))),
            3 => packed[at..].fill(0xff),
            _ => packed[at] ^= 1 << choices.below(8),
        }
        if packed.is_empty() {
            break;
        }
    }
    let id = SAVED.plugin.id();
    let sum = hash_bytes(hash_bytes(hash_bytes(0, id.name.as_bytes()), id.version.as_bytes()), &packed);
    let sum = if seal { sum.to_le_bytes().to_vec() } else { SAVED.state[..SUM_BYTES].to_vec() };
    [sum, packed].concat()
}

/// The rows that follow from a state.
fn restored(state: &[u8]) -> Result<TableFingerprint, PluginError> {
    let mut generator = SAVED.plugin.generator(log_nowhere())?;
    generator.restore(&SAVED.config, shard(), state)?;
    let mut sum = TableFingerprint::default();
    for number in 1..3 {
        for (_, rows) in generator.rows(&SAVED.layouts, piece(number))? {
            rows.columns().iter().for_each(|column| arrow::array::Array::to_data(column).validate_full().unwrap());
            sum.add(&rows).unwrap();
        }
    }
    let state = generator.save()?.unwrap_or_default();
    assert!(state.len() as u64 <= generator.output_bytes());
    Ok(sum)
}

#[test]
fn states_that_were_changed_are_refused_or_gone_on_from() {
    let whole = restored(&SAVED.state).unwrap();
    assert!(whole.rows > 0);
    let tally = Tally::default();
    bolero::check!().with_iterations(STATES).with_max_len(64).for_each(|input: &[u8]| {
        use PluginError::{BadRows, BrokenContract, Crashed, Failed, OverLimit, UnsupportedState};
        let damaged = changed(&mut Choices(input), false);
        let refused = matches!(restored(&damaged), Err(UnsupportedState { .. }));
        assert!(refused || damaged == SAVED.state, "damage was not seen");
        match restored(&changed(&mut Choices(input), true)) {
            Ok(_) => tally.accept(),
            Err(
                UnsupportedState { .. }
                | Failed { .. }
                | Crashed { .. }
                | OverLimit { .. }
                | BadRows { .. }
                | BrokenContract { .. },
            ) => tally.refuse(),
            Err(other) => panic!("{other}: {other:?}"),
        }
    });
    tally.expect_both("states");
    // One instance's state harms no other.
    assert_eq!(restored(&SAVED.state).unwrap(), whole);
}
