//! The conformance check finds what breaks the contract without crashing, and nothing in what keeps it.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::LazyLock;

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
