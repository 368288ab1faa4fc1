//! `telemill export`: tables of the lake as files.

use super::Verdict;
use super::output::Output;
use super::profiles;
use super::run::on_ctrl_c;
use super::span::Span;
use crate::app::App;
use crate::sink::Format;
use crate::task::{self, LakeRows, RowSource};
use clap::Args;
use std::io::{self, Write as _};
use std::path::PathBuf;

/// Write a dataset, or one of its tables, as files
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill export ecommerce --format csv --output-dir ./export\n  telemill export ecommerce.transactions --format ndjson --from 2026-11-15 \\\n    --columns timestamp,service,status > rows.ndjson\n  telemill export ecommerce --profile ecommerce/calls --output-dir ./export"
)]
pub(super) struct Export {
    /// The dataset, or DATASET.TABLE
    #[arg(value_name = "DATASET[.TABLE]")]
    source: String,
    /// csv, ndjson, parquet or opensearch
    #[arg(long, required_unless_present = "profile")]
    format: Option<Format>,
    /// Write the columns, names and forms of a profile: a TOML file, or the name of one that ships, as PLUGIN/NAME
    #[arg(long, value_name = "NAME", conflicts_with_all = ["format", "columns", "index"])]
    profile: Vec<String>,
    #[command(flatten)]
    span: Span,
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

impl Export {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let Span { from, to, last } = self.span;
        let Self { source, format, profile, columns, ordered, index, output_dir, .. } = self;
        let task = task::Export { source, format, profile, from, to, last, columns, ordered, index, output_dir };
        match app.server() {
            Some(server) => export(app, out, &task, server),
            None => export(app, out, &task, &LakeRows::of(&app.reader()?)?),
        }
    }
}

/// The files or the bytes are made here, wherever the rows are.
fn export(app: &App, out: &Output, task: &task::Export, rows: &dyn RowSource) -> anyhow::Result<Verdict> {
    let cancel = on_ctrl_c(app);
    if task.output_dir.is_some() {
        profiles::tell(out, &task.rows_to_folder(rows, &cancel)?)?;
        return Ok(Verdict::Good);
    }
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    let skipped = task.to_writer(rows, &cancel, &mut stdout)?;
    stdout.flush()?;
    skipped.iter().for_each(|(table, rows)| profiles::warn_of_skipped(table, *rows));
    Ok(Verdict::Good)
}
