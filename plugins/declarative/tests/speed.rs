//! How fast rows are made natively: run it with `--ignored --nocapture`.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Instant;

use declarative::Simulation;
use telemill_sdk::native::Run;
use telemill_sdk::time::{DAY, HOUR, SECOND};
use telemill_sdk::{Generator, Window};

#[test]
#[ignore = "a measurement"]
fn rows_per_second() {
    let start = 1_794_182_400 * SECOND;
    for example in Simulation::about().examples {
        let (mut rows, mut cells) = (0, 0);
        let began = Instant::now();
        Run::new(example.config, Window::new(start, start + 14 * DAY))
            .windows(6 * HOUR)
            .each::<Simulation>(|batch| {
                rows += batch.rows();
                cells += batch.rows() * batch.columns().len();
            })
            .unwrap();
        let nanos = began.elapsed().as_nanos() as f64;
        eprintln!(
            "{}: {rows} rows, {:.0} ns a row, {:.0} ns a cell",
            example.name,
            nanos / rows as f64,
            nanos / cells as f64
        );
    }
}
