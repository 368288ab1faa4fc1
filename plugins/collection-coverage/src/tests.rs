//! The judgement on small tables, natively.
#![expect(clippy::unwrap_used, reason = "tests")]

use telemill_sdk::time::{DAY, HOUR, MINUTE};
use telemill_sdk::{
    Batch, DictionaryColumn, Finding, I32Column, I64Column, Nullable, Output, Report, Rows, Severity, Table,
    TextColumn, TimestampColumn, Window, native, table,
};

use crate::Coverage;

table! {
    /// Things that report.
    struct Meters("meters") {
        /// Which.
        id: TextColumn,
        /// Its number.
        number: I32Column,
    }
    primary_key: ["id"],
    kind: Snapshot,
}

table! {
    /// What they report.
    struct Readings("readings") {
        /// When.
        time: TimestampColumn,
        /// Which.
        meter: DictionaryColumn,
        /// The meter's number.
        number: Nullable<I64Column>,
    }
    time_field: "time",
}

const NAMES: [&str; 4] = ["north", "south", "east", "west"];

fn tables() -> Vec<Table> {
    vec![Meters::table(), Readings::table()]
}

/// All four meters, and a reading of the first `reporting` of them every minute that `is_there`.
fn data(window: Window, reporting: usize, is_there: impl Fn(i64) -> bool) -> Vec<Batch> {
    let mut output = Output::new(tables());
    let mut meters = Meters::default();
    for (number, name) in NAMES.iter().enumerate() {
        meters.id.push_str(name);
        meters.number.push(number as i32);
    }
    meters.finish(&mut output).unwrap();
    let mut readings = Readings::default();
    readings.meter.set_values(NAMES);
    for (at, t) in (window.start..window.end).step_by(MINUTE as usize).enumerate() {
        for meter in (0..reporting).filter(|_| is_there(t)) {
            readings.time.push(t);
            readings.meter.push(meter as u32);
            readings.number.push_option((at % 5 > 0).then_some(meter as i64));
        }
        if at % 100 == 99 {
            readings.finish(&mut output).unwrap();
        }
    }
    readings.finish(&mut output).unwrap();
    output.take()
}

fn judge(config: &str, window: Window, batches: &[Batch]) -> Report {
    native::judge::<Coverage>(config, &tables(), window, batches).unwrap()
}

fn rule(report: &Report, rule: &str) -> Finding {
    report.findings.iter().find(|finding| finding.rule == rule).unwrap().clone()
}

fn verdict(finding: &Finding) -> (Severity, u64, u64) {
    (finding.severity, finding.failed, finding.checked)
}

const DAYS: Window = Window::new(0, 3 * DAY);

fn readings(rules: &str) -> String {
    format!(r#"{{"tables": [{{"table": "readings", {rules}}}]}}"#)
}

#[test]
fn rows_are_counted_per_table_and_day_without_any_setting() {
    let report = judge("{}", Window::new(0, DAY + HOUR), &data(Window::new(0, DAY + HOUR), 4, |_| true));
    let of_days: Vec<_> = report.metrics.iter().filter(|metric| metric.name == "readings.rows_of_day").collect();
    assert_eq!(
        of_days.iter().map(|metric| (metric.at, metric.value)).collect::<Vec<_>>(),
        [(Some(0), 5_760.0), (Some(DAY), 240.0)]
    );
    assert!(!report.failed() && report.findings.len() == 1);
}

#[test]
fn days_without_rows_and_gaps_are_found() {
    let rules = readings(r#""max_gap_minutes": 30"#);
    let whole = judge(&rules, DAYS, &data(DAYS, 2, |_| true));
    assert!(!whole.failed(), "{whole:?}");
    let holes = |t: i64| !(DAY..2 * DAY).contains(&t) && !(5 * HOUR..6 * HOUR).contains(&t);
    let report = judge(&rules, DAYS, &data(DAYS, 2, holes));
    assert_eq!(verdict(&rule(&report, "days")), (Severity::High, 1, 3));
    let gaps = rule(&report, "gaps");
    assert_eq!((gaps.severity, gaps.failed), (Severity::High, 2));
    assert!(gaps.message.contains("1440 minutes from 1970-01-02 00:00"), "{}", gaps.message);
    let low = judge(&readings(r#""max_gap_minutes": 30, "severity": "low""#), DAYS, &data(DAYS, 2, holes));
    assert!(!low.failed());
}

#[test]
fn rates_are_judged_by_whole_periods() {
    let half = |t: i64| t < 2 * DAY || t % (2 * MINUTE) == 0;
    for (rules, expected) in [
        (r#""per_minute": 4"#, (Severity::High, 1, 3)),
        (r#""per_minute": 4, "per": "hour", "tolerance": 0.1"#, (Severity::High, 24, 72)),
        (r#""per_minute": 4, "tolerance": 0.6"#, (Severity::Info, 0, 3)),
        (r#""per_minute": 2"#, (Severity::High, 2, 3)),
    ] {
        let report = judge(&readings(rules), DAYS, &data(DAYS, 4, half));
        assert_eq!(verdict(&rule(&report, "rate")), expected, "{rules}");
    }
    // An hour is no day, and a moment less than a day is one.
    let hour = Window::new(7 * HOUR, 8 * HOUR);
    let rate = rule(&judge(&readings(r#""per_minute": 900"#), hour, &data(hour, 4, |_| true)), "rate");
    assert_eq!(verdict(&rate), (Severity::Info, 0, 0));
    let short = Window::new(0, DAY - MINUTE);
    let rate = rule(&judge(&readings(r#""per_minute": 900"#), short, &data(short, 4, |_| true)), "rate");
    assert_eq!(verdict(&rate), (Severity::High, 1, 1));
}

#[test]
fn rates_may_differ_by_weekday() {
    // 1970-01-01 was a Thursday: of eleven days, the two Sundays have half as many rows.
    let window = Window::new(0, 11 * DAY);
    let sunday = |t: i64| (t.div_euclid(DAY) + 3) % 7 == 6;
    let rows = data(window, 4, |t| !sunday(t) || t % (2 * MINUTE) == 0);
    let rate = |rules: &str| rule(&judge(&readings(rules), window, &rows), "rate");
    let blind = rate(r#""per_minute": 4"#);
    assert_eq!(verdict(&blind), (Severity::High, 2, 11));
    assert!(blind.message.contains("2880 rows from 1970-01-04 00:00, and 5760"), "{}", blind.message);
    let factors = |per: &str| format!(r#""per_minute": 4, "weekday_multipliers": [1, 1, 1, 1, 1, 1, 0.5], {per}"#);
    assert_eq!(verdict(&rate(&factors(r#""tolerance": 0"#))), (Severity::Info, 0, 11));
    assert_eq!(verdict(&rate(&factors(r#""tolerance": 0, "per": "hour""#))), (Severity::Info, 0, 11 * 24));
    // A Sunday as busy as other days, and a Monday that is not, are off.
    let even = data(window, 4, |t| !(4 * DAY..5 * DAY).contains(&t) || t % (2 * MINUTE) == 0);
    let off = rule(&judge(&readings(&factors(r#""tolerance": 0.25"#)), window, &even), "rate");
    assert_eq!(verdict(&off), (Severity::High, 3, 11));
}

#[test]
fn days_that_are_asked_for_must_be_there() {
    for (config, days, fails) in [
        (r#"{"min_days": 1}"#, 1, false),
        (r#"{"min_days": 3, "tables": [{"table": "readings"}]}"#, 3, false),
        (r#"{"min_days": 3}"#, 2, true),
        (r#"{"min_days": 3, "tables": [{"table": "readings"}]}"#, 2, true),
    ] {
        let window = Window::new(0, days * DAY);
        let report = judge(config, window, &data(window, 1, |_| true));
        assert_eq!(report.failed(), fails, "{config} {days}: {:?}", report.findings);
        assert_eq!(rule(&report, "min-days").failed, u64::from(fails));
    }
}

#[test]
fn who_never_reported_is_named() {
    let rules = r#""entity": "meter", "entities": {"table": "meters", "column": "id"}"#;
    let report = judge(&readings(rules), DAYS, &data(DAYS, 2, |_| true));
    let silent = rule(&report, "silent");
    assert_eq!(verdict(&silent), (Severity::High, 2, 4));
    assert!(silent.message.ends_with("never reported: east, west"), "{}", silent.message);
    assert_eq!(
        verdict(&rule(&judge(&readings(rules), DAYS, &data(DAYS, 4, |_| true)), "silent")),
        (Severity::Info, 0, 4)
    );
    let half = format!(r#"{rules}, "at_most_silent": 0.5"#);
    assert_eq!(rule(&judge(&readings(&half), DAYS, &data(DAYS, 2, |_| true)), "silent").severity, Severity::Info);
    let minutes = Window::new(0, 10 * MINUTE);
    let short = rule(&judge(&readings(rules), minutes, &data(minutes, 2, |_| true)), "silent");
    assert_eq!(short.severity, Severity::Info, "ten minutes do not say who is silent");
}

#[test]
fn ids_that_link_to_nothing_are_orphans() {
    let link = |column: &str, to: &str, more: &str| {
        let to = format!(r#"{{"table": "meters", "column": "{to}"}}"#);
        format!(r#"{{"links": [{{"table": "readings", "column": "{column}", "to": {to}{more}}}]}}"#)
    };
    let window = Window::new(0, HOUR);
    let clean = data(window, 4, |_| true);
    assert_eq!(verdict(&rule(&judge(&link("meter", "id", ""), window, &clean), "orphans")), (Severity::Info, 0, 240));
    // Nulls need no parent, and 32 bits link to 64.
    assert_eq!(
        verdict(&rule(&judge(&link("number", "number", ""), window, &clean), "orphans")),
        (Severity::Info, 0, 192)
    );
    // Without the first batch, there are no meters.
    let orphans = rule(&judge(&link("meter", "id", ""), window, &clean[1..]), "orphans");
    assert_eq!(verdict(&orphans), (Severity::High, 240, 240));
    assert_eq!(orphans.samples, [0, 1, 2, 3, 4]);
    let tolerated = link("meter", "id", r#", "severity": "low""#);
    assert!(!judge(&tolerated, window, &clean[1..]).failed());
}

#[test]
fn what_is_not_there_is_a_finding() {
    for config in [
        r#"{"tables": [{"table": "nothing"}]}"#,
        r#"{"tables": [{"table": "meters"}]}"#,
        r#"{"tables": [{"table": "readings", "time": "meter"}]}"#,
        r#"{"tables": [{"table": "readings", "entity": "nobody"}]}"#,
        r#"{"links": [{"table": "readings", "column": "meter", "to": {"table": "meters", "column": "name"}}]}"#,
        r#"{"links": [{"table": "readings", "column": "till", "to": {"table": "meters", "column": "id"}}]}"#,
    ] {
        let report = judge(config, DAYS, &data(Window::new(0, HOUR), 1, |_| true));
        assert!(report.failed() && rule(&report, "missing").failed == 1, "{config}");
    }
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused() {
    let problem = |config: &str| native::judge::<Coverage>(config, &tables(), DAYS, &[]).unwrap_err().to_string();
    assert!(problem(r#"{"min_days": -1}"#).contains("/min_days"));
    assert!(problem(r#"{"tables": [{"table": "a", "per_minute": 0}]}"#).contains("/tables/0/per_minute"));
    for factors in ["[1, 1]", "[1, 1, 1, 1, 1, 1, 0]"] {
        let config = format!(r#"{{"tables": [{{"table": "a", "weekday_multipliers": {factors}}}]}}"#);
        assert!(problem(&config).contains("/tables/0/weekday_multipliers"));
    }
    assert!(
        problem(r#"{"tables": [{"table": "a", "entities": {"table": "b", "column": "c"}}]}"#)
            .contains("/tables/0/entity")
    );
    assert!(problem(r#"{"links": [{"table": "a", "column": "b"}]}"#).contains("/links/0/to"));
}
