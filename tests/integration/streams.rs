//! Streams of the built program: backfill, then live, without a seam, however often they are killed.

mod care;
mod control;
mod isolated;
mod postgres;
mod sinks;

use serde_json::Value;
use telemill::core::id::StreamId;
use telemill::store::{DATABASE_FILE, Store, StreamRecord};
use tokio::runtime::Runtime;

use crate::program::{Place, Running, wait_until};

/// A stream of the shop from an hour before midnight to an hour after it, the second half of it live: an hour a second.
fn shop() -> String {
    r#"
        dataset = "shop"
        seed = 7
        start = "2026-11-09T15:00:00Z"
        partitions = 2
        [generator]
        plugin = "ecommerce"
        [generator.config]
        base_tps = 2
        [[incident_models]]
        plugin = "service-incidents"
        [incident_models.config]
        incidents_per_day = "20-30"
        [stream]
        speed = 3600
        tick = "1m"
        live_from = "2026-11-09T20:00:00Z"
        until = "2026-11-10T02:00:00Z"
    "#
    .to_owned()
}

/// A stream whose instances carry something over from segment to segment.
fn workloads() -> String {
    r#"
        dataset = "workloads"
        seed = 7
        start = "2026-11-09T22:00:00Z"
        partitions = 3
        [generator]
        plugin = "user-workloads"
        [generator.config]
        users = 10
        [[incident_models]]
        plugin = "resource-anomalies"
        [[incident]]
        model = "resource-anomalies"
        kind = "cpu-spike"
        target = "user_003"
        start = "2026-11-10T00:30:00Z"
        length = "10m"
        [stream]
        speed = 3600
        tick = "30s"
        live_from = "2026-11-09T23:00:00Z"
        until = "2026-11-10T01:00:00Z"
    "#
    .to_owned()
}

fn newest(place: &Place) -> Option<StreamRecord> {
    let path = place.data().join(DATABASE_FILE);
    if !path.exists() {
        return None;
    }
    Runtime::new().unwrap().block_on(async {
        let store = Store::open_read_only(&path).await.ok()?;
        let stream = store.streams(1, None).await.unwrap().pop();
        store.close().await;
        stream
    })
}

fn streaming(place: &Place, spec: &str, more: &[&str]) -> Running {
    place.file("stream.toml", spec);
    place.spawn(["stream", "run", "stream.toml", "--json"].into_iter().chain(more.iter().copied()))
}

/// Runs a stream to its end; gives its record.
fn ended(place: &Place, spec: &str, more: &[&str]) -> Value {
    serde_json::from_str(&streaming(place, spec, more).answer().with_code(0).out).unwrap()
}

/// Holds a stream to the run of its exported spec: fingerprints, and every row that the lake holds.
fn holds(place: &Place, stream: &Value) {
    let dataset = stream["dataset"].as_str().unwrap();
    let mut spec = place.json(["stream", "show", "--spec"]);
    spec["dataset"] = "plain".into();
    place.file("plain.json", spec.to_string());
    let run = place.json(["run", "start", "plain.json", "--json", "--replace"])["run"].take();
    assert_eq!(stream["tables"], run["tables"]);
    assert_eq!(stream["fingerprint"], run["fingerprint"]);
    for table in run["tables"].as_array().unwrap() {
        let (name, rows) = (table["table"].as_str().unwrap(), &table["rows"]);
        let counted = place.sql(&format!("SELECT count(*) AS n FROM {dataset}.{name}"));
        assert_eq!(&counted[0]["n"], rows, "{name}");
        let query = format!("SELECT * FROM {dataset}.{name} EXCEPT ALL SELECT * FROM plain.{name}");
        assert_eq!(place.sql(&query), Vec::<Value>::new(), "{name}");
    }
    let verified = place.json(["stream", "verify", "--json"]);
    assert_eq!(verified["equal"], true, "{verified}");
}

#[test]
fn a_stream_has_the_rows_of_a_run_from_its_backfill_on_without_a_seam() {
    let place = Place::new();
    let stream = ended(&place, &shop(), &[]);
    assert_eq!((&stream["state"], &stream["position"]), (&"stopped".into(), &"2026-11-10T02:00:00Z".into()));
    let incidents = place.sql("SELECT count(*) AS n FROM shop.incidents WHERE start_time >= '2026-11-10'");
    assert!(incidents[0]["n"].as_u64().unwrap() > 0, "incidents of the second day are planned as it comes");
    holds(&place, &stream);
}

/// Killed in its backfill, at its seam and live, at whatever it is doing then.
fn killed_again_and_again(spec: &str) {
    let place = Place::new();
    let mut kills = 0;
    for commits in [0, 1, 3, 5, 6, 7, 8] {
        let child = streaming(&place, spec, &[]);
        wait_until("the stream has come further", || newest(&place).is_some_and(|stream| stream.commits >= commits));
        // Not at the commit itself, but somewhere behind it.
        std::thread::sleep(std::time::Duration::from_millis(7 * commits));
        child.kill();
        kills += 1;
    }
    assert_eq!(kills, 7);
    let before = newest(&place).unwrap();
    let stream = ended(&place, spec, &[]);
    assert_eq!(stream["id"], before.id.as_str(), "it is the same stream");
    holds(&place, &stream);
}

#[test]
fn a_stream_that_is_killed_again_and_again_has_no_gap_and_no_double() {
    killed_again_and_again(&shop());
}

#[test]
fn a_stream_that_carries_state_over_goes_on_with_it_when_it_is_killed() {
    killed_again_and_again(&workloads());
}

/// A stream in the foreground tells its alerts as a server does.
#[test]
fn a_validator_that_fails_is_told_to_the_channels_of_the_command() {
    let place = Place::new();
    let rules = r#"
        [[validators]]
        plugin = "table-rules"
        [[validators.config.tables]]
        table = "transactions"
        rows = [{ name = "traffic", per = "hour", at_least = 1000000 }]
        [stream]"#;
    let spec = shop().replace("        [stream]", rules);
    let log = place.path().join("alerts.log");
    let setting = format!("alert.log_file={}", log.display());
    ended(&place, &spec, &["--setting", &setting]);
    let told = std::fs::read_to_string(log).unwrap();
    let first = told.lines().next().unwrap();
    assert!(first.contains(" ALERT ") && first.contains(" table-rules shop traffic: "), "{told}");
    let alerts = place.json(["alert", "list", "--json"]);
    assert_eq!(alerts[0]["source"], "stream into shop", "{alerts}");
}

#[test]
fn a_stream_that_is_interrupted_goes_on_at_another_speed() {
    let place = Place::new();
    let mut child = streaming(&place, &shop(), &["--speed", "600"]);
    wait_until("the stream is at work", || newest(&place).is_some_and(|stream| stream.commits >= 1));
    child.interrupt();
    let stream: Value = serde_json::from_str(&child.answer().with_code(0).out).unwrap();
    assert_eq!(stream["state"], "running", "it is not over");
    let id: StreamId = stream["id"].as_str().unwrap().parse().unwrap();
    let stream = ended(&place, &shop(), &["--speed", "7200"]);
    assert_eq!(stream["id"], id.as_str());
    holds(&place, &stream);
}

#[test]
fn another_spec_on_the_dataset_of_a_stream_is_refused_until_that_is_stopped() {
    let place = Place::new();
    let mut child = streaming(&place, &shop(), &[]);
    wait_until("the stream is at work", || newest(&place).is_some_and(|stream| stream.commits >= 1));
    child.interrupt();
    child.answer().with_code(0);
    let other = shop().replace("seed = 7", "seed = 8");
    streaming(&place, &other, &[]).answer().refused(&["with another spec", "telemill stream stop"]);
    assert_eq!(place.json(["stream", "stop", "--json"])["state"], "stopped");
    streaming(&place, &other, &[]).answer().refused(&["rows"]);
    ended(&place, &other, &["--replace"]);
}

/// What a server's clients do while a stream runs, commands do while nobody runs it.
#[test]
fn a_stream_at_rest_is_paused_made_faster_and_given_an_incident() {
    let place = Place::new();
    let mut child = streaming(&place, &shop(), &["--speed", "600"]);
    wait_until("the stream is at work", || newest(&place).is_some_and(|stream| stream.commits >= 1));
    child.interrupt();
    child.answer().with_code(0);
    let position = place.json(["stream", "stats", "--json"])["position"].clone();
    assert_eq!(place.json(["stream", "pause", "--json"])["state"], "paused");
    place.ask(["stream", "pause"]).refused(&["only a running stream"]);
    assert_eq!(place.json(["stream", "speed", "7200", "--json"])["clock"]["speed"], 7200.0);
    place.ask(["stream", "speed", "0"]).refused(&["speed"]);
    let words = ["stream", "trigger", "service-incidents", "payment-gateway-timeout", "payment-gateway"];
    let made = place.json(words.into_iter().chain(["--length", "20m", "--json"]));
    assert_eq!(made[0]["incident"]["window"]["start"], position, "{made}");
    let table = place.good(words.into_iter().chain(["--length", "5m", "--start", "2026-11-10T01:00:00Z"]));
    assert!(table.contains("payment-gateway-timeout") && table.contains("2026-11-10T01:00:00Z"), "{table}");
    let early = words.into_iter().chain(["--length", "5m", "--start", "2026-11-09T15:00:00Z"]);
    place.ask(early).refused(&["made already"]);
    let stats = place.json(["stream", "stats", "--json"]);
    assert_eq!((&stats["state"], &stats["position"]), (&"paused".into(), &position), "nothing was made: {stats}");
    assert_eq!(place.json(["stream", "resume", "--json"])["state"], "running");
    place.ask(["stream", "resume"]).refused(&["only a paused or failed stream"]);
    assert_eq!(place.json(["stream", "pause", "--json"])["state"], "paused");
    let stream = ended(&place, &shop(), &[]);
    assert_eq!(stream["state"], "stopped", "the command goes on with a stream that is paused");
    let id = made[0]["incident"]["id"].as_str().unwrap();
    let found = place.sql(&format!("SELECT start_time FROM shop.incidents WHERE incident_id = '{id}'"));
    assert_eq!(found.len(), 1);
    holds(&place, &stream);
}
