//! A recipe's steps over a table, into a dataset of its own.

use super::TaskError;
use crate::clean::{self, Cleaned, Recipe, Request};
use crate::core::time::{Length, Timestamp};
use crate::lake::{LakeTable, Span};
use crate::plugin;
use crate::run::{Cancel, Host};
use crate::store::Scratch;
use serde::Deserialize;

/// How the names of folders begin that the SELECTs of a cleaning spill into.
const KIND: &str = "steps";

/// What to clean, how, and where to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clean {
    /// The dataset that has the recipe's table.
    pub dataset: String,
    /// The recipe: a TOML file, or the name of one that ships.
    pub recipe: String,
    /// The dataset that the rows go to.
    pub output: String,
    /// Whether that dataset is begun anew.
    #[serde(default)]
    pub replace: bool,
    /// Only rows from here on.
    #[serde(default)]
    pub from: Option<Timestamp>,
    /// Only rows before this.
    #[serde(default)]
    pub to: Option<Timestamp>,
    /// Only the span of this length that ends with the newest row.
    #[serde(default)]
    pub last: Option<Length>,
}

impl Clean {
    /// Cleans; `now` is the time of the snapshot.
    ///
    /// # Errors
    /// No such recipe or dataset, and as [`clean::clean`].
    pub fn run(&self, host: &Host, now: Timestamp, cancel: &Cancel) -> Result<Cleaned, TaskError> {
        let text = plugin::named_text("recipe", &self.recipe, plugin::recipes())?;
        self.run_text(&text, host, now, cancel)
    }

    /// The same by the recipe that `text` is, which messages call by its name.
    ///
    /// # Errors
    /// As [`Clean::run`].
    pub fn run_text(&self, text: &str, host: &Host, now: Timestamp, cancel: &Cancel) -> Result<Cleaned, TaskError> {
        let recipe = Recipe::parse(text, &self.recipe)?;
        let mut tables = host.runtime.block_on(host.lake.dataset(&self.dataset, None))?.tables;
        tables.retain(|table| table.table.name == recipe.table);
        let request = Request {
            dataset: self.dataset.clone(),
            window: Span { from: self.from, to: self.to, last: self.last }.window(tables.iter().map(LakeTable::times)),
            into: self.output.clone(),
            replace: self.replace,
            scratch: host.spill_dir.clone(),
            scratch_bytes: host.query.spill_bytes,
            writer: host.writer.clone(),
            at: now,
        };
        let failed = |source| TaskError::File { path: host.spill_dir.clone(), source };
        // A SELECT that is stopped may hold its own folder until this process ends; that goes with this one.
        let spill = Scratch::create(&host.spill_dir, KIND).map_err(failed)?;
        let engine = Host { spill_dir: spill.path().to_owned(), ..host.clone() }.query_engine(None)?;
        clean::clean(&host.lake, &engine, &host.runtime, &recipe, &request, cancel).map_err(|source| {
            if source.is_stop() {
                return TaskError::Stopped;
            }
            TaskError::Clean { dataset: self.dataset.clone(), recipe: self.recipe.clone(), source }
        })
    }
}
