//! The log on standard error, for people and for programs.

use serde_json::Value;

use super::SPEC;
use crate::program::{Answer, Place, answer};

/// The lines of a log, each of which must be an object with its time, how grave it is, and what it says.
fn events(answer: &Answer) -> Vec<Value> {
    let event = |line: &str| -> Value {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for member in ["timestamp", "level", "message", "target"] {
            assert!(event[member].is_string(), "{member} is missing in: {line}");
        }
        event
    };
    answer.err.lines().map(event).collect()
}

#[test]
fn a_log_of_json_has_an_object_a_line() {
    let place = Place::new();
    place.file("spec.toml", SPEC);
    let run = |format: &str| {
        let mut command = place.command(["run", "start", "spec.toml", "--replace"]);
        command.env("TELEMILL_LOG", "telemill=debug").env("TELEMILL_LOG_FORMAT", format);
        answer(command.output().unwrap()).with_code(0)
    };
    let told = events(&run("json"));
    assert!(told.iter().any(|event| event["level"] == "INFO"), "{told:?}");
    assert!(!run("text").err.starts_with('{'));

    // The flag is known in front of a command and behind it, and says how the command ended, too.
    let gone = place.ask(["dataset", "show", "gone", "--log-format", "json"]).refused(&["gone"]);
    assert_eq!(events(&gone).last().unwrap()["level"], "ERROR");
    let served = place.served(["--log-format", "json", "serve"]);
    served.get("/api/v1/datasets").with_status(200);
    events(&served.stop().with_code(0));
    place.ask(["--log-format", "xml", "dataset", "list"]).refused(&["--log-format", "text", "json"]);
}
