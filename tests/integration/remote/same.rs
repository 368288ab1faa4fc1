//! Commands that only look, twice on the same data: beside a server that is at work, and through it.

use super::ask;
use crate::cli::SPEC;
use crate::program::{Answer, Place};
use std::fs;
use std::path::Path;

const SQL: &str = "SELECT service, count(*) AS n, avg(response_time_ms) AS mean FROM shop.transactions GROUP BY service ORDER BY service";

/// What is asked here and there; the first words of some are the end of others.
const COMMANDS: &[&[&str]] = &[
    &["run", "list"],
    &["run", "list", "--json"],
    &["run", "list", "--limit", "1", "--json"],
    &["run", "list", "--limit", "0"],
    &["run", "show"],
    &["run", "show", "--json"],
    &["run", "show", "r0000000000000000"],
    &["run", "verify"],
    &["run", "verify", "--lake", "--json"],
    &["dataset", "list"],
    &["dataset", "list", "--json"],
    &["dataset", "show", "shop"],
    &["dataset", "show", "shop", "--distinct"],
    &["dataset", "show", "shop", "--json"],
    &["dataset", "show", "none"],
    &["dataset", "drop", "shop"],
    &["dataset", "drop", "none", "--yes"],
    &["sql", SQL],
    &["sql", SQL, "--format", "csv"],
    &["sql", SQL, "--json"],
    &["sql", SQL, "--format", "ndjson"],
    &["sql", "SELECT * FROM shop.none"],
    &["sql", "SELEC"],
    &["sql", "DROP TABLE shop.transactions"],
    &["sql", "SELECT timestamp FROM shop.transactions ORDER BY timestamp", "--format", "table"],
    &["export", "shop.transactions", "--format", "csv"],
    &["export", "shop.transactions", "--format", "ndjson", "--ordered", "--columns", "timestamp,service,status"],
    &["export", "shop.transactions", "--format", "opensearch", "--index", "calls", "--last", "5m"],
    &[
        "export",
        "shop.transactions",
        "--format",
        "csv",
        "--from",
        "2026-11-09T15:30:00Z",
        "--to",
        "2026-11-09T15:31:00Z",
    ],
    &["export", "shop.incidents", "--format", "csv"],
    &["export", "shop.none", "--format", "csv"],
    &["export", "shop", "--format", "csv"],
    &["export", "shop.transactions", "--format", "csv", "--columns", "none"],
    &["preview", "spec.toml", "--for", "2m"],
    &["preview", "spec.toml", "--table", "transactions", "--limit", "3", "--json"],
    &["preview", "spec.toml", "--at", "2020-01-01T00:00:00Z"],
    &["preview", "spec.toml", "--table", "none"],
    &["alert", "list"],
    &["alert", "list", "--json"],
    &["alert", "show", "7"],
    &["alert", "ack", "7"],
    &["schedule", "list"],
    &["schedule", "list", "--json"],
    &["schedule", "history", "--json"],
    &["schedule", "show", "none"],
    &["schedule", "trigger", "none"],
    &["plugin", "list"],
    &["plugin", "list", "--json"],
    &["plugin", "inspect", "ecommerce"],
    &["plugin", "inspect", "ecommerce", "--json"],
    &["plugin", "inspect", "ecommerce", "--schema"],
    &["plugin", "inspect", "ecommerce", "--scenario"],
    &["plugin", "inspect", "none"],
    &["token", "list"],
    &["stream", "list"],
    &["stream", "list", "--json"],
    &["stream", "show"],
    &["stream", "show", "s0000000000000000"],
    &["stream", "dead-letters", "list", "backend"],
    &["stream", "dead-letters", "list", "backend", "s0000000000000000"],
    &["stream", "dead-letters", "show", "backend", "s0000000000000000-1-orders-0"],
    &["user-data", "stats"],
    &["user-data", "stats", "--json"],
];

#[test]
fn what_is_looked_at_through_a_server_looks_the_same() {
    let place = Place::new();
    place.file("spec.toml", SPEC);
    place.good(["run", "start", "spec.toml", "--quiet"]);
    place.good(["plugin", "inspect", "ecommerce"]);
    let server = place.serve([]);
    let mut faults = Vec::new();
    for words in COMMANDS {
        let there = ask(&place, &server, words.iter().copied());
        // A writer's refusal can't be had beside a server; what it says of the request can.
        let here = match words {
            ["dataset", "drop", ..] => continue_without(&place, words),
            _ => place.ask(words.iter().copied()),
        };
        if (here.code, &here.out) != (there.code, &there.out) {
            faults.push(format!(
                "{words:?}\nhere {:?}:\n{}{}\nthere {:?}:\n{}{}",
                here.code, here.out, here.err, there.code, there.out, there.err
            ));
        } else if here.code == Some(2) && said(&here) != said(&there) {
            faults.push(format!("{words:?}\nhere:\n{}\nthere:\n{}", here.err, there.err));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    server.stop().with_code(0);
}

/// What a command says in another place with the same data, where nobody writes.
fn continue_without(place: &Place, words: &[&str]) -> Answer {
    let other = Place::new();
    fs::remove_dir_all(other.data()).unwrap();
    assert!(std::process::Command::new("cp").arg("-a").arg(place.data()).arg(other.data()).status().unwrap().success());
    other.ask(words.iter().copied())
}

/// The error, without its causes: those of a server are in the same line.
fn said(answer: &Answer) -> String {
    let first = answer.err.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or_default();
    first.split(": ").next().unwrap_or_default().to_owned()
}

/// Whoever gets a part of the rows must know, wherever they come from.
#[test]
fn a_result_that_was_cut_is_said_to_be_on_both_ways() {
    let place = Place::new();
    place.file("spec.toml", SPEC);
    place.good(["run", "start", "spec.toml", "--quiet"]);
    let server = place.serve(["--setting", "query.rows=3"]);
    for format in ["table", "csv", "json", "ndjson"] {
        for (sql, cut) in [
            ("SELECT service FROM shop.transactions ORDER BY service LIMIT 10", true),
            ("SELECT 'a\u{1e}' AS text", false),
        ] {
            let here = place.ask(["--setting", "query.rows=3", "sql", sql, "--format", format]).with_code(0);
            let there = ask(&place, &server, ["sql", sql, "--format", format]).with_code(0);
            assert_eq!((&here.out, &here.err), (&there.out, &there.err), "{format}: {sql}");
            assert_eq!(there.err.contains("only the first 3 rows"), cut, "{format}: {}", there.err);
        }
    }
    server.stop().with_code(0);
}

#[test]
fn files_are_the_same_whatever_format_and_profile() {
    let place = Place::new();
    place.file("spec.toml", SPEC);
    place.good(["run", "start", "spec.toml", "--quiet"]);
    place.file("mine.toml", "summary = \"mine\"\ntable = \"transactions\"\nformat = \"csv\"\nfile = \"{service}/calls.csv\"\n[[columns]]\nname = \"timestamp\"\n[[columns]]\nname = \"status\"\n");
    let server = place.serve([]);
    for (name, words) in [
        ("csv", &["--format", "csv"][..]),
        ("parquet", &["--format", "parquet"]),
        ("ndjson", &["--format", "ndjson", "--last", "10m", "--ordered"]),
        ("profile", &["--profile", "mine.toml"]),
    ] {
        let (here, there) = (format!("here-{name}"), format!("there-{name}"));
        let all =
            |dir| ["export", "shop"].into_iter().chain(words.iter().copied()).chain(["--output-dir", dir, "--json"]);
        let told_here = place.ask(all(&here)).with_code(0).out;
        let told_there = ask(&place, &server, all(&there)).with_code(0).out;
        assert_eq!(told_here.replace(&here, "X"), told_there.replace(&there, "X"), "{name}");
        let files = files(&place.path().join(&here));
        assert!(!files.is_empty(), "{name}");
        for file in files {
            let read = |folder: &str| fs::read(place.path().join(folder).join(&file)).unwrap();
            assert!(read(&here) == read(&there), "{name}: {file} differs");
        }
    }
}

/// The files below a folder, by their paths in it.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(below).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().display().to_string());
            }
        }
    }
    found
}
