//! The fleet as a whole: laws, inventory, reports, outages, scenario.

#![expect(clippy::unwrap_used, reason = "tests")]

mod inventory;
mod laws;
mod online;
mod outages;
mod scenario;
mod speed;

use std::collections::BTreeMap;

use device_fleet::DeviceFleet;
use telemill_sdk::native::Run;
use telemill_sdk::time::SECOND;
use telemill_sdk::{Batch, DataType, Incident, Window};

/// 2026-11-09T00:00:00Z, a Monday.
const MONDAY: i64 = 1_794_182_400 * SECOND;
const DEVICES: usize = 0;
const SEGMENTS: usize = 1;
const KEY: [&str; 8] =
    ["ts", "segment", "dim1_name", "dim1_value", "dim2_name", "dim2_value", "dim3_name", "dim3_value"];

/// A run whose windows are whole steps, whatever the step.
fn run(config: &str, span: Window) -> Run {
    Run::new(config, span).windows(span.micros())
}

/// A value as text, whatever its type.
fn cell(batch: &Batch, name: &str, row: usize) -> String {
    match batch.declaration().unwrap().field(name).unwrap().data_type {
        DataType::Utf8 => batch.text(name, row).unwrap_or("null").to_owned(),
        DataType::Boolean => format!("{:?}", batch.bool(name, row).unwrap()),
        DataType::Date => batch.i32(name, row).unwrap().to_string(),
        _ => batch.i64(name, row).unwrap().to_string(),
    }
}

/// All rows of a run as lines of text, sorted, by table.
fn lines(run: &Run) -> BTreeMap<usize, Vec<String>> {
    let mut all: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    run.each::<DeviceFleet>(|batch| {
        let names: Vec<String> = batch.declaration().unwrap().fields.iter().map(|field| field.name.clone()).collect();
        for row in 0..batch.rows() {
            let line: Vec<String> = names.iter().map(|name| cell(&batch, name, row)).collect();
            all.entry(batch.table()).or_default().push(line.join("|"));
        }
    })
    .unwrap();
    all.values_mut().for_each(|lines| lines.sort());
    all
}

/// Machines online at each snapshot, by the rows of one segment.
fn online(config: &str, seed: u64, span: Window, segment: &str, incidents: &[Incident]) -> BTreeMap<i64, i64> {
    let mut counts = BTreeMap::new();
    run(config, span)
        .seed(seed)
        .incidents(incidents.to_vec())
        .each::<DeviceFleet>(|batch| {
            for row in (0..batch.rows()).filter(|_| batch.table() == SEGMENTS) {
                if batch.text("segment", row) == Some(segment) {
                    *counts.entry(batch.i64("ts", row).unwrap()).or_insert(0) += batch.i64("count", row).unwrap();
                }
            }
        })
        .unwrap();
    counts
}
