//! `telemill export`: tables of the lake as files.

use super::Verdict;
use super::output::{Output, bytes, grouped, table};
use crate::app::App;
use crate::batch::TableLayout;
use crate::core::time::{Timestamp, Window};
use crate::query::{Engine, Scan, TextForm};
use crate::sink::bulk::BulkEncoder;
use crate::sink::{self, Columns, Encoder, Format};
use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

/// Write a dataset, or one of its tables, as files
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill export ecommerce --format csv --output-dir ./export\n  telemill export ecommerce.transactions --format ndjson --from 2026-11-15 --columns timestamp,service,status > rows.ndjson"
)]
pub(super) struct Export {
    /// The dataset, or DATASET.TABLE
    #[arg(value_name = "DATASET[.TABLE]")]
    source: String,
    /// csv, ndjson, parquet or opensearch
    #[arg(long)]
    format: Format,
    /// Only rows from here on
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Only rows before this
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// Only these columns, in this order
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    columns: Vec<String>,
    /// Sort by the table's time
    #[arg(long)]
    ordered: bool,
    /// The index that OpenSearch's action lines name; the table's name where it is left out
    #[arg(long)]
    index: Option<String>,
    /// A folder for one file a table; a single table goes to standard output without one
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Exported {
    table: String,
    file: PathBuf,
    rows: u64,
    bytes: u64,
}

impl Export {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let (dataset, only) = match self.source.split_once('.') {
            Some((dataset, table)) => (dataset, Some(table)),
            None => (self.source.as_str(), None),
        };
        let host = app.reader()?;
        let tables = host.runtime.block_on(host.lake.dataset(dataset, None))?.tables;
        let known: Vec<_> = tables.iter().map(|table| table.table.name.clone()).collect();
        let chosen: Vec<_> =
            tables.into_iter().filter(|table| only.is_none_or(|only| table.table.name == only)).collect();
        if chosen.is_empty() {
            bail!("{dataset} has no table {:?}; it has {}", only.unwrap_or_default(), known.join(", "));
        }
        let engine = app.query()?;
        let layouts = chosen.into_iter().map(|table| TableLayout::new(table.table));
        match (&self.output_dir, only) {
            (None, None) => bail!("name a folder with --output-dir, or a single table as {dataset}.TABLE"),
            (None, Some(_)) => {
                for layout in layouts {
                    let mut stdout = io::BufWriter::new(io::stdout().lock());
                    self.write(app, &engine, dataset, &layout, &mut stdout)?;
                    stdout.flush()?;
                }
            }
            (Some(folder), _) => {
                std::fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
                let mut exported = Vec::new();
                for layout in layouts {
                    let name = &layout.table.name;
                    let file = folder.join(format!("{name}.{}", self.format.extension()));
                    // A reader never sees half a file: it gets its name when it is complete.
                    let partial = folder.join(format!(".{name}.{}.partial", self.format.extension()));
                    let open = File::create(&partial).with_context(|| format!("can't write {}", partial.display()))?;
                    let mut writer = io::BufWriter::with_capacity(1 << 20, open);
                    let written = self.write(app, &engine, dataset, &layout, &mut writer).and_then(|rows| {
                        writer.into_inner().map_err(|error| error.into_error())?.sync_all()?;
                        std::fs::rename(&partial, &file)?;
                        Ok(rows)
                    });
                    let rows = written.inspect_err(|_| drop(std::fs::remove_file(&partial)))?;
                    let bytes = std::fs::metadata(&file)?.len();
                    exported.push(Exported { table: name.clone(), file, rows, bytes });
                }
                out.print(&exported, |out| {
                    let row = |e: &Exported| vec![e.file.display().to_string(), grouped(e.rows), bytes(e.bytes)];
                    table(out, &["file", "rows", "size"], &exported.iter().map(row).collect::<Vec<_>>())
                })?;
            }
        }
        Ok(Verdict::Good)
    }

    fn write(
        &self,
        app: &App,
        engine: &Engine,
        dataset: &str,
        layout: &TableLayout,
        out: &mut dyn Write,
    ) -> anyhow::Result<u64> {
        let bounded = self.from.is_some() || self.to.is_some();
        if bounded && layout.table.time_field.is_none() {
            bail!("{dataset}.{} has no time field, so that --from and --to say nothing", layout.table.name);
        }
        let window = Window { start: self.from.unwrap_or(Timestamp(i64::MIN)), end: self.to.unwrap_or(Timestamp::MAX) };
        let scan = Scan {
            window: bounded.then_some(window),
            order_by: layout.table.time_field.iter().filter(|_| self.ordered).cloned().collect(),
            text: TextForm::AsStored,
            ..Scan::new(dataset, &layout.table.name)
        };
        let mut encoder = self.encoder(layout)?;
        let mut buffer = Vec::new();
        let mut rows = 0;
        encoder.begin(&mut buffer)?;
        for batch in app.runtime().block_on(engine.scan(&scan))?.blocking(app.runtime().handle().clone()) {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            encoder.encode(&batch, &mut buffer)?;
            out.write_all(&buffer)?;
            buffer.clear();
        }
        encoder.finish(&mut buffer)?;
        out.write_all(&buffer)?;
        Ok(rows)
    }

    fn encoder(&self, layout: &TableLayout) -> anyhow::Result<Box<dyn Encoder>> {
        let columns = match self.columns.as_slice() {
            [] => Columns::all(&layout.schema),
            names => Columns::select(&layout.schema, names)?,
        };
        Ok(match self.format {
            Format::Csv => Box::new(sink::csv::CsvEncoder::new(columns)),
            Format::Ndjson => Box::new(sink::ndjson::NdjsonEncoder::new(columns, sink::ndjson::Nulls::Written)),
            Format::Parquet => Box::new(sink::parquet::ParquetEncoder::new(&layout.schema, columns)?),
            Format::Opensearch => {
                let index = Some(self.index.as_deref().unwrap_or(&layout.table.name));
                Box::new(match self.columns.as_slice() {
                    [] => BulkEncoder::for_table(layout, index)?,
                    names => BulkEncoder::for_columns(layout, names, index)?,
                })
            }
        })
    }
}
