//! How fast rows are made natively, and how fast a shard opens: run it with `--ignored --nocapture`.

use std::time::Instant;

use telemill_sdk::native::Run;
use telemill_sdk::time::{DAY, HOUR, MINUTE};
use telemill_sdk::{Shard, Window};
use transfer_compression::{Config, TransferCompression};

use crate::frame::MONDAY;

#[test]
#[ignore = "a measurement"]
fn rows_per_second() {
    for (config, length, window) in [
        (r#"{"transfers_per_hour": 3600000}"#, HOUR / 4, 20 * 1_000_000),
        (r#"{"transfers_per_hour": 3600000, "selection": "random"}"#, HOUR / 4, 20 * 1_000_000),
        (r#"{"transfers_per_hour": 36000}"#, DAY, 30 * MINUTE),
        ("{}", 100 * DAY, 5 * DAY),
    ] {
        let mut rows = 0;
        let began = Instant::now();
        Run::new(config, Window::new(MONDAY, MONDAY + length))
            .seed(1)
            .windows(window)
            .each::<TransferCompression>(|batch| rows += batch.rows())
            .unwrap();
        eprintln!("{config}: {rows} rows, {:.0} ns a row", began.elapsed().as_nanos() as f64 / rows as f64);
    }
    let shard = Shard { seed: 1, partition: 0, partitions: 1, span: Window::new(MONDAY, MONDAY + DAY) };
    let began = Instant::now();
    let opened = (0..100).map(|_| TransferCompression::new(&Config::default(), shard)).filter(|_| true).count();
    eprintln!("opens in {:.2} ms", began.elapsed().as_secs_f64() * 1e3 / opened as f64);
}
