//! What `plugin new` makes, in every language and of every kind: it builds, keeps the contract, and does its part in a run.

use std::fs;

use telemill_tests::repository;

use super::projects::{hello, telemill};
use super::{DAY, shown};
use crate::program::Place;

const KINDS: [&str; 3] = ["generator", "incident-model", "validator"];

/// Builds all three, which runs their own tests, holds each to the contract, and lets them run together, beside a validator in
/// Rust.
fn whole(language: &str) {
    let [generator, model, validator] = KINDS.map(|kind| shown(&hello(kind, language)));
    let report = telemill(&["plugin", "test", &generator, "--json"]).with_code(0).out;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["effects"]["fields_held"], 3, "{language}");
    let law = "effects leave rows of other targets alone";
    let held = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == law).unwrap();
    assert_eq!(held["outcome"], "passed", "{language}: {held}");
    for plugin in [&model, &validator] {
        telemill(&["plugin", "test", plugin, "--generator", &generator]).with_code(0);
    }
    let place = Place::new();
    let spec = format!(
        "{DAY}[generator]\nplugin = \"{generator}\"\n[[incident_models]]\nplugin = \"{model}\"\n\
         [[validators]]\nplugin = \"{validator}\"\n[[validators]]\nplugin = \"table-rules\"\n"
    );
    place.file("spec.toml", spec);
    place.good(["run", "start", "spec.toml", "--quiet"]);
    place.good(["run", "verify", "--quiet"]);
    let struck = place.sql("SELECT count(*) AS rows FROM homes.readings WHERE incident_id IS NOT NULL");
    assert!(struck[0]["rows"].as_u64().unwrap() > 0, "{language}: no incident shows");
}

#[test]
fn javascript() {
    whole("javascript");
}

#[test]
fn typescript() {
    whole("typescript");
}

#[test]
fn python() {
    whole("python");
}

#[test]
fn c() {
    whole("c");
}

#[test]
fn go() {
    whole("go");
}

#[test]
fn rust() {
    whole("rust");
}

/// The page of a language shows the `advance` that is made as it is.
#[test]
fn the_pages_show_what_is_made() {
    for (language, file) in [("javascript", "js"), ("python", "py"), ("c", "c"), ("go", "go")] {
        let page = fs::read_to_string(repository().join(format!("docs/plugins/{language}.md"))).unwrap();
        let template = repository().join(format!("host/templates/{language}/generator/src/plugin.{file}"));
        let template = fs::read_to_string(template).unwrap();
        let shown: Vec<&str> = page.split(&format!("\n```{language}\n")).skip(1).collect();
        assert_eq!(shown.len(), 1, "{language}");
        let shown = shown[0].split("```").next().unwrap();
        assert!(shown.contains("dvance") && template.contains(shown), "{language}: {shown}");
    }
}
