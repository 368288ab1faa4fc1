//! Cleaning: a recipe's steps over one table, each one SELECT over what the step before left, and the result as a
//! dataset of its own, in one commit.
//!
//! The rows of each step wait as a Parquet file in a scratch folder, so that memory is bounded whatever their number,
//! and what each step removed and filled is counted from there. Knows nothing of runs.

mod recipe;
mod result;
mod scratch;
mod tally;

pub use recipe::{Recipe, RecipeError, Step};
pub use tally::{Class, FilledClass};

use crate::core::cancel::Cancel;
use crate::core::id::{self, BadName};
use crate::core::time::{Timestamp, Window};
use crate::lake::{Commit, Lake, LakeError, Mode, SnapshotId, TableFiles, TableWriter, WriterSettings};
use crate::query::{self, Engine, Input, QueryError};
use crate::sink::SinkError;
use crate::store::StoreError;
use arrow::error::ArrowError;
use scratch::Scratch;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tally::Tally;
use tokio::runtime::Handle;

/// What to clean, and where to.
#[derive(Debug, Clone)]
pub struct Request {
    /// The dataset that has the recipe's table.
    pub dataset: String,
    /// Only rows within.
    pub window: Option<Window>,
    /// The dataset that the rows go to.
    pub into: String,
    /// Whether rows that it has may go.
    pub replace: bool,
    /// Where rows wait between two steps.
    pub scratch: PathBuf,
    /// Most bytes of a step's rows there.
    pub scratch_bytes: u64,
    /// How the lake's files are written.
    pub writer: WriterSettings,
    /// Wall-clock time of the snapshot.
    pub at: Timestamp,
}

/// What a cleaning did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Cleaned {
    /// The dataset that has the rows now.
    pub dataset: String,
    /// Its table.
    pub table: String,
    /// Rows before the first step.
    pub rows_in: u64,
    /// Rows after the last.
    pub rows_out: u64,
    /// The snapshot that shows them.
    pub snapshot: SnapshotId,
    /// What each step did, in order.
    pub steps: Vec<StepReport>,
}

/// What one step did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StepReport {
    /// The step.
    pub name: String,
    /// What it is for.
    pub summary: String,
    /// Rows before it.
    pub rows_in: u64,
    /// Rows after it.
    pub rows_out: u64,
    /// The difference; less than zero where it added rows.
    pub removed: i64,
    /// The difference by class, where it is not zero; empty where a column of the recipe's classes is gone.
    pub removed_by_class: Vec<Class>,
    /// Values that are there now and were missing, by column. Only of a step that kept the number of rows: where rows
    /// went, nobody can tell a missing value that was filled from one that went with its row.
    pub filled: BTreeMap<String, u64>,
    /// The same by class and column; empty where a column of the recipe's classes is gone, or rows went from one class to another.
    pub filled_by_class: Vec<FilledClass>,
    /// Missing values less than before, by column, of a step that removed or added rows. Only of columns that some step of the
    /// recipe names: of the others nobody asked whether they have values.
    pub missing_gone: BTreeMap<String, u64>,
    /// Missing values more than before, by column.
    pub emptied: BTreeMap<String, u64>,
}

/// Why nothing was cleaned.
#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    /// Mend the recipe's step.
    #[error("step {step} of the recipe can't be run")]
    Step {
        /// Its name.
        step: String,
        /// Why.
        #[source]
        source: Box<CleanError>,
    },
    /// Mend the recipe.
    #[error("the recipe can't be used: {0}")]
    Recipe(String),
    /// Name another dataset.
    #[error("rows of {0} can't be cleaned into {0} itself: name another dataset")]
    Itself(String),
    /// Name another dataset, or begin it anew.
    #[error("the dataset {dataset} has {rows} rows: name another, or begin it anew with --replace")]
    Exists {
        /// The dataset.
        dataset: String,
        /// Its rows.
        rows: u64,
    },
    /// Raise the limit, or clean a shorter span.
    #[error("the rows of one step take more than {limit} bytes: clean a shorter span, or raise query.spill_bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// The dataset can't have its name.
    #[error(transparent)]
    BadName(#[from] BadName),
    /// A query failed.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The lake can't be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The scratch folder can't be used.
    #[error("can't write {}", .path.display())]
    Scratch {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A column can't be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A value does not fit its column.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}

impl CleanError {
    /// Whether somebody stopped it.
    pub fn is_stop(&self) -> bool {
        match self {
            Self::Step { source, .. } => source.is_stop(),
            Self::Query(error) => matches!(error, QueryError::Stopped),
            _ => false,
        }
    }
}

impl From<StoreError> for CleanError {
    fn from(error: StoreError) -> Self {
        Self::Lake(error.into())
    }
}

/// The SELECTs of one cleaning.
#[derive(Clone, Copy)]
struct Selects<'a> {
    engine: &'a Engine,
    runtime: &'a Handle,
    cancel: &'a Cancel,
}

impl Selects<'_> {
    fn rows(&self, select: &str, input: &Input) -> Result<query::Rows, QueryError> {
        self.runtime.block_on(self.engine.select(select, input))
    }
}

/// Rows between two steps, and what was counted of them.
struct Rows {
    input: Input,
    tally: Tally,
}

/// Runs the steps of `recipe` and commits what the last one leaves. To be called on a thread that runs no async tasks;
/// `runtime` carries those of the lake.
///
/// # Errors
/// A step that can't be run, names that are taken or unknown, limits; or somebody set `cancel`. The lake is as it was then.
pub fn clean(
    lake: &Lake,
    engine: &Engine,
    runtime: &Handle,
    recipe: &Recipe,
    request: &Request,
    cancel: &Cancel,
) -> Result<Cleaned, CleanError> {
    id::check_identifier("dataset", &request.into)?;
    if request.into == request.dataset {
        return Err(CleanError::Itself(request.dataset.clone()));
    }
    refuse_existing(lake, runtime, request)?;
    let input = runtime.block_on(engine.table_input(&request.dataset, &recipe.table, request.window))?;
    let scratch = Scratch::create(&request.scratch, request.scratch_bytes)?;
    let selects = Selects { engine, runtime, cancel };
    let counted = |input: &Input| Tally::of(&selects, input, &recipe.classes);
    let mut rows = Rows { tally: counted(&input)?, input };
    if let Some(class) = recipe.classes.iter().find(|class| !rows.tally.has_column(class)) {
        return Err(CleanError::Recipe(format!("classes: {} has no column {class:?}", recipe.table)));
    }
    let rows_in = rows.tally.rows;
    let mut steps = Vec::new();
    for (index, step) in recipe.steps.iter().enumerate() {
        let run = || {
            let input = scratch.keep(&selects, index, &step.sql, &rows.input)?;
            Ok(Rows { tally: counted(&input)?, input })
        };
        let next = run().map_err(|error| CleanError::Step { step: step.name.clone(), source: Box::new(error) })?;
        steps.push(report(step, recipe, &rows.tally, &next.tally));
        scratch.forget(index);
        rows = next;
    }
    let snapshot = commit(lake, &selects, recipe, request, &rows)?;
    Ok(Cleaned {
        dataset: request.into.clone(),
        table: recipe.table.clone(),
        rows_in,
        rows_out: rows.tally.rows,
        snapshot,
        steps,
    })
}

fn refuse_existing(lake: &Lake, runtime: &Handle, request: &Request) -> Result<(), CleanError> {
    let rows = match runtime.block_on(lake.dataset(&request.into, None)) {
        Ok(dataset) => dataset.tables.iter().map(|table| table.rows).sum(),
        Err(LakeError::NoDataset { .. }) => 0,
        Err(error) => return Err(error.into()),
    };
    if rows > 0 && !request.replace {
        return Err(CleanError::Exists { dataset: request.into.clone(), rows });
    }
    Ok(())
}

fn report(step: &Step, recipe: &Recipe, before: &Tally, after: &Tally) -> StepReport {
    let signed = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
    let (mut filled, mut filled_by_class, mut missing_gone) =
        (before.fewer_missing(after), Vec::new(), BTreeMap::new());
    if before.rows == after.rows {
        filled_by_class = before.filled(after, &recipe.classes);
    } else {
        missing_gone = std::mem::take(&mut filled);
        missing_gone.retain(|column, _| recipe.names(column));
    }
    StepReport {
        name: step.name.clone(),
        summary: step.summary.clone(),
        rows_in: before.rows,
        rows_out: after.rows,
        removed: signed(before.rows) - signed(after.rows),
        removed_by_class: before.removed(after, &recipe.classes),
        filled,
        filled_by_class,
        missing_gone,
        emptied: after.fewer_missing(before),
    }
}

/// Writes the rows that the last step left into the lake, and makes them visible.
fn commit(
    lake: &Lake,
    selects: &Selects<'_>,
    recipe: &Recipe,
    request: &Request,
    rows: &Rows,
) -> Result<SnapshotId, CleanError> {
    let Selects { engine, runtime, cancel } = *selects;
    let dataset = runtime.block_on(lake.dataset(&request.dataset, Some(engine.snapshot())))?;
    let unknown = || CleanError::Recipe(format!("there is no table {:?}", recipe.table));
    let source = &dataset.table(&recipe.table).ok_or_else(unknown)?.table;
    let result = selects.rows("SELECT * FROM input", &rows.input)?;
    let layout = result::layout(source, &result.schema, &rows.tally)?;
    let stem = format!("clean-{:016x}-{:08x}", request.at.0, std::process::id());
    let mut writer = TableWriter::new(lake.files(), runtime, &layout, &request.into, &stem, request.writer.clone());
    for batch in result.blocking_unless(runtime.clone(), cancel) {
        writer.write(&result::conform(&layout, &batch?)?)?;
    }
    if cancel.is_cancelled() {
        return Err(QueryError::Stopped.into());
    }
    let tables = vec![TableFiles { table: layout.table.clone(), files: writer.finish()?, replace: false }];
    let commit = Commit {
        dataset: request.into.clone(),
        mode: if request.replace { Mode::Replace } else { Mode::Create },
        tables,
        at: request.at,
        author: "telemill clean".to_owned(),
        message: format!("cleaned {}.{}", request.dataset, recipe.table),
        extra: None,
    };
    runtime.block_on(async {
        let mut tx = lake.store().write().await?;
        let snapshot = lake.commit(&mut tx, &commit).await?;
        tx.commit().await?;
        Ok(snapshot)
    })
}
