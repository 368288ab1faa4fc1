//! The laws that every run relies on, for the plugin's examples.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use declarative::Simulation;
use telemill_sdk::native::{Run, plan, trouble};
use telemill_sdk::time::{HOUR, MINUTE, SECOND};
use telemill_sdk::{Generator, Incident, Window};

/// 2026-11-09T00:00:00Z, a Monday.
const MONDAY: i64 = 1_794_182_400 * SECOND;

fn examples() -> Vec<String> {
    Simulation::about().examples.into_iter().map(|example| example.config).collect()
}

fn rows(run: &Run) -> BTreeMap<usize, Vec<String>> {
    run.texts::<Simulation>().unwrap()
}

/// Every signal of a system bent, on the last of its targets that has it, in the middle of a span.
fn troubled(config: &str, span: Window) -> Vec<Incident> {
    let simulation = plan::<Simulation>(config).unwrap();
    let middle = Window::new(span.start + span.micros() / 4, span.end - span.micros() / 4);
    let of = |name: &String| simulation.targets.iter().rev().find(|target| target.signals.contains(name));
    let signals = simulation.signals.iter().filter_map(|signal| Some((of(&signal.name)?, signal)));
    signals.map(|(target, signal)| trouble(&target.name, &signal.name, 3.0, middle)).collect()
}

#[test]
fn partitions_windows_and_segments_change_nothing() {
    let span = Window::new(MONDAY + 10 * HOUR, MONDAY + 12 * HOUR);
    for config in examples() {
        let run = |seed: u64| Run::new(&config, span).seed(seed).incidents(troubled(&config, span)).windows(HOUR);
        let whole = rows(&run(7));
        assert_eq!(whole.len(), plan::<Simulation>(&config).unwrap().tables.len(), "every table has rows");
        assert!(whole == rows(&run(7)), "same seed, same rows");
        assert!(whole != rows(&run(8)), "another seed, other rows");
        for partitions in [3, 8] {
            assert!(whole == rows(&run(7).partitions(partitions)), "{partitions} partitions");
        }
        for window in [MINUTE, 7 * MINUTE, 3 * HOUR] {
            assert!(whole == rows(&run(7).windows(window)), "windows of {window}");
        }
        assert!(whole == rows(&run(7).windows(MINUTE).segments(17 * MINUTE).partitions(2)), "segments");
        let late = Window::new(span.start, span.end + HOUR);
        let longer = rows(&Run::new(&config, late).seed(7).incidents(troubled(&config, span)));
        for (table, lines) in whole {
            assert!(lines.iter().all(|line| longer[&table].binary_search(line).is_ok()), "nothing depends on the end");
        }
    }
}

#[test]
fn a_span_that_starts_between_two_steps_keeps_the_grid() {
    let span = Window::new(MONDAY + 17 * SECOND, MONDAY + 17 * SECOND + HOUR);
    let mut times = Vec::new();
    let run = Run::new("{}", span).windows(3 * MINUTE);
    run.each::<Simulation>(|batch| {
        if batch.declaration().unwrap().name == "readings" {
            times.extend((0..batch.rows()).filter_map(|row| batch.i64("time", row)));
        }
    })
    .unwrap();
    assert_eq!(times.len(), 60 * 12);
    assert!(times.iter().all(|t| t % MINUTE == 0 && span.contains(*t)));
}

#[test]
fn every_signal_moves_its_column_and_marks_its_rows() {
    let span = Window::new(MONDAY + 11 * HOUR, MONDAY + 13 * HOUR);
    for config in examples() {
        let simulation = plan::<Simulation>(&config).unwrap();
        for signal in &simulation.signals {
            let see = |incidents: Vec<Incident>| {
                let (mut sum, mut rows, mut marked) = (0.0, 0, 0);
                Run::new(&config, span)
                    .incidents(incidents)
                    .each::<Simulation>(|batch| {
                        let table = batch.declaration().unwrap();
                        if table.name == signal.table {
                            let column = batch.named(&signal.column).unwrap();
                            let data_type = table.field(&signal.column).unwrap().data_type;
                            column.each_number(data_type, batch.rows(), |_, value| sum += value.unwrap_or(0.0));
                            let ids = (0..batch.rows()).filter(|row| batch.text("incident_id", *row).is_some());
                            (rows, marked) = (rows + batch.rows(), marked + ids.count());
                        }
                    })
                    .unwrap();
                (sum, rows, marked)
            };
            let always = Window::new(span.start - HOUR, span.end + HOUR);
            let (base, _, unmarked) = see(Vec::new());
            let system = &simulation.targets[0].name;
            let (bent, rows, marked) = see(vec![trouble(system, &signal.name, 3.0, always)]);
            assert!(bent > base, "{}: {base} to {bent}", signal.name);
            assert!(unmarked == 0 && marked > rows * 9 / 10, "{}: {marked} of {rows}", signal.name);
        }
    }
}
