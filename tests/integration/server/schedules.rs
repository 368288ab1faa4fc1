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
