//! The laws that every run relies on: what rows follow from, and how ids link.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use device_outages::DeviceOutages;
use pos_estate::PosEstate;
use telemill_sdk::native::{Run, plan, trigger};
use telemill_sdk::random::hash_u64;
use telemill_sdk::time::{HOUR, MINUTE, SECOND};
use telemill_sdk::{Batch, Incident, Window};

/// 2026-11-11T00:00:00Z, a Wednesday.
const DAY: i64 = 1_794_355_200 * SECOND;

fn span(from_minute: i64, minutes: i64) -> Window {
    Window::new(DAY + from_minute * MINUTE, DAY + (from_minute + minutes) * MINUTE)
}

/// The hashes of a run's rows, by table.
type Prints = BTreeMap<String, BTreeSet<u64>>;

fn prints(run: &Run) -> Prints {
    let mut all = Prints::new();
    run.each::<PosEstate>(|batch| {
        let declared = batch.declaration().unwrap().clone();
        let mut hashes = vec![0u64; batch.rows()];
        for (field, column) in declared.fields.iter().zip(batch.columns()) {
            column.each_hash(field.data_type, batch.rows(), |row, value| {
                hashes[row] = hash_u64(hashes[row], value.unwrap_or(1));
            });
        }
        let table = all.entry(declared.name.clone()).or_default();
        for hash in hashes {
            assert!(table.insert(hash), "a row of {} is there twice", declared.name);
        }
    })
    .unwrap();
    all
}

/// One of each kind, all at once.
fn troubled(span: Window) -> Vec<Incident> {
    let targets = plan::<PosEstate>("{}").unwrap().targets;
    let third = span.micros() / 3 / SECOND * SECOND;
    let window = Window::new(span.start + third + 2 * SECOND, span.end - third + 3 * SECOND);
    let kinds = [
        ("terminal-offline", "pos-00007"),
        ("site-network-down", "site-003"),
        ("failed-rollout", "rollout-2"),
        ("slow-api", "api"),
        ("disk-filling", "pos-00012"),
    ];
    let strike =
        |(kind, target)| trigger::<DeviceOutages>("{}", 5, span, targets.clone(), kind, target, window).unwrap();
    kinds.into_iter().flat_map(strike).collect()
}

#[test]
fn partitions_windows_and_segments_change_nothing() {
    // In the afternoon, and around a roll-out and the first deliveries.
    for span in [span(17 * 60, 24), span(4 * 60 + 50, 30), span(6 * 60 + 40, 25)] {
        let run = |seed: u64| Run::new("{}", span).seed(seed).incidents(troubled(span));
        let whole = prints(&run(7));
        assert!(whole.len() == 8 && whole["device_metrics"].len() > 10_000, "{:?}", whole.keys());
        assert_eq!(whole, prints(&run(7)), "same seed, same rows");
        assert_ne!(whole, prints(&run(8)), "another seed, other rows");
        for partitions in [3, 8] {
            assert!(whole == prints(&run(7).partitions(partitions)), "{partitions} partitions");
        }
        for window in [5 * SECOND, 35 * SECOND, HOUR] {
            assert!(whole == prints(&run(7).windows(window)), "windows of {window}");
        }
        assert!(whole == prints(&run(7).windows(15 * SECOND).segments(145 * SECOND).partitions(2)), "segments");
    }
}

#[test]
fn nothing_depends_on_the_spans_end_or_on_what_came_before() {
    let all = prints(&Run::new("{}", span(600, 90)).seed(3));
    for part in [span(600, 30), span(653, 37)] {
        let rows = prints(&Run::new("{}", part).seed(3));
        for (table, rows) in rows {
            assert!(!rows.is_empty() && rows.is_subset(&all[&table]), "{table} of {part:?}");
        }
    }
}

#[test]
fn the_same_holds_for_slow_readings_and_other_zones() {
    let config = r#"{"metrics_seconds": 300, "sites": 3, "terminals": 9, "time_zone": "America/New_York"}"#;
    let span = span(0, 180);
    let run = || Run::new(config, span).seed(2);
    let whole = prints(&run().windows(HOUR));
    assert_eq!(whole["device_metrics"].len(), 9 * 36);
    assert!(whole == prints(&run().windows(5 * MINUTE).partitions(3).segments(35 * MINUTE)));
}

/// The rows of a run, table by table.
struct Data(BTreeMap<String, Vec<Batch>>);

impl Data {
    fn of(run: &Run) -> Self {
        let mut all: BTreeMap<String, Vec<Batch>> = BTreeMap::new();
        run.each::<PosEstate>(|batch| all.entry(batch.declaration().unwrap().name.clone()).or_default().push(batch))
            .unwrap();
        Self(all)
    }

    fn rows<'a, T>(&'a self, table: &str, row: impl Fn(&'a Batch, usize) -> T + 'a) -> Vec<T> {
        self.0[table].iter().flat_map(|batch| (0..batch.rows()).map(|at| row(batch, at)).collect::<Vec<_>>()).collect()
    }
}

#[test]
fn ids_link() {
    let span = span(16 * 60, 120);
    let data = Data::of(&Run::new("{}", span).seed(11).partitions(3).incidents(troubled(span)));
    let set = |table: &str, column: &'static str| -> BTreeSet<String> {
        data.rows(table, |batch, row| match batch.text(column, row) {
            Some(text) => text.to_owned(),
            None => batch.i64(column, row).map_or(String::new(), |number| number.to_string()),
        })
        .into_iter()
        .filter(|id| !id.is_empty())
        .collect()
    };
    let (sites, devices) = (set("sites", "site_id"), set("devices", "device_id"));
    assert_eq!((sites.len(), devices.len()), (8, 40));
    for (table, column) in [
        ("device_metrics", "device_id"),
        ("api_request_logs", "device_id"),
        ("error_logs", "device_id"),
        ("user_activities", "device_id"),
        ("job_outcomes", "device_id"),
        ("config_history", "device_id"),
    ] {
        assert!(set(table, column).is_subset(&devices), "{table}");
        assert!(set(table, "site_id").is_subset(&sites), "{table}");
    }
    assert!(set("config_history", "job_id").is_subset(&set("job_outcomes", "job_id")));
    let failed: BTreeSet<i64> = data
        .rows("api_request_logs", |batch, row| {
            (batch.i32("status", row).unwrap(), batch.i64("request_id", row).unwrap())
        })
        .into_iter()
        .filter(|(status, _)| *status >= 400)
        .map(|(_, id)| id)
        .collect();
    let logged: Vec<i64> =
        data.rows("error_logs", |batch, row| batch.i64("request_id", row)).into_iter().flatten().collect();
    assert!(logged.len() > 100 && logged.len() == failed.len(), "{} {}", logged.len(), failed.len());
    assert!(logged.iter().all(|id| failed.contains(id)), "each failed call has one error");
    for (table, id) in [
        ("api_request_logs", "request_id"),
        ("error_logs", "error_id"),
        ("user_activities", "activity_id"),
        ("job_outcomes", "job_id"),
    ] {
        let ids = data.rows(table, |batch, row| batch.i64(id, row).unwrap());
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{table}.{id} is unique");
        assert!(ids.iter().all(|id| (0..1 << 53).contains(id)), "{table}.{id} fits any tool");
    }
    let users = set("user_activities", "user_id");
    assert!(users.len() > 20 && set("job_outcomes", "requested_by").len() > 5);
}

#[test]
fn every_job_that_changes_a_configuration_leaves_a_plausible_row_in_the_audit_trail() {
    // Over the roll-out and the end of a day, and of a week: 2026-11-11 is a Wednesday, the last day of a week of the tax tables.
    let span = span(4 * 60, 26 * 60);
    let data = Data::of(&Run::new(r#"{"metrics_seconds": 300}"#, span).seed(4).windows(HOUR).incidents(troubled(span)));
    let jobs: BTreeMap<i64, (String, String)> = data
        .rows("job_outcomes", |batch, row| {
            let text = |name: &str| batch.text(name, row).unwrap().to_owned();
            (batch.i64("job_id", row).unwrap(), (text("job_type"), text("status")))
        })
        .into_iter()
        .collect();
    let changing = [
        ("Update POS payment config", "payment.gateway_timeout_ms"),
        ("Update tax rates", "tax.table_version"),
        ("Update receipt template", "receipt.template"),
        ("Rotate API credentials", "api.key_generation"),
        ("Install software", "software.release"),
    ];
    let mut changes = data.rows("config_history", |batch, row| {
        let text = |name: &str| batch.text(name, row).unwrap().to_owned();
        let number = |name: &str| batch.i64(name, row).unwrap();
        (number("time"), number("job_id"), text("device_id"), text("config_key"), text("new_value"), text("status"))
    });
    changes.sort();
    let expected = jobs.values().filter(|(kind, _)| changing.iter().any(|(known, _)| known == kind)).count();
    assert!(changes.len() == expected && expected > 2_000, "{} {expected}", changes.len());
    let mut statuses: BTreeMap<&str, u32> = BTreeMap::new();
    let mut last: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (_, job, device, key, value, status) in &changes {
        let (kind, outcome) = &jobs[job];
        assert_eq!(outcome, status, "the audit trail tells how the job ended");
        assert!(changing.contains(&(kind.as_str(), key.as_str())), "{kind} changes {key}");
        *statuses.entry(status).or_default() += 1;
        values.entry(key).or_default().insert(value);
        let number = value.trim_start_matches(['v', 'r']).parse::<i64>();
        match key.as_str() {
            "payment.gateway_timeout_ms" => {
                assert!((1_000..=30_000).contains(&value.parse::<i64>().unwrap()), "{value}")
            }
            "receipt.template" => assert!(number.is_err() && value.is_ascii(), "{value}"),
            _ => {
                let number = number.unwrap();
                let before = last.insert((device.as_str(), key.as_str()), number).unwrap_or(0);
                assert!(number >= before, "{key} of {device} falls from {before} to {number}");
                assert!(key != "api.key_generation" || number > before, "a key's generation rises with each rotation");
            }
        }
    }
    assert!(statuses["succeeded"] > 5 * statuses["failed"] && statuses["failed"] > 30, "{statuses:?}");
    assert_eq!(values.len(), 5);
    assert!(values["tax.table_version"].len() == 2 && values["software.release"].len() == 2, "{values:?}");
    assert!(values["receipt.template"].len() == 6 && values["payment.gateway_timeout_ms"].len() == 6);
}

#[test]
fn sessions_begin_with_a_login_and_nothing_happens_outside_them() {
    let span = span(9 * 60, 180);
    let data = Data::of(&Run::new("{}", span).seed(4));
    // Id, time, action, page, think time.
    type Event = (i64, i64, String, String, i64);
    let mut sessions: BTreeMap<i64, Vec<Event>> = BTreeMap::new();
    let row = |batch: &Batch, row: usize| {
        let text = |name: &str| batch.text(name, row).unwrap().to_owned();
        let number = |name: &str| batch.i64(name, row).unwrap();
        let session = number("session_id");
        (session, (number("activity_id"), number("time"), text("action"), text("page"), number("think_time_ms")))
    };
    for (session, activity) in data.rows("user_activities", row) {
        assert_eq!(activity.0 >> 8, session);
        sessions.entry(session).or_default().push(activity);
    }
    let (mut complete, mut timed_out, mut searches) = (0, 0, 0);
    for events in sessions.values_mut() {
        events.sort();
        for pair in events.windows(2) {
            let [(a, from, action, ..), (b, to, next, page, think)] = pair else { continue };
            assert_eq!(b - a, 1, "nothing is left out");
            assert_eq!(to - from, think * 1_000);
            assert!((1_000_000..=15 * MINUTE).contains(&(to - from)));
            assert!(action != "logout" && next != "login");
            if action == "search" {
                assert_eq!((next.as_str(), page.as_str()), ("page_view", "search_results"));
                searches += 1;
            }
        }
        let (first, began, action, ..) = events.first().unwrap();
        let (_, last, end, ..) = events.last().unwrap();
        assert_eq!(first & 0xff == 0, action == "login", "a session begins with its login");
        if action == "login" && last + 20 * MINUTE < span.end {
            complete += 1;
            timed_out += i32::from(end != "logout");
            assert!(end != "search", "a search leads to a view");
            assert!(last - began <= HOUR);
        }
    }
    assert!(complete > 80 && searches > 100, "{complete} {searches}");
    assert!((0.15..0.45).contains(&(f64::from(timed_out) / f64::from(complete))), "{timed_out} of {complete}");
}

#[test]
fn jobs_go_through_their_states() {
    let span = span(9 * 60, 180);
    let data = Data::of(&Run::new("{}", span).seed(4).incidents(troubled(span)));
    let row = |batch: &Batch, row: usize| {
        let time = |name: &str| batch.i64(name, row);
        (
            [time("queued_at"), time("started_at"), time("acknowledged_at"), time("finished_at")],
            batch.text("status", row).unwrap().to_owned(),
            batch.text("failure_reason", row).unwrap_or("").to_owned(),
        )
    };
    let jobs = data.rows("job_outcomes", row);
    let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
    for (times, status, reason) in jobs {
        let known: Vec<i64> = times.into_iter().flatten().collect();
        assert!(known.windows(2).all(|pair| pair[0] <= pair[1]), "{known:?}");
        assert_eq!(status == "failed", !reason.is_empty());
        assert_eq!(times[2].is_none(), reason == "no_acknowledgement");
        *reasons.entry(reason).or_default() += 1;
    }
    assert!(reasons.len() == 4 && reasons[""] > 700, "{reasons:?}");
}
