//! The command line of the built program: what it prints where, how it ends, what its help says.

mod clean;
mod data;
mod files;
mod generate;
mod help;
mod logs;
mod plugins;
mod profiles;
mod settings;
mod validate;

use serde_json::Value;

use crate::program::Place;

/// A spec of half an hour of the shop with an incident from 15:25 on, and its recovery.
pub(crate) const SPEC: &str = r#"
dataset = "shop"
seed = 7
start = "2026-11-09T15:15:00Z"
duration = "30m"
partitions = 2
segment = "30m"
[generator]
plugin = "ecommerce"
[generator.config]
base_tps = 10
[[incident_models]]
plugin = "service-incidents"
"#;

/// A place whose lake has the rows of [`SPEC`].
fn shop() -> Place {
    let place = Place::new();
    place.file("spec.toml", SPEC);
    place.good(["run", "start", "spec.toml", "--quiet"]);
    place
}

/// Lines of bulk data: action and document by turns.
fn documents(text: &str) -> Vec<(Value, Value)> {
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(text.is_empty() || text.ends_with('\n'), "the last line must end");
    let (pairs, rest) = lines.as_chunks::<2>();
    assert!(rest.is_empty(), "an action without a document");
    pairs.iter().map(|[action, document]| (action.clone(), document.clone())).collect()
}
