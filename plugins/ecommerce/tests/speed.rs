//! How fast rows are made natively: run it with `--ignored --nocapture`.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Instant;

use ecommerce::Shop;
use telemill_sdk::Window;
use telemill_sdk::native::Run;
use telemill_sdk::time::{HOUR, MINUTE, SECOND};

#[test]
#[ignore = "a measurement"]
fn rows_per_second() {
    let start = 1_794_182_400 * SECOND;
    for partitions in [1, 4] {
        let mut rows = [0usize; 2];
        let began = Instant::now();
        Run::new("{}", Window::new(start + 8 * HOUR, start + 20 * HOUR))
            .seed(1)
            .partitions(partitions)
            .windows(20 * MINUTE)
            .each::<Shop>(|batch| rows[batch.table()] += batch.rows())
            .unwrap();
        let nanos = began.elapsed().as_nanos() as f64;
        eprintln!("{partitions} partitions: {rows:?} rows, {:.0} ns a row of transactions", nanos / rows[0] as f64);
    }
}
