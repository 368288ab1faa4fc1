//! Collection as a step: from an endpoint and from an InfluxDB, by key, into files, the catalog's database and the lake.

use super::shipped::{Simulated, at, shipped};
use super::states;
use crate::program::Place;
use crate::tidy::files_in;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread::JoinHandle;
use telemill::alert::Alerts;
use telemill::app::{App, Origin};
use telemill::run::Cancel;
use telemill::schedule::{Pipeline, Scheduler};
use telemill::store::WorkState;

/// A server that answers each of `answers` once, and gives back what it was asked.
fn serve(answers: Vec<Value>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let answer = |answer: Value| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while line != "\r\n" {
                line.clear();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let text = answer.to_string();
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}", text.len())
                .unwrap();
            String::from_utf8(body).unwrap()
        };
        answers.into_iter().map(answer).collect()
    });
    (url, asked)
}

/// What Python finds in a SQLite file.
fn sqlite(file: &Path, query: &str) -> String {
    let script = "import sqlite3,sys\nprint(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall())";
    let output = Command::new("python3").args(["-c", script]).arg(file).arg(query).output().unwrap();
    crate::program::answer(output).with_code(0).out.trim().to_owned()
}

fn collected(place: &Place, file: &str) -> Value {
    let told = place.json(["schedule", "run", file, "--once", "p", "--json"]);
    assert!(states(&told).iter().all(|(_, state)| state == "succeeded"), "{told:#}");
    told["steps"][0]["result"].clone()
}

#[test]
fn rows_of_an_endpoint_are_kept_by_key_in_three_tables() {
    let row = |segment: &str, count: f64| json!({"ts": "t1", "segment": segment, "count": count, "dim1": {"name": "state", "value": null}});
    let answers = vec![
        json!({"rows": [row("a", 1.0), row("b", 2.0), row("c", 4.0)]}),
        json!({"rows": [row("a", 1.0), row("b", 2.0), row("c", 4.0)]}),
        // One says something else, one is new, with a column that was not there.
        json!({"rows": [row("b", 20.5), {"ts": "t1", "segment": "d", "count": 8, "note": "late"}]}),
    ];
    let (url, asked) = serve(answers);
    let place = Place::new();
    place.file(
        "p.toml",
        format!(
            r#"
[pipeline]
name = "p"

[[step]]
name = "collect"
kind = "collect"
url = "{url}/segment-stats"
body = {{ window_minutes = 60 }}
at = "2026-11-09T14:25:00Z"
table = "stats"
key = ["ts", "segment"]
output_dir = "collection"
catalog = true
dataset = "collected"
"#
        ),
    );
    let lake = || place.sql("SELECT count(*) AS n, sum(count) AS total FROM collected.stats").remove(0);
    let catalog = "SELECT count(*), sum(count) FROM collected_stats";
    let database = place.data().join(telemill::store::DATABASE_FILE);
    let first = collected(&place, "p.toml");
    assert_eq!((&first["rows"], &first["lake_rows"]), (&json!(3), &json!(3)));
    assert_eq!((lake(), sqlite(&database, catalog)), (json!({"n": 3, "total": 7.0}), "[(3, 7.0)]".to_owned()));
    let again = collected(&place, "p.toml");
    assert_eq!((&again["rows"], &again["lake_rows"]), (&json!(3), &json!(0)));
    assert_eq!((lake(), sqlite(&database, catalog)), (json!({"n": 3, "total": 7.0}), "[(3, 7.0)]".to_owned()));
    assert_eq!(collected(&place, "p.toml")["lake_rows"], 2);
    assert_eq!((lake(), sqlite(&database, catalog)), (json!({"n": 4, "total": 33.5}), "[(4, 33.5)]".to_owned()));
    assert_eq!(asked.join().unwrap()[0], r#"{"current_time":"2026-11-09T14:25:00Z","window_minutes":60}"#);
    let csv = fs::read_to_string(place.path().join("collection/csv/stats_20261109_142500.csv")).unwrap();
    assert!(csv.lines().next().unwrap().contains("note"), "the newest answer is the snapshot: {csv}");
    assert!(place.path().join("collection/json/stats_20261109_142500.json").is_file());
}

#[test]
fn what_says_something_else_replaces_what_the_lake_had() {
    let row = |host: &str, usage: Value| json!({"time": 1, "host": host, "usage": usage});
    let (url, _asked) = serve(vec![
        json!([row("a", json!(1)), row("b", json!(2)), row("c", Value::Null)]),
        json!([row("b", json!(20)), row("d", json!(8)), row("d", json!(9)), {"time": 1, "host": "c", "note": "new"}]),
        json!([row("b", json!(20)), row("d", json!(9)), {"time": 1, "host": "c", "note": "new"}]),
        json!([row("a", json!("many"))]),
    ]);
    let place = Place::new();
    let collect = || {
        let words = ["--table", "cpu", "--key", "time,host", "--dataset", "collected", "--json"];
        let head =
            ["collect", "--api-url", &url, "--timeseries-db", "other.db", "--current-time", "2026-11-09T14:00:00Z"];
        place.ask(head.into_iter().chain(words))
    };
    let rows = || place.sql("SELECT * FROM collected.cpu ORDER BY host");
    collect().with_code(0);
    let told: Value = serde_json::from_str(&collect().with_code(0).out).unwrap();
    assert_eq!(told["lake_rows"], 3);
    let all = json!([
        {"time": 1, "host": "a", "usage": 1, "note": null},
        {"time": 1, "host": "b", "usage": 20, "note": null},
        {"time": 1, "host": "c", "usage": null, "note": "new"},
        {"time": 1, "host": "d", "usage": 9, "note": null},
    ]);
    assert_eq!(Value::Array(rows()), all);
    let told: Value = serde_json::from_str(&collect().with_code(0).out).unwrap();
    assert_eq!((&told["lake_rows"], Value::Array(rows())), (&json!(0), all.clone()));
    collect().refused(&["usage", "was Int64 and is Utf8"]);
    assert_eq!(Value::Array(rows()), all);
}

#[test]
fn an_influxdb_is_collected_from() {
    let answer = json!({"results": [{"series": [
        {"name": "cpu", "tags": {"host": "a"}, "columns": ["time", "usage"], "values": [[1, 0.5], [2, 1]]},
    ]}]});
    let (url, asked) = serve(vec![answer, json!({"results": [{"error": "no such database"}]})]);
    let place = Place::new();
    let step = format!(
        "[pipeline]\nname = \"p\"\n[[step]]\nname = \"cpu\"\nkind = \"collect\"\nurl = \"{url}\"\ntable = \"cpu\"\nkey = [\"time\", \"host\"]\noutput_dir = \"out\"\ndataset = \"influx\"\ninflux = {{ database = \"d\", query = \"SELECT usage FROM cpu\" }}\n"
    );
    place.file("p.toml", &step);
    assert_eq!(collected(&place, "p.toml")["lake_rows"], 2);
    assert_eq!(place.sql("SELECT sum(usage) AS s, min(host) AS h FROM influx.cpu"), [json!({"s": 1.5, "h": "a"})]);
    let told = place.json_with_code(1, ["schedule", "run", "p.toml", "--once", "p", "--json"]);
    assert!(told["steps"][0]["error"].as_str().unwrap().contains("no such database"), "{told:#}");
    assert_eq!(asked.join().unwrap()[0], "db=d&q=SELECT+usage+FROM+cpu&epoch=u");
    place.file("q.toml", step.replace("table =", "body = { x = 1 }\ntable ="));
    place.ask(["schedule", "run", "q.toml", "--once", "p"]).refused(&["step[0].body", "InfluxDB"]);
}

/// The document's collector on its simulated clock, from the document's endpoint.
#[test]
fn the_collector_that_ships_collects_from_the_endpoint_that_ships() {
    let fleet = Place::new();
    let served = fleet.serve([]);
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(shipped("device-fleet", "collector.toml")).unwrap();
    let text = text.replace("http://127.0.0.1:8080", &served.url);
    let out = format!("output_dir = \"{}\"", folder.path().join("collection").display());
    let text = text.replace("output_dir = \"collection\"", &out);
    let pipeline = Pipeline::parse(&text, Path::new("collector.toml")).unwrap();
    let app = App::new(Origin { data_dir: Some(folder.path().join("data")), settings: Vec::new() }).unwrap();
    let writer = app.writer().unwrap();
    let host = &writer.host;
    let scheduler = Scheduler::new(vec![pipeline], Alerts::new(host.store.clone(), host.runtime.clone()));
    // Three minutes of the day are three quarters of an hour of the fleet.
    let clock = Simulated::new(at("2026-11-22T10:00:30Z"), at("2026-11-22T10:04:00Z"), host);
    scheduler.run(host, &clock, &Cancel::default()).unwrap();
    let runs = host.runtime.block_on(host.store.pipeline_runs(None, 100, None)).unwrap();
    assert_eq!(runs.len(), 3, "{runs:#?}");
    assert!(runs.iter().all(|run| run.state == WorkState::Succeeded), "{runs:#?}");
    let names = |kind: &str| -> Vec<String> {
        let files = files_in(&folder.path().join("collection").join(kind), kind);
        files.iter().map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let stamps = ["000000", "001500", "003000"].map(|time| format!("segment_timeseries_20261109_{time}"));
    assert_eq!((names("csv"), names("json")), (stamps.to_vec(), stamps.to_vec()));
    let dataset = host.runtime.block_on(host.lake.dataset("device_snapshots", None)).unwrap();
    let rows = dataset.table("segment_timeseries").unwrap().rows;
    assert!(rows > 1_500, "{rows}");
    let query = "SELECT count(*), count(DISTINCT ts) FROM collected_segment_timeseries";
    assert_eq!(
        sqlite(&folder.path().join("data").join(telemill::store::DATABASE_FILE), query),
        format!("[({rows}, 3)]")
    );
}
