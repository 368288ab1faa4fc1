//! The OpenAPI document: served, checked in, and the same.

use crate::program::Place;
use serde_json::Value;
use std::{env, fs};
use telemill_tests::repository;

/// Where it is checked in.
const CHECKED_IN: &str = "docs/openapi.json";

#[test]
fn the_document_is_served_and_checked_in() {
    let made: Value = serde_json::from_str(&telemill::http::document()).unwrap();
    let path = repository().join(CHECKED_IN);
    // As with the snapshots of help texts.
    if env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(&path, telemill::http::document() + "\n").unwrap();
    }
    let kept: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert!(kept == made, "{CHECKED_IN} is not what the code says: run this test with INSTA_UPDATE=always");
    let place = Place::new();
    let server = place.serve([]);
    let served = server.get("/api/v1/openapi.json").with_status(200).json();
    assert!(served == made, "the served document is another");
    assert_eq!(served["openapi"], "3.1.0");
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let document: Value = serde_json::from_str(&telemill::http::document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.values().flat_map(|item| item.as_object().unwrap().values());
    let mut names: Vec<&str> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert!(all > 50 && names.len() == all, "{all} operations have {} names", names.len());
}

/// What a client program is made from: every answer with JSON has a form, those of mapping files too.
#[test]
fn every_answer_in_json_has_a_form() {
    let document: Value = serde_json::from_str(&telemill::http::document()).unwrap();
    let mut formless = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for (status, answer) in operation["responses"].as_object().unwrap() {
                let schema = &answer["content"]["application/json"]["schema"];
                if schema.as_object().is_some_and(serde_json::Map::is_empty) {
                    formless.push(format!("{method} {path} {status}"));
                }
            }
        }
    }
    assert!(formless.is_empty(), "{formless:?}");
    let mapped = &document["paths"]["/segment-stats"]["post"];
    let members = &mapped["requestBody"]["content"]["application/json"]["schema"]["properties"];
    assert_eq!(members["current_time"]["type"], "string", "{mapped}");
    assert_eq!(
        mapped["responses"]["200"]["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/TableAnswer"
    );
}
