//! Rows of any window of a spec, to look at.

use super::TaskError;
use crate::core::count::grouped;
use crate::core::time::{Length, Timestamp, Window};
use crate::plugin::{Registry, log_to_tracing};
use crate::query::QueryError;
use crate::run::{self, Cancel, Plan, ReadInput, RunError, RunSpec};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::error::ArrowError;
use arrow::json::writer::{JsonArray, WriterBuilder};
use arrow::util::pretty::pretty_format_batches;
use serde_json::{Map, Value};
use std::str::FromStr;

/// What to look at.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The spec.
    pub spec: RunSpec,
    /// Where the window starts; the start of the run where it is left out.
    pub at: Option<Timestamp>,
    /// How long the window is.
    pub length: Length,
    /// Only this table.
    pub table: Option<String>,
    /// Rows to show of each table.
    pub limit: usize,
}

/// How rows are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An object with a key for each table.
    Json,
    /// Tables with borders.
    Table,
}

impl Form {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Table => "table",
        }
    }
}

impl FromStr for Form {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "json" => Ok(Self::Json),
            "table" => Ok(Self::Table),
            other => Err(format!("{other:?} is no format of a preview; there are json and table")),
        }
    }
}

/// A table's rows within the window.
struct Shown {
    table: String,
    /// All of them.
    rows: usize,
    /// The first.
    first: RecordBatch,
}

impl Preview {
    /// Makes the rows, and shows the first of each table.
    ///
    /// # Errors
    /// A spec that can't be used, a window outside of it, no such table, or a plugin that fails.
    pub fn run(
        &self,
        registry: &Registry,
        read_input: ReadInput,
        now: Timestamp,
        form: Form,
        cancel: &Cancel,
    ) -> Result<Vec<u8>, TaskError> {
        let spec = self.spec.clone().resolve(now, run::random())?;
        let plan = Plan::make(registry, spec, None, read_input, log_to_tracing())?;
        let window = self.window(&plan)?;
        let shown = self.rows(&plan, window, cancel)?;
        match form {
            Form::Json => json(&shown),
            Form::Table => table(&shown, window),
        }
    }

    fn window(&self, plan: &Plan) -> Result<Window, TaskError> {
        let span = plan.spec.window();
        let start = self.at.unwrap_or(span.start);
        let window = Window::from_start(start, self.length.micros());
        if !window.overlaps(&span) {
            let message = format!("the window {window} lies outside the run, which covers {span}");
            return Err(TaskError::Request(message));
        }
        Ok(window)
    }

    fn rows(&self, plan: &Plan, window: Window, cancel: &Cancel) -> Result<Vec<Shown>, TaskError> {
        let wanted = |name: &str| self.table.as_ref().is_none_or(|wanted| wanted == name);
        if !plan.layouts.iter().any(|layout| wanted(&layout.table.name)) {
            let known: Vec<_> = plan.layouts.iter().map(|layout| layout.table.name.as_str()).collect();
            let name = self.table.as_deref().unwrap_or_default();
            let message = format!("there is no table {name:?}; the generator makes {}", known.join(", "));
            return Err(TaskError::Request(message));
        }
        let mut counts = vec![(0, Vec::new()); plan.layouts.len()];
        run::preview_each(plan, window, cancel, &mut |batches| {
            for (table, batch) in batches {
                let (Some((rows, first)), Some(layout)) = (counts.get_mut(table), plan.layouts.get(table)) else {
                    continue;
                };
                // What is not shown is only counted.
                let missing = self.limit.saturating_sub(*rows).min(batch.num_rows());
                *rows += batch.num_rows();
                if missing > 0 {
                    // Guests may send a column as text and as dictionary by turns; people see text.
                    first.push(layout.conform(&batch.slice(0, missing))?);
                }
            }
            Ok(())
        })?;
        let mut shown = Vec::new();
        for (layout, (rows, first)) in plan.layouts.iter().zip(counts) {
            if wanted(&layout.table.name) {
                let first = concat_batches(&layout.schema, &first).map_err(unshown)?;
                shown.push(Shown { table: layout.table.name.clone(), rows, first });
            }
        }
        Ok(shown)
    }
}

fn unshown(error: ArrowError) -> TaskError {
    RunError::Arrow(error).into()
}

fn unwritten(error: serde_json::Error) -> TaskError {
    QueryError::Output(error.into()).into()
}

fn json(shown: &[Shown]) -> Result<Vec<u8>, TaskError> {
    let mut tables = Map::new();
    for Shown { table, rows, first } in shown {
        let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(Vec::new());
        writer.write(first).map_err(unshown)?;
        writer.finish().map_err(unshown)?;
        let first: Value = serde_json::from_slice(&writer.into_inner()).map_err(unwritten)?;
        tables.insert(table.clone(), serde_json::json!({ "rows": rows, "first": first }));
    }
    let mut text = serde_json::to_vec_pretty(&tables).map_err(unwritten)?;
    text.push(b'\n');
    Ok(text)
}

fn table(shown: &[Shown], window: Window) -> Result<Vec<u8>, TaskError> {
    let mut text = String::new();
    for Shown { table, rows, first } in shown {
        let drawn = pretty_format_batches(std::slice::from_ref(first)).map_err(unshown)?;
        text.push_str(&format!("{table}: {} rows in {window}\n{drawn}\n", grouped(*rows as u64)));
    }
    Ok(text.into_bytes())
}
