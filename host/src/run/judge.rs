//! Validators over rows of the lake: selections become scans, reports become records.

use super::error::RunError;
use super::execute::{Host, now};
use super::plan::Configured;
use crate::batch::to_guest;
use crate::core::cancel::Cancel;
use crate::core::id::RunId;
use crate::core::report::Report;
use crate::core::schema::Table;
use crate::core::time::Window;
use crate::lake::SnapshotId;
use crate::plugin::{LogSink, Selection};
use crate::query::{Scan, TextForm};
use crate::store::NewReport;
use serde::{Deserialize, Serialize};

/// What one validator said.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Judgement {
    /// The validator.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// The verdict.
    pub passed: bool,
    /// All that it said.
    pub report: Report,
}

impl From<NewReport> for Judgement {
    fn from(report: NewReport) -> Self {
        let NewReport { plugin, version, passed, report, .. } = report;
        Self { plugin, version, passed, report }
    }
}

/// The rows that validators judge.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// The dataset.
    pub dataset: &'a str,
    /// The simulated time.
    pub window: Window,
    /// The snapshot; the newest where none is given.
    pub at: Option<SnapshotId>,
    /// The run that made them; none where a dataset is judged later.
    pub run: Option<&'a RunId>,
}

/// Lets `validators` judge rows, one after the other, and records each report as soon as it is there.
///
/// # Errors
/// A validator that fails or asks for what is not there; a lake that can't be read; or somebody set `cancel`, which is
/// seen between two batches.
pub fn judge(
    host: &Host,
    validators: &[Configured],
    judged: Judged<'_>,
    log: &LogSink,
    cancel: &Cancel,
) -> Result<Vec<Judgement>, RunError> {
    if validators.is_empty() {
        return Ok(Vec::new());
    }
    let Judged { dataset, window, at, run } = judged;
    let unless_stopped = || if cancel.is_cancelled() { Err(RunError::Cancelled) } else { Ok(()) };
    let engine = host.query_engine(at)?;
    let tables: Vec<Table> =
        host.runtime.block_on(host.lake.tables(dataset, at))?.into_iter().map(|table| table.table).collect();
    let mut judgements = Vec::new();
    for Configured { plugin, config } in validators {
        unless_stopped()?;
        let mut validator = plugin.validator(log.clone())?;
        let selections = validator.open(config, &tables, window)?;
        for (index, selection) in selections.iter().enumerate() {
            check_selection(&plugin.id().name, dataset, &tables, selection)?;
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let timed = tables.iter().any(|table| table.name == selection.table && table.time_field.is_some());
            let scan = Scan {
                columns: selection.columns.clone(),
                window: timed.then_some(window),
                order_by: selection.order_by.clone(),
                text: TextForm::AsStored,
                ..Scan::new(dataset, &selection.table)
            };
            for batch in host.runtime.block_on(engine.scan(&scan))?.blocking(host.runtime.clone()) {
                unless_stopped()?;
                validator.observe(to_guest(&batch?, index)?)?;
            }
        }
        let report = validator.finish()?;
        let id = plugin.id();
        let new = NewReport {
            run_id: run.cloned(),
            dataset: dataset.to_owned(),
            plugin: id.name.clone(),
            version: id.version.clone(),
            digest: plugin.digest(),
            window,
            passed: report.passed(),
            report,
            created_at: now(),
        };
        host.runtime.block_on(async {
            let mut tx = host.store.write().await?;
            tx.insert_report(&new).await?;
            tx.commit().await
        })?;
        judgements.push(new.into());
    }
    Ok(judgements)
}

fn check_selection(validator: &str, dataset: &str, tables: &[Table], selection: &Selection) -> Result<(), RunError> {
    let missing =
        |what: String| Err(RunError::Selection { validator: validator.to_owned(), what, dataset: dataset.to_owned() });
    let Some(table) = tables.iter().find(|table| table.name == selection.table) else {
        return missing(format!("the table {:?}", selection.table));
    };
    let mut columns = selection.columns.iter().chain(&selection.order_by);
    match columns.find(|column| table.field_index(column).is_none()) {
        Some(column) => missing(format!("the column {:?} of {}", column, table.name)),
        None => Ok(()),
    }
}
