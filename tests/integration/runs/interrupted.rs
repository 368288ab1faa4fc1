//! Runs that are stopped or killed: nothing of them shows, finished segments are kept, and the end is what it would have been.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Instant, SystemTime};

use serde_json::Value;
use telemill::store::{DATABASE_FILE, Segment, Store};
use tokio::runtime::Runtime;

use super::{resumed, run, running, shop};
use crate::program::{Place, Running, answer, program, wait_until};

/// Twelve segments of two partitions: enough to be killed between any two.
fn spec() -> String {
    shop("15:00", "2h", 2, "20m")
}

/// So many that a run can be met while they judge.
const VALIDATORS: usize = 60;

/// What validators said of the newest run, as it is recorded.
fn reports(place: &Place) -> Vec<Value> {
    let shown: Value = serde_json::from_str(&place.ask(["run", "show", "--json"]).out).unwrap_or_default();
    shown["reports"].as_array().cloned().unwrap_or_default()
}

/// Starts a run and waits until its rows are there and some of its validators have judged them.
fn judging(place: &Place) -> Running {
    let validators = "[[validators]]\nplugin = \"table-rules\"\n".repeat(VALIDATORS);
    place.file("spec.toml", format!("{}\n{validators}", shop("15:00", "1h", 2, "30m")));
    let mut child = place.spawn(["run", "start", "spec.toml", "--quiet"]);
    wait_until("a validator has judged", || {
        assert!(!child.has_ended(), "the run was over before it was met");
        !reports(place).is_empty()
    });
    child
}

/// Everything that must hold when a run was cut short while it was judged: the others judge, once, and nothing is made.
fn is_judged_later(place: &Place) {
    let run = place.runs()[0].clone();
    assert_eq!(run["state"], "finished");
    let (before, files) = (reports(place), place.parquet("shop", "transactions"));
    assert!(before.len() < VALIDATORS, "all had judged before it was cut short");
    let told: Value = serde_json::from_str(&place.ask(["run", "resume", "--json"]).with_code(0).out).unwrap();
    assert_eq!((&told["run"], &told["passed"]), (&run, &Value::Bool(true)));
    assert_eq!(told["reports"].as_array().unwrap().len(), VALIDATORS, "verdicts of before are told, too");
    let after = reports(place);
    assert_eq!((after.len(), &after[..before.len()]), (VALIDATORS, before.as_slice()), "one judged twice");
    assert_eq!(place.parquet("shop", "transactions"), files, "rows were made again");
    place.ask(["run", "resume", run["id"].as_str().unwrap()]).refused(&["finished", "there is nothing to resume"]);
    place.ask(["run", "resume"]).refused(&["there is no run to resume"]);
}

/// What the newest run has recorded as finished.
fn segments(place: &Place) -> Vec<Segment> {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open_read_only(&place.data().join(DATABASE_FILE)).await.unwrap();
        let run = store.latest_run().await.unwrap().unwrap();
        let segments = store.segments(&run.id).await.unwrap();
        store.close().await;
        segments
    })
}

/// When each file of finished segments was last written.
fn finished_files(place: &Place) -> BTreeMap<PathBuf, SystemTime> {
    let mut files = BTreeMap::new();
    for segment in segments(place) {
        for file in segment.files.as_object().unwrap().values().flat_map(|files| files.as_array().unwrap()) {
            let path = place.data().join("lake").join(file["path"].as_str().unwrap());
            let written = fs::metadata(&path).unwrap().modified().unwrap();
            files.insert(path, written);
        }
    }
    files
}

fn state(place: &Place) -> Value {
    place.runs()[0]["state"].clone()
}

fn datasets(place: &Place) -> Value {
    place.json(["dataset", "list", "--json"])
}

/// Everything that must hold when a run was cut short, and that it goes on to the undisturbed run's end.
fn goes_on(place: &Place, undisturbed: &Value) {
    assert_eq!(datasets(place), Value::Array(Vec::new()), "half a run is visible");
    let before = finished_files(place);
    let id = place.runs()[0]["id"].clone();
    let record = resumed(place.ask(["run", "resume", "--json"]));
    assert_eq!(record["id"], id, "it is the same run");
    assert_eq!((&record["fingerprint"], &record["tables"]), (&undisturbed["fingerprint"], &undisturbed["tables"]));
    for (path, written) in before {
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written, "{} was made again", path.display());
    }
    place.good(["run", "verify", "--lake"]);
    assert_eq!(place.parquet("shop", "transactions").len(), 12, "no file is left over or missing");
}

#[test]
fn a_run_that_was_killed_goes_on_where_it_was() {
    let undisturbed = run(&Place::new(), &spec(), &[]);
    for finished in [0, 1, 4, 9] {
        let place = Place::new();
        let mut child = running(&place, &spec(), &["--workers", "1"]);
        wait_until("segments are recorded", || child.has_ended() || segments(&place).len() >= finished);
        assert!(!child.has_ended(), "the run was over before it was killed after {finished} segments");
        child.kill();
        assert_eq!(state(&place), "running");
        assert!(segments(&place).len() >= finished);
        goes_on(&place, &undisturbed);
    }
}

#[test]
fn a_run_that_was_killed_anywhere_is_whole_or_goes_on() {
    let undisturbed = run(&Place::new(), &spec(), &[]);
    let place = Place::new();
    place.file("spec.toml", spec());
    // Killed again and again at odd times, it comes to its end.
    let mut words = ["run", "start", "spec.toml", "--quiet"].as_slice();
    for delay_ms in [20, 60, 110, 150, 190, 230, 260, 100_000] {
        let mut child = place.spawn(words.iter().copied());
        let started = Instant::now();
        wait_until("it is time to kill it", || child.has_ended() || started.elapsed().as_millis() > delay_ms);
        child.kill();
        // It may have been killed before there was a record, or after its end.
        let listed = place.ask(["run", "list", "--json"]);
        match serde_json::from_str::<Value>(&listed.out).unwrap_or_default()[0]["state"].as_str() {
            None => {}
            Some("finished") => break,
            Some(state) => {
                assert!(["planned", "running"].contains(&state), "{state}");
                assert_eq!(datasets(&place), Value::Array(Vec::new()), "half a run is visible");
                words = ["run", "resume", "--quiet"].as_slice();
            }
        }
    }
    assert_eq!(place.runs().len(), 1);
    assert_eq!(place.runs()[0]["fingerprint"], undisturbed["fingerprint"]);
    place.good(["run", "verify", "--lake"]);
}

#[test]
fn ctrl_c_ends_cleanly_and_the_run_goes_on_later() {
    let undisturbed = run(&Place::new(), &spec(), &[]);
    let place = Place::new();
    let mut child = running(&place, &spec(), &["--workers", "1"]);
    wait_until("a segment is recorded", || child.has_ended() || !segments(&place).is_empty());
    child.interrupt();
    child.answer().refused(&["the run was stopped", "telemill run resume"]);
    assert_eq!(state(&place), "cancelled");
    // What was not finished cleanly can't be proved, and its place is still free.
    place.ask(["run", "verify"]).refused(&["cancelled", "resume"]);
    goes_on(&place, &undisturbed);
    place.ask(["run", "resume"]).refused(&["there is no run to resume"]);
}

#[test]
fn a_run_that_was_killed_while_it_was_judged_is_judged_later() {
    let place = Place::new();
    judging(&place).kill();
    is_judged_later(&place);
}

#[test]
fn a_server_judges_a_run_later_too() {
    let place = Place::new();
    judging(&place).kill();
    let (run, before) = (place.runs()[0].clone(), reports(&place));
    let server = place.serve([]);
    // Whoever names no run has this one found.
    let resume = ["--server", &server.url, "run", "resume", "--json"];
    let told = answer(program(place.path()).args(resume).output().unwrap()).with_code(0);
    let told: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((&told["run"], told["reports"].as_array().unwrap().len()), (&run, VALIDATORS));
    assert_eq!(reports(&place)[..before.len()], before);
    let path = format!("/api/v1/runs/{}/resume", run["id"].as_str().unwrap());
    server.send("POST", &path, &[], &[]).with_status(409);
    answer(program(place.path()).args(resume).output().unwrap()).refused(&["there is no run to resume"]);
    server.stop().with_code(0);
}

/// Several ask at the same instant; one of them has it judged.
#[test]
fn a_run_is_judged_once_however_many_ask_a_server() {
    let place = Place::new();
    judging(&place).kill();
    let (id, before) = (place.runs()[0]["id"].as_str().unwrap().to_owned(), reports(&place));
    let server = place.serve([]);
    let path = format!("/api/v1/runs/{id}/resume");
    let asked: Vec<u16> = thread::scope(|scope| {
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(|| server.send("POST", &path, &[], &[]).status)).collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let of = |status: u16| asked.iter().filter(|found| **found == status).count();
    assert_eq!((of(202), of(409)), (1, 7), "{asked:?}");
    wait_until("all have judged", || reports(&place).len() >= VALIDATORS);
    server.stop().with_code(0);
    let after = reports(&place);
    assert_eq!((after.len(), &after[..before.len()]), (VALIDATORS, before.as_slice()), "one judged twice");
}

#[test]
fn ctrl_c_is_heard_while_validators_work() {
    let place = Place::new();
    let mut child = judging(&place);
    child.interrupt();
    child.answer().refused(&["the run was stopped", "telemill run resume"]);
    is_judged_later(&place);
}

#[test]
fn one_writes_and_others_read() {
    let place = Place::new();
    let record = run(&place, &shop("15:00", "30m", 2, "30m"), &[]);
    let mut child = running(&place, &shop("00:00", "20d", 2, "6h"), &["--append"]);

    let data = place.data();
    for words in [
        ["run", "start", "spec.toml", "--append"].as_slice(),
        &["run", "resume"],
        &["dataset", "drop", "shop", "--yes"],
        &["ingest", "shop.more", "spec.toml", "--format", "csv"],
    ] {
        place.ask(words.iter().copied()).refused(&[data.to_str().unwrap(), "--data-dir"]);
    }
    let rows = place.sql("SELECT count(*) AS rows FROM shop.transactions");
    assert_eq!(Some(&rows[0]["rows"]), record["tables"].as_array().unwrap().last().map(|table| &table["rows"]));
    assert_eq!(place.runs().len(), 2);
    place.good(["dataset", "show", "shop"]);
    place.good(["run", "show"]);
    place.good(["run", "verify", record["id"].as_str().unwrap(), "--lake"]);
    assert_eq!(place.good(["export", "shop.incidents", "--format", "csv"]).lines().count(), 2);
    let lock = place.json_with_code(1, ["doctor", "--json"]);
    let found = lock.as_array().unwrap().iter().find(|finding| finding["what"] == "lock").unwrap();
    assert_eq!(found["good"], false);

    assert!(!child.has_ended(), "the writer was over before the readers had read");
    child.interrupt();
    assert_eq!(child.answer().code, Some(2));
}
