//! Levels of small tables, natively.
#![expect(clippy::unwrap_used, reason = "tests")]

use telemill_sdk::session::ValidatorSession;
use telemill_sdk::time::{DAY, HOUR, MINUTE, SECOND};
use telemill_sdk::{
    Batch, DictionaryColumn, Finding, I32Column, Output, Process, Report, Rows, Severity, Stream, TimestampColumn,
    Window, native, table,
};

use crate::Levels;
use crate::config::Volume;

table! {
    /// Requests.
    struct Requests("transactions") {
        /// When.
        timestamp: TimestampColumn,
        /// How long.
        response_time_ms: I32Column => "ms",
        /// How it ended.
        status: DictionaryColumn,
        /// Whether an incident was on.
        phase: DictionaryColumn,
    }
    time_field: "timestamp",
}

/// What traffic is made for a test.
struct Traffic {
    /// As a share of the schedule, by the hour since 1970.
    factor: fn(i64) -> f64,
    normal_errors: f64,
    normal_ms: i32,
    /// Whether 5 % of rows are in an incident.
    incidents: bool,
}

const AS_PLANNED: Traffic = Traffic { factor: |_| 1.0, normal_errors: 0.015, normal_ms: 400, incidents: true };

fn traffic(traffic: &Traffic, window: Window) -> Vec<Batch> {
    let volume = Volume::default();
    let mut rows = Requests::default();
    rows.status.set_values(["success", "error"]);
    rows.phase.set_values(["normal", "incident", "recovery"]);
    let mut output = Output::new(vec![Requests::table()]);
    for minute in window.steps(MINUTE) {
        let hour = (minute.start.rem_euclid(DAY)) as f64 / HOUR as f64;
        let rate = volume.tps(hour) * (traffic.factor)(minute.start.div_euclid(HOUR));
        for i in 0..(rate * minute.seconds()).round() as u64 {
            let mut stream = Stream::of(1, Process::named("t"), i, minute.start);
            let incident = traffic.incidents && i % 20 == 0;
            let errors = if incident { 0.3 } else { traffic.normal_errors };
            rows.timestamp.push(minute.start + stream.below(MINUTE as u64) as i64);
            rows.status.push(u32::from(stream.chance(errors)));
            rows.phase.push(u32::from(incident));
            let middle = if incident { 9000 } else { traffic.normal_ms };
            rows.response_time_ms.push((f64::from(middle) * stream.between(0.4, 1.6)) as i32);
        }
        if minute.end.rem_euclid(HOUR) == 0 {
            rows.finish(&mut output).unwrap();
        }
    }
    rows.finish(&mut output).unwrap();
    output.take()
}

fn judge(config: &str, window: Window, batches: &[Batch]) -> Report {
    native::judge::<Levels>(config, &[Requests::table()], window, batches).unwrap()
}

fn failed(report: &Report) -> Vec<&str> {
    report.findings.iter().filter(|f| f.severity >= Severity::High).map(|f| f.rule.as_str()).collect()
}

fn finding<'a>(report: &'a Report, rule: &str) -> &'a Finding {
    report.findings.iter().find(|finding| finding.rule == rule).unwrap()
}

const WINDOW: Window = Window::new(0, DAY);

#[test]
fn traffic_as_planned_passes_in_any_window() {
    for window in [WINDOW, Window::new(6 * HOUR, 12 * HOUR), Window::new(HOUR / 3, HOUR / 2), Window::new(0, SECOND)] {
        let report = judge("{}", window, &traffic(&AS_PLANNED, window));
        assert_eq!(failed(&report), Vec::<&str>::new(), "{report:#?}");
    }
    let report = judge("{}", WINDOW, &traffic(&AS_PLANNED, WINDOW));
    assert_eq!(report.metrics.iter().filter(|metric| metric.at.is_some()).count(), 24);
    let p50 = report.metrics.iter().find(|metric| metric.name == "normal.p50").unwrap();
    assert!((p50.value / 400.0 - 1.0).abs() < 0.02, "{}", p50.value);
}

#[test]
fn the_schedule_scales_with_base_and_peak() {
    let volume = Volume::default();
    assert_eq!([0.0, 7.5, 13.0, 20.0].map(|hour| volume.tps(hour)), [10.0, 22.5, 42.5, 20.0]);
    let flat = Volume { base_tps: 10.0, peak_multiplier: 1.0, ..Volume::default() };
    assert_eq!([0.0, 7.5, 13.0, 23.0].map(|hour| flat.tps(hour)), [5.0, 10.0, 10.0, 6.25]);
    // The hour from 12 with a part of the window at each end, minute by minute as for the whole.
    let off = judge(r#"{"volume": {"base_tps": 10}}"#, WINDOW, &traffic(&AS_PLANNED, WINDOW));
    assert_eq!(failed(&off), ["hourly-volume", "total-volume"]);
}

#[test]
fn a_few_hours_may_be_off_and_no_more() {
    let sale = Traffic { factor: |hour| if hour < 2 { 2.0 } else { 1.0 }, ..AS_PLANNED };
    let batches = traffic(&sale, WINDOW);
    let report = judge("{}", WINDOW, &batches);
    assert_eq!(failed(&report), Vec::<&str>::new());
    assert_eq!(finding(&report, "hourly-volume").failed, 2);
    assert_eq!(failed(&judge(r#"{"volume": {"hours_off": 0}}"#, WINDOW, &batches)), ["hourly-volume"]);
    let low = Traffic { factor: |_| 0.8, ..AS_PLANNED };
    assert_eq!(failed(&judge("{}", WINDOW, &traffic(&low, WINDOW))), ["total-volume"]);
    let elsewhere = judge("{}", Window::new(HOUR, DAY), &traffic(&AS_PLANNED, WINDOW));
    assert_eq!(finding(&elsewhere, "window").failed, 36_000);
}

#[test]
fn errors_and_latencies_have_bands_in_and_out_of_incidents() {
    let errors = Traffic { normal_errors: 0.06, ..AS_PLANNED };
    assert_eq!(failed(&judge("{}", WINDOW, &traffic(&errors, WINDOW))), ["normal:errors"]);
    let fast = Traffic { normal_ms: 120, ..AS_PLANNED };
    assert_eq!(failed(&judge("{}", WINDOW, &traffic(&fast, WINDOW))), ["normal:p10", "normal:p50", "normal:p90"]);
    let calm = Traffic { incidents: false, ..AS_PLANNED };
    let report = judge("{}", WINDOW, &traffic(&calm, WINDOW));
    assert_eq!(failed(&report), Vec::<&str>::new());
    assert!(finding(&report, "incident:rows").message.contains("not judged"));
    let strict = r#"{"levels": [{"name": "all", "errors_at_most": 0.01}]}"#;
    assert_eq!(failed(&judge(strict, WINDOW, &traffic(&AS_PLANNED, WINDOW))), ["all:errors"]);
}

#[test]
fn columns_that_are_missing_are_findings() {
    let batches = traffic(&AS_PLANNED, Window::new(0, HOUR));
    let report = judge(r#"{"latency_column": "phase", "phase_column": "stage"}"#, Window::new(0, HOUR), &batches);
    assert_eq!(failed(&report), ["columns", "columns"]);
    assert_eq!(failed(&judge(r#"{"table": "calls"}"#, WINDOW, &batches)), ["columns"]);
}

#[test]
fn configurations_are_checked() {
    for (config, path) in [
        (r#"{"volume": {"time_zone": "Mars"}}"#, "/volume/time_zone"),
        (r#"{"volume": {"schedule": [{"from_hour": 1}]}}"#, "/volume/schedule"),
        (r#"{"levels": [{"errors_at_least": 0.5, "errors_at_most": 0.1}]}"#, "/levels/0/errors_at_least"),
        (r#"{"levels": [{"quantiles": [{"quantile": 50}]}]}"#, "/levels/0/quantiles/0/quantile"),
        (r#"{"levels": [{"phase": "normal"}]}"#, "/levels/0/phase"),
    ] {
        let problems = ValidatorSession::<Levels>::check(config);
        assert_eq!(problems.first().map(|problem| problem.path.as_str()), Some(path));
    }
    assert_eq!(ValidatorSession::<Levels>::check("{}"), []);
}
