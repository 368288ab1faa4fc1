//! Runs over HTTP.

use crate::program::{Place, Served, kill, wait_until, workers};
use serde_json::{Value, json};

/// A run that takes a second or so.
fn hour() -> Value {
    json!({ "scenario": "ecommerce", "duration": "1h", "seed": 7, "start": "2026-11-09T00:00:00Z" })
}

fn finished(server: &Served, id: &str) -> Value {
    let path = format!("/api/v1/runs/{id}");
    wait_until("the run is finished", || server.get(&path).json()["state"] == "finished");
    server.get(&path).with_status(200).json()
}

#[test]
fn a_run_over_http_is_the_run_of_the_command_line() {
    let place = Place::new();
    let server = place.serve([]);
    let reply = server.post("/api/v1/runs", &hour()).with_status(201);
    let id = reply.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(reply.header("location").unwrap(), format!("/api/v1/runs/{id}"));
    // Its rows can be read from the commit on; validators judge them afterwards, and the events end with that.
    server.get(&format!("/api/v1/runs/{id}/events")).with_status(200);
    let run = finished(&server, &id);
    assert!(!run["reports"].as_array().unwrap().is_empty());

    let verified = server.post(&format!("/api/v1/runs/{id}/verify"), &json!({})).with_status(200).json();
    assert_eq!(verified["equal"], true);
    let stored = server.post(&format!("/api/v1/runs/{id}/verify?lake=true"), &json!({})).with_status(200).json();
    assert_eq!(stored["found"], verified["found"]);
    server.stop().with_code(0);

    let other = Place::new();
    let words = ["run", "start", "ecommerce", "--duration", "1h", "--start", "2026-11-09", "--json"];
    assert_eq!(other.json(words.into_iter().chain(["--seed", "7"]))["run"]["fingerprint"], run["fingerprint"]);
}

#[test]
fn progress_comes_as_events_and_ends_with_the_run() {
    let place = Place::new();
    let server = place.serve([]);
    let run = server.post("/api/v1/runs", &hour()).with_status(201).json();
    let path = format!("/api/v1/runs/{}/events", run["id"].as_str().unwrap());
    // The answer ends when the run does.
    let reply = server.get(&path).with_status(200);
    assert_eq!(reply.header("content-type"), Some("text/event-stream"));
    let text = reply.text();
    let last: Value = serde_json::from_str(text.rsplit("data: ").next().unwrap().trim()).unwrap();
    assert_eq!(last["state"], "finished", "{text}");
    assert_eq!(last["done_us"], last["total_us"], "{text}");
    // Who has seen the end is told not to come back.
    let id = text.lines().rev().find_map(|line| line.strip_prefix("id: ")).unwrap();
    server.get(&path).with_status(200);
    let seen = format!("{}-finished", last["total_us"]);
    assert_eq!(id, seen);
    server.send("GET", &path, &[("last-event-id", &seen)], &[]).with_status(204);
}

/// What a worker had not finished when it died is made again; its rows are counted once.
#[test]
fn progress_counts_the_rows_that_are_kept() {
    let place = Place::new();
    let mut server = place.serve([]);
    let host = server.running().id();
    let last = |isolation: &str, deaths: usize| {
        let spec = json!({ "scenario": "ecommerce", "duration": "4h", "segment": "20m", "partitions": 2, "seed": 7, "start": "2026-11-09T00:00:00Z",
            "dataset": isolation, "isolation": isolation, "validators": [] });
        let run = server.post("/api/v1/runs", &spec).with_status(201).json();
        let path = format!("/api/v1/runs/{}/events", run["id"].as_str().unwrap());
        let (mut killed, mut next_us, mut last) = (0, 1_800_000_000, Value::Null);
        for event in server.events(&path, None) {
            let found = workers(host, "shard");
            if killed < deaths && event.data["done_us"].as_u64().unwrap() > next_us && !found.is_empty() {
                kill(found[killed % found.len()]);
                (killed, next_us) = (killed + 1, next_us + 5_400_000_000);
            }
            last = event.data;
        }
        assert_eq!(
            (killed, &last["state"], &last["done_us"]),
            (deaths, &json!("finished"), &last["total_us"]),
            "{last}"
        );
        last["rows"].as_u64().unwrap()
    };
    assert_eq!(last("process", 4), last("thread", 0));
}

#[test]
fn a_run_that_is_cancelled_or_cut_off_goes_on_and_makes_the_same_rows() {
    let place = Place::new();
    let server = place.serve([]);
    let day = json!({ "scenario": "ecommerce", "duration": "12h", "segment": "1h", "seed": 7,
        "start": "2026-11-09T00:00:00Z", "validators": [] });
    let id = server.post("/api/v1/runs", &day).with_status(201).json()["id"].as_str().unwrap().to_owned();
    server.send("POST", &format!("/api/v1/runs/{id}/cancel"), &[], &[]).with_status(202);
    let path = format!("/api/v1/runs/{id}");
    wait_until("the run has stopped", || server.get(&path).json()["state"] == "cancelled");
    let again = format!("/api/v1/runs/{id}/cancel");
    server.send("POST", &again, &[], &[]).with_status(409);
    server.send("POST", &format!("{path}/resume"), &[], &[]).with_status(202);
    // The server stops while the run is under way: it is left so that it can go on.
    server.stop().with_code(0);
    let state = place.runs()[0]["state"].as_str().unwrap().to_owned();
    assert_eq!(state, "cancelled");
    let server = place.serve([]);
    server.send("POST", &format!("{path}/resume"), &[], &[]).with_status(202);
    let run = finished(&server, &id);
    let whole = Place::new();
    let whole = {
        let server = whole.serve([]);
        let id = server.post("/api/v1/runs", &day).with_status(201).json()["id"].as_str().unwrap().to_owned();
        finished(&server, &id)
    };
    assert_eq!(run["fingerprint"], whole["fingerprint"]);
}

#[test]
fn a_bad_spec_names_its_field_and_files_can_not_be_named() {
    let place = Place::new();
    let server = place.serve([]);
    let cases = [
        (json!({ "scenario": "ecommerc" }), "scenario"),
        (json!({ "scenario": "ecommerce", "partitions": 0 }), "partitions"),
        (json!({ "scenario": "ecommerce", "colour": 1 }), "colour"),
        (json!({ "dataset": "a", "duration": "1h", "generator": { "plugin": "/etc/passwd" } }), "generator.plugin"),
        (json!({ "scenario": "ecommerce", "inputs": { "a": "/etc/passwd" } }), "inputs.a"),
        (json!({ "dataset": "a", "duration": "1h", "generator": { "plugin": "nothing" } }), "nothing"),
        (
            json!({ "scenario": "ecommerce", "generator": { "plugin": "ecommerce", "config": { "base_tps": -1 } } }),
            "base_tps",
        ),
    ];
    for (spec, part) in cases {
        let reply = server.post("/api/v1/runs", &spec).with_status(400);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        assert!(reply.text().contains(part), "{part} is missing in {}", reply.text());
    }
    for (spec, path) in [
        (json!({ "scenario": "ecommerce", "seed": "x" }), "seed"),
        (json!({ "scenario": "ecommerce", "duration": "1x" }), "duration"),
        (json!({ "dataset": "a", "duration": "1h", "generator": {} }), "generator.plugin"),
        (json!({ "dataset": "information_schema", "scenario": "ecommerce" }), "dataset"),
    ] {
        let reply = server.post("/api/v1/runs", &spec).with_status(400).json();
        assert_eq!(reply["errors"][0]["path"], path, "{reply}");
    }
    // Refused once there are too many, not once they are all made.
    let centuries = json!({ "scenario": "ecommerce", "duration": "999999d", "validators": [],
        "incident_models": [{ "plugin": "service-incidents", "config": { "incidents_per_day": "48-48", "scenarios": false } }] });
    let reply = server.post("/api/v1/runs", &centuries).with_status(422).json();
    assert_eq!(reply["errors"][0]["path"], "duration", "{reply}");
    assert_eq!(server.get("/api/v1/runs").json()["items"], json!([]), "a refused spec leaves no run");
    server.get("/api/v1/runs/r0000000000000000").with_status(404);
    server.get("/api/v1/runs/nothing").with_status(404);
    server.send("POST", "/api/v1/runs", &[], b"{}").with_status(415);
    let reply = server
        .send("POST", "/api/v1/runs", &[("content-type", "application/json")], b"{\"scenario\": ")
        .with_status(400);
    assert!(reply.text().contains("line 1"), "{}", reply.text());
}

#[test]
fn runs_are_listed_in_pages() {
    let place = Place::new();
    let server = place.serve([]);
    let mut made = Vec::new();
    for name in ["a", "b", "c"] {
        let mut spec = hour();
        spec["dataset"] = json!(name);
        spec["duration"] = json!("1m");
        spec["validators"] = json!([]);
        let id = server.post("/api/v1/runs", &spec).with_status(201).json()["id"].as_str().unwrap().to_owned();
        finished(&server, &id);
        made.insert(0, id);
    }
    let (mut listed, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/api/v1/runs?limit=2{cursor}")).with_status(200).json();
        listed.extend(page["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(listed, made);
    server.get("/api/v1/runs?limit=0").with_status(400);
    for (method, path, parameter) in [
        ("GET", "/api/v1/runs?limit=few", "limit"),
        ("POST", "/api/v1/plugins?activate=perhaps", "activate"),
        ("POST", "/api/v1/plugins?digest=1", "digest"),
    ] {
        let told = server.send(method, path, &[], &[]).with_status(400).json();
        assert_eq!(told["errors"][0]["path"], parameter, "{told}");
        assert!(told["detail"].as_str().unwrap().starts_with(parameter), "{told}");
    }
    server.get("/api/v1/runs?cursor=x").with_status(400);
}
