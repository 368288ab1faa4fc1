//! The incident model on the estate: what each kind does, seen in the rows.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use device_outages::DeviceOutages;
use pos_estate::PosEstate;
use telemill_sdk::native::{Run, incidents, plan, trigger};
use telemill_sdk::time::{DAY, HOUR, MINUTE, SECOND};
use telemill_sdk::{Batch, DataType, Effect, Incident, Operation, Role, Severity, Target, Window};

/// 2026-11-11T00:00:00Z, a Wednesday.
const WEDNESDAY: i64 = 1_794_355_200 * SECOND;
const SPAN: Window = Window::new(WEDNESDAY + 14 * HOUR, WEDNESDAY + 16 * HOUR);
/// When the incidents below are in full force: after their ramps, until they fade.
const FULL: Window = Window::new(SPAN.start + 33 * MINUTE, SPAN.start + 60 * MINUTE);
const SEED: u64 = 21;

fn targets() -> Vec<Target> {
    plan::<PosEstate>("{}").unwrap().targets
}

/// An incident of half an hour by hand, alone.
fn strike(kind: &str, target: &str) -> Vec<Incident> {
    let window = Window::new(SPAN.start + 30 * MINUTE, SPAN.start + 60 * MINUTE);
    trigger::<DeviceOutages>(r#"{"cascades": false}"#, SEED, SPAN, targets(), kind, target, window).unwrap()
}

/// Looks at every row of a table with its time.
fn each(incidents: &[Incident], table: &str, mut look: impl FnMut(&Batch, usize, i64)) {
    let run = Run::new("{}", SPAN).seed(SEED).incidents(incidents.to_vec()).windows(15 * MINUTE);
    run.each::<PosEstate>(|batch| {
        let declared = batch.declaration().unwrap();
        if declared.name == table {
            let time = declared.time_field.clone().unwrap();
            for row in 0..batch.rows() {
                look(&batch, row, batch.i64(&time, row).unwrap());
            }
        }
    })
    .unwrap();
}

/// Rows of a table in full force, by a column of text.
fn counts(incidents: &[Incident], table: &str, column: &str) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    each(incidents, table, |batch, row, t| {
        if FULL.contains(t) {
            *all.entry(batch.text(column, row).unwrap_or("").to_owned()).or_default() += 1;
        }
    });
    all
}

#[test]
fn a_terminal_that_is_offline_reports_nothing_and_is_missed() {
    let all = strike("terminal-offline", "pos-00009");
    let (before, after) = (counts(&[], "device_metrics", "device_id"), counts(&all, "device_metrics", "device_id"));
    assert_eq!(before.keys().filter(|device| !after.contains_key(*device)).collect::<Vec<_>>(), ["pos-00009"]);
    assert!(after.iter().all(|(device, rows)| before[device] == *rows), "nobody else is concerned");
    assert!(counts(&all, "error_logs", "category")["device_unreachable"] >= 4);
    each(&all, "api_request_logs", |batch, row, t| {
        if FULL.contains(t) && batch.text("source", row) == Some("agent") {
            assert_ne!(batch.text("device_id", row), Some("pos-00009"));
        }
    });
    let mut marked = 0;
    each(&all, "device_metrics", |batch, row, _| {
        if batch.text("incident_id", row) == Some(all[0].id.as_str()) {
            assert_eq!(batch.text("device_id", row), Some("pos-00009"));
            marked += 1;
        }
    });
    assert!(marked > 5, "readings around the outage blame it");
}

#[test]
fn a_site_without_a_network_is_cut_off_with_its_staff() {
    let all = strike("site-network-down", "site-004");
    let without = |table: &str| {
        let (before, after) = (counts(&[], table, "site_id"), counts(&all, table, "site_id"));
        (before["site-004"], after.get("site-004").copied().unwrap_or(0))
    };
    assert_eq!(without("device_metrics").1, 0);
    // Headquarters look at the site as ever.
    let (before, after) = without("user_activities");
    assert!(after * 2 < before, "{before} {after}");
    each(&all, "job_outcomes", |batch, row, t| {
        if FULL.contains(t) && batch.text("site_id", row) == Some("site-004") {
            assert_eq!(batch.text("failure_reason", row), Some("no_acknowledgement"));
            assert_eq!(batch.text("incident_id", row), Some(all[0].id.as_str()));
        }
    });
}

#[test]
fn a_failed_rollout_brings_errors_on_the_devices_that_got_it() {
    let all = strike("failed-rollout", "rollout-3");
    let mut groups = BTreeMap::new();
    for (index, target) in targets().iter().filter(|target| target.parents.len() == 2).enumerate() {
        groups.insert(target.name.clone(), (index, target.parents[1].clone()));
    }
    let (mut hit, mut others) = (0, 0);
    each(&all, "error_logs", |batch, row, t| {
        let device = batch.text("device_id", row).unwrap_or("");
        if FULL.contains(t) && batch.i64("request_id", row).is_none() {
            let got_it = groups.get(device).is_some_and(|(_, group)| group == "rollout-3");
            *(if got_it { &mut hit } else { &mut others }) += batch.i32("occurrences", row).unwrap();
        }
    });
    // Ten devices with 0.3 to 0.8 errors a minute each.
    assert!(hit > 50 && others < 40, "{hit} {others}");
    let (mut tried, mut failed, mut marked) = (0, 0, 0);
    each(&all, "job_outcomes", |batch, row, t| {
        let group = groups.get(batch.text("device_id", row).unwrap());
        if FULL.contains(t) && group.is_some_and(|(_, group)| group == "rollout-3") {
            tried += 1;
            failed += i32::from(batch.text("status", row) == Some("failed"));
            marked += i32::from(batch.text("incident_id", row).is_some());
        }
    });
    assert!(failed * 5 > tried && marked == tried, "{failed} of {tried} failed, {marked} marked");
}

#[test]
fn a_slow_api_is_slow_for_all_and_times_out_for_some() {
    let all = strike("slow-api", "api");
    let see = |incidents: &[Incident]| {
        let (mut latencies, mut timeouts, mut pages) = (Vec::new(), 0, Vec::new());
        each(incidents, "api_request_logs", |batch, row, t| {
            if FULL.contains(t) {
                latencies.push(batch.f64("latency_ms", row).unwrap());
                timeouts += i32::from(batch.i32("status", row) == Some(504));
                assert_eq!(batch.text("incident_id", row).is_some(), !incidents.is_empty());
            }
        });
        each(incidents, "user_activities", |batch, row, t| {
            if FULL.contains(t) {
                pages.push(batch.f64("load_time_ms", row).unwrap());
            }
        });
        latencies.sort_by(f64::total_cmp);
        (latencies[latencies.len() / 2], timeouts, pages.iter().sum::<f64>() / pages.len() as f64)
    };
    let ((before, few, page), (after, many, slow)) = (see(&[]), see(&all));
    eprintln!("median {before} -> {after} ms, timeouts {few} -> {many}, pages {page} -> {slow} ms");
    assert!((14.0..42.0).contains(&(after / before)) && many > 3 * few + 20 && slow > 8.0 * page);
}

#[test]
fn a_disk_fills_up_by_and_by() {
    let all = strike("disk-filling", "pos-00020");
    let mut disk = Vec::new();
    each(&all, "device_metrics", |batch, row, t| {
        if batch.text("device_id", row) == Some("pos-00020") {
            disk.push((t, batch.f64("disk_pct", row).unwrap(), batch.text("incident_id", row).is_some()));
        }
    });
    let at = |minutes: i64| disk.iter().find(|(t, ..)| *t >= SPAN.start + minutes * MINUTE).unwrap();
    let (before, half, full) = (at(29).1, at(42).1, at(57).1);
    assert!(before < 70.0 && half > before + 10.0 && half < 95.0 && full > 96.5, "{before} {half} {full}");
    assert!(!at(29).2 && at(42).2 && at(57).2, "readings blame it");
}

#[test]
fn every_signal_moves_its_column_from_every_level() {
    let simulation = plan::<PosEstate>("{}").unwrap();
    let span = Window::new(SPAN.start, SPAN.start + 30 * MINUTE);
    let bend = |target: &str, signal: &str| Incident {
        id: "T".into(),
        kind: "test".into(),
        role: Role::Incident,
        title: String::new(),
        severity: Severity::High,
        cause: None,
        window: span,
        recovered: span.end,
        effects: vec![Effect {
            target: target.into(),
            signal: signal.into(),
            operation: Operation::Scale,
            value: 6.0,
            start: span.start,
            full: span.start,
            release: span.end,
            end: span.end,
        }],
        attributes: Vec::new(),
    };
    let sums = |incidents: Vec<Incident>| {
        let mut sums: BTreeMap<(String, String), f64> = BTreeMap::new();
        let run = Run::new("{}", span).seed(3).incidents(incidents).windows(30 * MINUTE);
        run.each::<PosEstate>(|batch| {
            let declared = batch.declaration().unwrap();
            for (field, column) in declared.fields.iter().zip(batch.columns()) {
                if field.data_type != DataType::Utf8 {
                    let sum = sums.entry((declared.name.clone(), field.name.clone())).or_default();
                    column.each_number(field.data_type, batch.rows(), |_, x| *sum += x.unwrap_or(0.0));
                }
            }
        })
        .unwrap();
        sums
    };
    let base = sums(Vec::new());
    for target in ["estate", "api", "site-001", "rollout-1", "pos-00003"] {
        let declared = simulation.targets.iter().find(|known| known.name == target).unwrap();
        for name in &declared.signals {
            let signal = simulation.signals.iter().find(|signal| signal.name == *name).unwrap();
            // One terminal has hardly a job or an error in half an hour.
            if target == "pos-00003" && signal.table != "device_metrics" {
                continue;
            }
            let column = (signal.table.clone(), signal.column.clone());
            let bent = sums(vec![bend(target, name)])[&column];
            assert!(bent > base[&column], "{name} of {target}: {} -> {bent}", base[&column]);
        }
    }
}

#[test]
fn days_have_incidents_with_causes_and_failed_rollouts_follow_rollouts() {
    let month = Window::new(WEDNESDAY, WEDNESDAY + 60 * DAY);
    let all = incidents::<DeviceOutages>("{}", SEED, month, targets()).unwrap();
    let roots = all.iter().filter(|incident| incident.cause.is_none()).count();
    assert!((120..=240).contains(&roots), "{roots}");
    assert!(all.len() > roots + 10, "some bring about others");
    for incident in all.iter().filter(|incident| incident.cause.is_some()) {
        let cause = all.iter().find(|other| Some(&other.id) == incident.cause.as_ref()).unwrap();
        assert!(cause.window.start <= incident.window.start && incident.id.starts_with(&cause.id));
    }
    let rollouts: Vec<_> =
        all.iter().filter(|incident| incident.kind == "failed-rollout" && incident.cause.is_none()).collect();
    let on_time = rollouts.iter().filter(|incident| {
        let (day, since) = (incident.window.start.div_euclid(DAY), incident.window.start.rem_euclid(DAY));
        let group = format!("rollout-{}", day % 4 + 1);
        since == 5 * HOUR + 20 * MINUTE && incident.effects[0].target == group
    });
    assert!(rollouts.len() > 10 && on_time.count() * 10 > rollouts.len() * 7);
}
