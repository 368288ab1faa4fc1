//! What single steps of a row's way cost.

use crate::clock::{thread, timed};
use crate::report::{Bar, Report, Work, rate};
use crate::shop::Shop;
use anyhow::Result;
use std::hint::black_box;
use telemill::batch::{TableFingerprint, to_arrow};

/// Simulated hours of the rows that each step is given again and again.
const HOURS: i64 = 1;
/// How often a round does it, so that it takes long enough to be measured.
const REPEATS: usize = 10;

/// `row_ns` is what a transaction costs on its whole way.
pub(crate) fn measure(shop: &Shop, row_ns: f64, runs: usize, report: &mut Report) -> Result<()> {
    let batches = shop.batches(shop.busy(HOURS))?;
    let layouts = &shop.plan.layouts;
    let rows: u64 = batches.iter().map(|(_, batch)| u64::from(batch.rows)).sum();
    let units = rows as f64 * REPEATS as f64;
    let arrow: Result<Vec<_>, _> =
        batches.iter().map(|(window, batch)| to_arrow(batch.clone(), layouts, *window)).collect();
    let arrow = arrow?;

    let checks = rate(runs, || {
        // Checking takes the buffers over, so each repeat needs its own; making these is not measured.
        let copies: Vec<_> = (0..REPEATS).flat_map(|_| batches.clone()).collect();
        let ((), cpu) = timed(thread, || {
            for (window, batch) in copies {
                black_box(to_arrow(batch, layouts, window)?);
            }
            Ok(())
        })?;
        Ok(Work { units, cpu })
    })?;
    let fingerprint = rate(runs, || {
        let ((), cpu) = timed(thread, || {
            let mut fingerprint = TableFingerprint::default();
            for (_, rows) in (0..REPEATS).flat_map(|_| &arrow) {
                fingerprint.add(rows)?;
            }
            black_box(fingerprint);
            Ok(())
        })?;
        Ok(Work { units, cpu })
    })?;
    for (name, rate) in [("checks", checks), ("fingerprint", fingerprint)] {
        let ns = 1e9 / rate;
        report.figure(&format!("price of the {name}"), ns, "ns a row", Bar::None);
        report.figure(&format!("price of the {name}, of a row's whole way"), ns / row_ns * 100.0, "%", Bar::None);
    }
    Ok(())
}
