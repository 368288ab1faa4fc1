//! Guests that break the contract: each gives its own clear error within its limits, and an instance beside it makes the
//! rows that it makes alone. Every fault of `tests/guests/hostile` has a line here.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use telemill::batch::{TableFingerprint, TableLayout};
use telemill::core::time::{Timestamp, Window};
use telemill::plugin::{Engine, Limit, Limits, LogSink, Plugin, PluginError, Registry, Rejection, Shard, log_nowhere};
use telemill_tests::{guest, lying_guest};

use crate::conformance::laws::GENERATORS;

/// Instructions of a call in these tests: enough for every honest call, and over in a second or two.
const CALL_FUEL: u64 = 2_000_000_000;
/// The longest that any fault may take to be found, however busy the machine is.
const DEADLINE: Duration = Duration::from_secs(60);
const MINUTE_US: u64 = 60_000_000;

fn limits() -> Limits {
    Limits { call_fuel: CALL_FUEL, call_ms: 30_000, ..Limits::default() }
}

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(limits(), None).unwrap());
static HOSTILE: LazyLock<Plugin> = LazyLock::new(|| ENGINE.load("hostile.wasm", &guest("hostile").unwrap()).unwrap());

fn span() -> Window {
    Window::from_start(Timestamp(1_772_445_600_000_000), 600_000_000)
}

/// Rows of ten minutes with a save and a restore in the middle: the fingerprint, or the first error.
pub(crate) fn run(plugin: &Plugin, config: &Value, sink: &LogSink) -> Result<TableFingerprint, PluginError> {
    let config = plugin.check_config(config)?;
    let shard = Shard { seed: 7, partition: 0, partitions: 1, span: span() };
    let mut generator = plugin.generator(Arc::clone(sink))?;
    let simulation = generator.plan(&config)?;
    let layouts: Vec<_> = simulation.tables.iter().cloned().map(TableLayout::new).collect();
    generator.open(&config, shard)?;
    let mut fingerprint = TableFingerprint::default();
    for (minute, window) in span().pieces(MINUTE_US).enumerate() {
        for (_, rows) in generator.rows(&layouts, window)? {
            fingerprint.add(&rows).unwrap();
        }
        if minute == 4
            && let Some(state) = generator.save()?
        {
            generator = plugin.generator(Arc::clone(sink))?;
            generator.restore(&config, shard, &state)?;
        }
    }
    Ok(fingerprint)
}

fn fails(fault: &str) -> PluginError {
    let started = Instant::now();
    let error = run(&HOSTILE, &json!({ "fault": fault, "after_s": 90 }), &log_nowhere()).unwrap_err();
    assert!(started.elapsed() < DEADLINE, "{fault} took {:?}", started.elapsed());
    error
}

/// Fault, call and limit of what costs too much.
const OVER_LIMIT: &[(&str, &str, Limit)] = &[
    ("endless-loop", "advance", Limit::CallFuel),
    ("open-loops", "open", Limit::CallFuel),
    ("plan-loops", "plan", Limit::CallFuel),
    ("save-loops", "save", Limit::CallFuel),
    ("restore-loops", "restore", Limit::CallFuel),
    ("memory-hog", "advance", Limit::MemoryBytes),
    ("huge-output", "advance", Limit::OutputBytes),
    ("huge-host-allocation", "advance", Limit::HostBytes),
    ("huge-state", "save", Limit::OutputBytes),
    ("log-flood", "advance", Limit::LogLines),
    ("log-line", "advance", Limit::LogBytes),
];

/// Fault, and what the error says of rows that can't be used.
const BAD_ROWS: &[(&str, &str)] = &[
    ("wrong-row-count", "instead of"),
    ("wrong-column-count", "columns instead of"),
    ("wrong-column-type", "can't carry"),
    ("unknown-table", "no such table"),
    ("short-buffer", "instead of"),
    ("long-buffer", "instead of"),
    ("short-validity", "validity"),
    ("bad-offsets", "offsets must rise"),
    ("short-offsets", "offsets"),
    ("offsets-beyond-bytes", "offsets must rise"),
    ("invalid-utf8", "UTF-8"),
    ("split-character", "UTF-8"),
    ("bad-dictionary-key", "dictionary key"),
    ("null-where-none", "nulls in a column"),
    ("row-outside-window", "outside the window"),
    ("row-before-window", "outside the window"),
];

/// Fault, and what the error says of a plan that can't be used.
const BAD_PLANS: &[(&str, &str)] = &[
    ("plan-bad-name", "can't be a table's name"),
    ("plan-duplicate-column", "is declared twice"),
    ("plan-unknown-time-field", "time field that is no field"),
    ("plan-unknown-key", "key column that is no field"),
    ("plan-unknown-signal-column", "column that is not declared"),
    ("plan-zero-step", "at least one microsecond"),
];

/// Faults that have tests of their own, and those that are none for the host; what only the conformance check can see stands there.
const OTHERS: &[&str] = &[
    "none",
    "panic",
    "stack-overflow",
    "log-forgery",
    "invalid-config",
    "error-failed",
    "error-forgery",
    "unsupported-state",
    "not-finite",
    "counts-openings",
    "leaks-undeclared",
];

/// All faults that end in an error, whatever they are.
pub(crate) fn failing() -> impl Iterator<Item = &'static str> {
    let costs = OVER_LIMIT.iter().map(|(fault, ..)| *fault);
    let lies = BAD_ROWS.iter().chain(BAD_PLANS).map(|(fault, _)| *fault);
    costs.chain(lies).chain([
        "panic",
        "stack-overflow",
        "invalid-config",
        "error-failed",
        "error-forgery",
        "unsupported-state",
    ])
}

#[test]
fn every_fault_of_the_guest_is_tried() {
    let schema = &HOSTILE.descriptor().config_schema;
    let offered = schema.pointer("/properties/fault/enum").and_then(Value::as_array).unwrap();
    let offered: BTreeSet<_> = offered.iter().filter_map(Value::as_str).collect();
    let tried = OVER_LIMIT.iter().map(|(fault, ..)| *fault).chain(BAD_ROWS.iter().map(|(fault, _)| *fault));
    let tried = tried.chain(BAD_PLANS.iter().map(|(fault, _)| *fault)).chain(OTHERS.iter().copied());
    let tried: BTreeSet<_> = tried.chain(GENERATORS.iter().map(|(fault, _)| *fault)).collect();
    assert_eq!(offered, tried);
}

#[test]
fn what_costs_too_much_names_plugin_call_limit_and_value() {
    for (fault, call, limit) in OVER_LIMIT {
        let error = fails(fault);
        let PluginError::OverLimit { call: at, limit: hit, allowed, .. } = &error else { panic!("{fault}: {error}") };
        assert_eq!((at, hit), (call, limit), "{fault}: {error}");
        let said = format!("plugin hostile 0.1.0: {call} went over the limit {limit} = {allowed}");
        assert!(error.to_string().starts_with(&said), "{fault}: {error}");
    }
}

#[test]
fn wall_time_ends_what_fuel_does_not() {
    let limits = Limits { call_fuel: u64::MAX / 4, call_ms: 200, ..Limits::default() };
    let engine = Engine::new(limits, None).unwrap();
    let plugin = engine.load("hostile.wasm", &guest("hostile").unwrap()).unwrap();
    let started = Instant::now();
    let error = run(&plugin, &json!({ "fault": "endless-loop" }), &log_nowhere()).unwrap_err();
    assert!(matches!(error, PluginError::OverLimit { limit: Limit::CallMs, allowed: 200, .. }), "{error}");
    assert!(started.elapsed() < DEADLINE, "{:?}", started.elapsed());
}

/// A guest has two stacks: the machine's, which the host limits, and one in its memory, which its linker sized. Which
/// ends first depends on the code.
#[test]
fn both_stacks_of_a_guest_end_with_a_clear_error() {
    let own = fails("stack-overflow");
    assert!(matches!(own, PluginError::Crashed { call: "advance", .. }), "{own}");
    assert!(own.to_string().contains("its stack overflowed"), "{own}");

    let engine = Engine::new(Limits { stack_bytes: 64 << 10, ..limits() }, None).unwrap();
    let plugin = engine.load("hostile.wasm", &guest("hostile").unwrap()).unwrap();
    let machine = run(&plugin, &json!({ "fault": "stack-overflow" }), &log_nowhere()).unwrap_err();
    let said = "plugin hostile 0.1.0: advance went over the limit stack_bytes = 65536";
    assert_eq!(machine.to_string(), said);
}

#[test]
fn rows_that_lie_are_refused_with_table_and_column() {
    for (fault, said) in BAD_ROWS {
        let error = fails(fault);
        assert!(matches!(error, PluginError::BadRows { call: "advance", .. }), "{fault}: {error}");
        let message = error.to_string();
        assert!(message.contains(said) && message.contains("plugin hostile 0.1.0"), "{fault}: {message}");
    }
}

#[test]
fn plans_that_can_not_be_are_refused() {
    for (fault, said) in BAD_PLANS {
        let error = fails(fault);
        assert!(matches!(error, PluginError::BrokenContract { call: "plan", .. }), "{fault}: {error}");
        assert!(error.to_string().contains(said), "{fault}: {error}");
    }
}

/// A column of floats may hold any pattern of bits. The contract forbids none, so that none ends a call.
#[test]
fn numbers_that_are_not_finite_are_values_like_others() {
    let made = |fault: &str| run(&HOSTILE, &json!({ "fault": fault }), &log_nowhere()).unwrap();
    let odd = made("not-finite");
    assert_eq!((odd, odd.rows), (made("not-finite"), 2_400));
    assert_ne!(odd, made("none"));
}

/// The host opens an instance once, so that nothing that one run left in a component's memory reaches another.
#[test]
fn what_an_instance_remembers_reaches_no_other() {
    let made = |fault: &str| run(&HOSTILE, &json!({ "fault": fault }), &log_nowhere()).unwrap();
    assert_eq!([made("counts-openings"), made("counts-openings")], [made("none"), made("none")]);
    // The fault is there: the same instance, opened again, makes other rows.
    let config = HOSTILE.check_config(&json!({ "fault": "counts-openings" })).unwrap();
    let mut generator = HOSTILE.generator(log_nowhere()).unwrap();
    let mut rows = || {
        generator.open(&config, Shard { seed: 7, partition: 0, partitions: 1, span: span() }).unwrap();
        generator.advance(Window::from_start(span().start, 60_000_000)).unwrap()
    };
    assert_ne!(rows(), rows());
}

#[test]
fn errors_and_crashes_keep_their_words() {
    let panicked = fails("panic");
    assert!(matches!(panicked, PluginError::Crashed { call: "advance", .. }), "{panicked}");
    let failed = fails("error-failed");
    assert_eq!(failed.to_string(), "plugin hostile 0.1.0: advance failed: the meters are on strike");
    let invalid = fails("invalid-config");
    assert!(matches!(&invalid, PluginError::InvalidConfig { problems, .. } if problems.len() == 1), "{invalid}");
    assert!(matches!(fails("unsupported-state"), PluginError::UnsupportedState { .. }));
}

#[test]
fn text_of_guests_can_not_forge_lines_or_reach_the_terminal() {
    let forged = fails("error-forgery").to_string();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    let sink: LogSink = Arc::new(move |line| kept.lock().unwrap().push(line.message.to_owned()));
    run(&HOSTILE, &json!({ "fault": "log-forgery", "after_s": 590 }), &sink).unwrap();
    let logged = lines.lock().unwrap().join("");
    let described = ENGINE.load("forgery", &lying_guest("forgery").unwrap()).unwrap().descriptor().summary.clone();
    for text in [forged, logged, described] {
        assert!(text.contains("\\u{1b}") && text.contains("\\n"), "{text:?}");
        assert!(!text.chars().any(|c| c.is_control() || c == '\u{202e}'), "{text:?}");
    }
}

#[test]
fn a_dead_instance_stays_dead() {
    let config = HOSTILE.check_config(&json!({ "fault": "panic" })).unwrap();
    let mut generator = HOSTILE.generator(log_nowhere()).unwrap();
    generator.open(&config, Shard { seed: 1, partition: 0, partitions: 1, span: span() }).unwrap();
    assert!(matches!(generator.advance(span()), Err(PluginError::Crashed { .. })));
    assert!(matches!(generator.advance(span()), Err(PluginError::Dead { .. })));
    assert!(matches!(generator.save(), Err(PluginError::Dead { .. })));
}

#[test]
fn an_instance_beside_hostile_ones_makes_what_it_makes_alone() {
    let honest = || run(&HOSTILE, &json!({ "meters": 50 }), &log_nowhere()).unwrap();
    let alone = honest();
    assert_eq!(alone.rows, 30_000);
    thread::scope(|scope| {
        let bad = scope.spawn(|| {
            let faults = OVER_LIMIT.iter().map(|(fault, ..)| *fault).chain(BAD_ROWS.iter().map(|(fault, _)| *fault));
            for fault in faults.chain(["panic", "stack-overflow", "error-failed"]) {
                run(&HOSTILE, &json!({ "fault": fault }), &log_nowhere()).unwrap_err();
            }
        });
        let mut runs = 0;
        while !bad.is_finished() || runs == 0 {
            assert_eq!(honest(), alone);
            runs += 1;
        }
    });
}

#[test]
fn configurations_are_checked_before_the_guest_sees_them() {
    let error = HOSTILE.check_config(&json!({ "fault": "none", "metres": 4 })).unwrap_err();
    assert!(error.to_string().contains("metres"), "{error}");
    let error = HOSTILE.check_config(&json!({ "meters": 0 })).unwrap_err();
    assert!(error.to_string().contains("/meters"), "{error}");
    assert_eq!(HOSTILE.check_config(&json!({})).unwrap(), json!({ "fault": "none", "after_s": 0, "meters": 4 }));
}

fn rejection(bytes: &[u8]) -> (String, Rejection) {
    match ENGINE.load("file.wasm", bytes).unwrap_err() {
        error @ PluginError::Rejected { .. } => {
            let message = error.to_string();
            let PluginError::Rejected { reason, .. } = error else { unreachable!() };
            (message, reason)
        }
        other => panic!("{other}"),
    }
}

#[test]
fn descriptions_that_lie_are_refused() {
    for (lie, said) in
        [("bad-name", "name"), ("bad-version", "version"), ("bad-schema", "schema"), ("bad-example", "honest")]
    {
        let (message, reason) = rejection(&lying_guest(lie).unwrap());
        assert!(matches!(reason, Rejection::BadDescriptor { .. }), "{lie}: {message}");
        assert!(message.contains(said), "{lie}: {message}");
    }
    let looping = ENGINE.load("file.wasm", &lying_guest("loop").unwrap()).unwrap_err();
    assert!(matches!(looping, PluginError::OverLimit { call: "describe", limit: Limit::CallFuel, .. }), "{looping}");
    let panicking = ENGINE.load("file.wasm", &lying_guest("panic").unwrap()).unwrap_err();
    assert!(matches!(panicking, PluginError::Crashed { call: "describe", .. }), "{panicking}");
}

#[test]
fn a_foreign_import_is_named() {
    let foreign = wat::parse_str(
        r#"(component
            (import "telemill:plugin/host@0.1.0" (instance))
            (import "wasi:clocks/wall-clock@0.2.6" (instance))
            (import "secrets" (func)))"#,
    );
    let (message, _) = rejection(&foreign.unwrap());
    assert_eq!(
        message,
        "file.wasm can't be used as a plugin: it imports wasi:clocks/wall-clock@0.2.6, secrets, which no plugin may; \
         a plugin imports nothing but telemill:plugin/*"
    );
}

#[test]
fn what_is_no_plugin_is_told_apart() {
    let noise: Vec<u8> = (0..4_096_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert_eq!(rejection(&noise).1, Rejection::NotWasm);
    assert_eq!(rejection(b"").1, Rejection::NotWasm);
    assert_eq!(rejection(&wat::parse_str("(module (memory 1))").unwrap()).1, Rejection::CoreModule);
    assert!(matches!(rejection(&wat::parse_str("(component)").unwrap()).1, Rejection::NoWorld { .. }));

    let whole = guest("hostile").unwrap();
    let cut = &whole[..whole.len() / 2];
    assert!(matches!(rejection(cut).1, Rejection::Malformed { .. }));

    let wrong_types = r#"(component
        (instance $empty)
        (export "telemill:plugin/about@0.1.0" (instance $empty))
        (export "telemill:plugin/generator@0.1.0" (instance $empty)))"#;
    assert!(matches!(rejection(&wat::parse_str(wrong_types).unwrap()).1, Rejection::Invalid { .. }));

    let newer = wrong_types.replace("@0.1.0", "@0.9.0");
    assert!(matches!(rejection(&wat::parse_str(newer).unwrap()).1, Rejection::OtherContract { .. }));

    let small = Engine::new(Limits { component_bytes: 1_000, ..Limits::default() }, None).unwrap();
    let error = small.load("file.wasm", &whole).unwrap_err();
    assert!(
        matches!(error, PluginError::Rejected { reason: Rejection::TooLarge { allowed: 1_000, .. }, .. }),
        "{error}"
    );
}

/// Damage at every place of a real component: refused or harmless, and never a crash of the host.
#[test]
fn damaged_components_do_no_harm() {
    let whole = guest("hostile").unwrap();
    for at in (8..whole.len()).step_by(whole.len() / 40) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        if let Ok(plugin) = ENGINE.load("damaged.wasm", &damaged) {
            drop(run(&plugin, &json!({}), &log_nowhere()));
        }
    }
}

fn files_in(dir: &Path, suffix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().ends_with(suffix)).collect()
}

#[test]
fn compiled_code_that_is_damaged_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("code");
    let bytes = guest("hostile").unwrap();
    let alone = run(&HOSTILE, &json!({}), &log_nowhere()).unwrap();
    Engine::new(limits(), Some(&cache)).unwrap().load("a", &bytes).unwrap();
    let [entry] = files_in(&cache, ".code").try_into().unwrap();
    let good = std::fs::read(&entry).unwrap();
    let flipped: Vec<u8> = good.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == good.len() / 2)).collect();
    let foreign = [&good[..16], &[0; 2_000]].concat();
    for damage in [flipped, foreign, good[..good.len() / 3].to_vec(), Vec::new(), b"no code at all".to_vec()] {
        std::fs::write(&entry, &damage).unwrap();
        let plugin = Engine::new(limits(), Some(&cache)).unwrap().load("a", &bytes).unwrap();
        assert_eq!(run(&plugin, &json!({}), &log_nowhere()).unwrap(), alone);
        assert_eq!(std::fs::read(&entry).unwrap().len(), good.len(), "the entry is whole again");
    }
}

#[test]
fn a_component_that_was_used_is_found_by_its_digest() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("mine.wasm");
    std::fs::write(&file, guest("hostile").unwrap()).unwrap();
    let registry = Registry::new(ENGINE.clone(), data.path());
    let by_path = registry.load(file.to_str().unwrap()).unwrap();
    std::fs::remove_file(&file).unwrap();
    let by_digest = registry.load_digest(by_path.digest()).unwrap();
    assert_eq!(by_digest.descriptor(), by_path.descriptor());
    let listed = registry.list().unwrap();
    assert!(listed.iter().any(|plugin| plugin.digest == by_path.digest() && !plugin.shipped));

    let stored = data.path().join(format!("plugins/{}.wasm", by_path.digest()));
    let mut damaged = std::fs::read(&stored).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(&stored, damaged).unwrap();
    let error = registry.load_digest(by_path.digest()).unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
    assert!(matches!(registry.load("no-such-plugin"), Err(PluginError::NotFound { .. })));
    assert!(matches!(registry.load("./no-such-file.wasm"), Err(PluginError::Io { .. })));
}
