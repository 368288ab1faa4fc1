//! `telemill load`: rows into a server.

use super::Verdict;
use super::output::{Output, bytes, grouped};
use super::run::on_ctrl_c;
use crate::app::App;
use crate::sink::opensearch::{Credentials, Outcome};
use crate::task::{self, LakeRows};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use serde_json::json;
use std::path::PathBuf;

/// Load rows into a server
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Example:\n  telemill load opensearch --index ecommerce_performance_demo --source ecommerce.transactions"
)]
pub(super) enum Load {
    Opensearch(Opensearch),
}

/// Create an index and send documents to it; exit code 1 where some are refused
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill load opensearch --index ecommerce_performance_demo --source ecommerce.transactions\n  telemill load opensearch --host localhost:9200 --index ecommerce_performance_demo \\\n    --source ./output/all_data.ndjson --verify"
)]
pub(super) struct Opensearch {
    /// The server, such as localhost:9200 or https://search.example:9200
    #[arg(long, default_value = "localhost:9200")]
    host: String,
    /// The index
    #[arg(long)]
    index: String,
    /// A table of the lake as DATASET.TABLE, or a file of bulk lines with its mapping.json beside it
    #[arg(long, default_value = "ecommerce.transactions", value_name = "TABLE|FILE")]
    source: String,
    /// The index's mapping, a JSON file; made from the table, or taken from beside the file, where it is left out
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Delete an index of that name first
    #[arg(long)]
    recreate: bool,
    /// Add to an index that is there
    #[arg(long, conflicts_with = "recreate")]
    append: bool,
    /// Count the documents afterwards and compare
    #[arg(long)]
    verify: bool,
    /// User and password, as USER:PASSWORD
    #[arg(long, env = "TELEMILL_OPENSEARCH_USER", hide_env_values = true, value_name = "USER:PASSWORD")]
    user: Option<String>,
    /// An API key
    #[arg(long, env = "TELEMILL_OPENSEARCH_API_KEY", hide_env_values = true, conflicts_with = "user")]
    api_key: Option<String>,
    /// Certificates (PEM) to trust instead of the usual ones
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Trust any certificate
    #[arg(long)]
    insecure: bool,
    /// Most bytes of one request
    #[arg(long, value_name = "BYTES")]
    chunk_bytes: Option<usize>,
}

impl Load {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        match self {
            Self::Opensearch(command) => command.run(app, out),
        }
    }
}

impl Opensearch {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let bar = if out.quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        let mut progress = |outcome: &Outcome| {
            bar.set_message(format!("{} documents, {}", grouped(outcome.sent), bytes(outcome.bytes)));
            bar.tick();
        };
        let task = self.task()?;
        let cancel = on_ctrl_c(app);
        let loaded = match app.server() {
            _ if task.is_file() => task.run(None, &cancel, &mut progress)?,
            Some(server) => task.run(Some(server), &cancel, &mut progress)?,
            None => task.run(Some(&LakeRows::of(&app.reader()?)?), &cancel, &mut progress)?,
        };
        bar.finish_and_clear();
        self.tell(out, &loaded.outcome, loaded.counted)?;
        Ok(if loaded.complete { Verdict::Good } else { Verdict::Negative })
    }

    fn tell(&self, out: &Output, outcome: &Outcome, counted: Option<u64>) -> anyhow::Result<()> {
        let value = json!({ "index": self.index, "sent": outcome.sent, "accepted": outcome.accepted, "refused": outcome.refused,
            "retried": outcome.retried, "bytes": outcome.bytes, "counted": counted });
        out.print(&value, |out| {
            let (accepted, sent) = (grouped(outcome.accepted), grouped(outcome.sent));
            writeln!(
                out,
                "{accepted} of {sent} documents are in {} ({} sent again)",
                self.index,
                grouped(outcome.retried)
            )?;
            if let Some(counted) = counted {
                writeln!(out, "the index counts {} documents", grouped(counted))?;
            }
            if outcome.refused > 0 {
                writeln!(out, "{} were refused", grouped(outcome.refused))?;
            }
            outcome.refusals.iter().try_for_each(|refusal| writeln!(out, "  {}: {}", refusal.status, refusal.reason))
        })
    }

    fn task(&self) -> anyhow::Result<task::Load> {
        let basic = |user: &String| {
            let (user, password) = user.split_once(':').context("--user: write USER:PASSWORD")?;
            anyhow::Ok(Credentials::Basic { user: user.to_owned(), password: password.to_owned() })
        };
        let key = self.api_key.clone().map(Credentials::ApiKey);
        Ok(task::Load {
            host: self.host.clone(),
            index: self.index.clone(),
            source: self.source.clone(),
            mapping: self.mapping.clone(),
            recreate: self.recreate,
            append: self.append,
            verify: self.verify,
            ca: self.ca.clone(),
            insecure: self.insecure,
            chunk_bytes: self.chunk_bytes,
            credentials: key.or(self.user.as_ref().map(basic).transpose()?),
        })
    }
}
