//! `telemill fit`: from a sample to a run spec that makes more of its kind, and how close that comes.

use super::Verdict;
use super::output::{Output, grouped, table};
use super::run::on_ctrl_c;
use crate::app::App;
use crate::fit::{self, ColumnCloseness, Report, Request};
use crate::ingest::Format;
use crate::plugin::log_to_tracing;
use crate::run::{self, Plan, RunSpec};
use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Write a run spec that makes rows like those of a sample, and tell how close they come
///
/// The spec configures the generator `declarative`: rows on a grid or at random, the distribution of each column, levels by entity,
/// hour and weekday, and memory. The distance is Kolmogorov and Smirnov's for numbers and times, the total variation for texts.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill fit orders.csv -o more_orders.toml\n  telemill fit metrics.parquet --time-field seen_at --entity host --at-most 0.05\n  telemill run start more_orders.toml"
)]
pub(super) struct Fit {
    /// CSV, NDJSON, OpenSearch bulk lines or Parquet; .gz and .zst are unpacked
    file: PathBuf,
    /// csv, ndjson, opensearch or parquet; by the file's name where it is left out
    #[arg(long)]
    format: Option<Format>,
    /// Where the spec goes; the sample's name with the ending .toml, in the working folder, where it is left out
    #[arg(long, short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the spec even where there is a file
    #[arg(long)]
    replace: bool,
    /// The column that places rows in time: times, numbers since 1970 in seconds or finer, or seconds since a start
    #[arg(long, value_name = "COLUMN")]
    time_field: Option<String>,
    /// The column of text that says what a row is about, such as a host, where rows come at regular times
    #[arg(long, value_name = "COLUMN")]
    entity: Option<String>,
    /// End with exit code 1 where a column's distance is greater, 0 to 1
    #[arg(long, value_name = "DISTANCE")]
    at_most: Option<f64>,
}

impl Fit {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        if self.at_most.is_some_and(|most| !(0.0..=1.0).contains(&most)) {
            bail!("--at-most is a distance between 0 and 1");
        }
        let request =
            Request { file: self.file, format: self.format, time_field: self.time_field, entity: self.entity };
        let fitted = fit::fit(&request)?;
        let path = self.output.unwrap_or_else(|| PathBuf::from(format!("{}.toml", fitted.name())));
        write(&path, &fitted.document, self.replace)?;
        let spec = RunSpec::parse(&fitted.document, false, &path.display().to_string())?;
        let spec = spec.resolve(run::now(), run::random())?;
        let plan = Plan::make(&app.registry()?, spec, None, app.input_reader(), log_to_tracing())?;
        let report = fitted.report(&plan, &on_ctrl_c(app))?;
        let far =
            |column: &&ColumnCloseness| self.at_most.is_some_and(|most| column.distance.is_some_and(|d| d > most));
        let far: Vec<&str> = report.columns.iter().filter(far).map(|column| column.column.as_str()).collect();
        let mut value = serde_json::to_value(&report)?;
        value["spec"] = json!(path);
        value["farthest"] = json!(report.farthest());
        value["too_far"] = json!(far);
        out.print(&value, |out| {
            tell(out, &report)?;
            writeln!(out, "\n{0} is the spec; telemill run start {0} makes its rows", path.display())?;
            match self.at_most {
                Some(most) if !far.is_empty() => writeln!(out, "farther than {most}: {}", far.join(", ")),
                _ => Ok(()),
            }
        })?;
        Ok(if far.is_empty() { Verdict::Good } else { Verdict::Negative })
    }
}

fn write(path: &Path, document: &str, replace: bool) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    if replace {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    match options.open(path) {
        Ok(mut file) => file.write_all(document.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            bail!("{} exists: name another file with -o, or write it anew with --replace", path.display())
        }
        Err(error) => Err(error),
    }
    .with_context(|| format!("can't write {}", path.display()))
}

fn tell(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let (sample, made) = (grouped(report.sample_rows), grouped(report.made_rows));
    writeln!(out, "{sample} rows of the sample, {made} made: {}\n", report.rows)?;
    let number = |number: Option<f64>| number.map_or("-".to_owned(), |number| format!("{number:.3}"));
    let row = |column: &ColumnCloseness| {
        vec![
            column.column.clone(),
            column.data_type.clone(),
            number(column.distance),
            number(column.by_chance),
            number(Some(column.null_share_difference)),
            number(column.lag_1_difference),
            column.written.clone(),
        ]
    };
    let rows: Vec<_> = report.columns.iter().map(row).collect();
    table(out, &["column", "type", "distance", "by chance", "nulls", "lag-1", "written"], &rows)?;
    if report.columns.iter().any(|column| !column.notes.is_empty()) || !report.notes.is_empty() {
        writeln!(out)?;
    }
    report.notes.iter().try_for_each(|note| writeln!(out, "{note}"))?;
    for column in &report.columns {
        column.notes.iter().try_for_each(|note| writeln!(out, "{}: {note}", column.column))?;
    }
    for pair in &report.pairs {
        let [a, b] = &pair.columns;
        writeln!(out, "{a} and {b}: a correlation of {:.2}, made {:.2}", pair.sample, pair.made)?;
    }
    Ok(())
}
