//! `telemill sql`: one read-only query over the lake.

use super::Verdict;
use super::output::Output;
use crate::api::QuerySummary;
use crate::app::App;
use crate::query::{Format, render};
use crate::remote::Server;
use clap::Args;
use std::io::Write as _;

/// Run a read-only query over the lake
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill sql \"SELECT status, count(*) FROM ecommerce.transactions GROUP BY status\""
)]
pub(super) struct Sql {
    /// The query; datasets are schemas
    query: String,
    /// table, csv, json or ndjson
    #[arg(long, value_name = "FORMAT", default_value = "table", default_value_if("json", "true", "json"))]
    format: Format,
}

impl Sql {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        if let Some(server) = app.server() {
            return self.ask(server, out);
        }
        let engine = app.query()?;
        let rows = app.runtime().block_on(engine.sql(&self.query))?;
        let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
        let (written, more) = render(&mut rows.blocking(app.runtime().handle().clone()), self.format, &mut stdout)?;
        if self.format == Format::Json {
            writeln!(stdout)?;
        }
        stdout.flush()?;
        said(&QuerySummary { rows: written, more }, out);
        Ok(Verdict::Good)
    }

    fn ask(&self, server: &Server, out: &Output) -> anyhow::Result<Verdict> {
        let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
        let summary = server.query(&self.query, self.format.as_str(), &mut stdout)?;
        if self.format == Format::Json {
            writeln!(stdout)?;
        }
        stdout.flush()?;
        said(&summary, out);
        Ok(Verdict::Good)
    }
}

/// Says so where a result is not all that there is.
fn said(summary: &QuerySummary, out: &Output) {
    if summary.more && !out.quiet {
        let rows = summary.rows;
        tracing::warn!("only the first {rows} rows are shown; --setting query.rows=N and --format csv show more");
    }
}
