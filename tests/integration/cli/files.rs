//! `generate`: the example system's files without a lake.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::documents;
use crate::program::Place;

const SIX: [&str; 6] = [
    "normal_data.ndjson",
    "incident_data.ndjson",
    "recovery_data.ndjson",
    "all_data.ndjson",
    "mapping.json",
    "config.json",
];

fn names(place: &Place, folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(place.path().join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn generate_writes_the_files_of_the_example() {
    let place = Place::new();
    let words = "generate ecommerce --days 1 --incidents-per-day 2 --base-tps 2 --output-dir out --json";
    let answer = place.ask(words.split(' ')).with_code(0);
    assert!(answer.err.contains("about") && answer.err.contains("rows"), "the size is announced: {}", answer.err);
    let told: Value = serde_json::from_str(&answer.out).unwrap();
    let read = |name: &str| fs::read_to_string(place.path().join("out").join(name)).unwrap();
    let written = names(&place, "out");
    for name in SIX {
        assert!(written.contains(name), "{name} is missing among {written:?}");
    }
    assert!(written.contains("infrastructure_metrics.ndjson"), "metrics have files of their own: {written:?}");
    for file in told["files"].as_array().unwrap() {
        let name = file["name"].as_str().unwrap();
        assert_eq!(file["bytes"], read(name).len(), "{name}");
    }

    let mapping: Value = serde_json::from_str(&read("mapping.json")).unwrap();
    let mapped = mapping["mappings"]["properties"].as_object().unwrap();
    assert_eq!(mapped["@timestamp"]["type"], "date");
    let mut ids = BTreeSet::new();
    for phase in ["normal", "incident", "recovery"] {
        let rows = documents(&read(&format!("{phase}_data.ndjson")));
        assert!(!rows.is_empty(), "no row of phase {phase}");
        for (action, document) in rows {
            assert_eq!(action["index"]["_index"], "ecommerce_performance_demo");
            assert_eq!(document["phase"], phase);
            assert!(document["@timestamp"].as_str().unwrap().starts_with("2026-11-09T"), "{document}");
            assert!(document.as_object().unwrap().keys().all(|key| mapped.contains_key(key)), "{document}");
            assert!(document.get("incident_id").is_none(), "documents do not show the truth: {document}");
            assert!(ids.insert(action["index"]["_id"].as_str().unwrap().to_owned()), "{action} comes twice");
        }
    }
    let all: Vec<_> = documents(&read("all_data.ndjson"));
    let all: BTreeSet<_> = all.iter().map(|(action, _)| action["index"]["_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, all, "normal, incident and recovery are all there is");
    // About 2.3 transactions per second over the day at a base of 2.
    assert!((120_000..360_000).contains(&all.len()), "{} documents", all.len());

    // The truth is told beside the documents, and its tables belong together.
    let incidents = documents(&read("incidents.ndjson"));
    let known: BTreeSet<_> = incidents.iter().map(|(_, row)| row["incident_id"].as_str().unwrap()).collect();
    assert!(known.len() >= 2, "{known:?}");
    let effects = documents(&read("incident_effects.ndjson"));
    assert!(!effects.is_empty());
    assert!(effects.iter().all(|(_, row)| known.contains(row["incident_id"].as_str().unwrap())));

    let config: Value = serde_json::from_str(&read("config.json")).unwrap();
    assert_eq!(config["generator_config"]["base_tps"], 2);
    assert_eq!(config["seed"], config["spec"]["seed"], "the scenario fixes it");
    assert_eq!(config["spec"]["incident_models"][0]["config"]["incidents_per_day"], 2);
}

#[test]
fn generate_makes_the_same_files_again() {
    let place = Place::new();
    for folder in ["one", "two"] {
        place.good(["generate", "ecommerce", "--duration", "10m", "--seed", "5", "--quiet", "--output-dir", folder]);
    }
    place.good(["generate", "ecommerce", "--duration", "10m", "--seed", "6", "--quiet", "--output-dir", "three"]);
    let read = |folder: &str, name: &str| fs::read(place.path().join(folder).join(name)).unwrap();
    assert_eq!(names(&place, "one"), names(&place, "two"));
    for name in names(&place, "one") {
        assert_eq!(read("one", &name), read("two", &name), "{name}");
    }
    assert_ne!(read("one", "all_data.ndjson"), read("three", "all_data.ndjson"));
    assert!(!place.data().join("telemill.sqlite").exists(), "it needs no lake and makes none");
}

#[test]
fn generate_takes_settings_of_plugins_by_name_and_the_mapping_alone() {
    let place = Place::new();
    place.good(["generate", "ecommerce", "--create-mapping-only", "--output-dir", "maps", "--index", "shop"]);
    let written = names(&place, "maps");
    assert!(written.contains("mapping.json"), "{written:?}");
    assert!(written.iter().all(|name| name.ends_with("mapping.json")), "{written:?}");
    let mapping: Value = serde_json::from_slice(&fs::read(place.path().join("maps/mapping.json")).unwrap()).unwrap();
    assert_eq!(mapping["mappings"]["_meta"]["index"], "shop");

    let minute = ["generate", "ecommerce", "--duration", "1m", "--quiet", "--json", "--output-dir", "out"];
    let rows = |more: &[&str]| {
        let told = place.json(minute.into_iter().chain(more.iter().copied()));
        let all = told["files"].as_array().unwrap().iter().find(|file| file["name"] == "all_data.ndjson").unwrap();
        all["rows"].as_u64().unwrap()
    };
    let (flag, set) = (rows(&["--base-tps", "200"]), rows(&["--set", "ecommerce.base_tps=200"]));
    assert_eq!(flag, set);
    assert!(flag > 3 * rows(&[]), "{flag}");
    // The user's own file, as the example system has it.
    let own = json!({ "errors": [{ "type": "OUT_OF_COFFEE", "message": "there is no coffee" }] });
    place.file("own.json", own.to_string());
    rows(&["--error-templates", "own.json", "--base-tps", "500"]);
    let made = fs::read_to_string(place.path().join("out/all_data.ndjson")).unwrap();
    let errors: Vec<_> = documents(&made).into_iter().filter(|(_, row)| row["status"] == "error").collect();
    assert!(errors.iter().any(|(_, row)| row["error_type"] == "OUT_OF_COFFEE"), "{errors:?}");
    assert!(
        errors
            .iter()
            .all(|(_, row)| row["error_type"] != "OUT_OF_COFFEE" || row["error_message"] == "there is no coffee")
    );
    place.file("own.json", json!({ "faults": [] }).to_string());
    place.ask(minute.into_iter().chain(["--error-templates", "own.json"])).refused(&["error_templates"]);
}
