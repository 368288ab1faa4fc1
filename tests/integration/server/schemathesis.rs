//! schemathesis from PyPI over the document that the server serves: whatever it sends, the server does not fail.

use crate::program::Place;
use crate::python;
use std::process::Command;

const PACKAGES: [&str; 1] = ["schemathesis==4.32.5"];
/// Cases of each operation in the phase that makes them up; with those of the other phases it takes a minute or two.
const CASES: &str = "10";
/// Answers without an end.
const ENDLESS: &str = "/(events|tail)$";
/// Names of what is there, so that cases come further than to what is not.
const NAMES: &str = r#"
[parameters]
"path.dataset" = "ecommerce"
"path.table" = "transactions"
"path.name" = "ecommerce"
"query.dataset" = "ecommerce"
"query.column" = "response_time_ms"
"path.id" = "RUN"

[[operations]]
include-path-regex = "/streams/"
[operations.parameters]
"path.id" = "STREAM"
"path.name" = "ecommerce"
"#;

#[test]
fn whatever_is_sent_no_answer_says_that_the_server_failed() {
    let python = python::environment("schemathesis-venv", &PACKAGES).unwrap();
    let place = Place::new();
    place.good(["run", "start", "ecommerce", "--duration", "1m", "--seed", "7", "--quiet"]);
    let served = place.serve([]);
    let stream = serde_json::json!({ "scenario": "ecommerce", "dataset": "live", "stream": { "speed": 1 } });
    let stream = served.post("/api/v1/streams", &stream).with_status(201).json();
    let run = served.get("/api/v1/runs").json();
    let id = |of: &serde_json::Value| of["id"].as_str().unwrap().to_owned();
    place.file("none.toml", "");
    place.file("names.toml", NAMES.replace("RUN", &id(&run["items"][0])).replace("STREAM", &id(&stream)));
    let schemathesis = python.parent().unwrap().join("schemathesis");
    // What is there must not be removed while it is asked for.
    for (config, more) in [("names.toml", ["--exclude-method", "DELETE"].as_slice()), ("none.toml", &[])] {
        let mut run = Command::new(&schemathesis);
        run.current_dir(place.path()).args(["--config-file", config, "run"]);
        run.arg(format!("{}/api/v1/openapi.json", served.url)).args(more);
        run.args(["--checks", "not_a_server_error", "--max-examples", CASES, "--seed", "7", "--no-color"]);
        run.args(["--phases", "examples,coverage,fuzzing", "--generation-database", "none", "--request-timeout", "60"]);
        // It has no words for a component, and those of the hostile tests are worse than what it would make up; nor for
        // an archive.
        for operation in ["post_v1_plugins", "post_v1_checks", "post_v1_user_data_import"] {
            run.args(["--exclude-operation-id", operation]);
        }
        run.args(["--exclude-path-regex", ENDLESS, "--workers", "2"]);
        run.args(["--suppress-health-check", "all"]);
        let output = run.output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let tail: String = out.chars().skip(out.chars().count().saturating_sub(6_000)).collect();
        assert!(output.status.success(), "{tail}\n{err}");
        let cases = out.lines().find_map(|line| line.trim().split_once(" generated, "));
        let cases: u32 = cases.unwrap().0.parse().unwrap();
        assert!(cases > 500, "{tail}");
    }
    // It is as well as before.
    served.get("/healthz").with_status(200);
    served.stop().with_code(0);
}
