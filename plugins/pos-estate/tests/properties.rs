//! The laws of every run, for any estate, cut and trouble.

#![expect(clippy::unwrap_used, reason = "tests")]

use pos_estate::PosEstate;
use proptest::prelude::*;
use telemill_sdk::native::{Run, plan, trouble};
use telemill_sdk::time::{HOUR, MINUTE, SECOND};
use telemill_sdk::{Incident, Window};

/// 2026-11-11T00:00:00Z, a Wednesday.
const WEDNESDAY: i64 = 1_794_355_200 * SECOND;

#[derive(Clone, Debug)]
struct Case {
    config: String,
    step: i64,
    seed: u64,
    span: Window,
    /// Positions of a target and one of its signals, and a factor.
    incidents: Vec<(prop::sample::Index, prop::sample::Index, f64)>,
}

fn cases() -> impl Strategy<Value = Case> {
    let factor = prop_oneof![Just(0.0), 0.2f64..4.0, Just(200.0), Just(1e9)];
    let incident = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), factor);
    let step = prop_oneof![Just(5u32), Just(15), Just(60), Just(300)];
    (1u32..4, 1u32..9, step, any::<u64>(), -400i64..400, prop::collection::vec(incident, 0..4)).prop_map(
        |(sites, more, step, seed, minutes, incidents)| {
            let terminals = sites + more;
            let config = format!(
                r#"{{"sites": {sites}, "terminals": {terminals}, "metrics_seconds": {step}, "activities_per_minute": 3,
                    "jobs_per_minute": 2, "errors_per_minute": 2}}"#
            );
            let step = i64::from(step) * SECOND;
            let start = (WEDNESDAY + 12 * HOUR + minutes * MINUTE).div_euclid(step) * step;
            Case { config, step, seed, span: Window::new(start, start + 30 * MINUTE), incidents }
        },
    )
}

impl Case {
    fn steps(&self) -> i64 {
        self.span.micros() / self.step
    }

    fn run(&self) -> Run {
        let simulation = plan::<PosEstate>(&self.config).unwrap();
        let third = self.span.micros() / 3;
        let middle = Window::new(self.span.start + third, self.span.end - third);
        let incident = |(target, signal, factor): &(prop::sample::Index, prop::sample::Index, f64)| -> Incident {
            let target = target.get(&simulation.targets);
            let signal = if target.signals.is_empty() { "none" } else { signal.get(&target.signals).as_str() };
            trouble(&target.name, signal, *factor, middle)
        };
        Run::new(self.config.clone(), self.span)
            .seed(self.seed)
            .windows(self.span.micros())
            .incidents(self.incidents.iter().map(incident).collect())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn any_cut_makes_the_same_rows(
        case in cases(), partitions in 1u32..6, window in 1i64..400, segment in 1i64..400,
    ) {
        let whole = case.run().texts::<PosEstate>().unwrap();
        let steps = |n: i64| (n % case.steps() + 1) * case.step;
        let cut = case.run().partitions(partitions).windows(steps(window)).segments(steps(segment));
        prop_assert!(whole == cut.texts::<PosEstate>().unwrap());
    }

    #[test]
    fn readings_stay_within_their_bounds(case in cases()) {
        let (mut readings, mut most) = (0, 0);
        case.run()
            .each::<PosEstate>(|batch| {
                if batch.declaration().is_none_or(|table| table.name != "device_metrics") {
                    return;
                }
                readings += batch.rows();
                for row in 0..batch.rows() {
                    let value = |column: &str| batch.f64(column, row).unwrap();
                    assert!(batch.i64("time", row).unwrap().rem_euclid(case.step) == 0);
                    for (column, low, high) in [
                        ("cpu_pct", 0.0, 100.0),
                        ("memory_pct", 0.0, 99.5),
                        ("disk_pct", 0.0, 100.0),
                        ("disk_io_kbps", 0.1, 1e9),
                        ("network_kbps", 0.1, 1e9),
                        ("network_latency_ms", 0.1, 1e6),
                    ] {
                        assert!((low..=high).contains(&value(column)), "{column}: {}", value(column));
                        let hundredths = value(column) * 100.0;
                        assert_eq!(hundredths.round() / 100.0, value(column), "{column} has two decimals");
                    }
                    most = most.max(batch.i32("transactions", row).unwrap());
                }
            })
            .unwrap();
        prop_assert!((0..2_000).contains(&most));
        let all = case.steps() as usize * plan_terminals(&case.config);
        prop_assert!(readings <= all && (!case.incidents.is_empty() || readings == all), "{readings} of {all}");
    }
}

/// How many terminals a configuration has.
fn plan_terminals(config: &str) -> usize {
    let config: pos_estate::config::Config = serde_json::from_str(config).unwrap();
    config.terminals as usize
}
