//! Shards in processes of their own: the same rows as on threads, whatever becomes of the processes.

use serde_json::Value;
use telemill_tests::guest;

use super::{hostile, resumed, run, running, shop};
use crate::program::{Place, alive, kill, signal, wait_until, workers};

/// Twelve segments of two partitions, with an incident, in processes.
fn isolated(isolation: &str) -> String {
    let spec = shop("15:00", "2h", 2, "20m");
    spec.replacen("[generator]", &format!("isolation = \"{isolation}\"\n[generator]"), 1)
}

#[test]
fn processes_make_the_rows_that_threads_make() {
    let threads = run(&Place::new(), &isolated("thread"), &[]);
    let place = Place::new();
    let processes = run(&place, &isolated("process"), &[]);
    assert_eq!((&processes["fingerprint"], &processes["tables"]), (&threads["fingerprint"], &threads["tables"]));
    place.good(["run", "verify"]);
    place.good(["run", "verify", "--lake"]);
    // The record of a run on threads can be proved by processes: where code ran is no part of what its rows follow from.
    let stated = place.runs()[0]["id"].clone();
    assert_eq!(stated, processes["id"]);
}

#[test]
fn workers_that_are_killed_change_no_row() {
    workers_that_die(9);
}

/// As where an allocator, or the C library, finds that it can't go on.
#[test]
fn workers_that_abort_change_no_row() {
    workers_that_die(6);
}

/// Workers that end by a signal fail an attempt each, and the rows are as they are without that.
fn workers_that_die(number: u32) {
    let undisturbed = run(&Place::new(), &isolated("thread"), &[]);
    let place = Place::new();
    let mut host = running(&place, &isolated("process"), &["--workers", "1"]);
    // One death for each segment, later and later in its making, so that no attempt is the third in vain.
    let (mut killed, mut finished, mut looks) = (0, usize::MAX, 0);
    wait_until("the run is over", || {
        let files = place.parquet("shop", "transactions").len();
        match workers(host.id(), "shard").first() {
            Some(id) if finished != files && looks >= killed * 3 => {
                signal(*id, number);
                (killed, finished, looks) = (killed + 1, files, 0);
            }
            Some(_) => looks += 1,
            None => {}
        }
        host.has_ended()
    });
    let answer = host.answer().with_code(0);
    assert!(killed >= 4, "{killed} were killed");
    // One attempt more for each that died; one that had done its work by then has not failed.
    let again = answer.err.matches(&format!("killed by signal {number}; its segment is made again")).count();
    assert!((4..=killed).contains(&again), "{killed} were killed: {}", answer.err);
    assert_eq!(answer.err.matches("is made again").count(), again, "{}", answer.err);
    assert_eq!(place.runs()[0]["fingerprint"], undisturbed["fingerprint"]);
    place.good(["run", "verify", "--lake"]);
    assert_eq!(place.parquet("shop", "transactions").len(), 12, "no file is left over or missing");
}

#[test]
fn a_shard_whose_workers_all_die_has_failed_and_can_be_resumed() {
    let undisturbed = run(&Place::new(), &isolated("thread"), &[]);
    let place = Place::new();
    let mut host = running(&place, &isolated("process"), &["--workers", "1"]);
    wait_until("the run gives up", || {
        workers(host.id(), "shard").into_iter().for_each(kill);
        host.has_ended()
    });
    host.answer().refused(&["partition 0 of 2", "a worker process failed", "killed by signal 9", "2 before it"]);
    assert_eq!(place.runs()[0]["state"], "failed");
    assert_eq!(place.json(["dataset", "list", "--json"]), Value::Array(Vec::new()), "half a run is visible");
    let record = resumed(place.ask(["run", "resume", "--json"]));
    assert_eq!(record["fingerprint"], undisturbed["fingerprint"]);
}

#[test]
fn workers_end_with_the_process_that_started_them() {
    let undisturbed = run(&Place::new(), &isolated("thread"), &[]);
    let place = Place::new();
    let mut host = running(&place, &isolated("process"), &["--workers", "2"]);
    let mut found = Vec::new();
    wait_until("workers are at work", || {
        found = workers(host.id(), "shard");
        !found.is_empty() || host.has_ended()
    });
    host.kill();
    assert!(!found.is_empty());
    wait_until("the workers are gone", || !found.iter().any(|id| alive(*id)));
    let record = resumed(place.ask(["run", "resume", "--json"]));
    assert_eq!(record["fingerprint"], undisturbed["fingerprint"]);
    assert_eq!(place.parquet("shop", "transactions").len(), 12, "no file is left over or missing");
}

#[test]
fn a_run_in_processes_is_stopped_as_any_other() {
    let place = Place::new();
    let mut host = running(&place, &isolated("process"), &["--workers", "2"]);
    wait_until("workers are at work", || !workers(host.id(), "shard").is_empty() || host.has_ended());
    let found = workers(host.id(), "shard");
    host.interrupt();
    host.answer().refused(&["the run was stopped", "telemill run resume"]);
    assert!(!found.iter().any(|id| alive(*id)));
    assert_eq!(place.runs()[0]["state"], "cancelled");
}

/// What ships runs on threads, what does not in processes, unless a spec says otherwise.
#[test]
fn plugins_from_elsewhere_run_in_processes() {
    let begins = |place: &Place, spec: &str| {
        place.file("spec.toml", spec);
        let mut command = place.command(["run", "start", "spec.toml", "--replace"]);
        let output = command.env("TELEMILL_LOG", "telemill=debug").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        said.matches("a worker process began").count()
    };
    let place = Place::new();
    place.file("hostile.wasm", guest("hostile").unwrap());
    assert_eq!(begins(&place, &hostile("none")), 2);
    let fingerprint = place.runs()[0]["fingerprint"].clone();
    place.good(["run", "verify"]);
    let on_threads = hostile("none").replacen("[generator]", "isolation = \"thread\"\n[generator]", 1);
    assert_eq!(begins(&place, &on_threads), 0);
    assert_eq!(place.runs()[0]["fingerprint"], fingerprint);
    assert_eq!(begins(&place, &shop("15:00", "10m", 2, "10m")), 0);
    assert_eq!(begins(&place, &isolated("process")), 2);
    place.file("spec.toml", isolated("elsewhere"));
    place.ask(["run", "start", "spec.toml"]).refused(&["isolation", "thread", "process"]);
}
