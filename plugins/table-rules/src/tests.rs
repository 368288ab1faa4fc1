//! The rules on small tables, natively.
#![expect(clippy::unwrap_used, reason = "tests")]

use telemill_sdk::time::{DAY, HOUR};
use telemill_sdk::{
    Batch, DictionaryColumn, F64Column, Finding, I64Column, Nullable, Output, Report, Rows, Severity, Table,
    TextColumn, TimestampColumn, Window, native, table,
};

use crate::Rules;

table! {
    /// Orders.
    struct Orders("orders") {
        /// When.
        time: TimestampColumn,
        /// Which.
        id: I64Column,
        /// How much.
        amount: Nullable<F64Column>,
        /// How it ended.
        status: DictionaryColumn,
        /// Who asked.
        user: TextColumn,
    }
    time_field: "time",
    primary_key: ["id"],
}

struct Order {
    time: i64,
    id: i64,
    amount: Option<f64>,
    status: u32,
    user: &'static str,
}

fn order(id: i64) -> Order {
    Order { time: id * 1000, id, amount: Some(id as f64), status: u32::from(id % 50 == 0), user: "u" }
}

/// Batches of 100 rows.
fn batches(orders: impl IntoIterator<Item = Order>) -> Vec<Batch> {
    let mut rows = Orders::default();
    rows.status.set_values(["success", "error"]);
    let mut output = Output::new(vec![Orders::table()]);
    for (i, order) in orders.into_iter().enumerate() {
        rows.time.push(order.time);
        rows.id.push(order.id);
        rows.amount.push_option(order.amount);
        rows.status.push(order.status);
        rows.user.push_str(order.user);
        if i % 100 == 99 {
            rows.finish(&mut output).unwrap();
        }
    }
    rows.finish(&mut output).unwrap();
    output.take()
}

fn judge_within(window: Window, rules: &str, batches: &[Batch]) -> Report {
    let config = format!(r#"{{"primary_keys": false, "tables": [{{"table": "orders", {rules}}}]}}"#);
    native::judge::<Rules>(&config, &[Orders::table()], window, batches).unwrap()
}

fn judge(rules: &str, batches: &[Batch]) -> Finding {
    judge_within(Window::new(0, DAY), rules, batches).findings.remove(0)
}

fn thousand() -> Vec<Batch> {
    batches((0..1000).map(order))
}

#[test]
fn nulls_are_shares() {
    let holes = batches((0..1000).map(|id| Order { amount: (id % 4 > 0).then_some(1.0), ..order(id) }));
    let broken = judge(r#""nulls": [{"column": "amount", "at_most": 0.1}]"#, &holes);
    assert_eq!((broken.severity, broken.failed, broken.checked), (Severity::High, 250, 1000));
    assert_eq!(broken.samples, [0, 4, 8, 12, 16]);
    assert_eq!(broken.rule, "nulls:amount");
    let fine = judge(r#""nulls": [{"column": "amount", "at_most": 0.25}]"#, &holes);
    assert_eq!((fine.severity, fine.failed), (Severity::Info, 250));
    let of_errors = r#""nulls": [{"column": "amount", "where": {"column": "status", "any_of": ["error"]}}]"#;
    assert_eq!((judge(of_errors, &holes).failed, judge(of_errors, &holes).checked), (10, 20));
    assert_eq!(
        judge(r#""nulls": [{"column": "amount", "at_least": 1, "at_most": 1}]"#, &holes).severity,
        Severity::High
    );
}

#[test]
fn a_rule_on_nulls_holds_each_of_its_columns() {
    let holes = batches((0..1000).map(|id| Order { amount: (id % 4 > 0).then_some(1.0), ..order(id) }));
    let rule = r#""nulls": [{"name": "few", "column": "id", "columns": ["amount", "gone"], "at_most": 0.1}]"#;
    let findings = judge_within(Window::new(0, DAY), rule, &holes).findings;
    let mut told: Vec<(&str, Severity)> = findings.iter().map(|f| (f.column.as_deref().unwrap(), f.severity)).collect();
    told.sort_unstable_by_key(|(column, _)| *column);
    assert_eq!(told, [("amount", Severity::High), ("gone", Severity::High), ("id", Severity::Info)]);
    assert!(findings.iter().all(|finding| finding.rule == "few"));
}

#[test]
fn ranges_have_two_ends_and_nan_is_outside() {
    let odd =
        batches([1.0, 2.0, 3.0, f64::NAN, f64::INFINITY].map(|amount| Order { amount: Some(amount), ..order(1) }));
    let range = |rule: &str| judge(&format!(r#""ranges": [{{"column": "amount", {rule}}}]"#), &odd);
    assert_eq!(range(r#""min": 2, "max": 3"#).samples, [0, 3, 4]);
    assert_eq!(range(r#""min": 0"#).samples, [3]);
    assert_eq!(range(r#""max": 2, "severity": "low""#).severity, Severity::Low);
    assert_eq!(range(r#""min": 0, "at_most_outside": 0.2"#).severity, Severity::Info);
}

#[test]
fn allowed_values_are_of_the_columns_type() {
    let rows = thousand();
    let allowed = |rule: &str| judge(&format!(r#""allowed": [{{{rule}}}]"#), &rows);
    assert_eq!(allowed(r#""column": "status", "values": ["success", "error"]"#).failed, 0);
    assert_eq!(allowed(r#""column": "status", "values": ["success"]"#).failed, 20);
    assert_eq!(allowed(r#""column": "user", "values": ["v"]"#).failed, 1000);
    assert_eq!(allowed(r#""column": "id", "values": [1, 2, 3]"#).failed, 997);
    let wrong = allowed(r#""column": "id", "values": ["one"]"#);
    assert!(wrong.severity == Severity::High && wrong.message.contains("Int64"), "{}", wrong.message);
}

#[test]
fn what_is_missing_is_a_finding() {
    let rows = thousand();
    for rule in [
        r#""required": ["nothing"]"#,
        r#""ranges": [{"column": "nothing", "min": 0}]"#,
        r#""unique": [{"columns": ["id", "nothing"]}]"#,
        r#""increasing": [{"column": "id", "order_by": ["nothing"]}]"#,
        r#""nulls": [{"column": "id", "where": {"column": "nothing"}}]"#,
        r#""ranges": [{"column": "user", "min": 0}]"#,
    ] {
        assert_eq!(judge(rule, &rows).severity, Severity::High, "{rule}");
    }
    assert_eq!(judge(r#""required": ["id"]"#, &rows).severity, Severity::Info);
    let nowhere = r#"{"tables": [{"table": "invoices"}]}"#;
    let report = native::judge::<Rules>(nowhere, &[Orders::table()], Window::new(0, DAY), &rows).unwrap();
    assert!(report.failed() && report.findings[0].table.as_deref() == Some("invoices"));
}

#[test]
fn rates_are_scaled_by_the_window_and_never_by_a_part_of_a_period() {
    let rows = thousand();
    let rate = |hours: i64, rule: &str| {
        judge_within(Window::new(0, hours * HOUR), &format!(r#""rows": [{rule}]"#), &rows).findings.remove(0)
    };
    assert_eq!(rate(10, r#"{"at_least": 100}"#).severity, Severity::Info);
    assert_eq!(rate(10, r#"{"at_least": 101}"#).severity, Severity::High);
    assert_eq!(rate(10, r#"{"at_least": 101}"#).failed, 10);
    assert_eq!(rate(10, r#"{"at_most": 99}"#).severity, Severity::High);
    // A quarter of a day says nothing about a day, and a day and a quarter are judged as one.
    assert_eq!(rate(6, r#"{"per": "day", "at_least": 5000}"#).severity, Severity::Info);
    assert_eq!(rate(30, r#"{"per": "day", "at_least": 1000}"#).severity, Severity::Info);
    assert_eq!(rate(30, r#"{"per": "day", "at_most": 500}"#).severity, Severity::Info);
    assert_eq!(rate(24, r#"{"per": "day", "at_least": 1001}"#).severity, Severity::High);
    let errors = r#"{"at_least": 3, "where": {"column": "status", "any_of": ["error"]}}"#;
    assert_eq!((rate(10, errors).severity, rate(10, errors).checked), (Severity::High, 20));
}

#[test]
fn classes_allow_for_chance_and_short_windows() {
    let class = |band: &str, rows: &[Batch]| {
        judge(&format!(r#""classes": [{{"column": "status", "values": ["error"], {band}}}]"#), rows)
    };
    let rows = thousand();
    assert_eq!(class(r#""at_least": 0.01, "at_most": 0.03"#, &rows).severity, Severity::Info);
    // 2 % of 1000 rows may well come of 1 %, but not of 0.1 %.
    assert_eq!(class(r#""at_most": 0.01"#, &rows).severity, Severity::Info);
    assert_eq!(class(r#""at_most": 0.001"#, &rows).severity, Severity::High);
    assert_eq!(class(r#""at_least": 0.1"#, &rows).failed, 80);
    assert_eq!(class(r#""at_least": 0.1, "min_rows": 1001"#, &rows).severity, Severity::Info);
    assert_eq!(class(r#""at_least": 0.1, "min_hours": 25"#, &rows).severity, Severity::Info);
    assert_eq!(class(r#""at_least": 0.1, "min_hours": 24"#, &rows).severity, Severity::High);
}

#[test]
fn rows_may_be_counted_in_total() {
    let total = |rule: &str, hours: i64| {
        let rule = format!(r#""rows": [{{"per": "total", {rule}}}]"#);
        judge_within(Window::new(0, hours * HOUR), &rule, &thousand()).findings.remove(0)
    };
    for hours in [1, 30 * 24] {
        assert_eq!(total(r#""at_least": 1000"#, hours).severity, Severity::Info);
        let few = total(r#""at_least": 10000"#, hours);
        assert_eq!((few.severity, few.failed), (Severity::High, 9000));
        assert_eq!(few.message, "1000 rows, fewer than 10000 in total");
        assert_eq!(total(r#""at_most": 999"#, hours).severity, Severity::High);
    }
}

#[test]
fn bands_can_be_taken_at_their_word() {
    // 4.9 % of 161,805 rows.
    let rows = batches((0..161_805).map(|id| Order { status: u32::from(id < 7_928), ..order(id) }));
    let class = r#""classes": [{"column": "status", "values": ["error"], "at_least": 0.05}]"#;
    assert_eq!(judge(class, &rows).severity, Severity::Info, "within four standard errors");
    let strict = judge(&format!(r#""standard_errors": 0, {class}"#), &rows);
    assert_eq!((strict.severity, strict.failed), (Severity::High, 162), "{}", strict.message);
    let holes = batches((0..1000).map(|id| Order { amount: (id % 100 > 10).then_some(1.0), ..order(id) }));
    let nulls = r#""nulls": [{"column": "amount", "at_most": 0.1}]"#;
    assert_eq!(judge(nulls, &holes).severity, Severity::Info, "11 % of a thousand rows may be chance");
    assert_eq!(judge(&format!(r#""standard_errors": 0, {nulls}"#), &holes).severity, Severity::High);
}

#[test]
fn every_value_that_occurs_may_be_a_class() {
    let each = |column: &str, more: &str, rows: &[Batch]| {
        judge(&format!(r#""classes": [{{"column": "{column}", "each": true, "at_least": 0.05{more}}}]"#), rows)
    };
    let halves = batches((0..2000).map(|id| Order { status: u32::from(id % 2 == 0), ..order(id) }));
    let fine = each("status", "", &halves);
    assert_eq!((fine.severity, fine.failed), (Severity::Info, 0), "{}", fine.message);
    // A value that nobody expected has one per cent.
    let users = ["a", "b", "c"];
    let unknown = |id: i64| Order { user: if id % 100 == 7 { "d" } else { users[id as usize % 3] }, ..order(id) };
    let found = each("user", "", &batches((0..2000).map(unknown)));
    assert_eq!((found.severity, found.failed), (Severity::High, 80));
    assert!(found.message.contains(r#"1 of 4 values are off in 2000 rows: "d" has 1.00 %"#), "{}", found.message);
    // Numbers have classes as well; nulls have none, and conditions hold.
    let amounts = |id: i64| Order { amount: [Some(1.0), Some(2.5), None][id as usize % 3], ..order(id) };
    let amounts = batches((0..3000).map(amounts));
    assert_eq!((each("amount", "", &amounts).severity, each("amount", "", &amounts).checked), (Severity::Info, 2000));
    let most = each("amount", r#", "at_most": 0.4"#, &amounts);
    assert!(most.severity == Severity::High && most.message.contains("2.5 has 50.00 %"), "{}", most.message);
    let some = each("status", r#", "min_rows": 1, "where": {"column": "amount", "max": 1}"#, &amounts);
    assert_eq!(some.checked, 1000);
    // Few rows are not judged, and ids are no classes.
    assert_eq!(each("user", r#", "min_rows": 5000"#, &batches((0..2000).map(unknown))).severity, Severity::Info);
    let ids = each("id", "", &batches((0..20_000).map(order)));
    assert!(ids.severity == Severity::High && ids.message.contains("so many or so long values"), "{}", ids.message);
}

#[test]
fn repetitions_are_found_across_batches() {
    let twice = batches((0..1000).chain([7, 5, 7]).map(order));
    let unique = judge(r#""unique": [{"columns": ["id"]}]"#, &twice);
    assert_eq!((unique.failed, unique.samples.as_slice()), (3, [1000, 1001, 1002].as_slice()));
    // The pair of user and id repeats as well, user and status more so.
    assert_eq!(judge(r#""unique": [{"columns": ["user", "id"]}]"#, &twice).failed, 3);
    assert_eq!(judge(r#""unique": [{"columns": ["user", "status"]}]"#, &twice).failed, 1001);
    let nulls = batches((0..10).map(|id| Order { amount: None, ..order(id) }));
    assert_eq!(judge(r#""unique": [{"columns": ["amount"]}]"#, &nulls).checked, 0);
    let keys = native::judge::<Rules>("{}", &[Orders::table()], Window::new(0, DAY), &twice).unwrap();
    assert_eq!((keys.findings[0].rule.as_str(), keys.findings[0].failed), ("primary-key", 3));
    assert_eq!(keys.metrics[0].value, 1003.0);
}

#[test]
fn falling_values_are_found_in_the_order_that_was_asked_for() {
    // Ids and times in reverse: sorted by id, times rise.
    let reverse = batches((0..1000).rev().map(order));
    let increasing =
        |rule: &str, rows: &[Batch]| judge(&format!(r#""increasing": [{{"column": "time", {rule}}}]"#), rows);
    assert_eq!(increasing(r#""order_by": ["id"]"#, &reverse).failed, 0);
    let late = batches((0..1000).map(|id| Order { time: if id == 500 { 0 } else { id * 1000 }, ..order(id) }));
    let found = increasing(r#""order_by": ["id"]"#, &late);
    assert_eq!((found.failed, found.samples.as_slice()), (1, [500].as_slice()));
    // Within a status, times rise as well; across two, they fall once.
    assert_eq!(increasing(r#""order_by": ["status", "id"]"#, &reverse).failed, 1);
    assert_eq!(increasing(r#""order_by": ["status", "id"], "groups": 1"#, &reverse).failed, 0);
    // The row that falls is one of the errors; successes alone never fall.
    let among = |status: &str| {
        let rule = format!(r#""order_by": ["id"], "where": {{"column": "status", "any_of": ["{status}"]}}"#);
        let found = increasing(&rule, &late);
        (found.failed, found.checked)
    };
    assert_eq!((among("success"), among("error")), ((0, 980), (1, 20)));
    let still = batches((0..10).map(|id| Order { time: 5, ..order(id) }));
    assert_eq!(increasing(r#""order_by": ["id"]"#, &still).failed, 0);
    assert_eq!(increasing(r#""order_by": ["id"], "strictly": true"#, &still).failed, 9);
}

#[test]
fn configurations_are_checked() {
    for (rules, path) in [
        (r#""ranges": [{"column": "id"}]"#, "/tables/0/ranges/0/min"),
        (r#""classes": [{"column": "id", "values": [1], "at_most": 2}]"#, "/tables/0/classes/0/at_most"),
        (r#""classes": [{"column": "id", "at_most": 0.5}]"#, "/tables/0/classes/0/values"),
        (r#""classes": [{"column": "id", "values": [1], "each": true}]"#, "/tables/0/classes/0/values"),
        (r#""standard_errors": -1"#, "/tables/0/standard_errors"),
        (r#""increasing": [{"column": "id", "order_by": ["id"], "groups": 1}]"#, "/tables/0/increasing/0/groups"),
        (r#""nulls": [{"at_most": 0.1}]"#, "/tables/0/nulls/0/column"),
        (r#""nulls": [{"colunm": "id"}]"#, "/tables/0/nulls/0/colunm"),
        (r#""nulls": [{"severity": "awful"}]"#, "/tables/0/nulls/0/severity"),
    ] {
        let config = format!(r#"{{"tables": [{{"table": "orders", {rules}}}]}}"#);
        let problems = telemill_sdk::session::ValidatorSession::<Rules>::check(&config);
        assert_eq!(problems.first().map(|problem| problem.path.as_str()), Some(path));
    }
    let example = include_str!("../examples/transactions.json");
    assert_eq!(telemill_sdk::session::ValidatorSession::<Rules>::check(example), []);
}

#[test]
fn no_table_is_a_good_table() {
    let none: &[Table] = &[];
    let report = native::judge::<Rules>("{}", none, Window::new(0, DAY), &[]).unwrap();
    assert!(report.findings.is_empty() && !report.failed());
}
