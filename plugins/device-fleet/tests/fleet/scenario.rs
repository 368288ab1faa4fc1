//! `scenario.toml`: its keys are known, its rules hold, and each of them can be broken. The export profiles fit the tables.

use device_fleet::DeviceFleet;
use fleet_outages::FleetOutages;
use online_monitor::OnlineMonitor;
use table_rules::Rules;
use telemill_sdk::batch::{Text, Values};
use telemill_sdk::native::{incidents, judge, plan};
use telemill_sdk::time::{DAY, HOUR};
use telemill_sdk::{Batch, Column, Finding, Severity, Window};

use super::{DEVICES, MONDAY, SEGMENTS, run};

fn spec() -> toml::Table {
    include_str!("../../scenario.toml").parse().unwrap()
}

fn config(of: &toml::Value) -> String {
    serde_json::to_string(&of["config"]).unwrap()
}

/// The rows of the scenario over some of its time.
fn made(seed: u64, span: Window) -> Vec<Batch> {
    let spec = spec();
    let generator = config(&spec["generator"]);
    let targets = plan::<DeviceFleet>(&generator).unwrap().targets;
    let all = incidents::<FleetOutages>(&config(&spec["incident_models"][0]), seed, span, targets).unwrap();
    run(&generator, span).seed(seed).incidents(all).rows::<DeviceFleet>().unwrap()
}

/// The broken rules.
fn broken(span: Window, batches: &[Batch]) -> Vec<Finding> {
    let spec = spec();
    let tables = plan::<DeviceFleet>("{}").unwrap().tables;
    let rules = judge::<Rules>(&config(&spec["validators"][0]), &tables, span, batches).unwrap();
    let monitor = judge::<OnlineMonitor>(&config(&spec["validators"][1]), &tables, span, batches).unwrap();
    assert!(rules.findings.len() > 30 && !monitor.findings.is_empty(), "every rule has a finding");
    rules.findings.into_iter().chain(monitor.findings).filter(|finding| finding.severity >= Severity::High).collect()
}

#[test]
fn rules_hold_for_the_day_and_for_parts_of_it() {
    let seed = spec()["seed"].as_integer().unwrap() as u64;
    let day = Window::new(MONDAY, MONDAY + DAY);
    for (seed, span) in
        [(seed, day), (1, day), (2, Window::new(MONDAY + 4 * DAY + 20 * HOUR, MONDAY + 5 * DAY + 2 * HOUR))]
    {
        let broken = broken(span, &made(seed, span));
        assert!(broken.is_empty(), "{seed}: {broken:#?}");
    }
}

/// Rows with one column of one table changed.
fn spoilt(batches: &[Batch], table: usize, column: &str, spoil: impl Fn(Column) -> Column) -> Vec<Batch> {
    let tables = plan::<DeviceFleet>("{}").unwrap().tables;
    let at = tables[table].position(column).unwrap();
    let change = |batch: &Batch| {
        let mut columns = batch.columns().to_vec();
        columns[at] = spoil(columns[at].clone());
        Batch::new(batch.table() as u32, batch.rows() as u32, columns, tables.clone().into())
    };
    batches.iter().map(|batch| if batch.table() == table { change(batch) } else { batch.clone() }).collect()
}

/// A dictionary's values replaced.
fn renamed(column: Column, from: &str, to: &str) -> Column {
    let Values::Dictionary { keys, values } = column.values else { return column };
    let (mut text, mut bytes) = (vec![0u8; 4], Vec::new());
    for i in 0..values.len() {
        let value = values.get(i).unwrap();
        bytes.extend_from_slice(if value == from { to } else { value }.as_bytes());
        text.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    }
    Column { values: Values::Dictionary { keys, values: Text { offsets: text, bytes } }, validity: column.validity }
}

#[test]
fn spoilt_rows_break_the_rule_that_they_should() {
    let span = Window::new(MONDAY + 12 * HOUR, MONDAY + 15 * HOUR);
    let batches = made(7, span);
    let expect = |batches: &[Batch], rule: &str| {
        let broken = broken(span, batches);
        assert!(broken.iter().any(|finding| finding.rule.contains(rule)), "{rule}: {broken:#?}");
    };
    expect(&spoilt(&batches, DEVICES, "state", |column| renamed(column, "SP", "XX")), "states of Brazil");
    expect(
        &spoilt(&batches, DEVICES, "machine_model", |column| renamed(column, "ATMv18", "Bell2021")),
        "models of ATMs",
    );
    expect(&spoilt(&batches, DEVICES, "os_version", |column| renamed(column, "10.0", "20.4")), "versions of Windows");
    expect(&spoilt(&batches, SEGMENTS, "segment", |column| renamed(column, "Type", "Kind")), "a row for each type");
    expect(&spoilt(&batches, SEGMENTS, "segment", |column| renamed(column, "Type", "Kind")), "online-drop");
    expect(&spoilt(&batches, SEGMENTS, "dim1_value", |column| renamed(column, "ATM", "PC")), "primary-key");
    let zeros = |column: Column| match column.values {
        Values::Packed(bytes) => Column { values: Values::Packed(vec![0; bytes.len()]), validity: column.validity },
        _ => column,
    };
    expect(&spoilt(&batches, SEGMENTS, "count", zeros), "a row counts a machine");
    let all_set = |column: Column| match column.values {
        Values::Packed(bytes) => Column { values: Values::Packed(vec![0xff; bytes.len()]), validity: column.validity },
        _ => column,
    };
    expect(&spoilt(&batches, DEVICES, "has_error", all_set), "few machines are in trouble");
    let twice: Vec<Batch> = batches.iter().chain(batches.first()).cloned().collect();
    expect(&twice, "every machine has an address");
    // Nine of ten machines are gone.
    let mut decimated = batches.clone();
    decimated.retain(|batch| batch.table() == SEGMENTS);
    expect(&decimated, "inventory");
}

#[test]
fn profiles_have_the_documents_columns() {
    let tables = plan::<DeviceFleet>("{}").unwrap().tables;
    for (at, text) in [
        (DEVICES, include_str!("../../profiles/devices.toml")),
        (SEGMENTS, include_str!("../../profiles/segment_timeseries.toml")),
    ] {
        let profile: toml::Table = text.parse().unwrap();
        let names: Vec<&str> =
            profile["columns"].as_array().unwrap().iter().map(|column| column["name"].as_str().unwrap()).collect();
        let declared: Vec<&str> = tables[at].fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(profile["table"].as_str(), Some(tables[at].name.as_str()));
        assert_eq!([&names[..], &["incident_id"]].concat(), declared);
    }
}
