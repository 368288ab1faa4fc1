//! `telemill import user-data` and `telemill user-data`: metrics of many users, taken in, counted and merged.

use super::Verdict;
use super::output::{Output, grouped, table};
use crate::api::ProblemDocument;
use crate::app::App;
use crate::batch::TableLayout;
use crate::remote::{Archive, RemoteError, Server};
use crate::run;
use crate::task::{RowSource as _, TaskError};
use crate::user_data::{self, DATASET, Merged, TRAINING, UserDataError};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Take in files of a known kind
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  telemill import user-data ./user_data")]
pub(super) enum Import {
    UserData(ImportUserData),
}

/// Take in users' files, all or nothing; exit code 1 where one can't be taken in
///
/// A file is named {user_id}_{source}_{yyyymmdd}_{hhmmss}.csv, where source is external, simulation or web. It has the columns
/// timestamp (seconds since the start), cpu_percent, memory_percent, memory_used_gb, disk_read_mb, disk_write_mb,
/// network_sent_mb, network_recv_mb and phase, and perhaps user_id, source, label and collection_timestamp.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill import user-data ./user_data")]
pub(super) struct ImportUserData {
    /// The folder of the files
    dir: PathBuf,
    /// The dataset that they go to
    #[arg(long, default_value = DATASET)]
    dataset: String,
}

/// Merge and count what users gave
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  telemill user-data stats")]
pub(super) enum UserData {
    Merge(Merge),
    Stats(Stats),
}

/// Add what was not merged yet to training_data, and write it as a file; a second merge adds nothing
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill user-data merge --csv ./training_data.csv")]
pub(super) struct Merge {
    /// The dataset of the users' data
    #[arg(long, default_value = DATASET)]
    dataset: String,
    /// Where the file goes; training_data.csv in the data folder where it is left out, and no file of a server's data
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

/// Count files and samples by user
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill user-data stats --json")]
pub(super) struct Stats {
    /// The dataset of the users' data
    #[arg(long, default_value = DATASET)]
    dataset: String,
}

impl Import {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let Self::UserData(ImportUserData { dir, dataset }) = self;
        let imported = match app.server() {
            Some(server) => match server.import_users(&dataset, Archive::of(user_data::files_in(&dir)?)) {
                Err(RemoteError::Refused(document)) if document.total.is_some() => {
                    let ProblemDocument { errors: first, total, .. } = *document;
                    Err(UserDataError::BadFiles { total: total.unwrap_or_default(), first })
                }
                answer => Ok(answer?),
            },
            None => user_data::import(&app.writer()?.host, &dataset, &dir, run::now()),
        };
        match imported {
            Ok(imported) => {
                out.print(&imported, |out| {
                    let (files, samples) = (grouped(imported.files), grouped(imported.samples));
                    writeln!(out, "{files} files with {samples} samples into {dataset}")?;
                    match imported.known {
                        0 => Ok(()),
                        known => writeln!(out, "{} files were there already", grouped(known)),
                    }
                })?;
                Ok(Verdict::Good)
            }
            Err(UserDataError::BadFiles { total, first }) => {
                out.print(&json!({ "files": 0, "problems": total, "first": first }), |out| {
                    writeln!(out, "nothing was taken in: {} problems", grouped(total))?;
                    first.iter().try_for_each(|problem| writeln!(out, "  {problem}"))?;
                    match total.saturating_sub(first.len() as u64) {
                        0 => Ok(()),
                        more => writeln!(out, "  and {} more", grouped(more)),
                    }
                })?;
                Ok(Verdict::Negative)
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl UserData {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        match self {
            Self::Merge(command) => command.run(app, out),
            Self::Stats(command) => command.run(app, out),
        }
    }
}

impl Merge {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let (merged, csv) = match app.server() {
            Some(server) => {
                let merged = self.some(server.merge_users(&self.dataset)?)?;
                self.csv.as_deref().map(|csv| self.fetch(server, csv)).transpose()?;
                (merged, self.csv)
            }
            None => {
                let csv = self.csv.clone().unwrap_or_else(|| app.data_dir().join("training_data.csv"));
                let writer = app.writer()?;
                let merged = self.some(user_data::merge(&writer.host, &self.dataset, run::now())?)?;
                user_data::write_csv(&writer.host, &self.dataset, &csv)?;
                (merged, Some(csv))
            }
        };
        let mut value = serde_json::to_value(&merged)?;
        value["csv"] = json!(csv);
        out.print(&value, |out| {
            let (files, samples) = (grouped(merged.merged_files), grouped(merged.merged_samples));
            writeln!(out, "{files} files with {samples} samples added")?;
            // A server writes no file of its own accord.
            let place = csv.as_ref().map_or(format!("{}.{TRAINING}", self.dataset), |csv| csv.display().to_string());
            writeln!(out, "{} samples in {place}", grouped(merged.training_samples))
        })?;
        Ok(Verdict::Good)
    }

    fn some(&self, merged: Merged) -> anyhow::Result<Merged> {
        if merged.training_samples == 0 {
            anyhow::bail!("{} has no samples; `telemill import user-data DIR` takes some in", self.dataset);
        }
        Ok(merged)
    }

    /// Writes the server's rows to train on as a file here.
    fn fetch(&self, server: &Server, csv: &Path) -> anyhow::Result<()> {
        let tables = server.tables(&self.dataset)?;
        let found = tables.into_iter().find(|found| found.table.name == TRAINING);
        let layout = TableLayout::new(found.with_context(|| format!("{} has no {TRAINING}", self.dataset))?.table);
        let rows = server.rows(&user_data::training_scan(&self.dataset))?;
        let source = |error: TaskError| UserDataError::Source(Box::new(error));
        user_data::write_rows(&layout.schema, &mut rows.map(|batch| batch.map_err(source)), csv)?;
        Ok(())
    }
}

impl Stats {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let stats = match app.server() {
            Some(server) => server.count_users(&self.dataset)?,
            None => user_data::stats(&app.reader()?, &self.dataset)?,
        };
        out.print(&stats, |out| {
            let rows = stats.users.iter();
            let rows = rows.map(|(user, of)| vec![user.clone(), grouped(of.files), grouped(of.samples)]);
            table(out, &["user", "files", "samples"], &rows.collect::<Vec<_>>())?;
            let (files, samples) = (grouped(stats.user_files), grouped(stats.total_user_samples));
            writeln!(out, "{} users, {files} files, {samples} samples", stats.users.len())
        })?;
        Ok(Verdict::Good)
    }
}
