//! The incident model on the shop: the document's scenarios and figures, seen in the rows.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use ecommerce::Shop;
use service_incidents::ServiceIncidents;
use telemill_sdk::native::{Run, incidents, plan, trigger};
use telemill_sdk::time::{DAY, HOUR, MINUTE, SECOND};
use telemill_sdk::{Incident, IncidentModel, Role, Target, Window};

/// 2026-11-09T00:00:00Z, a Monday.
const MONDAY: i64 = 1_794_182_400 * SECOND;
const WEEK: Window = Window::new(MONDAY, MONDAY + 7 * DAY);
/// A seed whose incidents are looked at.
const SEED: u64 = 42;

fn targets() -> Vec<Target> {
    plan::<Shop>("{}").unwrap().targets
}

fn planned(config: &str, span: Window) -> Vec<Incident> {
    incidents::<ServiceIncidents>(config, SEED, span, targets()).unwrap()
}

fn clock(day: i64, hour: i64, minute: i64) -> i64 {
    MONDAY + day * DAY + hour * HOUR + minute * MINUTE
}

/// What the rows of a window say.
#[derive(Debug, Default)]
struct Seen {
    errors: BTreeMap<String, usize>,
    /// Rows by phase and incident: how many, how many errors, response times.
    marked: BTreeMap<(String, String), (usize, usize, Vec<i32>)>,
    hosts: BTreeMap<String, Vec<(i64, f64, f64)>>,
    /// Rows of the phase `incident` by the breaker's state.
    breaker: BTreeMap<String, usize>,
}

impl Seen {
    /// Errors' share and response times of the phase `incident`.
    fn incident(&self) -> (f64, Vec<i32>) {
        let (mut errors, mut times) = (0, Vec::new());
        for ((phase, _), (_, failed, ms)) in &self.marked {
            if phase == "incident" {
                errors += failed;
                times.extend_from_slice(ms);
            }
        }
        (errors as f64 / times.len().max(1) as f64, times)
    }
}

fn see(span: Window, seed: u64, all: &[Incident]) -> Seen {
    let mut seen = Seen::default();
    Run::new("{}", span)
        .seed(seed)
        .incidents(all.to_vec())
        .each::<Shop>(|batch| {
            for row in 0..batch.rows() {
                if batch.table() == 1 {
                    let host = batch.text("host", row).unwrap().to_owned();
                    let memory = batch.f64("memory_used_pct", row).unwrap();
                    let pause = batch.f64("gc_pause_ms", row).unwrap();
                    let at = batch.i64("timestamp", row).unwrap();
                    seen.hosts.entry(host).or_default().push((at, memory, pause));
                    continue;
                }
                let error = batch.text("status", row) == Some("error");
                if let Some(code) = batch.text("error_type", row) {
                    assert!(error);
                    *seen.errors.entry(code.to_owned()).or_default() += 1;
                }
                let phase = batch.text("phase", row).unwrap().to_owned();
                if phase == "incident" {
                    let state = batch.text("circuit_breaker_state", row).unwrap();
                    *seen.breaker.entry(state.to_owned()).or_default() += 1;
                }
                let id = batch.text("incident_id", row).unwrap_or("").to_owned();
                let entry = seen.marked.entry((phase, id)).or_default();
                entry.0 += 1;
                entry.1 += usize::from(error);
                entry.2.push(batch.i32("response_time_ms", row).unwrap());
            }
        })
        .unwrap();
    seen
}

fn quantile(times: &[i32], p: f64) -> i32 {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[((times.len() - 1) as f64 * p) as usize]
}

#[test]
fn the_payment_scenario_is_the_documents() {
    let all = planned(r#"{"scenarios": true}"#, WEEK);
    let window = Window::new(clock(6, 14, 25), clock(6, 14, 35));
    let scenario: Vec<&Incident> = all.iter().filter(|incident| incident.window.overlaps(&window)).collect();
    let root = scenario.iter().find(|incident| incident.kind == "payment-gateway-timeout").unwrap();
    let breaker = scenario.iter().find(|incident| incident.kind == "circuit-breaker-open").unwrap();
    assert_eq!(root.window, window);
    assert_eq!(breaker.cause.as_deref(), Some(root.id.as_str()));
    let mut inside = 0;
    for seed in SEED..SEED + 20 {
        let seen = see(window, seed, &all);
        let timeouts = seen.errors.get("PAYMENT_GATEWAY_TIMEOUT").copied().unwrap_or(0);
        let refused = seen.errors.get("CIRCUIT_BREAKER_OPEN").copied().unwrap_or(0);
        inside += usize::from((45..=90).contains(&timeouts));
        if seed == SEED {
            eprintln!("payment timeouts {timeouts}, refused {refused}, {:?}", seen.errors);
            assert!((45..=90).contains(&timeouts), "{timeouts}");
            assert!(refused > 20, "{refused}");
            let (open, trials) = (seen.breaker["open"], seen.breaker["half_open"]);
            assert!(trials > 0 && open > 2 * trials, "a breaker refuses, and tries a few: {:?}", seen.breaker);
            for ((phase, id), (rows, errors, times)) in &seen.marked {
                eprintln!(
                    "{phase} {id}: {rows} rows, {:.1} % errors, p5 {} p50 {} p95 {} max {} ms",
                    100.0 * *errors as f64 / *rows as f64,
                    quantile(times, 0.05),
                    quantile(times, 0.5),
                    quantile(times, 0.95),
                    quantile(times, 1.0)
                );
            }
            let before = Window::new(clock(6, 14, 15), clock(6, 14, 25));
            assert_eq!(see(before, seed, &all).errors.get("CIRCUIT_BREAKER_OPEN").copied().unwrap_or(0) / 5, 0);
        }
    }
    assert!(inside >= 17, "only {inside} of 20 seeds have about 65 timeouts");
}

#[test]
fn the_other_scenarios_show_their_evidence() {
    let all = planned(r#"{"scenarios": true}"#, WEEK);
    let pool = see(Window::new(clock(5, 12, 15), clock(5, 12, 25)), SEED, &all);
    assert!(pool.errors.get("DB_CONNECTION_POOL_EXHAUSTED").copied().unwrap_or(0) > 100, "{:?}", pool.errors);
    let leak = see(Window::new(clock(4, 18, 20), clock(4, 18, 46)), SEED, &all);
    let host = &leak.hosts["checkout-01"];
    let at = |hour: i64, minute: i64| {
        let near: Vec<&(i64, f64, f64)> =
            host.iter().filter(|(t, ..)| (clock(4, hour, minute)..clock(4, hour, minute + 2)).contains(t)).collect();
        let mean = |of: fn(&(i64, f64, f64)) -> f64| near.iter().map(|row| of(row)).sum::<f64>() / near.len() as f64;
        (mean(|row| row.1), mean(|row| row.2))
    };
    let (before, early, late) = (at(18, 25), at(18, 34), at(18, 43));
    eprintln!("checkout-01 memory and pauses: {before:?} {early:?} {late:?}");
    assert!(early.0 > before.0 + 5.0 && late.0 > early.0 + 10.0, "memory grows by and by");
    assert!(late.1 > 4.0 * before.1, "collections press");
}

#[test]
fn spans_leave_scenarios_out_and_nothing_else_changes() {
    let scripted = |span: Window| {
        planned(r#"{"scenarios": true}"#, span)
            .into_iter()
            .filter(|incident| incident.id.contains("-S") && incident.cause.is_none())
            .count()
    };
    assert_eq!(scripted(WEEK), 3);
    assert_eq!(scripted(Window::new(MONDAY, MONDAY + 2 * DAY)), 2);
    assert_eq!(scripted(Window::new(MONDAY, MONDAY + DAY)), 1);
    assert_eq!(scripted(Window::new(MONDAY, MONDAY + 6 * HOUR)), 0);
    let berlin = planned(
        r#"{"scenarios": true, "time_zone": "Europe/Berlin"}"#,
        Window::new(MONDAY - HOUR, MONDAY + 7 * DAY - HOUR),
    );
    let payment = berlin.iter().find(|incident| incident.id.ends_with("-S1")).unwrap();
    assert_eq!(payment.window.start, clock(6, 13, 25));
}

#[test]
fn a_day_has_its_number_of_incidents_and_all_kinds_happen() {
    let month = Window::new(MONDAY, MONDAY + 60 * DAY);
    let all = planned("{}", month);
    let roots: Vec<&Incident> = all.iter().filter(|i| i.cause.is_none() && i.role == Role::Incident).collect();
    for day in 0..60 {
        let n = roots.iter().filter(|i| (i.window.start - MONDAY).div_euclid(DAY) == day).count();
        assert!((2..=3).contains(&n), "day {day}: {n}");
    }
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for incident in &roots {
        *kinds.entry(&incident.kind).or_default() += 1;
        let minutes = incident.window.micros() as f64 / MINUTE as f64;
        let recovery = (incident.recovered - incident.window.end) as f64 / MINUTE as f64;
        assert!((4.9..=15.0).contains(&minutes) && (4.9..=10.0).contains(&recovery), "{minutes} {recovery}");
    }
    assert_eq!(kinds.len(), 5);
    assert_eq!(kinds.iter().max_by_key(|(_, n)| **n).unwrap().0, &"payment-gateway-timeout");
    let mut ids: Vec<&str> = all.iter().map(|incident| incident.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all.len());
    let outlasting = all.iter().filter(|child| {
        child.cause.as_ref().is_some_and(|cause| {
            let cause = all.iter().find(|root| root.id == *cause).unwrap();
            assert!(child.window.start > cause.window.start);
            child.window.end > cause.window.end
        })
    });
    assert!(outlasting.count() > 5, "some trouble outlasts its trigger");
    assert!(all.iter().any(|incident| incident.role == Role::Decoy));
    assert_eq!(planned(r#"{"incidents_per_day": 2, "cascades": false, "decoys_per_day": 0}"#, month).len(), 120);
    // A shorter span has the same incidents as far as it goes.
    let short = planned("{}", Window::new(MONDAY, MONDAY + 3 * DAY));
    assert_eq!(short[..], all[..short.len()]);
}

#[test]
fn every_kind_by_hand_brings_the_documents_figures_by_day_and_by_night() {
    for (hour, minute) in [(15, 0), (2, 10), (19, 10)] {
        let span = Window::new(clock(0, hour, minute), clock(0, hour, minute + 10));
        for kind in ServiceIncidents::kinds() {
            let place = match kind.name.as_str() {
                "payment-gateway-timeout" => "payment-gateway",
                "database-pool-exhaustion" => "orders-db",
                "load-spike" => "shop",
                "memory-pressure" => "checkout-service",
                _ => "search-service",
            };
            let config = r#"{"cascades": true}"#;
            let all = trigger::<ServiceIncidents>(config, SEED, WEEK, targets(), &kind.name, place, span).unwrap();
            let seen = see(span, SEED, &all);
            let (share, times) = seen.incident();
            if kind.name == "load-spike" {
                assert!(times.is_empty(), "a decoy marks no row");
                continue;
            }
            let slow = times.iter().filter(|ms| (5_000..=35_000).contains(*ms)).count() as f64 / times.len() as f64;
            eprintln!(
                "{hour}:{minute:02} {}: {} rows, {:.1} % errors, {:.0} % within 5 to 35 s, p50 {} p95 {} ms, {:?}",
                kind.name,
                times.len(),
                share * 100.0,
                slow * 100.0,
                quantile(&times, 0.5),
                quantile(&times, 0.95),
                seen.errors
            );
            assert!((0.25..=0.40).contains(&share), "{hour}:{minute:02} {}: {share}", kind.name);
            // What a breaker refuses is answered at once.
            let least = if kind.name.starts_with("circuit") || kind.name.starts_with("payment") { 0.5 } else { 0.8 };
            assert!(
                quantile(&times, 0.99) <= 35_000 && slow > least,
                "{hour}:{minute:02} {}: {slow} are slow",
                kind.name
            );
        }
    }
}

#[test]
fn a_degraded_service_is_slow_on_every_target_at_night() {
    let span = Window::new(clock(0, 2, 10), clock(0, 2, 20));
    for service in ["web-frontend", "catalog-service", "user-service", "inventory-service", "payment-service"] {
        let mut all_times = Vec::new();
        for seed in 0..4 {
            let kind = "upstream-degradation";
            let all = trigger::<ServiceIncidents>(r#"{"cascades": false}"#, seed, WEEK, targets(), kind, service, span)
                .unwrap();
            all_times.extend(see(span, seed, &all).incident().1);
        }
        let slow = all_times.iter().filter(|ms| (5_000..=35_000).contains(*ms)).count() as f64 / all_times.len() as f64;
        eprintln!("{service} at night: {:.0} % of {} calls within 5 to 35 s", slow * 100.0, all_times.len());
        assert!(slow > 0.75, "{service}: {slow}");
    }
}

#[test]
fn payments_go_on_failing_where_no_breaker_opens() {
    let span = Window::new(clock(0, 2, 10), clock(0, 2, 20));
    let (mut errors, mut rows, mut late) = (0.0, 0.0, 0);
    for seed in 0..12 {
        let config = r#"{"cascades": false}"#;
        let kind = "payment-gateway-timeout";
        let all = trigger::<ServiceIncidents>(config, seed, WEEK, targets(), kind, "payment-gateway", span).unwrap();
        assert_eq!(all.len(), 1);
        let seen = see(span, seed, &all);
        let (share, times) = seen.incident();
        errors += share * times.len() as f64;
        rows += times.len() as f64;
        let last_minutes = see(Window::new(clock(0, 2, 17), span.end), seed, &all);
        late += last_minutes.errors.get("PAYMENT_GATEWAY_TIMEOUT").copied().unwrap_or(0);
    }
    eprintln!("{rows} rows, {:.1} % errors, {late} timeouts in the last three minutes", 100.0 * errors / rows);
    assert!((0.25..=0.40).contains(&(errors / rows)), "{}", errors / rows);
    assert!(late as f64 > 0.2 * rows * 0.3 * 0.25, "{late} of {rows}");
}

#[test]
fn retry_storms_strike_callers_of_what_is_in_trouble() {
    let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    let all = planned("{}", Window::new(MONDAY, MONDAY + 300 * DAY));
    let target = |incident: &Incident| incident.attributes.iter().find(|a| a.name == "target").unwrap().value.clone();
    for storm in all.iter().filter(|incident| incident.id.ends_with("-B")) {
        assert_eq!(storm.title, format!("Retry storm on {}", target(storm)));
        let cause = all.iter().find(|incident| Some(&incident.id) == storm.cause.as_ref()).unwrap();
        *seen.entry((target(cause), target(storm))).or_default() += 1;
    }
    eprintln!("{seen:?}");
    let behind_checkout = ["payment-gateway", "payment-service", "inventory-service"];
    for (trigger, caller) in seen.keys() {
        let expected = if behind_checkout.contains(&trigger.as_str()) { "checkout-service" } else { "web-frontend" };
        assert_eq!(caller, expected, "{trigger}");
        assert_ne!(trigger, "web-frontend", "nobody calls it");
    }
    assert!(seen.len() > 4);
    let mut untold = targets();
    untold.iter_mut().for_each(|target| target.attributes.retain(|attribute| attribute.name == "role"));
    let all = incidents::<ServiceIncidents>("{}", SEED, Window::new(MONDAY, MONDAY + 60 * DAY), untold).unwrap();
    assert!(all.iter().all(|incident| !incident.id.ends_with("-B")), "no caller is known, so none is struck");
}

#[test]
fn what_does_not_exist_is_told_with_what_does() {
    let span = Window::new(clock(0, 15, 0), clock(0, 15, 10));
    let wrong = |kind: &str, target: &str| {
        trigger::<ServiceIncidents>("{}", SEED, WEEK, targets(), kind, target, span).unwrap_err().to_string()
    };
    assert!(wrong("earthquake", "shop").contains("kinds are payment-gateway-timeout"));
    assert!(wrong("memory-pressure", "nowhere").contains("checkout-service"));
    assert!(wrong("memory-pressure", "payment-gateway/none").contains("no target"));
}
