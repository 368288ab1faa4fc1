//! Pipelines as people run them: in files, with the built program, over crashes and a clock that is set.

mod alerts;
mod collect;
mod crashes;
mod load;
mod shipped;
mod sources;
mod steps;
mod stops;

use crate::program::Place;
use serde_json::Value;

/// A pipeline of programs alone; `head` are more keys of `[pipeline]`, each step a name, what it needs and a script.
pub(crate) fn pipeline(head: &str, steps: &[(&str, &[&str], &str)]) -> String {
    let mut text = format!("[pipeline]\nname = \"p\"\n{head}\n");
    for (name, needs, script) in steps {
        let (needs, script) = (serde_json::to_string(needs).unwrap(), serde_json::to_string(script).unwrap());
        text.push_str(&format!(
            "[[step]]\nname = \"{name}\"\nkind = \"command\"\nneeds = {needs}\ncommand = [\"sh\", \"-euc\", {script}]\n"
        ));
    }
    text
}

/// The states of a run's steps, by name.
pub(crate) fn states(told: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    told["steps"].as_array().unwrap().iter().map(|step| (text(&step["name"]), text(&step["state"]))).collect()
}

/// The history, newest first.
pub(crate) fn history(place: &Place) -> Vec<Value> {
    match place.json(["schedule", "history", "--json"]) {
        Value::Array(runs) => runs,
        other => panic!("no list: {other}"),
    }
}
