//! DuckDB reads the lake of a real run: the numbers of our own SQL, every snapshot, and only the files that a time needs.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

use crate::duckdb;
use crate::program::{Place, answer, program};

/// Four segments of two partitions with an incident that every seed has, and one at 15:25.
const SPEC: &str = r#"
dataset = "shop"
seed = 7
start = "2026-11-09T14:00:00Z"
duration = "2h"
partitions = 2
segment = "30m"
[generator]
plugin = "ecommerce"
[[incident_models]]
plugin = "service-incidents"
[[incident]]
model = "service-incidents"
kind = "payment-gateway-timeout"
target = "payment-gateway"
start = "2026-11-09T14:40:00Z"
length = "5m"
"#;

/// Columns whose least and greatest values are compared, and what is summed; sums of floats depend on the order, so that
/// they are rounded.
const TABLES: [(&str, &[&str], &[&str]); 4] = [
    (
        "transactions",
        &[
            "timestamp",
            "transaction_id",
            "trace_id",
            "service",
            "status",
            "response_time_ms",
            "error_type",
            "incident_id",
        ],
        &["transaction_id % 1000003", "response_time_ms", "amount", "retries"],
    ),
    (
        "infrastructure_metrics",
        &["timestamp", "host", "cpu_pct", "threads_active", "phase", "incident_id"],
        &["round(cpu_pct * 1000)", "round(latency_p99_ms * 1000)", "threads_active"],
    ),
    ("incidents", &["incident_id", "kind", "start_time", "end_time", "cause"], &["1"]),
    ("incident_effects", &["incident_id", "signal", "start_time", "end_time"], &["round(value * 1000000)"]),
];

/// A query of one row of text, in words that both engines understand.
fn summary(table: &str, bounds: &[&str], sums: &[&str], microseconds: fn(&str) -> String) -> String {
    // Times as microseconds, for each engine writes them its own way.
    let is_time = |column: &str| column.ends_with("time") || column == "timestamp";
    let text = |column: &str| if is_time(column) { microseconds(column) } else { column.to_owned() };
    let counts = bounds.iter().map(|column| format!("count({column})"));
    let bounds = bounds.iter().map(|column| text(column));
    let bounds = bounds.flat_map(|column| [format!("min({column})"), format!("max({column})")]);
    let sums = sums.iter().map(|sum| format!("sum({sum})"));
    let all = std::iter::once("count(*)".to_owned()).chain(counts).chain(bounds).chain(sums);
    let named = all.enumerate().map(|(index, part)| format!("CAST({part} AS VARCHAR) AS c{index}"));
    format!("SELECT {} FROM {table}", named.collect::<Vec<_>>().join(", "))
}

/// The same of our own SQL, as a list.
fn own(place: &Place, table: &str, bounds: &[&str], sums: &[&str]) -> Vec<Value> {
    let query = summary(&format!("shop.{table}"), bounds, sums, |time| format!("CAST({time} AS BIGINT)"));
    let row = place.sql(&query).remove(0);
    let row = row.as_object().unwrap();
    (0..row.len()).map(|index| number(&row[&format!("c{index}")])).collect()
}

fn theirs(place: &Place, table: &str, bounds: &[&str], sums: &[&str], snapshot: Option<i64>) -> Vec<Value> {
    let at = snapshot.map(|id| format!(" AT (VERSION => {id})")).unwrap_or_default();
    let query = summary(&format!("lake.shop.{table}{at}"), bounds, sums, |time| format!("epoch_us({time})"));
    let script = format!("emit(list(c.execute('''{query}''').fetchone()))\n");
    let row = duckdb::query(&place.data(), &script).unwrap();
    row.as_array().unwrap().iter().map(number).collect()
}

/// One form of a number that is written as `1`, `1.0` or `1e0`.
fn number(value: &Value) -> Value {
    match value.as_str().map(str::parse::<f64>) {
        Some(Ok(number)) => Value::from(number),
        _ => value.clone(),
    }
}

#[test]
fn duckdb_finds_the_numbers_of_our_own_sql_at_every_snapshot() {
    let place = Place::new();
    place.file("spec.toml", SPEC);
    let first = place.json(["run", "start", "spec.toml", "--json"])["run"].take();
    let before: Vec<_> = TABLES.iter().map(|(table, bounds, sums)| own(&place, table, bounds, sums)).collect();
    for ((table, bounds, sums), expected) in TABLES.iter().zip(&before) {
        assert_eq!(&theirs(&place, table, bounds, sums, None), expected, "{table}");
    }

    let more = ["run", "start", "spec.toml", "--append", "--seed", "8", "--json"];
    let second = place.json(more)["run"].take();
    let at = |run: &Value| run["snapshot_id"].as_i64();
    assert!(at(&first) < at(&second));
    for ((table, bounds, sums), old) in TABLES.iter().zip(&before) {
        let new = own(&place, table, bounds, sums);
        assert_ne!(&new, old, "{table}: the second run added rows");
        assert_eq!(theirs(&place, table, bounds, sums, None), new, "{table}");
        assert_eq!(theirs(&place, table, bounds, sums, at(&second)), new, "{table}");
        assert_eq!(&theirs(&place, table, bounds, sums, at(&first)), old, "{table}: time travel");
    }

    let third = place.json(["run", "start", "spec.toml", "--replace", "--json"])["run"].take();
    for ((table, bounds, sums), old) in TABLES.iter().zip(&before) {
        assert_eq!(&theirs(&place, table, bounds, sums, None), old, "{table}: replaced by the first run's rows");
        assert_ne!(&theirs(&place, table, bounds, sums, at(&second)), old, "{table}: the past stays");
    }
    assert!(at(&second) < at(&third));
}

#[test]
fn duckdb_reads_only_the_files_that_a_time_needs() {
    let place = Place::new();
    place.file("spec.toml", SPEC);
    place.good(["run", "start", "spec.toml", "--quiet"]);
    assert_eq!(place.parquet("shop", "transactions").len(), 8);
    let between = "timestamp >= '2026-11-09T15:02:00Z' AND timestamp < '2026-11-09T15:03:00Z'";
    let script = format!(
        r#"
import re
plan = c.execute("""EXPLAIN ANALYZE SELECT count(*), sum(response_time_ms) FROM lake.shop.transactions WHERE {between}""").fetchall()[0][1]
found = c.execute("""SELECT count(*), sum(response_time_ms) FROM lake.shop.transactions WHERE {between}""").fetchone()
emit({{"files": [int(n) for n in re.findall(r"Total Files Read: (\d+)", plan)], "found": [int(n) for n in found], "plan": plan}})
"#
    );
    let seen = duckdb::query(&place.data(), &script).unwrap();
    // One segment of each of the two partitions.
    assert_eq!(seen["files"], serde_json::json!([2]), "{}", seen["plan"]);
    let own = place
        .sql(&format!("SELECT count(*) AS rows, sum(response_time_ms) AS sum FROM shop.transactions WHERE {between}"));
    assert_eq!(seen["found"], serde_json::json!([own[0]["rows"], own[0]["sum"]]));
    assert!(own[0]["rows"].as_u64() > Some(1000), "{own:?}");
}

#[test]
fn what_a_run_says_to_go_on_with_works_as_it_stands() {
    let place = Place::new();
    place.file("spec.toml", SPEC);
    let said = place.good(["run", "start", "spec.toml", "--duration", "1m", "--quiet"]);
    let commands: Vec<&str> = said.lines().skip_while(|line| *line != "go on with").skip(1).map(str::trim).collect();
    let [sql, export, attach] = commands.as_slice() else { panic!("three commands were expected: {said}") };

    let folder = program(place.path()).get_program().to_owned();
    let folder = Path::new(&folder).parent().unwrap().display().to_string();
    let in_shell = |command: &str| {
        let script = format!("PATH=\"{folder}:$PATH\"; {command}");
        answer(Command::new("sh").current_dir(place.path()).args(["-c", &script]).output().unwrap()).with_code(0)
    };
    assert!(in_shell(sql).out.contains("kind"), "{sql}");
    in_shell(export);
    let exported = std::fs::read_dir(place.path().join("export")).unwrap();
    assert!(exported.count() >= 4, "{export}");

    // What a shell would hand to DuckDB's own program, which PyPI does not have.
    let words = attach.strip_prefix("duckdb -c \"").and_then(|rest| rest.strip_suffix('"')).unwrap();
    let script = format!(
        r#"
import os
os.chdir({:?})
fresh = duckdb.connect()
fresh.execute("LOAD ducklake; LOAD sqlite_scanner")
emit([row[0] for row in fresh.execute("""{words}""").fetchall()])
"#,
        place.path()
    );
    let tables = duckdb::query(&place.data(), &script).unwrap();
    assert!(tables.as_array().unwrap().contains(&Value::from("transactions")), "{tables}");
}
