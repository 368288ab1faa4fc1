//! Runs of the built program: the same rows however they are made, and nothing half done however they end.

mod appended;
mod fed;
mod hostile;
mod interrupted;
mod isolated;
mod proofs;
mod refused;

use serde_json::Value;

use crate::program::{Answer, Place, Running, wait_until};

/// A spec of the shop on a day that has an incident at 15:25; the rows follow from `start` and `duration` alone.
fn shop(start: &str, duration: &str, partitions: u32, segment: &str) -> String {
    format!(
        r#"
        dataset = "shop"
        seed = 7
        start = "2026-11-09T{start}:00Z"
        duration = "{duration}"
        partitions = {partitions}
        segment = "{segment}"
        [generator]
        plugin = "ecommerce"
        [[incident_models]]
        plugin = "service-incidents"
        "#
    )
}

/// A spec of the guest that breaks the contract, in its second minute.
fn hostile(fault: &str) -> String {
    format!(
        r#"
        dataset = "meters"
        seed = 7
        start = "2026-11-09"
        duration = "10m"
        partitions = 2
        segment = "1m"
        [generator]
        plugin = "hostile.wasm"
        [generator.config]
        fault = "{fault}"
        after_s = 90
        "#
    )
}

/// Runs a spec that must succeed; gives its record.
fn run(place: &Place, spec: &str, more: &[&str]) -> Value {
    place.file("spec.toml", spec);
    let words = ["run", "start", "spec.toml", "--json"].into_iter().chain(more.iter().copied());
    place.json(words)["run"].take()
}

/// Starts a run and waits until it is at work.
fn running(place: &Place, spec: &str, more: &[&str]) -> Running {
    place.file("spec.toml", spec);
    let mut child = place.spawn(["run", "start", "spec.toml"].into_iter().chain(more.iter().copied()));
    wait_until("the run is at work", || {
        assert!(!child.has_ended(), "the run ended before it was looked at");
        let listed = place.ask(["run", "list", "--json"]);
        serde_json::from_str::<Value>(&listed.out).is_ok_and(|runs| runs[0]["state"] == "running")
    });
    child
}

fn resumed(answer: Answer) -> Value {
    serde_json::from_str::<Value>(&answer.with_code(0).out).unwrap()["run"].take()
}
