//! What load does to the shop: all follows it, and a load spike breaks nothing.

#![expect(clippy::unwrap_used, reason = "tests")]

use ecommerce::Shop;
use service_incidents::ServiceIncidents;
use service_levels::Levels;
use telemill_sdk::native::{Run, judge, plan, trigger};
use telemill_sdk::time::{DAY, HOUR, MINUTE, SECOND};
use telemill_sdk::{Batch, Severity, Window};

/// 2026-11-09T00:00:00Z, a Monday.
const MONDAY: i64 = 1_794_182_400 * SECOND;

/// The calls of a part of a span.
#[derive(Clone, Debug, Default)]
struct Part {
    times: Vec<i32>,
    errors: usize,
    retried: usize,
}

impl Part {
    fn rows(&self) -> f64 {
        self.times.len() as f64
    }

    fn errors(&self) -> f64 {
        self.errors as f64 / self.rows()
    }

    fn retried(&self) -> f64 {
        self.retried as f64 / self.rows()
    }

    fn quantile(&self, p: f64) -> f64 {
        let mut times = self.times.clone();
        times.sort_unstable();
        f64::from(times[((times.len() - 1) as f64 * p) as usize])
    }
}

/// Adds a batch's calls to the equal parts of a span.
fn add(batch: &Batch, span: Window, parts: &mut [Part]) {
    if batch.table() != 0 {
        return;
    }
    let length = span.micros() / parts.len() as i64;
    for row in 0..batch.rows() {
        let part = &mut parts[((batch.i64("timestamp", row).unwrap() - span.start) / length) as usize];
        part.times.push(batch.i32("response_time_ms", row).unwrap());
        part.errors += usize::from(batch.text("status", row) == Some("error"));
        part.retried += usize::from(batch.i32("retries", row).unwrap() > 0);
    }
}

fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (mx, my) = (mean(x), mean(y));
    let sum = |f: &dyn Fn(f64, f64) -> f64| x.iter().zip(y).map(|(x, y)| f(x - mx, y - my)).sum::<f64>();
    sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
}

#[test]
fn latency_errors_and_retries_follow_the_load_of_a_day() {
    let day = Window::new(MONDAY, MONDAY + DAY);
    for seed in [5, 42, 7] {
        let mut hours = vec![Part::default(); 24];
        Run::new("{}", day).seed(seed).windows(HOUR / 2).each::<Shop>(|batch| add(&batch, day, &mut hours)).unwrap();
        let load: Vec<f64> = hours.iter().map(Part::rows).collect();
        let follows = |of: &dyn Fn(&Part) -> f64| correlation(&load, &hours.iter().map(of).collect::<Vec<_>>());
        let (p50, p99) = (follows(&|part| part.quantile(0.5)), follows(&|part| part.quantile(0.99)));
        let (errors, retried) = (follows(&Part::errors), follows(&Part::retried));
        let merged = |hours: &[Part]| {
            hours.iter().fold(Part::default(), |mut all, part| {
                all.times.extend(&part.times);
                (all.errors, all.retried) = (all.errors + part.errors, all.retried + part.retried);
                all
            })
        };
        let (night, peak, all) = (merged(&hours[..6]), merged(&hours[17..20]), merged(&hours));
        eprintln!("seed {seed}: with load, p50 {p50:.2}, p99 {p99:.2}, errors {errors:.2}, retries {retried:.2}");
        for (name, part) in [("night", &night), ("peak", &peak), ("day", &all)] {
            eprintln!(
                "  {name}: p5 {} p50 {} p95 {} p99 {} ms, {:.2} % errors, {:.2} % tried again",
                part.quantile(0.05),
                part.quantile(0.5),
                part.quantile(0.95),
                part.quantile(0.99),
                100.0 * part.errors(),
                100.0 * part.retried(),
            );
        }
        assert!(p50 > 0.8 && p99 > 0.8, "{p50} {p99}");
        assert!(errors > 0.6 && retried > 0.7, "{errors} {retried}");
        let rise = |of: &dyn Fn(&Part) -> f64| of(&peak) / of(&night);
        let (p50, p99) = (rise(&|part| part.quantile(0.5)), rise(&|part| part.quantile(0.99)));
        assert!((1.07..=1.20).contains(&p50), "{p50}");
        assert!(p99 > p50 + 0.02 && p99 < 1.5, "{p99}");
        assert!(rise(&Part::errors) > 1.2 && rise(&Part::retried) > 1.2);
        for part in [&night, &peak, &all] {
            assert!((0.009..=0.021).contains(&part.errors()), "{}", part.errors());
            assert!(part.quantile(0.05) > 170.0 && part.quantile(0.95) < 850.0);
        }
        assert!((0.0125..=0.018).contains(&all.errors()), "{}", all.errors());
    }
}

#[test]
fn a_load_spike_at_the_peak_breaks_no_service_level() {
    let evening = Window::new(MONDAY + 18 * HOUR, MONDAY + 20 * HOUR);
    let spike = Window::new(MONDAY + 19 * HOUR + 10 * MINUTE, MONDAY + 19 * HOUR + 45 * MINUTE);
    let simulation = plan::<Shop>("{}").unwrap();
    let spec: toml::Table = include_str!("../scenario.toml").parse().unwrap();
    let levels = serde_json::to_string(&spec["validators"][1]["config"]).unwrap();
    for seed in 0..16 {
        let targets = simulation.targets.clone();
        let decoy = trigger::<ServiceIncidents>("{}", seed, evening, targets, "load-spike", "shop", spike).unwrap();
        let run = Run::new("{}", evening).seed(seed).windows(HOUR / 4);
        let (calm, spiked) = (run.rows::<Shop>().unwrap(), run.incidents(decoy).rows::<Shop>().unwrap());
        let minutes = |batches: &[Batch]| {
            let mut minutes = vec![Part::default(); 120];
            batches.iter().for_each(|batch| add(batch, evening, &mut minutes));
            minutes.drain(75..104).collect::<Vec<Part>>()
        };
        let (calm, parts) = (minutes(&calm), minutes(&spiked));
        // Errors come in blips with and without the spike.
        let added = calm.iter().zip(&parts).map(|(calm, spiked)| spiked.errors() - calm.errors());
        let added = added.fold(0.0, f64::max);
        let median = parts.iter().map(|part| part.quantile(0.5)).fold(0.0, f64::max);
        let rows = |parts: &[Part]| parts.iter().map(Part::rows).sum::<f64>();
        let medians = |parts: &[Part]| parts.iter().map(|part| part.quantile(0.5)).sum::<f64>();
        let (volume, slower) = (rows(&parts) / rows(&calm), medians(&parts) / medians(&calm));
        eprintln!(
            "seed {seed}: {volume:.2} times the calls, worst minute {:.1} % more errors and {median} ms, {slower:.2} times the median",
            100.0 * added
        );
        assert!((1.2..=1.6).contains(&volume), "{volume}");
        assert!(added < 0.02, "seed {seed}: {added}");
        assert!(parts.iter().all(|part| part.errors() < 0.25), "seed {seed}");
        assert!(median < 550.0 && slower < 1.25, "seed {seed}: {median} {slower}");
        let report = judge::<Levels>(&levels, &simulation.tables, evening, &spiked).unwrap();
        let p95 = report.findings.iter().find(|finding| finding.rule == "normal:p95").unwrap();
        eprintln!("  {}", p95.message);
        let broken: Vec<_> = report.findings.iter().filter(|f| f.severity >= Severity::High && f.failed > 0).collect();
        assert!(broken.is_empty(), "seed {seed}: {broken:#?}");
    }
}
