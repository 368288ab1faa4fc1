//! What is written down is what comes out: rates, seasons, memory, states, links, dependencies.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use declarative::Simulation;
use telemill_sdk::native::{Run, plan};
use telemill_sdk::time::{DAY, HOUR, MINUTE, SECOND};
use telemill_sdk::{Batch, DataType, Window};

const MONDAY: i64 = 1_794_182_400 * SECOND;

fn batches(config: &str, hours: i64) -> BTreeMap<String, Vec<Batch>> {
    let mut all: BTreeMap<String, Vec<Batch>> = BTreeMap::new();
    Run::new(config, Window::new(MONDAY, MONDAY + hours * HOUR))
        .seed(5)
        .partitions(2)
        .windows(6 * HOUR)
        .each::<Simulation>(|batch| all.entry(batch.declaration().unwrap().name.clone()).or_default().push(batch))
        .unwrap();
    all
}

fn texts(all: &BTreeMap<String, Vec<Batch>>, table: &str, column: &str) -> Vec<String> {
    let of = |batch: &Batch| -> Vec<String> {
        (0..batch.rows()).map(|row| batch.text(column, row).unwrap_or("NULL").to_owned()).collect()
    };
    all[table].iter().flat_map(of).collect()
}

fn numbers(all: &BTreeMap<String, Vec<Batch>>, table: &str, column: &str) -> Vec<f64> {
    let mut values = Vec::new();
    for batch in &all[table] {
        let data_type = batch.declaration().unwrap().field(column).unwrap().data_type;
        batch
            .named(column)
            .unwrap()
            .each_number(data_type, batch.rows(), |_, value| values.push(value.unwrap_or(f64::NAN)));
    }
    values
}

fn mean(values: &[f64]) -> f64 {
    let known: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    known.iter().sum::<f64>() / known.len() as f64
}

fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len().min(y.len());
    let (mx, my) = (mean(&x[..n]), mean(&y[..n]));
    let sum = |f: &dyn Fn(usize) -> f64| (0..n).map(f).sum::<f64>();
    sum(&|i| (x[i] - mx) * (y[i] - my)) / (sum(&|i| (x[i] - mx).powi(2)) * sum(&|i| (y[i] - my).powi(2))).sqrt()
}

#[test]
fn the_solar_park_follows_the_sun() {
    let all = batches("{}", 48);
    let (light, power) = (numbers(&all, "readings", "irradiance"), numbers(&all, "readings", "power_kw"));
    let hour: Vec<f64> = numbers(&all, "readings", "time").iter().map(|t| (t / HOUR as f64).rem_euclid(24.0)).collect();
    let within = |from: f64, to: f64| -> Vec<f64> {
        hour.iter().zip(&power).filter(|(h, _)| (from..to).contains(*h)).map(|(_, p)| *p).collect()
    };
    assert_eq!(mean(&within(0.0, 4.0)), 0.0);
    assert!(mean(&within(11.0, 13.0)) > 60.0, "{}", mean(&within(11.0, 13.0)));
    let ids = texts(&all, "readings", "inverter_id");
    let one = |values: &[f64]| -> Vec<f64> {
        ids.iter().zip(values).filter(|(id, _)| *id == "inverter-07").map(|(_, v)| *v).collect()
    };
    assert!(correlation(&one(&light), &one(&power)) > 0.99);
    // Every reading's inverter is one of the snapshot, and power never passes the capacity.
    let known: BTreeSet<String> = texts(&all, "inverters", "inverter_id").into_iter().collect();
    assert!(known.len() == 12 && ids.iter().all(|id| known.contains(id)));
    let capacity = numbers(&all, "inverters", "capacity_kw");
    assert!(capacity.iter().all(|kw| [100.0, 250.0].contains(kw)) && power.iter().all(|kw| *kw < 250.0));
}

#[test]
fn memory_leaves_the_distribution_alone() {
    let config = |lag: f64| {
        format!(
            r#"{{"step_seconds": 60, "tables": [{{"name": "t", "rows": {{"every": 60}}, "columns": [
                {{"name": "x", "value": {{"exponential": {{"mean": 10}}}}, "lag_1": {lag}}},
                {{"name": "mood", "value": {{"categories": {{"values": ["a", "b"], "weights": [1, 3]}}}}, "lag_1": {lag}}}]}}]}}"#
        )
    };
    for lag in [0.0, 0.5, 0.9] {
        let all = batches(&config(lag), 24 * 14);
        let x = numbers(&all, "t", "x");
        // The logarithm of the rank is the normal value that remembers: the correlation is measured on it.
        let mut sorted = x.clone();
        sorted.sort_by(f64::total_cmp);
        let z: Vec<f64> = x
            .iter()
            .map(|value| {
                let rank = sorted.partition_point(|known| known < value) as f64;
                telemill_sdk::quantile::normal_quantile((rank + 0.5) / x.len() as f64)
            })
            .collect();
        let got = correlation(&z, &z[1..]);
        assert!((got - lag).abs() < 0.03, "lag-1 {got} instead of {lag}");
        assert!((mean(&x) - 10.0).abs() < 1.2, "{}", mean(&x));
        let share = texts(&all, "t", "mood").iter().filter(|mood| *mood == "b").count() as f64 / x.len() as f64;
        assert!((share - 0.75).abs() < 0.05, "{share}");
    }
}

#[test]
fn whole_numbers_are_whole_for_columns_below() {
    let config = r#"{"tables": [{"name": "t", "rows": {"every": 60}, "columns": [
        {"name": "items", "type": "integer", "value": {"uniform": {"low": 1, "high": 9}}},
        {"name": "double", "plus": [{"of": "items", "factor": 2}]}]}]}"#;
    let all = batches(config, 5);
    let (items, double) = (numbers(&all, "t", "items"), numbers(&all, "t", "double"));
    assert!(items.len() == 300 && items.iter().zip(&double).all(|(items, double)| 2.0 * items == *double));
}

#[test]
fn rates_follow_hours_weekdays_states_and_zipf() {
    let hourly: Vec<f64> = (0..24).map(|hour| if (8..18).contains(&hour) { 2.0 } else { 0.5 }).collect();
    let config = format!(
        r#"{{"tables": [
            {{"name": "calls", "rows": {{"events": {{"per_hour": 60, "hourly": {hourly:?}, "weekday": [1, 2, 1, 1, 1, 1, 1]}}}}, "columns": []}}]}}"#
    )
    .replace(r#""columns": []"#, r#""columns": [{"name": "call_id", "value": {"id": {}}}]"#);
    let all = batches(&config, 48);
    let times = numbers(&all, "calls", "time");
    let count = |day: i64, from: i64, to: i64| {
        let span = Window::new(MONDAY + day * DAY + from * HOUR, MONDAY + day * DAY + to * HOUR);
        times.iter().filter(|t| span.contains(**t as i64)).count() as f64
    };
    assert!((count(0, 9, 17) / (8.0 * 120.0) - 1.0).abs() < 0.1, "{}", count(0, 9, 17));
    assert!((count(1, 9, 17) / (8.0 * 240.0) - 1.0).abs() < 0.1, "{}", count(1, 9, 17));
    assert!((count(0, 0, 7) / (7.0 * 30.0) - 1.0).abs() < 0.25, "{}", count(0, 0, 7));
    let ids: BTreeSet<String> = texts(&all, "calls", "call_id").into_iter().collect();
    assert_eq!(ids.len(), times.len());
    // Within a step, times are spread evenly.
    assert!((mean(&times.iter().map(|t| t.rem_euclid(MINUTE as f64)).collect::<Vec<_>>()) / 3e7 - 1.0).abs() < 0.05);
}

#[test]
fn every_kind_of_value_is_what_it_says() {
    let config = include_str!("../examples/every_kind.json");
    let all = batches(config, 24);
    let tables = plan::<Simulation>(config).unwrap().tables;
    assert_eq!(tables[0].time_field.as_deref(), Some("seen_at"));
    let types: Vec<DataType> = tables[1].fields.iter().map(|field| field.data_type).collect();
    use DataType::{Date, Float64, Timestamp, Utf8};
    assert_eq!(types, [Timestamp, Utf8, Utf8, Float64, Timestamp, Date, Utf8]);

    let (states, pulse) = (texts(&all, "sensors", "state"), numbers(&all, "sensors", "pulse"));
    let asleep: Vec<f64> = states.iter().zip(&pulse).filter(|(s, _)| *s == "asleep").map(|(_, p)| *p).collect();
    let awake: Vec<f64> = states.iter().zip(&pulse).filter(|(s, _)| *s == "awake").map(|(_, p)| *p).collect();
    assert!((mean(&asleep) - 50.0).abs() < 1.0 && (mean(&awake) - 80.0).abs() < 2.0);
    let share = asleep.len() as f64 / states.len() as f64;
    assert!((0.4..0.75).contains(&share), "{share}");
    // Houses are dealt out in turn, and their climate stays with them.
    let houses: BTreeSet<(String, String)> =
        texts(&all, "sensors", "house_id").into_iter().zip(texts(&all, "sensors", "climate")).collect();
    let expected = [("north", "wet"), ("south", "dry")].map(|(house, climate)| (house.to_owned(), climate.to_owned()));
    assert_eq!(houses.into_iter().collect::<Vec<_>>(), expected);
    let samples = numbers(&all, "sensors", "sample");
    let distinct: BTreeSet<i64> = samples.iter().map(|n| *n as i64).collect();
    assert_eq!(
        (distinct.len(), distinct.first(), distinct.last()),
        (9 * 1440, Some(&1000), Some(&(1000 + 2 * (9 * 1440 - 1))))
    );
    let noise = numbers(&all, "sensors", "noise_db");
    let nulls = noise.iter().filter(|value| value.is_nan()).count() as f64 / noise.len() as f64;
    assert!((nulls - 0.05).abs() < 0.01 && (mean(&noise) - 42.0).abs() < 1.0);
    assert!(numbers(&all, "sensors", "waits_s").iter().all(|s| *s <= 300.0));
    // Complaints come from those who are awake, and most from the first.
    let complaints = texts(&all, "complaints", "animal_id");
    let of = |id: &str| complaints.iter().filter(|known| *known == id).count();
    assert!(of("animal-1") > 2 * of("animal-8"), "{} {}", of("animal-1"), of("animal-8"));
    // Leftovers belong to feedings.
    let feedings: BTreeMap<String, f64> =
        texts(&all, "feedings", "feeding_id").into_iter().zip(numbers(&all, "feedings", "amount_kg")).collect();
    let links = texts(&all, "leftovers", "feeding_id");
    let left = numbers(&all, "leftovers", "left_kg");
    assert!((links.len() as f64 / feedings.len() as f64 - 1.5).abs() < 0.15);
    assert!(links.iter().zip(&left).all(|(id, kg)| id.starts_with("f-") && *kg <= feedings[id] / 2.0));
    let (time, ended) = (numbers(&all, "feedings", "time"), numbers(&all, "feedings", "ended_at"));
    assert!(time.iter().zip(&ended).all(|(time, ended)| ended > time));
}

#[test]
fn what_fit_writes_comes_out() {
    let all = batches(include_str!("../examples/fitted.json"), 24 * 7);
    let (cpu, load) = (numbers(&all, "sample", "cpu_percent"), numbers(&all, "sample", "load"));
    assert!((correlation(&cpu, &load)) > 0.9);
    let hosts = texts(&all, "sample", "host");
    let of = |host: &str| -> Vec<f64> {
        hosts.iter().zip(&cpu).filter(|(known, _)| *known == host).map(|(_, value)| *value).collect()
    };
    assert!(mean(&of("db-1")) > mean(&of("web-1")) + 4.0);
    let status = numbers(&all, "sample", "status");
    assert!((status.iter().filter(|s| **s == 0.0).count() as f64 / status.len() as f64 - 0.95).abs() < 0.01);
    assert!(cpu.iter().all(|value| (0.0..=100.0).contains(value)));
}

#[test]
fn wrong_configurations_are_told_where() {
    let table = |rest: &str| format!(r#"{{"tables": [{{"name": "t", {rest}}}]}}"#);
    let column = |rest: &str| {
        table(&format!(r#""columns": [{{"name": "a", "value": {{"chance": 0.5}}}}, {{"name": "b", {rest}}}]"#))
    };
    for (config, wanted) in [
        (r#"{"tables": [{"name": "Big"}]}"#.to_owned(), "/tables/0/name"),
        (r#"{"time_zone": "Mars/Olympus", "tables": [{"name": "t"}]}"#.to_owned(), "/time_zone"),
        (r#"{"entities": [{"name": "a"}], "tables": [{"name": "t"}]}"#.to_owned(), "/entities/0/count"),
        (
            r#"{"entities": [{"name": "a", "count": 2, "parent": "b"}], "tables": [{"name": "t"}]}"#.to_owned(),
            "/entities/0/parent",
        ),
        (table(r#""of": "nobody", "columns": []"#), "/tables/0/of"),
        (table(r#""rows": {"every": 7}, "columns": []"#), "/tables/0/rows/every"),
        (table(r#""rows": {"events": {"per_hour": 1, "hourly": [1]}}, "columns": []"#), "/tables/0/rows/events/hourly"),
        (table(r#""rows": {"each": {"table": "u", "mean": 1}}, "columns": []"#), "/tables/0/rows/each/table"),
        (table(r#""rows": "once", "columns": []"#), "/tables/0/of"),
        (table(r#""rows": "often", "columns": []"#), "/tables/0/rows"),
        (table(r#""primary_key": ["x"], "columns": []"#), "/tables/0/primary_key"),
        (column(r#""value": {"gamma": {"shape": 0.1, "scale": 1}}"#), "/tables/0/columns/1/value/gamma/shape"),
        (column(r#""value": {"gamma": {"shape": 1, "size": 1}}"#), "/tables/0/columns/1/value/gamma/size"),
        (column(r#""value": {"quantiles": [2, 1]}"#), "/tables/0/columns/1/value/quantiles"),
        (
            column(r#""value": {"empirical": {"shares": [0, 0.5], "values": [1, 2]}}"#),
            "/tables/0/columns/1/value/empirical/shares",
        ),
        (column(r#""value": "state""#), "/tables/0/columns/1/value"),
        (column(r#""plus": [{"of": "c", "factor": 1}]"#), "/tables/0/columns/1/plus/0/of"),
        (column(r#""times": ["host.size"]"#), "/tables/0/columns/1/times/0"),
        (column(r#""hourly": [1, 2]"#), "/tables/0/columns/1/hourly"),
        (column(r#""value": {"id": {}}, "type": "float""#), "/tables/0/columns/1/type"),
        (column(r#""name": "a""#), "/tables/0/columns/1"),
        (column(r#""lag_1": 1"#), "/tables/0/columns/1/lag_1"),
        (
            r#"{"tables": [{"name": "t", "columns": []}], "signals": [{"name": "s", "table": "u", "column": "a"}]}"#
                .to_owned(),
            "/signals/0",
        ),
    ] {
        let problems = telemill_sdk::session::GeneratorSession::<Simulation>::check(&config);
        assert!(problems.iter().any(|problem| problem.path.starts_with(wanted)), "{config}: {problems:?}");
    }
}
