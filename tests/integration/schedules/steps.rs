//! What steps do, and what becomes of those that need a step that did not succeed.

use super::{pipeline, states};
use crate::program::Place;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

#[test]
fn a_failure_stops_what_needs_it_and_nothing_else() {
    let place = Place::new();
    let steps: [(&str, &[&str], &str); 5] = [
        ("first", &[], "echo one > one"),
        ("breaks", &["first"], "echo because of this; exit 4"),
        ("after", &["breaks"], "echo no > never"),
        ("far-after", &["after"], "echo no > never"),
        ("beside", &["first"], "cat one"),
    ];
    place.file("p.toml", pipeline("", &steps));
    let told = place.json_with_code(1, ["schedule", "run", "p.toml", "--once", "p", "--json"]);
    let states: Vec<String> = states(&told).into_iter().map(|(name, state)| format!("{name} {state}")).collect();
    assert_eq!(states, ["first succeeded", "breaks failed", "after skipped", "far-after skipped", "beside succeeded"]);
    assert!(!place.path().join("never").exists());
    assert_eq!(told["run"]["error"], "breaks: sh ended with exit code 4");
    assert_eq!(told["steps"][1]["log"][0], "because of this");
    assert_eq!(told["steps"][4]["log"][0], "one");
}

#[test]
fn retries_wait_and_a_timeout_ends_a_try() {
    let place = Place::new();
    let head = "retries = 2\nretry_delay = \"10ms\"";
    let steps: [(&str, &[&str], &str); 1] = [("third-time", &[], "echo x >> tries; test $(wc -l < tries) -ge 3")];
    let slow = "[[step]]\nname = \"slow\"\nkind = \"command\"\nretries = 0\ntimeout = \"300ms\"\ncommand = [\"sleep\", \"600\"]\n";
    place.file("p.toml", format!("{}{slow}", pipeline(head, &steps)));
    let told = place.json_with_code(1, ["schedule", "run", "p.toml", "--once", "p", "--json"]);
    assert_eq!((&told["steps"][0]["state"], &told["steps"][0]["tries"]), (&"succeeded".into(), &3.into()), "{told:#}");
    assert_eq!(fs::read_to_string(place.path().join("tries")).unwrap().lines().count(), 3);
    let error = told["steps"][1]["error"].as_str().unwrap();
    assert!(error.contains("longer than 300ms"), "{error}");
}

#[test]
fn a_due_time_runs_once_and_names_what_comes_of_it() {
    let place = Place::new();
    let steps: [(&str, &[&str], &str); 1] = [("name", &[], "echo x >> \"by-{{ due | strftime('%Y%m%dT%H%M') }}\"")];
    place.file("p.toml", pipeline("schedule = \"0 3 * * 0\"\ntimezone = \"Europe/Berlin\"", &steps));
    let words = ["schedule", "run", "p.toml", "--once", "p", "--due", "2026-11-22T02:00:00Z"];
    place.good(words);
    place.ask(words).refused(&["has been run for 2026-11-22T02:00:00Z", "--again"]);
    assert_eq!(fs::read_to_string(place.path().join("by-20261122T0300")).unwrap(), "x\n");
    let listed = place.json(["schedule", "list", "--json"]);
    assert_eq!(listed[0]["last_run"]["state"], "succeeded", "{listed:#}");
    place.ask(["schedule", "run", "p.toml", "--once", "q"]).refused(&["\"q\"", "there are p"]);
    place.ask(["schedule", "show", "q"]).refused(&["\"q\"", "telemill schedule list"]);
}

#[test]
fn a_wrong_file_is_refused_with_the_key_and_before_anything_runs() {
    let place = Place::new();
    let good = pipeline("", &[("a", &[], "echo x > ran")]);
    for (name, text, part) in [
        ("kind", good.replace("kind = \"command\"", "kind = \"collective\""), "step[0].kind"),
        ("key", format!("{good}colour = 1\n"), "step[0].colour"),
        ("template", good.replace("echo x", "echo {{ dew }}"), "step[0].command[2]"),
        ("schedule", good.replace("name = \"p\"", "name = \"p\"\nschedule = \"daily at two\""), "pipeline.schedule"),
    ] {
        let file = format!("{name}.toml");
        place.file(&file, text);
        place.ask(["schedule", "run", &file, "--once", "p"]).refused(&[&file, part]);
    }
    assert!(!place.path().join("ran").exists());
}

/// Rows are made, judged, cleaned, written, taken in again, and told to a server: a step of each kind but `load`.
#[test]
fn a_pipeline_of_every_kind() {
    let place = Place::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let heard = std::thread::spawn(move || {
        let (mut call, _) = server.accept().unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"}") {
            let mut part = [0; 1024];
            let length = call.read(&mut part).unwrap();
            seen.extend_from_slice(&part[..length]);
        }
        call.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 4\r\nconnection: close\r\n\r\ndone").unwrap();
        String::from_utf8(seen).unwrap()
    });
    let text = format!(
        r#"
[pipeline]
name = "all"

[[step]]
name = "make"
kind = "generate"
spec = "ecommerce"
start = "{{{{ due | shift('-2m') }}}}"
duration = "2m"
set = ["ecommerce.base_tps=5"]
validate = false

[[step]]
name = "judge"
kind = "validate"
needs = ["make"]
dataset = "ecommerce"
with = "table-rules"
config = {{ tables = [{{ table = "transactions", required = ["service"] }}] }}

[[step]]
name = "clean"
kind = "clean"
needs = ["judge"]
dataset = "ecommerce"
recipe = "ecommerce/response-times"
output = "tidy"

[[step]]
name = "write"
kind = "export"
needs = ["clean"]
source = "tidy.transactions"
format = "csv"
ordered = true
output_dir = "out"

[[step]]
name = "take-in"
kind = "ingest"
needs = ["write"]
table = "again.transactions"
file = "out/transactions.csv"

[[step]]
name = "tell"
kind = "http"
needs = ["take-in"]
url = "http://{address}/hook"
method = "POST"
json = {{ pipeline = "{{{{ pipeline }}}}", due = "{{{{ due }}}}" }}
expect = [201]
output = "answer.txt"
"#
    );
    place.file("all.toml", text);
    let told = place.json(["schedule", "run", "all.toml", "--once", "all", "--due", "2026-11-22T10:00:00Z", "--json"]);
    assert!(states(&told).iter().all(|(_, state)| state == "succeeded"), "{told:#}");
    let call = heard.join().unwrap();
    assert!(call.starts_with("POST /hook HTTP/1.1\r\n"), "{call}");
    assert!(call.ends_with(r#"{"due":"2026-11-22T10:00:00Z","pipeline":"all"}"#), "{call}");
    assert_eq!(fs::read_to_string(place.path().join("answer.txt")).unwrap(), "done");
    let rows =
        place.sql("SELECT (SELECT count(*) FROM tidy.transactions) AS tidy, count(*) AS again FROM again.transactions");
    assert_eq!(rows[0]["tidy"], rows[0]["again"]);
    assert!(rows[0]["again"].as_i64().unwrap() > 100, "{rows:?}");
}
