//! Every scenario that ships, shortened: it runs, its validators pass, and its rows do not depend on how they are made. The shop's
//! week has a test of its own.

use std::fs;

use serde_json::Value;
use telemill_tests::repository;

use crate::program::Place;

/// Plugins with a scenario, and how much of it is run: enough for the validators to have something to judge.
const SCENARIOS: [(&str, &str); 5] = [
    ("pos-estate", "3h"),
    ("device-fleet", "6h"),
    ("transfer-compression", "10d"),
    ("user-workloads", "4h"),
    ("declarative", "1d"),
];

fn run(place: &Place, name: &str, more: &[&str]) -> Value {
    place.json(["run", "start", name, "--json", "--quiet"].into_iter().chain(more.iter().copied()))
}

#[test]
fn every_scenario_passes_and_has_the_same_rows_in_other_parts() {
    for (name, duration) in SCENARIOS {
        let place = Place::new();
        let told = run(&place, name, &["--duration", duration]);
        assert_eq!(told["passed"], true, "{name}: {told:#}");
        let record = &told["run"];
        let rows: u64 = record["tables"].as_array().unwrap().iter().map(|table| table["rows"].as_u64().unwrap()).sum();
        assert!(rows > 1_000, "{name}: {rows} rows");
        let again = ["--duration", duration, "--dataset", "again", "--partitions", "3", "--workers", "1"];
        let again = run(&place, name, &again);
        assert_eq!(again["run"]["fingerprint"], record["fingerprint"], "{name}");
    }
}

#[test]
fn every_scenario_of_the_repository_is_tried() {
    let mut there_are: Vec<String> = fs::read_dir(repository().join("plugins"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("scenario.toml").is_file())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    there_are.sort();
    let mut tried: Vec<&str> = SCENARIOS.iter().map(|(name, _)| *name).chain(["ecommerce"]).collect();
    tried.sort_unstable();
    assert_eq!(there_are, tried);
}

#[test]
fn every_scenario_becomes_files_without_a_lake() {
    for (name, _) in SCENARIOS {
        let place = Place::new();
        let told = place.json(["generate", name, "--duration", "1h", "--output-dir", "out", "--json"]);
        let files = told["files"].as_array().unwrap();
        assert!(files.iter().any(|file| file["rows"].as_u64() > Some(10)), "{name}: {told:#}");
        for file in files {
            let path = place.path().join("out").join(file["name"].as_str().unwrap());
            assert!(path.is_file(), "{name}: {} is missing", path.display());
        }
        assert_eq!(place.ask(["dataset", "list"]).code, Some(2), "{name}: no lake was made");
    }
}

/// What a validator must say where rows are spoilt: a table that is taken in again with other values.
#[test]
fn validators_find_what_was_spoilt() {
    let place = Place::new();
    run(&place, "user-workloads", &["--duration", "1h"]);
    place.good(["export", "user_workloads.user_metrics", "--format", "csv", "--output-dir", "out"]);
    let csv = fs::read_to_string(place.path().join("out/user_metrics.csv")).unwrap();
    // Everybody sleeps, whatever the processors do.
    let spoilt = csv.replace("cpu_bound", "idle").replace("io_bound", "idle");
    place.file("spoilt.csv", spoilt);
    place.good(["ingest", "spoilt.user_metrics", "spoilt.csv", "--time-field", "time"]);
    let judge = |dataset: &str, code| {
        let words = ["validate", dataset, "--with", "phase-signatures", "--json"];
        place.json_with_code(code, words)
    };
    judge("user_workloads", 0);
    let told = judge("spoilt", 1);
    assert!(told.to_string().contains("idle"), "{told:#}");
}

#[test]
fn people_get_the_files_of_the_document() {
    let place = Place::new();
    run(&place, "device-fleet", &["--duration", "1h"]);
    place.good(["export", "device_fleet", "--profile", "device-fleet/devices", "--output-dir", "out"]);
    let csv = fs::read_to_string(place.path().join("out/synthetic_devices.csv")).unwrap();
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some(
            "device_code,acquisition_sequence,branch_id,state,has_error,machine_type,machine_model,supplier,\
             network_address,operating_system,os_version,acquisition_date,last_connection_ts"
        )
    );
    let devices: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(devices.len(), 4_000);
    for device in devices {
        let [code, sequence, branch, .., acquired, seen] = device.as_slice() else { panic!("{device:?}") };
        assert!(["AT", "CC", "PD", "PC"].contains(&&code[..2]) && code.len() == 8, "{code}");
        assert_eq!(**sequence, format!("{branch}{}", acquired.replace('-', "")));
        assert!(["True", "False"].contains(&device[4]), "{device:?}");
        assert_eq!(seen.len(), "2026-11-09 00:00:00".len(), "{seen}");
        assert!(&seen[..10] >= *acquired, "{device:?}: nothing happens before acquisition");
    }

    // Dimensions that a segment lacks are empty texts, never nulls, also after they were a file.
    place.good(["export", "device_fleet", "--profile", "device-fleet/segment_timeseries", "--output-dir", "out"]);
    let words = ["out/segment_timeseries.csv", "--profile", "device-fleet/segment_timeseries"];
    place.good(["ingest", "back.segment_timeseries"].into_iter().chain(words));
    let dimensions = |dataset: &str| {
        place.sql(&format!(
            "SELECT count(*) AS rows, count(dim3_name) AS names, sum(CASE WHEN dim3_value = '' THEN 1 ELSE 0 END) AS empty, \
             sum(\"count\") AS machines FROM {dataset}.segment_timeseries"
        ))
    };
    let there = dimensions("device_fleet");
    assert_eq!(there, dimensions("back"));
    assert!(there[0]["names"] == there[0]["rows"] && there[0]["empty"].as_u64() > Some(0), "{there:?}");

    // Users begin within the first hour.
    run(&place, "user-workloads", &["--duration", "1h"]);
    let profile = "user-workloads/user_data";
    place.good(["export", "user_workloads", "--profile", profile, "--output-dir", "users"]);
    let files = fs::read_dir(place.path().join("users")).unwrap().count();
    assert_eq!(files, 20, "a file for each user");
    let imported = place.json(["import", "user-data", "users", "--json"]);
    assert_eq!(imported["files"], 20);
    let merged = place.json(["user-data", "merge", "--json"]);
    assert_eq!(merged["merged_samples"], imported["samples"]);
}
