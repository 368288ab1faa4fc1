//! A real inventory: whatever a run does, it does to what stands in the files.

use std::collections::BTreeSet;

use serde_json::Value;

use super::run;
use crate::program::Place;

/// Room for more sites and terminals than there are.
const SPEC: &str = r#"
dataset = "estate"
seed = 3
start = "2026-11-11T09:00:00Z"
duration = "3h"
partitions = 2
segment = "1h"
[generator]
plugin = "pos-estate"
[generator.config]
inventory = "fed"
sites = 10
terminals = 60
metrics_seconds = 60
[inputs]
sites = "sites.csv"
devices = "devices.csv"
[[incident_models]]
plugin = "device-outages"
[incident_models.config]
incidents_per_day = 40
[[incident]]
model = "device-outages"
kind = "site-network-down"
target = "mill"
start = "2026-11-11T10:10:00Z"
length = "30m"
"#;

const SITES: &str = "site_id,city\nharbour,Cork\nmill,Leeds\n";
const DEVICES: &str =
    "device_id,site_id,model\ntill-a,mill,X9\ntill-b,harbour,X9\ntill-c,mill,X9\ntill-d,harbour,\ntill-e,mill,\n";
const TILLS: [&str; 5] = ["till-a", "till-b", "till-c", "till-d", "till-e"];

fn place() -> Place {
    let place = Place::new();
    place.file("sites.csv", SITES);
    place.file("devices.csv", DEVICES);
    place
}

/// Distinct texts of a query with one column.
fn distinct(place: &Place, query: &str) -> BTreeSet<String> {
    let text = |row: &Value| row.as_object().unwrap().values().next().unwrap().as_str().unwrap_or("null").to_owned();
    place.sql(query).iter().map(text).collect()
}

#[test]
fn everything_aims_at_devices_that_exist() {
    let place = place();
    let record = run(&place, SPEC, &[]);
    for table in ["devices", "device_metrics", "job_outcomes", "config_history"] {
        let seen = distinct(&place, &format!("SELECT DISTINCT device_id FROM estate.{table}"));
        assert!(seen.iter().all(|device| TILLS.contains(&device.as_str())), "{table}: {seen:?}");
    }
    // Incidents, too: the ground truth joins the inventory by name.
    let struck = distinct(&place, "SELECT DISTINCT target FROM estate.incident_effects");
    let parts = ["estate", "api", "harbour", "mill"].into_iter().chain(TILLS);
    let parts: BTreeSet<&str> = parts.chain(["rollout-1", "rollout-2", "rollout-3", "rollout-4"]).collect();
    assert!(struck.iter().all(|target| parts.contains(target.as_str())), "{struck:?}");
    assert!(struck.iter().any(|target| target.starts_with("till-")) && struck.contains("mill"), "{struck:?}");
    let reporting = "SELECT DISTINCT device_id FROM estate.device_metrics WHERE site_id = 'mill' \
                     AND time >= TIMESTAMP '2026-11-11T10:12:00Z' AND time < TIMESTAMP '2026-11-11T10:40:00Z'";
    assert_eq!(distinct(&place, reporting), BTreeSet::new(), "the site that the spec names is cut off");
    let others = reporting.replace("'mill'", "'harbour'");
    assert!(!distinct(&place, &others).is_empty());

    // The same rows from processes, and made again.
    let apart = SPEC.replacen("[generator]", "isolation = \"process\"\n[generator]", 1);
    let apart = run(&place, &apart, &["--replace"]);
    assert_eq!(apart["fingerprint"], record["fingerprint"]);
    place.good(["run", "verify"]);
    let by_place = SPEC.replace("target = \"mill\"", "target = \"site-002\"");
    place.file("spec.toml", by_place);
    place.ask(["run", "start", "spec.toml", "--replace"]).refused(&["site-002", "mill"]);
    place.file("spec.toml", SPEC);
    let shown = place.good(["preview", "spec.toml", "--at", "2026-11-11T10:20:00Z", "--for", "1m"]);
    assert!(shown.contains("till-b") && !shown.contains("pos-000"), "{shown}");
}

#[test]
fn two_parts_of_one_name_are_refused() {
    let place = place();
    place.file("devices.csv", DEVICES.replace("till-e", "mill"));
    place.file("spec.toml", SPEC);
    place.ask(["run", "start", "spec.toml"]).refused(&["devices", "\"mill\"", "another target"]);
    assert!(place.runs().is_empty());
}
