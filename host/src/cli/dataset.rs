//! `telemill dataset`: what is in the lake.

use super::Verdict;
use super::output::{Output, bytes, grouped, table};
use crate::app::App;
use crate::run;
use clap::{Args, Subcommand};
use serde_json::json;

/// List, show and drop datasets
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  telemill dataset show ecommerce")]
pub(super) enum Dataset {
    List(List),
    Show(Show),
    Drop(Drop),
}

/// List datasets with their rows and sizes
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill dataset list")]
pub(super) struct List {}

/// Show a dataset's tables and columns
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill dataset show ecommerce")]
pub(super) struct Show {
    /// The dataset
    name: String,
    /// Count distinct values, which reads all rows
    #[arg(long)]
    distinct: bool,
}

/// Take a dataset away; older snapshots keep it until they expire
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  telemill dataset drop ecommerce --yes")]
pub(super) struct Drop {
    /// The dataset
    name: String,
    /// Really
    #[arg(long)]
    yes: bool,
}

impl Dataset {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        match self {
            Self::List(List {}) => list(app, out),
            Self::Show(command) => command.run(app, out),
            Self::Drop(command) => command.run(app, out),
        }
    }
}

fn list(app: &App, out: &Output) -> anyhow::Result<Verdict> {
    let host = app.reader()?;
    let datasets = host.runtime.block_on(host.lake.datasets(None))?;
    out.print(&datasets, |out| {
        let rows = datasets
            .iter()
            .map(|d| vec![d.name.clone(), grouped(d.tables), grouped(d.files), grouped(d.rows), bytes(d.bytes)]);
        table(out, &["dataset", "tables", "files", "rows", "size"], &rows.collect::<Vec<_>>())
    })?;
    Ok(Verdict::Good)
}

impl Show {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let host = app.reader()?;
        let dataset = host.runtime.block_on(host.lake.dataset(&self.name, None))?;
        let engine = app.query()?;
        let mut json = Vec::new();
        let mut text: Vec<(String, Vec<Vec<String>>)> = Vec::new();
        for lake_table in &dataset.tables {
            let name = &lake_table.table.name;
            let columns = host.runtime.block_on(engine.profile(&self.name, name, self.distinct))?;
            let row = |(column, field): (&crate::query::ColumnProfile, &crate::core::schema::Field)| {
                let kind = format!("{:?}", column.data_type).to_lowercase();
                let text = |value: &Option<String>| value.clone().unwrap_or_default();
                let distinct = column.distinct.map(grouped).unwrap_or_default();
                let unit = field.unit.clone().unwrap_or_default();
                vec![
                    format!("  {}", column.name),
                    kind,
                    unit,
                    grouped(column.nulls),
                    shortened(&text(&column.min)),
                    shortened(&text(&column.max)),
                    distinct,
                    field.summary.clone(),
                ]
            };
            let rows = columns.iter().zip(&lake_table.table.fields).map(row).collect();
            let title = format!(
                "{name}: {} rows, {}. {}",
                grouped(lake_table.rows),
                bytes(lake_table.bytes),
                lake_table.table.summary
            );
            json.push(json!({ "table": lake_table.table, "rows": lake_table.rows, "bytes": lake_table.bytes, "columns": columns }));
            text.push((title, rows));
        }
        out.print(&json!({ "dataset": self.name, "snapshot": dataset.snapshot, "tables": json }), |out| {
            for (title, rows) in &text {
                writeln!(out, "{title}")?;
                table(out, &["  column", "type", "unit", "nulls", "min", "max", "distinct", "what"], rows)?;
                writeln!(out)?;
            }
            Ok(())
        })?;
        Ok(Verdict::Good)
    }
}

fn shortened(text: &str) -> String {
    const LENGTH: usize = 28;
    if text.chars().count() <= LENGTH {
        text.to_owned()
    } else {
        text.chars().take(LENGTH - 1).chain(['…']).collect()
    }
}

impl Drop {
    fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let writer = app.writer()?;
        let host = &writer.host;
        // A dataset that does not exist is told before anything is asked.
        let dataset = host.runtime.block_on(host.lake.dataset(&self.name, None))?;
        let rows: u64 = dataset.tables.iter().map(|table| table.rows).sum();
        if !self.yes {
            anyhow::bail!("dropping {} takes {} rows away; add --yes to do it", self.name, grouped(rows));
        }
        let snapshot = host.runtime.block_on(async {
            let mut tx = host.store.write().await?;
            let snapshot = host.lake.drop_dataset(&mut tx, &self.name, run::now(), "telemill").await?;
            tx.commit().await?;
            anyhow::Ok(snapshot)
        })?;
        out.print(&json!({ "dropped": self.name, "rows": rows, "snapshot": snapshot }), |out| {
            writeln!(out, "dropped {} with {} rows", self.name, grouped(rows))
        })?;
        Ok(Verdict::Good)
    }
}
