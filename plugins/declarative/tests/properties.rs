//! The laws of every run, for any system, cut and trouble.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use declarative::Simulation;
use proptest::prelude::*;
use telemill_sdk::native::{Run, plan, trouble};
use telemill_sdk::time::{HOUR, MINUTE, SECOND};
use telemill_sdk::{Batch, Generator, Incident, Window};

/// 2026-11-09T00:00:00Z, a Monday.
const MONDAY: i64 = 1_794_182_400 * SECOND;
/// Steps of a run.
const STEPS: i64 = 90;

/// A system that is written down, what it is run with, and what goes wrong.
#[derive(Clone, Debug)]
struct Case {
    config: String,
    step: i64,
    seed: u64,
    start: i64,
    /// Positions of a signal and of one of its targets, and a factor.
    incidents: Vec<(prop::sample::Index, prop::sample::Index, f64)>,
}

/// A little shop of machines: a snapshot, samples that remember, events that follow states, and rows that belong to them.
fn shops() -> impl Strategy<Value = (String, i64)> {
    let step = prop_oneof![Just(1u32), Just(10), Just(60)];
    let zone = prop_oneof![Just("UTC"), Just("America/New_York"), Just("Asia/Kolkata")];
    (step, 1u32..4, 1u32..9, 1u32..5, 0.0f64..0.99, 0.0f64..0.5, 0.0f64..2_000.0, 0.0f64..1.5, zone).prop_map(
        |(step, sites, machines, every, lag, nulls, per_hour, zipf, zone)| {
            let every = every * step;
            let config = format!(
                r#"{{"system": "shop", "step_seconds": {step}, "time_zone": "{zone}",
                "entities": [
                    {{"name": "site", "count": {sites}}},
                    {{"name": "machine", "count": {machines}, "parent": "site",
                      "attributes": [{{"name": "size", "value": {{"uniform": {{"low": 1, "high": 5}}}}, "decimals": 1}}],
                      "states": [{{"name": "busy", "dwell_minutes": 7}}, {{"name": "free", "dwell_minutes": 3}}]}}],
                "tables": [
                    {{"name": "machines", "of": "machine", "rows": "once", "primary_key": ["machine_id"], "columns": [
                        {{"name": "machine_id", "value": "entity"}}, {{"name": "site_id", "value": {{"entity_of": "site"}}}}]}},
                    {{"name": "samples", "of": "machine", "rows": {{"every": {every}}}, "columns": [
                        {{"name": "machine_id", "value": "entity"}},
                        {{"name": "state", "value": "state"}},
                        {{"name": "number", "value": {{"sequence": {{"start": 5}}}}}},
                        {{"name": "load", "value": {{"normal": {{"mean": 40, "deviation": 30}}}}, "lag_1": {lag},
                          "states": {{"busy": {{"normal": {{"mean": 90, "deviation": 20}}}}}},
                          "min": 0, "max": 100, "decimals": 2, "null_share": {nulls}}}]}},
                    {{"name": "orders", "of": "machine", "primary_key": ["order_id"],
                      "rows": {{"events": {{"per_hour": {per_hour}, "zipf": {zipf}, "states": {{"free": 0.2}},
                                         "burst_variance": 0.1, "burst_seconds": 300}}}},
                      "columns": [
                        {{"name": "order_id", "value": {{"id": {{"prefix": "o-"}}}}}},
                        {{"name": "machine_id", "value": "entity"}},
                        {{"name": "items", "type": "integer", "value": {{"poisson": {{"mean": 2}}}}, "min": 1, "max": 9}}]}},
                    {{"name": "parts", "rows": {{"each": {{"table": "orders", "mean": 1.2}}}}, "columns": [
                        {{"name": "order_id", "value": {{"from": "order_id"}}}},
                        {{"name": "share", "value": {{"beta": {{"a": 2, "b": 3}}}}}}]}}],
                "signals": [
                    {{"name": "load", "table": "samples", "column": "load"}},
                    {{"name": "demand", "table": "orders", "column": "items", "rate": true}}]}}"#
            );
            (config, i64::from(step) * SECOND)
        },
    )
}

/// A shop, or one of the plugin's examples.
fn systems() -> impl Strategy<Value = (String, i64)> {
    let examples: Vec<(String, i64)> = Simulation::about()
        .examples
        .into_iter()
        .map(|example| {
            let step = plan::<Simulation>(&example.config).unwrap().step_micros as i64;
            (example.config, step)
        })
        .collect();
    prop_oneof![3 => shops(), 1 => prop::sample::select(examples)]
}

fn cases(systems: impl Strategy<Value = (String, i64)>) -> impl Strategy<Value = Case> {
    let factor = prop_oneof![Just(0.0), 0.2f64..4.0, Just(50.0)];
    let incident = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), factor);
    (systems, any::<u64>(), -400i64..400, prop::collection::vec(incident, 0..3)).prop_map(
        |((config, step), seed, hours, incidents)| Case { config, step, seed, start: MONDAY + hours * HOUR, incidents },
    )
}

impl Case {
    fn run(&self) -> Run {
        let span = Window::new(self.start, self.start + STEPS * self.step);
        let third = span.micros() / 3;
        let middle = Window::new(span.start + third, span.end - third);
        let simulation = plan::<Simulation>(&self.config).unwrap();
        let incidents = self.incidents.iter().filter_map(|(signal, target, factor)| -> Option<Incident> {
            let signal = &simulation.signals.get(signal.index(simulation.signals.len().max(1)))?.name;
            let targets: Vec<_> = simulation.targets.iter().filter(|known| known.signals.contains(signal)).collect();
            Some(trouble(&target.get(&targets).name, signal, *factor, middle))
        });
        Run::new(self.config.clone(), span).seed(self.seed).windows(span.micros()).incidents(incidents.collect())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_cut_makes_the_same_rows(
        case in cases(systems()), partitions in 1u32..6, window in 1i64..STEPS, segment in 1i64..STEPS,
    ) {
        let whole = case.run().texts::<Simulation>().unwrap();
        prop_assert!(whole == case.run().texts::<Simulation>().unwrap(), "same seed, same rows");
        let cut = case.run().partitions(partitions).windows(window * case.step).segments(segment * case.step);
        prop_assert!(whole == cut.texts::<Simulation>().unwrap());
    }

    #[test]
    fn nothing_depends_on_the_spans_end(case in cases(systems()), steps in 1i64..STEPS) {
        let case = Case { incidents: Vec::new(), ..case };
        let all = case.run().texts::<Simulation>().unwrap();
        let part = Window::new(case.start, case.start + steps * case.step);
        let part = Run::new(case.config.clone(), part).seed(case.seed).windows(7 * MINUTE);
        for (table, lines) in part.texts::<Simulation>().unwrap() {
            prop_assert!(lines.iter().all(|line| all[&table].binary_search(line).is_ok()), "table {table}");
        }
    }

    #[test]
    fn ids_link_keys_are_unique_and_columns_stay_within_their_bounds(case in cases(shops())) {
        let (mut machines, mut orders, mut numbers) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut rows: Vec<Batch> = Vec::new();
        case.run().partitions(3).each::<Simulation>(|batch| rows.push(batch)).unwrap();
        let of = |table: &'static str| {
            let batches = rows.iter().filter(move |batch| batch.declaration().unwrap().name == table);
            batches.flat_map(|batch| (0..batch.rows()).map(move |row| (batch, row)))
        };
        for (batch, row) in of("machines") {
            prop_assert!(machines.insert(batch.text("machine_id", row).unwrap()), "a machine is listed twice");
        }
        for (batch, row) in of("samples") {
            prop_assert!(machines.contains(batch.text("machine_id", row).unwrap()));
            prop_assert!(["busy", "free"].contains(&batch.text("state", row).unwrap()));
            prop_assert!(numbers.insert(batch.i64("number", row).unwrap()), "a sequence goes on");
            if let Some(load) = batch.f64("load", row) {
                prop_assert!((0.0..=100.0).contains(&load) && (load * 100.0).round() / 100.0 == load, "load {load}");
            }
        }
        for (batch, row) in of("orders") {
            prop_assert!(orders.insert(batch.text("order_id", row).unwrap()), "an order comes twice");
            prop_assert!(machines.contains(batch.text("machine_id", row).unwrap()));
            prop_assert!((1..=9).contains(&batch.i64("items", row).unwrap()));
        }
        for (batch, row) in of("parts") {
            prop_assert!(orders.contains(batch.text("order_id", row).unwrap()), "a part of no order");
            prop_assert!((0.0..=1.0).contains(&batch.f64("share", row).unwrap()));
        }
    }
}
