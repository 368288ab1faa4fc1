//! The OpenSearch sink of a stream: every row once, by its id, and what is refused is kept whole and sent again.

use super::receiver::{Fault, Receiver};
use crate::program::{Place, send};
use crate::server::shop;
use serde_json::{Value, json};

/// A stream that ends by itself, into indices that begin with `live_`.
fn streamed(place: &Place, receiver: &Receiver, tables: &[&str]) -> Value {
    let mut spec = shop();
    spec["stream"]["until"] = "2026-11-09T20:30:00Z".into();
    spec["stream"]["sinks"] = json!([{ "name": "search", "tables": tables,
        "opensearch": { "url": format!("http://{}", receiver.address), "index_prefix": "live_" } }]);
    place.file("stream.json", spec.to_string());
    place.json(["stream", "run", "stream.json", "--json"])
}

fn rows(stream: &Value, table: &str) -> usize {
    let tables = stream["tables"].as_array().unwrap();
    tables.iter().find(|found| found["table"] == table).unwrap()["rows"].as_u64().unwrap() as usize
}

fn stored(receiver: &Receiver, index: &str) -> usize {
    receiver.cluster().indices[index].documents.len()
}

fn letters(place: &Place) -> Vec<Value> {
    place.json(["stream", "dead-letters", "list", "search", "--json"]).as_array().unwrap().clone()
}

#[test]
fn rows_arrive_once_by_id_whatever_the_server_says_at_first_and_refused_ones_are_sent_again() {
    let receiver = Receiver::start();
    // All of the first batch is told to wait, then half of it; a third of what is left is refused. An answer is lost.
    let faults = [Fault::Status(429, None), Fault::Items(2, 429), Fault::Items(3, 400), Fault::LostAnswer];
    receiver.cluster().faults.extend(faults);
    let place = Place::new();
    let stream = streamed(&place, &receiver, &["transactions"]);
    let rows = rows(&stream, "transactions");
    let (first, again): (usize, usize) = {
        let cluster = receiver.cluster();
        assert_eq!(cluster.seen[0].documents, cluster.seen[1].documents, "it is sent again: {:?}", cluster.seen);
        (cluster.seen[0].documents, cluster.seen[2].documents)
    };
    assert_eq!(again, first.div_ceil(2), "only what was told to wait");
    let refused = again.div_ceil(3);
    assert_eq!(stored(&receiver, "live_transactions"), rows - refused);

    let kept = letters(&place);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(kept[0]["reason"], format!("{refused} documents were refused: rejected_execution_exception: told to"));
    let body = place.good(["stream", "dead-letters", "show", "search", kept[0]["batch_key"].as_str().unwrap()]);
    let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2 * refused, "an action line and a document each");
    assert!(lines[0]["index"]["_id"].is_string() && lines[1]["response_time_ms"].is_number(), "{body}");

    // Some of it is refused once more: that is what is left of the letter.
    receiver.cluster().faults.push_back(Fault::Items(2, 400));
    let told = place.json_with_code(1, ["stream", "dead-letters", "send", "search", "--json"]);
    assert_eq!(told, json!({ "sent": 0, "left": 1, "stopped": null }));
    let left = refused.div_ceil(2);
    assert!(letters(&place)[0]["reason"].as_str().unwrap().starts_with(&format!("{left} documents were refused")));
    assert_eq!(stored(&receiver, "live_transactions"), rows - left);
    let told = place.json(["stream", "dead-letters", "send", "search", "--json"]);
    assert_eq!(told, json!({ "sent": 1, "left": 0, "stopped": null }));
    assert_eq!(stored(&receiver, "live_transactions"), rows);
}

#[test]
fn documents_that_do_not_fit_an_index_arrive_once_it_is_mended() {
    let receiver = Receiver::start();
    let url = format!("http://{}", receiver.address);
    let wrong = json!({ "mappings": { "properties": { "severity": { "type": "long" } } } });
    send(&url, "PUT", "/live_incidents", &[], wrong.to_string().as_bytes()).with_status(200);
    let place = Place::new();
    let stream = streamed(&place, &receiver, &["incidents"]);
    let (rows, kept) = (rows(&stream, "incidents"), letters(&place));
    assert!(rows > 0 && stored(&receiver, "live_incidents") == 0);
    assert!(kept.iter().all(|letter| letter["reason"].as_str().unwrap().contains("severity")), "{kept:?}");
    send(&url, "DELETE", "/live_incidents", &[], &[]).with_status(200);
    let told = place.json(["stream", "dead-letters", "send", "search", "--json"]);
    assert_eq!(told, json!({ "sent": kept.len(), "left": 0, "stopped": null }));
    assert_eq!(stored(&receiver, "live_incidents"), rows);
    let mapping = send(&url, "GET", "/live_incidents", &[], &[]).json();
    assert_eq!(mapping["live_incidents"]["mappings"]["properties"]["severity"]["type"], "keyword", "it was made anew");
}
