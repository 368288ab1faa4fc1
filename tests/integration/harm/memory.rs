//! The host's memory is back where it was after every case: the catalogue, and every fault of the guest written in Rust, run in a
//! process of their own, several times, and what the process holds does not grow.

use std::process::Command;

use serde_json::json;
use telemill::plugin::{Engine, Limits, log_nowhere};
use telemill_tests::guest;

use super::{ENGINE, catalogue, drive};
use crate::hostile;

/// What may stay of a round: caches of the allocator and of the system, not of cases.
const SLACK_BYTES: u64 = 24 << 20;
/// Rounds that are measured after one that warms up.
const ROUNDS: usize = 3;

/// The memory of this process that is in use, in bytes.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4_096
}

#[test]
fn the_hosts_memory_is_back_where_it_was() {
    let own = std::env::current_exe().unwrap();
    let name = "harm::memory::measured_alone";
    let measured = Command::new(own).args(["--exact", name, "--ignored", "--nocapture"]).output().unwrap();
    let said = String::from_utf8_lossy(&measured.stderr);
    assert!(measured.status.success(), "{said}");
    assert!(said.contains("resident after each round"), "it did not run: {said}");
}

#[test]
#[ignore = "the_hosts_memory_is_back_where_it_was runs it in a process of its own"]
fn measured_alone() {
    let cases = catalogue();
    // Enough for every honest call, and over in a moment.
    let engine = Engine::new(Limits { call_fuel: 300_000_000, ..Limits::default() }, None).unwrap();
    let rust = engine.load("hostile.wasm", &guest("hostile").unwrap()).unwrap();
    let round = || {
        for fault in hostile::failing() {
            let config = json!({ "fault": fault, "after_s": 90 });
            assert!(hostile::run(&rust, &config, &log_nowhere()).is_err(), "{fault}");
        }
        for case in &cases {
            assert!(drive(&ENGINE, &case.component).is_err());
        }
        resident_bytes()
    };
    let first = round();
    let rounds: Vec<u64> = (0..ROUNDS).map(|_| round()).collect();
    eprintln!("resident after each round: {first}, then {rounds:?}");
    assert!(rounds.iter().all(|bytes| *bytes < first + SLACK_BYTES), "{first}, then {rounds:?}");
}
