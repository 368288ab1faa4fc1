//! Hostile components fail their own run with their own error; nothing of it shows, and a run beside it is as it is alone.

use std::fs;

use serde_json::Value;
use telemill_tests::guest;

use super::{hostile, run, shop};
use crate::program::{Answer, Place};

/// Fault, the call that it breaks, and what the error says besides.
const FAULTS: [(&str, &str, &str); 10] = [
    ("panic", "advance", "crashed"),
    ("endless-loop", "advance", "call_ms = 300"),
    ("memory-hog", "advance", "memory_bytes"),
    ("stack-overflow", "advance", "stack"),
    ("row-outside-window", "advance", "outside the window"),
    ("invalid-utf8", "advance", "UTF-8"),
    ("wrong-row-count", "advance", "instead of"),
    ("bad-offsets", "advance", "offsets must rise"),
    ("bad-dictionary-key", "advance", "dictionary key"),
    ("save-loops", "save", "call_ms = 300"),
];

/// Starts the run of a fault. Calls that would never end have little time; all others enough on the busiest machine.
fn start(place: &Place, fault: &str) -> Answer {
    place.file("hostile.wasm", guest("hostile").unwrap());
    place.file("hostile.toml", hostile(fault));
    let call_ms = if fault.contains("loop") { "limits.call_ms=300" } else { "limits.call_ms=120000" };
    place.ask(["--setting", call_ms, "run", "start", "hostile.toml"])
}

#[test]
fn a_hostile_run_fails_alone_and_a_run_beside_it_is_as_it_is_alone() {
    let spec = shop("15:00", "2h", 2, "30m");
    let alone = run(&Place::new(), &spec, &[]);
    let bad = Place::new();
    let good = Place::new();
    good.file("spec.toml", &spec);
    let beside = good.spawn(["run", "start", "spec.toml", "--json"]);
    for (index, (fault, call, said)) in FAULTS.into_iter().enumerate() {
        let answer = start(&bad, fault).refused(&["plugin hostile 0.1.0", call, said]);
        assert!(answer.err.contains("partition 0 of 2") || answer.err.contains("partition 1 of 2"), "{}", answer.err);
        assert!(answer.err.contains("in the window 2026-11-09T00:0"), "{}", answer.err);
        let runs = bad.runs();
        assert_eq!((runs.len(), &runs[0]["state"]), (index + 1, &Value::from("failed")));
        let recorded = runs[0]["error"].as_str().unwrap();
        assert!(recorded.contains(said) && recorded.contains(call), "{recorded}");
    }
    assert_eq!(bad.json(["dataset", "list", "--json"]), Value::Array(Vec::new()));
    let told: Value = serde_json::from_str(&beside.answer().with_code(0).out).unwrap();
    assert_eq!(told["run"]["fingerprint"], alone["fingerprint"]);
}

/// NaNs and infinities are stored, counted and proved like other numbers.
#[test]
fn numbers_that_are_not_finite_are_kept_and_proved() {
    let place = Place::new();
    place.file("hostile.wasm", guest("hostile").unwrap());
    place.file("odd.toml", hostile("not-finite").replace("after_s = 90", "after_s = 0"));
    place.good(["run", "start", "odd.toml"]);
    place.good(["run", "verify"]);
    place.good(["run", "verify", "--lake"]);
    let asked = "SELECT count(*) AS rows, count(value) AS present, count(*) FILTER (WHERE isnan(value)) AS nans,
        count(*) FILTER (WHERE NOT isnan(value) AND value > 1e308) AS most,
        count(*) FILTER (WHERE NOT isnan(value) AND value < -1e308) AS least FROM meters.readings";
    let [counted] = place.sql(asked).try_into().unwrap();
    let count = |name: &str| counted[name].as_u64().unwrap();
    assert_eq!(count("rows"), 2_400);
    // Four of six values are NaNs, and one each is an infinity.
    assert!(count("nans") > 1_200 && count("most") > 250 && count("least") > 250, "{counted}");
    assert_eq!(count("nans") + count("most") + count("least"), count("present"));
    // What bounds of files and row groups say of such numbers loses no row.
    let [found] = place
        .sql("SELECT count(*) AS rows FROM meters.readings WHERE value < -1e308 AND NOT isnan(value)")
        .try_into()
        .unwrap();
    assert_eq!(found["rows"], counted["least"]);
    let exported = place.good(["export", "meters.readings", "--format", "ndjson"]);
    assert_eq!(exported.lines().count(), 2_400);
    for line in exported.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
}

#[test]
fn a_plan_that_breaks_the_contract_starts_no_run() {
    let place = Place::new();
    for (fault, said) in [("plan-bad-name", "table"), ("plan-loops", "call_ms = 300"), ("invalid-config", "/fault")] {
        start(&place, fault).refused(&["hostile 0.1.0", said]);
    }
    assert!(place.runs().is_empty());
}

#[test]
fn finished_segments_of_a_failed_run_stay_for_a_resume() {
    let place = Place::new();
    start(&place, "panic").refused(&["crashed"]);
    let before = place.parquet("meters", "readings");
    assert!(!before.is_empty(), "the first minute was finished");
    // The component still panics, so that the run fails again, at the same place and without making the first minute again.
    let written = |path| fs::metadata(path).unwrap().modified().unwrap();
    let times: Vec<_> = before.iter().map(written).collect();
    place.ask(["run", "resume"]).refused(&["crashed"]);
    assert_eq!(before.iter().map(written).collect::<Vec<_>>(), times);
    assert_eq!(place.runs().len(), 1);
}

#[test]
fn files_that_are_no_component_are_refused() {
    let place = Place::new();
    let spec = hostile("none");
    for (content, said) in [(b"\0asm\x01\0\0\0".as_slice(), "core module"), (b"random bytes", "WebAssembly")] {
        place.file("hostile.toml", &spec);
        place.file("hostile.wasm", content);
        place.ask(["run", "start", "hostile.toml"]).refused(&["hostile.wasm", said]);
        place.ask(["plugin", "test", "hostile.wasm"]).with_code(1);
    }
}
