//! Laws of overlapping effects.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::{Effect, Operation, Severity, Signal, Target};

const LATENCY: usize = 0;
const ERRORS: usize = 1;
const SHOP: usize = 0;
const CHECKOUT: usize = 1;
const CARD: usize = 2;

/// shop > checkout > card, where the cart has errors alone.
fn simulation() -> Simulation {
    let signal = |name: &str| Signal {
        name: name.to_owned(),
        unit: None,
        summary: String::new(),
        table: "t".to_owned(),
        column: "c".to_owned(),
        inverse: false,
    };
    let target = |name: &str, parents: &[&str], signals: &[&str]| Target {
        name: name.to_owned(),
        parents: parents.iter().map(|p| (*p).to_owned()).collect(),
        signals: signals.iter().map(|s| (*s).to_owned()).collect(),
        attributes: Vec::new(),
    };
    Simulation {
        tables: Vec::new(),
        signals: vec![signal("latency"), signal("errors")],
        targets: vec![
            target("shop", &[], &["latency", "errors"]),
            target("checkout", &["shop"], &["latency", "errors"]),
            target("card", &["checkout"], &["errors"]),
        ],
        inputs: Vec::new(),
        step_micros: 1,
        attributes: Vec::new(),
    }
}

fn effect(target: &str, signal: &str, operation: Operation, value: f64, times: [i64; 4]) -> Effect {
    let [start, full, release, end] = times;
    Effect { target: target.to_owned(), signal: signal.to_owned(), operation, value, start, full, release, end }
}

fn incident(id: &str, role: Role, effects: Vec<Effect>) -> Incident {
    let (window, recovered) = Incident::span_of(&effects).unwrap();
    Incident {
        id: id.to_owned(),
        kind: "k".to_owned(),
        role,
        title: String::new(),
        severity: Severity::High,
        cause: None,
        window,
        recovered,
        effects,
        attributes: Vec::new(),
    }
}

fn effects(incidents: Vec<Incident>) -> Effects {
    let mut effects = Effects::new(&simulation());
    effects.inject(incidents).unwrap();
    effects.prepare(Window::new(-1000, 1000));
    effects
}

const TIMES: [i64; 4] = [0, 10, 20, 40];

#[test]
fn an_effect_ramps_in_and_out() {
    let effects =
        effects(vec![incident("a", Role::Incident, vec![effect("shop", "latency", Operation::Scale, 3.0, TIMES)])]);
    let at = |t| effects.at(SHOP, LATENCY, t).apply(100.0);
    assert_eq!([at(-1), at(0), at(5), at(10), at(19)], [100.0, 100.0, 200.0, 300.0, 300.0]);
    assert_eq!([at(20), at(30), at(40)], [300.0, 200.0, 100.0]);
    assert!(effects.at(SHOP, ERRORS, 15).is_neutral());
}

#[test]
fn a_parent_passes_its_effects_on_and_a_child_does_not() {
    let effects = effects(vec![
        incident("a", Role::Incident, vec![effect("shop", "errors", Operation::Offset, 0.5, TIMES)]),
        incident("b", Role::Incident, vec![effect("checkout", "latency", Operation::Scale, 2.0, TIMES)]),
    ]);
    assert_eq!(effects.at(CARD, ERRORS, 15).apply(0.0), 0.5);
    assert_eq!(effects.at(CHECKOUT, LATENCY, 15).apply(1.0), 2.0);
    assert_eq!(effects.at(SHOP, LATENCY, 15).apply(1.0), 1.0);
    // The card has no latency to bend.
    assert_eq!(effects.at(CARD, LATENCY, 15).apply(1.0), 1.0);
}

#[test]
fn the_set_that_starts_latest_wins_and_ramps_from_what_was_there() {
    let effects = effects(vec![incident(
        "a",
        Role::Incident,
        vec![
            effect("shop", "latency", Operation::Set, 1000.0, [6, 12, 30, 30]),
            effect("shop", "latency", Operation::Set, 5.0, [0, 0, 30, 30]),
            effect("shop", "latency", Operation::Scale, 2.0, [0, 0, 40, 40]),
        ],
    )]);
    let at = |t| effects.at(SHOP, LATENCY, t).apply(100.0);
    assert_eq!([at(3), at(9), at(12), at(35)], [5.0, 502.5, 1000.0, 200.0]);
}

#[test]
fn the_greatest_change_is_to_blame_and_decoys_never() {
    let effects = effects(vec![
        incident("b", Role::Incident, vec![effect("shop", "latency", Operation::Scale, 2.0, TIMES)]),
        incident("a", Role::Incident, vec![effect("shop", "latency", Operation::Offset, 100.0, TIMES)]),
        incident("c", Role::Decoy, vec![effect("shop", "latency", Operation::Scale, 50.0, TIMES)]),
    ]);
    let blame = |base: f64| effects.at(SHOP, LATENCY, 15).blame(base).unwrap();
    assert_eq!(blame(1000.0).id, "b");
    assert_eq!(blame(10.0).id, "a");
    // Both double it: the smaller id.
    assert_eq!((blame(100.0).id, blame(100.0).change), ("a", 1.0));
    assert_eq!(effects.at(SHOP, LATENCY, 15).apply(100.0), 10_100.0);
    assert_eq!(effects.at(SHOP, LATENCY, 50).blame(100.0), None);
}

#[test]
fn phases_follow_the_effects() {
    let effects = effects(vec![
        incident("fades", Role::Incident, vec![effect("shop", "latency", Operation::Scale, 2.0, TIMES)]),
        incident("on", Role::Incident, vec![effect("checkout", "errors", Operation::Offset, 0.1, [30, 31, 35, 38])]),
        incident("decoy", Role::Decoy, vec![effect("shop", "errors", Operation::Offset, 0.1, [0, 1, 90, 99])]),
    ]);
    assert_eq!(effects.phase(SHOP, -1), Phase::Normal);
    assert_eq!(effects.phase(SHOP, 0), Phase::Incident(0));
    assert_eq!(effects.phase(SHOP, 32), Phase::Recovery(0));
    assert_eq!(effects.phase(CHECKOUT, 32), Phase::Incident(1));
    assert_eq!(effects.phase(CHECKOUT, 36), Phase::Recovery(0));
    assert_eq!(effects.phase(SHOP, 50), Phase::Normal);
    assert!(effects.any_on(SHOP, Window::new(50, 51)) && !effects.any_on(CARD, Window::new(-9, 0)));
    assert!(!effects.any(Window::new(99, 120)));
}

#[test]
fn effects_out_of_order_are_refused() {
    let mut effects = Effects::new(&simulation());
    let wrong = incident("a", Role::Incident, vec![effect("shop", "latency", Operation::Scale, 2.0, [0, 10, 5, 20])]);
    assert!(matches!(effects.inject(vec![wrong]), Err(Error::Failed(message)) if message.contains("\"a\"")));
}

fn any_effect() -> impl Strategy<Value = Effect> {
    let operation = prop_oneof![Just(Operation::Scale), Just(Operation::Offset), Just(Operation::Set)];
    (prop_oneof![Just("shop"), Just("checkout")], operation, 0.1..5.0f64, prop::array::uniform4(0i64..100)).prop_map(
        |(target, operation, value, mut times)| {
            times.sort_unstable();
            effect(target, "latency", operation, value, times)
        },
    )
}

proptest! {
    /// Neither the order in which incidents become known nor the window that is prepared changes a value or the blame.
    #[test]
    fn order_and_windows_change_nothing(
        lists in prop::collection::vec(prop::collection::vec(any_effect(), 1..4), 1..5),
        t in 0i64..100,
        base in 1.0..1000.0f64,
    ) {
        let incidents: Vec<Incident> = lists.into_iter().enumerate()
            .map(|(i, effects)| incident(&format!("i{i}"), Role::Incident, effects)).collect();
        let all = effects(incidents.clone());
        let mut one_by_one = Effects::new(&simulation());
        for incident in incidents.into_iter().rev() {
            one_by_one.inject(vec![incident]).unwrap();
        }
        one_by_one.prepare(Window::new(t, t + 1));
        for target in [SHOP, CHECKOUT, CARD] {
            let (a, b) = (all.at(target, LATENCY, t), one_by_one.at(target, LATENCY, t));
            prop_assert_eq!(a.apply(base), b.apply(base));
            prop_assert_eq!(a.blame(base).map(|blame| blame.id), b.blame(base).map(|blame| blame.id));
            prop_assert_eq!(all.phase(target, t).name(), one_by_one.phase(target, t).name());
        }
    }
}
