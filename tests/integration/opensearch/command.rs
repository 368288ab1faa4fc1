//! `telemill load opensearch` as it is typed: a table of the lake, an index that is there, documents that are refused.

use super::receiver::{Fault, Receiver};
use crate::program::Place;
use serde_json::{Value, json};

const SPEC: &str = r#"
    dataset = "shop"
    seed = 7
    start = "2026-11-09T15:00:00Z"
    duration = "10m"
    partitions = 1
    segment = "10m"
    [generator]
    plugin = "ecommerce"
    "#;

#[test]
fn a_table_of_the_lake_is_loaded_and_its_documents_counted() {
    let (place, receiver) = (Place::new(), Receiver::start());
    place.file("spec.toml", SPEC);
    place.good(["run", "start", "spec.toml", "--quiet"]);
    let rows = place.sql("SELECT count(*) AS rows FROM shop.transactions")[0]["rows"].as_u64().unwrap();
    let host = receiver.address.to_string();
    let load = ["load", "opensearch", "--host", &host, "--index", "calls", "--source", "shop.transactions", "--json"];
    let ask = |more: &[&str]| place.ask(load.into_iter().chain(more.iter().copied()));
    let loaded = |code: i32, more: &[&str]| -> Value { serde_json::from_str(&ask(more).with_code(code).out).unwrap() };
    let stored = || receiver.cluster().indices["calls"].documents.len() as u64;

    // The second time there is an index to delete.
    for _ in 0..2 {
        let told = loaded(0, &["--recreate", "--verify"]);
        let counts = ["sent", "accepted", "counted", "refused"].map(|key| told[key].clone());
        assert_eq!(counts, [json!(rows), json!(rows), json!(rows), json!(0)]);
        assert_eq!(stored(), rows);
    }
    ask(&[]).refused(&["calls", "--recreate"]);
    assert_eq!(stored(), rows, "the index is as it was");

    receiver.cluster().faults.push_back(Fault::Items(2, 400));
    let told = loaded(1, &["--recreate", "--verify"]);
    let count = |key: &str| told[key].as_u64().unwrap();
    assert!(count("refused") > 0, "{told}");
    assert_eq!((count("sent"), count("accepted") + count("refused"), count("counted")), (rows, rows, stored()));
    assert_eq!(count("accepted"), stored());
}
