//! What streams leave stays bounded: small files become larger ones, old rows go, and nothing else changes.

use super::control::{comes_to, open, plain, spec, streams};
use super::shop;
use crate::program::{Place, wait_until};
use serde_json::Value;
use telemill::batch::dataset_fingerprint;
use telemill::plugin::log_nowhere;
use telemill::run::Cancel;
use telemill::stream::{tail, verify};

#[test]
fn small_files_become_larger_ones_and_old_rows_go_and_the_rest_is_what_it_was() {
    let place = Place::new();
    let (_app, writer) = open(&place);
    let host = &writer.host;
    let text = shop()
        .replace("start = \"2026-11-09T15:00:00Z\"", "start = \"2026-11-01T00:00:00Z\"")
        .replace("base_tps = 2", "base_tps = 1")
        .replace("tick = \"1m\"", "tick = \"10s\"\nretention = \"2d\"")
        .replace("until = \"2026-11-10T02:00:00Z\"", "");
    // Whoever takes a stream up begins with small commits.
    let mut id = None;
    for round in 1..=5 {
        let streams = streams(&writer);
        let id = id.get_or_insert_with(|| streams.start(spec(&text)).unwrap().id);
        streams.take_up(id).unwrap();
        wait_until("there are some commits", || streams.record(id).unwrap().commits >= 4 * round);
        streams.shut_down();
    }
    let id = id.unwrap();
    let files = || {
        let dataset = host.runtime.block_on(host.lake.dataset("shop", None)).unwrap();
        dataset.table("transactions").unwrap().files.len()
    };
    let quiet = streams(&writer);
    let record = quiet.record(&id).unwrap();
    assert!(record.position < "2026-11-03T00:00:00Z".parse().unwrap(), "nothing is too old yet: {}", record.position);
    // Some of it was done while the stream ran.
    quiet.look_after(&id).unwrap();
    assert!(files() as u64 + 7 <= record.commits, "{} files of {} commits", files(), record.commits);

    // The rows are those of the run, wherever they are now.
    let fingerprint = dataset_fingerprint(&record.tables).to_string();
    assert_eq!(plain(&writer, &quiet, &id), fingerprint);
    for table in record.tables.keys() {
        for (one, other) in [("shop", "plain"), ("plain", "shop")] {
            let query = format!("SELECT * FROM {one}.{table} EXCEPT ALL SELECT * FROM {other}.{table}");
            assert_eq!(place.sql(&query), Vec::<Value>::new(), "{table} of {one}");
        }
    }
    // Who looks on sees every commit as it was.
    let commits = host.runtime.block_on(host.store.stream_commits(&id, 0, 1_000)).unwrap();
    let rows = |commit| tail(host, commit, None, 5).unwrap().tables.get("transactions").map_or(0, |rows| rows.rows);
    let seen: u64 = commits.iter().map(rows).sum();
    assert_eq!((commits.len() as u64, seen), (record.commits, record.tables["transactions"].rows));

    // Days later.
    quiet.take_up(&id).unwrap();
    comes_to(&quiet, &id, "2026-11-06T00:00:00Z");
    quiet.stop(&id).unwrap();
    quiet.look_after(&id).unwrap();
    quiet.shut_down();
    let record = quiet.record(&id).unwrap();
    let of = |table: &str| {
        let query = format!("SELECT min(timestamp) AS first, max(timestamp) AS last, count(*) AS n FROM shop.{table}");
        place.sql(&query).remove(0)
    };
    let (left, made) = (of("transactions"), record.tables["transactions"].rows);
    let first: telemill::core::time::Timestamp = left["first"].as_str().unwrap().parse().unwrap();
    assert!(first >= "2026-11-02T00:00:00Z".parse().unwrap(), "the first days are gone: {left}");
    assert!(left["n"].as_u64().unwrap() > 0 && left["n"].as_u64().unwrap() < made, "{left} of {made}");
    let query = "SELECT count(*) AS n FROM shop.transactions WHERE timestamp >= ";
    let kept = record.position.plus_us(-2 * 86_400_000_000);
    let kept = format!("'{kept}' AND timestamp < '{}'", record.position);
    let shop = place.sql(&format!("{query}{kept}"));
    assert!(verify(host, &id, log_nowhere(), &Cancel::default()).unwrap().equal);
    assert_eq!(plain(&writer, &quiet, &id), dataset_fingerprint(&record.tables).to_string());
    assert_eq!(shop, place.sql(&format!("{}{kept}", query.replace("shop.", "plain."))), "no younger row is missing");
}
