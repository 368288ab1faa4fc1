//! Which columns are read, and what is said of them in the end.
//!
//! Ids to be linked to are read first, so that every other row is judged as it comes by.

use telemill_sdk::distinct::Distinct;
use telemill_sdk::time::{DAY, Local};
use telemill_sdk::{Batch, DataType, Error, Finding, Metric, Report, Selection, Severity, Table, Timestamp, Window};

use crate::config::{Config, Link, Period, Reference, TableCoverage};
use crate::keys::Keys;
use crate::timeline::Timeline;

/// What all sets of ids may take together; a plugin has 256 MiB for everything.
const SETS_BYTES: usize = 96 << 20;
/// Orphans that a finding points to, and names that it tells.
const SAMPLES: usize = 5;

/// A collection under judgement.
#[derive(Debug)]
pub struct Coverage {
    min_days: f64,
    window: Window,
    keys: Vec<Keys>,
    readings: Vec<Reading>,
    findings: Vec<Finding>,
}

/// One table, and what is asked of it.
#[derive(Debug)]
struct Reading {
    rules: TableCoverage,
    /// Whether the configuration names it.
    named: bool,
    columns: Vec<String>,
    time: Option<(usize, Timeline)>,
    entity: Option<(usize, Distinct)>,
    /// Where all who should report stand, as a position in the keys.
    entities: Option<usize>,
    links: Vec<Linked>,
    rows: u64,
}

/// A link at work.
#[derive(Debug)]
struct Linked {
    link: Link,
    column: usize,
    keys: usize,
    checked: u64,
    orphans: u64,
    samples: Vec<u64>,
}

fn finding(rule: &str, severity: Severity, table: &str, column: Option<&str>, message: String) -> Finding {
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

    /// Where no table is named: how many days the table covers that covers most.
    fn judge_days(&self) -> Finding {
        let timelines =
            || self.readings.iter().filter_map(|reading| reading.time.as_ref()).map(|(_, timeline)| timeline);
        let days = timelines().map(Timeline::days).fold(0.0, f64::max);
        let enough = timelines().any(|timeline| timeline.has_days(self.min_days));
        let message = format!("rows cover {days:.2} days; {} are asked for", self.min_days);
        Finding {
            rule: "min-days".to_owned(),
            severity: if enough { Severity::Info } else { Severity::High },
            table: None,
            column: None,
            message,
            failed: u64::from(!enough),
            checked: 1,
            samples: Vec::new(),
        }
    }

    fn judge_times(&self, reading: &Reading, timeline: &Timeline, report: &mut Report) {
        let rules = &reading.rules;
        let metric = |name: &str, value: f64, unit: Option<&str>, at: Option<Timestamp>| Metric {
            name: format!("{}.{name}", rules.table),
            value,
            unit: unit.map(str::to_owned),
            at,
        };
        let minutes = (self.window.micros() as f64 / 60e6).max(f64::MIN_POSITIVE);
        report.metrics.push(metric("rows", timeline.rows() as f64, None, None));
        report.metrics.push(metric("rows_per_minute", timeline.rows() as f64 / minutes, Some("/min"), None));
        for (start, rows, _) in timeline.periods(Period::Day) {
            report.metrics.push(metric("rows_of_day", rows as f64, None, Some(start)));
        }
        let mut say = |rule: &str, failed: u64, checked: u64, message: String| {
            let severity = if failed > 0 && reading.named { rules.severity } else { Severity::Info };
            let said = finding(rule, severity, &rules.table, None, message);
            report.findings.push(Finding { failed, checked, ..said });
        };
        if self.min_days > 0.0 && reading.named {
            let short = !timeline.has_days(self.min_days);
            let message = format!("rows cover {:.2} days; {} are asked for", timeline.days(), self.min_days);
            say("min-days", u64::from(short), 1, message);
        }
        let (empty, days) = timeline.empty_days();
        let message = match empty.first() {
            Some(first) => format!("{} of {days} days have no row, the first is {}", empty.len(), date(*first)),
            None => format!("{} rows; {days} whole days, each with rows", timeline.rows()),
        };
        say("days", empty.len() as u64, days, message);
        if let Some(longest) = rules.max_gap_minutes {
            let gaps = timeline.gaps(longest);
            let message = match gaps.iter().max_by(|a, b| a.1.total_cmp(&b.1)) {
                Some((start, minutes)) => {
                    format!("{} gaps, the longest of {minutes:.0} minutes from {}", gaps.len(), date(*start))
                }
                None => format!("no gap of more than {longest} minutes"),
            };
            say("gaps", gaps.len() as u64, timeline.rows(), message);
        }
        if let Some(per_minute) = rules.per_minute {
            let (off, judged) = timeline.off(rules.per, per_minute, rules.tolerance);
            let word = if rules.per == Period::Hour { "hours" } else { "days" };
            let message = match off.first() {
                Some(first) => format!(
                    "{} of {judged} {word} are off: {} rows from {}, and {:.0} are expected",
                    off.len(),
                    first.rows,
                    date(first.start),
                    first.expected
                ),
                None if judged == 0 => format!("not judged, as the window has no whole {word}"),
                None => format!("{judged} {word} have about {per_minute} rows a minute"),
            };
            say("rate", off.len() as u64, judged, message);
        }
    }

    fn judge_entities(&self, reading: &Reading, report: &mut Report) {
        let rules = &reading.rules;
        let Some((_, seen)) = &reading.entity else { return };
        report.metrics.push(Metric {
            name: format!("{}.reporting", rules.table),
            value: seen.len() as f64 / seen.share(),
            unit: None,
            at: None,
        });
        let Some(keys) = reading.entities.and_then(|at| self.keys.get(at)) else { return };
        let (silent, all, names) = keys.missing_in(seen);
        let judged = self.window.hours() >= rules.min_hours;
        let broken = judged && silent as f64 > rules.at_most_silent * all as f64;
        let named = if names.is_empty() { "" } else { ": " };
        let names = names.get(..names.len().min(SAMPLES)).unwrap_or_default().join(", ");
        let more = if silent as usize > SAMPLES && !names.is_empty() { ", ..." } else { "" };
        let why = if judged { "" } else { "; not judged, as the window is short" };
        let message = format!(
            "{silent} of {all} in {}.{} never reported{named}{names}{more}{why}",
            keys.of.table, keys.of.column
        );
        let severity = if broken { rules.severity } else { Severity::Info };
        let said = finding("silent", severity, &rules.table, rules.entity.as_deref(), message);
        report.findings.push(Finding { failed: silent, checked: all, ..said });
    }

    fn judge_link(&self, linked: &Linked) -> Finding {
        let Linked { link, checked, orphans, .. } = linked;
        let broken = *orphans as f64 > link.at_most * *checked as f64;
        let share = self.keys.get(linked.keys).map_or(1.0, Keys::share);
        let part = if share < 1.0 { format!(" (of a sample: {share} of the ids)") } else { String::new() };
        let message = format!("{orphans} of {checked} link to nothing in {}.{}{part}", link.to.table, link.to.column);
        let severity = if broken { link.severity } else { Severity::Info };
        let said = finding("orphans", severity, &link.table, Some(&link.column), message);
        Finding { failed: *orphans, checked: *checked, samples: linked.samples.clone(), ..said }
    }
}

/// A time as people read it, to the minute.
fn date(t: Timestamp) -> String {
    let (day, micros) = (t.div_euclid(DAY), t.rem_euclid(DAY));
    let (year, month, date) = Local { day, weekday: 0, micros }.date();
    let minutes = micros / 60_000_000;
    format!("{year:04}-{month:02}-{date:02} {:02}:{:02}", minutes / 60, minutes % 60)
}
