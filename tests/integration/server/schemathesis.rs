//! schemathesis from PyPI over the document that the server serves: whatever it sends, the server does not fail.

use crate::program::Place;
use crate::python;
use std::process::Command;

const PACKAGES: [&str; 1] = ["schemathesis==4.32.5"];
/// Cases of each operation in the phase that makes them up; with those of the other phases it takes a minute or two.
const CASES: &str = "10";
/// Answers without an end.
const ENDLESS: &str = "/(events|tail)$";

#[test]
fn whatever_is_sent_no_answer_says_that_the_server_failed() {
    let python = python::environment("schemathesis-venv", &PACKAGES).unwrap();
    let place = Place::new();
    // Something to ask for.
    place.good(["run", "start", "ecommerce", "--duration", "1m", "--seed", "7", "--quiet"]);
    let served = place.serve([]);
    let mut run = Command::new(python.parent().unwrap().join("schemathesis"));
    run.current_dir(place.path()).arg("run").arg(format!("{}/api/v1/openapi.json", served.url));
    run.args(["--checks", "not_a_server_error", "--max-examples", CASES, "--seed", "7", "--no-color"]);
    run.args(["--phases", "examples,coverage,fuzzing", "--generation-database", "none", "--request-timeout", "60"]);
    run.args(["--exclude-path-regex", ENDLESS, "--workers", "2"]);
    let output = run.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let tail: String = out.chars().skip(out.chars().count().saturating_sub(6_000)).collect();
    assert!(output.status.success(), "{tail}\n{err}");
    assert!(out.contains("API Operations"), "{tail}");
    // It is as well as before.
    served.get("/healthz").with_status(200);
    served.stop().with_code(0);
}
