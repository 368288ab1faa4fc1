//! The conformance check finds what breaks the contract without crashing, and nothing in what keeps it.
#![expect(clippy::unwrap_used, reason = "tests")]

pub(crate) mod laws;
mod processes;

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};
use telemill::plugin::check::{CheckOptions, CheckReport, Outcome, Reach, check};
use telemill::plugin::{Engine, Limits};
use telemill::worker::Program;
use telemill_tests::{guest, telemill};

use crate::harm::component::{Guest, HONEST, Texts, World};

/// Its processes are the built program.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| engine(Program::at(telemill().unwrap())));

fn engine(program: Program) -> Engine {
    Engine::with_compiler(Limits::default(), None, program).unwrap()
}

fn checked(config: Value) -> CheckReport {
    checked_by(&ENGINE, config)
}

fn checked_by(engine: &Engine, config: Value) -> CheckReport {
    let options = CheckOptions { config: Some(config), length_us: 120_000_000, ..CheckOptions::default() };
    check(engine, "hostile.wasm", &guest("hostile").unwrap(), &options)
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
fn a_crash_is_a_failed_check_and_not_the_end() {
    let report = checked(json!({ "fault": "panic" }));
    assert!(failed(&report).iter().any(|name| name.starts_with("rows: ")), "{:#?}", report.checks);
    let report = check(&ENGINE, "noise", b"no component", &CheckOptions::default());
    assert_eq!(failed(&report), ["imports"]);
    assert!(!report.passed() && report.name.is_none());
}

/// A limit that is gone over fails the law whose call it was, with the limit and its value.
#[test]
fn going_over_a_limit_fails_the_check() {
    for (fault, limit) in [("memory-hog", "memory_bytes"), ("huge-output", "output_bytes"), ("plan-loops", "call_fuel")]
    {
        let report = checked(json!({ "fault": fault }));
        let told = report.checks.iter().find(|check| check.name.starts_with("rows: ")).unwrap();
        let said = format!("went over the limit {limit} = ");
        assert!(told.outcome == Outcome::Failed && told.message.contains(&said), "{fault}: {told:?}");
    }
}

/// A component whose configuration has one whole number, and whose `check` does `body` first.
fn counting(body: &str) -> Vec<u8> {
    let schema = r#"{"type": "object", "properties": {"n": {"type": "integer", "default": 1}}}"#;
    let mut guest = Guest::saying(World::Generator, Texts { schema, ..HONEST });
    let nothing = guest.image.words(&[0, 0]);
    guest.body("check", format!("{body} (i32.const {nothing})")).build()
}

#[test]
fn bad_configurations_have_to_be_refused_and_bring_nothing_down() {
    let law = "bad configurations are refused";
    let told = |component: &[u8]| {
        let report = check(&ENGINE, "n.wasm", component, &CheckOptions::default());
        report.checks.into_iter().find(|check| check.name == law).unwrap()
    };
    let good = told(&counting(""));
    assert_eq!(good.outcome, Outcome::Passed, "{good:?}");
    assert!(good.message.starts_with("1 values of a wrong type, each with its path"), "{good:?}");
    // Numbers of more digits than it thought of.
    let bad = told(&counting(laws::LONG_NUMBERS));
    assert_eq!(bad.outcome, Outcome::Failed, "{bad:?}");
    assert!(bad.message.contains("a bad configuration brought it down"), "{bad:?}");
}

#[test]
fn the_check_tells_costs_and_first_rows() {
    let report = checked(json!({ "meters": 7 }));
    let [shown] = report.first_rows.as_slice() else { panic!("{:?}", report.first_rows) };
    assert_eq!((shown.table.as_str(), shown.rows.len()), ("readings", 3));
    assert!(shown.rows.iter().all(|row| row["time"].is_string() && row["name"].is_string()), "{shown:?}");
    let profile = &report.profile;
    assert!(profile.rows > 1_000 && profile.rows_per_second > 0.0 && profile.fuel_per_row > 1.0, "{profile:?}");
    let limits: Vec<&str> = profile.margins.iter().map(|margin| margin.limit.as_str()).collect();
    let calls_and_output =
        ["memory_bytes", "call_ms", "call_fuel", "host_bytes", "log_lines", "log_bytes", "output_bytes"];
    assert_eq!(limits, [&calls_and_output[..], &["component_bytes"]].concat());
    let calls: Vec<&str> = profile.calls.iter().map(|call| call.call.as_str()).collect();
    assert_eq!(calls, ["advance", "check", "inject", "open", "plan", "restore", "save"]);
    for margin in &profile.margins {
        assert!(margin.used <= margin.allowed, "{margin:?}");
    }
    assert!(used(&report, "memory_bytes") >= 64 << 10, "{profile:?}");
    assert_eq!(used(&report, "component_bytes"), guest("hostile").unwrap().len() as u64);
    assert_eq!((used(&report, "log_lines"), used(&report, "log_bytes")), (0, 0));
    let report = checked(json!({ "fault": "log-forgery" }));
    assert_eq!(used(&report, "log_lines"), 1);
    assert!(used(&report, "log_bytes") > 80, "{:?}", report.profile);
}

/// The most of a limit that a check saw.
fn used(report: &CheckReport, limit: &str) -> u64 {
    report.profile.margins.iter().find(|margin| margin.limit == limit).unwrap().used
}

/// What a result made the host allocate is counted as wasmtime limits it: the number seen is allowed, and one less is not.
#[test]
fn bytes_of_the_host_are_counted_as_they_are_limited() {
    let plain = checked_by(&alone(Limits::default()), json!({ "meters": 20 }));
    assert!(plain.passed(), "{:#?}", plain.checks);
    let seen = used(&plain, "host_bytes");
    assert!(seen > used(&plain, "output_bytes"), "{:?}", plain.profile);
    let enough = checked_by(&alone(Limits { host_bytes: seen, ..Limits::default() }), json!({ "meters": 20 }));
    assert!(enough.passed(), "{:#?}", enough.checks);
    let scarce = checked_by(&alone(Limits { host_bytes: seen - 1, ..Limits::default() }), json!({ "meters": 20 }));
    assert!(scarce.checks.iter().any(|check| check.message.contains("host_bytes")), "{:#?}", scarce.checks);
}

/// An engine without processes of its own.
fn alone(limits: Limits) -> Engine {
    Engine::new(limits, None).unwrap()
}

/// One target of each kind is tried, or every one; the report says how many that were, and which fields were held to what they say.
#[test]
fn the_report_says_what_was_tried_and_what_was_not() {
    let report = checked(json!({ "meters": 7 }));
    let tried = report.effects.as_ref().unwrap();
    assert_eq!((tried.pairs, tried.alone + tried.together, tried.alike, tried.not_tried), (8, 2, 6, 0), "{tried:?}");
    assert!(tried.signals_not_tried.is_empty() && (tried.fields, tried.fields_held) == (8, 1), "{tried:?}");
    let law = report.checks.iter().find(|check| check.name.starts_with("each kind of target")).unwrap();
    assert!(law.message.starts_with("2 of 8 pairs of target and signal were tried"), "{law:?}");

    let options = CheckOptions { length_us: 120_000_000, every_target: true, ..CheckOptions::default() };
    let every = check(&ENGINE, "hostile.wasm", &guest("hostile").unwrap(), &options);
    let tried = every.effects.as_ref().unwrap();
    assert_eq!((tried.pairs, tried.alone + tried.together, tried.alike, tried.not_tried), (5, 5, 0, 0), "{tried:?}");
    assert!(every.passed(), "{:#?}", every.checks);
}

/// One target that shows nothing is found among others that are alike, whether it is the one that is tried or not.
#[test]
fn a_deaf_target_is_named() {
    let law = "each kind of target moves its signals' columns";
    for every_target in [false, true] {
        let config = Some(json!({ "fault": "deaf-meter", "meters": 7 }));
        let options = CheckOptions { config, length_us: 120_000_000, every_target, ..CheckOptions::default() };
        let report = check(&ENGINE, "hostile.wasm", &guest("hostile").unwrap(), &options);
        assert_eq!(failed(&report), [law], "{:#?}", report.checks);
        let told = report.checks.iter().find(|check| check.name == law).unwrap();
        assert!(told.message.contains("value on meter-2 changes no row at all"), "{told:?}");
    }
}

/// An effect that bends a neighbour as well breaks no law where no table says whose its rows are, since systems do that; it is told.
#[test]
fn an_effect_that_reaches_other_targets_is_told() {
    let reached = |fault: &str, every_target: bool| {
        let config = Some(json!({ "fault": fault, "meters": 7 }));
        let options = CheckOptions { config, length_us: 120_000_000, every_target, ..CheckOptions::default() };
        let report = check(&ENGINE, "hostile.wasm", &guest("hostile").unwrap(), &options);
        assert!(report.passed(), "{:#?}", report.checks);
        let effects = report.effects.unwrap();
        (effects.reaching, effects.reaches_others)
    };
    for every_target in [false, true] {
        assert_eq!(reached("none", every_target), (0, Vec::new()));
    }
    let (pairs, told) = reached("leaks-undeclared", false);
    let [Reach { target, signal, targets: 1, rows }] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((pairs, target.as_str(), signal.as_str()), (1, "meter-0", "value"));
    // A reading a second for two minutes, a tenth of them without a value.
    assert!((90..=120).contains(rows), "{told:?}");
    // The seventh has no next, and all that the site bends is its own.
    let (pairs, told) = reached("leaks-undeclared", true);
    assert_eq!((pairs, told.len()), (6, 6), "{told:?}");
}

/// Where a field says whose rows are, the one that was changed by an effect on another is named.
#[test]
fn rows_that_belong_to_another_target_are_held_to_it() {
    let told = |fault: &str| {
        let report = checked(json!({ "fault": fault, "meters": 7 }));
        let law = "effects leave rows of other targets alone";
        report.checks.into_iter().find(|check| check.name == law).unwrap()
    };
    let honest = told("none");
    assert_eq!((honest.outcome, honest.message.as_str()), (Outcome::Passed, "1 of 1 tables, in 2 of 8 pairs"));
    let leaky = told("leaks-to-next").message;
    assert!(leaky.starts_with("value on meter-0 changes ") && leaky.ends_with(" others, such as meter-1"), "{leaky}");
    assert_eq!(told("unknown-owner").message, "readings.kind says whose rows are, and names no target");
    let silent = told("leaks-undeclared");
    assert!(silent.outcome == Outcome::Skipped && silent.message.contains("`owner`"), "{silent:?}");
}

/// Where no field says what moves it, names in the primary key are held nevertheless.
#[test]
fn an_effect_that_renames_rows_is_found() {
    let report = checked(json!({ "fault": "renaming-signal" }));
    let told = report.checks.iter().find(|check| check.name == "signal value moves its column").unwrap();
    assert!(told.message.contains("readings.name is of the primary key, and value moved it"), "{told:?}");
}

#[test]
fn a_check_ends_in_time() {
    let options = CheckOptions { most_time: Duration::ZERO, ..CheckOptions::default() };
    let report = check(&ENGINE, "hostile.wasm", &guest("hostile").unwrap(), &options);
    assert!(!report.passed());
    assert!(report.checks.iter().all(|check| check.message.contains("were up")), "{:#?}", report.checks);
}
