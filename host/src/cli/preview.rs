//! `telemill preview`: rows of any window of a spec, without a lake.

use super::Verdict;
use super::output::Output;
use super::run::{Changes, on_ctrl_c};
use crate::api::PreviewRequest;
use crate::app::App;
use crate::core::time::{Length, Timestamp};
use crate::run::{self, RunSpec};
use crate::task::{self, Form};
use anyhow::bail;
use clap::Args;
use serde_json::Value;
use std::io::Write as _;
use std::path::PathBuf;

/// Show rows of any window of a spec, without writing anything
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill preview ecommerce --at 2026-11-15T14:25:00Z --for 1m --table transactions"
)]
pub(super) struct Preview {
    /// A spec, or the name of a shipped scenario
    spec: PathBuf,
    /// Where the window starts; the start of the run where nothing is given
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// How long the window is
    #[arg(long = "for", value_name = "LENGTH", default_value = "1m")]
    length: Length,
    /// Only this table
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// Rows to show of each table
    #[arg(long, default_value_t = 10)]
    limit: usize,
    #[command(flatten)]
    changes: Changes,
}

impl Preview {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let mut spec = RunSpec::named(&self.spec)?;
        spec.change(&self.changes.given())?;
        let form = if out.json { Form::Json } else { Form::Table };
        let mut stdout = std::io::stdout().lock();
        match app.server() {
            Some(server) => {
                let Value::Object(spec) = serde_json::to_value(&spec)? else { bail!("the spec is no object") };
                let request = PreviewRequest {
                    spec,
                    at: self.at,
                    length: Some(self.length),
                    table: self.table,
                    limit: Some(u32::try_from(self.limit).unwrap_or(u32::MAX)),
                    format: Some(form.as_str().to_owned()),
                };
                server.preview(&request, &mut stdout)?;
            }
            None => {
                let task =
                    task::Preview { spec, at: self.at, length: self.length, table: self.table, limit: self.limit };
                let shown = task.run(&app.registry()?, app.input_reader(), run::now(), form, &on_ctrl_c(app))?;
                stdout.write_all(&shown)?;
            }
        }
        Ok(Verdict::Good)
    }
}
