//! Which columns are read, and what is counted in them.
//!
//! Ids to be linked to are read first, so that every other row is judged as it comes by.

use telemill_sdk::distinct::Distinct;
use telemill_sdk::{Batch, DataType, Error, Finding, Report, Selection, Severity, Table, Window};

use crate::config::{Config, Link, Reference, TableCoverage};
use crate::keys::Keys;
use crate::timeline::Timeline;

/// What all sets of ids may take together; a plugin has 256 MiB for everything.
const SETS_BYTES: usize = 96 << 20;
/// Orphans that a finding points to, and names that it tells.
pub(crate) const SAMPLES: usize = 5;

/// A collection under judgement.
#[derive(Debug)]
pub struct Coverage {
    pub(crate) min_days: f64,
    pub(crate) window: Window,
    pub(crate) keys: Vec<Keys>,
    pub(crate) readings: Vec<Reading>,
    findings: Vec<Finding>,
}

/// One table, and what is asked of it.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) rules: TableCoverage,
    /// Whether the configuration names it.
    pub(crate) named: bool,
    columns: Vec<String>,
    pub(crate) time: Option<(usize, Timeline)>,
    pub(crate) entity: Option<(usize, Distinct)>,
    /// Where all who should report stand, as a position in the keys.
    pub(crate) entities: Option<usize>,
    pub(crate) links: Vec<Linked>,
    rows: u64,
}

/// A link at work.
#[derive(Debug)]
pub(crate) struct Linked {
    pub(crate) link: Link,
    column: usize,
    pub(crate) keys: usize,
    pub(crate) checked: u64,
    pub(crate) orphans: u64,
    pub(crate) samples: Vec<u64>,
}

pub(crate) fn finding(rule: &str, severity: Severity, table: &str, column: Option<&str>, message: String) -> Finding {
    Finding {
        rule: rule.to_owned(),
        severity,
        table: Some(table.to_owned()),
        column: column.map(str::to_owned),
        message,
        failed: 0,
        checked: 0,
        samples: Vec::new(),
    }
}

impl Reading {
    fn new(rules: TableCoverage, named: bool) -> Self {
        let (columns, links) = (Vec::new(), Vec::new());
        Self { rules, named, columns, time: None, entity: None, entities: None, links, rows: 0 }
    }

    fn column(&mut self, name: &str) -> usize {
        self.columns.iter().position(|known| known == name).unwrap_or_else(|| {
            self.columns.push(name.to_owned());
            self.columns.len() - 1
        })
    }
}

impl Coverage {
    /// A judgement of a dataset's tables, by a configuration.
    pub fn new(config: &Config, tables: &[Table], window: Window) -> Self {
        let mut coverage =
            Self { min_days: config.min_days, window, keys: Vec::new(), readings: Vec::new(), findings: Vec::new() };
        // One set for each column that is linked to, and one for each table's entities.
        let mut wanted: Vec<&Reference> = Vec::new();
        let references = config.tables.iter().filter_map(|table| table.entities.as_ref());
        for reference in references.chain(config.links.iter().map(|link| &link.to)) {
            if !wanted.contains(&reference) {
                wanted.push(reference);
            }
        }
        let sets = wanted.len() + config.tables.iter().filter(|table| table.entity.is_some()).count();
        let bytes = SETS_BYTES / sets.max(1);
        for reference in wanted {
            if coverage.there(tables, &reference.table, &reference.column, Severity::High).is_some() {
                coverage.keys.push(Keys::new(reference.clone(), bytes));
            }
        }
        for rules in &config.tables {
            coverage.add_table(rules, true, tables, bytes);
        }
        for link in &config.links {
            coverage.add_link(link, tables);
        }
        for table in tables {
            let known = coverage.readings.iter().any(|reading| reading.named && reading.rules.table == table.name);
            if table.time_field.is_some() && !known {
                let rules = TableCoverage { table: table.name.clone(), ..TableCoverage::default() };
                coverage.add_table(&rules, false, tables, bytes);
            }
        }
        coverage
    }

    /// The type of a column, or a finding that it is missing.
    fn there(&mut self, tables: &[Table], table: &str, column: &str, severity: Severity) -> Option<DataType> {
        let declared = tables.iter().find(|declared| declared.name == table);
        let field = declared.and_then(|declared| declared.field(column));
        if field.is_none() {
            let message = match declared {
                None => "there is no such table".to_owned(),
                Some(_) => format!("there is no column {column:?}"),
            };
            let missing = finding("missing", severity, table, Some(column), message);
            if !self.findings.contains(&Finding { failed: 1, checked: 1, ..missing.clone() }) {
                self.findings.push(Finding { failed: 1, checked: 1, ..missing });
            }
        }
        field.map(|field| field.data_type)
    }

    fn add_table(&mut self, rules: &TableCoverage, named: bool, tables: &[Table], bytes: usize) {
        let mut reading = Reading::new(rules.clone(), named);
        let declared = tables.iter().find(|table| table.name == rules.table);
        let time = rules.time.clone().or_else(|| declared.and_then(|table| table.time_field.clone()));
        let time = time.unwrap_or_else(|| "time".to_owned());
        match self.there(tables, &rules.table, &time, rules.severity) {
            Some(DataType::Timestamp) => reading.time = Some((reading.column(&time), Timeline::new(self.window))),
            Some(_) => {
                let message = "the column is no time".to_owned();
                let wrong = finding("missing", rules.severity, &rules.table, Some(&time), message);
                self.findings.push(Finding { failed: 1, checked: 1, ..wrong });
            }
            None => {}
        }
        if let Some(entity) = &rules.entity
            && self.there(tables, &rules.table, entity, rules.severity).is_some()
        {
            reading.entity = Some((reading.column(entity), Distinct::new(bytes)));
            reading.entities = self.keys.iter().position(|keys| Some(&keys.of) == rules.entities.as_ref());
        }
        if !reading.columns.is_empty() {
            self.readings.push(reading);
        }
    }

    fn add_link(&mut self, link: &Link, tables: &[Table]) {
        let there = self.there(tables, &link.table, &link.column, link.severity);
        let Some(keys) = self.keys.iter().position(|keys| keys.of == link.to) else { return };
        if there.is_none() {
            return;
        }
        let known = self.readings.iter().position(|reading| reading.rules.table == link.table);
        let at = known.unwrap_or_else(|| {
            let rules = TableCoverage { table: link.table.clone(), ..TableCoverage::default() };
            self.readings.push(Reading::new(rules, false));
            self.readings.len() - 1
        });
        if let Some(reading) = self.readings.get_mut(at) {
            let column = reading.column(&link.column);
            let linked = Linked { link: link.clone(), column, keys, checked: 0, orphans: 0, samples: Vec::new() };
            reading.links.push(linked);
        }
    }

    /// The columns that are read.
    pub fn selections(&self) -> Vec<Selection> {
        let keys = self.keys.iter().map(|keys| (&keys.of.table, vec![keys.of.column.clone()]));
        let readings = self.readings.iter().map(|reading| (&reading.rules.table, reading.columns.clone()));
        let select = |(table, columns): (&String, Vec<String>)| Selection {
            table: table.clone(),
            columns,
            order_by: Vec::new(),
        };
        keys.chain(readings).map(select).collect()
    }

    /// Looks at rows of one selection.
    ///
    /// # Errors
    /// Where there is no such selection.
    pub fn observe(&mut self, batch: &Batch) -> Result<(), Error> {
        let rows = batch.rows();
        let type_of = |column: usize| {
            batch.declaration().and_then(|table| table.fields.get(column)).map_or(DataType::Utf8, |f| f.data_type)
        };
        if let Some(keys) = self.keys.get_mut(batch.table()) {
            if let Some(column) = batch.column(0) {
                keys.observe(column, type_of(0), rows);
            }
            return Ok(());
        }
        let reading = batch.table().checked_sub(self.keys.len()).and_then(|at| self.readings.get_mut(at));
        let Some(reading) = reading else {
            return Err(Error::failed(format!("there is no selection {}", batch.table())));
        };
        if let Some((at, timeline)) = &mut reading.time
            && let Some(column) = batch.column(*at)
        {
            column.each_i64(rows, |_, t| t.into_iter().for_each(|t| timeline.add(t)));
        }
        if let Some((at, seen)) = &mut reading.entity
            && let Some(column) = batch.column(*at)
        {
            column.each_hash(type_of(*at), rows, |_, hash| {
                hash.into_iter().for_each(|hash| {
                    seen.add(hash);
                });
            });
        }
        for linked in &mut reading.links {
            let (Some(column), Some(keys)) = (batch.column(linked.column), self.keys.get(linked.keys)) else {
                continue;
            };
            let (checked, orphans, samples) = (&mut linked.checked, &mut linked.orphans, &mut linked.samples);
            column.each_hash(type_of(linked.column), rows, |row, hash| {
                let Some(known) = hash.and_then(|hash| keys.contains(hash)) else { return };
                *checked += 1;
                if !known {
                    *orphans += 1;
                    if samples.len() < SAMPLES {
                        samples.push(reading.rows + row as u64);
                    }
                }
            });
        }
        reading.rows += rows as u64;
        Ok(())
    }

    /// What was found.
    pub fn finish(&mut self) -> Report {
        let mut report = Report { findings: std::mem::take(&mut self.findings), metrics: Vec::new() };
        if self.min_days > 0.0 && !self.readings.iter().any(|reading| reading.named) {
            report.findings.push(self.judge_days());
        }
        for reading in std::mem::take(&mut self.readings) {
            if let Some((_, timeline)) = &reading.time {
                self.judge_times(&reading, timeline, &mut report);
            }
            self.judge_entities(&reading, &mut report);
            report.findings.extend(reading.links.iter().map(|linked| self.judge_link(linked)));
        }
        report
    }
}
