//! What makes the metrics plausible: levels of the phases, machines, correlations.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use telemill_sdk::Window;
use telemill_sdk::native::Run;
use telemill_sdk::time::{DAY, HOUR, SECOND};
use user_workloads::Workloads;

const MONDAY: i64 = 1_794_182_400 * SECOND;
const COLUMNS: [&str; 7] = [
    "cpu_percent",
    "memory_percent",
    "memory_used_gb",
    "disk_read_mb",
    "disk_write_mb",
    "network_sent_mb",
    "network_recv_mb",
];
const CPU: usize = 0;
const MEMORY: usize = 1;
const READ: usize = 3;
const SENT: usize = 5;

struct Sample {
    phase: String,
    values: [f64; 7],
}

/// The samples of each user in the order of time.
fn samples(config: &str, span: Window) -> BTreeMap<String, Vec<Sample>> {
    let mut all: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
    Run::new(config, span)
        .seed(7)
        .windows(HOUR)
        .each::<Workloads>(|batch| {
            for row in 0..batch.rows() {
                let phase = batch.text("phase", row).unwrap().to_owned();
                let values = COLUMNS.map(|column| batch.f64(column, row).unwrap());
                let user = batch.text("user_id", row).unwrap().to_owned();
                all.entry(user).or_default().push(Sample { phase, values });
            }
        })
        .unwrap();
    all
}

fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let n = pairs.len() as f64;
    let (mx, my) = (pairs.iter().map(|p| p.0).sum::<f64>() / n, pairs.iter().map(|p| p.1).sum::<f64>() / n);
    let sum = |f: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(f).sum::<f64>();
    sum(&|p| (p.0 - mx) * (p.1 - my)) / (sum(&|p| (p.0 - mx).powi(2)) * sum(&|p| (p.1 - my).powi(2))).sqrt()
}

#[test]
fn phases_differ_as_their_names_say() {
    let all = samples(r#"{"interval_seconds": 5}"#, Window::new(MONDAY, MONDAY + 12 * HOUR));
    let mut sums: BTreeMap<&str, ([f64; 7], f64)> = BTreeMap::new();
    for sample in all.values().flatten() {
        let (sum, n) = sums.entry(&sample.phase).or_default();
        sum.iter_mut().zip(sample.values).for_each(|(sum, value)| *sum += value);
        *n += 1.0;
    }
    let rows: f64 = sums.values().map(|(_, n)| n).sum();
    let mean = |phase: &str, at: usize| sums[phase].0[at] / sums[phase].1;
    for (phase, (_, n)) in &sums {
        eprintln!(
            "{phase}: {:.3} of the rows, cpu {:.1}, memory {:.1}",
            n / rows,
            mean(phase, CPU),
            mean(phase, MEMORY)
        );
        assert!((0.13..0.28).contains(&(n / rows)), "{phase} has {}", n / rows);
    }
    assert_eq!(sums.len(), 5);
    // The document's example is a row of cpu_bound: 85.5 %, 30.2 %, 5.2 MB, 1.0 MB in a second.
    for (at, document) in [(CPU, 85.5), (MEMORY, 30.2), (READ, 5.2 * 5.0), (SENT, 1.0 * 5.0)] {
        let got = mean("cpu_bound", at);
        assert!((got / document - 1.0).abs() < 0.3, "{}: {got} instead of {document}", COLUMNS[at]);
    }
    assert!(mean("idle", CPU) < 6.0 && mean("memory_bound", MEMORY) > 60.0);
    assert!(mean("io_bound", READ) > 8.0 * mean("cpu_bound", READ));
}

/// How long each phase lasts on average, in minutes; the first and the last stretch of a user are not whole, and left out.
fn mean_dwells(config: &str) -> BTreeMap<String, f64> {
    const STEP_SECONDS: f64 = 15.0;
    let mut stretches: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for samples in samples(config, Window::new(MONDAY, MONDAY + 2 * DAY)).values() {
        let mut of_user: Vec<(&str, f64)> = Vec::new();
        for sample in samples {
            match of_user.last_mut() {
                Some((phase, count)) if *phase == sample.phase => *count += 1.0,
                _ => of_user.push((&sample.phase, 1.0)),
            }
        }
        for (phase, count) in &of_user[1..of_user.len() - 1] {
            let (sum, n) = stretches.entry((*phase).to_owned()).or_default();
            *sum += count * STEP_SECONDS / 60.0;
            *n += 1.0;
        }
    }
    stretches.into_iter().map(|(phase, (sum, n))| (phase, sum / n)).collect()
}

#[test]
fn phases_last_as_long_as_configured() {
    let of = |minutes: [f64; 5]| {
        let [cpu, io, memory, idle, mixed] = minutes;
        format!(
            r#"{{"users": 40, "interval_seconds": 15, "start_spread_minutes": 0, "dwell_minutes": {{"cpu_bound": {cpu},
                "io_bound": {io}, "memory_bound": {memory}, "idle": {idle}, "mixed": {mixed}}}}}"#
        )
    };
    let defaults = [6.0, 5.0, 6.0, 6.0, 4.5];
    let usual = mean_dwells(r#"{"users": 40, "interval_seconds": 15, "start_spread_minutes": 0}"#);
    let doubled = mean_dwells(&of(defaults.map(|minutes| 2.0 * minutes)));
    eprintln!("mean minutes: {usual:.2?}, doubled {doubled:.2?}");
    for (phase, minutes) in ["cpu_bound", "io_bound", "memory_bound", "idle", "mixed"].into_iter().zip(defaults) {
        let (once, twice) = (usual[phase], doubled[phase]);
        assert!((once / minutes - 1.0).abs() < 0.06, "{phase} lasts {once} minutes instead of {minutes}");
        assert!((twice / once / 2.0 - 1.0).abs() < 0.08, "{phase} lasts {twice} minutes, and {once} before");
    }
}

#[test]
fn machines_persist_and_memory_agrees_with_their_size() {
    let all = samples(r#"{"interval_seconds": 30, "users": 60}"#, Window::new(MONDAY, MONDAY + DAY));
    let mut sizes = Vec::new();
    for (user, samples) in &all {
        // Half of the last decimal on either side.
        let low = samples.iter().map(|s| (s.values[2] - 0.005) / (s.values[MEMORY] + 0.05) * 100.0);
        let high = samples.iter().map(|s| (s.values[2] + 0.005) / (s.values[MEMORY] - 0.05) * 100.0);
        let (low, high) = (low.fold(0.0, f64::max), high.fold(f64::INFINITY, f64::min));
        assert!(low <= high, "{user}: {low} to {high}");
        sizes.push(low);
    }
    assert_eq!(sizes.len(), 60);
    assert!(sizes.iter().any(|gb| *gb < 8.0) && sizes.iter().any(|gb| *gb > 20.0), "{sizes:?}");
    assert!(sizes.iter().all(|gb| (7.0..64.0).contains(gb)));
}

#[test]
fn work_moves_things_together_and_memory_sticks() {
    let all = samples(r#"{"users": 8, "start_spread_minutes": 0}"#, Window::new(MONDAY, MONDAY + 4 * HOUR));
    let within = |phase: &str, a: usize, b: usize| {
        let pairs: Vec<(f64, f64)> =
            all["user_001"].iter().filter(|s| s.phase == phase).map(|s| (s.values[a], s.values[b].ln_1p())).collect();
        correlation(&pairs)
    };
    // Within one phase, the intensity of work moves processors and data; memory knows nothing of data.
    let (together, apart) = (within("mixed", CPU, READ), within("mixed", MEMORY, SENT));
    eprintln!("within mixed: cpu and disk {together:.2}, memory and network {apart:.2}");
    assert!(together > 0.25, "{together}");
    assert!(apart.abs() < 0.2, "{apart}");
    for samples in all.values() {
        let lag_1 = |at: usize, log: bool| {
            let value = |s: &Sample| if log { s.values[at].ln_1p() } else { s.values[at] };
            let same: Vec<(f64, f64)> = samples
                .windows(2)
                .filter(|pair| pair.iter().all(|s| s.phase == "io_bound"))
                .map(|pair| (value(&pair[0]), value(&pair[1])))
                .collect();
            correlation(&same)
        };
        let (memory, disk) = (lag_1(MEMORY, false), lag_1(READ, true));
        assert!(memory > 0.9 && disk < 0.6, "memory {memory}, disk {disk}");
    }
}

#[test]
fn users_join_one_after_another_with_a_source_each() {
    let mut first: BTreeMap<String, (i64, String)> = BTreeMap::new();
    Run::new(
        r#"{"users": 300, "interval_seconds": 60, "start_spread_minutes": 120}"#,
        Window::new(MONDAY, MONDAY + 3 * HOUR),
    )
    .each::<Workloads>(|batch| {
        for row in 0..batch.rows() {
            let user = batch.text("user_id", row).unwrap();
            let (time, source) = (batch.i64("time", row).unwrap(), batch.text("source", row).unwrap());
            let known = first.entry(user.to_owned()).or_insert_with(|| (time, source.to_owned()));
            assert_eq!(known.1, source);
        }
    })
    .unwrap();
    assert_eq!((first.len(), first["user_001"].0), (300, MONDAY));
    let late = first.values().filter(|(time, _)| *time > MONDAY + HOUR).count();
    assert!((110..190).contains(&late), "{late} begin in the second hour");
    let share = |name: &str| first.values().filter(|(_, source)| source == name).count() as f64 / 300.0;
    for (source, want) in [("external", 0.5), ("simulation", 0.3), ("web", 0.2)] {
        assert!((share(source) - want).abs() < 0.09, "{source}: {}", share(source));
    }
}
