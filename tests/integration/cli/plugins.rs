//! `plugin` and `doctor`: the components that ship keep the contract, others are told where they break it.

use serde_json::{Value, json};
use telemill_tests::guest;

use crate::program::Place;

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
        assert!(checks.iter().all(|check| check["outcome"] == "passed"), "{report}");
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
fn doctor_looks_and_changes_nothing() {
    let place = Place::new();
    let empty = place.path().join("nothing");
    let found: Value = {
        let answer = place.ask(["--data-dir", empty.to_str().unwrap(), "doctor", "--json"]);
        serde_json::from_str(&answer.out).unwrap_or_default()
    };
    drop(found);
    let findings = place.json(["doctor", "--json"]);
    let whats: Vec<_> = findings.as_array().unwrap().iter().map(|finding| finding["what"].as_str().unwrap()).collect();
    assert_eq!(whats, ["settings", "plugins", "space", "lock", "catalog", "rust target"]);
    place.file("data/telemill.sqlite", "this is no database");
    let answer = place.ask(["doctor"]).with_code(1);
    assert!(answer.out.contains("BAD   catalog"), "{}", answer.out);
}
