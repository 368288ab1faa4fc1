//! Alerts over a real database.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::core::report::{Finding, Report};
use crate::store::{AlertState, DATABASE_FILE};

fn alerts() -> (tempfile::TempDir, tokio::runtime::Runtime, Alerts) {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(Store::open(&folder.path().join(DATABASE_FILE))).unwrap();
    let alerts = Alerts::new(store, runtime.handle().clone());
    (folder, runtime, alerts)
}

fn judgement(plugin: &str, broken: &[&str]) -> Judgement {
    let finding = |rule: &&str| Finding {
        rule: (*rule).to_owned(),
        severity: Severity::High,
        table: None,
        column: None,
        message: format!("{rule} is\nbroken"),
        failed: 1,
        checked: 2,
        samples: Vec::new(),
    };
    let metric = |value| Metric { name: "drop".to_owned(), value, unit: None, at: Some(Timestamp(7)) };
    let report =
        Report { findings: broken.iter().map(finding).collect(), metrics: (0..9).map(f64::from).map(metric).collect() };
    Judgement { plugin: plugin.to_owned(), version: "1".to_owned(), passed: broken.is_empty(), report }
}

fn listed(alerts: &Alerts) -> Vec<(String, AlertState, u64)> {
    let all = alerts.runtime.block_on(alerts.store.alerts(None, 100, None)).unwrap();
    all.into_iter().rev().map(|alert| (alert.rule, alert.state, alert.times)).collect()
}

fn told(alerts: &Alerts) -> Vec<(String, String)> {
    let events = alerts.runtime.block_on(alerts.store.alert_events(0, 100)).unwrap();
    events.into_iter().map(|event| (event.kind, event.alert.rule)).collect()
}

#[test]
fn a_rule_raises_once_and_resolves_itself_when_it_holds_again() {
    let (_folder, _runtime, alerts) = alerts();
    let news = alerts.subscribe();
    let judge = |source, judgements: &[Judgement], at| alerts.judged(source, "d", judgements, Timestamp(at)).unwrap();
    judge("s", &[judgement("v", &["a", "b"])], 1);
    judge("s", &[judgement("v", &["a", "b"])], 2);
    // Another source judges other rows: it neither counts nor resolves.
    judge("t", &[judgement("v", &[])], 3);
    // One validator, twice in a scenario: the second passes, and the first does not.
    judge("s", &[judgement("v", &["b"]), judgement("v", &[])], 4);
    let (open, resolved) = (AlertState::Open, AlertState::Resolved);
    assert_eq!(listed(&alerts), [("a".into(), resolved, 2), ("b".into(), open, 3)]);
    judge("s", &[judgement("v", &["a"])], 5);
    assert_eq!(listed(&alerts), [("a".into(), resolved, 2), ("b".into(), resolved, 3), ("a".into(), open, 1)]);
    let told: Vec<_> = told(&alerts).into_iter().map(|(kind, rule)| format!("{kind} {rule}")).collect();
    assert_eq!(told, ["raised a", "raised b", "resolved a", "raised a", "resolved b"]);
    assert!(news.has_changed().unwrap());
}

#[test]
fn an_acknowledged_alert_is_counted_on_and_resolved() {
    let (_folder, _runtime, alerts) = alerts();
    alerts.pipeline_ended("p", Some("no disk"), Timestamp(1)).unwrap();
    let alert = alerts.acknowledge(1, Some("ada"), Some("I look"), Timestamp(2)).unwrap();
    assert_eq!((alert.state, alert.note.as_deref()), (AlertState::Acknowledged, Some("I look")));
    assert!(matches!(alerts.acknowledge(1, None, None, Timestamp(3)), Err(AlertError::NotOpen(1))));
    alerts.pipeline_ended("p", Some("no disk still"), Timestamp(4)).unwrap();
    assert_eq!(listed(&alerts), [("succeeds".into(), AlertState::Acknowledged, 2)]);
    alerts.pipeline_ended("p", None, Timestamp(5)).unwrap();
    assert_eq!(listed(&alerts), [("succeeds".into(), AlertState::Resolved, 2)]);
}

#[test]
fn the_log_file_has_a_line_an_event_and_a_channel_goes_on_where_it_was() {
    let (folder, _runtime, alerts) = alerts();
    let path = folder.path().join("logs/alerts.log");
    alerts.judged("s", "d", &[judgement("v", &["before"])], Timestamp(0)).unwrap();
    let settings = Settings { log_file: Some(path.clone()), ..Settings::default() };
    Notifier::new(alerts.clone(), &settings).unwrap();
    alerts.judged("s", "d", &[judgement("v", &["before", "drop"])], Timestamp(1_000_000)).unwrap();
    for _ in 0..2 {
        Notifier::new(alerts.clone(), &settings).unwrap().pass(Timestamp(2_000_000));
    }
    let line = "1970-01-01T00:00:01Z ALERT high v d drop: drop is broken drop=8.0000\n";
    assert_eq!(std::fs::read_to_string(&path).unwrap(), line);
}

#[test]
fn what_fails_is_tried_again_later_and_given_up_in_the_end() {
    let (folder, _runtime, alerts) = alerts();
    // A folder stands where the file should be.
    let path = folder.path().join("alerts.log");
    std::fs::create_dir(&path).unwrap();
    let settings = Settings { log_file: Some(path.clone()), ..Settings::default() };
    let notifier = Notifier::new(alerts.clone(), &settings).unwrap();
    alerts.pipeline_ended("p", Some("x"), Timestamp(1)).unwrap();
    let position = || {
        alerts.runtime.block_on(async {
            let mut tx = alerts.store.write().await.unwrap();
            tx.alert_channel("log_file").await.unwrap()
        })
    };
    notifier.pass(Timestamp(0));
    notifier.pass(Timestamp(999_999));
    assert_eq!(position().failures, 1, "the second comes too early");
    notifier.pass(Timestamp(1_000_000));
    assert_eq!(position().failures, 2);
    let mut at = 10_000_000;
    while position().position == 0 {
        notifier.pass(Timestamp(at));
        at += 1_000_000_000;
        assert!(at < 100_000_000_000, "it is never given up");
    }
    std::fs::remove_dir(&path).unwrap();
    alerts.pipeline_ended("p", None, Timestamp(2)).unwrap();
    notifier.pass(Timestamp(at));
    assert!(std::fs::read_to_string(&path).unwrap().contains("RESOLVED"));
}

#[test]
fn a_webhook_in_this_network_needs_permission() {
    let (_folder, _runtime, alerts) = alerts();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let webhook = Some(format!("http://{}/hook", listener.local_addr().unwrap()));
    let settings = Settings { webhook, ..Settings::default() };
    let notifier = Notifier::new(alerts.clone(), &settings).unwrap();
    alerts.pipeline_ended("p", Some("x"), Timestamp(1)).unwrap();
    notifier.pass(Timestamp(2));
    assert!(listener.accept().is_err(), "somebody called");
    let bad = Settings { webhook: Some("ftp://x".to_owned()), ..Settings::default() };
    assert!(Notifier::new(alerts.clone(), &bad).is_err_and(|error| error.to_string().contains("alert.webhook")));
    let bad = Settings { mail_to: Some("ada@example.org".to_owned()), ..Settings::default() };
    assert!(Notifier::new(alerts, &bad).is_err_and(|error| error.to_string().contains("alert.mail_from")));
}
