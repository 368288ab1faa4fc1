//! The laws of the model: days follow from seed and date, whatever the span; kinds can be triggered; targets are told by their roles.

#![expect(clippy::unwrap_used, reason = "tests")]

use device_outages::DeviceOutages;
use telemill_sdk::native::{incidents, trigger};
use telemill_sdk::time::{DAY, HOUR, MINUTE};
use telemill_sdk::{Attribute, Error, Incident, IncidentModel, Target, Window};

const SPAN: Window = Window::new(20_000 * DAY, 20_030 * DAY);

fn target(name: &str, role: &str, parents: &[&str], signals: &[&str]) -> Target {
    Target {
        name: name.into(),
        parents: parents.iter().map(|&parent| parent.into()).collect(),
        signals: signals.iter().map(|&signal| signal.into()).collect(),
        attributes: vec![Attribute::new("role", role)],
    }
}

fn targets() -> Vec<Target> {
    let all = ["packet_loss", "cpu", "disk", "device_errors", "job_failures"];
    let mut targets = vec![
        target("gateway", "service", &[], &["api_latency"]),
        target("shop", "site", &[], &["packet_loss"]),
        target("ring", "rollout-group", &[], &all),
    ];
    targets.extend((0..6).map(|i| target(&format!("till-{i}"), "terminal", &["shop", "ring"], &all)));
    targets
}

fn planned(config: &str, seed: u64, span: Window) -> Vec<Incident> {
    incidents::<DeviceOutages>(config, seed, span, targets()).unwrap()
}

fn by_hand(config: &str, kind: &str, target: &str) -> Result<Vec<Incident>, Error> {
    let window = Window::new(SPAN.start + HOUR, SPAN.start + HOUR + 20 * MINUTE);
    trigger::<DeviceOutages>(config, 3, SPAN, targets(), kind, target, window)
}

#[test]
fn a_day_follows_from_seed_and_date() {
    let all = planned("{}", 1, SPAN);
    assert_eq!(all, planned("{}", 1, SPAN));
    assert_ne!(all, planned("{}", 2, SPAN));
    // A run that begins later has the same incidents, but for what an earlier one brings about.
    let later = Window::new(SPAN.start + 10 * DAY, SPAN.end);
    let late = planned("{}", 1, later);
    let expected = all.iter().filter(|incident| incident.window.start >= later.start);
    let roots = |incident: &&Incident| incident.cause.is_none();
    assert!(expected.filter(roots).eq(late.iter().filter(roots)) && !late.is_empty());
    assert!(late.iter().all(|incident| incident.cause.iter().all(|id| late.iter().any(|other| other.id == *id))));
}

#[test]
fn numbers_and_times_are_those_of_the_configuration() {
    let all = planned(r#"{"incidents_per_day": 3, "duration_minutes": 12, "cascades": false}"#, 5, SPAN);
    assert_eq!(all.len(), 90);
    let minutes = |incident: &Incident| (incident.window.end - incident.window.start) / MINUTE;
    let lasts = |incident: &Incident| if incident.kind == "disk-filling" { 48 } else { 12 };
    assert!(all.iter().all(|incident| minutes(incident) == lasts(incident)));
    let kinds = DeviceOutages::kinds();
    for kind in &kinds {
        let share = all.iter().filter(|incident| incident.kind == kind.name).count();
        assert!((3..60).contains(&share), "{}: {share}", kind.name);
    }
    assert!(planned(r#"{"incidents_per_day": 0}"#, 5, SPAN).is_empty());
}

#[test]
fn kinds_strike_their_roles_alone() {
    for (kind, fits, does_not) in [
        ("terminal-offline", "till-3", "shop"),
        ("site-network-down", "shop", "till-3"),
        ("failed-rollout", "ring", "gateway"),
        ("slow-api", "gateway", "ring"),
        ("disk-filling", "till-0", "gateway"),
    ] {
        let all = by_hand("{}", kind, fits).unwrap();
        assert_eq!((all[0].kind.as_str(), all[0].effects[0].target.as_str()), (kind, fits));
        assert!(
            by_hand("{}", kind, does_not).unwrap_err().to_string().contains(fits.trim_end_matches(char::is_numeric))
        );
    }
    assert!(by_hand("{}", "flood", "shop").unwrap_err().to_string().contains("slow-api"));
    // The gateway has no signal for errors, so that effect is left out.
    let slow = by_hand("{}", "slow-api", "gateway").unwrap();
    assert_eq!(slow[0].effects.iter().map(|effect| effect.signal.as_str()).collect::<Vec<_>>(), ["api_latency"]);
}

#[test]
fn trouble_brings_about_trouble_below_it() {
    let all = planned(r#"{"incidents_per_day": 12}"#, 9, SPAN);
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for incident in &all {
        let Some(cause) = &incident.cause else { continue };
        let cause = all.iter().find(|other| other.id == *cause).unwrap();
        assert!(cause.window.start <= incident.window.start);
        assert!(incident.effects[0].target.starts_with("till-"));
        pairs.push((cause.kind.as_str(), incident.kind.as_str()));
    }
    pairs.sort_unstable();
    pairs.dedup();
    assert_eq!(
        pairs,
        [
            ("disk-filling", "terminal-offline"),
            ("failed-rollout", "disk-filling"),
            ("site-network-down", "terminal-offline")
        ]
    );
    assert!(planned(r#"{"cascades": false}"#, 9, SPAN).iter().all(|incident| incident.cause.is_none()));
}
