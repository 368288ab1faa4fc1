//! The rules on small tables, natively.
#![expect(clippy::unwrap_used, reason = "tests")]

use telemill_sdk::batch::Values;
use telemill_sdk::time::{HOUR, SECOND};
use telemill_sdk::{
    Batch, DictionaryColumn, F64Column, Output, Report, Rows, Severity, TimestampColumn, Window, native, table,
};

use crate::Signatures;

table! {
    /// Metrics of users.
    struct Metrics("user_metrics") {
        /// When.
        time: TimestampColumn,
        /// Since the start.
        timestamp: F64Column,
        /// Processors.
        cpu_percent: F64Column,
        /// Memory.
        memory_percent: F64Column,
        /// Memory.
        memory_used_gb: F64Column,
        /// Disk.
        disk_read_mb: F64Column,
        /// Disk.
        disk_write_mb: F64Column,
        /// Network.
        network_sent_mb: F64Column,
        /// Network.
        network_recv_mb: F64Column,
        /// Phase.
        phase: DictionaryColumn,
        /// Who.
        user_id: DictionaryColumn,
        /// Label.
        label: DictionaryColumn,
    }
    time_field: "time",
}

const PHASES: [&str; 6] = ["cpu_bound", "io_bound", "memory_bound", "idle", "mixed", "asleep"];

/// Processors, memory, and data of disk and network of one row, a phase, a label.
#[derive(Clone, Copy)]
struct Row {
    cpu: f64,
    memory: f64,
    used: f64,
    read: f64,
    phase: u32,
    anomaly: bool,
}

/// A good row of a machine of 8 GB.
fn row(i: u32) -> Row {
    let (cpu, memory, read) =
        [(85.0, 30.0, 5.0), (30.0, 30.0, 60.0), (45.0, 75.0, 6.0), (4.0, 20.0, 0.5), (55.0, 45.0, 30.0)]
            [i as usize % 5];
    Row { cpu, memory, used: memory * 0.08, read, phase: i % 5, anomaly: i % 50 == 7 }
}

fn batches(rows: impl IntoIterator<Item = Row>) -> Vec<Batch> {
    let (mut metrics, mut output) = (Metrics::default(), Output::new(vec![Metrics::table()]));
    metrics.phase.set_values(PHASES);
    metrics.user_id.set_values(["user_001"]);
    metrics.label.set_values(["normal", "anomaly"]);
    for (i, row) in rows.into_iter().enumerate() {
        metrics.time.push(i as i64 * SECOND);
        metrics.timestamp.push(i as f64);
        metrics.cpu_percent.push(row.cpu);
        metrics.memory_percent.push(row.memory);
        metrics.memory_used_gb.push(row.used);
        metrics.disk_read_mb.push(row.read);
        metrics.disk_write_mb.push(0.0);
        metrics.network_sent_mb.push(1.0);
        metrics.network_recv_mb.push(1.0);
        metrics.phase.push(row.phase);
        metrics.user_id.push(0);
        metrics.label.push(u32::from(row.anomaly));
        if i % 300 == 299 {
            metrics.finish(&mut output).unwrap();
        }
    }
    metrics.finish(&mut output).unwrap();
    output.take()
}

fn judge(config: &str, rows: impl IntoIterator<Item = Row>) -> Report {
    native::judge::<Signatures>(config, &[Metrics::table()], Window::new(0, HOUR), &batches(rows)).unwrap()
}

fn broken(report: &Report) -> Vec<&str> {
    report.findings.iter().filter(|f| f.severity >= Severity::High).map(|f| f.rule.as_str()).collect()
}

const JUDGE_ALL: &str = r#"{"min_user_hours": 0}"#;

#[test]
fn good_rows_pass_every_rule() {
    let report = judge(JUDGE_ALL, (0..1000).map(row));
    assert_eq!(broken(&report), Vec::<&str>::new(), "{:#?}", report.findings);
    assert_eq!(report.findings.len(), 1 + 1 + 8 + 1 + 5 + 1 + 5 + 1);
    let share = report.metrics.iter().find(|metric| metric.name == "share:anomaly").unwrap();
    assert!((share.value - 0.02).abs() < 1e-12);
}

#[test]
fn spoilt_rows_break_their_rule_alone() {
    let spoil = |change: fn(u32, Row) -> Row| {
        let report = judge(JUDGE_ALL, (0..1000).map(|i| change(i, row(i))));
        broken(&report).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(spoil(|i, row| Row { cpu: if i == 500 { 101.0 } else { row.cpu }, ..row }), ["range:cpu_percent"]);
    assert_eq!(spoil(|i, row| Row { read: if i == 501 { f64::NAN } else { row.read }, ..row }), ["range:disk_read_mb"]);
    assert_eq!(spoil(|i, row| Row { phase: if i == 500 { 5 } else { row.phase }, ..row }), ["phase-known"]);
    assert_eq!(spoil(|i, row| Row { used: if i == 500 { 4.0 } else { row.used }, ..row }), ["memory-agrees"]);
    let tired = |i: u32, row: Row| Row { cpu: if i.is_multiple_of(25) { 40.0 } else { row.cpu }, ..row };
    assert_eq!(spoil(tired), ["signature:cpu_bound"]);
    // The same rows with the right label are no mistake.
    assert_eq!(
        spoil(|i, row| Row { cpu: if i % 50 == 0 { 40.0 } else { row.cpu }, anomaly: i % 50 == 0, ..row }),
        Vec::<String>::new()
    );
    assert_eq!(spoil(|i, row| Row { anomaly: i % 3 == 0, ..row }), ["balance:anomaly"]);
}

#[test]
fn classes_out_of_balance_are_found_where_there_are_enough_rows() {
    let lazy = || (0..1000).map(|i| if i % 2 == 0 { row(3) } else { row(i) });
    assert_eq!(broken(&judge(JUDGE_ALL, lazy())), ["balance:idle"]);
    assert_eq!(broken(&judge("{}", lazy())), Vec::<&str>::new());
}

#[test]
fn counters_are_differences_and_never_fall() {
    let config = r#"{"min_user_hours": 0, "counters": true}"#;
    let mut sum = 0.0;
    let mut rising: Vec<Row> = (0..1000)
        .map(|i| {
            sum += row(i).read;
            Row { read: sum, ..row(i) }
        })
        .collect();
    assert_eq!(broken(&judge(config, rising.clone())), Vec::<&str>::new());
    // Read as amounts, counters look like nothing but reading.
    let amounts = r#"{"min_user_hours": 0, "counters": false}"#;
    assert!(broken(&judge(amounts, rising.clone())).contains(&"signature:idle"));
    rising[500].read -= 1000.0;
    assert_eq!(broken(&judge(config, rising.clone())), ["counters-rise"]);
    // Rows tell by themselves that they count, also where a counter is spoilt.
    let report = judge(JUDGE_ALL, rising);
    assert_eq!(broken(&report), ["counters-rise"]);
    let assumed = &report.findings[1];
    assert_eq!((assumed.rule.as_str(), assumed.severity), ("sampling", Severity::Info));
    assert!(assumed.message.contains("disk and network as counters"), "{}", assumed.message);
}

#[test]
fn rows_tell_how_far_they_are_apart() {
    // Five seconds apart, with five times the amounts; after every 90 samples, one is lost.
    let rows: Vec<Row> = (0..1000).map(|i| Row { read: row(i).read * 5.0, ..row(i) }).collect();
    let all = batches(rows);
    let apart = |batch: &Batch| {
        let mut columns = batch.columns().to_vec();
        if let Values::Packed(bytes) = &mut columns[0].values {
            for time in bytes.as_chunks_mut::<8>().0 {
                let second = i64::from_le_bytes(*time) / SECOND;
                *time = ((second * 5 + second / 90 * 5) * SECOND).to_le_bytes();
            }
        }
        Batch::new(0, batch.rows() as u32, columns, vec![Metrics::table()].into())
    };
    let apart: Vec<Batch> = all.iter().map(apart).collect();
    let judge = |config: &str| {
        native::judge::<Signatures>(config, &[Metrics::table()], Window::new(0, 2 * HOUR), &apart).unwrap()
    };
    let report = judge(JUDGE_ALL);
    assert_eq!(broken(&report), Vec::<&str>::new(), "{:#?}", report.findings);
    let message = &report.findings[1].message;
    assert!(message.contains("every 5 s (median of 999 steps), disk and network as amounts"), "{message}");
    // What is configured is not guessed.
    assert!(broken(&judge(r#"{"min_user_hours": 0, "interval_seconds": 60}"#)).contains(&"signature:io_bound"));
    let told = judge(r#"{"min_user_hours": 0, "interval_seconds": 5, "counters": false}"#);
    assert!(!told.failed() && told.findings.iter().all(|finding| finding.rule != "sampling"));
}

#[test]
fn where_nothing_tells_a_second_is_assumed() {
    let report = judge(JUDGE_ALL, (0..1).map(row));
    assert!(report.findings[1].message.contains("every 1 s, since no rows tell"), "{}", report.findings[1].message);
    let mut nameless = Metrics::table();
    nameless.fields.retain(|field| field.name != "user_id");
    let report = native::judge::<Signatures>("{}", &[nameless], Window::new(0, HOUR), &[]).unwrap();
    assert!(report.findings[1].message.contains("no user or no time"), "{}", report.findings[1].message);
}

#[test]
fn what_is_missing_is_a_finding() {
    let mut narrow = Metrics::table();
    narrow.fields.truncate(3);
    let report = native::judge::<Signatures>("{}", &[narrow], Window::new(0, HOUR), &[]).unwrap();
    assert!(report.findings[0].message.contains("memory_percent") && report.failed());
    let nothing = native::judge::<Signatures>("{}", &[], Window::new(0, HOUR), &[]).unwrap();
    assert_eq!(broken(&nothing), ["fields-present"]);
}

#[test]
fn configurations_are_checked() {
    for (config, path) in [
        (r#"{"interval_seconds": 0}"#, "/interval_seconds"),
        (r#"{"agree_at_least": 90}"#, "/agree_at_least"),
        (r#"{"fields": [{"column": "a", "min": 2, "max": 1}]}"#, "/fields/0/min"),
        (r#"{"signatures": [{"phase": "a"}, {"phase": "a"}]}"#, "/signatures/1/phase"),
        (r#"{"signatures": [{"phase": "a", "bounds": [{"quantity": "rain"}]}]}"#, "/signatures/0/bounds/0/quantity"),
        (r#"{"phase_share": {"at_least": 0.5, "at_most": 0.2}}"#, "/phase_share"),
    ] {
        let problems = telemill_sdk::session::ValidatorSession::<Signatures>::check(config);
        assert_eq!(problems.first().map(|problem| problem.path.as_str()), Some(path), "{config}");
    }
}
