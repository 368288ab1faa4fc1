//! What a plugin makes with one seed, as text, and how that differs from what it made before.

use crate::core::report::Report;
use crate::core::time::{DAY_US, Window};
use crate::plugin::check::{CheckOptions, Sample, report};
use crate::plugin::{Plugin, PluginError, PluginKind, log_nowhere};
use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Most rows of a table that are kept for the comparison.
const MAX_ROWS: usize = 20_000;
/// Most differing rows that are shown of a table.
const MAX_SHOWN: usize = 5;
/// Days of incidents that are compared.
const DAYS: i64 = 7;

/// The rows of each table, as text, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot(Vec<Table>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Table {
    name: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Of all rows, those that were not kept among them.
    count: u64,
}

/// How one table differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Which table.
    pub table: String,
    /// Rows before.
    pub rows_before: u64,
    /// Rows now.
    pub rows_now: u64,
    /// Columns that came or went, each with a sign.
    pub columns: Vec<String>,
    /// Rows that differ by column, where as many rows as before are compared one by one.
    pub changed: BTreeMap<String, u64>,
    /// The first rows that differ: with `-` as they were, with `+` as they are.
    pub first: Vec<String>,
}

impl Snapshot {
    /// A quarter of an hour of a generator's rows, or a week of an incident model's incidents on the targets of `sample`, or
    /// what a validator says of its rows. Nothing of the last two without a sample.
    ///
    /// # Errors
    /// What the plugin can fail with.
    pub fn of(plugin: &Plugin, options: &CheckOptions, sample: Option<&Sample>) -> Result<Self, String> {
        match (plugin.kind(), sample) {
            (PluginKind::Validator, Some(sample)) => Ok(Self::of_report(&report(plugin, options, sample)?)),
            _ => Self::of_made(plugin, options, sample).map_err(|error| error.to_string()),
        }
    }

    /// What is compared of a plugin, in a word; none where nothing can be.
    pub fn compared(kind: PluginKind, sample: Option<&Sample>) -> Option<&'static str> {
        match (kind, sample) {
            (PluginKind::Generator, _) => Some("rows"),
            (PluginKind::IncidentModel, Some(_)) => Some("incidents"),
            (PluginKind::Validator, Some(_)) => Some("verdict and findings"),
            (PluginKind::IncidentModel | PluginKind::Validator, None) => None,
        }
    }

    fn of_made(plugin: &Plugin, options: &CheckOptions, sample: Option<&Sample>) -> Result<Self, PluginError> {
        let config = match &options.config {
            Some(config) => plugin.check_config(config)?,
            None => plugin.check_config(&Value::Object(Map::new()))?,
        };
        match (plugin.kind(), sample) {
            (PluginKind::Generator, _) => Sample::of(plugin, &config, options).map(|sample| Self::of_rows(&sample)),
            (PluginKind::IncidentModel, Some(sample)) => {
                let mut model = plugin.incident_model(log_nowhere())?;
                let span = Window::from_start(options.start.day_start(), DAYS * DAY_US);
                model.open(&config, options.seed, span, &sample.simulation.targets)?;
                let mut table = Table::new("incidents", &["id", "kind", "title", "window", "effects"]);
                for day in span.days() {
                    for incident in model.plan(day)? {
                        let effects = incident.effects.iter().map(|effect| {
                            format!("{} of {} {:?} {}", effect.signal, effect.target, effect.operation, effect.value)
                        });
                        let effects = effects.collect::<Vec<_>>().join(", ");
                        let window = incident.window.to_string();
                        table.add(vec![incident.id, incident.kind, incident.title, window, effects]);
                    }
                }
                Ok(Self(vec![table]))
            }
            _ => Ok(Self::default()),
        }
    }

    fn of_report(report: &Report) -> Self {
        let mut verdict = Table::new("verdict", &["verdict"]);
        verdict.add(vec![if report.passed() { "passed" } else { "failed" }.to_owned()]);
        let mut findings =
            Table::new("findings", &["rule", "severity", "table", "column", "message", "failed", "checked"]);
        for finding in &report.findings {
            let place = |name: &Option<String>| name.clone().unwrap_or_default();
            findings.add(vec![
                finding.rule.clone(),
                format!("{:?}", finding.severity),
                place(&finding.table),
                place(&finding.column),
                finding.message.clone(),
                finding.failed.to_string(),
                finding.checked.to_string(),
            ]);
        }
        let mut metrics = Table::new("metrics", &["metric", "value"]);
        for metric in &report.metrics {
            metrics.add(vec![metric.name.clone(), metric.value.to_string()]);
        }
        Self(vec![verdict, findings, metrics])
    }

    fn of_rows(sample: &Sample) -> Self {
        let tables = sample.simulation.tables.iter().map(|table| {
            let columns: Vec<&str> = table.fields.iter().map(|field| field.name.as_str()).collect();
            Table::new(&table.name, &columns)
        });
        let mut tables: Vec<Table> = tables.collect();
        for (index, batch) in &sample.rows {
            if let Some(table) = tables.get_mut(*index) {
                table.add_batch(batch);
            }
        }
        Self(tables)
    }

    /// What is different from `before`, table by table; empty where nothing is.
    pub fn changes(&self, before: &Self) -> Vec<Change> {
        let none = |name: &str| Table::new(name, &[]);
        let mut changes = Vec::new();
        for now in &self.0 {
            let old = before.0.iter().find(|table| table.name == now.name).cloned();
            changes.extend(now.change(&old.unwrap_or_else(|| none(&now.name))));
        }
        let gone = before.0.iter().filter(|old| self.0.iter().all(|now| now.name != old.name));
        changes.extend(gone.filter_map(|old| none(&old.name).change(old)));
        changes
    }
}

impl Table {
    fn new(name: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        Self { name: name.to_owned(), columns, rows: Vec::new(), count: 0 }
    }

    fn add(&mut self, row: Vec<String>) {
        self.count += 1;
        if self.rows.len() < MAX_ROWS {
            self.rows.push(row);
        }
    }

    fn add_batch(&mut self, batch: &RecordBatch) {
        let options = FormatOptions::new().with_null("null");
        let formatters: Vec<_> =
            batch.columns().iter().filter_map(|column| ArrayFormatter::try_new(column, &options).ok()).collect();
        let kept = MAX_ROWS.saturating_sub(self.rows.len()).min(batch.num_rows());
        self.rows.extend((0..kept).map(|row| formatters.iter().map(|column| column.value(row).to_string()).collect()));
        self.count += batch.num_rows() as u64;
    }

    fn change(&self, before: &Self) -> Option<Change> {
        if self == before {
            return None;
        }
        let signed = |sign: char, of: &Self, other: &Self| -> Vec<String> {
            of.columns.iter().filter(|name| !other.columns.contains(name)).map(|name| format!("{sign}{name}")).collect()
        };
        let mut columns = signed('-', before, self);
        columns.extend(signed('+', self, before));
        let mut changed = BTreeMap::new();
        let mut first = Vec::new();
        let differing = before.rows.iter().zip(&self.rows).filter(|(old, new)| old != new);
        for (index, (old, new)) in differing.enumerate() {
            if index < MAX_SHOWN {
                first.extend([format!("- {}", old.join(" | ")), format!("+ {}", new.join(" | "))]);
            }
            if self.columns == before.columns && self.count == before.count {
                for (name, _) in self.columns.iter().zip(old.iter().zip(new)).filter(|(_, (old, new))| old != new) {
                    *changed.entry(name.clone()).or_default() += 1;
                }
            }
        }
        Some(Change {
            table: self.name.clone(),
            rows_before: before.count,
            rows_now: self.count,
            columns,
            changed,
            first,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::incident::Severity;
    use crate::core::report::Finding;

    fn snapshot(columns: &[&str], rows: &[&[&str]]) -> Snapshot {
        let mut table = Table::new("readings", columns);
        for row in rows {
            table.add(row.iter().map(|cell| (*cell).to_owned()).collect());
        }
        Snapshot(vec![table])
    }

    #[test]
    fn changed_columns_are_counted_and_rows_shown() {
        let before = snapshot(&["at", "value"], &[&["1", "a"], &["2", "b"], &["3", "c"]]);
        assert_eq!(before.changes(&before), []);
        let now = snapshot(&["at", "value"], &[&["1", "a"], &["2", "B"], &["3", "C"]]);
        let changes = now.changes(&before);
        let [change] = changes.as_slice() else { panic!("one table") };
        assert_eq!(change.changed, BTreeMap::from([("value".to_owned(), 2)]));
        assert_eq!(change.first[..2], ["- 2 | b", "+ 2 | B"]);
    }

    /// A validator that says something else of the same rows has changed.
    #[test]
    fn another_verdict_is_a_change() {
        let finding = |severity| Finding {
            rule: "warm".into(),
            severity,
            table: None,
            column: None,
            message: "too warm".into(),
            failed: 3,
            checked: 9,
            samples: Vec::new(),
        };
        let report = |severity| Report { findings: vec![finding(severity)], metrics: Vec::new() };
        let before = Snapshot::of_report(&report(Severity::Low));
        assert_eq!(before.changes(&before), []);
        let changes = Snapshot::of_report(&report(Severity::High)).changes(&before);
        let tables: Vec<_> = changes.iter().map(|change| change.table.as_str()).collect();
        assert_eq!(tables, ["verdict", "findings"]);
        assert_eq!(changes[0].first, ["- passed", "+ failed"]);
    }

    #[test]
    fn columns_and_tables_that_come_and_go_are_named() {
        let before = snapshot(&["at", "old"], &[&["1", "a"]]);
        let now = snapshot(&["at", "new"], &[&["1", "a"], &["2", "b"]]);
        let changes = now.changes(&before);
        assert_eq!((changes[0].columns.clone(), changes[0].rows_now), (vec!["-old".to_owned(), "+new".to_owned()], 2));
        assert_eq!(Snapshot::default().changes(&before)[0].rows_now, 0);
    }
}
