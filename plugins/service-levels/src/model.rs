//! Response times and errors by phase, against their bands; traffic is counted in `volume`.

use telemill_sdk::{Batch, DataType, Error, Finding, Metric, Report, Selection, Severity, Table, Window};

use crate::config::{Config, Level};
use crate::histogram::Histogram;
use crate::volume::HourlyVolume;

/// Standard errors that a share may lie outside its band, and by how much errors in clusters widen them.
const TOLERANCE: f64 = 4.0 * 2.0;

/// The validator at work.
#[derive(Debug)]
pub struct Levels {
    config: Config,
    /// What was clear from the declarations alone.
    findings: Vec<Finding>,
    time: Option<usize>,
    latency: Option<(usize, DataType)>,
    status: Option<usize>,
    phase: Option<usize>,
    volume: Option<HourlyVolume>,
    /// Rows by the levels that they belong to, which are bits.
    tallies: Vec<(u32, Tally)>,
    /// Of the batch at hand, each row's tally.
    places: Vec<u8>,
}

/// What is counted of some rows.
#[derive(Clone, Debug, Default)]
struct Tally {
    rows: u64,
    errors: u64,
    latency: Histogram,
}

impl Levels {
    /// The levels of a configuration on the tables of a dataset, and what they read.
    ///
    /// # Errors
    /// Where the time zone is unknown.
    pub fn new(config: Config, tables: &[Table], window: Window) -> Result<(Self, Vec<Selection>), Error> {
        let mut levels = Self {
            findings: Vec::new(),
            time: None,
            latency: None,
            status: None,
            phase: None,
            volume: None,
            tallies: Vec::new(),
            places: Vec::new(),
            config,
        };
        let Some(table) = tables.iter().find(|table| table.name == levels.config.table) else {
            levels.missing(None, "there is no such table".to_owned());
            return Ok((levels, Vec::new()));
        };
        let mut columns = Vec::new();
        if let Some(volume) = levels.config.volume.clone() {
            let name = levels.config.time_column.clone();
            levels.time = levels.select(table, &name, &[DataType::Timestamp], &mut columns);
            levels.volume = Some(HourlyVolume::new(volume, window)?);
        }
        let wanted = |wants: fn(&Level) -> bool| levels.config.levels.iter().any(wants);
        let by_latency = wanted(|level| !level.quantiles.is_empty());
        let by_errors = wanted(Level::has_errors);
        let by_phase = wanted(|level| !level.phases.is_empty());
        if by_latency {
            const NUMBERS: [DataType; 4] = [DataType::Int32, DataType::Int64, DataType::Float32, DataType::Float64];
            let name = levels.config.latency_column.clone();
            let data_type = table.field(&name).map_or(DataType::Float64, |field| field.data_type);
            levels.latency = levels.select(table, &name, &NUMBERS, &mut columns).map(|column| (column, data_type));
        }
        if by_errors {
            let name = levels.config.status_column.clone();
            levels.status = levels.select(table, &name, &[DataType::Utf8], &mut columns);
        }
        if by_phase {
            let name = levels.config.phase_column.clone();
            levels.phase = levels.select(table, &name, &[DataType::Utf8], &mut columns);
        }
        let selection = Selection { table: table.name.clone(), columns, order_by: Vec::new() };
        let selections = if selection.columns.is_empty() { Vec::new() } else { vec![selection] };
        Ok((levels, selections))
    }

    fn missing(&mut self, column: Option<&str>, message: String) {
        self.findings.push(Finding {
            rule: "columns".to_owned(),
            severity: Severity::High,
            table: Some(self.config.table.clone()),
            column: column.map(str::to_owned),
            message,
            failed: 1,
            checked: 1,
            samples: Vec::new(),
        });
    }

    /// The place of a column in the selection; where it is missing or of another type, a finding.
    fn select(&mut self, table: &Table, name: &str, types: &[DataType], columns: &mut Vec<String>) -> Option<usize> {
        match table.field(name) {
            Some(field) if types.contains(&field.data_type) => {
                columns.push(name.to_owned());
                Some(columns.len() - 1)
            }
            Some(field) => {
                self.missing(Some(name), format!("the column is {:?}", field.data_type));
                None
            }
            None => {
                self.missing(Some(name), "there is no such column".to_owned());
                None
            }
        }
    }

    /// Looks at rows.
    pub fn observe(&mut self, batch: &Batch) {
        let rows = batch.rows();
        if let (Some(volume), Some(time)) = (&mut self.volume, self.time.and_then(|column| batch.column(column))) {
            time.each_i64(rows, |_, t| {
                if let Some(t) = t {
                    volume.add(t);
                }
            });
        }
        self.place(batch);
        let (places, tallies) = (&self.places, &mut self.tallies);
        for place in places {
            if let Some((_, tally)) = tallies.get_mut(usize::from(*place)) {
                tally.rows += 1;
            }
        }
        if let Some(status) = self.status.and_then(|column| batch.column(column)) {
            let errors = &self.config.error_values;
            let is_error = |value: &[u8]| errors.iter().any(|error| error.as_bytes() == value);
            status.each_text(rows, is_error, |row, failed| {
                let place = places.get(row).map_or(usize::MAX, |place| usize::from(*place));
                if let (Some(true), Some((_, tally))) = (failed, tallies.get_mut(place)) {
                    tally.errors += 1;
                }
            });
        }
        if let Some((column, data_type)) = self.latency
            && let Some(latency) = batch.column(column)
        {
            latency.each_number(data_type, rows, |row, value| {
                let place = places.get(row).map_or(usize::MAX, |place| usize::from(*place));
                if let (Some(value), Some((_, tally))) = (value, tallies.get_mut(place)) {
                    tally.latency.add(value);
                }
            });
        }
    }

    /// Finds each row's tally by its phase.
    fn place(&mut self, batch: &Batch) {
        let levels = &self.config.levels;
        let tallies = &mut self.tallies;
        let mut tally_of = |phase: Option<&[u8]>| {
            let bits = levels.iter().enumerate().fold(0u32, |bits, (i, level)| {
                let belongs = level.phases.is_empty()
                    || phase.is_some_and(|phase| level.phases.iter().any(|name| name.as_bytes() == phase));
                bits | (u32::from(belongs) << i)
            });
            // There are at most as many tallies as sets of levels that some phase belongs to: a few.
            let place = tallies.iter().position(|(known, _)| *known == bits).unwrap_or_else(|| {
                tallies.push((bits, Tally::default()));
                tallies.len() - 1
            });
            u8::try_from(place).unwrap_or(u8::MAX)
        };
        let none = tally_of(None);
        self.places.clear();
        match self.phase.and_then(|column| batch.column(column)) {
            Some(phase) => {
                let places = &mut self.places;
                phase.each_text(
                    batch.rows(),
                    |value| tally_of(Some(value)),
                    |_, place| places.push(place.unwrap_or(none)),
                );
            }
            None => self.places.resize(batch.rows(), none),
        }
    }

    /// What it found.
    pub fn finish(&mut self) -> Report {
        let mut report = Report { findings: std::mem::take(&mut self.findings), metrics: Vec::new() };
        if let (Some(volume), Some(_)) = (self.volume.take(), self.time) {
            let (findings, metrics) = volume.finish(&self.config.table, &self.config.time_column);
            report.findings.extend(findings);
            report.metrics.extend(metrics);
        }
        for (i, level) in self.config.levels.iter().enumerate() {
            if !level.phases.is_empty() && self.phase.is_none() {
                continue;
            }
            let mut tally = Tally::default();
            for (_, part) in self.tallies.iter().filter(|(bits, _)| bits & (1 << i) != 0) {
                tally.rows += part.rows;
                tally.errors += part.errors;
                tally.latency.merge(&part.latency);
            }
            self.judge(level, &tally, &mut report);
        }
        report
    }

    fn judge(&self, level: &Level, tally: &Tally, report: &mut Report) {
        let mut metric = |name: &str, value: f64, unit: Option<&str>| {
            let name = format!("{}.{name}", level.name);
            report.metrics.push(Metric { name, value, unit: unit.map(str::to_owned), at: None });
        };
        metric("rows", tally.rows as f64, None);
        let share = tally.errors as f64 / (tally.rows as f64).max(1.0);
        if self.status.is_some() {
            metric("error_share", share, None);
        }
        if self.latency.is_some() {
            for (name, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
                if let Some(value) = tally.latency.quantile(quantile) {
                    metric(name, value, Some("ms"));
                }
            }
        }
        let finding = |rule: String, column: &str, broken: bool, message: String, failed: u64| Finding {
            rule,
            severity: if broken { level.severity } else { Severity::Info },
            table: Some(self.config.table.clone()),
            column: Some(column.to_owned()),
            message,
            failed,
            checked: tally.rows,
            samples: Vec::new(),
        };
        if tally.rows < level.min_rows.max(1) {
            let message = format!("{} rows, not judged below {}", tally.rows, level.min_rows);
            report.findings.push(finding(format!("{}:rows", level.name), &self.config.phase_column, false, message, 0));
            return;
        }
        if level.has_errors() && self.status.is_some() {
            let (low, high) = (level.errors_at_least, level.errors_at_most);
            let margin = |end: f64| TOLERANCE * (end * (1.0 - end) / tally.rows as f64).max(0.0).sqrt();
            let broken = share < low - margin(low) || share > high + margin(high);
            let message = format!(
                "{:.2} % of {} rows are errors, {:.2} to {:.2} % wanted",
                share * 100.0,
                tally.rows,
                low * 100.0,
                high * 100.0
            );
            let off = (share - share.clamp(low, high)).abs() * tally.rows as f64;
            let failed = if broken { (off.round() as u64).max(1) } else { 0 };
            let rule = format!("{}:errors", level.name);
            report.findings.push(finding(rule, &self.config.status_column, broken, message, failed));
        }
        for band in level.quantiles.iter().filter(|_| self.latency.is_some()) {
            let rule = format!("{}:p{}", level.name, (band.quantile * 100_000.0).round() / 1000.0);
            let column = &self.config.latency_column;
            report.findings.push(match tally.latency.quantile(band.quantile) {
                None => finding(rule, column, true, "no row has a response time".to_owned(), tally.rows),
                Some(value) => {
                    let broken = value < band.at_least_ms || value > band.at_most_ms;
                    let message = format!("{value:.0} ms, {:.0} to {:.0} ms wanted", band.at_least_ms, band.at_most_ms);
                    finding(rule, column, broken, message, u64::from(broken))
                }
            });
        }
    }
}

impl Level {
    /// Whether it says anything about errors.
    fn has_errors(&self) -> bool {
        self.errors_at_least > 0.0 || self.errors_at_most < 1.0
    }
}
