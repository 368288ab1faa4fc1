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

#[test]
fn heavy_tails_are_kept_and_nothing_is_missing() {
    let place = transfers(5, &["transfer-compression.missing_share=0.02", "transfer-compression.duplicate_share=0.03"]);
    let recipe = ["--recipe", "transfer-compression/heavy-tailed", "-o", "heavy", "--json"];
    let told = place.json(["clean", "transfer_compression"].into_iter().chain(recipe));
    let steps = told["steps"].as_array().unwrap();
    let after = |name: &str| {
        let step = steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no {name} in {told:#}"));
        step["rows_out"].as_f64().unwrap()
    };
    let rows = |dataset: &str, of: &str| {
        let rows = place.sql(&format!("SELECT count(*) AS rows FROM (SELECT {of} FROM {dataset}.compression_metrics)"));
        rows[0]["rows"].as_f64().unwrap()
    };
    let (dirty, distinct) = (rows("transfer_compression", "*"), rows("transfer_compression", "DISTINCT *"));
    assert!(distinct < dirty && after("duplicates") == distinct, "{distinct} of {dirty}: {told:#}");
    let kept = after("outliers") / distinct;
    assert!((0.93..1.0).contains(&kept), "{kept}: few are outliers on logarithms");
    assert_eq!(rows("heavy", "*"), after("medians"));
    let missing = "sum(CASE WHEN rtt_ms + data_size_bytes + hde_compression_ratio + amst_streams + cpu_usage IS NULL THEN 1 ELSE 0 END)";
    let missing = |dataset: &str| {
        place.sql(&format!("SELECT {missing} AS rows FROM {dataset}.compression_metrics"))[0]["rows"].as_u64()
    };
    assert!(missing("transfer_compression") > Some(0) && missing("heavy") == Some(0));
}

#[test]
fn the_oracle_is_never_beaten_and_points_come_back() {
    let place = transfers(3, &[]);
    place.good(["clean", "transfer_compression", "--recipe", "transfer-compression/oracle", "-o", "best"]);
    let told = place.sql(
        "SELECT count(*) AS rows, count(DISTINCT oracle) AS kinds, min(regret_ms) AS least, max(regret_ms) AS most, \
         max(oracle_time_ms - least(hde_total_ms, amst_total_ms, baseline_total_ms)) AS beyond, \
         quantile(abs(oracle_time_ms + regret_ms - actual_transfer_time_ms) / actual_transfer_time_ms, 0.5) AS wrong \
         FROM best.compression_metrics",
    );
    let number = |name: &str| told[0][name].as_f64().unwrap_or_else(|| panic!("{name} in {told:?}"));
    assert!(number("rows") > 10_000.0 && number("kinds") == 3.0, "{told:?}");
    assert!(number("least") == 0.0 && number("most") > 0.0 && number("beyond") == 0.0, "{told:?}");
    assert!(number("wrong") < 0.01, "what was selected took as long as the oracle says: {told:?}");

    // The document's points have other names for two columns, there and back.
    place.good(["export", "transfer_compression", "--profile", "transfer-compression/influx", "--output-dir", "lines"]);
    let lines = fs::read_to_string(place.path().join("lines/compression_metrics.lp")).unwrap();
    let first = lines.lines().next().unwrap();
    assert!(first.starts_with("compression_metrics,region=") && first.contains(",bandwidth_mbps="), "{first}");
    let words = ["lines/compression_metrics.lp", "--profile", "transfer-compression/influx"];
    place.good(["ingest", "back.compression_metrics"].into_iter().chain(words));
    let sums = |dataset: &str| {
        place.sql(&format!(
            "SELECT count(*) AS rows, min(timestamp) AS first, sum(data_size_bytes) AS bytes, count(DISTINCT az) AS zones, \
             round(sum(available_bandwidth_mbps), 3) AS bandwidth, round(sum(compressibility_score), 3) AS score \
             FROM {dataset}.compression_metrics"
        ))
    };
    assert_eq!(sums("back"), sums("transfer_compression"));
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
