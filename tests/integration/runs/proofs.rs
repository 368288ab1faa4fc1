//! One spec, one fingerprint: whoever makes the rows, in how many parts, and whoever looks at them later.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::{run, shop};
use crate::program::Place;

/// Table by table: what its rows sum up to.
fn tables(record: &Value) -> BTreeMap<String, Value> {
    let tables = record["tables"].as_array().unwrap();
    tables.iter().map(|table| (table["table"].as_str().unwrap().to_owned(), table.clone())).collect()
}

#[test]
fn rows_depend_on_the_spec_alone() {
    let (here, there) = (Place::new(), Place::new());
    let one = run(&here, &shop("15:00", "2h", 4, "1h"), &["--workers", "1"]);
    let two = run(&here, &shop("15:00", "2h", 4, "1h"), &["--workers", "2", "--replace"]);
    let elsewhere = run(&there, &shop("15:00", "2h", 4, "1h"), &[]);
    let cut = run(&there, &shop("15:00", "2h", 3, "25m"), &["--replace"]);
    for other in [&two, &elsewhere, &cut] {
        assert_eq!(one["fingerprint"], other["fingerprint"]);
        assert_eq!(tables(&one), tables(other));
    }
    assert!(one["tables"].as_array().unwrap().iter().all(|table| table["rows"].as_u64().unwrap() > 0), "{one}");
    let seed = run(&there, &shop("15:00", "2h", 3, "25m"), &["--replace", "--seed", "8"]);
    assert_ne!(one["fingerprint"], seed["fingerprint"]);
}

#[test]
fn a_run_is_listed_shown_and_proved() {
    let place = Place::new();
    let first = run(&place, &shop("15:00", "30m", 2, "30m"), &[]);
    let second = run(&place, &shop("15:00", "30m", 2, "30m"), &["--append", "--seed", "9"]);
    let runs = place.runs();
    let column = |key: &str| runs.iter().map(|run| run[key].clone()).collect::<Vec<_>>();
    assert_eq!(column("id"), [second["id"].clone(), first["id"].clone()], "newest first");
    assert_eq!(column("state"), ["finished", "finished"]);
    assert_eq!(column("fingerprint"), [second["fingerprint"].clone(), first["fingerprint"].clone()]);

    for record in [&first, &second] {
        let id = record["id"].as_str().unwrap();
        let shown = place.json(["run", "show", id, "--json"]);
        assert_eq!((&shown["fingerprint"], &shown["tables"]), (&record["fingerprint"], &record["tables"]));
        assert_eq!(shown["spec"]["seed"], record["spec"]["seed"]);
        let digests = shown["plugins"].as_array().unwrap().iter().map(|used| used["digest"].as_str().unwrap().len());
        assert_eq!(digests.collect::<Vec<_>>(), [64, 64], "{shown}");
        assert!(shown["versions"]["telemill"].is_string(), "{shown}");
        // Made again, and read back; also where another run's rows stand in the same tables.
        for how in [["run", "verify", id, "--json"].as_slice(), &["run", "verify", id, "--lake", "--json"]] {
            let proof = place.json(how.iter().copied());
            assert_eq!((&proof["equal"], &proof["found"]), (&json!(true), &record["fingerprint"]), "{how:?}");
        }
    }
    let sum = |record: &Value| tables(record)["transactions"]["rows"].as_u64().unwrap();
    let rows = place.sql("SELECT count(*) AS rows FROM shop.transactions");
    assert_eq!(rows[0]["rows"], sum(&first) + sum(&second));
}

#[test]
fn a_file_that_was_tampered_with_is_found() {
    let place = Place::new();
    let record = run(&place, &shop("15:00", "1h", 2, "30m"), &[]);
    let files = place.parquet("shop", "transactions");
    assert_eq!(files.len(), 4);
    let (victim, other) = (&files[1], &files[2]);
    let name = victim.file_name().unwrap().to_str().unwrap();
    let whole = fs::read(victim).unwrap();
    let verify = || place.ask(["run", "verify", "--lake", "--json"]);

    // Files that can't be read are named, and what can be read is not what was written.
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        bytes
    };
    let (other, cut, footer) = (fs::read(other).unwrap(), whole[..1000].to_vec(), flipped(whole.len() - 200));
    for broken in [other, cut, footer, Vec::new()] {
        fs::write(victim, broken).unwrap();
        verify().refused(&[name]);
    }
    // A byte of the data: some give other rows, some nothing that can be read. A few are no part of any row.
    let mut found = 0;
    for part in 1..12 {
        fs::write(victim, flipped(whole.len() * part / 13)).unwrap();
        let answer = verify();
        match answer.code {
            Some(0) => {}
            Some(1) => {
                let proof: Value = serde_json::from_str(&answer.out).unwrap();
                assert_eq!((&proof["equal"], &proof["recorded"]), (&json!(false), &record["fingerprint"]));
                assert_ne!(proof["found"], record["fingerprint"]);
                let tables = proof["tables"].as_array().unwrap().iter().filter(|table| table["equal"] == false);
                assert_eq!(tables.map(|table| &table["table"]).collect::<Vec<_>>(), ["transactions"]);
                found += 1;
            }
            _ => {
                answer.refused(&[name]);
                found += 1;
            }
        }
    }
    assert!(found >= 9, "only {found} of 11 flipped bytes were found");
    fs::remove_file(victim).unwrap();
    verify().refused(&[name]);
    fs::write(victim, whole).unwrap();
    verify().with_code(0);
}

#[test]
fn memory_does_not_grow_with_the_length_of_a_run() {
    let place = Place::new();
    let peak = |duration: &str| {
        place.file("spec.toml", shop("00:00", duration, 4, "6h"));
        let mut child = place.spawn(["run", "start", "spec.toml", "--replace"]);
        let mut peak = 0;
        while !child.has_ended() {
            peak = child.peak_bytes().unwrap_or(0).max(peak);
            std::thread::sleep(Duration::from_millis(5));
        }
        child.answer().with_code(0);
        peak
    };
    let (short, long) = (peak("6h"), peak("2d"));
    assert!(short > 50 << 20, "{short} bytes: was it measured at all?");
    assert!(long < 1 << 30, "{long} bytes");
    // The day's peaks have twice the rows of its first quarter in each window; there are eight times as many windows.
    assert!(long < short * 2, "{short} bytes for 6 hours and {long} for 2 days");
}
