//! Outages seen in the counts, in the blame, and by the monitor.

use device_fleet::DeviceFleet;
use fleet_outages::FleetOutages;
use online_monitor::OnlineMonitor;
use telemill_sdk::native::{judge, plan, trigger};
use telemill_sdk::time::{HOUR, MINUTE};
use telemill_sdk::{Batch, Incident, Report, Severity, Window};

use super::{DEVICES, MONDAY, SEGMENTS, run};

/// The last snapshot of this span is taken at 17:45 UTC.
const SPAN: Window = Window::new(MONDAY + 14 * HOUR, MONDAY + 18 * HOUR);

fn by_hand(kind: &str, target: &str, window: Window) -> Vec<Incident> {
    let targets = plan::<DeviceFleet>("{}").unwrap().targets;
    trigger::<FleetOutages>(r#"{"reports_left": 0}"#, 7, SPAN, targets, kind, target, window).unwrap()
}

fn rows(incidents: &[Incident]) -> Vec<Batch> {
    run("{}", SPAN).seed(7).incidents(incidents.to_vec()).rows::<DeviceFleet>().unwrap()
}

/// Machines online at the last snapshot where a dimension of one has a value, and who is blamed for it.
fn last(batches: &[Batch], segment: &str, value: &str) -> (i64, Option<String>) {
    let at = SPAN.end - 15 * MINUTE;
    for batch in batches.iter().filter(|batch| batch.table() == SEGMENTS) {
        for row in 0..batch.rows() {
            if batch.i64("ts", row) == Some(at)
                && batch.text("segment", row) == Some(segment)
                && batch.text("dim1_value", row) == Some(value)
            {
                return (batch.i64("count", row).unwrap(), batch.text("incident_id", row).map(str::to_owned));
            }
        }
    }
    (0, None)
}

fn monitor(batches: &[Batch], config: &str) -> Report {
    let tables = plan::<DeviceFleet>("{}").unwrap().tables;
    judge::<OnlineMonitor>(config, &tables, SPAN, batches).unwrap()
}

#[test]
fn every_kind_takes_its_machines_and_no_others() {
    let normal = rows(&[]);
    let branch =
        plan::<DeviceFleet>("{}").unwrap().targets.into_iter().find(|t| t.name.len() == 5 && t.parents == ["SP"]);
    let branch = branch.unwrap().name;
    for (kind, target, segment, value, other) in [
        ("power-outage", "MG", "State", "MG", "SP"),
        ("firmware-failure", "Bell", "Supplier", "Bell", "Cedro"),
        ("link-failure", branch.as_str(), "Branch", branch.as_str(), "12345"),
        ("update-failure", "Windows 11.0", "OS_version", "11.0", "10.0"),
    ] {
        let incidents = by_hand(kind, target, Window::new(SPAN.end - 150 * MINUTE, SPAN.end));
        let troubled = rows(&incidents);
        let ((before, _), (after, blame)) = (last(&normal, segment, value), last(&troubled, segment, value));
        assert!(before > 0 && (after as f64) < 0.1 * before as f64, "{kind}: {before} to {after}");
        // A group without a machine online has no row, and so nobody to blame.
        assert!(after == 0 || blame.as_deref() == Some(incidents[0].id.as_str()), "{kind}: {blame:?}");
        assert_eq!(last(&normal, segment, other), last(&troubled, segment, other), "{kind} spares others");
        let (_, blame) = last(&troubled, "Type", "PC");
        assert!(blame.is_some() || kind == "link-failure", "{kind}");
    }
}

#[test]
fn faults_that_an_outage_brings_are_seen_in_the_inventory_and_by_error() {
    let all = by_hand("update-failure", "Windows 10.0", Window::new(SPAN.start - 2 * HOUR, SPAN.end));
    let (normal, troubled) = (rows(&[]), rows(&all));
    let in_trouble = |batches: &[Batch]| {
        let mut seen = (0, 0);
        for batch in batches.iter().filter(|batch| batch.table() == DEVICES) {
            for row in 0..batch.rows() {
                let faulty = batch.bool("has_error", row).unwrap();
                seen.0 += usize::from(faulty);
                let blamed = batch.text("incident_id", row).is_some();
                assert!(!blamed || batch.text("os_version", row) == Some("10.0"));
                seen.1 += usize::from(faulty && blamed);
            }
        }
        seen
    };
    let ((before, nobody), (after, blamed)) = (in_trouble(&normal), in_trouble(&troubled));
    // Of those that were in trouble anyway, some were last heard of at another time.
    assert!(
        after > before + 200 && nobody == 0 && (after - before..after).contains(&blamed),
        "{before} {after} {blamed}"
    );
}

#[test]
fn an_outage_within_the_latest_snapshots_is_an_alert() {
    let clean = monitor(&rows(&[]), "{}");
    assert!(!clean.failed(), "{:?}", clean.findings);
    // Machines go offline an hour after their last report: what began 65 minutes ago is seen now.
    let began = SPAN.end - 15 * MINUTE - 65 * MINUTE;
    let troubled = rows(&by_hand("power-outage", "SP", Window::new(began, SPAN.end)));
    let report = monitor(&troubled, "{}");
    let alert = report.findings.iter().find(|finding| finding.rule == "online-drop").unwrap();
    assert!(report.failed() && alert.severity == Severity::High && alert.failed == 1, "{alert:?}");
    eprintln!("{}", alert.message);
    for part in ["2026-11-09 17:45:00", "of 4000 machines", "4 snapshots before", "(threshold 15.00 %)"] {
        assert!(alert.message.contains(part), "{} lacks {part}", alert.message);
    }
    let number = |name: &str| report.metrics.iter().find(|metric| metric.name == name).unwrap();
    assert!((0.15..0.25).contains(&number("drop").value), "{}", number("drop").value);
    assert_eq!(number("drop").at, Some(SPAN.end - 15 * MINUTE));
    let expected = 1.0 - number("online_share").value / number("baseline_share").value;
    assert!((number("drop").value - expected).abs() < 1e-12);
    // The same outage three hours ago is history to the latest snapshot, and an alert where all are judged.
    let earlier = rows(&by_hand("power-outage", "SP", Window::new(began - 2 * HOUR, began - 50 * MINUTE)));
    assert!(!monitor(&earlier, "{}").failed());
    assert!(monitor(&earlier, r#"{"scope": "every"}"#).failed());
    assert!(!monitor(&rows(&[]), r#"{"scope": "every"}"#).failed());
}
