//! How fast rows are made natively: run it with `--ignored --nocapture`.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Instant;

use telemill_sdk::Window;
use telemill_sdk::native::Run;
use telemill_sdk::time::{HOUR, MINUTE, SECOND};
use user_workloads::Workloads;

#[test]
#[ignore = "a measurement"]
fn rows_per_second() {
    let start = 1_794_182_400 * SECOND;
    let began = Instant::now();
    let mut rows = 0;
    Run::new("{}", Window::new(start, start + 12 * HOUR))
        .windows(20 * MINUTE)
        .each::<Workloads>(|batch| rows += batch.rows())
        .unwrap();
    let nanos = began.elapsed().as_nanos() as f64;
    eprintln!("{rows} rows, {:.0} ns a row", nanos / f64::from(u32::try_from(rows).unwrap()));
}
