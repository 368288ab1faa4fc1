//! Judges rows of metrics: fields and ranges, phases and their signatures, machines, balance of the classes.

use std::collections::BTreeMap;

use telemill_sdk::{Batch, Metric, Report, Selection, Table};

use crate::config::{Config, Quantity};
use crate::rules::{Findings, Tally};
use crate::sampling::{Probe, Sampling};

/// Columns that are read besides the fields, in this order.
const PHASE: &str = "phase";
pub(crate) const USER: &str = "user_id";
const LABEL: &str = "label";
/// Columns of data moved: disk read and written, network sent and received.
pub(crate) const MOVED: [&str; 4] = ["disk_read_mb", "disk_write_mb", "network_sent_mb", "network_recv_mb"];
/// The columns of a [`Sample`], in its order.
const QUANTITIES: [&str; 7] =
    ["cpu_percent", "memory_percent", "memory_used_gb", MOVED[0], MOVED[1], MOVED[2], MOVED[3]];
/// The label of a row that an incident changed.
const ANOMALY: &str = "anomaly";
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
    sampling: Sampling,
    /// Reads off the rows of the first selection how they are sampled, where the configuration leaves that open.
    probe: Option<Probe>,
    /// The selection whose rows are judged.
    judged: usize,
    /// What was read off or, for want of rows, taken for granted.
    assumed: Option<String>,
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

/// The numbers of one row.
#[derive(Clone, Copy, Debug)]
struct Sample {
    cpu: f64,
    memory: f64,
    used: f64,
    /// Disk read and written, network sent and received.
    moved: [f64; 4],
}

impl Signatures {
    /// Begins, and says which columns are read. What is missing becomes a finding.
    pub fn new(config: Config, tables: &[Table]) -> (Self, Vec<Selection>) {
        let table = tables.iter().find(|table| table.name == config.table);
        let has = |column: &str| table.is_some_and(|table| table.field(column).is_some());
        let names = config.fields.iter().map(|field| field.column.as_str()).chain([PHASE, USER, LABEL]);
        let missing: Vec<String> = names.clone().filter(|name| !has(name)).map(str::to_owned).collect();
        let mut columns: Vec<String> = Vec::new();
        for name in names.chain(QUANTITIES).filter(|name| has(name)) {
            if !columns.iter().any(|known| known == name) {
                columns.push(name.to_owned());
            }
        }
        // Differences of counters need the rows of a user one after the other.
        let time = if has(TIME) { TIME } else { "timestamp" };
        let can_order = has(USER) && has(time);
        let by_user = vec![USER.to_owned(), time.to_owned()];
        let table = config.table.clone();
        let mut selections = Vec::new();
        let open = config.interval_seconds.is_none() || config.counters.is_none();
        let probe = (open && can_order).then(|| Probe::new(time));
        if probe.is_some() {
            let read = MOVED.into_iter().filter(|name| has(name)).map(str::to_owned);
            let columns = by_user.iter().cloned().chain(read).collect();
            selections.push(Selection { table: table.clone(), columns, order_by: by_user.clone() });
        }
        let judged = selections.len();
        if !columns.is_empty() {
            let ordered = can_order && config.counters != Some(false);
            selections.push(Selection { table, columns, order_by: if ordered { by_user } else { Vec::new() } });
        }
        let unknown =
            "a sample every second, disk and network as amounts of each sample, since the rows have no user or no time";
        let model = Self {
            sampling: Sampling::of(&config),
            assumed: (open && !can_order).then(|| unknown.to_owned()),
            probe,
            judged,
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
        if batch.table() != self.judged {
            if let Some(probe) = &mut self.probe {
                probe.observe(batch);
            }
            return;
        }
        self.settle();
        let first = self.rows;
        self.rows += batch.rows() as u64;
        for (field, tally) in self.config.fields.iter().zip(&mut self.ranges) {
            let (low, high) = (field.min.unwrap_or(f64::NEG_INFINITY), field.max.unwrap_or(f64::INFINITY));
            for (value, number) in numbers(batch, &field.column).into_iter().flatten().zip(first..) {
                tally.count(value.is_finite() && (low..=high).contains(&value), number);
            }
        }
        let texts = [PHASE, USER, LABEL].map(|name| batch.named(name));
        let values = QUANTITIES.map(|name| numbers(batch, name).unwrap_or_default());
        for row in 0..batch.rows() {
            let [phase, user, label] = texts.map(|column| column.and_then(|column| column.text(row)));
            let [cpu, memory, used, read, written, sent, received] =
                values.each_ref().map(|column| column.get(row).copied().unwrap_or(f64::NAN));
            let sample = Sample { cpu, memory, used, moved: [read, written, sent, received] };
            let number = first + row as u64;
            let amounts = self.user(user, &sample, number);
            let anomaly = label == Some(ANOMALY);
            self.anomalies += u64::from(anomaly);
            if batch.named(PHASE).is_some() {
                // An anomaly is a row that does not look like its phase; counters tell nothing of a user's first row.
                self.phase(phase.unwrap_or_default(), amounts.filter(|_| !anomaly), &sample, number);
            }
        }
    }

    /// Ends the probe, once all of its rows were seen.
    fn settle(&mut self) {
        if let Some(probe) = self.probe.take() {
            let (sampling, assumed) = probe.finish(&self.config);
            (self.sampling, self.assumed) = (sampling, Some(assumed));
        }
    }

    /// Counts a row of a phase, and where its amounts are known, holds it to the signature.
    fn phase(&mut self, phase: &str, amounts: Option<[f64; 4]>, sample: &Sample, row: u64) {
        let at = self.config.signatures.iter().position(|signature| signature.phase == phase);
        self.known_phase.count(at.is_some(), row);
        let Some((at, signature)) = at.and_then(|at| Some((at, self.config.signatures.get(at)?))) else { return };
        if let Some(count) = self.phases.get_mut(at) {
            *count += 1;
        }
        let Some(amounts) = amounts else { return };
        let [read, written, sent, received] = amounts.map(|mb| mb / self.sampling.interval_seconds);
        let agrees = signature.bounds.iter().all(|bound| {
            let value = match bound.quantity {
                Quantity::CpuPercent => sample.cpu,
                Quantity::MemoryPercent => sample.memory,
                Quantity::DiskMbPerS => read + written,
                Quantity::NetworkMbPerS => sent + received,
            };
            bound.min.is_none_or(|min| value >= min) && bound.max.is_none_or(|max| value <= max)
        });
        if let Some(tally) = self.agree.get_mut(at) {
            tally.count(agrees, row);
        }
    }

    /// Holds a row to its user's machine and to the counters before; gives the amounts of the sample, none where counters do not
    /// tell them yet.
    fn user(&mut self, user: Option<&str>, sample: &Sample, row: u64) -> Option<[f64; 4]> {
        let counters = self.sampling.counters;
        let Sample { memory, used, moved, .. } = *sample;
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
    pub fn finish(&mut self) -> Report {
        self.settle();
        let mut findings = Findings::new(&self.config.table);
        let none = Tally::default();
        let missing = self.missing.join(", ");
        let message =
            if missing.is_empty() { "all fields are there".to_owned() } else { format!("missing: {missing}") };
        findings.add("fields-present", None, missing.is_empty(), message, &none);
        if let Some(assumed) = &self.assumed {
            let message = format!("assumed: {assumed}; set `interval_seconds` and `counters` where that is wrong");
            findings.add("sampling", None, true, message, &none);
        }
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
        if self.sampling.counters {
            let counters = &self.counters;
            let message = format!("{} of {} rows have a counter that went back", counters.failed, counters.checked);
            findings.add("counters-rise", None, counters.failed == 0, message, counters);
        }
        let hours = self.rows as f64 * self.sampling.interval_seconds / 3600.0;
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

/// The numbers of a named column, whatever their type; NaN where there is none.
pub(crate) fn numbers(batch: &Batch, name: &str) -> Option<Vec<f64>> {
    let data_type = batch.declaration()?.field(name)?.data_type;
    let mut values = vec![f64::NAN; batch.rows()];
    batch.named(name)?.each_number(data_type, batch.rows(), |row, value| {
        if let (Some(to), Some(value)) = (values.get_mut(row), value) {
            *to = value;
        }
    });
    Some(values)
}

fn metric(name: String, value: f64) -> Metric {
    Metric { name, value, unit: Some("1".to_owned()), at: None }
}
