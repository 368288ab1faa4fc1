//! What goes wrong when, on targets made by hand.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use fleet_outages::FleetOutages;
use telemill_sdk::native::{incidents, trigger};
use telemill_sdk::session::IncidentModelSession;
use telemill_sdk::time::{DAY, HOUR, MINUTE, SECOND};
use telemill_sdk::{Attribute, Incident, IncidentModel, Operation, Target, Window};

/// 2026-11-09T00:00:00Z, a Monday.
const MONDAY: i64 = 1_794_182_400 * SECOND;
const YEAR: Window = Window::new(MONDAY, MONDAY + 365 * DAY);

fn targets() -> Vec<Target> {
    let target = |name: &str, role: &str| Target {
        name: name.to_owned(),
        parents: Vec::new(),
        signals: vec!["availability".to_owned(), "faults".to_owned()],
        attributes: vec![Attribute::new("role", role)],
    };
    vec![
        target("fleet", "system"),
        target("SP", "state"),
        target("RJ", "state"),
        target("Bell", "supplier"),
        target("12345", "branch"),
        target("54321", "branch"),
        target("Windows 10.0", "os_version"),
    ]
}

fn planned(config: &str, span: Window) -> Vec<Incident> {
    incidents::<FleetOutages>(config, 42, span, targets()).unwrap()
}

#[test]
fn a_year_has_its_outages_of_all_kinds_on_the_right_targets() {
    let all = planned("{}", YEAR);
    let mut days: BTreeMap<i64, usize> = BTreeMap::new();
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let ids: BTreeSet<&str> = all.iter().map(|incident| incident.id.as_str()).collect();
    assert_eq!(ids.len(), all.len());
    for incident in &all {
        *days.entry(incident.window.start.div_euclid(DAY)).or_default() += 1;
        *kinds.entry(&incident.kind).or_default() += 1;
        let minutes = |micros: i64| micros as f64 / MINUTE as f64;
        assert!((59.9..=240.0).contains(&minutes(incident.window.micros())));
        assert!((4.9..=30.0).contains(&minutes(incident.recovered - incident.window.end)));
        let target = incident.attributes[0].value.as_str();
        let fits: &[&str] = match incident.kind.as_str() {
            "power-outage" => &["SP", "RJ"],
            "firmware-failure" => &["Bell"],
            "link-failure" => &["12345", "54321"],
            _ => &["Windows 10.0"],
        };
        assert!(fits.contains(&target), "{} on {target}", incident.kind);
        for effect in &incident.effects {
            assert_eq!(effect.target, target);
            assert!(effect.start <= effect.full && effect.full <= effect.release && effect.release <= effect.end);
            match effect.signal.as_str() {
                "availability" => {
                    let left = if incident.kind == "link-failure" { 0.0..=0.0 } else { 0.05..=0.2 };
                    assert!(effect.operation == Operation::Scale && left.contains(&effect.value));
                }
                _ => assert!(effect.operation == Operation::Offset && (0.3..=0.6).contains(&effect.value)),
            }
        }
        let breaks_machines = ["firmware-failure", "update-failure"].contains(&incident.kind.as_str());
        assert_eq!(incident.effects.len(), if breaks_machines { 2 } else { 1 });
    }
    assert_eq!(days.len(), 365);
    assert!(days.values().all(|count| (1..=3).contains(count)));
    for (kind, share) in
        [("power-outage", 0.25), ("firmware-failure", 0.2), ("link-failure", 0.4), ("update-failure", 0.15)]
    {
        let got = kinds[kind] as f64 / all.len() as f64;
        assert!((got - share).abs() < 0.06, "{kind}: {got}");
    }
}

#[test]
fn days_do_not_depend_on_the_span() {
    let all = planned("{}", YEAR);
    let span = Window::new(MONDAY + 30 * DAY + 5 * HOUR, MONDAY + 40 * DAY);
    let within: Vec<Incident> = all.into_iter().filter(|incident| span.contains(incident.window.start)).collect();
    assert!(within.len() > 9);
    assert_eq!(planned("{}", span), within);
    let other = incidents::<FleetOutages>("{}", 43, span, targets()).unwrap();
    assert_ne!(other, within, "another seed, other outages");
}

#[test]
fn rates_are_whole_numbers_or_means() {
    assert_eq!(planned(r#"{"outages_per_day": 2}"#, YEAR).len(), 730);
    let half = planned(r#"{"outages_per_day": 0.5}"#, YEAR).len();
    assert!((140..=225).contains(&half), "{half}");
    assert!(planned(r#"{"outages_per_day": 0}"#, YEAR).is_empty());
    for (config, path) in [
        (r#"{"outages_per_day": 2000}"#, "/outages_per_day"),
        (r#"{"reports_left": 120}"#, "/reports_left"),
        (r#"{"duration_minutes": 0}"#, "/duration_minutes"),
    ] {
        let problems = IncidentModelSession::<FleetOutages>::check(config);
        assert_eq!(problems.first().map(|problem| problem.path.as_str()), Some(path));
    }
}

#[test]
fn by_hand_a_kind_takes_its_targets_alone() {
    let window = Window::new(MONDAY + HOUR, MONDAY + 2 * HOUR);
    let hand = |kind: &str, target: &str| trigger::<FleetOutages>("{}", 1, YEAR, targets(), kind, target, window);
    for (kind, target) in FleetOutages::kinds().iter().zip(["SP", "Bell", "54321", "Windows 10.0"]) {
        let made = hand(&kind.name, target).unwrap();
        assert_eq!((made.len(), made[0].window), (1, window));
        assert_eq!(made, hand(&kind.name, target).unwrap());
    }
    let refused = |kind: &str, target: &str| hand(kind, target).unwrap_err().to_string();
    assert!(refused("flood", "SP").contains("kinds are power-outage, firmware-failure"));
    assert!(refused("power-outage", "Bell").contains("it fits such as SP, RJ"));
}
