//! Plugins of arbitrary code on the way of an upload: the whole conformance check, and over HTTP.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use telemill::core::time::{Timestamp, Window};
use telemill::plugin::check::{CheckOptions, Outcome, Sample, check};

use super::answers::SIMULATION;
use super::{ENGINE, grafts, is_shown_safely};
use crate::harm::component::World;
use crate::program::Place;

/// Plugins of each world that are checked.
const PLUGINS: usize = 40;
/// Plugins that are uploaded.
const UPLOADS: usize = 8;
/// What a check may take by its options, and the longest that it takes on the busiest machine: one call more, and compiling.
const MOST_TIME: Duration = Duration::from_secs(10);
const DEADLINE: Duration = Duration::from_secs(40);

/// What incident models and validators are checked against.
fn sample() -> Sample {
    let window = Window::from_start(Timestamp(0), 60_000_000);
    Sample { simulation: SIMULATION.clone(), tables: SIMULATION.tables.clone(), window, rows: Vec::new() }
}

#[test]
fn plugins_of_any_code_are_checked_to_the_end() {
    for world in World::ALL {
        // How far they came: the last law that was looked at, and how often.
        let ends = Mutex::new(BTreeMap::<String, usize>::new());
        bolero::check!().with_iterations(PLUGINS).with_max_len(4_096).for_each(|input: &[u8]| {
            let Some(component) = grafts::plugin(world, input) else { return };
            let options = CheckOptions {
                length_us: 60_000_000,
                start: Timestamp(0),
                sample: Some(sample()),
                most_time: MOST_TIME,
                ..CheckOptions::default()
            };
            let started = Instant::now();
            let report = check(&ENGINE, "grafted.wasm", &component, &options);
            assert!(started.elapsed() < DEADLINE, "it took {:?}", started.elapsed());
            for told in &report.checks {
                assert!(is_shown_safely(&told.message), "{told:?}");
                assert!(told.outcome != Outcome::Failed || !told.message.is_empty(), "{told:?}");
            }
            let described =
                report.checks.iter().any(|told| told.name == "descriptor" && told.outcome == Outcome::Passed);
            let end = if report.passed() { "passed".into() } else { report.checks.last().unwrap().name.clone() };
            *ends.lock().unwrap().entry(if described { end } else { "no descriptor".into() }).or_default() += 1;
        });
        let ends = ends.into_inner().unwrap();
        eprintln!("{world:?}: {ends:?}");
        let all: usize = ends.values().sum();
        let described = all - ends.get("no descriptor").copied().unwrap_or_default();
        assert!(all * 2 > PLUGINS && described * 3 > all, "{described} of {all} came past instantiation: {ends:?}");
    }
}

#[test]
fn uploads_of_any_code_are_answered_and_the_server_goes_on() {
    let place = Place::new();
    let server = place.serve(["--setting", "limits.call_ms=2000", "--setting", "limits.call_fuel=50000000"]);
    let (mut number, mut sent, mut refused) = (0_u64, 0, 0);
    while sent < UPLOADS {
        // Bytes that look like chance and are the same each time.
        let random = Cell::new(number);
        number += 1;
        let next = || {
            random.set(random.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
            (random.get() >> 33) as u8
        };
        let input: Vec<u8> = (0..3_000).map(|_| next()).collect();
        let Some(component) = grafts::plugin(World::Generator, &input) else { continue };
        sent += 1;
        let reply = server.send("POST", "/api/v1/plugins", &[("content-type", "application/wasm")], &component);
        if reply.status != 201 {
            let problem = reply.with_status(422);
            assert_eq!(problem.header("content-type"), Some("application/problem+json"));
            assert!(problem.json()["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{}", problem.text());
            refused += 1;
        }
        server.get("/api/v1/plugins").with_status(200);
    }
    assert!(refused > 0, "all {sent} passed");
    server.stop().with_code(0);
}
