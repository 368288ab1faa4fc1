//! Compression metrics on their way to training: cleaned as the document's pandas code cleans them, and good enough to learn from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use telemill_tests::repository;

use crate::program::Place;
use crate::python::{environment, run};

/// What the worked example needs; its `requirements.txt` says the same.
pub(crate) fn python() -> PathBuf {
    let requirements = repository().join("plugins/transfer-compression/selector/requirements.txt");
    let requirements = fs::read_to_string(requirements).unwrap();
    let packages: Vec<&str> = requirements.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    environment("selector", &packages).unwrap()
}

/// Some days of transfers, with the generator's configuration changed.
fn transfers(days: u32, sets: &[&str]) -> Place {
    let place = Place::new();
    let duration = format!("{days}d");
    let mut words = vec!["run", "start", "transfer-compression", "--quiet", "--json", "--duration", duration.as_str()];
    sets.iter().for_each(|set| words.extend(["--set", *set]));
    // Rows that lack values fail the rules of the scenario, which is what they are for.
    let told = place.ask(words);
    assert!(matches!(told.code, Some(0 | 1)), "{}", told.err);
    place
}

#[test]
fn the_recipe_cleans_as_pandas_does() {
    let place =
        transfers(10, &["transfer-compression.missing_share=0.02", "transfer-compression.duplicate_share=0.03"]);
    let export = |dataset: &str, folder: &str| {
        place.good(["export", dataset, "--profile", "transfer-compression/csv", "--output-dir", folder]);
        let entries = fs::read_dir(place.path().join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().path()).next().unwrap()
    };
    let dirty = export("transfer_compression", "dirty");
    let told = place.json([
        "clean",
        "transfer_compression",
        "--recipe",
        "transfer-compression/document",
        "-o",
        "tidy",
        "--json",
    ]);
    let ours = export("tidy", "tidy");
    let theirs = place.path().join("pandas.csv");
    let script = repository().join("tests/python/clean_reference.py");
    let left = run(Command::new(python()).arg(script).arg(&dirty).arg(&theirs)).unwrap();
    let left: Value = serde_json::from_str(&left).unwrap();
    let steps = told["steps"].as_array().unwrap();
    for step in steps {
        if let Some(rows) = left.get(step["name"].as_str().unwrap()) {
            assert_eq!(&step["rows_out"], rows, "{step}: {left}");
        }
    }
    assert!(left["data_size_bytes"].as_u64() < left["read"].as_u64(), "there was something to clean: {left}");
    // The same rows, by what no step changes: places, nodes, and a round trip that no row lacks in the end.
    let keys = |csv: &Path| {
        let text = fs::read_to_string(csv).unwrap();
        let row = |line: &str| {
            let cells: Vec<&str> = line.split(',').collect();
            let round_trip: f64 = cells[10].parse().unwrap();
            format!("{} {round_trip}", cells[1..6].join(" "))
        };
        let mut rows: Vec<String> = text.lines().skip(1).map(row).collect();
        rows.sort();
        rows
    };
    assert_eq!(keys(&ours), keys(&theirs));
}

/// What the worked example says of transfers that were selected in one of two ways.
fn trained(selection: &str) -> Value {
    let set = format!("transfer-compression.selection=\"{selection}\"");
    let place = transfers(30, &[&set]);
    place.good(["export", "transfer_compression", "--profile", "transfer-compression/parquet", "--output-dir", "out"]);
    let parquet = fs::read_dir(place.path().join("out")).unwrap().next().unwrap().unwrap().path();
    let script = repository().join("plugins/transfer-compression/selector/train.py");
    let told = run(Command::new(python()).arg(script).arg(parquet)).unwrap();
    serde_json::from_str(&told).unwrap()
}

#[test]
fn a_selector_halves_the_regret_and_learns_nothing_from_chance() {
    let (policy, random) = (trained("policy"), trained("random"));
    println!("{policy:#}\n{random:#}");
    let number = |told: &Value, name: &str| told[name].as_f64().unwrap_or_else(|| panic!("{name} in {told:#}"));
    assert!(number(&policy, "regret_ratio") <= 0.5, "{policy:#}");
    let chance = |told: &Value| (number(told, "label_auc") - 0.5).abs();
    assert!(chance(&policy) > 0.1, "who selects by cost can be foretold: {policy:#}");
    assert!(chance(&random) < 0.05, "nobody foretells a die: {random:#}");
}
