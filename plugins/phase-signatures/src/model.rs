//! Judges rows of metrics: fields and ranges, phases and their signatures, machines, balance of the classes.

use std::collections::BTreeMap;

use telemill_sdk::{Batch, Column, Metric, Report, Selection, Table};

use crate::config::{Config, Quantity};
use crate::rules::{Findings, Tally};

/// Columns that are read besides the fields, in this order.
const PHASE: &str = "phase";
const USER: &str = "user_id";
const LABEL: &str = "label";
/// What orders a user's rows, where it is there.
const TIME: &str = "time";
/// Half of the last decimal of memory in use, in GB, and of the percentage.
const ROUNDING: (f64, f64) = (0.005, 0.05);
/// Users whose machines are remembered.
const MOST_USERS: usize = 1_000_000;

/// What is known of one user.
#[derive(Clone, Debug)]
struct User {
    /// Between which sizes the machine's memory lies, in GB, by all rows so far.
    memory_gb: (f64, f64),
    /// The counters of the row before: disk and network.
    moved: Option<[f64; 4]>,
}

/// The judgement under way.
#[derive(Clone, Debug)]
pub struct Signatures {
    config: Config,
    /// The fields that are there, by the position of their column in the selection.
    fields: Vec<Option<usize>>,
    columns: Vec<String>,
    missing: Vec<String>,
    rows: u64,
    ranges: Vec<Tally>,
    known_phase: Tally,
    agree: Vec<Tally>,
    /// Rows of each phase, whatever their label.
    phases: Vec<u64>,
    anomalies: u64,
    memory: Tally,
    counters: Tally,
    users: BTreeMap<String, User>,
}

/// The columns of one batch, found once.
struct Columns<'a> {
    fields: Vec<Option<&'a Column>>,
    phase: Option<&'a Column>,
    user: Option<&'a Column>,
    label: Option<&'a Column>,
}

impl Signatures {
    /// Begins, and says which columns are read. What is missing becomes a finding.
    pub fn new(config: Config, tables: &[Table]) -> (Self, Vec<Selection>) {
        let table = tables.iter().find(|table| table.name == config.table);
        let has = |column: &str| table.is_some_and(|table| table.field(column).is_some());
        let names = config.fields.iter().map(|field| field.column.as_str()).chain([PHASE, USER, LABEL]);
        let missing: Vec<String> = names.clone().filter(|name| !has(name)).map(str::to_owned).collect();
        let mut columns: Vec<String> = Vec::new();
        for name in names.filter(|name| has(name)) {
            if !columns.iter().any(|known| known == name) {
                columns.push(name.to_owned());
            }
        }
        // Differences of counters need the rows of a user one after the other.
        let time = if has(TIME) { TIME } else { "timestamp" };
        let ordered = config.counters && has(USER) && has(time);
        let order_by = if ordered { vec![USER.to_owned(), time.to_owned()] } else { Vec::new() };
        let selections = if table.is_some() && !columns.is_empty() {
            vec![Selection { table: config.table.clone(), columns: columns.clone(), order_by }]
        } else {
            Vec::new()
        };
        let fields: Vec<Option<usize>> =
            config.fields.iter().map(|field| columns.iter().position(|name| *name == field.column)).collect();
        let model = Self {
            fields,
            columns,
            missing,
            rows: 0,
            ranges: vec![Tally::default(); config.fields.len()],
            known_phase: Tally::default(),
            agree: vec![Tally::default(); config.signatures.len()],
            phases: vec![0; config.signatures.len()],
            anomalies: 0,
            memory: Tally::default(),
            counters: Tally::default(),
            users: BTreeMap::new(),
            config,
        };
        (model, selections)
    }

    /// Looks at rows.
    pub fn observe(&mut self, batch: &Batch) {
        let named = |name: &str| self.columns.iter().position(|known| known == name).and_then(|at| batch.column(at));
        let columns = Columns {
            fields: self.fields.iter().map(|at| at.and_then(|at| batch.column(at))).collect(),
            phase: named(PHASE),
            user: named(USER),
            label: named(LABEL),
        };
        let values = ["cpu_percent", "memory_percent", "memory_used_gb"].map(|name| named(name));
        let moved = ["disk_read_mb", "disk_write_mb", "network_sent_mb", "network_recv_mb"].map(|name| named(name));
        for row in 0..batch.rows() {
            let number = self.rows;
            self.rows += 1;
            for ((column, field), tally) in columns.fields.iter().zip(&self.config.fields).zip(&mut self.ranges) {
                if let Some(column) = column {
                    let value = column.f64(row).unwrap_or(f64::NAN);
                    let low = field.min.unwrap_or(f64::NEG_INFINITY);
                    let high = field.max.unwrap_or(f64::INFINITY);
                    tally.count(value.is_finite() && (low..=high).contains(&value), number);
                }
            }
            let value = |column: Option<&Column>| column.and_then(|column| column.f64(row)).unwrap_or(f64::NAN);
            let [cpu, memory, used] = values.map(value);
            let amounts =
                self.user(columns.user.and_then(|user| user.text(row)), memory, used, moved.map(value), number);
            let anomaly = columns.label.and_then(|label| label.text(row)) == Some("anomaly");
            self.anomalies += u64::from(anomaly);
            let phase = columns.phase.and_then(|phase| phase.text(row));
            let at = self.config.signatures.iter().position(|signature| Some(signature.phase.as_str()) == phase);
            if columns.phase.is_some() {
                self.known_phase.count(at.is_some(), number);
            }
            let Some(at) = at else { continue };
            if let Some(count) = self.phases.get_mut(at) {
                *count += 1;
            }
            // An anomaly is a row that does not look like its phase; counters tell nothing of a user's first row.
            let (false, Some(amounts)) = (anomaly, amounts) else { continue };
            let [read, written, sent, received] = amounts.map(|mb| mb / self.config.interval_seconds);
            let agrees = self.config.signatures.get(at).is_none_or(|signature| {
                signature.bounds.iter().all(|bound| {
                    let value = match bound.quantity {
                        Quantity::CpuPercent => cpu,
                        Quantity::MemoryPercent => memory,
                        Quantity::DiskMbPerS => read + written,
                        Quantity::NetworkMbPerS => sent + received,
                    };
                    bound.min.is_none_or(|min| value >= min) && bound.max.is_none_or(|max| value <= max)
                })
            });
            if let Some(tally) = self.agree.get_mut(at) {
                tally.count(agrees, number);
            }
        }
    }

    /// Holds a row to its user's machine and to the counters before; gives the amounts of the sample, none where counters do not
    /// tell them yet.
    fn user(&mut self, user: Option<&str>, memory: f64, used: f64, moved: [f64; 4], row: u64) -> Option<[f64; 4]> {
        let counters = self.config.counters;
        let Some(known) = user.and_then(|user| remember(&mut self.users, user)) else {
            return (!counters).then_some(moved);
        };
        if memory.is_finite() && used.is_finite() {
            let low = (used - ROUNDING.0) / (memory + ROUNDING.1) * 100.0;
            let high = (used + ROUNDING.0) / (memory - ROUNDING.1).max(f64::MIN_POSITIVE) * 100.0;
            let both = (known.memory_gb.0.max(low), known.memory_gb.1.min(high));
            let agrees = both.0 <= both.1;
            if agrees {
                known.memory_gb = both;
            }
            self.memory.count(agrees, row);
        }
        if !counters {
            return Some(moved);
        }
        let mut amounts = moved;
        for (amount, before) in amounts.iter_mut().zip(known.moved.replace(moved)?) {
            *amount -= before;
        }
        self.counters.count(!amounts.iter().any(|amount| *amount < 0.0), row);
        Some(amounts)
    }

    /// What was found.
    pub fn finish(&self) -> Report {
        let mut findings = Findings::new(&self.config.table);
        let none = Tally::default();
        let missing = self.missing.join(", ");
        let message =
            if missing.is_empty() { "all fields are there".to_owned() } else { format!("missing: {missing}") };
        findings.add("fields-present", None, missing.is_empty(), message, &none);
        for (field, tally) in self.config.fields.iter().zip(&self.ranges) {
            let column = field.column.as_str();
            if self.missing.iter().any(|name| name == column) {
                continue;
            }
            let message = format!("{} of {} values are out of range or missing", tally.failed, tally.checked);
            findings.add(&format!("range:{column}"), Some(column), tally.failed == 0, message, tally);
        }
        let known = &self.known_phase;
        let message = format!("{} of {} rows have a phase that is none of the known ones", known.failed, known.checked);
        findings.add("phase-known", Some(PHASE), known.failed == 0, message, known);
        let mut metrics = Vec::new();
        for (signature, tally) in self.config.signatures.iter().zip(&self.agree) {
            let (phase, share) = (signature.phase.as_str(), tally.share());
            let message = format!("{:.2} % of the rows of {phase} agree with its signature", share * 100.0);
            let holds = share >= self.config.agree_at_least;
            findings.add(&format!("signature:{phase}"), Some(PHASE), holds, message, tally);
            metrics.push(metric(format!("agree:{phase}"), share));
        }
        let memory = &self.memory;
        let message = format!(
            "{} of {} rows have memory in GB and in percent that do not fit one size of the user's machine",
            memory.failed, memory.checked
        );
        findings.add("memory-agrees", Some("memory_used_gb"), memory.failed == 0, message, memory);
        if self.config.counters {
            let counters = &self.counters;
            let message = format!("{} of {} rows have a counter that went back", counters.failed, counters.checked);
            findings.add("counters-rise", None, counters.failed == 0, message, counters);
        }
        let hours = self.rows as f64 * self.config.interval_seconds / 3600.0;
        let enough = hours >= self.config.min_user_hours;
        for (signature, count) in self.config.signatures.iter().zip(&self.phases) {
            let phase = signature.phase.as_str();
            let rule = format!("balance:{phase}");
            findings.share(&rule, PHASE, phase, *count, self.rows, enough.then_some(self.config.phase_share));
            metrics.push(metric(format!("share:{phase}"), *count as f64 / self.rows.max(1) as f64));
        }
        let band = enough.then_some(self.config.anomaly_share);
        findings.share("balance:anomaly", LABEL, "the label anomaly", self.anomalies, self.rows, band);
        metrics.push(metric("share:anomaly".to_owned(), self.anomalies as f64 / self.rows.max(1) as f64));
        if self.rows == 0 && self.missing.is_empty() {
            findings.add("rows", None, true, "there are no rows to judge".to_owned(), &none);
        }
        Report { findings: findings.all, metrics }
    }
}

/// What is known of a user; none where there are too many to remember.
fn remember<'a>(users: &'a mut BTreeMap<String, User>, user: &str) -> Option<&'a mut User> {
    if !users.contains_key(user) {
        if users.len() >= MOST_USERS {
            return None;
        }
        users.insert(user.to_owned(), User { memory_gb: (0.0, f64::INFINITY), moved: None });
    }
    users.get_mut(user)
}

fn metric(name: String, value: f64) -> Metric {
    Metric { name, value, unit: Some("1".to_owned()), at: None }
}
