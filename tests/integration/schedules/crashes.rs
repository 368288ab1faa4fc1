//! The scheduler is killed, stopped and started again: no due time runs twice by itself.

use super::{history, pipeline};
use crate::program::{Place, Running, wait_until};
use std::fs;
use std::path::Path;
use std::process::Command;

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn terminate(running: &Running) {
    assert!(Command::new("kill").args(["-TERM", &running.id().to_string()]).status().unwrap().success());
}

/// Every second, something is appended; the scheduler is killed in the midst of it, five times.
#[test]
fn a_kill_interrupts_what_is_under_way_and_no_due_time_comes_twice() {
    let place = Place::new();
    let script = "echo {{ due }} >> begun; sleep 0.3; echo {{ due }} >> ended";
    place.file(
        "p.toml",
        pipeline("schedule = \"* * * * * *\"\ncatchup = true\noverlap = \"queue\"", &[("a", &[], script)]),
    );
    let begun = place.path().join("begun");
    for round in 1..=5 {
        let before = lines(&begun).len();
        let running = place.spawn(["schedule", "run", "p.toml"]);
        wait_until("two runs began", || lines(&begun).len() >= before + 2);
        running.kill();
        assert!(lines(&begun).len() > round);
    }
    let running = place.spawn(["schedule", "run", "p.toml"]);
    let before = lines(&begun).len();
    wait_until("it goes on", || lines(&begun).len() > before);
    terminate(&running);
    let answer = running.answer().with_code(0);
    assert!(answer.err.contains("interrupted"), "{}", answer.err);
    let mut seen = lines(&begun);
    let all = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), all, "a due time came twice");
    let runs = history(&place);
    let with = |state: &str| runs.iter().filter(|run| run["state"] == state).count();
    assert_eq!(with("running"), 0, "{runs:#?}");
    assert!(with("interrupted") <= 5 && with("succeeded") > 0, "{runs:#?}");
}

#[test]
fn sigterm_ends_what_is_under_way_and_its_programs_and_a_request_runs_it_again() {
    let place = Place::new();
    let script = "echo x >> begun; if test -e go; then exit 0; fi; sleep 600";
    place.file(
        "p.toml",
        pipeline("clock = { start = \"2026-01-01T00:00:00Z\", advance = \"1h\" }", &[("a", &[], script)]),
    );
    let begun = place.path().join("begun");
    let mut running = place.spawn(["schedule", "run", "p.toml"]);
    wait_until("the pipeline is known", || place.ask(["schedule", "list"]).out.contains("when asked"));
    place.good(["schedule", "trigger", "p"]);
    wait_until("it was asked for", || lines(&begun).len() == 1);
    assert!(!running.has_ended());
    terminate(&running);
    running.answer().with_code(0);
    let runs = history(&place);
    assert_eq!((&runs[0]["state"], &runs[0]["cause"]), (&"cancelled".into(), &"manual".into()), "{runs:#?}");

    place.file("go", "");
    let id = runs[0]["id"].to_string();
    place.ask(["schedule", "trigger", "p", "--again", "999"]).refused(&["no run 999", "telemill schedule history"]);
    place.ask(["schedule", "trigger", "q"]).refused(&["\"q\"", "telemill schedule list"]);
    // The request waits for the scheduler, and is taken once.
    place.good(["schedule", "trigger", "p", "--again", &id]);
    let running = place.spawn(["schedule", "run", "p.toml"]);
    wait_until("it ran again", || history(&place)[0]["state"] == "succeeded");
    terminate(&running);
    running.answer().with_code(0);
    let again = history(&place);
    assert_eq!(again.len(), 2, "{again:#?}");
    assert_eq!((&again[0]["attempt"], &again[0]["cause"]), (&2.into(), &"again".into()));
    assert_eq!((&again[0]["due"], &again[0]["clock"]), (&runs[0]["due"], &runs[0]["clock"]));
    assert_eq!(lines(&begun).len(), 2);
}
