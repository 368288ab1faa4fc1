//! The inventory's thirteen columns: formats, links and shares.

use std::collections::{BTreeMap, BTreeSet};

use device_fleet::DeviceFleet;
use device_fleet::catalogue::{MODELS, RELEASES, STATES, SUPPLIERS, SYSTEMS, TYPES};
use telemill_sdk::native::plan;
use telemill_sdk::time::{DAY, HOUR, Local};
use telemill_sdk::{TableKind, Window};

use super::{DEVICES, MONDAY, cell, run};

const COLUMNS: [&str; 13] = [
    "device_code",
    "acquisition_sequence",
    "branch_id",
    "state",
    "has_error",
    "machine_type",
    "machine_model",
    "supplier",
    "network_address",
    "operating_system",
    "os_version",
    "acquisition_date",
    "last_connection_ts",
];

/// The rows, each as its columns' texts by name.
fn devices(config: &str, seed: u64, at: i64) -> Vec<BTreeMap<&'static str, String>> {
    let mut all = Vec::new();
    run(config, Window::new(at, at + HOUR / 4))
        .seed(seed)
        .each::<DeviceFleet>(|batch| {
            if batch.table() == DEVICES {
                all.extend((0..batch.rows()).map(|row| COLUMNS.map(|name| (name, cell(&batch, name, row))).into()));
            }
        })
        .unwrap();
    all
}

#[test]
fn columns_are_the_documents_and_the_incident_comes_last() {
    let tables = plan::<DeviceFleet>("{}").unwrap().tables;
    let names = |at: usize| tables[at].fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>();
    assert_eq!(tables[0].kind, TableKind::Snapshot);
    assert_eq!(names(0), [&COLUMNS[..], &["incident_id"]].concat());
    let document =
        ["ts", "segment", "count", "dim1_name", "dim1_value", "dim2_name", "dim2_value", "dim3_name", "dim3_value"];
    assert_eq!(names(1), [&document[..], &["incident_id"]].concat());
    assert_eq!(tables[1].primary_key, super::KEY);
    let nullable = tables.iter().flat_map(|table| &table.fields).filter(|field| field.nullable);
    assert!(nullable.map(|field| field.name.as_str()).eq(["incident_id", "incident_id"]));
}

#[test]
fn every_row_has_the_documents_formats() {
    let all = devices("{}", 7, MONDAY);
    assert_eq!(all.len(), 4000);
    let mut codes = BTreeSet::new();
    for row in &all {
        let machine_type = TYPES.iter().find(|known| known.name == row["machine_type"]).unwrap();
        let (prefix, digits) = row["device_code"].split_at(2);
        assert_eq!(prefix, machine_type.prefix);
        assert!(digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_digit()));
        assert!(codes.insert(digits.to_owned()), "a number comes twice");
        let acquired: i64 = row["acquisition_date"].parse().unwrap();
        let (year, month, day) = Local { day: acquired, weekday: 0, micros: 0 }.date();
        assert_eq!(row["acquisition_sequence"], format!("{}{year:04}{month:02}{day:02}", row["branch_id"]));
        assert!(row["branch_id"].len() == 5 && row["branch_id"].parse::<u32>().unwrap() >= 10_000);
        assert!(acquired.rem_euclid(7) != 2 && acquired.rem_euclid(7) != 3, "on a weekend");
        let model = MODELS.iter().find(|known| known.name == row["machine_model"]).unwrap();
        assert_eq!(TYPES[usize::from(model.machine_type)].name, machine_type.name, "a model belongs to its type");
        assert_eq!(SUPPLIERS[usize::from(model.supplier)], row["supplier"]);
        assert!((model.from_year..=model.until_year).contains(&year), "{} bought in {year}", model.name);
        let release = RELEASES.iter().find(|known| known.version == row["os_version"]).unwrap();
        assert_eq!(SYSTEMS[usize::from(release.system)], row["operating_system"]);
        assert!(release.released <= acquired, "{} before its release", row["os_version"]);
        assert!(year <= release.until_year, "{} in {year}", row["os_version"]);
        let (whole, decimals) = row["os_version"].split_once('.').unwrap();
        assert!(whole.parse::<u8>().is_ok() && decimals.len() == 1);
        let address: Vec<u8> = row["network_address"].split('.').map(|part| part.parse().unwrap()).collect();
        assert!(address.len() == 4 && address[0] == 10 && (1..=250).contains(&address[3]));
        let heard_of: i64 = row["last_connection_ts"].parse().unwrap();
        assert!(heard_of > acquired * DAY && heard_of <= MONDAY && heard_of % 1_000_000 == 0);
    }
}

#[test]
fn nobody_buys_an_operating_system_of_the_past() {
    let mut latest: BTreeMap<String, i64> = BTreeMap::new();
    for row in devices(r#"{"devices": 40000}"#, 3, MONDAY) {
        let acquired: i64 = row["acquisition_date"].parse().unwrap();
        let last = latest.entry(format!("{} {}", row["operating_system"], row["os_version"])).or_insert(acquired);
        *last = acquired.max(*last);
    }
    assert_eq!(latest.len(), RELEASES.len(), "each was bought in its time: {latest:?}");
    // Days of 2018-01-01 and so on; Microsoft ended sales of 7 and 8.1 in 2016, Canonical's maintenance takes five years.
    for (name, day) in [
        ("Windows 7.0", 17_532),
        ("Windows 8.1", 17_532),
        ("Windows 10.0", 20_089),
        ("Ubuntu 14.4", 17_532),
        ("Ubuntu 16.4", 18_262),
        ("Ubuntu 18.4", 18_993),
        ("Ubuntu 20.4", 19_723),
    ] {
        assert!(latest[name] < day && latest[name] > day - 60, "{name} was last bought on day {}", latest[name]);
    }
}

#[test]
fn branches_have_one_state_one_subnet_and_machines() {
    let all = devices("{}", 8, MONDAY);
    let mut branches: BTreeMap<&str, (&str, &str, usize)> = BTreeMap::new();
    let mut addresses = BTreeSet::new();
    for row in &all {
        let net = row["network_address"].rsplit_once('.').unwrap().0;
        let branch = branches.entry(&row["branch_id"]).or_insert((&row["state"], net, 0));
        assert_eq!((branch.0, branch.1), (row["state"].as_str(), net));
        branch.2 += 1;
        assert!(addresses.insert(&row["network_address"]), "an address comes twice");
    }
    assert_eq!(branches.len(), 800);
    let largest = branches.values().map(|branch| branch.2).max().unwrap();
    assert!((12..=40).contains(&largest), "branches differ in size: {largest}");
}

#[test]
fn large_branches_have_more_than_one_subnet() {
    let all = devices(r#"{"devices": 1500, "devices_per_branch": 750}"#, 1, MONDAY);
    let addresses: BTreeSet<&String> = all.iter().map(|row| &row["network_address"]).collect();
    assert_eq!(addresses.len(), 1500);
}

#[test]
fn shares_are_those_of_population_and_catalogue() {
    let all = devices(r#"{"devices": 40000}"#, 1, MONDAY);
    let share = |name: &str, value: &str| all.iter().filter(|row| row[name] == value).count() as f64 / all.len() as f64;
    let people: f64 = STATES.iter().map(|state| state.population).sum();
    for state in STATES {
        let (got, want) = (share("state", state.code), state.population / people);
        assert!((got - want).abs() < 0.006 + 0.05 * want, "{}: {got:.4} instead of {want:.4}", state.code);
    }
    for machine_type in TYPES {
        let got = share("machine_type", machine_type.name);
        assert!((got - machine_type.share).abs() < 0.01, "{}: {got}", machine_type.name);
    }
    let in_trouble = share("has_error", "true");
    assert!((in_trouble - 0.03).abs() < 0.008, "{in_trouble}");
    // More is bought in later years, and older machines are in trouble more often.
    let (old, new): (Vec<_>, Vec<_>) =
        all.iter().partition(|row| row["acquisition_date"].parse::<i64>().unwrap() < 18_000);
    assert!(new.len() > old.len(), "{} {}", old.len(), new.len());
    let troubled = |rows: &[&BTreeMap<&str, String>]| {
        rows.iter().filter(|row| row["has_error"] == "true").count() as f64 / rows.len() as f64
    };
    assert!(troubled(&old) > 1.3 * troubled(&new), "{} {}", troubled(&old), troubled(&new));
}
