//! `telemill ingest`: rows from a file into the lake, all or nothing.

use super::Verdict;
use super::output::{Output, grouped};
use super::run::on_ctrl_c;
use crate::api::{IngestQuery, ProblemDocument};
use crate::app::App;
use crate::core::problem::Problem;
use crate::ingest::{Format, IngestError, IngestOutcome, LISTED_BAD_ROWS};
use crate::plugin;
use crate::remote::{RemoteError, Server};
use crate::run;
use crate::task::{self, TaskError};
use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use std::fs::File;
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
    /// CSV, NDJSON, OpenSearch bulk lines, line protocol, Parquet or Arrow's IPC format; .gz and .zst are unpacked
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
        let name = self.table.clone();
        let Self { table, file, format, profile, time_field } = self;
        let task = task::Ingest { table, file, format, profile, time_field };
        let taken = match app.server() {
            Some(server) => send(server, &task)?,
            None => match task.run(&app.writer()?.host, run::now(), &on_ctrl_c(app)) {
                Ok(outcome) => Ok(outcome),
                Err(TaskError::Ingest(IngestError::BadRows { file, total, first })) => {
                    Err(BadRows { file, total, first })
                }
                Err(error) => return Err(error.into()),
            },
        };
        match taken {
            Ok(outcome) => {
                let value = json!({ "rows": outcome.rows, "files": outcome.files, "snapshot": outcome.snapshot, "created": outcome.created });
                out.print(&value, |out| {
                    let made = if outcome.created { ", which is new" } else { "" };
                    writeln!(out, "{} rows into {name}{made}", grouped(outcome.rows))?;
                    let mut renamed = outcome.renamed.iter();
                    renamed.try_for_each(|(file, table)| writeln!(out, "  column {file:?} is {table} there"))
                })?;
                Ok(Verdict::Good)
            }
            Err(BadRows { file, total, first }) => {
                let value = json!({ "rows": 0, "bad_rows": total, "first": first });
                out.print(&value, |out| {
                    writeln!(out, "nothing was taken in: {} bad rows in {file}", grouped(total))?;
                    first.iter().try_for_each(|problem| writeln!(out, "  {problem}"))?;
                    let listed = first.len().min(LISTED_BAD_ROWS) as u64;
                    if total > listed { writeln!(out, "  and {} more", grouped(total - listed)) } else { Ok(()) }
                })?;
                Ok(Verdict::Negative)
            }
        }
    }
}

/// Rows that kept the file out.
struct BadRows {
    file: String,
    total: u64,
    first: Vec<Problem>,
}

/// Sends the file to a server, which takes it in as this program would.
fn send(server: &Server, task: &task::Ingest) -> anyhow::Result<Result<IngestOutcome, BadRows>> {
    let into = task::table_of(&task.table)?;
    let name = task.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = File::open(&task.file).with_context(|| format!("can't read {}", task.file.display()))?;
    let text = |name: &String| plugin::named_text("profile", name, plugin::profiles());
    let query = IngestQuery {
        name: name.clone(),
        format: task.format.map(|format| format.as_str().to_owned()),
        time_field: task.time_field.clone(),
        profile: task.profile.clone(),
        profile_text: task.profile.as_ref().map(text).transpose()?,
    };
    match server.ingest(into, &query, file) {
        Ok(outcome) => Ok(Ok(outcome)),
        Err(RemoteError::Refused(document)) if document.total.is_some() => {
            let ProblemDocument { errors: first, total, .. } = *document;
            Ok(Err(BadRows { file: name, total: total.unwrap_or_default(), first }))
        }
        Err(error) => Err(error.into()),
    }
}
