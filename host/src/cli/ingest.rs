//! `telemill ingest`: rows from a file into the lake, all or nothing.

use super::Verdict;
use super::output::{Output, grouped};
use super::profiles;
use crate::app::App;
use crate::ingest::{self, Format, IngestError, LISTED_BAD_ROWS, Request};
use crate::run;
use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Take rows from a file into a table, all or nothing; exit code 1 where rows are bad
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill ingest shop.orders orders.csv\n  telemill ingest shop.calls calls.csv --profile ecommerce/calls"
)]
pub(super) struct Ingest {
    /// The table, as DATASET.TABLE; it is made where it is missing
    #[arg(value_name = "DATASET.TABLE")]
    table: String,
    /// CSV, NDJSON, OpenSearch bulk lines, line protocol, Parquet or an Arrow stream; .gz and .zst are unpacked
    file: PathBuf,
    /// csv, ndjson, opensearch, influx, parquet or arrow; by the file's name where it is left out
    #[arg(long)]
    format: Option<Format>,
    /// Read the names and forms of an export profile back: a TOML file, or the name of one that ships, as PLUGIN/NAME
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The column that places rows of a new table in time
    #[arg(long, value_name = "COLUMN")]
    time_field: Option<String>,
}

impl Ingest {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let (dataset, table) =
            self.table.split_once('.').with_context(|| format!("{:?}: write DATASET.TABLE", self.table))?;
        let writer = app.writer()?;
        let request = Request {
            dataset: dataset.to_owned(),
            table: table.to_owned(),
            file: self.file,
            format: self.format,
            profile: profiles::read(self.profile.as_slice())?.pop(),
            time_field: self.time_field,
            writer: writer.host.writer.clone(),
            at: run::now(),
            author: "telemill ingest".to_owned(),
        };
        match ingest::file(&writer.host.lake, &writer.host.runtime, &request) {
            Ok(outcome) => {
                let value = json!({ "rows": outcome.rows, "files": outcome.files, "snapshot": outcome.snapshot, "created": outcome.created });
                out.print(&value, |out| {
                    let made = if outcome.created { ", which is new" } else { "" };
                    writeln!(out, "{} rows into {dataset}.{table}{made}", grouped(outcome.rows))?;
                    let mut renamed = outcome.renamed.iter();
                    renamed.try_for_each(|(file, table)| writeln!(out, "  column {file:?} is {table} there"))
                })?;
                Ok(Verdict::Good)
            }
            Err(IngestError::BadRows { file, total, first }) => {
                let value = json!({ "rows": 0, "bad_rows": total, "first": first });
                out.print(&value, |out| {
                    writeln!(out, "nothing was taken in: {} bad rows in {file}", grouped(total))?;
                    first.iter().try_for_each(|problem| writeln!(out, "  {problem}"))?;
                    let listed = first.len().min(LISTED_BAD_ROWS) as u64;
                    if total > listed { writeln!(out, "  and {} more", grouped(total - listed)) } else { Ok(()) }
                })?;
                Ok(Verdict::Negative)
            }
            Err(error) => Err(error.into()),
        }
    }
}
