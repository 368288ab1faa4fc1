//! Validators over rows of the lake: selections become scans, reports become records.

use super::error::RunError;
use super::execute::{Host, now};
use super::plan::Configured;
use crate::batch::to_guest;
use crate::core::id::RunId;
use crate::core::report::Report;
use crate::core::schema::Table;
use crate::core::time::Window;
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

/// Lets `validators` judge the rows of `dataset` within `window`, and records their reports.
///
/// # Errors
/// A validator that fails or asks for what is not there; a lake that can't be read.
pub fn judge(
    host: &Host,
    validators: &[Configured],
    dataset: &str,
    window: Window,
    run: Option<&RunId>,
    log: &LogSink,
) -> Result<Vec<Judgement>, RunError> {
    if validators.is_empty() {
        return Ok(Vec::new());
    }
    let engine = host.query_engine(None)?;
    let tables: Vec<Table> =
        host.runtime.block_on(host.lake.dataset(dataset, None))?.tables.into_iter().map(|table| table.table).collect();
    let mut judgements = Vec::new();
    for Configured { plugin, config } in validators {
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
            report: report.clone(),
            created_at: now(),
        };
        host.runtime.block_on(async {
            let mut tx = host.store.write().await?;
            tx.insert_report(&new).await?;
            tx.commit().await
        })?;
        let (plugin, version, passed) = (new.plugin, new.version, new.passed);
        judgements.push(Judgement { plugin, version, passed, report });
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
