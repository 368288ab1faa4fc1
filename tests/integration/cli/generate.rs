//! `telemill generate` as plain files: the rows of a run, without one.

use std::collections::BTreeSet;
use std::fs;

use telemill_tests::repository;

use super::shop;
use crate::program::Place;

const TABLES: [&str; 4] = ["transactions", "infrastructure_metrics", "incidents", "incident_effects"];

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

fn read(place: &Place, path: &str) -> String {
    fs::read_to_string(place.path().join(path)).unwrap()
}

#[test]
fn files_of_a_format_hold_what_a_run_and_its_export_hold() {
    let place = shop();
    for format in ["csv", "ndjson"] {
        let (made, exported) = (format!("made-{format}"), format!("exported-{format}"));
        place.good(["generate", "spec.toml", "--format", format, "--output-dir", &made, "--quiet"]);
        place.good(["export", "shop", "--format", format, "--output-dir", &exported]);
        for table in TABLES {
            let file = format!("{table}.{format}");
            let rows = sorted(&read(&place, &format!("{made}/{file}")));
            assert_eq!(rows, sorted(&read(&place, &format!("{exported}/{file}"))), "{file}");
        }
        let names = fs::read_dir(place.path().join(&made)).unwrap();
        let names: BTreeSet<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        let expected = TABLES.map(|table| format!("{table}.{format}")).into_iter().chain(["config.json".to_owned()]);
        assert_eq!(names, expected.collect());
    }
    place.good(["generate", "spec.toml", "--format", "parquet", "--output-dir", "made", "--quiet"]);
    place.good(["ingest", "again.transactions", "made/transactions.parquet"]);
    assert_eq!(
        place.sql("SELECT count(*) AS n, sum(response_time_ms) AS t FROM again.transactions"),
        place.sql("SELECT count(*) AS n, sum(response_time_ms) AS t FROM shop.transactions")
    );
}

#[test]
fn profiles_shape_what_is_generated() {
    let place = shop();
    let hosts = repository().join("tests/data/hosts-csv.toml").display().to_string();
    let profiles = ["--profile", "ecommerce/calls", "--profile", &hosts];
    let words = ["generate", "spec.toml", "--output-dir", "made", "--json"];
    let told = place.json(words.into_iter().chain(profiles));
    place.good(["export", "shop"].into_iter().chain(profiles).chain(["--output-dir", "exported"]));
    let files: Vec<_> = told["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert!(files.len() > 7 && files.contains(&"calls.csv") && files.contains(&"config.json"), "{files:?}");
    for file in files.iter().filter(|file| **file != "config.json") {
        let rows = |folder: &str| sorted(&read(&place, &format!("{folder}/{file}")));
        assert_eq!(rows("made"), rows("exported"), "{file}");
    }

    let parquet = fs::read_to_string(&hosts).unwrap().replace("\"csv\"", "\"parquet\"");
    place.file("parquet.toml", parquet);
    let generate = ["generate", "spec.toml", "--output-dir", "none", "--profile"];
    place.ask(generate.into_iter().chain(["parquet.toml"])).refused(&["parquet.toml", "file", "export it"]);
    let devices = repository().join("tests/data/devices-csv.toml").display().to_string();
    place.ask(generate.into_iter().chain([devices.as_str()])).refused(&["devices", "transactions"]);
    place.ask(generate.into_iter().chain(["ecommerce/calls", "--format", "csv"])).refused(&["--format"]);
    place.ask(["generate", "spec.toml", "--format", "xml"]).refused(&["xml", "parquet"]);
}

/// A table that tells phases apart makes documents, which is what the example system wrote.
#[test]
fn documents_stay_what_the_shop_writes() {
    let place = shop();
    let made = |folder: &str, more: &[&str]| {
        let words = ["generate", "spec.toml", "--output-dir", folder, "--quiet"];
        place.good(words.into_iter().chain(more.iter().copied()));
        read(&place, &format!("{folder}/all_data.ndjson"))
    };
    assert_eq!(made("left-open", &[]), made("said", &["--format", "opensearch"]));

    // Phases of users' work are none of these.
    for (scenario, tables) in
        [("user-workloads", ["user_metrics"].as_slice()), ("device-fleet", &["devices", "segment_timeseries"])]
    {
        let told = place.json(["generate", scenario, "--duration", "15m", "--output-dir", scenario, "--json"]);
        let files = told["files"].as_array().unwrap();
        for table in tables {
            let rows = files.iter().find(|file| file["name"] == format!("{table}.csv")).unwrap()["rows"].as_u64();
            assert!(rows.unwrap() > 0, "{told}");
        }
    }
}
