//! Where a server can't be asked, does not let somebody in, or goes away.

use super::{ask, command};
use crate::program::{Place, answer, wait_until};
use serde_json::Value;
use std::io::Read as _;
use std::net::TcpListener;
use std::process::Stdio;

#[test]
fn commands_that_work_here_refuse_the_flag_and_pass_over_the_variable() {
    let place = Place::new();
    let nobody = "http://127.0.0.1:9";
    for words in [
        &["generate", "ecommerce", "--duration", "1m", "--output-dir", "out"][..],
        &["serve"],
        &["up", "ecommerce"],
        &["fit", "x.csv"],
        &["collect"],
        &["plugin", "new", "mine", "--kind", "generator", "--language", "rust"],
        &["plugin", "push", "a.wasm", "oci://127.0.0.1:9/a:1"],
        &["schedule", "run", "x.toml"],
    ] {
        let refused = answer(command(&place, nobody, words.iter().copied()).output().unwrap());
        refused.refused(&["--server can't be followed"]);
    }
    place.ask(["--server", nobody, "run", "list"]).refused(&["--server and --data-dir"]);
    let mut listed = place.command(["dataset", "list"]);
    let here = answer(listed.env("TELEMILL_SERVER", nobody).output().unwrap());
    assert!(!here.err.contains(nobody), "the flag --data-dir wins over the variable: {}", here.err);
    let mut made = crate::program::program(place.path());
    made.args(["generate", "ecommerce", "--duration", "1m", "--output-dir", "out", "--quiet"]);
    answer(made.env("TELEMILL_SERVER", nobody).output().unwrap()).with_code(0);
    // Flags of runs here, and of runs there.
    place.ask(["run", "start", "ecommerce", "--detach"]).refused(&["--detach", "--server"]);
    answer(command(&place, nobody, ["run", "start", "ecommerce", "--workers", "1"]).output().unwrap())
        .refused(&["--workers"]);
}

#[test]
fn a_server_that_is_not_there_is_named_with_what_to_do() {
    let place = Place::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");
    for words in
        [&["run", "list"][..], &["sql", "SELECT 1"], &["ingest", "a.b", "x.csv"], &["run", "start", "ecommerce"]]
    {
        place.file("x.csv", "a\n1\n");
        let refused = answer(command(&place, &url, words.iter().copied()).output().unwrap());
        refused.refused(&[&url, "telemill serve"]);
    }
    let doctor = answer(command(&place, &url, ["doctor"]).output().unwrap()).with_code(1);
    assert!(doctor.out.contains("BAD") && doctor.out.contains(&url), "{}", doctor.out);
    for wrong in ["127.0.0.1:8080", "ftp://x", "http://me:secret@x"] {
        let refused = answer(command(&place, wrong, ["run", "list"]).output().unwrap()).refused(&["http"]);
        assert!(!refused.err.contains("secret"), "{}", refused.err);
    }
}

#[test]
fn tokens_are_made_used_and_taken_back_through_the_server() {
    let place = Place::new();
    let server = place.serve([]);
    let secret = |name: &str, scope: &str| {
        let made = ask(&place, &server, ["token", "create", name, "--scope", scope, "--json"]).with_code(0).out;
        serde_json::from_str::<Value>(&made).unwrap()["secret"].as_str().unwrap().to_owned()
    };
    let (reader, admin) = (secret("reader", "read"), secret("boss", "admin"));
    let with = |token: &str, words: &[&str]| {
        let mut command = command(&place, &server.url, words.iter().copied());
        answer(command.env("TELEMILL_TOKEN", token).output().unwrap())
    };
    with(&reader, &["run", "list"]).with_code(0);
    with(&reader, &["dataset", "drop", "none", "--yes"]).refused(&["none"]);
    with(&reader, &["run", "start", "ecommerce", "--duration", "1m"]).refused(&["reader", "read", "write"]);
    with(&reader, &["token", "list"]).refused(&["admin"]);
    with("wrong", &["run", "list"]).refused(&["--token", "TELEMILL_TOKEN"]);
    let listed = with(&admin, &["token", "list"]).with_code(0).out;
    assert!(listed.contains("boss") && listed.contains("reader"), "{listed}");
    assert!(!listed.contains(&admin), "a secret is told once");
    with(&admin, &["token", "create", "reader"]).refused(&["reader"]);
    with(&admin, &["token", "revoke", "reader"]).with_code(0);
    with(&reader, &["run", "list"]).refused(&["token"]);
    // Not even an answer that is kept for a key has the secret.
    let headers = [("authorization", format!("Bearer {admin}")), ("idempotency-key", "k".to_owned())];
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .chain([("content-type", "application/json")])
        .collect();
    let body = br#"{"name": "kept", "scope": "read"}"#;
    let made = server.send("POST", "/api/v1/tokens", &headers, body).with_status(201).json();
    server.send("POST", "/api/v1/tokens", &headers, body).with_status(409);
    server.stop().with_code(0);
    let stored = std::fs::read(place.data().join("telemill.sqlite")).unwrap();
    let secret = made["secret"].as_str().unwrap();
    assert!(!stored.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()));
}

#[test]
fn a_server_that_dies_in_the_midst_is_an_error_that_names_the_run() {
    let place = Place::new();
    let server = place.serve([]);
    let words = ["run", "start", "ecommerce", "--duration", "30d", "--seed", "7"];
    let mut watching = command(&place, &server.url, words);
    let watching = watching.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the run is under way", || server.get("/api/v1/runs").json()["items"][0]["state"] == "running");
    let id = server.get("/api/v1/runs").json()["items"][0]["id"].as_str().unwrap().to_owned();
    let url = server.url.clone();
    server.kill();
    let told = answer(watching.wait_with_output().unwrap());
    told.refused(&[&id, &url, "run resume"]);
    // The same of rows: half an export is none.
    let place = Place::new();
    place.good(["run", "start", "ecommerce", "--duration", "6h", "--quiet"]);
    let server = place.serve([]);
    let mut export = command(&place, &server.url, ["export", "ecommerce.transactions", "--format", "csv"]);
    let mut export = export.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 1_000];
    export.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    server.kill();
    let output = export.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("went away"),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
