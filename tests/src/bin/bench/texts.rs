//! Transactions to CSV and NDJSON files, from the sandbox to the disk, beside the peer's CSV.

use crate::clock::{thread, timed};
use crate::peers::Tpchgen;
use crate::report::{Bar, Report, Work, compare, rate};
use crate::shop::Shop;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use telemill::run::{Cancel, stream};
use telemill::sink::csv::CsvEncoder;
use telemill::sink::ndjson::{NdjsonEncoder, Nulls};
use telemill::sink::{Columns, Encoder};

pub(crate) fn measure(
    shop: &Shop,
    folder: &Path,
    peer: Option<&Tpchgen>,
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let layout = shop.plan.layouts.get(shop.transactions).context("there are no transactions")?;
    let columns = Columns::all(&layout.schema);
    let csv = || day(shop, &folder.join("t.csv"), &mut CsvEncoder::new(columns.clone()));
    let ndjson = || day(shop, &folder.join("t.ndjson"), &mut NdjsonEncoder::new(columns.clone(), Nulls::Written));
    match peer {
        Some(peer) => {
            let compared = compare(runs, csv, || peer.csv())?;
            report.against("transactions to CSV, beside tpchgen-cli's CSV", "B/s", &compared, 1.0);
            let compared = compare(runs, ndjson, || peer.csv())?;
            report.against("transactions to NDJSON, beside tpchgen-cli's CSV", "B/s", &compared, 1.0);
        }
        None => {
            report.figure("transactions to CSV", rate(runs, csv)?, "B/s", Bar::None);
            report.figure("transactions to NDJSON", rate(runs, ndjson)?, "B/s", Bar::None);
        }
    }
    Ok(())
}

/// Bytes of a day's transactions. The metrics are made and dropped.
fn day(shop: &Shop, path: &Path, encoder: &mut dyn Encoder) -> Result<Work> {
    let (bytes, cpu) = timed(thread, || {
        let mut file = File::create(path)?;
        let (mut out, mut bytes) = (Vec::new(), 0);
        encoder.begin(&mut out)?;
        let mut failed = None;
        stream(&shop.plan, &Cancel::default(), &mut |_, batches| {
            for (table, rows) in batches {
                if table == shop.transactions && failed.is_none() {
                    let encoded = encoder.encode(&rows, &mut out).map_err(anyhow::Error::from);
                    failed = encoded.and_then(|()| Ok(file.write_all(&out)?)).err();
                    bytes += out.len();
                    out.clear();
                }
            }
            Ok(())
        })?;
        failed.map_or(Ok(bytes), Err)
    })?;
    Ok(Work { units: bytes as f64, cpu })
}
