//! Clients as they come from PyPI, unmodified: the example system's script, and both of InfluxDB's own.

use crate::program::Place;
use crate::python;
use serde_json::{Value, json};
use std::process::Command;
use telemill_tests::repository;

fn script(name: &str) -> std::path::PathBuf {
    repository().join("tests/python").join(name)
}

#[test]
fn the_script_of_the_example_system_collects_merges_and_counts() {
    let python = python::environment("requests", &["requests==2.34.2"]).unwrap();
    let place = Place::new();
    let served = place.serve([]);
    let out = python::run(Command::new(&python).arg(script("collect_users.py")).arg(&served.url)).unwrap();
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["answers"][0]["samples"], 2);
    assert_eq!(told["answers"][0]["status"], "success");
    assert!(told["answers"][0]["file"].as_str().unwrap().starts_with("user_001_external_"));
    assert_eq!(told["merges"][0]["merged_files"], 2);
    assert_eq!(
        told["merges"][1],
        json!({"status": "success", "merged_files": 0, "merged_samples": 0, "training_samples": 3})
    );
    assert_eq!(told["answers"][2]["merged_to_training"], true);
    assert_eq!(told["wrong"][0], 422);
    let stats = json!({"user_files": 3, "total_user_samples": 4, "users": {
        "user_001": {"files": 2, "samples": 3}, "user_002": {"files": 1, "samples": 1}}});
    assert_eq!(told["stats"], stats);
    let labels = served.sql("SELECT label, count(*) AS n FROM user_data.training_data GROUP BY label ORDER BY label");
    assert_eq!(labels, [json!({"label": "anomaly", "n": 1}), json!({"label": "normal", "n": 3})]);
    // A file as such, twice.
    let csv = "timestamp,cpu_percent,memory_percent,memory_used_gb,disk_read_mb,disk_write_mb,network_sent_mb,network_recv_mb,phase,user_id,source,label\n\
               0.0,85.5,30.2,2.1,5.2,2.1,1.0,0.8,cpu_bound,user_009,web,normal\n";
    let path = "/api/v1/user-data/files/user_009_web_20240101_140000.csv";
    let put = |text: &str| served.send("PUT", path, &[("content-type", "text/csv")], text.as_bytes());
    assert_eq!(put(csv).with_status(200).json()["samples"], 1);
    assert_eq!(put(csv).with_status(200).json()["repeated"], true);
    put(&csv.replace("85.5", "85.6")).with_status(409);
    served.stop().with_code(0);
    assert_eq!(place.json(["user-data", "stats", "--json"])["total_user_samples"], 5);
}

#[test]
fn influx_clients_write_unmodified() {
    let packages = ["influxdb-client==1.50.0", "influxdb==5.3.2", "setuptools"];
    let python = python::environment("influx-clients", &packages).unwrap();
    let place = Place::new();
    let served = place.serve([]);
    let out = python::run(Command::new(&python).arg(script("influx_writes.py")).arg(&served.url)).unwrap();
    assert_eq!(out.trim(), "written");
    let rows = served
        .sql("SELECT count(*) AS n, count(DISTINCT host) AS hosts, sum(n) AS s, count(ok) AS ok FROM metrics.cpu");
    assert_eq!(rows, [json!({"n": 1001, "hosts": 4, "s": 499_500, "ok": 1})]);
}

#[test]
fn a_generator_answers_at_a_route_of_its_own_and_the_collector_keeps_what_it_says() {
    let place = Place::new();
    let served = place.serve([]);
    let ask = |body: Value| served.post("/segment-stats", &body);
    let body = json!({"current_time": "2026-11-09 14:25:00", "window_minutes": 60, "frequency_minutes": 15, "update_probability": 0.7});
    let told = ask(body.clone()).with_status(200).json();
    let rows = told["rows"].as_array().unwrap();
    assert!(rows.len() > 500 && rows.iter().all(|row| row["ts"] == "2026-11-09 14:25:00"), "{}", rows.len());
    assert_eq!(ask(body).json(), told, "the same question has the same answer");
    ask(json!({"colour": 1})).with_status(400);
    let large = served.send("POST", "/segment-stats", &[], &vec![b' '; 5 << 20]).with_status(413);
    assert_eq!(large.header("content-type"), Some("application/problem+json"));
    assert_eq!(large.json()["status"], 413);
    let words =
        ["collect", "--api-url", &format!("{}/segment-stats", served.url), "--simulate-minutes", "15", "--json"];
    let named: Vec<&str> = words.into_iter().chain(["--current-time", "2026-11-09T14:25:00Z"]).collect();
    assert_eq!(place.json(named)["rows"], rows.len());
    let spaced = words.into_iter().chain(["--current-time", "2026-11-09 14:25:00"]);
    assert_eq!(place.json(spaced)["at"], "2026-11-09T14:25:00Z", "the route's own form");
    let never = ["collect", "--current-time", "2026-11-09 25:00:00"];
    place.ask(never).refused(&["2026-11-09 25:00:00", "2026-11-09 14:25:00"]);
    let next = place.json(words);
    assert_eq!(next["at"], "2026-11-09T14:40:00Z");
    assert!(place.path().join("data_collection/csv/segment_timeseries_20261109_144000.csv").is_file());
    // The table is the document's, to the type and the place in the key.
    let script = "import sqlite3\nc = sqlite3.connect('data_collection/segment_timeseries.db')\n\
        print([(r[1], r[2], r[5]) for r in c.execute('pragma table_info(segment_timeseries)')], c.execute('select count(*) from segment_timeseries').fetchone()[0])";
    let output = std::process::Command::new("python3").args(["-c", script]).current_dir(place.path()).output().unwrap();
    let declared = "[('ts', 'TEXT', 1), ('segment', 'TEXT', 2), ('count', 'INTEGER', 0), ('dim1_name', 'TEXT', 3), \
        ('dim1_value', 'TEXT', 4), ('dim2_name', 'TEXT', 5), ('dim2_value', 'TEXT', 6), ('dim3_name', 'TEXT', 7), ('dim3_value', 'TEXT', 8)]";
    let found = String::from_utf8(output.stdout).unwrap();
    let (schema, count) = found.trim().rsplit_once(' ').unwrap();
    assert_eq!(schema, declared);
    // The same instant twice is there once.
    assert!(
        count.parse::<usize>().unwrap() > rows.len() && count.parse::<usize>().unwrap() < 3 * rows.len(),
        "{count}"
    );
    let general = json!({"scenario": "device-fleet", "duration": "15m", "start": "2026-11-09T14:25:00Z", "table": "segment_timeseries"});
    let told = served.post("/api/v1/tables", &general).with_status(200).json();
    assert_eq!(told["rows"].as_array().unwrap().len(), rows.len());
}
