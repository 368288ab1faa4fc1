//! The laws that every run relies on, and the figures that make the rows realistic.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use ecommerce::Shop;
use telemill_sdk::native::{Run, plan, trouble};
use telemill_sdk::time::{DAY, HOUR, MINUTE, SECOND};
use telemill_sdk::{Batch, DataType, Incident, Window};

/// 2026-11-09T00:00:00Z, a Monday.
const MONDAY: i64 = 1_794_182_400 * SECOND;

fn span(from_hour: i64, micros: i64) -> Window {
    Window::new(MONDAY + from_hour * HOUR, MONDAY + from_hour * HOUR + micros)
}

fn rows(run: &Run) -> BTreeMap<usize, Vec<String>> {
    run.texts::<Shop>().unwrap()
}

/// Any number as f64, exact below 2^53.
fn number(batch: &Batch, name: &str, row: usize) -> Option<f64> {
    match batch.declaration()?.field(name)?.data_type {
        DataType::Int32 => batch.i32(name, row).map(f64::from),
        DataType::Float64 => batch.f64(name, row),
        _ => batch.i64(name, row).map(|value| value as f64),
    }
}

fn troubled(span: Window) -> Vec<Incident> {
    let third = (span.end - span.start) / 3;
    let middle = Window::new(span.start + third + 3 * SECOND, span.end - third + 4 * SECOND);
    vec![
        trouble("payment-gateway", "latency", 30.0, middle),
        trouble("checkout-service", "memory", 1.8, Window::new(span.start, middle.end)),
        trouble("orders-db", "db_connections", 4.0, middle),
        trouble("shop", "demand", 1.5, middle),
    ]
}

#[test]
fn partitions_windows_and_segments_change_nothing() {
    let span = span(12, 7 * MINUTE);
    let run = |seed: u64| Run::new("{}", span).seed(seed).incidents(troubled(span));
    let whole = rows(&run(7));
    assert!(whole[&0].len() > 10_000 && whole[&1].len() > 900, "{} {}", whole[&0].len(), whole[&1].len());
    assert_eq!(whole, rows(&run(7)), "same seed, same rows");
    assert_ne!(whole, rows(&run(8)), "another seed, other rows");
    for partitions in [2, 3, 7] {
        assert!(whole == rows(&run(7).partitions(partitions)), "{partitions} partitions");
    }
    for window in [SECOND, 13 * SECOND, HOUR] {
        assert!(whole == rows(&run(7).windows(window)), "windows of {window}");
    }
    assert!(whole == rows(&run(7).windows(9 * SECOND).segments(47 * SECOND).partitions(2)), "segments");
}

#[test]
fn nothing_depends_on_the_spans_end() {
    let (short, long) = (span(3, 5 * MINUTE), span(3, 9 * MINUTE));
    let (short, long) = (rows(&Run::new("{}", short).seed(1)), rows(&Run::new("{}", long).seed(1)));
    for (table, lines) in short {
        assert!(lines.iter().all(|line| long[&table].binary_search(line).is_ok()));
    }
}

#[test]
fn a_window_needs_nothing_of_what_came_before() {
    let all = rows(&Run::new("{}", span(9, 20 * MINUTE)).seed(3));
    let late = Window::new(MONDAY + 9 * HOUR + 13 * MINUTE + 4 * SECOND, MONDAY + 9 * HOUR + 20 * MINUTE);
    for (table, lines) in rows(&Run::new("{}", late).seed(3)) {
        assert!(!lines.is_empty() && lines.iter().all(|line| all[&table].binary_search(line).is_ok()));
    }
}

#[test]
fn every_signal_of_every_target_moves_its_column() {
    let simulation = plan::<Shop>("{}").unwrap();
    let span = span(15, 30 * SECOND);
    let sum = |incidents: Vec<Incident>, table: &str, column: &str| {
        let mut sum = 0.0;
        Run::new("{}", span)
            .incidents(incidents)
            .each::<Shop>(|batch| {
                if batch.declaration().unwrap().name == table {
                    sum += (0..batch.rows()).filter_map(|row| number(&batch, column, row)).sum::<f64>();
                }
            })
            .unwrap();
        sum
    };
    let always = Window::new(span.start - HOUR, span.end + HOUR);
    for target in &simulation.targets {
        // A rare operation may have no row of its own in so short a time; its services have.
        let rare = target.attributes.iter().any(|attribute| attribute.value == "operation");
        for name in &target.signals {
            let signal = simulation.signals.iter().find(|signal| signal.name == *name).unwrap();
            let base = sum(Vec::new(), &signal.table, &signal.column);
            let bent = sum(vec![trouble(&target.name, name, 3.0, always)], &signal.table, &signal.column);
            if rare && signal.name == "latency" && bent == base {
                continue;
            }
            let moved = if signal.inverse { base - bent } else { bent - base };
            assert!(moved > 0.0, "{name} of {}: {base} -> {bent}", target.name);
        }
    }
}

/// Transactions per second of a span, from the rows.
fn counts(config: &str, seed: u64, span: Window) -> Vec<f64> {
    let mut counts = vec![0.0; ((span.end - span.start) / SECOND) as usize];
    Run::new(config, span)
        .seed(seed)
        .windows(10 * MINUTE)
        .each::<Shop>(|batch| {
            if batch.table() == 0 {
                for row in 0..batch.rows() {
                    let at = number(&batch, "timestamp", row).unwrap() as i64;
                    counts[((at - span.start) / SECOND) as usize] += 1.0;
                }
            }
        })
        .unwrap();
    counts
}

/// Variance over mean of the counts in windows, after the trend is taken out.
fn dispersion(counts: &[f64], expected: &[f64], seconds: usize) -> f64 {
    let windows =
        |values: &[f64]| values.chunks_exact(seconds).map(|chunk| chunk.iter().sum::<f64>()).collect::<Vec<_>>();
    let (counts, expected) = (windows(counts), windows(expected));
    // The index of each window, so that busy hours do not weigh more than quiet ones.
    counts.iter().zip(&expected).map(|(n, e)| (n - e).powi(2) / e).sum::<f64>() / counts.len() as f64
}

#[test]
fn arrivals_are_as_bursty_as_real_requests() {
    let span = Window::new(MONDAY, MONDAY + 2 * DAY);
    let config = ecommerce::Config::default();
    let mut profile = config.profile(&telemill_sdk::Zone::utc()).unwrap();
    let expected: Vec<f64> = (0..2 * DAY / SECOND).map(|second| profile.at(MONDAY + second * SECOND)).collect();
    let counts = counts("{}", 42, span);
    for (seconds, want) in [(1, 1.4), (10, 3.9), (60, 16.0)] {
        let got = dispersion(&counts, &expected, seconds);
        eprintln!("index of dispersion at {seconds} s: {got:.2} (want {want})");
        assert!((got / want - 1.0).abs() < 0.3, "{seconds} s: {got} instead of {want}");
    }
    let volume = counts.iter().sum::<f64>() / expected.iter().sum::<f64>();
    assert!((volume - 1.0).abs() < 0.03, "volume is {volume} of the schedule's");
}

#[test]
fn normal_rows_are_as_the_document_says() {
    let mut rows = Vec::new();
    Run::new("{}", span(0, 12 * HOUR))
        .seed(5)
        .windows(10 * MINUTE)
        .each::<Shop>(|batch| {
            if batch.table() == 0 {
                for row in 0..batch.rows() {
                    let error = batch.text("status", row) == Some("error");
                    rows.push((
                        number(&batch, "timestamp", row).unwrap() as i64,
                        number(&batch, "response_time_ms", row).unwrap(),
                        error,
                    ));
                }
            }
        })
        .unwrap();
    rows.sort_by_key(|row| row.0);
    let errors = rows.iter().filter(|row| row.2).count();
    let share = errors as f64 / rows.len() as f64;
    let runs = rows.windows(2).filter(|pair| pair[1].2 && !pair[0].2).count();
    let mean_run = errors as f64 / runs as f64;
    let mut times: Vec<f64> = rows.iter().map(|row| row.1).collect();
    times.sort_by(f64::total_cmp);
    let quantile = |p: f64| times[(p * times.len() as f64) as usize];
    eprintln!(
        "errors {:.2} %, mean run {mean_run:.3} (a coin's {:.3}), response times 5 % {} 50 % {} 95 % {} 99 % {} 99.9 % {}",
        share * 100.0,
        1.0 / (1.0 - share),
        quantile(0.05),
        quantile(0.5),
        quantile(0.95),
        quantile(0.99),
        quantile(0.999),
    );
    assert!((0.01..=0.02).contains(&share), "{share}");
    assert!(mean_run > 1.05 / (1.0 - share), "{mean_run}");
    assert!((180.0..=260.0).contains(&quantile(0.05)) && (650.0..=850.0).contains(&quantile(0.95)));
    assert!((1.6..=3.2).contains(&(quantile(0.99) / quantile(0.5))));
    assert!(quantile(0.999) > 3.0 * quantile(0.5), "a heavy tail");
}
