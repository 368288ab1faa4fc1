//! The monitor on tables made by hand: alerts, and everything that can be odd about a table.

#![expect(clippy::unwrap_used, reason = "tests")]

use online_monitor::OnlineMonitor;
use telemill_sdk::native::judge;
use telemill_sdk::session::ValidatorSession;
use telemill_sdk::time::{DAY, MINUTE};
use telemill_sdk::{
    Batch, DataType, DictionaryColumn, F64Column, Field, I64Column, Nullable, Output, Report, Rows, Severity, Table,
    TextColumn, TimestampColumn, Window, table,
};

table! {
    /// Counts.
    struct Counts("segment_timeseries") {
        /// When.
        ts: Nullable<TimestampColumn>,
        /// Which.
        segment: Nullable<DictionaryColumn>,
        /// How many.
        count: Nullable<I64Column>,
    }
    time_field: "ts",
}

table! {
    /// The same with fractions, which ingested files may have.
    struct Fractions("segment_timeseries") {
        /// When.
        ts: TimestampColumn,
        /// Which.
        segment: TextColumn,
        /// How many.
        count: F64Column,
    }
}

table! {
    /// Machines.
    struct Machines("devices") {
        /// Which.
        device_code: TextColumn,
    }
}

const WINDOW: Window = Window::new(0, DAY);

fn tables() -> Vec<Table> {
    vec![Counts::table(), Machines::table()]
}

/// An inventory of a thousand, and a row of segment "Type" and one of another for each (minute, count).
fn batches(counts: &[(i64, Option<i64>)]) -> Vec<Batch> {
    let mut output = Output::new(tables());
    let (mut rows, mut machines) = (Counts::default(), Machines::default());
    rows.segment.inner_mut().set_values(["State", "Type"]);
    for (minute, count) in counts {
        for segment in [1, 0, 1] {
            rows.ts.push(minute * MINUTE);
            rows.segment.push(segment);
            rows.count.push_option(*count);
        }
        rows.finish(&mut output).unwrap();
    }
    (0..1000).for_each(|n| machines.device_code.push_numbered("AT", n));
    machines.finish(&mut output).unwrap();
    output.take()
}

fn monitor(config: &str, tables: &[Table], batches: &[Batch]) -> Report {
    judge::<OnlineMonitor>(config, tables, WINDOW, batches).unwrap()
}

/// Each finding's rule, and whether it fails the report.
fn verdict(report: &Report) -> Vec<(&str, bool)> {
    report.findings.iter().map(|finding| (finding.rule.as_str(), finding.severity >= Severity::High)).collect()
}

fn counts(counts: &[i64]) -> Vec<(i64, Option<i64>)> {
    counts.iter().enumerate().map(|(at, count)| (15 * at as i64, Some(*count))).collect()
}

#[test]
fn a_drop_that_reaches_the_threshold_is_an_alert() {
    // Two rows of the segment each: shares of 80, 80, 80, 80 and then 68 percent, a drop of exactly 15.
    let at = |latest: i64| batches(&counts(&[400, 400, 400, 400, latest]));
    let alert = monitor("{}", &tables(), &at(340));
    assert_eq!(verdict(&alert), [("online-drop", true)]);
    assert_eq!(
        alert.findings[0].message,
        "1970-01-01 01:00:00: 68.00 % of 1000 machines are online, 80.00 % in the mean of the 4 snapshots before: \
         a drop of 15.00 % (threshold 15.00 %)"
    );
    let number = |name: &str| alert.metrics.iter().find(|metric| metric.name == name).map(|m| (m.value, m.at));
    assert_eq!(number("online_share"), Some((0.68, Some(60 * MINUTE))));
    assert_eq!(number("baseline_share"), Some((0.8, Some(60 * MINUTE))));
    assert_eq!(number("drop"), Some((0.15, Some(60 * MINUTE))));
    assert_eq!((number("threshold"), number("inventory")), (Some((0.15, None)), Some((1000.0, None))));
    let fine = monitor("{}", &tables(), &at(341));
    assert_eq!(verdict(&fine), [("online-drop", false)]);
    assert_eq!(verdict(&monitor(r#"{"threshold": 0.1}"#, &tables(), &at(355))), [("online-drop", true)]);
    // With a history of one, the mean of all before does not count.
    let falling = batches(&counts(&[500, 500, 500, 400, 380]));
    assert_eq!(verdict(&monitor("{}", &tables(), &falling)), [("online-drop", true)]);
    assert_eq!(verdict(&monitor(r#"{"history": 1}"#, &tables(), &falling)), [("online-drop", false)]);
    assert_eq!(verdict(&monitor(r#"{"severity": "low"}"#, &tables(), &falling)), [("online-drop", false)]);
}

#[test]
fn every_snapshot_is_judged_when_asked_for() {
    let dips = batches(&counts(&[400, 400, 100, 400, 400, 50, 400, 400]));
    assert_eq!(verdict(&monitor("{}", &tables(), &dips)), [("online-drop", false)]);
    let every = monitor(r#"{"scope": "every"}"#, &tables(), &dips);
    assert_eq!(verdict(&every), [("online-drop", true), ("online-drop", true)]);
    assert!(every.findings[0].message.starts_with("1970-01-01 00:30:00"));
    assert_eq!(every.metrics.iter().filter(|metric| metric.name == "online_share").count(), 8);
    assert_eq!(every.metrics.iter().filter(|metric| metric.name == "drop").count(), 3);
    let many: Vec<i64> = (0..400).map(|at| if at % 2 == 0 { 400 } else { 100 }).collect();
    let report = monitor(r#"{"scope": "every", "history": 1}"#, &tables(), &batches(&counts(&many)));
    assert_eq!(report.findings.len(), 51);
    assert!(report.findings[50].message.starts_with("150 more"), "{}", report.findings[50].message);
}

#[test]
fn rows_come_in_any_order_and_size() {
    let mut all = batches(&counts(&[400, 400, 400, 400, 300]));
    let report = monitor("{}", &tables(), &all);
    all.reverse();
    assert_eq!(monitor("{}", &tables(), &all), report);
}

#[test]
fn odd_tables_are_findings_and_never_errors() {
    let rows = batches(&counts(&[400, 400, 400]));
    let none: &[Table] = &[];
    assert_eq!(verdict(&monitor("{}", none, &[])), [("columns", true), ("inventory", true)]);
    assert_eq!(verdict(&monitor(r#"{"inventory": 10}"#, none, &[])), [("columns", true)]);
    // Tables without rows.
    assert_eq!(verdict(&monitor("{}", &tables(), &[])), [("inventory", true), ("online-drop", true)]);
    // No such segment.
    assert_eq!(verdict(&monitor(r#"{"segment": "Colour"}"#, &tables(), &rows)), [("online-drop", true)]);
    // One snapshot has nothing before it.
    assert_eq!(verdict(&monitor("{}", &tables(), &batches(&counts(&[400])))), [("online-drop", false)]);
    // No inventory: numbers take the place of shares, and drops are still seen.
    let dropped: Vec<Batch> =
        batches(&counts(&[400, 400, 200])).into_iter().filter(|batch| batch.table() == 0).collect();
    let report = monitor("{}", &[Counts::table()], &dropped);
    assert_eq!(verdict(&report), [("inventory", true), ("online-drop", true)]);
    assert!(report.findings[1].message.contains("400 machines are online, 800.0 in the mean"), "{:?}", report.findings);
    // More online than there are.
    let full = monitor("{}", &tables(), &batches(&counts(&[400, 600, 600])));
    assert_eq!(verdict(&full), [("more-than-there-are", true), ("online-drop", false)]);
    assert_eq!((full.findings[0].failed, full.findings[0].checked), (2, 3));
    // Rows that do not say when, what or how many.
    let holes: Vec<(i64, Option<i64>)> = vec![(0, Some(400)), (15, None), (30, Some(-5)), (45, Some(400))];
    let report = monitor("{}", &tables(), &batches(&holes));
    assert_eq!(verdict(&report), [("rows", true), ("online-drop", false)]);
    assert_eq!((report.findings[0].failed, report.findings[0].checked), (4, 12));
    assert_eq!(report.findings[0].samples, [3, 5, 6, 8]);
}

#[test]
fn columns_of_other_types_are_named() {
    for (column, data_type) in [("ts", DataType::Utf8), ("segment", DataType::Int32), ("count", DataType::Utf8)] {
        let mut counts = Counts::table();
        let at = counts.position(column).unwrap();
        counts.fields[at] = Field::new(column, data_type);
        let report = monitor("{}", &[counts.clone(), Machines::table()], &batches(&[])[..0]);
        assert_eq!(verdict(&report)[0], ("columns", true));
        assert_eq!(report.findings[0].column.as_deref(), Some(column));
        counts.fields.remove(at);
        let report = monitor("{}", &[counts, Machines::table()], &[]);
        assert_eq!(report.findings[0].message, "there is no such column");
    }
    // Counts may be any number.
    let mut output = Output::new(vec![Fractions::table()]);
    let mut rows = Fractions::default();
    for (at, count) in [(0, 10.0), (1, 5.5), (2, f64::NAN)] {
        rows.ts.push(at * MINUTE);
        rows.segment.push_str("Type");
        rows.count.push(count);
    }
    rows.finish(&mut output).unwrap();
    let report = monitor(r#"{"inventory": 20}"#, &[Fractions::table()], &output.take());
    assert_eq!(verdict(&report), [("rows", true), ("online-drop", true)]);
    assert!(report.findings[1].message.contains("27.50 % of 20 machines"), "{}", report.findings[1].message);
}

#[test]
fn configurations_are_checked() {
    for (config, path) in [
        (r#"{"history": 0}"#, "/history"),
        (r#"{"threshold": 0}"#, "/threshold"),
        (r#"{"threshold": 15}"#, "/threshold"),
        (r#"{"inventory": 0}"#, "/inventory"),
        (r#"{"scope": "some"}"#, "/scope"),
        (r#"{"treshold": 0.2}"#, "/treshold"),
    ] {
        let problems = ValidatorSession::<OnlineMonitor>::check(config);
        assert_eq!(problems.first().map(|problem| problem.path.as_str()), Some(path));
    }
    assert_eq!(ValidatorSession::<OnlineMonitor>::check("{}"), []);
}
