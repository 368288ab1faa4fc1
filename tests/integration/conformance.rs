//! The conformance check finds what breaks the contract without crashing, and nothing in what keeps it.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};
use telemill::plugin::check::{CheckOptions, CheckReport, Outcome, check};
use telemill::plugin::{Engine, Limits};
use telemill_tests::guest;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(Limits::default(), None).unwrap());

fn checked(config: Value) -> CheckReport {
    let options = CheckOptions { config: Some(config), length_us: 120_000_000, ..CheckOptions::default() };
    check(&ENGINE, "hostile.wasm", &guest("hostile").unwrap(), &options)
}

fn failed(report: &CheckReport) -> Vec<&str> {
    report.checks.iter().filter(|check| check.outcome == Outcome::Failed).map(|check| check.name.as_str()).collect()
}

#[test]
fn an_honest_generator_passes() {
    let report = checked(json!({ "meters": 7 }));
    assert!(report.passed(), "{:#?}", report.checks);
    assert_eq!(report.name.as_deref(), Some("hostile"));
    assert!(report.checks.iter().all(|check| check.outcome == Outcome::Passed), "{:#?}", report.checks);
}

#[test]
fn each_law_that_is_broken_is_found() {
    for (fault, law) in [
        ("state-lost", "save and restore go on exactly"),
        ("depends-on-partition", "2 partitions make the same set"),
        ("depends-on-window", "windows cut elsewhere make the same rows"),
        ("deaf-signal", "signal value moves its column"),
        ("deaf-signal", "each kind of target moves its signals' columns"),
        ("leaky-signal", "signal value moves its column"),
        ("early-signal", "nothing changes before an incident starts"),
    ] {
        let report = checked(json!({ "fault": fault }));
        assert!(failed(&report).contains(&law), "{fault}: {:#?}", report.checks);
    }
}

#[test]
fn a_crash_is_a_failed_check_and_not_the_end() {
    let report = checked(json!({ "fault": "panic" }));
    assert!(failed(&report).iter().any(|name| name.starts_with("rows: ")), "{:#?}", report.checks);
    let report = check(&ENGINE, "noise", b"no component", &CheckOptions::default());
    assert_eq!(failed(&report), ["imports"]);
    assert!(!report.passed() && report.name.is_none());
}

#[test]
fn the_check_tells_costs_and_first_rows() {
    let report = checked(json!({ "meters": 7 }));
    let [shown] = report.first_rows.as_slice() else { panic!("{:?}", report.first_rows) };
    assert_eq!((shown.table.as_str(), shown.rows.len()), ("readings", 3));
    assert!(shown.rows.iter().all(|row| row["time"].is_string() && row["name"].is_string()), "{shown:?}");
    let profile = &report.profile;
    assert!(profile.rows > 1_000 && profile.rows_per_second > 0.0 && profile.fuel_per_row > 1.0, "{profile:?}");
    let calls: Vec<&str> = profile.calls.iter().map(|call| call.call.as_str()).collect();
    assert_eq!(calls, ["advance", "check", "inject", "open", "plan", "restore", "save"]);
    for margin in &profile.margins {
        assert!(margin.used <= margin.allowed, "{margin:?}");
    }
    let memory = profile.margins.iter().find(|margin| margin.limit == "memory_bytes").unwrap();
    assert!(memory.used >= 64 << 10, "{memory:?}");
}

#[test]
fn a_check_ends_in_time() {
    let options = CheckOptions { most_time: Duration::ZERO, ..CheckOptions::default() };
    let report = check(&ENGINE, "hostile.wasm", &guest("hostile").unwrap(), &options);
    assert!(!report.passed());
    assert!(report.checks.iter().all(|check| check.message.contains("were up")), "{:#?}", report.checks);
}
