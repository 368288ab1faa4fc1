//! A real inventory instead of a made-up one, and large estates.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use device_outages::DeviceOutages;
use pos_estate::PosEstate;
use telemill_sdk::native::{Run, plan, trigger};
use telemill_sdk::session::GeneratorSession;
use telemill_sdk::time::{HOUR, MINUTE, SECOND};
use telemill_sdk::{Batch, Error, Nullable, Output, Rows, Shard, TextColumn, Window, table};

const START: i64 = 1_794_355_200 * SECOND + 10 * HOUR;
const SPAN: Window = Window::new(START, START + HOUR);
const FED: &str = r#"{"inventory": "fed", "sites": 4, "terminals": 20}"#;

table! {
    /// Sites as somebody has them.
    struct Sites("sites") {
        /// Id.
        site_id: TextColumn,
        /// Name.
        name: Nullable<TextColumn>,
        /// City.
        city: Nullable<TextColumn>,
    }
}

table! {
    /// Devices as somebody has them.
    struct Devices("devices") {
        /// Id.
        device_id: TextColumn,
        /// Site.
        site_id: TextColumn,
        /// Model.
        model: Nullable<TextColumn>,
        /// System.
        os_version: Nullable<TextColumn>,
        /// Address.
        ip_address: Nullable<TextColumn>,
    }
}

/// Feeds an inventory into each partition, and hands out all rows.
fn run(devices: &[(&str, &str)], partitions: u32, struck: Option<(&str, &str)>) -> Result<Vec<Batch>, Error> {
    let mut output = Output::new(vec![Sites::table(), Devices::table()]);
    let mut rows = Sites::default();
    for site in ["harbour", "mill"] {
        rows.site_id.push_str(site);
        rows.name.push_null();
        rows.city.push("Cork");
    }
    rows.finish(&mut output)?;
    let mut rows = Devices::default();
    for (device, site) in devices {
        rows.device_id.push_str(device);
        rows.site_id.push_str(site);
        rows.model.push("X9");
        rows.os_version.push_null();
        rows.ip_address.push_null();
    }
    rows.finish(&mut output)?;
    let fed = output.take();
    let mut all = Vec::new();
    for partition in 0..partitions {
        let shard = Shard { seed: 3, partition, partitions, span: SPAN };
        let mut session = GeneratorSession::<PosEstate>::open(FED, shard)?;
        for (input, batch) in fed.iter().enumerate() {
            session.feed(input as u32, batch.rows() as u32, batch.columns().to_vec())?;
        }
        if let Some((kind, target)) = struck {
            let targets = plan::<PosEstate>(FED)?.targets;
            let window = Window::new(START + 10 * MINUTE, START + 30 * MINUTE);
            let quiet = r#"{"cascades": false}"#;
            session.inject(trigger::<DeviceOutages>(quiet, 3, SPAN, targets, kind, target, window)?)?;
        }
        for window in SPAN.steps(20 * MINUTE) {
            all.extend(session.advance(window)?);
        }
    }
    Ok(all)
}

fn count(rows: &[Batch], table: &str, column: &str, within: Window) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for batch in rows.iter().filter(|batch| batch.declaration().unwrap().name == table) {
        let time = batch.declaration().unwrap().time_field.clone();
        for row in 0..batch.rows() {
            let inside = time.as_ref().is_none_or(|time| within.contains(batch.i64(time, row).unwrap()));
            if let (true, Some(text)) = (inside, batch.text(column, row)) {
                *counts.entry(text.to_owned()).or_default() += 1;
            }
        }
    }
    counts
}

const TILLS: [(&str, &str); 5] =
    [("till-a", "mill"), ("till-b", "harbour"), ("till-c", "mill"), ("till-d", "harbour"), ("till-e", "mill")];

#[test]
fn every_action_aims_at_devices_that_exist() {
    let rows = run(&TILLS, 1, None).unwrap();
    let known: BTreeSet<String> = TILLS.iter().map(|(device, _)| (*device).to_owned()).collect();
    for table in ["devices", "device_metrics", "api_request_logs", "job_outcomes", "config_history"] {
        let seen: BTreeSet<String> = count(&rows, table, "device_id", SPAN).into_keys().collect();
        assert_eq!(seen, known, "{table}");
    }
    let seen = count(&rows, "device_metrics", "device_id", SPAN);
    assert!(seen.values().all(|rows| *rows == 720));
    assert_eq!(count(&rows, "devices", "model", SPAN)["X9"], 5);
    let print = |rows: &[Batch]| count(rows, "user_activities", "site_id", SPAN);
    assert_eq!(print(&rows), print(&run(&TILLS, 3, None).unwrap()), "partitions change nothing");
}

#[test]
fn incidents_reach_the_devices_of_a_fed_site() {
    // The second site is the mill, whatever its id.
    let rows = run(&TILLS, 2, Some(("site-network-down", "site-002"))).unwrap();
    let full = Window::new(START + 11 * MINUTE, START + 30 * MINUTE);
    let reporting: Vec<String> = count(&rows, "device_metrics", "device_id", full).into_keys().collect();
    assert_eq!(reporting, ["till-b", "till-d"]);
    let rows = run(&TILLS, 1, Some(("terminal-offline", "pos-00002"))).unwrap();
    let reporting: Vec<String> = count(&rows, "device_metrics", "device_id", full).into_keys().collect();
    assert_eq!(reporting, ["till-a", "till-c", "till-d", "till-e"], "the second row of the devices");
}

#[test]
fn an_inventory_that_does_not_fit_together_is_refused() {
    let error = |devices: &[(&str, &str)]| run(devices, 1, None).unwrap_err().to_string();
    assert!(error(&[("till-a", "moon")]).contains("moon"));
    assert!(error(&[("till-a", "mill"), ("till-a", "mill")]).contains("twice"));
    let many: Vec<String> = (0..21).map(|i| format!("till-{i}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|device| (device.as_str(), "mill")).collect();
    assert!(error(&many).contains("raise `terminals`"));
    assert!(error(&[]).contains("no devices"));
    assert!(plan::<PosEstate>("{}").unwrap().inputs.is_empty());
}

#[test]
fn thousands_of_terminals_work() {
    let config = r#"{"sites": 300, "terminals": 3000, "metrics_seconds": 60}"#;
    let span = Window::new(START, START + 10 * MINUTE);
    let mut readings = 0;
    Run::new(config, span)
        .each::<PosEstate>(|batch| {
            readings += if batch.declaration().unwrap().name == "device_metrics" { batch.rows() } else { 0 };
        })
        .unwrap();
    assert_eq!(readings, 30_000);
}

#[test]
fn what_a_configuration_can_not_be_is_told() {
    let problem = |config: &str| plan::<PosEstate>(config).unwrap_err().to_string();
    assert!(problem(r#"{"metrics_seconds": 7}"#).contains("/metrics_seconds"));
    assert!(problem(r#"{"opens_hour": 21}"#).contains("/opens_hour"));
    assert!(problem(r#"{"weekday_multipliers": [1]}"#).contains("/weekday_multipliers"));
    assert!(problem(r#"{"time_zone": "Atlantis"}"#).contains("/time_zone"));
    assert!(problem(r#"{"terminal": 4}"#).contains("terminal"));
}
