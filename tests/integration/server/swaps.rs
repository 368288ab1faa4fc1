//! Versions of plugins that are activated while streams run: what takes over, what stays, and what can't be removed.

use super::streams::{ask, comes_to, show, started};
use crate::program::{Place, Served, wait_until};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use telemill_tests::{noted, plugin};

const NAME: &str = "user-workloads";

/// A generator that carries something over from segment to segment, an hour a second.
fn workloads() -> Value {
    json!({
        "dataset": "workloads", "seed": 7, "start": "2026-11-09T22:00:00Z", "partitions": 3,
        "generator": { "plugin": NAME, "config": { "users": 10 } },
        "incident_models": [{ "plugin": "resource-anomalies" }],
        "stream": { "speed": 3600, "tick": "30s", "live_from": "2026-11-09T23:00:00Z" },
    })
}

fn uploaded(server: &Served, note: &str) -> String {
    let component = noted(plugin(NAME).unwrap(), note);
    let reply = server.send("POST", "/api/v1/plugins", &[("content-type", "application/wasm")], &component);
    reply.with_status(201).json()["installed"]["digest"].as_str().unwrap().to_owned()
}

fn activate(server: &Served, digest: &str) -> Value {
    let version = json!({ "version": format!("sha256:{digest}") });
    server.post(&format!("/api/v1/plugins/{NAME}/activate"), &version).with_status(200).json()
}

/// A run of the plugin; gives the path of its resource.
fn run(server: &Served, dataset: &str, users: u32, hours: u32) -> String {
    let mut spec = workloads();
    spec["dataset"] = dataset.into();
    spec["duration"] = format!("{hours}h").into();
    spec["generator"]["config"]["users"] = users.into();
    spec["stream"] = json!({});
    let run = server.post("/api/v1/runs", &spec).with_status(201).json();
    format!("/api/v1/runs/{}", run["id"].as_str().unwrap())
}

fn component(record: &Value) -> &str {
    record["plugins"][0]["digest"].as_str().unwrap()
}

/// Asks again and again until `stop`; tells what was not answered well.
fn load(server: &Served, path: &str, stop: &AtomicBool, asked: &AtomicU64, failed: &Mutex<Vec<String>>) {
    let (stats, sql) = (format!("{path}/stats"), json!({ "sql": "SELECT 1 AS n" }));
    while !stop.load(Ordering::Relaxed) {
        for reply in [
            server.get(&stats),
            server.get(path),
            server.get("/api/v1/plugins"),
            server.get("/api/v1/datasets"),
            server.post("/api/v1/query", &sql),
        ] {
            asked.fetch_add(1, Ordering::Relaxed);
            if reply.status != 200 {
                failed.lock().unwrap().push(reply.text());
            }
        }
    }
}

#[test]
fn a_version_takes_over_in_a_stream_under_load_and_no_request_fails() {
    let place = Place::new();
    let server = place.serve([]);
    let path = started(&server, &workloads());
    comes_to(&server, &path, "2026-11-09T23:00:00Z");
    let shipped = component(&show(&server, &path)).to_owned();
    let (stop, asked, failed) = (AtomicBool::new(false), AtomicU64::new(0), Mutex::new(Vec::new()));
    let (digest, before) = thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| load(&server, &path, &stop, &asked, &failed));
        }
        let digest = uploaded(&server, "a successor");
        let before = run(&server, "before", 200, 6);
        let activated = activate(&server, &digest);
        assert_eq!((&activated["active"], &activated["before"]), (&json!(digest), &Value::Null));
        let streams = &activated["streams"];
        assert_eq!((&streams[0]["afresh"], &streams[0]["error"]), (&json!(false), &Value::Null), "{streams}");
        let swaps = show(&server, &format!("{path}/swaps"));
        assert_eq!(swaps[0]["at"], streams[0]["at"], "it is recorded");
        assert_eq!((component(&show(&server, &path)), swaps.as_array().unwrap().len()), (digest.as_str(), 1));
        assert_eq!(activate(&server, &digest)["streams"], json!([]), "it has it already");
        let after = run(&server, "after", 10, 1);
        assert_eq!(component(&show(&server, &after)), digest, "the next run takes it");
        // It goes on with the new one.
        let commits = show(&server, &path)["commits"].as_u64().unwrap();
        wait_until("the new version made rows", || show(&server, &path)["commits"].as_u64().unwrap() > commits + 2);
        stop.store(true, Ordering::Relaxed);
        (digest, before)
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {asked:?} failed: {:?}", failed.len(), failed.first());
    println!("{asked:?} requests, none failed");
    wait_until("the run is finished", || show(&server, &before)["state"] == "finished");
    assert_eq!(component(&show(&server, &before)), shipped, "a run under way keeps the version that it started with");

    // What the stream uses can't be removed, and what it used is kept for its proof.
    let version = format!("/api/v1/plugins/{NAME}/versions/sha256:{digest}");
    let back = server.post(&format!("/api/v1/plugins/{NAME}/disable"), &json!({})).with_status(200).json();
    assert_eq!((&back["active"], &back["streams"][0]["error"]), (&Value::Null, &Value::Null), "{back}");
    assert_eq!(component(&show(&server, &path)), shipped, "the one that ships took over");
    let refused = server.send("DELETE", &version, &[], &[]).with_status(409).text();
    assert!(refused.contains(path.rsplit('/').next().unwrap()) && refused.contains("running"), "{refused}");
    ask(&server, &path, "stop");
    assert_eq!(show(&server, &format!("{path}/swaps")).as_array().unwrap().len(), 2);
    let removed = server.send("DELETE", &version, &[], &[]).with_status(200).json();
    assert_eq!(removed["kept_for_runs"], true);
    let verified = ask(&server, &path, "verify");
    assert_eq!(verified["equal"], true, "the swaps are made again: {verified}");
}

/// Where no server runs, a command does the same to streams that stand still.
#[test]
fn a_version_that_a_command_enables_takes_over_where_the_stream_goes_on() {
    let place = Place::new();
    let server = place.serve([]);
    let path = started(&server, &workloads());
    comes_to(&server, &path, "2026-11-09T23:00:00Z");
    server.stop().with_code(0);
    place.file("next.wasm", noted(plugin(NAME).unwrap(), "the next"));
    let answer = place.json(["plugin", "install", "next.wasm", "--enable", "--json"]);
    let digest = answer["installed"]["digest"].as_str().unwrap();
    let position = place.json(["stream", "show", "--json"])["position"].clone();
    assert_eq!(answer["enabled"]["streams"][0]["at"], position, "{answer}");
    assert_eq!(place.json(["plugin", "enable", NAME, "--json"])["streams"], json!([]), "it has it already");
    let exact = format!("sha256:{digest}");
    let back = place.json(["plugin", "rollback", NAME, "--json"]);
    assert_eq!(back["streams"][0]["at"], position, "{back}");
    place.ask(["plugin", "remove", &exact]).refused(&["stream", "running"]);
    assert_eq!(place.json(["plugin", "enable", &exact, "--json"])["streams"][0]["error"], Value::Null);

    let server = place.serve([]);
    let stood = position.as_str().unwrap();
    wait_until("the new version made rows", || show(&server, &path)["position"].as_str().unwrap() > stood);
    assert_eq!(component(&show(&server, &path)), digest);
    ask(&server, &path, "stop");
    assert_eq!(ask(&server, &path, "verify")["equal"], true);
}
