//! How fast rows are made natively: run it with `--ignored --nocapture`.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::time::Instant;

use pos_estate::PosEstate;
use telemill_sdk::native::Run;
use telemill_sdk::session::GeneratorSession;
use telemill_sdk::time::{HOUR, MINUTE, SECOND};
use telemill_sdk::{Shard, Window};

#[test]
#[ignore = "a measurement"]
fn rows_per_second() {
    let start = 1_794_355_200 * SECOND;
    for (config, hours) in [("{}", 24), (r#"{"sites": 500, "terminals": 5000}"#, 1)] {
        let span = Window::new(start + 9 * HOUR, start + (9 + hours) * HOUR);
        let shard = Shard { seed: 1, partition: 0, partitions: 1, span };
        let began = Instant::now();
        let mut session = GeneratorSession::<PosEstate>::open(config, shard).unwrap();
        let opened = began.elapsed();
        let began = Instant::now();
        session.advance(Window::new(span.start, span.start + MINUTE)).unwrap();
        let first = began.elapsed();
        let mut rows: BTreeMap<String, usize> = BTreeMap::new();
        let began = Instant::now();
        Run::new(config, span)
            .seed(1)
            .windows(if hours == 24 { HOUR } else { MINUTE })
            .each::<PosEstate>(|b| *rows.entry(b.declaration().unwrap().name.clone()).or_default() += b.rows())
            .unwrap();
        let (seconds, all) = (began.elapsed().as_secs_f64(), rows.values().sum::<usize>());
        eprintln!(
            "{config}: opened in {opened:?}, first minute {first:?}; {all} rows, {:.2} M a second; {rows:?}",
            all as f64 / seconds / 1e6
        );
    }
}
