//! What is found wrong in streams: alerts that validators raise and resolve, and streams that fail.

use super::streams::{ask, shop, show, started};
use crate::program::{Event, Place, wait_until};
use serde_json::{Value, json};
use telemill_tests::guest;

fn of(event: &Event, key: &str) -> Value {
    event.data["alert"][key].clone()
}

#[test]
fn a_validator_of_a_stream_raises_an_alert_that_is_resolved_when_it_passes_again() {
    let place = Place::new();
    let server = place.serve([]);
    let mut events = server.events("/api/v1/alerts/events", Some("0"));
    let mut spec = shop();
    // The shop is quiet by night and busy by day.
    spec["start"] = "2026-11-09T00:00:00Z".into();
    spec["stream"]["live_from"] = "2026-11-09T02:00:00Z".into();
    let rule = json!({ "name": "traffic", "per": "hour", "at_least": 9000 });
    let tables = json!([{ "table": "transactions", "rows": [rule] }]);
    spec["validators"] = json!([{ "plugin": "table-rules", "config": { "tables": tables } }]);
    let path = started(&server, &spec);
    let raised = events.next().unwrap();
    assert_eq!((raised.name.as_str(), of(&raised, "source")), ("raised", "stream into shop".into()), "{raised:?}");
    assert_eq!((of(&raised, "validator"), of(&raised, "dataset")), ("table-rules".into(), "shop".into()));
    let resolved = events.next().unwrap();
    assert_eq!((resolved.name.as_str(), of(&resolved, "id")), ("resolved", of(&raised, "id")), "{resolved:?}");
    ask(&server, &path, "stop");
    // Every stretch is an hour, whatever was committed at once.
    let reports = server.get("/api/v1/reports?dataset=shop&limit=100").with_status(200).json();
    let reports = reports["items"].as_array().unwrap();
    assert!(reports.len() > 2 && reports.iter().any(|report| report["passed"] == false), "{reports:?}");
    let hour = 3_600_000_000_i64;
    for report in reports {
        let time = |key: &str| {
            let time: telemill::core::time::Timestamp = report["window"][key].as_str().unwrap().parse().unwrap();
            time.0
        };
        assert_eq!((time("end") - time("start"), time("start") % hour), (hour, 0), "{report}");
    }
}

#[test]
fn a_stream_that_fails_raises_an_alert_until_it_is_stopped() {
    let place = Place::new();
    place.file("hostile.wasm", guest("hostile").unwrap());
    place.good(["plugin", "install", "hostile.wasm", "--enable"]);
    let server = place.serve([]);
    let mut events = server.events("/api/v1/alerts/events", Some("0"));
    let spec = json!({
        "dataset": "meters", "seed": 7, "start": "2026-11-09T00:00:00Z", "partitions": 1,
        "generator": { "plugin": "hostile", "config": { "fault": "panic", "after_s": 30 } },
    });
    let path = started(&server, &spec);
    let raised = events.next().unwrap();
    assert_eq!((raised.name.as_str(), of(&raised, "source")), ("raised", "stream into meters".into()), "{raised:?}");
    assert!(of(&raised, "message").as_str().unwrap().contains("failed"), "{raised:?}");
    let stream = show(&server, &path);
    assert_eq!(stream["state"], "failed", "{stream}");
    // It fails in the same way again: what it is told of is counted, not told once more.
    ask(&server, &path, "resume");
    wait_until("it failed again", || show(&server, &path)["state"] == "failed");
    let listed = server.get("/api/v1/alerts").json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    wait_until("it is counted", || server.get("/api/v1/alerts").json()["items"][0]["times"] == 2);
    ask(&server, &path, "stop");
    let resolved = events.next().unwrap();
    assert_eq!((resolved.name.as_str(), of(&resolved, "id")), ("resolved", of(&raised, "id")), "{resolved:?}");
    server.stop().with_code(0);
}
