//! Steps and commands that are stopped in the midst: by their timeout, by SIGTERM and by Ctrl-C. Nothing half done stays.

use super::states;
use crate::program::{Place, Running, wait_until};
use serde_json::Value;
use std::fs;
use std::io::{BufWriter, Write as _};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};

/// Rows after which a reader is surely in the midst of them: more than a pipe and a batch hold.
const ROWS: usize = 200_000;
/// A SELECT that brings no row in the time of a test.
const SLOW: &str = "table = \"events\"\nsummary = \"too much\"\n[[steps]]\nname = \"all\"\n\
    sql = \"SELECT count(*) AS n FROM input a, input b, input c WHERE a.id + b.id + c.id < 0\"\n";

/// A file without an end: a pipe that rows are written into for as long as somebody reads. Tells when a reader has many of them.
fn endless(place: &Place, name: &str) -> Receiver<()> {
    let path = place.path().join(name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let (sender, flows) = channel();
    std::thread::spawn(move || {
        loop {
            // Waits for the next reader.
            let Ok(pipe) = fs::OpenOptions::new().write(true).open(&path) else { return };
            let mut pipe = BufWriter::new(pipe);
            let mut written = writeln!(pipe, "id,text");
            for row in 0.. {
                if written.is_err() {
                    break;
                }
                if row == ROWS {
                    let _ = sender.send(());
                }
                written = writeln!(pipe, "{row},some text");
            }
        }
    });
    flows
}

/// A place whose lake has `shop.events`, with a recipe that takes for ever.
fn place() -> Place {
    let place = Place::new();
    let rows: String = (0..20_000).map(|row| format!("{row},text\n")).collect();
    place.file("events.csv", format!("id,text\n{rows}"));
    place.good(["ingest", "shop.events", "events.csv"]);
    place.file("slow.toml", SLOW);
    place
}

/// Nothing of what was stopped is there: no rows, no dataset, no files that wait.
fn nothing_stays(place: &Place) {
    let datasets = place.json(["dataset", "list", "--json"]);
    let names: Vec<&Value> = datasets.as_array().unwrap().iter().map(|dataset| &dataset["name"]).collect();
    assert_eq!(names, ["shop"], "{datasets:#}");
    assert_eq!(place.sql("SELECT count(*) AS n FROM shop.events")[0]["n"], 20_000);
    assert_eq!(place.parquet("shop", "events").len(), 1);
    let spilled: Vec<_> = fs::read_dir(place.data().join("spill")).into_iter().flatten().collect();
    assert!(spilled.is_empty(), "{spilled:?}");
    let mut folders = vec![place.data().join("lake/_staging")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            assert!(path.is_dir(), "{} was left", path.display());
            folders.push(path);
        }
    }
}

/// The scratch folder of a cleaning is there.
fn cleans(place: &Place) -> bool {
    let names = fs::read_dir(place.data().join("spill")).into_iter().flatten();
    names.into_iter().any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with("clean"))
}

fn terminate(running: &Running) {
    assert!(Command::new("kill").args(["-TERM", &running.id().to_string()]).status().unwrap().success());
}

const STEPS: &str = r#"
[[step]]
name = "new"
kind = "ingest"
table = "other.events"
file = "endless.csv"
timeout = "1s"

[[step]]
name = "more"
kind = "ingest"
table = "shop.events"
file = "endless.csv"
timeout = "1s"

[[step]]
name = "clean"
kind = "clean"
dataset = "shop"
recipe = "slow.toml"
output = "tidy"
timeout = "1s"
"#;

#[test]
fn a_timeout_ends_what_takes_in_and_what_cleans() {
    let place = place();
    let _flows = endless(&place, "endless.csv");
    place.file("p.toml", format!("[pipeline]\nname = \"p\"\n{STEPS}"));
    let told = place.json_with_code(1, ["schedule", "run", "p.toml", "--once", "p", "--json"]);
    for step in told["steps"].as_array().unwrap() {
        assert_eq!(step["state"], "failed", "{told:#}");
        assert!(step["error"].as_str().unwrap().contains("longer than 1s"), "{told:#}");
    }
    nothing_stays(&place);
}

#[test]
fn a_scheduler_that_is_stopped_does_not_wait_for_them() {
    for kind in ["ingest", "clean"] {
        let place = place();
        let flows = endless(&place, "endless.csv");
        let steps: Vec<&str> = STEPS.split("[[step]]").filter(|step| step.contains(&format!("\"{kind}\""))).collect();
        let step = steps.last().unwrap().replace("timeout = \"1s\"", "");
        place.file("p.toml", format!("[pipeline]\nname = \"p\"\n[[step]]{step}"));
        let running = place.spawn(["schedule", "run", "p.toml", "--once", "p", "--json"]);
        match kind {
            "ingest" => flows.recv().unwrap(),
            _ => wait_until("it cleans", || cleans(&place)),
        }
        terminate(&running);
        let told: Value = serde_json::from_str(&running.answer().with_code(1).out).unwrap();
        assert_eq!(states(&told)[0].1, "cancelled", "{told:#}");
        nothing_stays(&place);
    }
}

#[test]
fn the_commands_hear_ctrl_c() {
    let place = place();
    let flows = endless(&place, "endless.csv");
    let mut running = place.spawn(["ingest", "shop.events", "endless.csv"]);
    flows.recv().unwrap();
    running.interrupt();
    running.answer().refused(&["it was stopped"]);
    let mut running = place.spawn(["clean", "shop", "--recipe", "slow.toml", "-o", "tidy"]);
    wait_until("it cleans", || cleans(&place));
    running.interrupt();
    running.answer().refused(&["it was stopped"]);
    nothing_stays(&place);
}
