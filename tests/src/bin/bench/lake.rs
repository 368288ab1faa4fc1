//! The whole way of a run's rows into the lake, beside the peer's rows into Parquet.

use crate::clock::{process, timed};
use crate::peers::Tpchgen;
use crate::report::{Bar, Report, Work, compare, rate};
use crate::shop::Shop;
use anyhow::{Context, Result};
use std::num::NonZeroUsize;
use telemill::app::Writer;
use telemill::plugin::log_nowhere;
use telemill::run::{Cancel, Existing, Request, RunSpec, Unobserved, start};

/// Also returns nanoseconds of CPU time a transaction.
pub(crate) fn measure(shop: &Shop, peer: Option<&Tpchgen>, runs: usize, report: &mut Report) -> Result<f64> {
    let writer = shop.app.writer()?;
    let spec = RunSpec { existing: Existing::Replace, ..shop.spec.clone() };
    let name = "transactions to Parquet in the lake, one worker";
    let ours = || day(&writer, &spec);
    let rows = match peer {
        Some(peer) => {
            let compared = compare(runs, ours, || peer.parquet())?;
            report.against(&format!("{name}, beside tpchgen-cli"), "rows/s", &compared, 1.0);
            compared.ours
        }
        None => {
            let rows = rate(runs, ours)?;
            report.figure(name, rows, "rows/s", Bar::None);
            rows
        }
    };
    Ok(1e9 / rows)
}

/// One day with everything that a run does but validate: plan, sandbox, checks, fingerprints, files, commit. Only
/// transactions are counted, while the time is that of the metrics as well.
fn day(writer: &Writer, spec: &RunSpec) -> Result<Work> {
    let request = Request { workers: NonZeroUsize::new(1), log: log_nowhere() };
    let run = || Ok(start(&writer.host, spec.clone(), &request, &|_, _| {}, &Unobserved, &Cancel::default())?);
    let (outcome, cpu) = timed(process, run)?;
    let mut tables = outcome.record.tables.iter();
    let total = tables.find(|total| total.table == "transactions").context("the run made no transactions")?;
    Ok(Work { units: total.rows as f64, cpu })
}
