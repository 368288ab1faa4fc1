//! `telemill clean`: a recipe's steps over a table, into a dataset of its own.

use super::Verdict;
use super::output::{Output, grouped, table};
use super::run::on_ctrl_c;
use super::span::Span;
use crate::api::{CleanRequest, Text};
use crate::app::App;
use crate::clean::{Class, Cleaned, FilledClass, StepReport};
use crate::{plugin, run, task};
use clap::Args;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Classes that are listed of what one step removed, and of what it filled in one column; `--json` lists all.
const LISTED_CLASSES: usize = 10;
const FILLED_CLASSES: usize = 4;

/// Clean a table by a recipe of SQL steps, into a dataset of its own
///
/// Each step is one SELECT over `input`, the table as the step before left it. Tells what each removed and filled.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  telemill clean ecommerce --recipe ecommerce/response-times -o tidy --replace\n  telemill clean ecommerce --recipe ecommerce/response-times -o lately --last 30d --json"
)]
pub(super) struct Clean {
    /// The dataset that has the recipe's table
    dataset: String,
    /// The recipe: a TOML file, or the name of one that ships, as PLUGIN/NAME
    #[arg(long, value_name = "NAME")]
    recipe: String,
    /// The dataset that the rows go to
    #[arg(long, short = 'o', value_name = "DATASET")]
    output: String,
    /// Begin that dataset anew
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    span: Span,
}

impl Clean {
    pub(super) fn run(self, app: &App, out: &Output) -> anyhow::Result<Verdict> {
        let Span { from, to, last } = self.span;
        let Self { dataset, recipe, output, replace, .. } = self;
        let cleaned = match app.server() {
            Some(server) => {
                // A recipe of this machine goes along; the server reads no file for it.
                let text = plugin::named_text("recipe", &recipe, plugin::recipes())?;
                let recipe = Text { name: recipe, text: Some(text) };
                server.clean(&dataset, &CleanRequest { recipe, output, replace, from, to, last })?
            }
            None => {
                let task = task::Clean { dataset, recipe, output, replace, from, to, last };
                task.run(&app.writer()?.host, run::now(), &on_ctrl_c(app))?
            }
        };
        out.print(&cleaned, |out| tell(out, &cleaned))?;
        Ok(Verdict::Good)
    }
}

fn tell(out: &mut dyn Write, cleaned: &Cleaned) -> io::Result<()> {
    let row = |step: &StepReport| {
        vec![
            step.name.clone(),
            grouped(step.rows_in),
            grouped(step.rows_out),
            signed(step.removed),
            step.summary.clone(),
        ]
    };
    let rows: Vec<_> = cleaned.steps.iter().map(row).collect();
    table(out, &["step", "rows in", "rows out", "removed", "what"], &rows)?;
    for step in &cleaned.steps {
        if !step.removed_by_class.is_empty() {
            writeln!(out, "\nremoved by {}", step.name)?;
            let mut classes: Vec<&Class> = step.removed_by_class.iter().collect();
            classes.sort_by_key(|class| std::cmp::Reverse(class.rows));
            let rows = classes.iter().take(LISTED_CLASSES).map(|class| vec![named(class), signed(class.rows)]);
            table(out, &["  class", "rows"], &rows.collect::<Vec<_>>())?;
            if classes.len() > LISTED_CLASSES {
                writeln!(out, "  and {} classes more; --json lists all", classes.len() - LISTED_CLASSES)?;
            }
        }
        filled(out, step)?;
        values(out, &format!("missing values that went by {}", step.name), &step.missing_gone)?;
        values(out, &format!("emptied by {}", step.name), &step.emptied)?;
    }
    let (kept, all) = (grouped(cleaned.rows_out), grouped(cleaned.rows_in));
    writeln!(out, "\n{kept} of {all} rows are in {}.{}", cleaned.dataset, cleaned.table)
}

/// What a step filled, by column and class; the columns alone where classes can't be told.
fn filled(out: &mut dyn Write, step: &StepReport) -> io::Result<()> {
    let title = format!("filled by {}", step.name);
    let Some(first) = step.filled_by_class.first() else { return values(out, &title, &step.filled) };
    let names: Vec<&str> = first.class.keys().map(String::as_str).collect();
    let row = |(column, count): (&String, &u64)| {
        let of = |class: &FilledClass| class.columns.get(column).copied().unwrap_or(0);
        let mut classes: Vec<&FilledClass> = step.filled_by_class.iter().filter(|class| of(class) > 0).collect();
        classes.sort_by_key(|class| std::cmp::Reverse(of(class)));
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
        let told = |class: &&FilledClass| {
            format!("{} {}", class.class.values().map(value).collect::<Vec<_>>().join("/"), grouped(of(class)))
        };
        let mut told: Vec<String> = classes.iter().take(FILLED_CLASSES).map(told).collect();
        if let Some(more @ 1..) = classes.len().checked_sub(FILLED_CLASSES) {
            told.push(format!("and {more} more"));
        }
        vec![format!("  {column}"), grouped(*count), told.join(", ")]
    };
    writeln!(out, "\n{title}")?;
    let rows: Vec<_> = step.filled.iter().map(row).collect();
    table(out, &["  column", "values", &format!("by {}", names.join("/"))], &rows)
}

fn values(out: &mut dyn Write, title: &str, columns: &BTreeMap<String, u64>) -> io::Result<()> {
    if columns.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}")?;
    let rows: Vec<_> = columns.iter().map(|(column, count)| vec![format!("  {column}"), grouped(*count)]).collect();
    table(out, &["  column", "values"], &rows)
}

fn named(class: &Class) -> String {
    let values = class.class.iter().map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("null")));
    format!("  {}", values.collect::<Vec<_>>().join(", "))
}

fn signed(rows: i64) -> String {
    format!("{}{}", if rows < 0 { "-" } else { "" }, grouped(rows.unsigned_abs()))
}
