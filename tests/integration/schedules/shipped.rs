//! The pipelines that ship, run as they stand.

use super::states;
use crate::program::Place;
use crate::server::metrics::figures;
use crate::tidy::files_in;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use telemill::alert::Alerts;
use telemill::app::{App, Origin};
use telemill::core::time::{Length, Timestamp};
use telemill::run::{Cancel, Host};
use telemill::schedule::{Clock, Pipeline, Scheduler};
use telemill::store::{Store, WorkState};
use telemill_tests::repository;
use tokio::runtime::Handle;

pub(super) fn shipped(plugin: &str, name: &str) -> PathBuf {
    repository().join("plugins").join(plugin).join("pipelines").join(name)
}

/// A clock that stands still while a run is under way, and otherwise passes as fast as anybody sleeps.
pub(super) struct Simulated {
    now: Mutex<Timestamp>,
    end: Timestamp,
    store: Store,
    runtime: Handle,
}

impl Simulated {
    pub(super) fn new(now: Timestamp, end: Timestamp, host: &Host) -> Self {
        Self { now: Mutex::new(now), end, store: host.store.clone(), runtime: host.runtime.clone() }
    }
}

impl Clock for Simulated {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    fn sleep(&self, length: Length, stop: &Cancel) {
        let newest = self.runtime.block_on(self.store.pipeline_runs(None, 1, None)).unwrap();
        if newest.first().is_some_and(|run| run.state == WorkState::Running) {
            std::thread::sleep(std::time::Duration::from_millis(5));
            return;
        }
        let mut now = self.now.lock().unwrap();
        *now = now.plus_us(i64::try_from(length.us()).unwrap());
        if *now >= self.end {
            stop.cancel();
        }
    }
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn every_pipeline_that_ships_can_be_read() {
    let plugins = repository().join("plugins");
    let files: Vec<PathBuf> =
        files_in(&plugins, "toml").into_iter().filter(|path| path.parent().unwrap().ends_with("pipelines")).collect();
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        Pipeline::read(&file).unwrap();
    }
    let weekly = Pipeline::read(&shipped("transfer-compression", "training.toml")).unwrap();
    // Sunday at two, not before November 2025; two retries, five minutes apart.
    assert_eq!(weekly.next_due(at("2026-11-22T02:00:00Z")), Some(at("2026-11-29T02:00:00Z")));
    assert_eq!(weekly.next_due(at("2025-01-01T00:00:00Z")), Some(at("2025-11-02T02:00:00Z")));
    assert!(weekly.steps.iter().all(|step| (step.retries, step.retry_delay.us()) == (2, 300_000_000)));
    let names: Vec<&str> = weekly.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["check", "export", "train", "validate", "deploy"]);
}

/// Section 4.2 of the document on compression: from rows to a selector in the staging folder.
#[test]
fn the_weekly_training_deploys_a_selector_to_staging() {
    let place = Place::new();
    place.good(["run", "start", "transfer-compression", "--quiet", "--duration", "3d"]);
    let python = crate::transfers::python();
    let path = format!("{}:{}", python.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let file = shipped("transfer-compression", "training.toml");
    let due = "2026-11-22T02:00:00Z";
    let words =
        ["schedule", "run", file.to_str().unwrap(), "--once", "compression-selector-training", "--due", due, "--json"];
    let output = crate::program::answer(place.command(words).env("PATH", path).output().unwrap()).with_code(0);
    let told: Value = serde_json::from_str(&output.out).unwrap();
    assert!(states(&told).iter().all(|(_, state)| state == "succeeded"), "{told:#}");
    let report = fs::read_to_string(place.path().join("staging/report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert!(report["regret_ratio"].as_f64().unwrap() <= 0.5, "{report:#}");
    let model = |folder: &str| fs::read(place.path().join(folder).join("selector.pickle")).unwrap();
    assert_eq!(model("staging"), model("training/2026-11-22"));
    figures_of_the_training(&place);
}

/// The document's figures of its monitoring, as a server over this data folder tells them.
fn figures_of_the_training(place: &Place) {
    let server = place.serve([]);
    let found = figures(&server);
    let figure = |name: &str, labels: &str| {
        let name = format!("telemill_{name}{{{labels}}}");
        *found.get(&name).unwrap_or_else(|| panic!("{name} is missing in {found:#?}"))
    };
    let table = "table=\"transfer_compression.compression_metrics\"";
    let own = "SELECT count(*) AS n FROM transfer_compression.compression_metrics WHERE timestamp > (SELECT max(timestamp) - INTERVAL '1 hour' FROM transfer_compression.compression_metrics)";
    assert_eq!(figure("table_rows_per_hour", table), server.sql(own)[0]["n"].as_f64().unwrap());
    let classes: Vec<(String, f64)> = server
        .sql("SELECT current_compression AS class, count(*) * 1.0 / (SELECT count(*) FROM transfer_compression.compression_metrics) AS share FROM transfer_compression.compression_metrics GROUP BY 1")
        .iter()
        .map(|row| (row["class"].as_str().unwrap().to_owned(), row["share"].as_f64().unwrap()))
        .collect();
    assert!(classes.len() >= 2, "{classes:?}");
    for (class, share) in classes {
        let told = figure("table_class_ratio", &format!("{table},class=\"{class}\""));
        assert!((told - share).abs() < 1e-9, "{class}: {told} and {share}");
    }
    assert!((0.0..0.1).contains(&figure("table_missing_ratio", table)));
    assert!(figure("table_megabytes_per_day", table) > 0.0);
    // Fresh: the rows came in while this test ran.
    assert!((0.0..1.0).contains(&figure("table_age_hours", table)));
    let step = |name: &str| format!("pipeline=\"compression-selector-training\",step=\"{name}\"");
    for name in ["check", "export", "train", "validate", "deploy"] {
        assert_eq!(figure("step_success_ratio", &step(name)), 1.0, "{name}");
    }
    assert!(figure("export_seconds", &step("export")) > 0.0);
    assert!(figure("pipeline_success_age_seconds", "pipeline=\"compression-selector-training\"") < 3_600.0);
}

/// The document on devices collects every minute, with a clock that is a quarter of an hour further on each time.
#[test]
fn a_day_of_collection_passes_on_a_simulated_clock() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(shipped("device-fleet", "collection.toml")).unwrap();
    // Its files go below the working folder, which this test shares with others.
    let out = format!("output_dir = \"{}/collection/", folder.path().display());
    let text = text.replace("output_dir = \"collection/", &out);
    let pipeline = Pipeline::parse(&text, Path::new("collection.toml")).unwrap();
    let app = App::new(Origin { data_dir: Some(folder.path().join("data")), settings: Vec::new() }).unwrap();
    let writer = app.writer().unwrap();
    let host = &writer.host;
    let scheduler = Scheduler::new(vec![pipeline], Alerts::new(host.store.clone(), host.runtime.clone()));
    // Twelve minutes of the day, which are three hours of the fleet.
    let clock = Simulated::new(at("2026-11-22T10:00:30Z"), at("2026-11-22T10:13:00Z"), host);
    scheduler.run(host, &clock, &Cancel::default()).unwrap();
    let runs = host.runtime.block_on(host.store.pipeline_runs(None, 100, None)).unwrap();
    let times: Vec<_> = runs.iter().rev().map(|run| (run.due, run.clock)).collect();
    let minute = |index: i64| {
        let simulated = at("2026-11-09T00:00:00Z").plus_us(index * 15 * 60_000_000);
        (at("2026-11-22T10:01:00Z").plus_us(index * 60_000_000), Some(simulated))
    };
    assert_eq!(times, (0..12).map(minute).collect::<Vec<_>>());
    assert!(runs.iter().all(|run| run.state == WorkState::Succeeded), "{runs:#?}");
    let csv = files_in(&folder.path().join("collection/csv"), "csv");
    let json = files_in(&folder.path().join("collection/json"), "ndjson");
    assert_eq!((csv.len(), json.len()), (12, 12));
    let first = fs::read_to_string(&csv[0]).unwrap();
    assert!(first.starts_with("ts,segment,count,dim1_name,"), "{}", first.lines().next().unwrap());
    assert!(first.lines().skip(1).all(|line| line.starts_with("2026-11-09 00:00:00,")), "one snapshot a file");
}
