//! Rows to text files, from the sandbox to the disk: transactions to CSV and NDJSON beside the peer's CSV, compression metrics to
//! CSV beside a script with pandas.

use crate::clock::{thread, timed};
use crate::peers::{CompressionScript, Tpchgen};
use crate::report::{Bar, Report, Work, compare, rate};
use crate::shop::{Shop, plan};
use anyhow::{Context, Result};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;
use telemill::core::time::Length;
use telemill::run::{Cancel, Plan, stream};
use telemill::sink::csv::CsvEncoder;
use telemill::sink::ndjson::{NdjsonEncoder, Nulls};
use telemill::sink::{Columns, Encoder};

/// The scenario's thirty days.
const MONTH: Length = Length::from_us(30 * 24 * 3_600 * 1_000_000);
/// Cells per second in relation to the script's.
const TIMES_SCRIPT: f64 = 20.0;

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
    let day = |name: &str, encoder: &mut dyn Encoder| {
        Ok(write(&shop.plan, shop.transactions, &folder.join(name), encoder)?.bytes())
    };
    let csv = || day("t.csv", &mut CsvEncoder::new(columns.clone()));
    let ndjson = || day("t.ndjson", &mut NdjsonEncoder::new(columns.clone(), Nulls::Written));
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

/// The document's columns to CSV: as many rows as the scenario's month has, beside the script that made them before.
pub(crate) fn measure_compression(
    shop: &Shop,
    folder: &Path,
    peers: bool,
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let (_, plan) = plan(&shop.app, "transfer-compression", MONTH)?;
    let layout = plan.layouts.first().context("there are no compression metrics")?;
    let names: Vec<String> =
        layout.table.fields.iter().map(|field| field.name.clone()).filter(|name| name != "incident_id").collect();
    let columns = Columns::select(&layout.schema, &names)?;
    let csv = || {
        let written = write(&plan, 0, &folder.join("c.csv"), &mut CsvEncoder::new(columns.clone()))?;
        Ok(Work { units: written.rows * columns.len() as f64, cpu: written.cpu })
    };
    let name = "compression metrics to CSV";
    if peers {
        let script = CompressionScript::install(&folder.join("script.csv"))?;
        let compared = compare(runs, csv, || script.csv())?;
        report.against(&format!("{name}, beside a script with pandas"), "cells/s", &compared, TIMES_SCRIPT);
    } else {
        report.figure(name, rate(runs, csv)?, "cells/s", Bar::None);
    }
    Ok(())
}

/// What became text.
struct Written {
    rows: f64,
    bytes: f64,
    cpu: Duration,
}

impl Written {
    fn bytes(&self) -> Work {
        Work { units: self.bytes, cpu: self.cpu }
    }
}

/// All rows of one table into a file. Those of other tables are made and dropped.
fn write(plan: &Plan, wanted: usize, path: &Path, encoder: &mut dyn Encoder) -> Result<Written> {
    let ((rows, bytes), cpu) = timed(thread, || {
        let mut file = File::create(path)?;
        let (mut out, mut rows, mut bytes) = (Vec::new(), 0, 0);
        encoder.begin(&mut out)?;
        let mut failed = None;
        stream(plan, &Cancel::default(), &mut |_, batches| {
            for (table, batch) in batches {
                if table == wanted && failed.is_none() {
                    let encoded = encoder.encode(&batch, &mut out).map_err(anyhow::Error::from);
                    failed = encoded.and_then(|()| Ok(file.write_all(&out)?)).err();
                    rows += batch.num_rows();
                    bytes += out.len();
                    out.clear();
                }
            }
            Ok(())
        })?;
        failed.map_or(Ok((rows, bytes)), Err)
    })?;
    Ok(Written { rows: rows as f64, bytes: bytes as f64, cpu })
}
