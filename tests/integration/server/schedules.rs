//! Schedules and alerts over HTTP: a scheduler in the server, asked, watched and told off.

use crate::program::{Place, wait_until};
use crate::schedules::pipeline;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

#[test]
fn a_pipeline_runs_when_asked_and_its_alert_is_told_seen_and_resolved() {
    let place = Place::new();
    let steps: [(&str, &[&str], &str); 2] = [("a", &[], "test -e mended"), ("b", &["a"], "echo secret")];
    let file = place.file("p.toml", pipeline("summary = \"fails at first\"", &steps));
    let server = place.serve(["--pipeline", file.to_str().unwrap()]);
    let schedules = || server.get("/api/v1/schedules").with_status(200).json();
    wait_until("the pipeline is known", || schedules()[0]["name"] == "p");
    let shown = schedules();
    assert_eq!(shown[0]["steps"][1], json!({ "name": "b", "kind": "command", "needs": ["a"] }));
    assert!(!shown.to_string().contains("mended"), "programs are not shown: {shown}");

    // Events are heard as they come, from before the first.
    let mut events = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
    events.write_all(b"GET /api/v1/alerts/events HTTP/1.1\r\nhost: localhost\r\nlast-event-id: 0\r\n\r\n").unwrap();
    let mut events = BufReader::new(events).lines();
    let mut heard = || {
        let line = events.find_map(|line| line.unwrap().strip_prefix("data:").map(str::to_owned)).unwrap();
        serde_json::from_str::<Value>(&line).unwrap()
    };

    let asked = server.post("/api/v1/schedules/p/runs", &json!({})).with_status(202).json();
    assert_eq!(asked["pipeline"], "p");
    let raised = heard();
    assert_eq!((&raised["kind"], &raised["alert"]["rule"]), (&"raised".into(), &"succeeds".into()), "{raised}");
    let runs = server.get("/api/v1/schedules/p/runs").with_status(200).json();
    let id = runs["items"][0]["id"].to_string();
    let run = server.get(&format!("/api/v1/schedules/p/runs/{id}")).with_status(200).json();
    assert_eq!((&run["state"], &run["steps"][1]["state"]), (&"failed".into(), &"skipped".into()), "{run:#}");

    let alert = server.get("/api/v1/alerts?state=open").with_status(200).json()["items"][0]["id"].to_string();
    let acknowledge = format!("/api/v1/alerts/{alert}/acknowledge");
    server.post(&acknowledge, &json!({ "by": "ada", "colour": 1 })).with_status(400);
    let seen = server.post(&acknowledge, &json!({ "by": "ada" })).with_status(200).json();
    assert_eq!((&seen["state"], &seen["acknowledged_by"]), (&"acknowledged".into(), &"ada".into()));
    server.post(&acknowledge, &json!({})).with_status(404);
    assert_eq!(heard()["kind"], "acknowledged");

    place.file("mended", "");
    // From beside the server as well.
    place.good(["schedule", "trigger", "p", "--again", &id]);
    let resolved = heard();
    assert_eq!((&resolved["kind"], &resolved["alert"]["id"].to_string()), (&"resolved".into(), &alert));
    let newest = &server.get("/api/v1/schedules/p/runs?limit=1").json()["items"][0];
    assert_eq!((&newest["attempt"], &newest["due"]), (&2.into(), &run["due"]));

    for path in
        ["/api/v1/schedules/q", "/api/v1/schedules/q/runs", "/api/v1/schedules/p/runs/999", "/api/v1/alerts/999"]
    {
        server.get(path).with_status(404);
    }
    server.post("/api/v1/schedules/q/runs", &json!({})).with_status(404);
    server.stop().with_code(0);
}

/// Rows that wait in the log when a step begins are in the lake for it, whatever it does with them.
#[test]
fn steps_meet_all_rows_that_were_acknowledged_before() {
    let place = Place::new();
    place.file("odd.toml", "summary = \"Odd ones\"\ntable = \"orders\"\n[[steps]]\nname = \"odd\"\nsql = \"SELECT * FROM input WHERE id % 2 = 1\"\n");
    let file = place.file(
        "p.toml",
        r#"
[pipeline]
name = "p"

[[step]]
name = "judge"
kind = "validate"
dataset = "shop"
with = "table-rules"
last = "90m"
config = { tables = [{ table = "orders", unique = [{ name = "ids differ", columns = ["id"] }] }] }

[[step]]
name = "clean"
kind = "clean"
dataset = "shop"
recipe = "odd.toml"
output = "odd"
replace = true
last = "90m"

[[step]]
name = "files"
kind = "export"
source = "shop"
format = "csv"
ordered = true
last = "90m"
output_dir = "out"

[[step]]
name = "beside"
kind = "command"
command = ["cat", "out/orders.csv"]
"#,
    );
    let server = place.serve(["--pipeline", file.to_str().unwrap()]);
    wait_until("the pipeline is known", || server.get("/api/v1/schedules").json()[0]["name"] == "p");
    let take_in = |id: u32, hour: u32| {
        let row = format!("{{\"id\":{id},\"at\":\"2026-11-09T{hour:02}:00:00Z\"}}\n");
        let path = "/api/v1/ingest/shop/orders?time_field=at";
        let headers = [("content-type", "application/x-ndjson")];
        server.send("POST", path, &headers, row.as_bytes()).with_status(200);
    };
    let ran = || {
        let newest = |key: &str| server.get("/api/v1/schedules/p/runs?limit=1").json()["items"][0][key].clone();
        // Before it is asked for: it may have begun by the next look.
        let before = newest("id");
        let asked = server.post("/api/v1/schedules/p/runs", &json!({})).with_status(202).json();
        assert_eq!(asked["pipeline"], "p");
        wait_until("it ran", || newest("id") != before && newest("state") != "running");
        server.get(&format!("/api/v1/schedules/p/runs/{}", newest("id"))).with_status(200).json()
    };
    let states = |run: &Value| -> Vec<String> {
        run["steps"].as_array().unwrap().iter().map(|step| step["state"].as_str().unwrap().to_owned()).collect()
    };
    take_in(1, 10);
    take_in(3, 11);
    let run = ran();
    assert_eq!(states(&run), ["succeeded"; 4], "{run:#}");
    assert_eq!(run["steps"][1]["result"]["rows_out"], 2, "{run:#}");
    assert_eq!(run["steps"][2]["result"][0]["rows"], 2, "{run:#}");
    // The newest time is that of rows that wait.
    take_in(3, 13);
    take_in(3, 13);
    let run = ran();
    assert_eq!(states(&run), ["failed", "succeeded", "succeeded", "succeeded"], "{run:#}");
    assert_eq!(run["steps"][1]["result"]["rows_out"], 2, "{run:#}");
    assert_eq!(run["steps"][3]["log"].as_array().unwrap().len(), 3, "{run:#}");
    server.stop().with_code(0);
}
