//! A validator's instance: the contract's functions with the host's own types, and checks on what comes back.

use super::bindings::validator::ValidatorOnly;
use super::bindings::validator::exports::telemill::plugin::validator as wit;
use super::check::Metered;
use super::convert;
use super::engine::Plugin;
use super::error::PluginError;
use super::instance::Instance;
use super::log::LogSink;
use crate::batch::GuestBatch;
use crate::core::printable::printable;
use crate::core::problem::Problem;
use crate::core::report::{Finding, Metric, Report};
use crate::core::schema::Table;
use crate::core::time::{Timestamp, Window};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most selections of one validator: each is a pass over a table.
const MAX_SELECTIONS: usize = 256;
/// Most findings and most metrics that a report keeps.
const MAX_FINDINGS: usize = 10_000;
/// Most samples that a finding keeps.
const MAX_SAMPLES: usize = 100;

/// The columns of one table that a validator reads, and the order that it asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// The table.
    pub table: String,
    /// The columns, in the order in which they are sent.
    pub columns: Vec<String>,
    /// Columns to sort by, ascending; empty where the order does not matter.
    pub order_by: Vec<String>,
}

/// An instance of a validator.
pub struct Validator {
    instance: Instance,
    exports: ValidatorOnly,
}

impl Metered for Validator {
    fn instance(&self) -> &Instance {
        &self.instance
    }
}

impl Plugin {
    /// A new instance; its log goes to `sink`.
    ///
    /// # Errors
    /// Not a validator, or an instance that can't be made within the limits.
    pub fn validator(&self, sink: LogSink) -> Result<Validator, PluginError> {
        let indices = self.validator_exports()?;
        let (mut instance, made) = self.instantiate(sink)?;
        let exports = instance.call("instantiate", |store| indices.load(&mut *store, &made))?;
        Ok(Validator { instance, exports })
    }
}

impl Validator {
    /// Prepares it to judge rows of `tables` within `window`, and asks which it wants to see.
    ///
    /// # Errors
    /// A bad configuration, a selection of what there is not, or what every call can fail with.
    pub fn open(&mut self, config: &Value, tables: &[Table], window: Window) -> Result<Vec<Selection>, PluginError> {
        let guest = self.exports.telemill_plugin_validator();
        let (text, window) = (config.to_string(), convert::window(window));
        let declared: Vec<_> = tables.iter().map(convert::table).collect();
        let asked = self.instance.ask("open", |store| guest.call_open(store, &text, &declared, window))?;
        let selections = convert::list(asked, |selection| Selection {
            table: selection.table,
            columns: selection.columns,
            order_by: selection.order_by,
        });
        let problems = selection_problems(&selections, tables);
        if problems.is_empty() { Ok(selections) } else { Err(self.instance.broken("open", problems)) }
    }

    /// Shows rows; the batch's table counts the selections.
    ///
    /// # Errors
    /// What every call can fail with.
    pub fn observe(&mut self, batch: GuestBatch) -> Result<(), PluginError> {
        let guest = self.exports.telemill_plugin_validator();
        let batch = convert::batch(batch);
        self.instance.ask("observe", |store| guest.call_observe(store, &batch))
    }

    /// The verdict.
    ///
    /// # Errors
    /// More findings than anybody reads, a metric that is no finite number, or what every call can fail with.
    pub fn finish(&mut self) -> Result<Report, PluginError> {
        let guest = self.exports.telemill_plugin_validator();
        let report = self.instance.ask("finish", |store| guest.call_finish(store))?;
        let most = report.findings.len().max(report.metrics.len());
        if most > MAX_FINDINGS {
            let message = format!("{most} findings or metrics; at most {MAX_FINDINGS} are allowed");
            return Err(self.instance.broken("finish", vec![Problem::new("", message)]));
        }
        // JSON, in which reports are kept, has no other numbers.
        let odd = report.metrics.iter().filter(|metric| !metric.value.is_finite());
        let problems: Vec<_> = odd
            .map(|metric| {
                let message = format!("has the value {}; leave out what has none", metric.value);
                Problem::new(format!("metric {}", metric.name), message)
            })
            .collect();
        if !problems.is_empty() {
            return Err(self.instance.broken("finish", problems));
        }
        Ok(Report {
            findings: convert::list(report.findings, finding_from),
            metrics: convert::list(report.metrics, metric_from),
        })
    }
}

fn finding_from(finding: wit::Finding) -> Finding {
    let mut samples = finding.samples;
    samples.truncate(MAX_SAMPLES);
    Finding {
        rule: printable(&finding.rule),
        severity: convert::severity_from(finding.severity),
        table: finding.table.as_deref().map(printable),
        column: finding.column.as_deref().map(printable),
        message: printable(&finding.message),
        failed: finding.failed,
        checked: finding.checked,
        samples,
    }
}

fn metric_from(metric: wit::Metric) -> Metric {
    Metric {
        name: printable(&metric.name),
        value: metric.value,
        unit: metric.unit.as_deref().map(printable),
        at: metric.at.map(Timestamp),
    }
}

fn selection_problems(selections: &[Selection], tables: &[Table]) -> Vec<Problem> {
    let mut found = Vec::new();
    if selections.len() > MAX_SELECTIONS {
        let message = format!("{}; at most {MAX_SELECTIONS} are allowed", selections.len());
        found.push(Problem::new("selections", message));
    }
    for selection in selections.iter().take(MAX_SELECTIONS) {
        let name = printable(&selection.table);
        let Some(table) = tables.iter().find(|table| table.name == selection.table) else {
            found.push(Problem::new(name, "is selected, but there is no such table"));
            continue;
        };
        for column in selection.columns.iter().chain(&selection.order_by) {
            if table.field_index(column).is_none() {
                let path = format!("{name}.{}", printable(column));
                found.push(Problem::new(path, "is selected, but there is no such column"));
            }
        }
    }
    found
}
