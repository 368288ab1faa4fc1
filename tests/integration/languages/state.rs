//! What generators in C and Go carry over a step is saved, and what is not theirs, or not whole, is refused.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use telemill::core::time::{Timestamp, Window};
use telemill::plugin::{Engine, Limits, PluginError, Shard, log_nowhere};

use super::projects::{example, hello, telemill};
use super::shown;

const HOUR_US: i64 = 3_600_000_000;

/// What an instance saves that was just opened, and what becomes of others' states.
fn saved(component: &Path, others: impl Fn(&[u8]) -> Vec<Vec<u8>>) -> Option<Vec<u8>> {
    let engine = Engine::new(Limits::default(), None).unwrap();
    let plugin = engine.load("plugin.wasm", &fs::read(component).unwrap()).unwrap();
    let config = plugin.check_config(&json!({})).unwrap();
    let span = Window::from_start(Timestamp(0), HOUR_US);
    let shard = Shard { seed: 7, partition: 0, partitions: 1, span };
    let mut generator = plugin.generator(log_nowhere()).unwrap();
    generator.open(&config, shard).unwrap();
    let state = generator.save().unwrap();
    let restored = |state: &[u8]| plugin.generator(log_nowhere()).unwrap().restore(&config, shard, state);
    if let Some(state) = &state {
        restored(state).unwrap();
    }
    for other in others(state.as_deref().unwrap_or_default()) {
        let told = restored(&other);
        assert!(matches!(told, Err(PluginError::UnsupportedState { .. })), "{told:?} of {} bytes", other.len());
    }
    state
}

#[test]
fn what_c_and_go_carry_over_a_step_is_saved() {
    for (name, language) in [("water-meters", "c"), ("web-cache", "go")] {
        let component = example(name, language);
        let report = telemill(&["plugin", "test", &shown(&component), "--json"]).with_code(0).out;
        let report: Value = serde_json::from_str(&report).unwrap();
        for law in ["save and restore go on exactly", "save and restore go on exactly under an incident"] {
            let checks = report["checks"].as_array().unwrap();
            let held = checks.iter().find(|check| check["name"] == law).unwrap();
            assert!(held["message"].as_str().unwrap().ends_with("bytes of state"), "{name}: {held}");
        }
        let others = |state: &[u8]| {
            let (mut bent, mut longer) = (state.to_vec(), state.to_vec());
            bent[state.len() / 2] ^= 1;
            longer.push(0);
            vec![vec![], state[..7].to_vec(), state[..state.len() - 1].to_vec(), bent, longer]
        };
        assert!(saved(&component, others).is_some(), "{name}");
    }
}

#[test]
fn what_carries_nothing_over_a_step_saves_nothing_and_takes_no_state() {
    for language in ["c", "go"] {
        assert_eq!(saved(&hello("generator", language), |_| vec![vec![], vec![0; 8]]), None, "{language}");
    }
}
