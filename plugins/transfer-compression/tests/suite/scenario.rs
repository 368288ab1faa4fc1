//! `scenario.toml`: its rules hold on clean data, for parts of its span as well, and each fails on data spoilt for it. Profiles and recipes
//! name columns that there are.

use link_degradation::LinkDegradation;
use table_rules::Rules;
use telemill_sdk::batch::Values;
use telemill_sdk::native::{Run, incidents, judge, plan};
use telemill_sdk::time::{DAY, HOUR, SECOND};
use telemill_sdk::{Batch, Column, Report, Severity, Table, Window};
use transfer_compression::TransferCompression;

/// 2026-10-01T00:00:00Z, where the scenario starts.
const START: i64 = 1_790_812_800 * SECOND;

fn spec() -> toml::Table {
    include_str!("../../scenario.toml").parse().unwrap()
}

fn config(of: &toml::Value) -> String {
    serde_json::to_string(&of["config"]).unwrap()
}

/// Tables and rows of a span of the scenario.
fn made(span: Window, seed: u64) -> (Vec<Table>, Vec<Batch>) {
    let spec = spec();
    let generator = config(&spec["generator"]);
    let simulation = plan::<TransferCompression>(&generator).unwrap();
    let model = config(&spec["incident_models"][0]);
    let all = incidents::<LinkDegradation>(&model, seed, span, simulation.targets).unwrap();
    let run = Run::new(&generator, span).seed(seed).incidents(all).windows(12 * HOUR);
    (simulation.tables, run.rows::<TransferCompression>().unwrap())
}

/// What the scenario's validator of this number says.
fn report(number: usize, span: Window, tables: &[Table], rows: &[Batch]) -> Report {
    judge::<Rules>(&config(&spec()["validators"][number]), tables, span, rows).unwrap()
}

/// The broken rules, with their columns.
fn broken(report: &Report) -> Vec<String> {
    let broken = report.findings.iter().filter(|finding| finding.severity >= Severity::High && finding.failed > 0);
    broken.map(|finding| format!("{}: {}", finding.rule, finding.column.as_deref().unwrap_or("-"))).collect()
}

#[test]
fn rules_hold_for_the_whole_span_and_for_parts_of_it() {
    for (seed, from, to) in [(42, 0, 30 * DAY), (1, 0, 3 * HOUR), (2, 5 * DAY, 6 * DAY), (3, 0, 10 * DAY)] {
        let span = Window::new(START + from, START + to);
        let (tables, rows) = made(span, seed);
        for number in [0, 1] {
            let report = report(number, span, &tables, &rows);
            assert!(report.findings.len() > 20, "every rule has a finding");
            assert_eq!(broken(&report), Vec::<String>::new(), "{seed}: {from} to {to}");
        }
    }
}

/// The rows with other numbers in one column.
fn spoilt(rows: &[Batch], tables: &[Table], name: &str, spoil: impl Fn(usize, f64) -> f64) -> Vec<Batch> {
    let at = tables[0].position(name).unwrap();
    let spoil = |batch: &Batch| {
        let mut columns: Vec<Column> = batch.columns().to_vec();
        let Values::Packed(bytes) = &mut columns[at].values else { panic!("{name} has no numbers") };
        for (row, value) in bytes.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            *value = spoil(row, f64::from_le_bytes(*value)).to_le_bytes();
        }
        Batch::new(0, batch.rows() as u32, columns, tables.to_vec().into())
    };
    rows.iter().map(spoil).collect()
}

/// The rows with this validity bit pattern on one column.
fn holed(rows: &[Batch], tables: &[Table], name: &str, bits: u8) -> Vec<Batch> {
    let at = tables[0].position(name).unwrap();
    let hole = |batch: &Batch| {
        let mut columns: Vec<Column> = batch.columns().to_vec();
        columns[at].validity = Some(vec![bits; batch.rows().div_ceil(8)]);
        Batch::new(0, batch.rows() as u32, columns, tables.to_vec().into())
    };
    rows.iter().map(hole).collect()
}

#[test]
fn each_rule_fails_on_what_it_is_there_for() {
    let span = Window::new(START, START + DAY);
    let (tables, rows) = made(span, 42);
    let first = |rows: &[Batch]| broken(&report(0, span, &tables, rows));
    for (column, value, rule) in [
        ("rtt_ms", 1_000.0, "round trips last less than a second: rtt_ms"),
        ("rtt_ms", -0.1, "round trips last less than a second: rtt_ms"),
        ("available_bandwidth_mbps", 0.0, "there is bandwidth: available_bandwidth_mbps"),
        ("cpu_usage", 1.01, "processor use is a share: cpu_usage"),
        ("hde_compression_ratio", 0.9, "compression ratios are sensible: hde_compression_ratio"),
        ("hde_compression_ratio", 1_000.0, "compression ratios are sensible: hde_compression_ratio"),
    ] {
        // One row in a batch is enough.
        let rows = spoilt(&rows, &tables, column, |row, was| if row == 7 { value } else { was });
        assert_eq!(first(&rows), [rule], "{column} {value}");
    }
    let missing = holed(&rows, &tables, "jitter_ms", 0b0111_1111);
    assert_eq!(first(&missing), ["fewer than a tenth of the values are missing: jitter_ms"]);
    // What training can't do without may not lack a single value.
    let missing = holed(&rows, &tables, "amst_streams", 0b0111_1111);
    assert_eq!(broken(&report(1, span, &tables, &missing)), ["training needs it: amst_streams"]);
    let few = &made(Window::new(START, START + HOUR), 42).1;
    assert_eq!(first(few), ["enough samples: -"]);
    for (algorithm, name) in [(0, "hde"), (1, "amst"), (2, "baseline")] {
        let at = tables[0].position("current_compression").unwrap();
        let gone = rows.iter().map(|batch| {
            let mut columns: Vec<Column> = batch.columns().to_vec();
            let Values::Dictionary { keys, .. } = &mut columns[at].values else { panic!("no dictionary") };
            for key in keys.as_chunks_mut::<4>().0 {
                if *key == u32::to_le_bytes(algorithm) {
                    *key = u32::to_le_bytes((algorithm + 1) % 3);
                }
            }
            Batch::new(0, batch.rows() as u32, columns, tables.clone().into())
        });
        let gone: Vec<Batch> = gone.collect();
        assert_eq!(first(&gone), [format!("{name} is selected often enough: current_compression")]);
    }
    let mut less = tables.clone();
    less[0].fields.retain(|field| field.name != "hde_compression_ratio");
    assert!(first_of_tables(&less).contains(&"required:hde_compression_ratio: hde_compression_ratio".to_owned()));
}

/// The rows with other keys of `current_compression`, by row number and key; key 3 is a class that nobody knows.
fn reselected(rows: &[Batch], tables: &[Table], select: impl Fn(usize, u32) -> u32) -> Vec<Batch> {
    let at = tables[0].position("current_compression").unwrap();
    let mut number = 0;
    let mut reselect = |batch: &Batch| {
        let mut columns: Vec<Column> = batch.columns().to_vec();
        let Values::Dictionary { keys, values } = &mut columns[at].values else { panic!("no dictionary") };
        assert_eq!(values.len(), 3);
        values.bytes.extend_from_slice(b"zstd");
        values.offsets.extend_from_slice(&(values.bytes.len() as u32).to_le_bytes());
        for key in keys.as_chunks_mut::<4>().0 {
            *key = select(number, u32::from_le_bytes(*key)).to_le_bytes();
            number += 1;
        }
        Batch::new(0, batch.rows() as u32, columns, tables.to_vec().into())
    };
    rows.iter().map(&mut reselect).collect()
}

#[test]
fn the_documents_letter_refuses_what_its_function_refuses() {
    let span = Window::new(START, START + 30 * DAY);
    let (tables, rows) = made(span, 42);
    let letter = include_str!("../../rules/before_training.json");
    let refused = |span: Window, rows: &[Batch]| broken(&judge::<Rules>(letter, &tables, span, rows).unwrap());
    assert_eq!(refused(span, &rows), Vec::<String>::new());
    // Some 9,000 rows, which the scenario accepts.
    let short = Window::new(START, START + 37 * HOUR + HOUR / 2);
    let few = made(short, 42).1;
    assert!((8_500..9_500).contains(&few.iter().map(Batch::rows).sum::<usize>()));
    assert_eq!(refused(short, &few), ["sufficient samples: -"]);
    assert_eq!(broken(&report(0, short, &tables, &few)), Vec::<String>::new());
    // A fourth class with 1 %.
    let classes = ["each class has more than 5 %: current_compression"];
    let fourth = reselected(&rows, &tables, |row, key| if row % 100 == 0 { 3 } else { key });
    assert_eq!(refused(span, &fourth), classes);
    assert_eq!(
        broken(&report(0, span, &tables, &fourth)),
        ["whatever is selected is selected often enough: current_compression"]
    );
    // HDE with 4.9 %, which may be chance in the scenario's eyes.
    let rare = |row: usize, key: u32| match (row % 1_000 < 49, key) {
        (true, _) => 0,
        (false, 0) => 1,
        (false, key) => key,
    };
    let rare = reselected(&rows, &tables, rare);
    assert_eq!(refused(span, &rare), classes);
    assert_eq!(broken(&report(0, span, &tables, &rare)), Vec::<String>::new());
    // One value is missing where a range is asked for, as pandas has it.
    let missing = holed(&rows[..1], &tables, "cpu_usage", 0b0111_1111);
    let missing: Vec<Batch> = missing.into_iter().chain(rows[1..].iter().cloned()).collect();
    assert_eq!(refused(span, &missing), ["what is missing lies in no range: cpu_usage"]);
}

/// What the first validator says of tables without a row.
fn first_of_tables(tables: &[Table]) -> Vec<String> {
    broken(&report(0, Window::new(START, START + HOUR), tables, &[]))
}

#[test]
fn profiles_have_the_documents_columns_in_its_order() {
    let table = &plan::<TransferCompression>("{}").unwrap().tables[0];
    let known: Vec<&str> = table.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!((known.len(), known[33]), (34, "incident_id"));
    let columns = |text: &str| -> Vec<(String, String)> {
        let profile: toml::Table = text.parse().unwrap();
        assert_eq!(profile["table"].as_str(), Some(table.name.as_str()));
        let columns = profile["columns"].as_array().unwrap().iter();
        columns
            .map(|column| {
                let name = column["name"].as_str().unwrap();
                (name.to_owned(), column.get("from").map_or(name, |from| from.as_str().unwrap()).to_owned())
            })
            .collect()
    };
    for text in [include_str!("../../profiles/csv.toml"), include_str!("../../profiles/parquet.toml")] {
        let names: Vec<String> = columns(text).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, known[..33]);
    }
    let points = columns(include_str!("../../profiles/influx.toml"));
    assert_eq!(points.len(), 1 + 5 + 23);
    assert!(points.iter().all(|(_, from)| known.contains(&from.as_str())));
    let renamed: Vec<&(String, String)> = points.iter().filter(|(name, from)| name != from).collect();
    assert_eq!(renamed.len(), 3, "time, bandwidth and compressibility: {renamed:?}");
}
