//! `telemill preview`: rows of any window of a spec, without a lake.

use super::Verdict;
use super::output::{Output, grouped};
use super::run::{Changes, on_ctrl_c};
use crate::app::App;
use crate::core::time::{Length, Timestamp, Window};
use crate::plugin::log_to_tracing;
use crate::run::{self, Plan, RunSpec};
use arrow::compute::concat_batches;
use arrow::json::writer::{JsonArray, WriterBuilder};
use arrow::util::pretty::pretty_format_batches;
use clap::Args;
use serde_json::{Map, Value};
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
        let spec = spec.resolve(run::now(), run::random())?;
        let plan = Plan::make(&app.registry()?, spec, None, app.input_reader(), log_to_tracing())?;
        let start = self.at.unwrap_or(plan.spec.window().start);
        let window = Window::from_start(start, i64::try_from(self.length.us()).unwrap_or(i64::MAX));
        if !window.overlaps(&plan.spec.window()) {
            anyhow::bail!("the window {window} lies outside the run, which covers {}", plan.spec.window());
        }
        if let Some(name) =
            self.table.as_ref().filter(|name| plan.layouts.iter().all(|layout| layout.table.name != **name))
        {
            let known: Vec<_> = plan.layouts.iter().map(|layout| layout.table.name.as_str()).collect();
            anyhow::bail!("there is no table {name:?}; the generator makes {}", known.join(", "));
        }
        let tables = run::preview(&plan, window, &on_ctrl_c(app))?;
        let mut json = Map::new();
        let mut text = String::new();
        for (layout, batches) in plan.layouts.iter().zip(tables) {
            let name = &layout.table.name;
            if self.table.as_ref().is_some_and(|wanted| wanted != name) {
                continue;
            }
            // Guests may send a column as text and as dictionary by turns; people see text.
            let plain = batches.iter().map(|batch| layout.conform(batch)).collect::<Result<Vec<_>, _>>()?;
            let all = concat_batches(&layout.schema, &plain)?;
            let shown = all.slice(0, self.limit.min(all.num_rows()));
            let mut rows = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(Vec::new());
            rows.write(&shown)?;
            rows.finish()?;
            let rows: Value = serde_json::from_slice(&rows.into_inner()).unwrap_or(Value::Array(Vec::new()));
            json.insert(name.clone(), serde_json::json!({ "rows": all.num_rows(), "first": rows }));
            let table = pretty_format_batches(&[shown])?;
            text.push_str(&format!("{name}: {} rows in {window}\n{table}\n", grouped(all.num_rows() as u64)));
        }
        out.print(&json, |out| out.write_all(text.as_bytes()))?;
        Ok(Verdict::Good)
    }
}
