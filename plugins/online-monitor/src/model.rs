//! The monitor at work: finds its columns, adds up what it reads, and writes the report.

use telemill_sdk::{Batch, DataType, Finding, Metric, Report, Selection, Severity, Table, Timestamp, Zone};

use crate::config::{Config, Scope};
use crate::online::{Judgement, Online};

/// Numbers that may be counts.
const NUMBERS: [DataType; 4] = [DataType::Int32, DataType::Int64, DataType::Float32, DataType::Float64];
/// Most alerts that are listed; the others are counted.
const MAX_ALERTS: usize = 50;
/// Most snapshots whose share is given as a number.
const MAX_SHARES: usize = 10_000;
/// Most rows that a finding points to.
const MAX_SAMPLES: usize = 5;

/// What the rows of a selection are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Role {
    Counts(DataType),
    Inventory,
}

/// The validator at work.
#[derive(Debug)]
pub struct OnlineMonitor {
    config: Config,
    /// What was clear from the declarations alone.
    findings: Vec<Finding>,
    /// What each selection is read for.
    roles: Vec<Role>,
    online: Online,
    machines: u64,
    rows: u64,
    odd_rows: u64,
    odd_samples: Vec<u64>,
}

impl OnlineMonitor {
    /// The monitor of a configuration on the tables of a dataset, and what it reads.
    pub fn new(config: Config, tables: &[Table]) -> (Self, Vec<Selection>) {
        let mut monitor = Self {
            findings: Vec::new(),
            roles: Vec::new(),
            online: Online::default(),
            machines: config.inventory.unwrap_or(0),
            rows: 0,
            odd_rows: 0,
            odd_samples: Vec::new(),
            config,
        };
        let mut selections = Vec::new();
        if let Some(data_type) = monitor.find_counts(tables) {
            let Config { table, time_column, segment_column, count_column, .. } = &monitor.config;
            let columns = vec![time_column.clone(), segment_column.clone(), count_column.clone()];
            selections.push(Selection { table: table.clone(), columns, order_by: Vec::new() });
            monitor.roles.push(Role::Counts(data_type));
        }
        if monitor.config.inventory.is_none() {
            let name = monitor.config.inventory_table.clone();
            match tables.iter().find(|table| table.name == name).and_then(|table| table.fields.first()) {
                Some(field) => {
                    selections.push(Selection { table: name, columns: vec![field.name.clone()], order_by: Vec::new() });
                    monitor.roles.push(Role::Inventory);
                }
                None => monitor.complain("inventory", &name, None, "there is no such table".to_owned()),
            }
        }
        (monitor, selections)
    }

    /// Looks for the three columns of counts; the type of the counts where all are there.
    fn find_counts(&mut self, tables: &[Table]) -> Option<DataType> {
        let config = self.config.clone();
        let Some(table) = tables.iter().find(|table| table.name == config.table) else {
            self.complain("columns", &config.table, None, "there is no such table".to_owned());
            return None;
        };
        let mut find = |name: &str, types: &[DataType]| match table.field(name) {
            Some(field) if types.contains(&field.data_type) => Some(field.data_type),
            Some(field) => {
                self.complain("columns", &config.table, Some(name), format!("the column is {:?}", field.data_type));
                None
            }
            None => {
                self.complain("columns", &config.table, Some(name), "there is no such column".to_owned());
                None
            }
        };
        let time = find(&config.time_column, &[DataType::Timestamp]);
        let segment = find(&config.segment_column, &[DataType::Utf8]);
        let count = find(&config.count_column, &NUMBERS);
        time.and(segment).and(count)
    }

    /// Something without which nothing can be judged.
    fn complain(&mut self, rule: &str, table: &str, column: Option<&str>, message: String) {
        self.findings.push(Finding {
            rule: rule.to_owned(),
            severity: Severity::High,
            table: Some(table.to_owned()),
            column: column.map(str::to_owned),
            message,
            failed: 1,
            checked: 1,
            samples: Vec::new(),
        });
    }

    /// Looks at rows.
    pub fn observe(&mut self, batch: &Batch) {
        match self.roles.get(batch.table()) {
            Some(Role::Inventory) => self.machines += batch.rows() as u64,
            Some(Role::Counts(data_type)) => self.add_counts(batch, *data_type),
            None => {}
        }
    }

    fn add_counts(&mut self, batch: &Batch, data_type: DataType) {
        let (Some(times), Some(segments), Some(counts)) = (batch.column(0), batch.column(1), batch.column(2)) else {
            return;
        };
        let mut wanted = vec![None; batch.rows()];
        let name = self.config.segment.as_bytes();
        segments.each_text(
            batch.rows(),
            |value| value == name,
            |row, is| {
                if let Some(place) = wanted.get_mut(row) {
                    *place = is;
                }
            },
        );
        let mut machines = vec![None; batch.rows()];
        counts.each_number(data_type, batch.rows(), |row, count| {
            if let Some(place) = machines.get_mut(row) {
                *place = count.filter(|count| count.is_finite() && *count >= 0.0);
            }
        });
        for (row, (wanted, machines)) in wanted.into_iter().zip(machines).enumerate() {
            match (wanted, times.i64(row), machines) {
                (Some(false), ..) => {}
                (Some(true), Some(at), Some(machines)) => self.online.add(at, machines),
                // A row that does not say what it counts, when, or how many.
                _ => {
                    self.odd_rows += 1;
                    if self.odd_samples.len() < MAX_SAMPLES {
                        self.odd_samples.push(self.rows + row as u64);
                    }
                }
            }
        }
        self.rows += batch.rows() as u64;
    }

    /// What it found.
    pub fn finish(&mut self) -> Report {
        let mut report = Report { findings: std::mem::take(&mut self.findings), metrics: Vec::new() };
        if self.roles.contains(&Role::Inventory) && self.machines == 0 {
            let table = &self.config.inventory_table;
            let (rule, message) = ("inventory", "it has no rows, so that there is no share");
            report.findings.push(Finding { table: Some(table.clone()), ..self.finding(rule, Severity::High, message) });
        }
        if self.roles.iter().any(|role| matches!(role, Role::Counts(_))) {
            self.judge_rows(&mut report);
            self.judge_drops(&mut report);
        }
        report
    }

    fn finding(&self, rule: &str, severity: Severity, message: impl Into<String>) -> Finding {
        Finding {
            rule: rule.to_owned(),
            severity,
            table: Some(self.config.table.clone()),
            column: Some(self.config.count_column.clone()),
            message: message.into(),
            failed: u64::from(severity > Severity::Info),
            checked: 1,
            samples: Vec::new(),
        }
    }

    /// Rows that say nothing, and counts that can't be.
    fn judge_rows(&self, report: &mut Report) {
        if self.odd_rows > 0 {
            let message =
                format!("{} of {} rows lack a time, a segment or a count of 0 or more", self.odd_rows, self.rows);
            report.findings.push(Finding {
                failed: self.odd_rows,
                checked: self.rows,
                samples: self.odd_samples.clone(),
                ..self.finding("rows", self.config.severity, message)
            });
        }
        let too_many = |(_, online): &(Timestamp, f64)| *online > self.machines as f64;
        let more: Vec<(Timestamp, f64)> = self.online.snapshots().filter(too_many).collect();
        if let Some(&(at, _)) = more.first().filter(|_| self.machines > 0) {
            let message = format!(
                "in {} snapshots, more machines are online than the {} that there are, first at {}",
                more.len(),
                self.machines,
                clock(at)
            );
            report.findings.push(Finding {
                failed: more.len() as u64,
                checked: self.online.snapshots().len() as u64,
                ..self.finding("more-than-there-are", self.config.severity, message)
            });
        }
    }

    /// The drop of the judged snapshots, as findings and as numbers.
    fn judge_drops(&self, report: &mut Report) {
        const RULE: &str = "online-drop";
        let snapshots = self.online.snapshots().len();
        if snapshots == 0 {
            let message = format!("there are no rows of segment {:?}", self.config.segment);
            report.findings.push(self.finding(RULE, Severity::High, message));
            return;
        }
        let judged = self.online.judge(self.config.scope, self.config.history as usize);
        let Some(latest) = judged.last() else {
            let message = "there is one snapshot and none before it: nothing to compare with".to_owned();
            report.findings.push(self.finding(RULE, Severity::Info, message));
            return;
        };
        let alerts: Vec<&Judgement> = judged.iter().filter(|j| j.drop() >= self.config.threshold).collect();
        for alert in alerts.iter().take(MAX_ALERTS) {
            report.findings.push(self.finding(RULE, self.config.severity, self.describe(alert)));
        }
        if alerts.len() > MAX_ALERTS {
            let message = format!("{} more snapshots drop as far", alerts.len() - MAX_ALERTS);
            report.findings.push(self.finding(RULE, self.config.severity, message));
        }
        if alerts.is_empty() {
            report.findings.push(Finding {
                checked: judged.len() as u64,
                ..self.finding(RULE, Severity::Info, self.describe(latest))
            });
        }
        self.measure(report, latest, &alerts);
    }

    /// "2026-11-09 23:45:00: 61.20 % of 4000 machines are online, 78.90 % in the mean of the 4 snapshots before: ...".
    fn describe(&self, judgement: &Judgement) -> String {
        let (online, baseline) = if self.machines > 0 {
            let share = |machines: f64| format!("{:.2} %", 100.0 * machines / self.machines as f64);
            (format!("{} of {} machines", share(judgement.online), self.machines), share(judgement.baseline))
        } else {
            (format!("{} machines", judgement.online), format!("{:.1}", judgement.baseline))
        };
        format!(
            "{}: {online} are online, {baseline} in the mean of the {} snapshots before: a drop of {:.2} % (threshold {:.2} %)",
            clock(judgement.at),
            judgement.history,
            100.0 * judgement.drop(),
            100.0 * self.config.threshold
        )
    }

    /// What an alert log or a chart is made of: share, baseline and drop of each alert and of the latest snapshot, and the share
    /// of every judged one.
    fn measure(&self, report: &mut Report, latest: &Judgement, alerts: &[&Judgement]) {
        let mut metric = |name: &str, value: f64, at: Option<Timestamp>| {
            report.metrics.push(Metric { name: name.to_owned(), value, unit: Some("1".to_owned()), at });
        };
        metric("threshold", self.config.threshold, None);
        if self.machines > 0 {
            metric("inventory", self.machines as f64, None);
        }
        // Without an inventory, numbers of machines take the place of shares.
        let machines = (self.machines as f64).max(1.0);
        let others = alerts.iter().copied().filter(|alert| alert.at != latest.at).take(MAX_ALERTS);
        for judgement in others.chain([latest]) {
            metric("baseline_share", judgement.baseline / machines, Some(judgement.at));
            metric("drop", judgement.drop(), Some(judgement.at));
        }
        let shares = match self.config.scope {
            Scope::Latest => 1,
            Scope::Every => MAX_SHARES,
        };
        let skipped = self.online.snapshots().len().saturating_sub(shares);
        for (at, online) in self.online.snapshots().skip(skipped) {
            metric("online_share", online / machines, Some(at));
        }
    }
}

/// A time as alert logs have it: 2026-11-09 23:45:00, UTC.
fn clock(at: Timestamp) -> String {
    let local = Zone::utc().clock().at(at);
    let (year, month, day) = local.date();
    let seconds = local.micros / telemill_sdk::time::SECOND;
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
