//! The laws that every run relies on.

use std::collections::{BTreeMap, BTreeSet};

use device_fleet::DeviceFleet;
use fleet_outages::FleetOutages;
use proptest::prelude::*;
use telemill_sdk::native::{incidents, plan};
use telemill_sdk::time::{HOUR, MINUTE};
use telemill_sdk::{Incident, Window};

use super::{DEVICES, KEY, MONDAY, SEGMENTS, cell, lines, run};

/// Enough outages that some are on at any time.
fn outages(config: &str, seed: u64, span: Window) -> Vec<Incident> {
    let targets = plan::<DeviceFleet>(config).unwrap().targets;
    let many = r#"{"outages_per_day": 60, "duration_minutes": "20-90"}"#;
    incidents::<FleetOutages>(many, seed, span, targets).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Seeds, partitions, windows and segments of any size: the same rows.
    #[test]
    fn partitions_windows_and_segments_change_nothing(
        seed in 0u64..1000, devices in 1u32..120, hour in 0i64..200, frequency in 1u32..50, window in 5u32..120,
        step in 3i64..40, chunk in 1i64..9, cut in 1i64..9,
    ) {
        let config = format!(
            r#"{{"devices": {devices}, "frequency_minutes": {frequency}, "window_minutes": {window}, "snapshot_minutes": {step}}}"#
        );
        // Nothing has to lie on whole steps since 1970.
        let start = MONDAY + hour * HOUR + 7 * MINUTE + 13;
        let span = Window::new(start, start + 12 * step * MINUTE);
        let trouble = outages(&config, seed, span);
        let run = || run(&config, span).seed(seed).incidents(trouble.clone());
        let whole = lines(&run());
        prop_assert_eq!(whole[&DEVICES].len(), devices as usize);
        prop_assert!(whole == lines(&run()), "same seed, same rows");
        prop_assert!(whole != lines(&run().seed(seed + 1)), "another seed, other rows");
        for partitions in [3, 8] {
            prop_assert!(whole == lines(&run().partitions(partitions)), "{} partitions", partitions);
        }
        prop_assert!(whole == lines(&run().windows(step * MINUTE)), "step by step");
        let cut = run().windows(chunk * step * MINUTE).segments(cut * step * MINUTE).partitions(2);
        prop_assert!(whole == lines(&cut), "windows of {} steps", chunk);
    }
}

#[test]
fn any_snapshot_can_be_made_by_itself() {
    let span = Window::new(MONDAY + 9 * HOUR, MONDAY + 13 * HOUR);
    let trouble = outages("{}", 5, span);
    let all = lines(&run("{}", span).seed(5).incidents(trouble.clone()));
    let at = MONDAY + 11 * HOUR + 45 * MINUTE;
    let one = lines(&run("{}", Window::new(at, at + 15 * MINUTE)).seed(5).incidents(trouble));
    let of_then: Vec<&String> = all[&SEGMENTS].iter().filter(|line| line.starts_with(&at.to_string())).collect();
    assert!(of_then.len() > 900);
    assert!(of_then.into_iter().eq(&one[&SEGMENTS]));
}

#[test]
fn keys_are_unique_dimensions_link_to_the_inventory_and_segments_agree() {
    let span = Window::new(MONDAY + 10 * HOUR, MONDAY + 12 * HOUR);
    let trouble = outages("{}", 3, span);
    let ids: BTreeSet<String> = trouble.iter().map(|incident| incident.id.clone()).collect();
    let (mut keys, mut inventory, mut seen) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut sums: BTreeMap<(i64, String), i64> = BTreeMap::new();
    let mut blamed = 0;
    run("{}", span)
        .seed(3)
        .incidents(trouble)
        .each::<DeviceFleet>(|batch| {
            for row in 0..batch.rows() {
                if let Some(id) = batch.text("incident_id", row) {
                    assert!(ids.contains(id));
                    blamed += 1;
                }
                if batch.table() == DEVICES {
                    for name in [
                        "state",
                        "machine_type",
                        "machine_model",
                        "supplier",
                        "operating_system",
                        "os_version",
                        "branch_id",
                    ] {
                        inventory.insert((name.to_owned(), cell(&batch, name, row)));
                    }
                    continue;
                }
                assert!(keys.insert(KEY.map(|name| cell(&batch, name, row))), "a key comes twice");
                assert!(batch.i64("count", row).unwrap() > 0);
                let segment = batch.text("segment", row).unwrap();
                let dimensions = segment.split(" and ").count();
                for (at, [name, value]) in
                    [["dim1_name", "dim1_value"], ["dim2_name", "dim2_value"], ["dim3_name", "dim3_value"]]
                        .iter()
                        .enumerate()
                {
                    let (name, value) = (batch.text(name, row).unwrap(), batch.text(value, row).unwrap());
                    assert_eq!((name.is_empty(), value.is_empty()), (at >= dimensions, at >= dimensions), "{segment}");
                    if at < dimensions && name != "has_error" {
                        seen.insert((name.to_owned(), value.to_owned()));
                    }
                }
                *sums.entry((batch.i64("ts", row).unwrap(), segment.to_owned())).or_default() +=
                    batch.i64("count", row).unwrap();
            }
        })
        .unwrap();
    assert!(seen.is_subset(&inventory), "{:?}", seen.difference(&inventory).next());
    assert_eq!(sums.len(), 8 * 13);
    for ((at, segment), sum) in &sums {
        assert_eq!(*sum, sums[&(*at, "Type".to_owned())], "{segment}");
    }
    assert!(blamed > 50, "{blamed} rows blame somebody");
}

#[test]
fn machines_that_are_set_up_during_a_run_are_listed_then() {
    let config = r#"{"devices": 300, "acquired_from": "2026-11-02", "acquired_until": "2026-11-13"}"#;
    let span = Window::new(MONDAY, MONDAY + 5 * 24 * HOUR);
    let mut listed = BTreeMap::new();
    run(config, span)
        .each::<DeviceFleet>(|batch| {
            for row in (0..batch.rows()).filter(|_| batch.table() == DEVICES) {
                let heard_of = batch.i64("last_connection_ts", row).unwrap();
                let acquired = i64::from(batch.i32("acquisition_date", row).unwrap());
                assert!(heard_of > acquired * 24 * HOUR, "nothing happens before the acquisition");
                assert!(listed.insert(cell(&batch, "device_code", row), acquired).is_none(), "listed once");
            }
        })
        .unwrap();
    assert_eq!(listed.len(), 300);
    assert!(listed.values().any(|day| *day > MONDAY / (24 * HOUR)), "some come later");
    let online = super::online(config, 0, span, "Type", &[]);
    let (first, last) = (online.first_key_value().unwrap().1, online.values().max().unwrap());
    assert!(*last > 2 * first, "{first} {last}");
}
