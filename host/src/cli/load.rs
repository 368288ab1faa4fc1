//! `telemill load`: rows into a server.

use super::Verdict;
use super::output::{Output, bytes, grouped};
use crate::app::App;
use crate::batch::TableLayout;
use crate::query::{Scan, TextForm};
use crate::sink::mapping;
use crate::sink::opensearch::{Credentials, OpenSearch, Outcome, Settings};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

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
    after_help = "Example:\n  telemill load opensearch --host localhost:9200 --index ecommerce_performance_demo --source ecommerce.transactions\n  telemill load opensearch --host localhost:9200 --index ecommerce_performance_demo --source ./output/all_data.ndjson --verify"
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
        let server = OpenSearch::connect(self.settings()?)?;
        let bar = if out.quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        let mut progress = |outcome: &Outcome| {
            bar.set_message(format!("{} documents, {}", grouped(outcome.sent), bytes(outcome.bytes)));
            bar.tick();
        };
        let path = Path::new(&self.source);
        let outcome = if path.is_file() {
            if !self.append {
                server.create_index(&self.index, &self.body_of_file(path)?, self.recreate)?;
            }
            server.load_file(&self.index, path, &mut progress)?
        } else {
            let (dataset, table) = self.source.split_once('.').with_context(|| {
                format!("{:?} is neither a file nor a table; write DATASET.TABLE or a path", self.source)
            })?;
            let host = app.reader()?;
            let found = host.runtime.block_on(host.lake.dataset(dataset, None))?;
            let Some(lake_table) = found.table(table) else { bail!("{dataset} has no table {table:?}") };
            let layout = TableLayout::new(lake_table.table.clone());
            if !self.append {
                let body = match &self.mapping {
                    Some(path) => read_json(path)?,
                    None => mapping::index_body(&layout),
                };
                server.create_index(&self.index, &body, self.recreate)?;
            }
            let scan = Scan { text: TextForm::AsStored, ..Scan::new(dataset, table) };
            let rows = app.runtime().block_on(app.query()?.scan(&scan))?;
            server.load_batches(&self.index, &layout, rows.blocking(app.runtime().handle().clone()), &mut progress)?
        };
        bar.finish_and_clear();
        let counted = if self.verify { Some(server.count(&self.index)?) } else { None };
        // What is added to an index says nothing of what was in it.
        let missing = counted.is_some_and(|counted| !self.append && counted != outcome.accepted);
        self.tell(out, &outcome, counted)?;
        Ok(if outcome.refused > 0 || missing { Verdict::Negative } else { Verdict::Good })
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

    fn body_of_file(&self, documents: &Path) -> anyhow::Result<Value> {
        let beside = documents.parent().unwrap_or(Path::new("")).join("mapping.json");
        read_json(self.mapping.as_deref().unwrap_or(&beside))
    }

    fn settings(&self) -> anyhow::Result<Settings> {
        let mut settings = Settings::new(self.host.clone());
        if let Some(user) = &self.user {
            let (user, password) = user.split_once(':').context("--user: write USER:PASSWORD")?;
            settings.credentials = Some(Credentials::Basic { user: user.to_owned(), password: password.to_owned() });
        }
        if let Some(key) = &self.api_key {
            settings.credentials = Some(Credentials::ApiKey(key.clone()));
        }
        if let Some(path) = &self.ca {
            let pem = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
            settings.ca_pem = Some(pem);
        }
        settings.insecure = self.insecure;
        settings.chunk_bytes = self.chunk_bytes.unwrap_or(settings.chunk_bytes);
        Ok(settings)
    }
}

fn read_json(path: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("can't read the mapping {}; name another with --mapping", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
}
