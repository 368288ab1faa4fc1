//! Days, kinds and triggers on a small system.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use telemill_sdk::native::{incidents, trigger};
use telemill_sdk::session::IncidentModelSession;
use telemill_sdk::time::{DAY, MINUTE};
use telemill_sdk::{Attribute, Incident, IncidentModel, Role, Target, Window};

use crate::LinkDegradation;

const SPAN: Window = Window::new(20_000 * DAY, 20_060 * DAY);

fn target(name: &str, role: &str, signals: &[&str]) -> Target {
    Target {
        name: name.to_owned(),
        parents: Vec::new(),
        signals: signals.iter().map(|&signal| signal.to_owned()).collect(),
        attributes: vec![Attribute::new("role", role)],
    }
}

fn system() -> Vec<Target> {
    let links = ["latency", "packet_loss", "bandwidth"];
    vec![
        target("north", "region", &["latency", "packet_loss", "bandwidth", "cpu"]),
        target("north-a", "zone", &["latency", "packet_loss", "bandwidth", "cpu"]),
        target("wan", "link-type", &links),
        target("north-a/wan", "link", &links),
        target("north-a/rack-1", "nodes", &["cpu"]),
        target("elsewhere", "shop", &["demand"]),
    ]
}

fn planned(config: &str, span: Window) -> Vec<Incident> {
    incidents::<LinkDegradation>(config, 7, span, system()).unwrap()
}

fn struck(incident: &Incident) -> &str {
    &incident.effects[0].target
}

#[test]
fn days_have_their_numbers_and_every_kind_strikes_where_it_belongs() {
    let all = planned("{}", SPAN);
    let (decoys, serious): (Vec<&Incident>, Vec<&Incident>) = all.iter().partition(|i| i.role == Role::Decoy);
    for day in 20_000..20_060 {
        let n = serious.iter().filter(|incident| incident.window.start.div_euclid(DAY) == day).count();
        assert!((1..=2).contains(&n), "day {day}: {n}");
    }
    assert!((15..=45).contains(&decoys.len()), "{}", decoys.len());
    assert!(decoys.iter().all(|decoy| decoy.kind == "backup" && struck(decoy) == "north-a"));
    let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for incident in &serious {
        kinds.entry(&incident.kind).or_default().push(struck(incident));
        let minutes = incident.window.micros() as f64 / MINUTE as f64;
        let recovery = (incident.recovered - incident.window.end) as f64 / MINUTE as f64;
        assert!((19.9..=120.0).contains(&minutes) && (4.9..=20.0).contains(&recovery), "{minutes} {recovery}");
        assert_eq!(Incident::span_of(&incident.effects), Some((incident.window, incident.recovered)));
    }
    assert_eq!(kinds.len(), 4, "{kinds:?}");
    for (kind, targets) in kinds {
        let fits = |target: &&str| match kind {
            "cpu-starvation" => ["north-a", "north-a/rack-1"].contains(target),
            _ => ["north", "north-a", "wan"].contains(target),
        };
        assert!(targets.iter().all(fits) && targets.len() > 5, "{kind}: {targets:?}");
    }
    let mut ids: Vec<&str> = all.iter().map(|incident| incident.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all.len());
}

#[test]
fn a_day_depends_on_nothing_but_seed_and_date() {
    let all = planned("{}", SPAN);
    let short = planned("{}", Window::new(SPAN.start, SPAN.start + 5 * DAY));
    assert_eq!(short[..], all[..short.len()]);
    assert_ne!(all, incidents::<LinkDegradation>("{}", 8, SPAN, system()).unwrap());
    assert_eq!(planned(r#"{"incidents_per_day": 2, "decoys_per_day": 0}"#, SPAN).len(), 120);
    let rare = planned(r#"{"incidents_per_day": 0.3, "decoys_per_day": 0}"#, SPAN).len();
    assert!((8..=30).contains(&rare), "{rare}");
    let nothing = incidents::<LinkDegradation>("{}", 7, SPAN, vec![target("x", "shop", &["demand"])]).unwrap();
    assert!(nothing.is_empty());
}

#[test]
fn every_kind_can_be_had_by_hand() {
    let window = Window::new(SPAN.start, SPAN.start + 30 * MINUTE);
    let hand =
        |kind: &str, target: &str, window| trigger::<LinkDegradation>("{}", 7, SPAN, system(), kind, target, window);
    for kind in LinkDegradation::kinds() {
        let incident = hand(&kind.name, "north-a", window).unwrap().remove(0);
        assert_eq!((incident.kind.as_str(), incident.window), (kind.name.as_str(), window));
        assert!(incident.effects.iter().all(|effect| effect.value.is_finite() && effect.full > effect.start));
    }
    assert_eq!(hand("packet-loss", "north-a/wan", window).unwrap().len(), 1);
    let wrong = |kind: &str, target: &str| hand(kind, target, window).unwrap_err().to_string();
    assert!(wrong("earthquake", "north").contains("kinds are latency-rise"));
    assert!(wrong("cpu-starvation", "wan").contains("north-a/rack-1"));
    assert!(wrong("packet-loss", "elsewhere").contains("no target"));
    assert!(hand("packet-loss", "wan", Window::new(0, 1)).unwrap_err().to_string().contains("second"));
}

#[test]
fn configurations_are_checked() {
    let check = |json: &str| IncidentModelSession::<LinkDegradation>::check(json);
    assert_eq!(check("{}"), []);
    for (json, path) in [
        (r#"{"incidents_per_day": 50}"#, "/incidents_per_day"),
        (r#"{"duration_minutes": "0-10"}"#, "/duration_minutes"),
        (r#"{"incidents": 1}"#, "/incidents"),
    ] {
        assert_eq!(check(json).first().map(|problem| problem.path.as_str()), Some(path), "{json}");
    }
}
