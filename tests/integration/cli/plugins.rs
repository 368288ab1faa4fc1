//! `plugin` and `doctor`: the components that ship keep the contract, others are told where they break it.

use std::fs;

use serde_json::{Value, json};
use telemill_tests::guest;

use crate::program::{Place, answer, program};

const SHIPPED: [(&str, &str); 4] = [
    ("ecommerce", "generator"),
    ("service-incidents", "incident-model"),
    ("service-levels", "validator"),
    ("table-rules", "validator"),
];

#[test]
fn shipped_plugins_are_listed_and_inspected() {
    let place = Place::new();
    let list = place.json(["plugin", "list", "--json"]);
    let text = place.good(["plugin", "list"]);
    for (name, kind) in SHIPPED {
        let listed = list.as_array().unwrap().iter().find(|listed| listed["descriptor"]["name"] == name).unwrap();
        assert_eq!(listed["kind"], kind);
        assert!(text.lines().any(|line| line.starts_with(name)), "{text}");
        let inspected = place.json(["plugin", "inspect", name, "--json"]);
        assert_eq!(inspected["digest"], listed["digest"]);
        let schema = place.json(["plugin", "inspect", name, "--schema"]);
        assert_eq!(schema, inspected["descriptor"]["config_schema"]);
        let people = place.good(["plugin", "inspect", name]);
        for key in schema["properties"].as_object().unwrap().keys() {
            assert!(people.contains(key), "{key} is missing in {people}");
        }
        // The same component by its digest.
        let digest = format!("sha256:{}", listed["digest"].as_str().unwrap());
        assert_eq!(place.json(["plugin", "inspect", &digest, "--json"])["digest"], listed["digest"]);
    }
}

#[test]
fn shipped_plugins_keep_the_contract() {
    let place = Place::new();
    for (name, _) in SHIPPED {
        let report = place.json(["plugin", "test", name, "--json"]);
        let checks = report["checks"].as_array().unwrap();
        assert!(checks.len() > 8, "{report}");
        // The services of a shop wait for each other, so no field of it says whose its rows are.
        let held = |check: &&Value| check["name"] != "effects leave rows of other targets alone";
        assert!(checks.iter().filter(held).all(|check| check["outcome"] == "passed"), "{report}");
        if report["kind"] == "generator" {
            let tried = &report["effects"];
            assert!(tried["fields_held"].as_u64().unwrap() >= 8 && tried["alone"].as_u64().unwrap() > 0, "{tried}");
            assert_eq!(tried["signals_not_tried"], json!([]), "{tried}");
        }
    }
}

#[test]
fn a_plugin_that_breaks_the_contract_fails_with_the_reason() {
    let place = Place::new();
    place.file("hostile.wasm", guest("hostile").unwrap());
    place.file("config.json", json!({ "fault": "depends-on-partition" }).to_string());
    place.good(["plugin", "test", "hostile.wasm"]);
    let answer = place.ask(["plugin", "test", "hostile.wasm", "--config", "config.json"]).with_code(1);
    assert!(answer.out.contains("FAILED") && answer.out.contains("partitions"), "{}", answer.out);
    assert!(answer.out.trim_end().ends_with("the plugin breaks the contract"), "{}", answer.out);
}

#[test]
fn effects_that_reach_other_targets_are_listed() {
    let place = Place::new();
    place.file("hostile.wasm", guest("hostile").unwrap());
    place.file("config.json", json!({ "fault": "leaks-undeclared" }).to_string());
    let words = ["plugin", "test", "hostile.wasm", "--config", "config.json"];
    let told = place.good(words);
    assert!(told.contains("rows of other targets, which may be meant:\n  value on meter-0: "), "{told}");
    assert!(told.contains(" rows of one other\n"), "{told}");
    let reached = place.json(words.into_iter().chain(["--json"]))["effects"]["reaches_others"].take();
    assert_eq!((&reached[0]["target"], &reached[0]["targets"]), (&json!("meter-0"), &json!(1)), "{reached}");
}

#[test]
fn doctor_looks_and_changes_nothing() {
    let place = Place::new();
    let findings = place.json(["doctor", "--json"]);
    let whats: Vec<_> = findings.as_array().unwrap().iter().map(|finding| finding["what"].as_str().unwrap()).collect();
    assert_eq!(whats, ["settings", "plugins", "space", "lock", "catalog", "rust target"]);

    // A folder that nothing has used stays as it is.
    let empty = place.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let looked = answer(program(place.path()).arg("--data-dir").arg(&empty).arg("doctor").output().unwrap());
    // Nothing was compiled for it, which takes a while, so that it is told.
    assert!(looked.err.contains("compiling ecommerce"), "{}", looked.err);
    assert!(looked.with_code(0).out.contains("can be used"));
    assert_eq!(fs::read_dir(&empty).unwrap().count(), 0);
}

#[test]
fn a_damaged_catalog_is_named_with_what_to_do() {
    let place = Place::new();
    place.file("data/telemill.sqlite", "this is no database");
    let answer = place.ask(["doctor"]).with_code(1);
    let line = answer.out.lines().find(|line| line.starts_with("BAD   catalog")).unwrap();
    for part in ["telemill.sqlite is damaged", "from a copy"] {
        assert!(line.contains(part), "{part:?} is missing in {line}");
    }
    assert_eq!(line.matches("not a database").count(), 1, "{line}");
    assert!(!line.contains("the version that made it"), "{line}");
    place.ask(["run", "start", "ecommerce"]).refused(&["telemill.sqlite is damaged", "telemill doctor"]);
}

#[test]
fn a_limit_that_plugins_do_not_fit_into_is_told_to_be_raised() {
    let place = Place::new();
    fs::remove_dir_all(place.data()).unwrap();
    let answer = place.ask(["--setting", "limits.memory_bytes=65536", "doctor"]).with_code(1);
    let line = answer.out.lines().find(|line| line.starts_with("BAD   plugins")).unwrap();
    assert!(line.contains("memory_bytes = 65536") && line.contains("raise limits.memory_bytes"), "{line}");
    assert!(!place.data().exists(), "looking makes no folder");
}

/// Components are compiled once, and somebody waits for it.
#[test]
fn compiling_is_told_once() {
    let place = Place::new();
    fs::remove_dir_all(place.data()).unwrap();
    let inspect = ["plugin", "inspect", "table-rules", "--json"];
    let first = place.ask(inspect).with_code(0);
    assert!(first.err.contains("compiling table-rules, once for this data folder"), "{}", first.err);
    serde_json::from_str::<Value>(&first.out).unwrap();
    assert_eq!(place.ask(inspect).with_code(0).err, "");
    fs::remove_dir_all(place.data()).unwrap();
    // Options of plugins are looked up before the command line is read, and tell it as well.
    let help = ["validate", "shop", "--with", "table-rules", "--help"];
    assert!(place.ask(help).with_code(0).err.contains("compiling table-rules"));
    fs::remove_dir_all(place.data()).unwrap();
    assert_eq!(place.ask(help.into_iter().chain(["--quiet"])).with_code(0).err, "");
}
