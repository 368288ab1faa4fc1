//! Streams under control: paused, made faster, given incidents by hand; and what they say of themselves.

use std::thread;
use std::time::Duration;

use telemill::alert::Alerts;
use telemill::app::{App, Origin, Writer};
use telemill::batch::dataset_fingerprint;
use telemill::core::id::StreamId;
use telemill::core::time::Timestamp;
use telemill::plugin::log_nowhere;
use telemill::run::{Cancel, Existing, Request, RunSpec, Unobserved};
use telemill::store::StreamState;
use telemill::stream::{Settings, StreamError, StreamSpec, Streams, Swapped, Trigger, verify};

use super::shop;
use crate::program::{Place, wait_until};

pub(super) fn open(place: &Place) -> (App, Writer) {
    let app = App::new(Origin { data_dir: Some(place.data()), settings: Vec::new() }).unwrap();
    let writer = app.writer().unwrap();
    (app, writer)
}

pub(super) fn spec(text: &str) -> StreamSpec {
    StreamSpec::of(RunSpec::parse_open_ended(text, false, "of the test").unwrap()).unwrap()
}

pub(super) fn streams(writer: &Writer) -> Streams {
    let alerts = Alerts::new(writer.host.store.clone(), writer.host.runtime.clone());
    Streams::new(&writer.host, alerts, Settings::default(), log_nowhere()).unwrap()
}

pub(super) fn comes_to(streams: &Streams, id: &StreamId, time: &str) {
    let time: Timestamp = time.parse().unwrap();
    wait_until("the stream has come there", || {
        let record = streams.record(id).unwrap();
        assert_eq!(record.error, None);
        record.position >= time
    });
}

/// The fingerprint of the run that the stream's spec and position describe.
pub(super) fn plain(writer: &Writer, streams: &Streams, id: &StreamId) -> String {
    let spec = streams.as_run(id).unwrap();
    let spec = RunSpec { dataset: "plain".into(), existing: Existing::Replace, ..spec };
    let request = Request { workers: None, log: log_nowhere() };
    let outcome =
        telemill::run::start(&writer.host, spec, &request, &|_, _| {}, &Unobserved, &Cancel::default()).unwrap();
    outcome.record.fingerprint.unwrap().to_string()
}

#[test]
fn pauses_changes_of_speed_and_incidents_by_hand_leave_the_rows_those_of_a_run() {
    let place = Place::new();
    let (_app, writer) = open(&place);
    let streams = streams(&writer);
    let id = streams.start(spec(&shop().replace("until = \"2026-11-10T02:00:00Z\"", ""))).unwrap().id;
    comes_to(&streams, &id, "2026-11-09T20:00:00Z");

    streams.pause(&id).unwrap();
    assert!(matches!(streams.pause(&id), Err(StreamError::State { .. })));
    // What was under way when it was paused has ended by then.
    let paused = (streams.stats(&id).unwrap().clock, streams.record(&id).unwrap().position);
    thread::sleep(Duration::from_millis(300));
    assert_eq!((streams.stats(&id).unwrap().clock, streams.record(&id).unwrap().position), paused, "it stands");

    let trigger = |kind: &str, target: &str, start: Option<&str>| Trigger {
        model: "service-incidents".into(),
        kind: kind.into(),
        target: target.into(),
        start: start.map(|start| start.parse().unwrap()),
        length: "20m".parse().unwrap(),
    };
    let made = streams.trigger(&id, trigger("payment-gateway-timeout", "payment-gateway", None)).unwrap();
    assert!(made.iter().all(|planned| planned.placed && planned.incident.window.start >= paused.1));
    let early = streams.trigger(&id, trigger("memory-pressure", "cart", Some("2026-11-09T16:00:00Z")));
    assert!(matches!(early, Err(StreamError::TooLate { earliest }) if earliest == paused.1));
    streams.trigger(&id, trigger("quake", "cart", None)).unwrap_err();

    streams.set_speed(&id, 600.0).unwrap();
    streams.resume(&id).unwrap();
    comes_to(&streams, &id, &paused.1.plus_us(600_000_000).to_string());
    streams.trigger(&id, trigger("load-spike", "shop", Some("2026-11-10T00:30:00Z"))).unwrap();
    streams.set_speed(&id, 7200.0).unwrap();
    comes_to(&streams, &id, "2026-11-10T01:00:00Z");
    streams.stop(&id).unwrap();
    streams.shut_down();
    let record = streams.record(&id).unwrap();
    assert_eq!(record.state, StreamState::Stopped);
    assert!(matches!(streams.resume(&id), Err(StreamError::State { .. })));

    let fingerprint = dataset_fingerprint(&record.tables).to_string();
    assert_eq!(plain(&writer, &streams, &id), fingerprint);
    assert!(verify(&writer.host, &id, log_nowhere(), &Cancel::default()).unwrap().equal);
}

#[test]
fn a_stream_says_what_it_is_doing_and_goes_on_in_another_process_as_if_nothing_had_been() {
    let place = Place::new();
    let (_app, writer) = open(&place);
    let first = streams(&writer);
    let id = first.start(spec(&shop().replace("until = \"2026-11-10T02:00:00Z\"", ""))).unwrap().id;
    comes_to(&first, &id, "2026-11-09T21:00:00Z");
    wait_until("it has caught up", || first.stats(&id).unwrap().mode == "live");
    let stats = first.stats(&id).unwrap();
    assert_eq!(stats.rows, stats.session_rows, "all rows are of this session");
    assert!(stats.rows_per_minute > 0 && stats.behind_s < 4.0 * 3_600.0, "{stats:?}");
    wait_until("its drift was measured", || first.stats(&id).unwrap().drift_ms.is_some());
    first.shut_down();
    let stood = first.record(&id).unwrap().position;

    let second = streams(&writer);
    assert_eq!(second.take_up_all().unwrap(), 1);
    comes_to(&second, &id, &stood.plus_us(3_600_000_000).to_string());
    let stats = second.stats(&id).unwrap();
    assert!(stats.session_rows["transactions"] < stats.rows["transactions"]);
    second.stop(&id).unwrap();
    second.shut_down();
    let fingerprint = dataset_fingerprint(&second.record(&id).unwrap().tables).to_string();
    assert_eq!(plain(&writer, &second, &id), fingerprint);
}

/// The same component under another digest.
fn successor(name: &str) -> Vec<u8> {
    telemill_tests::noted(telemill_tests::plugin(name).unwrap(), "a successor")
}

#[test]
fn what_a_spec_names_by_its_digest_stays_when_the_name_means_another() {
    let place = Place::new();
    let (_app, writer) = open(&place);
    let path = place.file("successor.wasm", successor("user-workloads"));
    let digest = writer.host.registry.load(path.to_str().unwrap()).unwrap().digest();
    let shipped = writer.host.registry.shipped("user-workloads").unwrap();
    let streams = streams(&writer);
    let pinned = super::workloads().replace("plugin = \"user-workloads\"", &format!("plugin = \"sha256:{shipped}\""));
    let id = streams.start(spec(&pinned)).unwrap().id;
    assert_eq!(streams.swap_all("user-workloads", digest).unwrap(), []);
    // Nobody runs this one, as where a command changes what a name means.
    streams.shut_down();
    assert_eq!(streams.swap_all("resource-anomalies", digest).unwrap()[0].at, None, "it is no incident model");
    assert_eq!(streams.record(&id).unwrap().plugins[0].digest, shipped);
}

#[test]
fn another_version_takes_over_with_the_saved_state_and_a_verification_does_the_same() {
    let place = Place::new();
    let (_app, writer) = open(&place);
    let path = place.file("successor.wasm", successor("user-workloads"));
    let digest = writer.host.registry.load(path.to_str().unwrap()).unwrap().digest();
    let first = streams(&writer);
    let text = super::workloads().replace("until = \"2026-11-10T01:00:00Z\"", "");
    let id = first.start(spec(&text)).unwrap().id;
    comes_to(&first, &id, "2026-11-09T23:00:00Z");
    let swapped = first.swap_all("user-workloads", digest).unwrap();
    let at = writer.host.runtime.block_on(writer.host.store.stream_swaps(&id)).unwrap()[0].at;
    assert_eq!(swapped, [Swapped { stream: id.clone(), at: Some(at), afresh: false, error: None }]);
    assert_eq!(first.swap_all("user-workloads", digest).unwrap(), [], "it has it already");
    comes_to(&first, &id, &at.plus_us(1_800_000_000).to_string());
    first.shut_down();
    // The new version goes on after a restart.
    let second = streams(&writer);
    second.take_up(&id).unwrap();
    comes_to(&second, &id, &at.plus_us(3_600_000_000).to_string());
    second.stop(&id).unwrap();
    second.shut_down();
    let record = second.record(&id).unwrap();
    assert_eq!(record.plugins[0].digest, digest);
    assert!(verify(&writer.host, &id, log_nowhere(), &Cancel::default()).unwrap().equal);
    let fingerprint = dataset_fingerprint(&record.tables).to_string();
    assert_eq!(plain(&writer, &second, &id), fingerprint, "the same simulation goes on");
}

/// The state of instances whose counters never go back is of their plugin's version: the next one begins afresh, and says so.
#[test]
fn a_version_that_can_not_read_the_state_takes_over_afresh_and_a_verification_does_the_same() {
    let place = Place::new();
    let (_app, writer) = open(&place);
    let component = telemill_tests::of_next_version("user-workloads").unwrap();
    let path = place.file("successor.wasm", component);
    let digest = writer.host.registry.load(path.to_str().unwrap()).unwrap().digest();
    let first = streams(&writer);
    let text = super::workloads()
        .replace("users = 10", "users = 10\ndisk_and_network = \"since_start\"\nstart_spread_minutes = 0");
    let id = first.start(spec(&text.replace("until = \"2026-11-10T01:00:00Z\"", ""))).unwrap().id;
    comes_to(&first, &id, "2026-11-09T23:00:00Z");
    let swapped = first.swap_all("user-workloads", digest).unwrap();
    let swaps = || writer.host.runtime.block_on(writer.host.store.stream_swaps(&id)).unwrap();
    let at = swaps()[0].at;
    assert_eq!(swapped, [Swapped { stream: id.clone(), at: Some(at), afresh: true, error: None }]);
    assert!(swaps()[0].afresh && swaps()[0].before != swaps()[0].after);
    comes_to(&first, &id, &at.plus_us(1_800_000_000).to_string());
    first.shut_down();
    // It goes on with what the new version saved.
    let second = streams(&writer);
    second.take_up(&id).unwrap();
    comes_to(&second, &id, &at.plus_us(3_600_000_000).to_string());
    second.stop(&id).unwrap();
    second.shut_down();
    let record = second.record(&id).unwrap();
    assert_eq!((record.plugins[0].digest, record.plugins[0].version.as_str()), (digest, "0.1.1"));
    assert!(verify(&writer.host, &id, log_nowhere(), &Cancel::default()).unwrap().equal);
    assert_eq!(swaps().len(), 1);
    // Nothing is missing at the seam, and counters begin at nothing there.
    let counters = |when: &str| {
        let query = format!("SELECT count(*) AS n, max(disk_read_mb) AS most FROM workloads.user_metrics WHERE {when}");
        let found = place.sql(&query);
        (found[0]["n"].as_u64().unwrap(), found[0]["most"].as_f64().unwrap())
    };
    let minute = |from: Timestamp| {
        let to = from.plus_us(60_000_000);
        counters(&format!("time >= '{from}' AND time < '{to}'"))
    };
    let (before, after) = (minute(at.plus_us(-60_000_000)), minute(at));
    assert_eq!(before.0, after.0, "as many rows in the minute before as behind it");
    assert!(after.1 < before.1 / 2.0, "{before:?} and {after:?}");
}

/// Meters that are read every second.
fn meters(dataset: &str, count: u32) -> String {
    format!(
        r#"
        dataset = "{dataset}"
        seed = 7
        partitions = 1
        [generator]
        plugin = "declarative"
        [generator.config]
        system = "meters"
        step_seconds = 1
        entities = [{{ name = "meter", count = {count}, id = "m-{{n}}" }}]
        [[generator.config.tables]]
        name = "readings"
        summary = "What meters showed"
        of = "meter"
        rows = {{ every = 1 }}
        columns = [
            {{ name = "meter_id", value = "entity" }},
            {{ name = "power_w", value = {{ normal = {{ mean = 800, deviation = 90 }} }} }},
        ]
        "#
    )
}

#[test]
fn a_hundred_small_streams_and_a_large_one_share_the_threads_and_keep_up() {
    const SMALL: u64 = 100;
    const LARGE: u32 = 10_000;
    let place = Place::new();
    let (_app, writer) = open(&place);
    let streams = streams(&writer);
    let mut ids: Vec<_> =
        (0..SMALL).map(|number| streams.start(spec(&meters(&format!("small_{number}"), 1))).unwrap().id).collect();
    ids.push(streams.start(spec(&meters("large", LARGE))).unwrap().id);
    // Three segments of ten seconds each, in real time.
    for id in &ids {
        wait_until("it has made three segments", || streams.record(id).unwrap().commits >= 3);
    }
    let stats: Vec<_> = ids.iter().map(|id| streams.stats(id).unwrap()).collect();
    streams.shut_down();
    let worst = stats.iter().filter_map(|stats| stats.drift_ms).max().unwrap();
    let large = stats.last().unwrap();
    println!("largest drift {worst} ms; of the large one {:?} ms", large.drift_ms);
    for stats in &stats {
        // A segment is made when its time has passed, so that ten seconds are always missing.
        assert!(stats.behind_s < 30.0, "{stats:?}");
        let seconds = stats.rows["readings"] / if stats.id == large.id { u64::from(LARGE) } else { 1 };
        assert!((30..120).contains(&seconds), "a row a second and meter: {stats:?}");
    }
}
