//! `telemill dataset`: what is in the lake.

use super::Verdict;
use super::output::{Output, bytes, grouped, table};
use crate::app::App;
use crate::lake::{DatasetDetail, TableDetail};
use crate::query::ColumnProfile;
use crate::run;
use crate::task::{self, LakeRows, RowSource as _};
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
    let datasets = match app.server() {
        Some(server) => server.datasets()?,
        None => {
            let host = app.reader()?;
            host.runtime.block_on(host.lake.datasets(None))?
        }
    };
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
        let (dataset, profiles) = match app.server() {
            Some(server) => {
                let dataset = server.dataset(&self.name)?;
                let columns = |table: &TableDetail| server.columns(&self.name, &table.table.name, self.distinct);
                let profiles = dataset.tables.iter().map(columns).collect::<Result<Vec<_>, _>>()?;
                (dataset, profiles)
            }
            None => self.look(app)?,
        };
        let mut json = Vec::new();
        let mut text: Vec<(String, Vec<Vec<String>>)> = Vec::new();
        for (lake_table, columns) in dataset.tables.iter().zip(profiles) {
            let name = &lake_table.table.name;
            let row = |(column, field): (&ColumnProfile, &crate::core::schema::Field)| {
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

    /// The dataset, and what the columns of each of its tables hold.
    fn look(&self, app: &App) -> anyhow::Result<(DatasetDetail, Vec<Vec<ColumnProfile>>)> {
        let host = app.reader()?;
        let dataset = DatasetDetail::from(host.runtime.block_on(host.lake.dataset(&self.name, None))?);
        let engine = app.query()?;
        let columns =
            |table: &TableDetail| host.runtime.block_on(engine.profile(&self.name, &table.table.name, self.distinct));
        let profiles = dataset.tables.iter().map(columns).collect::<Result<Vec<_>, _>>()?;
        Ok((dataset, profiles))
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
        let dropped = match app.server() {
            Some(server) => {
                self.really(&server.dataset(&self.name)?.tables)?;
                server.drop_dataset(&self.name)?
            }
            None => {
                let writer = app.writer()?;
                self.really(&LakeRows::of(&writer.host)?.tables(&self.name)?)?;
                task::drop_dataset(&writer.host, &self.name, run::now())?
            }
        };
        out.print(&dropped, |out| writeln!(out, "dropped {} with {} rows", dropped.dropped, grouped(dropped.rows)))?;
        Ok(Verdict::Good)
    }

    /// A dataset that does not exist was told before.
    fn really(&self, tables: &[TableDetail]) -> anyhow::Result<()> {
        let rows = tables.iter().map(|table| table.rows).sum();
        if !self.yes {
            anyhow::bail!("dropping {} takes {} rows away; add --yes to do it", self.name, grouped(rows));
        }
        Ok(())
    }
}
