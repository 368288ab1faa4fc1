//! Every law is seen failing: for each there is a component that breaks it, and exactly the laws that its fault breaks fail.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Value, json};
use telemill::plugin::Engine;
use telemill::plugin::check::{CheckOptions, CheckReport, Sample, check};
use telemill_tests::{guest, lying_guest, with_example};

use super::processes::ALTERED;
use super::{ENGINE, counting, failed};
use crate::harm::component::{Guest, World};

/// Names of laws, in the order in which the check looks at them.
pub(crate) type Laws = &'static [&'static str];
/// Faults that a configuration asks for, each with the laws that it breaks.
pub(crate) type Faults = &'static [(&'static str, Laws)];
/// A component that breaks laws whatever its configuration.
type Broken = (&'static str, fn() -> Vec<u8>, Laws);

/// What a guest refuses in `check`.
const REFUSED: (&str, Laws) = ("refused", &["configuration: the configuration given"]);
const EFFECTS: Laws = &["signal value moves its column", "each kind of target moves its signals' columns"];

/// Of the guest `hostile`.
pub(crate) const GENERATORS: Faults = &[
    REFUSED,
    ("panic", &["rows: the configuration given"]),
    (
        "depends-on-window",
        &[
            "same seed, same rows",
            "another process, same rows",
            "2 partitions make the same set",
            "3 partitions make the same set",
            "many steps of one call equal calls of one step",
            "windows cut elsewhere make the same rows",
            "save and restore go on exactly",
            "nothing depends on the end of the span",
            "save and restore go on exactly under an incident",
            "signal value moves its column",
            "each kind of target moves its signals' columns",
        ],
    ),
    ("seedless", &["another seed, other rows"]),
    ("other-seeds-panic", &["another seed, other rows", "how far seeds differ"]),
    ("depends-on-partition", &["2 partitions make the same set", "3 partitions make the same set"]),
    ("third-partition", &["3 partitions make the same set"]),
    ("single-steps", &["many steps of one call equal calls of one step", "windows cut elsewhere make the same rows"]),
    ("odd-windows", &["windows cut elsewhere make the same rows"]),
    ("state-lost", &["save and restore go on exactly", "save and restore go on exactly under an incident"]),
    ("restore-ignored", &["save and restore go on exactly", "save and restore go on exactly under an incident"]),
    ("counts-saves", &["save and restore go on exactly", "save and restore go on exactly under an incident"]),
    ("deaf-after-restore", &["save and restore go on exactly under an incident"]),
    ("depends-on-end", &["nothing depends on the end of the span"]),
    ("unknown-mover", &["fields say which signals move them"]),
    (
        "early-signal",
        &[
            "nothing changes before an incident starts",
            "signal value moves its column",
            "each kind of target moves its signals' columns",
        ],
    ),
    ("deaf-signal", EFFECTS),
    ("leaky-signal", EFFECTS),
    ("renaming-signal", EFFECTS),
    ("leaks-to-next", &["effects leave rows of other targets alone"]),
    ("unknown-owner", &["effects leave rows of other targets alone"]),
    ("deaf-meter", &["each kind of target moves its signals' columns"]),
];

const INCIDENT_MODELS: Faults = &[
    REFUSED,
    ("plan-panics", &["incidents: the configuration given"]),
    ("other-day", &["incidents: the configuration given"]),
    ("same-id-twice", &["incidents: the configuration given"]),
    ("same-id-daily", &["targets and signals: the configuration given"]),
    ("unknown-cause", &["targets and signals: the configuration given"]),
    ("disorder", &["targets and signals: the configuration given"]),
    ("no-number", &["targets and signals: the configuration given"]),
    ("unknown-target", &["targets and signals: the configuration given"]),
    ("unknown-signal", &["targets and signals: the configuration given"]),
    ("counts-calls", &["same seed, same incidents", "days in another order, same incidents"]),
    ("forgets-days", &["days in another order, same incidents"]),
    ("triggers-nothing", &["trigger surge", "trigger drop"]),
    ("triggers-another", &["trigger surge", "trigger drop"]),
    ("triggers-unknown", &["trigger surge", "trigger drop"]),
];

const VALIDATORS: Faults = &[
    REFUSED,
    ("unknown-column", &["verdict: the configuration given"]),
    ("observe-panics", &["verdict: the configuration given"]),
    ("finish-fails", &["verdict: the configuration given"]),
    ("no-number", &["verdict: the configuration given"]),
    ("sees-packing", &["same rows, same report"]),
    ("counts-batches", &["batches of another size, same verdict"]),
    ("first-row", &["rows in another order, same verdict"]),
    ("last-row", &["rows in another order, same verdict"]),
];

const BROKEN: &[Broken] = &[
    ("no component", || b"no component".to_vec(), &["imports"]),
    ("no world", || wat::parse_str("(component)").unwrap(), &["world"]),
    ("bad name", || lying_guest("bad-name").unwrap(), &["descriptor"]),
    ("refuses its defaults", || refusing_all().build(), &["configuration: defaults"]),
    ("refuses its example", || example("hostile", "refused"), &["configuration: example honest"]),
    ("can't take long numbers", || counting(LONG_NUMBERS), &["bad configurations are refused"]),
    ("example without rows", || example("hostile", "panic"), &["rows: example honest"]),
    ("example without incidents", || example("hostile-incidents", "plan-panics"), &["incidents: example honest"]),
    ("example on nothing", || example("hostile-incidents", "unknown-target"), &["targets and signals: example honest"]),
    ("example without a verdict", || example("hostile-validator", "finish-fails"), &["verdict: example honest"]),
    ("no kinds", || Guest::new(World::IncidentModel).build(), &["kinds"]),
];

/// Traps where a configuration is longer than it thought.
pub(super) const LONG_NUMBERS: &str = "(if (i32.gt_u (local.get 1) (i32.const 12)) (then unreachable))";

fn example(name: &str, fault: &str) -> Vec<u8> {
    with_example(guest(name).unwrap(), fault).unwrap()
}

/// A generator that has something against every configuration.
fn refusing_all() -> Guest {
    let mut guest = Guest::new(World::Generator);
    let problem = [guest.image.text("/"), guest.image.text("no")].concat();
    let problems = guest.image.words(&problem);
    guest.answers("check", &[problems, 1])
}

/// Rows of the honest generator, which models and validators are tried on.
static SAMPLE: LazyLock<Sample> = LazyLock::new(|| {
    let generator = ENGINE.load("hostile.wasm", &guest("hostile").unwrap()).unwrap();
    let config = generator.check_config(&json!({})).unwrap();
    Sample::of(&generator, &config, &CheckOptions { length_us: 120_000_000, ..CheckOptions::default() }).unwrap()
});

/// Two minutes of a configuration.
pub(super) fn options(config: Value) -> CheckOptions {
    let (config, sample) = (Some(config), Some(SAMPLE.clone()));
    CheckOptions { config, sample, length_us: 120_000_000, ..CheckOptions::default() }
}

fn checked(engine: &Engine, name: &str, component: &[u8], config: Value) -> CheckReport {
    check(engine, name, component, &options(config))
}

/// Each fault of a guest breaks its laws and no others.
fn hold(name: &str, faults: Faults) {
    let component = guest(name).unwrap();
    let mut wrong = Vec::new();
    for (fault, laws) in faults {
        let report = checked(&ENGINE, name, &component, json!({ "fault": fault }));
        if failed(&report) != *laws {
            wrong.push(format!("{fault} breaks {:#?}, not {laws:#?}", failed(&report)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_fault_of_a_generator_breaks_its_laws_alone() {
    hold("hostile", GENERATORS);
}

#[test]
fn each_fault_of_an_incident_model_breaks_its_laws_alone() {
    hold("hostile-incidents", INCIDENT_MODELS);
}

#[test]
fn each_fault_of_a_validator_breaks_its_laws_alone() {
    hold("hostile-validator", VALIDATORS);
}

#[test]
fn components_that_are_broken_whatever_their_configuration_are_found() {
    for (what, component, laws) in BROKEN {
        let options = CheckOptions { config: None, ..options(Value::Null) };
        let report = check(&ENGINE, what, &component(), &options);
        assert_eq!(failed(&report), *laws, "{what}: {:#?}", report.checks);
    }
}

/// The law without what it is about: a configuration, a signal or a kind.
fn law(name: &str) -> &str {
    let (about, _) = name.split_once(": ").unwrap_or((name, ""));
    if about.starts_with("signal ") {
        "signal ... moves its column"
    } else if about.starts_with("trigger ") {
        "trigger ..."
    } else {
        about
    }
}

/// What honest plugins of the three kinds are held to is what is seen failing above.
#[test]
fn no_law_is_without_a_component_that_breaks_it() {
    let faults = [GENERATORS, INCIDENT_MODELS, VALIDATORS].concat();
    let broken = faults.iter().map(|(_, laws)| *laws).chain(BROKEN.iter().map(|(.., laws)| *laws));
    let broken = broken.chain(ALTERED.iter().map(|(.., laws)| *laws));
    let seen: BTreeSet<&str> = broken.flatten().map(|name| law(name)).collect();
    let honest = ["hostile", "hostile-incidents", "hostile-validator"].map(|name| {
        let report = checked(&ENGINE, name, &guest(name).unwrap(), json!({}));
        assert!(report.passed(), "{:#?}", report.checks);
        report
    });
    let looked_at: BTreeSet<&str> =
        honest.iter().flat_map(|report| &report.checks).map(|check| law(&check.name)).collect();
    assert_eq!(seen, looked_at);
}

/// A fault that no case asks for proves nothing.
#[test]
fn each_fault_of_the_guests_is_asked_for() {
    for (name, faults) in [("hostile-incidents", INCIDENT_MODELS), ("hostile-validator", VALIDATORS)] {
        let plugin = ENGINE.load(name, &guest(name).unwrap()).unwrap();
        let mut there = BTreeSet::new();
        constants(&plugin.descriptor().config_schema, &mut there);
        let asked = faults.iter().map(|(fault, _)| *fault);
        let altered = ALTERED.iter().filter_map(|(of, _, to, _)| {
            (*of == name).then(|| to.strip_prefix("\"fault\":\"")?.strip_suffix('"')).flatten()
        });
        let asked: BTreeSet<String> = asked.chain(altered).chain(["none"]).map(str::to_owned).collect();
        assert_eq!(asked, there, "{name}");
    }
}

/// The constants of a schema.
fn constants(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            found.extend(fields.get("const").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| constants(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| constants(value, found)),
        _ => {}
    }
}
