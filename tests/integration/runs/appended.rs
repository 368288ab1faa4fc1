//! Runs that add to what is there: a snapshot's rows replace those with the same key, and the others stay.

use serde_json::{Value, json};

use crate::program::Place;

/// Machines of the fleet, by code, with when they were last heard of.
fn machines(place: &Place, dataset: &str) -> Vec<(String, String)> {
    let query = format!("SELECT device_code, last_connection_ts FROM {dataset}.devices ORDER BY device_code");
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    place.sql(&query).iter().map(|row| (text(row, "device_code"), text(row, "last_connection_ts"))).collect()
}

#[test]
fn rows_of_a_snapshot_replace_those_with_the_same_key() {
    let place = Place::new();
    let fleet = |devices: &str, start: &str, more: &[&str]| {
        let set = format!("device-fleet.devices={devices}");
        let words =
            ["run", "start", "device-fleet", "--json", "--quiet", "--duration", "1h", "--set", &set, "--start", start];
        // So few machines fail the rules for thousands.
        let answer = place.ask(words.into_iter().chain(more.iter().copied()));
        assert!(matches!(answer.code, Some(0 | 1)), "{}", answer.err);
        serde_json::from_str::<Value>(&answer.out).unwrap()["run"].take()
    };
    let first = fleet("400", "2026-11-09T00:00:00Z", &[]);
    let before = machines(&place, "device_fleet");
    let second = fleet("300", "2026-11-10T12:00:00Z", &["--append"]);
    fleet("300", "2026-11-10T12:00:00Z", &["--dataset", "alone"]);
    let (after, alone) = (machines(&place, "device_fleet"), machines(&place, "alone"));
    assert_eq!((before.len(), alone.len()), (400, 300));

    let brought = |code: &str| alone.iter().any(|(other, _)| other == code);
    let mut expected: Vec<_> = before.iter().filter(|(code, _)| !brought(code)).chain(&alone).cloned().collect();
    expected.sort();
    assert_eq!(after, expected, "a key is there once, with its newest row");
    assert!(after.len() < 700 && after.iter().any(|row| before.contains(row)), "some were replaced and some stay");

    // What was kept is not the second run's work, and the first run's is still what it was.
    for record in [&first, &second] {
        let id = record["id"].as_str().unwrap();
        let proof = place.json(["run", "verify", id, "--lake", "--json"]);
        assert_eq!((&proof["equal"], &proof["found"]), (&json!(true), &record["fingerprint"]));
    }
    let rows = |record: &Value| {
        record["tables"].as_array().unwrap().iter().find(|t| t["table"] == "devices").unwrap()["rows"].clone()
    };
    assert_eq!((rows(&first), rows(&second)), (json!(400), json!(300)));
}
