//! The laws of every run, for any configuration, cut and trouble.

#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use telemill_sdk::Window;
use telemill_sdk::native::{Run, plan, trouble};
use telemill_sdk::time::{HOUR, SECOND};
use user_workloads::Workloads;

/// 2026-11-09T00:00:00Z, a Monday.
const MONDAY: i64 = 1_794_182_400 * SECOND;
/// Samples of a user in a run.
const SAMPLES: i64 = 400;

#[derive(Clone, Debug)]
struct Case {
    config: String,
    step: i64,
    seed: u64,
    start: i64,
    incidents: Vec<(usize, u32, f64)>,
}

fn cases() -> impl Strategy<Value = Case> {
    let incident = (0usize..6, 0u32..3, prop_oneof![Just(0.0), 0.2f64..4.0, Just(1e9)]);
    (
        1u32..4,
        prop_oneof![Just(1u32), Just(5), 2u32..600],
        1u32..2_000,
        any::<bool>(),
        any::<u64>(),
        -400i64..400,
        prop::collection::vec(incident, 0..3),
    )
        .prop_map(|(users, interval, upload, counts, seed, hours, incidents)| {
            let amounts = if counts { "since_start" } else { "per_sample" };
            let config = format!(
                r#"{{"users": {users}, "interval_seconds": {interval}, "upload_seconds": {upload},
                    "disk_and_network": "{amounts}", "start_spread_minutes": 1}}"#
            );
            Case { config, step: i64::from(interval) * SECOND, seed, start: MONDAY + hours * HOUR, incidents }
        })
}

impl Case {
    fn run(&self) -> Run {
        let span = Window::new(self.start, self.start + SAMPLES * self.step);
        let third = span.micros() / 3;
        let signals = plan::<Workloads>(&self.config).unwrap().signals;
        let incidents = self.incidents.iter().map(|(signal, user, value)| {
            let target = if *user == 0 { "users".to_owned() } else { format!("user_{user:03}") };
            trouble(&target, &signals[*signal].name, *value, Window::new(span.start + third, span.end - third))
        });
        Run::new(self.config.clone(), span).seed(self.seed).windows(SAMPLES * self.step).incidents(incidents.collect())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_cut_makes_the_same_rows(
        case in cases(), partitions in 1u32..5, window in 1i64..SAMPLES, segment in 1i64..SAMPLES,
    ) {
        let whole = case.run().texts::<Workloads>().unwrap();
        let cut = case.run().partitions(partitions).windows(window * case.step).segments(segment * case.step);
        prop_assert!(whole == cut.texts::<Workloads>().unwrap());
    }

    #[test]
    fn columns_stay_within_their_bounds(case in cases()) {
        let counts = case.config.contains("since_start");
        let most_moved = 1_900.0 * 1.1 * case.step as f64 / SECOND as f64 * if counts { SAMPLES as f64 } else { 1.0 };
        let mut rows = 0;
        case.run()
            .each::<Workloads>(|batch| {
                rows += batch.rows();
                for row in 0..batch.rows() {
                    let value = |column: &str| batch.f64(column, row).unwrap();
                    let time = batch.i64("time", row).unwrap();
                    assert!(time.rem_euclid(case.step) == 0 && value("timestamp") >= 0.0);
                    assert!(batch.i64("collection_timestamp", row).unwrap() > time);
                    assert!((0.1..=100.0).contains(&value("cpu_percent")), "{}", value("cpu_percent"));
                    assert!((3.0..=98.5).contains(&value("memory_percent")), "{}", value("memory_percent"));
                    assert!((0.1..64.0).contains(&value("memory_used_gb")), "{}", value("memory_used_gb"));
                    for column in ["disk_read_mb", "disk_write_mb", "network_sent_mb", "network_recv_mb"] {
                        assert!((0.0..=most_moved).contains(&value(column)), "{column}: {}", value(column));
                    }
                }
            })
            .unwrap();
        prop_assert!(rows > 0);
    }
}
