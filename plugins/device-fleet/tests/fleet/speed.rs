//! How fast rows are made natively: run it with `--ignored --nocapture`.

use std::time::Instant;

use device_fleet::DeviceFleet;
use telemill_sdk::native::Run;
use telemill_sdk::session::GeneratorSession;
use telemill_sdk::time::{DAY, HOUR, SECOND};
use telemill_sdk::{Shard, Window};

#[test]
#[ignore = "a measurement"]
fn rows_per_second() {
    let span = Window::new(1_794_182_400 * SECOND, 1_794_182_400 * SECOND + DAY);
    let began = Instant::now();
    let shard = Shard { seed: 1, partition: 0, partitions: 1, span };
    let mut session = GeneratorSession::<DeviceFleet>::open("{}", shard).unwrap();
    let opened = began.elapsed();
    session.advance(Window::new(span.start + HOUR, span.start + HOUR + HOUR / 4)).unwrap();
    eprintln!("opened in {opened:?}, first snapshot after {:?}", began.elapsed());
    for partitions in [1, 4] {
        let mut rows = [0usize; 2];
        let began = Instant::now();
        Run::new("{}", span)
            .seed(1)
            .partitions(partitions)
            .windows(6 * HOUR)
            .each::<DeviceFleet>(|batch| rows[batch.table()] += batch.rows())
            .unwrap();
        let nanos = began.elapsed().as_nanos() as f64;
        eprintln!("{partitions} partitions: {rows:?} rows, {:.0} ns a row", nanos / rows[1] as f64);
    }
}
