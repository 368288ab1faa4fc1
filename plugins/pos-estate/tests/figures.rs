//! What makes the rows realistic: the document's rates, the shape of the day, correlations that must be there and that must not.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::OnceLock;

use pos_estate::PosEstate;
use telemill_sdk::native::Run;
use telemill_sdk::time::{DAY, HOUR, MINUTE, SECOND};
use telemill_sdk::{Batch, Window};

/// 2026-11-11T00:00:00Z, a Wednesday.
const WEDNESDAY: i64 = 1_794_355_200 * SECOND;

/// A day without incidents, with the defaults.
struct Day {
    /// Minutes since midnight of each row, by table.
    minutes: BTreeMap<String, Vec<i64>>,
    /// Readings of each terminal: cpu, memory, disk, disk I/O, network, transactions.
    readings: BTreeMap<String, Vec<[f64; 6]>>,
    latencies: Vec<f64>,
    rollouts: Vec<(i64, String)>,
    changes: usize,
    /// Seconds before clicks, searches and logouts; what follows a login or a search is opened at once.
    think_times: Vec<f64>,
}

fn day() -> &'static Day {
    static DAYS: OnceLock<Day> = OnceLock::new();
    DAYS.get_or_init(|| {
        let mut day = Day {
            minutes: BTreeMap::new(),
            readings: BTreeMap::new(),
            latencies: Vec::new(),
            rollouts: Vec::new(),
            changes: 0,
            think_times: Vec::new(),
        };
        let span = Window::new(WEDNESDAY, WEDNESDAY + DAY);
        Run::new("{}", span).seed(9).windows(HOUR).each::<PosEstate>(|batch| day.see(&batch)).unwrap();
        day
    })
}

impl Day {
    fn see(&mut self, batch: &Batch) {
        let table = batch.declaration().unwrap();
        let Some(time) = &table.time_field else { return };
        for row in 0..batch.rows() {
            let minute = (batch.i64(time, row).unwrap() - WEDNESDAY) / MINUTE;
            self.minutes.entry(table.name.clone()).or_default().push(minute);
            let number = |name: &str| batch.f64(name, row).unwrap();
            match table.name.as_str() {
                "device_metrics" => {
                    let device = batch.text("device_id", row).unwrap();
                    if !self.readings.contains_key(device) {
                        self.readings.insert(device.to_owned(), Vec::new());
                    }
                    self.readings.get_mut(device).unwrap().push([
                        number("cpu_pct"),
                        number("memory_pct"),
                        number("disk_pct"),
                        number("disk_io_kbps"),
                        number("network_kbps"),
                        f64::from(batch.i32("transactions", row).unwrap()),
                    ]);
                }
                "api_request_logs" if batch.i32("status", row).unwrap() < 400 => {
                    self.latencies.push(number("latency_ms"));
                }
                "user_activities" if ["click", "search", "logout"].contains(&batch.text("action", row).unwrap()) => {
                    self.think_times.push(batch.i64("think_time_ms", row).unwrap() as f64 / 1_000.0);
                }
                "config_history" => {
                    self.changes += 1;
                    if batch.text("origin", row) == Some("rollout") {
                        self.rollouts.push((minute, batch.text("device_id", row).unwrap().to_owned()));
                    }
                }
                _ => {}
            }
        }
    }

    fn series(&self, device: &str, column: usize, hours: std::ops::Range<usize>) -> Vec<f64> {
        self.readings[device][hours.start * 720..hours.end * 720].iter().map(|reading| reading[column]).collect()
    }

    fn per_minute(&self, table: &str) -> Vec<f64> {
        let mut counts = vec![0.0; 1_440];
        self.minutes[table].iter().for_each(|minute| counts[*minute as usize] += 1.0);
        counts
    }
}

fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len().min(y.len());
    let mean = |v: &[f64]| v[..n].iter().sum::<f64>() / n as f64;
    let (mx, my) = (mean(x), mean(y));
    let sum = |f: &dyn Fn(usize) -> f64| (0..n).map(f).sum::<f64>();
    let covariance = sum(&|i| (x[i] - mx) * (y[i] - my));
    covariance / (sum(&|i| (x[i] - mx).powi(2)) * sum(&|i| (y[i] - my).powi(2))).sqrt()
}

#[test]
fn rates_are_the_documents() {
    let rate = |table: &str| day().minutes[table].len() as f64 / 1_440.0;
    let tables = ["user_activities", "job_outcomes", "error_logs", "config_history", "api_request_logs"];
    eprintln!("{:?}", tables.map(|table| (table, rate(table))));
    assert!((rate("user_activities") / 15.0 - 1.0).abs() < 0.15);
    assert!((rate("job_outcomes") / 5.0 - 1.0).abs() < 0.06);
    assert!((rate("error_logs") - 1.0).abs() < 0.25);
    // Types of jobs that change a configuration have 6.5 of 10.5 of the weight.
    assert!((rate("config_history") / rate("job_outcomes") - 6.5 / 10.5).abs() < 0.03);
    assert_eq!(day().minutes["device_metrics"].len(), 40 * 17_280, "each terminal every five seconds");
    assert!(day().readings.values().all(|readings| readings.len() == 17_280));
}

#[test]
fn rates_are_settings() {
    let span = Window::new(WEDNESDAY + 8 * HOUR, WEDNESDAY + 20 * HOUR);
    let count = |config: &str| {
        let mut counts: BTreeMap<String, f64> = BTreeMap::new();
        let run = Run::new(config, span).seed(3).windows(HOUR);
        run.each::<PosEstate>(|b| *counts.entry(b.declaration().unwrap().name.clone()).or_default() += b.rows() as f64)
            .unwrap();
        counts
    };
    let usual = count(r#"{"metrics_seconds": 60}"#);
    let more = count(
        r#"{"metrics_seconds": 30, "activities_per_minute": 45, "jobs_per_minute": 15, "errors_per_minute": 4, "terminals": 80}"#,
    );
    for (table, factor) in
        [("user_activities", 3.0), ("job_outcomes", 3.0), ("error_logs", 4.0), ("device_metrics", 4.0)]
    {
        let got = more[table] / usual[table];
        // Errors come in clusters, so that their number is less certain.
        let tolerance = if table == "error_logs" { 0.35 } else { 0.15 };
        assert!((got / factor - 1.0).abs() < tolerance, "{table}: {got} instead of {factor}");
    }
}

#[test]
fn opening_hours_deliveries_and_rollouts_shape_the_day() {
    let activities = day().per_minute("user_activities");
    let hours =
        |counts: &[f64], from: usize, to: usize| counts[from * 60..to * 60].iter().sum::<f64>() / (to - from) as f64;
    let (night, noon, evening) = (hours(&activities, 0, 5), hours(&activities, 11, 13), hours(&activities, 16, 18));
    eprintln!("activities an hour: night {night}, noon {noon}, evening {evening}");
    assert!(night < 0.1 * noon && evening > 1.05 * noon);
    // Load of the API follows users and agents: agents at night, both by day.
    let calls = day().per_minute("api_request_logs");
    assert!(
        (hours(&calls, 0, 5) / 60.0 / 88.0 - 1.0).abs() < 0.12 && hours(&calls, 16, 18) > 1.4 * hours(&calls, 0, 5)
    );
    // One group of four gets new software between five and half past.
    assert_eq!(day().rollouts.len(), 10);
    assert!(day().rollouts.iter().all(|(minute, _)| (300..332).contains(minute)), "{:?}", day().rollouts);
    let updated = &day().rollouts[0].1;
    let other = day().readings.keys().find(|device| !day().rollouts.iter().any(|(_, d)| d == *device)).unwrap();
    let mean = |device: &str, hours| {
        let values = day().series(device, 0, hours);
        values.iter().sum::<f64>() / values.len() as f64
    };
    assert!(mean(updated, 5..6) > mean(updated, 4..5) + 1.5, "an update takes processor time");
    assert!((mean(other, 5..6) - mean(other, 4..5)).abs() < 0.5);
}

#[test]
fn memory_and_disk_are_sticky_and_the_rest_is_spiky() {
    let mut lags = [const { Vec::new() }; 5];
    for device in day().readings.keys().step_by(4) {
        // Logs are rotated at three.
        for hour in [0, 10, 15] {
            for (column, lags) in lags.iter_mut().enumerate() {
                let values = day().series(device, column, hour..hour + 3);
                lags.push(correlation(&values, &values[1..]));
            }
        }
    }
    let mean = |column: usize| lags[column].iter().sum::<f64>() / lags[column].len() as f64;
    eprintln!(
        "lag-1: cpu {:.3} memory {:.3} disk {:.3} disk I/O {:.3} network {:.3}",
        mean(0),
        mean(1),
        mean(2),
        mean(3),
        mean(4)
    );
    for column in [1, 2] {
        assert!((0.96..=0.99).contains(&mean(column)), "{column}: {}", mean(column));
        assert!(lags[column].iter().all(|lag| (0.94..=0.995).contains(lag)), "{:?}", lags[column]);
    }
    for column in [0, 3, 4] {
        assert!((-0.05..=0.4).contains(&mean(column)), "{column}: {}", mean(column));
    }
}

#[test]
fn sales_drive_processor_and_network_and_terminals_are_their_own() {
    let devices: Vec<&String> = day().readings.keys().collect();
    let (a, b) = (devices[0], devices[1]);
    let open = 9..19;
    let of = |device: &str, column: usize| day().series(device, column, open.clone());
    assert!(correlation(&of(a, 0), &of(a, 5)) > 0.7, "processor and sales: {}", correlation(&of(a, 0), &of(a, 5)));
    assert!(correlation(&of(a, 4), &of(a, 5)) > 0.15, "network and sales: {}", correlation(&of(a, 4), &of(a, 5)));
    for column in [0, 3, 4, 5] {
        let together = correlation(&of(a, column), &of(b, column));
        assert!(together.abs() < 0.15, "two terminals at one moment: {column} {together}");
    }
    let quarters = |device: &str| -> Vec<f64> {
        day().series(device, 5, 0..24).chunks(180).map(|chunk| chunk.iter().sum()).collect()
    };
    assert!(correlation(&quarters(a), &quarters(b)) > 0.5, "and one day for all");
    let memory = |device: &str| day().series(device, 1, 0..5);
    assert!(correlation(&memory(a), &memory(b)).abs() < 0.25, "memory at night");
}

#[test]
fn think_times_are_lognormal() {
    let mut logarithms: Vec<f64> = day().think_times.iter().map(|seconds| seconds.ln()).collect();
    logarithms.sort_by(f64::total_cmp);
    let quantile = |p: f64| logarithms[(p * logarithms.len() as f64) as usize];
    let (median, sigma) = (quantile(0.5).exp(), (quantile(0.841_34) - quantile(0.158_66)) / 2.0);
    eprintln!("think time of {} actions: median {median:.2} s, sigma {sigma:.3}", logarithms.len());
    assert!(logarithms.len() > 5_000);
    assert!((median / 13.0 - 1.0).abs() < 0.06, "median {median}");
    assert!((sigma / 0.95 - 1.0).abs() < 0.05, "sigma {sigma}");
    // Both tails are the law's: two sigmas from the median.
    for (p, z) in [(0.022_75, -2.0), (0.977_25, 2.0)] {
        let got = (quantile(p) - 13f64.ln()) / 0.95;
        assert!((got - z).abs() < 0.15, "{p}: {got} sigmas");
    }
}

#[test]
fn errors_and_users_come_in_bursts_and_latencies_have_a_tail() {
    // Variance over mean of the counts of ten minutes, trend by hours taken out: 1 for a plain Poisson law.
    let dispersion = |table: &str| {
        let tens: Vec<f64> = day().per_minute(table).chunks(10).map(|chunk| chunk.iter().sum()).collect();
        let hours = tens.chunks(6).filter(|hour| hour.iter().sum::<f64>() >= 6.0);
        let indices = hours.map(|hour| {
            let mean = hour.iter().sum::<f64>() / 6.0;
            hour.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / 5.0 / mean
        });
        let indices: Vec<f64> = indices.collect();
        indices.iter().sum::<f64>() / indices.len() as f64
    };
    let (errors, users) = (dispersion("error_logs"), dispersion("user_activities"));
    eprintln!("index of dispersion at ten minutes: errors {errors:.2}, users {users:.2}");
    assert!(errors > 1.6 && users > 4.0);
    let mut latencies = day().latencies.clone();
    latencies.sort_by(f64::total_cmp);
    let quantile = |p: f64| latencies[(p * latencies.len() as f64) as usize];
    eprintln!("latency: {:?} ms", [0.05, 0.5, 0.95, 0.99, 0.999].map(quantile));
    assert!((10.0..60.0).contains(&quantile(0.5)) && quantile(0.999) > 6.0 * quantile(0.5));
}
