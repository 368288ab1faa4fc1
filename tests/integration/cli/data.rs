//! Rows out of the lake and into it again, and windows that are looked at without one.

use std::process::Stdio;

use serde_json::Value;

use super::{documents, shop};
use crate::program::{Place, answer};

/// The rows of a table as sorted lines of CSV.
fn lines(place: &Place, table: &str, columns: &[&str]) -> Vec<String> {
    let columns = columns.join(",");
    let text = place.good(["export", table, "--format", "csv", "--columns", &columns]);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

fn columns(place: &Place, dataset: &str, table: &str) -> Vec<String> {
    let shown = place.json(["dataset", "show", dataset, "--json"]);
    let tables = shown["tables"].as_array().unwrap();
    let found = tables.iter().find(|shown| shown["table"]["name"] == table).unwrap();
    let fields = found["table"]["fields"].as_array().unwrap();
    fields.iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect()
}

/// The tables of the shop with their times.
const TABLES: [(&str, &str); 4] = [
    ("transactions", "timestamp"),
    ("infrastructure_metrics", "timestamp"),
    ("incidents", "start_time"),
    ("incident_effects", "start_time"),
];

#[test]
fn every_export_can_be_taken_in_again() {
    let place = shop();
    for (format, extension) in [("csv", "csv"), ("ndjson", "ndjson"), ("parquet", "parquet"), ("opensearch", "ndjson")]
    {
        let folder = format!("out-{format}");
        place.good(["export", "shop", "--format", format, "--output-dir", &folder]);
        for (table, time) in TABLES {
            // Documents have one name for every time, and do not say who is to blame.
            let documents = format == "opensearch";
            let again = format!("again.{table}_{format}");
            let file = format!("{folder}/{table}.{extension}");
            let time = if documents { "timestamp" } else { time };
            let taken = place.json(["ingest", &again, &file, "--time-field", time, "--json"]);
            assert_eq!(taken["created"], true);
            if documents && table.starts_with("incident") {
                // Columns without a value are in no document of so few.
                continue;
            }
            let mut names = columns(&place, "shop", table);
            names.retain(|name| !documents || name != "incident_id");
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let original = lines(&place, &format!("shop.{table}"), &names);
            assert_eq!(taken["rows"], original.len() - 1, "{again}");
            assert_eq!(original.len() > 1000, !table.starts_with("incident"), "{table} has {}", original.len());
            let found = lines(&place, &again, &names);
            let different = original.iter().zip(&found).find(|(a, b)| a != b);
            assert!(original.len() == found.len() && different.is_none(), "{again}: {different:?}");
        }
    }
    let labels = |table: &str| columns(&place, "again", table).contains(&"incident_id".to_owned());
    assert!(labels("transactions_ndjson") && !labels("transactions_opensearch"));
    assert!(labels("incidents_opensearch") && labels("incident_effects_opensearch"), "the truth keeps its ids");
}

#[test]
fn exports_are_cut_by_time_and_columns() {
    let place = shop();
    let (from, to) = ("2026-11-09T15:26:00Z", "2026-11-09T15:27:00Z");
    let words =
        ["export", "shop.transactions", "--from", from, "--to", to, "--ordered", "--columns", "timestamp,status"];
    let text = place.good(words.into_iter().chain(["--format", "csv"]));
    let mut rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows.remove(0), "timestamp,status");
    assert!(rows.is_sorted_by_key(|row| row.split(',').next()), "--ordered sorts by time");
    assert!(rows.iter().all(|row| row.starts_with("2026-11-09T15:26:")));
    let counted = place.sql(&format!(
        "SELECT count(*) AS rows FROM shop.transactions WHERE timestamp >= '{from}' AND timestamp < '{to}'"
    ));
    assert_eq!(counted[0]["rows"], rows.len());
    assert!(!rows.is_empty());

    let bulk = documents(&place.good(words.into_iter().chain(["--format", "opensearch", "--index", "mine"])));
    assert_eq!(bulk.len(), rows.len());
    for (action, document) in bulk {
        assert_eq!(action["index"]["_index"], "mine");
        assert_eq!(document.as_object().unwrap().keys().collect::<Vec<_>>(), ["@timestamp", "status"]);
    }
    for (words, part) in [
        (["export", "shop.transactions", "--format", "csv", "--columns", "colour"].as_slice(), "colour"),
        (&["export", "shop.colours", "--format", "csv"], "colours"),
        (&["export", "nowhere", "--format", "csv"], "nowhere"),
        (&["export", "shop", "--format", "csv"], "--output-dir"),
        (&["export", "shop.transactions", "--format", "xml"], "xml"),
    ] {
        place.ask(words.iter().copied()).refused(&[part]);
    }
}

/// As `head` does.
#[test]
fn a_reader_that_closes_the_pipe_early_is_no_error() {
    let place = shop();
    let rows = "SELECT * FROM shop.transactions LIMIT 100000";
    for words in [
        ["sql", rows].as_slice(),
        &["sql", rows, "--format", "csv"],
        &["sql", rows, "--format", "ndjson"],
        &["sql", rows, "--json"],
        &["export", "shop.transactions", "--format", "csv"],
        &["export", "shop.transactions", "--format", "ndjson"],
        &["preview", "spec.toml", "--for", "1m"],
        &["run", "show"],
        &["plugin", "inspect", "ecommerce", "--json"],
        &["completions", "zsh"],
    ] {
        let mut child =
            place.command(words.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = answer(child.wait_with_output().unwrap());
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{words:?}");
    }
}

#[test]
fn bad_rows_are_listed_by_line_and_nothing_is_taken_in() {
    let place = Place::new();
    place.file("good.csv", "time,name,count\n2026-01-01T00:00:00Z,a,1\n2026-01-01T00:00:01Z,b,2\n");
    place.good(["ingest", "mine.rows", "good.csv", "--time-field", "time"]);
    let count = || place.sql("SELECT count(*) AS rows FROM mine.rows")[0]["rows"].clone();
    assert_eq!(count(), 2);

    let csv =
        "time,name,count\n2026-01-01T00:00:02Z,c,3\nsoon,d,4\n2026-01-01T00:00:04Z,e,many\n2026-01-01T00:00:05Z,f\n";
    place.file("bad.csv", csv);
    let good = r#"{"time": "2026-01-01T00:00:02Z", "name": "c", "count": 3}"#;
    place.file(
        "bad.ndjson",
        format!("{good}\n{}\n{}\nno json\n", good.replace("3}", "\"x\"}"), good.replace("2026-", "")),
    );
    for (file, bad) in [("bad.csv", [3, 4, 5]), ("bad.ndjson", [2, 3, 4])] {
        let text = place.ask(["ingest", "mine.rows", file]).with_code(1).out;
        assert!(text.starts_with("nothing was taken in: 3 bad rows"), "{text}");
        let told = place.json_with_code(1, ["ingest", "mine.rows", file, "--json"]);
        assert_eq!((&told["rows"], &told["bad_rows"]), (&0.into(), &3.into()));
        let places: Vec<_> = told["first"].as_array().unwrap().iter().map(|bad| bad["path"].clone()).collect();
        assert_eq!(places, bad.map(|line| Value::from(format!("line {line}"))), "{told}");
        assert_eq!(count(), 2, "all or nothing");
    }
    place.ask(["ingest", "mine.rows", "nowhere.csv"]).refused(&["nowhere.csv"]);
    place.ask(["ingest", "rows", "good.csv"]).refused(&["DATASET.TABLE"]);
    place.good(["ingest", "mine.rows", "good.csv"]);
    assert_eq!(count(), 4);
}

#[test]
fn datasets_are_listed_shown_and_dropped() {
    let place = shop();
    let list = place.json(["dataset", "list", "--json"]);
    assert_eq!((list.as_array().unwrap().len(), &list[0]["name"], &list[0]["tables"]), (1, &"shop".into(), &4.into()));
    let text = place.good(["dataset", "show", "shop"]);
    for part in ["transactions:", "infrastructure_metrics:", "incidents:", "incident_effects:", "response_time_ms"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let shown = place.json(["dataset", "show", "shop", "--distinct", "--json"]);
    let tables = shown["tables"].as_array().unwrap();
    let transactions = tables.iter().find(|table| table["table"]["name"] == "transactions").unwrap();
    let status = transactions["columns"].as_array().unwrap().iter().find(|column| column["name"] == "status").unwrap();
    assert_eq!((&status["distinct"], &status["nulls"]), (&2.into(), &0.into()));

    place.ask(["dataset", "drop", "shop"]).refused(&["--yes"]);
    place.ask(["dataset", "show", "nowhere"]).refused(&["nowhere"]);
    place.good(["dataset", "drop", "shop", "--yes"]);
    assert_eq!(place.json(["dataset", "list", "--json"]), Value::Array(Vec::new()));
    place.ask(["dataset", "drop", "shop", "--yes"]).refused(&["shop"]);
    place.ask(["sql", "SELECT * FROM shop.transactions"]).refused(&["shop"]);
    // The place is free again.
    place.good(["run", "start", "spec.toml", "--quiet"]);
    assert_eq!(place.runs().len(), 2);
}

#[test]
fn a_preview_shows_the_rows_of_the_run() {
    let place = shop();
    for (table, key, from, length, to) in [
        ("transactions", "transaction_id", "2026-11-09T15:27:10Z", "20s", "2026-11-09T15:27:30Z"),
        ("transactions", "transaction_id", "2026-11-09T15:15:00Z", "1s", "2026-11-09T15:15:01Z"),
        ("infrastructure_metrics", "timestamp, host", "2026-11-09T15:44:00Z", "1m", "2026-11-09T15:45:00Z"),
    ] {
        let words =
            ["preview", "spec.toml", "--at", from, "--for", length, "--table", table, "--limit", "100000", "--json"];
        let seen = place.json(words);
        assert_eq!(seen.as_object().unwrap().keys().collect::<Vec<_>>(), [table]);
        let made = place.sql(&format!(
            "SELECT * FROM shop.{table} WHERE timestamp >= '{from}' AND timestamp < '{to}' ORDER BY {key}"
        ));
        let mut rows = seen[table]["first"].as_array().unwrap().clone();
        let place_of = |row: &Value| key.split(", ").map(|key| row[key].to_string()).collect::<Vec<_>>();
        rows.sort_by_key(place_of);
        assert!(!made.is_empty());
        assert_eq!(seen[table]["rows"], made.len());
        assert_eq!(rows, made);
    }
}
