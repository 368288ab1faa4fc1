//! Which columns the rules read, and the rules of each table at work.

use telemill_sdk::distinct::Distinct;
use telemill_sdk::{Batch, Error, Field, Finding, Metric, Report, Selection, Severity, Table, Window};

use crate::check::{Band, Check, Kind, Share, Title};
use crate::classes::Classes;
use crate::config::{ClassRule, Condition, Config, IncreasingRule, Period, RowsRule, TableRules, UniqueRule};
use crate::predicate::{Answer, Filter, Predicate};

/// What all sets of seen values of one selection may take together; a plugin has 256 MiB for everything.
const DISTINCT_BYTES: usize = 64 << 20;

/// All rules at work.
#[derive(Debug)]
pub struct Rules {
    readings: Vec<Reading>,
    /// What was clear from the declarations alone.
    findings: Vec<Finding>,
    /// The reading whose rows came last.
    at: usize,
}

/// One selection and the rules that look at it.
#[derive(Debug)]
struct Reading {
    selection: Selection,
    filters: Vec<Filter>,
    checks: Vec<Check>,
    rows: u64,
    /// Whether its rows are counted as the table's in the metrics.
    counts: bool,
    settled: bool,
}

/// A table's rules as they are made, with the findings about what is missing.
struct Plan<'a> {
    table: &'a Table,
    window: Window,
    /// Standard errors that a share may lie outside its band.
    standard_errors: f64,
    reading: Reading,
    /// Readings in an order of their own.
    ordered: Vec<Reading>,
    findings: Vec<Finding>,
}

impl Rules {
    /// The rules of a configuration on the tables of a dataset.
    pub fn new(config: &Config, tables: &[Table], window: Window) -> Self {
        let mut rules = Self { readings: Vec::new(), findings: Vec::new(), at: 0 };
        let mut named: Vec<TableRules> = config.tables.clone();
        if config.primary_keys {
            for table in tables.iter().filter(|table| !table.primary_key.is_empty()) {
                let unique = UniqueRule {
                    name: "primary-key".to_owned(),
                    columns: table.primary_key.clone(),
                    ..UniqueRule::default()
                };
                match named.iter_mut().find(|rules| rules.table == table.name) {
                    Some(rules) => rules.unique.push(unique),
                    None => named.push(TableRules {
                        table: table.name.clone(),
                        unique: vec![unique],
                        ..TableRules::default()
                    }),
                }
            }
        }
        for of_table in &named {
            match tables.iter().find(|table| table.name == of_table.table) {
                Some(table) => rules.add(Plan::of(table, window, of_table)),
                None => rules.findings.push(Finding {
                    rule: "table".to_owned(),
                    severity: Severity::High,
                    table: Some(of_table.table.clone()),
                    column: None,
                    message: "there is no such table".to_owned(),
                    failed: 1,
                    checked: 1,
                    samples: Vec::new(),
                }),
            }
        }
        rules
    }

    fn add(&mut self, plan: Plan<'_>) {
        self.findings.extend(plan.findings);
        for mut reading in std::iter::once(plan.reading).chain(plan.ordered) {
            let sets = reading.checks.iter().filter(|check| matches!(check.kind, Kind::Unique { .. })).count();
            for check in &mut reading.checks {
                if let Kind::Unique { seen, .. } = &mut check.kind {
                    *seen = Some(Distinct::new(DISTINCT_BYTES / sets.max(1)));
                }
            }
            self.readings.push(reading);
        }
    }

    /// The columns that the rules read.
    pub fn selections(&self) -> Vec<Selection> {
        self.readings.iter().map(|reading| reading.selection.clone()).collect()
    }

    /// Looks at rows of one selection.
    ///
    /// # Errors
    /// Where rows of a selection come after those of a later one.
    pub fn observe(&mut self, batch: &Batch) -> Result<(), Error> {
        if batch.table() != self.at {
            if let Some(done) = self.readings.get_mut(self.at) {
                done.settle();
            }
            self.at = batch.table();
        }
        match self.readings.get_mut(self.at) {
            Some(reading) if !reading.settled => {
                reading.observe(batch);
                Ok(())
            }
            Some(reading) => Err(Error::failed(format!(
                "rows of {:?} came after those of another selection",
                reading.selection.table
            ))),
            None => Err(Error::failed(format!("there is no selection {}", self.at))),
        }
    }

    /// What the rules found.
    pub fn finish(&mut self) -> Report {
        let mut report = Report { findings: std::mem::take(&mut self.findings), metrics: Vec::new() };
        for reading in std::mem::take(&mut self.readings) {
            if reading.counts {
                report.metrics.push(Metric {
                    name: format!("{}.rows", reading.selection.table),
                    value: reading.rows as f64,
                    unit: None,
                    at: None,
                });
            }
            report.findings.extend(reading.checks.into_iter().map(Check::finish));
        }
        report
    }
}

impl Reading {
    fn new(table: &Table, order_by: Vec<String>) -> Self {
        let selection = Selection { table: table.name.clone(), columns: Vec::new(), order_by };
        Self { selection, filters: Vec::new(), checks: Vec::new(), rows: 0, counts: false, settled: false }
    }

    /// The place of a column in the selection, which is widened by it where it must be.
    fn column(&mut self, name: &str) -> usize {
        let columns = &mut self.selection.columns;
        columns.iter().position(|column| column == name).unwrap_or_else(|| {
            columns.push(name.to_owned());
            columns.len() - 1
        })
    }

    /// The place of the condition's filter, which is made where there is none.
    fn filter(&mut self, condition: &Condition, field: &Field) -> Result<usize, String> {
        if let Some(known) = self.filters.iter().position(|filter| filter.condition == *condition) {
            return Ok(known);
        }
        let predicate = Predicate::of(field, condition)?;
        let column = self.column(&condition.column);
        self.filters.push(Filter::new(condition.clone(), column, field.data_type, predicate));
        Ok(self.filters.len() - 1)
    }

    fn observe(&mut self, batch: &Batch) {
        for filter in &mut self.filters {
            if let Some(column) = batch.column(filter.column) {
                filter.look(column, batch.rows());
            }
        }
        for check in &mut self.checks {
            check.observe(batch, self.rows, &self.filters);
        }
        self.rows += batch.rows() as u64;
    }

    fn settle(&mut self) {
        self.settled = true;
        self.checks.iter_mut().for_each(Check::settle);
    }
}

impl<'a> Plan<'a> {
    fn of(table: &'a Table, window: Window, rules: &TableRules) -> Self {
        let mut reading = Reading::new(table, Vec::new());
        reading.counts = true;
        let standard_errors = rules.standard_errors;
        let mut plan = Self { table, window, standard_errors, reading, ordered: Vec::new(), findings: Vec::new() };
        plan.required(&rules.required);
        for rule in &rules.rows {
            plan.rows(rule);
        }
        for (rule, column) in rules.nulls.iter().flat_map(|rule| rule.each_column().map(move |column| (rule, column))) {
            let title = plan.title(&rule.name, "nulls", Some(column), rule.severity);
            let what = "are null".to_owned();
            plan.share(title, column, rule.condition.as_ref(), |_| {
                Ok(Bounds {
                    predicate: Predicate::Null,
                    counted: Answer::Yes,
                    least: rule.at_least,
                    most: rule.at_most,
                    min_rows: 0,
                    what,
                })
            });
        }
        for rule in &rules.ranges {
            let title = plan.title(&rule.name, "range", Some(&rule.column), rule.severity);
            plan.share(title, &rule.column, rule.condition.as_ref(), |field| {
                let what = format!("are outside {}", span(rule.min, rule.max));
                let predicate = Predicate::between(field, rule.min, rule.max)?;
                Ok(Bounds { predicate, counted: Answer::No, least: 0.0, most: rule.at_most_outside, min_rows: 0, what })
            });
        }
        for rule in &rules.allowed {
            let title = plan.title(&rule.name, "allowed", Some(&rule.column), rule.severity);
            plan.share(title, &rule.column, rule.condition.as_ref(), |field| {
                let what = "have a value that is not in the list".to_owned();
                let predicate = Predicate::any_of(field, &rule.values)?;
                Ok(Bounds { predicate, counted: Answer::No, least: 0.0, most: rule.at_most_outside, min_rows: 0, what })
            });
        }
        for rule in &rules.classes {
            plan.class(rule);
        }
        for rule in &rules.unique {
            plan.unique(rule);
        }
        for rule in &rules.increasing {
            plan.increasing(rule);
        }
        plan
    }

    fn title(&self, name: &str, kind: &str, column: Option<&str>, severity: Severity) -> Title {
        let made_up = match column {
            Some(column) => format!("{kind}:{column}"),
            None => kind.to_owned(),
        };
        Title {
            rule: if name.is_empty() { made_up } else { name.to_owned() },
            severity,
            table: self.table.name.clone(),
            column: column.map(str::to_owned),
        }
    }

    /// A rule that can't be applied is broken.
    fn lost(&mut self, title: &Title, message: String) {
        self.findings.push(title.broken(message, 1, 1, Vec::new()));
    }

    fn required(&mut self, columns: &[String]) {
        for name in columns {
            let title = self.title("", "required", Some(name), Severity::High);
            let finding = match self.table.field(name) {
                Some(_) => title.fine("the column is there".to_owned(), 0, 1, Vec::new()),
                None => title.broken("there is no such column".to_owned(), 1, 1, Vec::new()),
            };
            self.findings.push(finding);
        }
    }

    /// The field of a rule, or a finding that it is missing.
    fn field(&mut self, title: &Title, name: &str) -> Option<&'a Field> {
        let field = self.table.field(name);
        if field.is_none() {
            self.lost(title, format!("there is no column {name:?}"));
        }
        field
    }

    /// The filter of a condition: none where there is none; an error is told as a finding.
    fn filter(&mut self, title: &Title, condition: Option<&Condition>) -> Result<Option<usize>, ()> {
        let Some(condition) = condition else { return Ok(None) };
        let field = self.field(title, &condition.column).ok_or(())?;
        let filter = self.reading.filter(condition, field);
        filter.map(Some).map_err(|message| self.lost(title, message))
    }

    fn rows(&mut self, rule: &RowsRule) {
        let title = self.title(&rule.name, "rows", None, rule.severity);
        let Ok(filter) = self.filter(&title, rule.condition.as_ref()) else { return };
        let periods = match rule.per {
            Period::Hour => self.window.hours(),
            Period::Day => self.window.hours() / 24.0,
            Period::Total => 1.0,
        };
        let (whole, begun) = (periods.floor(), periods.ceil());
        let kind = Kind::Rows { least: rule.at_least, most: rule.at_most, whole, begun, per: rule.per };
        if self.reading.selection.columns.is_empty() {
            // Rows are counted by some column that every row has.
            let narrow = self.table.fields.iter().find(|field| !field.nullable).or(self.table.fields.first());
            if let Some(field) = narrow {
                self.reading.column(&field.name);
            }
        }
        self.reading.checks.push(Check::new(title, filter, kind));
    }

    fn class(&mut self, rule: &ClassRule) {
        let title = self.title(&rule.name, "class", Some(&rule.column), rule.severity);
        if self.window.hours() < rule.min_hours {
            let message = format!("not judged, as the window is shorter than {} hours", rule.min_hours);
            self.findings.push(title.fine(message, 0, 0, Vec::new()));
            return;
        }
        if rule.each {
            return self.each_class(title, rule);
        }
        self.share(title, &rule.column, rule.condition.as_ref(), |field| {
            let predicate = Predicate::any_of(field, &rule.values)?;
            let what = "are of the class".to_owned();
            Ok(Bounds {
                predicate,
                counted: Answer::Yes,
                least: rule.at_least,
                most: rule.at_most,
                min_rows: rule.min_rows,
                what,
            })
        });
    }

    /// Every value that occurs as a class of its own.
    fn each_class(&mut self, title: Title, rule: &ClassRule) {
        let Some(field) = self.field(&title, &rule.column) else { return };
        let Ok(filter) = self.filter(&title, rule.condition.as_ref()) else { return };
        let kind = Kind::EachClass {
            column: self.reading.column(&rule.column),
            data_type: field.data_type,
            band: Band { least: rule.at_least, most: rule.at_most, standard_errors: self.standard_errors },
            min_rows: rule.min_rows,
            classes: Classes::default(),
        };
        self.reading.checks.push(Check::new(title, filter, kind));
    }

    fn share(
        &mut self,
        title: Title,
        column: &str,
        condition: Option<&Condition>,
        bounds: impl FnOnce(&Field) -> Result<Bounds, String>,
    ) {
        let Some(field) = self.field(&title, column) else { return };
        let Ok(filter) = self.filter(&title, condition) else { return };
        match bounds(field) {
            Err(message) => self.lost(&title, message),
            Ok(bounds) => {
                let share = Share {
                    column: self.reading.column(column),
                    data_type: field.data_type,
                    nulls_count: bounds.counted == Answer::Yes,
                    predicate: bounds.predicate,
                    counted: bounds.counted,
                    band: Band { least: bounds.least, most: bounds.most, standard_errors: self.standard_errors },
                    min_rows: bounds.min_rows,
                    what: bounds.what,
                };
                self.reading.checks.push(Check::new(title, filter, Kind::Share(share)));
            }
        }
    }

    fn unique(&mut self, rule: &UniqueRule) {
        let title = self.title(&rule.name, "unique", Some(&rule.columns.join(",")), rule.severity);
        let mut columns = Vec::new();
        for name in &rule.columns {
            let Some(field) = self.field(&title, name) else { return };
            columns.push((self.reading.column(name), field.data_type));
        }
        let Ok(filter) = self.filter(&title, rule.condition.as_ref()) else { return };
        let kind = Kind::Unique { columns, seen: None, hashes: Vec::new(), share: 1.0 };
        self.reading.checks.push(Check::new(title, filter, kind));
    }

    fn increasing(&mut self, rule: &IncreasingRule) {
        let title = self.title(&rule.name, "increasing", Some(&rule.column), rule.severity);
        let Some(field) = self.field(&title, &rule.column) else { return };
        for name in &rule.order_by {
            if self.field(&title, name).is_none() {
                return;
            }
        }
        let mut reading = Reading::new(self.table, rule.order_by.clone());
        let column = reading.column(&rule.column);
        let groups = rule.order_by.iter().take(rule.groups).map(|name| reading.column(name)).collect();
        let mut filter = None;
        if let Some(condition) = &rule.condition {
            let Some(field) = self.field(&title, &condition.column) else { return };
            match reading.filter(condition, field) {
                Ok(found) => filter = Some(found),
                Err(message) => return self.lost(&title, message),
            }
        }
        let kind = Kind::Increasing { column, data_type: field.data_type, groups, strictly: rule.strictly, last: None };
        reading.checks.push(Check::new(title, filter, kind));
        self.ordered.push(reading);
    }
}

/// What makes the share rules differ.
struct Bounds {
    predicate: Predicate,
    counted: Answer,
    least: f64,
    most: f64,
    min_rows: u64,
    what: String,
}

fn span(min: Option<f64>, max: Option<f64>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("{min} and more"),
        (None, Some(max)) => format!("{max} and less"),
        (None, None) => "everything".to_owned(),
    }
}
