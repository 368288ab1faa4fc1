//! The laws that every run relies on.

#![expect(clippy::unwrap_used, reason = "tests")]

use telemill_sdk::native::{Run, plan, trouble};
use telemill_sdk::time::{HOUR, MINUTE, SECOND};
use telemill_sdk::{Batch, Incident, Window};
use user_workloads::Workloads;

/// 2026-11-09T00:00:00Z, a Monday.
const MONDAY: i64 = 1_794_182_400 * SECOND;
const COUNTERS: &str = r#"{"disk_and_network": "since_start", "users": 7}"#;

/// Every row of a run as text, sorted.
fn rows(run: &Run) -> Vec<String> {
    run.texts::<Workloads>().unwrap().remove(&0).unwrap_or_default()
}

fn troubled(span: Window) -> Vec<Incident> {
    let third = span.micros() / 3;
    let middle = Window::new(span.start + third, span.end - third);
    vec![trouble("user_002", "cpu", 3.0, middle), trouble("users", "disk_write", 5.0, middle)]
}

#[test]
fn partitions_windows_and_segments_change_nothing() {
    let span = Window::new(MONDAY + 5 * HOUR, MONDAY + 5 * HOUR + 20 * MINUTE);
    for config in ["{}", COUNTERS] {
        let run = |seed: u64| Run::new(config, span).seed(seed).incidents(troubled(span));
        let whole = rows(&run(7));
        assert!(whole.len() > 6_000, "{}", whole.len());
        assert_eq!(whole, rows(&run(7)), "same seed, same rows");
        assert_ne!(whole, rows(&run(8)), "another seed, other rows");
        assert_ne!(whole, rows(&run(7).incidents(Vec::new())), "incidents change rows");
        for partitions in [3, 8] {
            assert!(whole == rows(&run(7).partitions(partitions)), "{partitions} partitions");
        }
        for window in [SECOND, 13 * SECOND, HOUR] {
            assert!(whole == rows(&run(7).windows(window)), "windows of {window}");
        }
        for segment in [SECOND, 437 * SECOND] {
            let run = run(7).segments(segment).windows(segment.min(29 * SECOND)).partitions(2);
            assert!(whole == rows(&run), "segments of {segment}");
        }
    }
}

#[test]
fn a_span_that_starts_between_two_samples_keeps_the_grid() {
    let config = r#"{"interval_seconds": 60, "users": 3, "start_spread_minutes": 0}"#;
    let span = Window::new(MONDAY + 17 * SECOND, MONDAY + 17 * SECOND + HOUR);
    let mut times = Vec::new();
    Run::new(config, span)
        .windows(3 * MINUTE)
        .each::<Workloads>(|batch| times.extend((0..batch.rows()).filter_map(|row| batch.i64("time", row))))
        .unwrap();
    assert_eq!(times.len(), 180);
    assert!(times.iter().all(|t| t % MINUTE == 0 && span.contains(*t)));
}

#[test]
fn nothing_depends_on_the_spans_end() {
    let run = |end: i64| rows(&Run::new("{}", Window::new(MONDAY, MONDAY + end)).seed(1));
    let (short, long) = (run(5 * MINUTE), run(9 * MINUTE));
    assert!(!short.is_empty() && short.iter().all(|row| long.binary_search(row).is_ok()));
}

#[test]
fn every_signal_moves_its_column_and_marks_its_rows() {
    let span = Window::new(MONDAY, MONDAY + 30 * MINUTE);
    let simulation = plan::<Workloads>("{}").unwrap();
    let see = |incidents: Vec<Incident>, column: &str| {
        let (mut sum, mut marked) = (0.0, 0);
        Run::new("{}", span)
            .incidents(incidents)
            .each::<Workloads>(|batch| {
                for row in 0..batch.rows() {
                    sum += batch.f64(column, row).unwrap();
                    let (label, id) = (batch.text("label", row), batch.text("incident_id", row));
                    assert_eq!(label == Some("anomaly"), id.is_some());
                    marked += usize::from(id.is_some());
                }
            })
            .unwrap();
        (sum, marked)
    };
    let always = Window::new(span.start - HOUR, span.end + HOUR);
    for signal in &simulation.signals {
        let (base, unmarked) = see(Vec::new(), &signal.column);
        for (target, marks) in [("user_001", 1_500..2_000), ("users", 28_000..40_000)] {
            let (bent, marked) = see(vec![trouble(target, &signal.name, 2.0, always)], &signal.column);
            assert!(bent > base, "{} of {target}: {base} to {bent}", signal.name);
            assert!(unmarked == 0 && marks.contains(&marked), "{} of {target}: {marked}", signal.name);
        }
    }
}

/// A user's rows in the order of time.
fn of_user(batches: &[Batch], user: &str, mut take: impl FnMut(&Batch, usize)) {
    let mut order: Vec<(i64, usize, usize)> = batches
        .iter()
        .enumerate()
        .flat_map(|(b, batch)| (0..batch.rows()).map(move |row| (batch.i64("time", row).unwrap(), b, row)))
        .collect();
    order.sort_unstable();
    for (_, b, row) in order {
        if batches[b].text("user_id", row) == Some(user) {
            take(&batches[b], row);
        }
    }
}

#[test]
fn counters_and_clocks_go_on() {
    let config = r#"{"disk_and_network": "since_start", "users": 3, "interval_seconds": 10}"#;
    let per_sample = r#"{"users": 3, "interval_seconds": 10}"#;
    let span = Window::new(MONDAY, MONDAY + 6 * HOUR);
    let run = |config: &str| Run::new(config, span).seed(2).segments(50 * MINUTE).rows::<Workloads>().unwrap();
    let (counted, sampled) = (run(config), run(per_sample));
    for user in ["user_001", "user_003"] {
        let columns = ["disk_read_mb", "disk_write_mb", "network_sent_mb", "network_recv_mb"];
        let mut amounts: Vec<[f64; 4]> = Vec::new();
        of_user(&sampled, user, |batch, row| amounts.push(columns.map(|c| batch.f64(c, row).unwrap())));
        let (mut last, mut sum, mut at) = (None, [0.0; 4], 0);
        of_user(&counted, user, |batch, row| {
            let time = batch.i64("time", row).unwrap();
            let timestamp = batch.f64("timestamp", row).unwrap();
            let (start, before) = last.unwrap_or((time, -10.0));
            assert!((timestamp - before - 10.0).abs() < 1e-9, "timestamp counts from the user's start");
            assert!((time - start) as f64 / 1e6 == timestamp);
            assert!(batch.i64("collection_timestamp", row).unwrap() > time);
            for (i, column) in columns.iter().enumerate() {
                let counter = batch.f64(column, row).unwrap();
                assert!(counter >= sum[i] - 1e-6, "{column} went back");
                sum[i] += amounts[at][i];
                assert!((counter - sum[i]).abs() < 1e-3, "{column} adds up");
            }
            at += 1;
            last = Some((start, timestamp));
        });
        assert!(at > 2_000 && sum[0] > 1_000.0);
    }
}

#[test]
fn wrong_configurations_are_told_where() {
    let problem = |config: &str| plan::<Workloads>(config).unwrap_err().to_string();
    assert!(problem(r#"{"users": 0}"#).contains("/users"));
    assert!(problem(r#"{"dwell_minutes": {"idle": 1e9}}"#).contains("/dwell_minutes"));
    assert!(problem(r#"{"phase_weights": {"asleep": 1}}"#).contains("/phase_weights/asleep"));
    assert!(problem(r#"{"disk_and_network": "both"}"#).contains("/disk_and_network"));
}
