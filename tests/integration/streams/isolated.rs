//! Streams whose instances are in processes of their own: the same rows, whatever becomes of the processes.

use super::{ended, holds, newest, streaming, workloads};
use crate::program::{Place, kill, signal, wait_until, workers};

/// The stream that carries state over, with its code somewhere.
fn isolated(isolation: &str) -> String {
    workloads().replacen("[generator]", &format!("isolation = \"{isolation}\"\n[generator]"), 1)
}

/// The same with a generator that does not ship.
fn from_elsewhere(place: &Place) -> String {
    let plugin = telemill_tests::noted(telemill_tests::plugin("user-workloads").unwrap(), "a successor");
    place.file("elsewhere.wasm", plugin);
    workloads().replacen("plugin = \"user-workloads\"", "plugin = \"elsewhere.wasm\"", 1)
}

/// How many worker processes a command that succeeds starts, and what it prints.
fn begun(place: &Place, words: &[&str]) -> (usize, String) {
    let output = place.command(words.iter().copied()).env("TELEMILL_LOG", "telemill=debug").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    (said.matches("a worker process began").count(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn workers_of_a_stream_that_are_killed_change_no_row() {
    workers_that_die(9);
}

#[test]
fn workers_of_a_stream_that_abort_change_no_row() {
    workers_that_die(6);
}

fn workers_that_die(number: u32) {
    let place = Place::new();
    // Slow enough that a busy machine, where commits are fewer, has some to kill between.
    let spec = isolated("process").replacen("speed = 3600", "speed = 900", 1);
    let mut host = streaming(&place, &spec, &[]);
    let (mut killed, mut commits) = (0, 0);
    wait_until("the stream is over", || {
        // One death for each few commits, at whatever it is at, so that no attempt is the third in vain.
        let come_to = newest(&place).map_or(0, |stream| stream.commits);
        if come_to > commits + 1 {
            let found = workers(host.id(), "instance");
            if let Some(id) = found.get(killed % found.len().max(1)) {
                signal(*id, number);
                (killed, commits) = (killed + 1, come_to);
            }
        }
        host.has_ended()
    });
    let answer = host.answer().with_code(0);
    assert!(killed >= 2, "{killed} were killed");
    assert!(answer.err.contains(&format!("killed by signal {number}")), "{}", answer.err);
    holds(&place, &serde_json::from_str(&answer.out).unwrap());
}

#[test]
fn a_stream_whose_workers_all_die_fails_and_goes_on_when_it_is_asked_to() {
    let place = Place::new();
    let mut host = streaming(&place, &isolated("process"), &[]);
    wait_until("the stream gives up", || {
        workers(host.id(), "instance").into_iter().for_each(kill);
        host.has_ended() || newest(&place).is_some_and(|stream| stream.error.is_some())
    });
    host.interrupt();
    drop(host.answer());
    let error = newest(&place).unwrap().error.unwrap();
    for said in ["a worker process failed", "killed by signal 9", "2 before it"] {
        assert!(error.contains(said), "{error}");
    }
    place.good(["stream", "resume"]);
    holds(&place, &ended(&place, &isolated("process"), &[]));
}

/// What ships runs on threads, what does not in processes, unless a spec says otherwise: streams and previews alike.
#[test]
fn plugins_from_elsewhere_stream_in_processes() {
    let place = Place::new();
    let rows = |spec: &str, processes: usize| {
        place.file("stream.toml", spec);
        let (began, out) = begun(&place, &["stream", "run", "stream.toml", "--json", "--replace"]);
        assert_eq!(began, processes, "{spec}");
        serde_json::from_str::<serde_json::Value>(&out).unwrap()["fingerprint"].take()
    };
    let foreign = from_elsewhere(&place);
    let apart = rows(&foreign, 3);
    place.good(["stream", "verify"]);
    let here = foreign.replacen("[generator]", "isolation = \"thread\"\n[generator]", 1);
    assert_eq!(rows(&here, 0), apart);
    assert_eq!(rows(&workloads(), 0), apart);

    let shown = |spec: &str, processes: usize| {
        let spec = spec.split("[stream]").next().unwrap();
        place.file("run.toml", format!("duration = \"4h\"\n{spec}"));
        let (began, out) = begun(&place, &["preview", "run.toml", "--for", "10m", "--json"]);
        assert_eq!(began, processes, "{spec}");
        out
    };
    assert_eq!(shown(&foreign, 1), shown(&here, 0));
}
