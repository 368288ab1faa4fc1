//! Streams over HTTP: started, watched, controlled, killed with the server, and proved.

use crate::program::{Event, Place, Served, wait_until};
use serde_json::{Value, json};
use telemill_tests::guest;

/// The shop from five hours before its clock begins, an hour a second; it ends when it is told to.
pub(crate) fn shop() -> Value {
    json!({
        "dataset": "shop", "seed": 7, "start": "2026-11-09T15:00:00Z", "partitions": 2,
        "generator": { "plugin": "ecommerce", "config": { "base_tps": 2 } },
        "incident_models": [{ "plugin": "service-incidents", "config": { "incidents_per_day": "20-30" } }],
        "stream": { "speed": 3600, "tick": "1m", "live_from": "2026-11-09T20:00:00Z" },
    })
}

/// Starts a stream; gives the path of its resource.
pub(super) fn started(server: &Served, spec: &Value) -> String {
    let reply = server.post("/api/v1/streams", spec).with_status(201);
    let path = reply.header("location").unwrap().to_owned();
    assert_eq!(path, format!("/api/v1/streams/{}", reply.json()["id"].as_str().unwrap()));
    path
}

pub(super) fn show(server: &Served, path: &str) -> Value {
    server.get(path).with_status(200).json()
}

/// Waits until the rows have come to a time of the simulated clock.
pub(super) fn comes_to(server: &Served, path: &str, time: &str) {
    wait_until("the stream has come there", || {
        let stream = show(server, path);
        assert_eq!(stream["error"], Value::Null, "{stream}");
        // All times are of whole minutes, in the same form.
        stream["position"].as_str().unwrap() >= time
    });
}

pub(super) fn ask(server: &Served, path: &str, what: &str) -> Value {
    server.send("POST", &format!("{path}/{what}"), &[], &[]).with_status(200).json()
}

/// Holds a stream that was stopped to the run of its spec, and to what it makes when everything is made again.
fn holds(server: &Served, path: &str) {
    let stream = show(server, path);
    assert_eq!(stream["state"], "stopped");
    let mut spec = server.get(&format!("{path}/spec")).with_status(200).json();
    spec["dataset"] = "plain".into();
    spec["existing"] = "replace".into();
    let run = server.post("/api/v1/runs", &spec).with_status(201).json();
    let run_path = format!("/api/v1/runs/{}", run["id"].as_str().unwrap());
    wait_until("the run is finished", || show(server, &run_path)["state"] == "finished");
    let run = show(server, &run_path);
    assert_eq!(run["fingerprint"], stream["fingerprint"]);
    assert_eq!(run["tables"], stream["tables"]);
    for table in run["tables"].as_array().unwrap() {
        let name = table["table"].as_str().unwrap();
        let dataset = stream["dataset"].as_str().unwrap();
        let counted = server.sql(&format!("SELECT count(*) AS n FROM {dataset}.{name}"));
        assert_eq!(counted[0]["n"], table["rows"], "{name}");
        let other = format!("SELECT * FROM {dataset}.{name} EXCEPT ALL SELECT * FROM plain.{name}");
        assert_eq!(server.sql(&other), Vec::<Value>::new(), "{name}");
    }
    let verified = ask(server, path, "verify");
    assert_eq!(verified["equal"], true, "{verified}");
}

#[test]
fn a_stream_that_is_paused_made_slower_and_given_an_incident_has_the_rows_of_a_run() {
    let place = Place::new();
    let server = place.serve([]);
    let path = started(&server, &shop());
    comes_to(&server, &path, "2026-11-09T20:00:00Z");

    assert_eq!(ask(&server, &path, "pause")["state"], "paused");
    server.send("POST", &format!("{path}/pause"), &[], &[]).with_status(409);
    let trigger = |start: Option<&str>| {
        json!({ "model": "service-incidents", "kind": "payment-gateway-timeout", "target": "payment-gateway",
            "start": start, "length": "20m" })
    };
    let incidents = format!("{path}/incidents");
    let made = server.post(&incidents, &trigger(None)).with_status(201).json();
    let id = made[0]["incident"]["id"].as_str().unwrap();
    assert_eq!(made[0]["incident"]["window"]["start"], show(&server, &path)["position"]);
    let early = server.post(&incidents, &trigger(Some("2026-11-09T16:00:00Z"))).with_status(409);
    assert!(early.text().contains("made already"), "{}", early.text());
    let mut other = trigger(None);
    other["model"] = "weather".into();
    let refused = server.post(&incidents, &other).with_status(400).json();
    assert_eq!(refused["errors"][0]["path"], "model");

    let clock = |server: &Served| show(server, &format!("{path}/stats"))["clock"].clone();
    assert_eq!(clock(&server), clock(&server), "it stands");
    let slower = server.post(&format!("{path}/speed"), &json!({ "speed": 600 })).with_status(200).json();
    assert_eq!(slower["clock"]["speed"], 600.0);
    server.post(&format!("{path}/speed"), &json!({ "speed": 0 })).with_status(400);
    assert_eq!(ask(&server, &path, "resume")["state"], "running");
    wait_until("the incident is ground truth", || {
        server.sql(&format!("SELECT incident_id FROM shop.incidents WHERE incident_id = '{id}'")).len() == 1
    });
    wait_until("it has caught up", || show(&server, &format!("{path}/stats"))["mode"] == "live");
    let stats = show(&server, &format!("{path}/stats"));
    assert_eq!(stats["speed"], 600.0, "{stats}");
    assert!(stats["rows"]["transactions"].as_u64() > Some(0) && stats["rows_per_minute"].as_u64() > Some(0), "{stats}");
    server.post(&format!("{path}/speed"), &json!({ "speed": 7200 })).with_status(200);
    let dataset = show(&server, &path)["dataset"].as_str().unwrap().to_owned();
    let kept = server.send("DELETE", &format!("/api/v1/datasets/{dataset}"), &[], &[]).with_status(409).json();
    assert!(kept["detail"].as_str().unwrap().contains("telemill stream stop"), "{kept}");
    comes_to(&server, &path, "2026-11-10T01:00:00Z");
    ask(&server, &path, "stop");
    for what in ["stop", "pause", "resume"] {
        server.send("POST", &format!("{path}/{what}"), &[], &[]).with_status(409);
    }
    holds(&server, &path);
    let audit = server.get("/api/v1/audit").json().to_string();
    assert!(audit.contains(&incidents), "who changed it is known: {audit}");
    assert!(
        audit.contains(r#""outcome":"speed 7200""#) && audit.contains(&format!(r#""outcome":"{path}""#)),
        "{audit}"
    );
}

#[test]
fn a_server_that_is_killed_goes_on_with_its_streams_without_gap_or_double() {
    let place = Place::new();
    let mut server = place.serve([]);
    let path = started(&server, &shop());
    let mut paused = shop();
    paused["dataset"] = "resting".into();
    let resting = started(&server, &paused);
    comes_to(&server, &resting, "2026-11-09T16:00:00Z");
    ask(&server, &resting, "pause");
    for commits in [1, 3, 5, 7] {
        wait_until("the stream has come further", || show(&server, &path)["commits"].as_u64() >= Some(commits));
        server.kill();
        server = place.serve([]);
        assert_eq!(server.told["streams"], 2);
    }
    // A clean stop leaves it so that it goes on as well.
    server.stop().with_code(0);
    let server = place.serve([]);
    assert_eq!(show(&server, &resting)["state"], "paused");
    comes_to(&server, &path, "2026-11-10T01:00:00Z");
    ask(&server, &path, "stop");
    holds(&server, &path);
}

/// The rows of a table that events tell of.
fn told(events: &[Event], table: &str) -> u64 {
    events.iter().filter_map(|event| event.data["tables"][table]["rows"].as_u64()).sum()
}

#[test]
fn a_tail_tells_every_commit_once_and_goes_on_after_the_last_that_was_seen() {
    let place = Place::new();
    let server = place.serve([]);
    let path = started(&server, &shop());
    let tail = format!("{path}/tail");
    let live: Vec<Event> = server.events(&format!("{tail}?table=transactions&rows=3"), None).take(4).collect();
    for pair in live.windows(2) {
        assert_eq!(pair[0].data["window"]["end"], pair[1].data["window"]["start"], "{live:?}");
    }
    for event in &live {
        let shown = &event.data["tables"]["transactions"];
        assert_eq!((event.name.as_str(), event.data["tables"].as_object().unwrap().len()), ("rows", 1));
        assert!(shown["shown"].as_array().unwrap().len() <= 3 && shown["rows"].as_u64() > Some(3), "{event:?}");
        assert!(shown["shown"][0]["transaction_id"].is_number(), "{event:?}");
    }
    // Who comes back misses none.
    let again: Vec<Event> = server.events(&tail, Some(&live[0].id)).take(3).collect();
    assert_eq!(again.iter().map(|event| &event.id).collect::<Vec<_>>(), [&live[1].id, &live[2].id, &live[3].id]);
    comes_to(&server, &path, "2026-11-09T22:00:00Z");
    ask(&server, &path, "stop");
    let stream = show(&server, &path);
    let mut all: Vec<Event> = server.events(&tail, Some("0")).collect();
    let end = all.pop().unwrap();
    assert_eq!((end.name.as_str(), &end.data), ("ended", &json!({ "state": "stopped" })));
    let numbers: Vec<u64> = all.iter().map(|event| event.id.parse().unwrap()).collect();
    assert_eq!(numbers, (1..=stream["commits"].as_u64().unwrap()).collect::<Vec<_>>());
    for table in stream["tables"].as_array().unwrap() {
        assert_eq!(told(&all, table["table"].as_str().unwrap()), table["rows"].as_u64().unwrap(), "{table}");
    }
    // Who has seen the end is told not to come back.
    server.send("GET", &tail, &[("last-event-id", &end.id)], &[]).with_status(204);
    server.get(&format!("{tail}?table=orders")).with_status(400);
    server.get(&format!("{tail}?rows=1001")).with_status(400);
    server.stop().with_code(0);
}

#[test]
fn what_can_not_be_streamed_is_refused_with_its_field() {
    let place = Place::new();
    let secret = |name: &str, scope: &str| {
        let made = place.json(["token", "create", name, "--scope", scope, "--json"]);
        format!("Bearer {}", made["secret"].as_str().unwrap())
    };
    let (writer, admin) = (secret("writer", "write"), secret("admin", "admin"));
    let server = place.serve([]);
    let cases = [
        ("/stream/speed", json!(0), "stream.speed"),
        ("/stream/tick", json!("1500ms"), "stream.tick"),
        ("/stream/sped", json!(1), "sped"),
        ("/partitions", json!(0), "partitions"),
        ("/generator/plugin", json!("../ecommerce.wasm"), "generator.plugin"),
        ("/stream/sinks", json!([{ "name": "a", "file": { "folder": "/tmp" } }]), "stream.sinks.a"),
    ];
    for (pointer, value, part) in cases {
        let mut spec = shop();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        spec.pointer_mut(parent).unwrap()[key] = value;
        let reply = server.post("/api/v1/streams", &spec).with_status(400);
        assert!(reply.text().contains(part), "{part} is missing in {}", reply.text());
    }
    // Sinks send rows elsewhere, with secrets of the server.
    let mut spec = shop();
    spec["stream"]["sinks"] = json!([{ "name": "lines", "file": { "folder": "lines" } }]);
    let send = |authorization: &str, key: &str| {
        let headers =
            [("authorization", authorization), ("content-type", "application/json"), ("idempotency-key", key)];
        server.send("POST", "/api/v1/streams", &headers, spec.to_string().as_bytes())
    };
    assert!(send(&writer, "a").with_status(403).text().contains("scope admin"));
    let first = send(&admin, "b").with_status(201).json();
    assert_eq!(send(&admin, "b").with_status(201).json()["id"], first["id"], "the same key starts no other");
    let items = server.get("/api/v1/streams").with_status(200).json()["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 1, "a refused spec leaves no stream");
    assert!(server.post("/api/v1/streams", &shop()).with_status(409).text().contains("writes the dataset already"));
    let path = format!("/api/v1/streams/{}", first["id"].as_str().unwrap());
    let sinks = show(&server, &format!("{path}/sinks"));
    assert_eq!(sinks[0]["name"], "lines");
    for missing in ["", "/stats", "/spec", "/sinks", "/swaps", "/tail"] {
        server.get(&format!("/api/v1/streams/s0000000000000000{missing}")).with_status(404);
    }
    server.get("/api/v1/streams/nothing").with_status(404);
    assert_eq!(server.get("/api/v1/streams?limit=1").json()["next"], Value::Null);
}

#[test]
fn stats_tell_rates_by_table_and_the_newest_line_of_the_log() {
    let place = Place::new();
    place.file("hostile.wasm", guest("hostile").unwrap());
    place.good(["plugin", "install", "hostile.wasm", "--enable"]);
    let server = place.serve([]);
    let spec = json!({
        "dataset": "meters", "seed": 7, "start": "2026-11-09T00:00:00Z", "partitions": 1,
        "generator": { "plugin": "hostile", "config": { "fault": "log-forgery", "after_s": 30 } },
        "stream": { "speed": 60, "tick": "10s", "live_from": "2026-11-09T00:05:00Z" },
    });
    let path = started(&server, &spec);
    let stats = || show(&server, &format!("{path}/stats"));
    wait_until("it has logged something", || stats()["newest_log"] != Value::Null);
    wait_until("it has caught up", || stats()["mode"] == "live");
    ask(&server, &path, "pause");
    let stats = stats();
    let line = &stats["newest_log"];
    assert_eq!((&line["plugin"], &line["level"]), (&json!("hostile"), &json!("error")), "{line}");
    let message = line["message"].as_str().unwrap();
    assert!(message.starts_with("done") && !message.contains('\n'), "{message:?}");
    let by_table = stats["table_rows_per_minute"].as_object().unwrap();
    let sum: u64 = by_table.values().map(|rows| rows.as_u64().unwrap()).sum();
    assert!(sum > 0 && stats["rows_per_minute"] == sum, "{stats}");
    for (table, rows) in by_table {
        assert!(rows.as_u64() <= stats["session_rows"][table].as_u64(), "{table}: {stats}");
    }
    server.stop().with_code(0);
}

#[test]
fn a_stream_too_many_is_told_to_come_again() {
    let place = Place::new();
    let server = place.serve(["--setting", "streams.max_streams=1"]);
    let path = started(&server, &shop());
    let mut other = shop();
    other["dataset"] = "other".into();
    let reply = server.post("/api/v1/streams", &other).with_status(429);
    assert_eq!(reply.header("retry-after"), Some("30"));
    ask(&server, &path, "stop");
    server.stop().with_code(0);
}
