//! One rule at work: what it counts, and what it says in the end.

use telemill_sdk::distinct::Distinct;
use telemill_sdk::random::hash_u64;
use telemill_sdk::{Batch, Column, DataType, Finding, Severity};

use crate::classes::Classes;
use crate::config::Period;
use crate::predicate::{Answer, Filter, Predicate};

/// Failed rows that a finding names.
const SAMPLES: usize = 5;
/// Values that a finding names.
const NAMED: usize = 5;

/// What all findings have in common.
#[derive(Clone, Debug)]
pub(crate) struct Title {
    pub(crate) rule: String,
    pub(crate) severity: Severity,
    pub(crate) table: String,
    pub(crate) column: Option<String>,
}

impl Title {
    /// The finding of a rule that is broken.
    pub(crate) fn broken(&self, message: String, failed: u64, checked: u64, samples: Vec<u64>) -> Finding {
        Finding { severity: self.severity, ..self.fine(message, failed, checked, samples) }
    }

    /// The finding of a rule that is met, or could not be judged.
    pub(crate) fn fine(&self, message: String, failed: u64, checked: u64, samples: Vec<u64>) -> Finding {
        Finding {
            rule: self.rule.clone(),
            severity: Severity::Info,
            table: Some(self.table.clone()),
            column: self.column.clone(),
            message,
            failed,
            checked,
            samples,
        }
    }
}

/// A rule and what it has counted.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) title: Title,
    /// Which of the reading's filters says what rows it is about.
    pub(crate) filter: Option<usize>,
    pub(crate) kind: Kind,
    checked: u64,
    failed: u64,
    samples: Vec<u64>,
}

/// The kinds of rule.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// So many rows in so many whole and begun periods.
    Rows { least: Option<f64>, most: Option<f64>, whole: f64, begun: f64, per: Period },
    /// A share of rows with a certain answer.
    Share(Share),
    /// The share that each value has.
    EachClass { column: usize, data_type: DataType, band: Band, min_rows: u64, classes: Classes },
    /// Values that must differ.
    Unique { columns: Vec<(usize, DataType)>, seen: Option<Distinct>, hashes: Vec<Option<u64>>, share: f64 },
    /// Values that must not fall.
    Increasing { column: usize, data_type: DataType, groups: Vec<usize>, strictly: bool, last: Option<(u64, f64)> },
}

/// A share between two ends.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    pub(crate) column: usize,
    pub(crate) data_type: DataType,
    pub(crate) predicate: Predicate,
    /// The answer whose share is meant.
    pub(crate) counted: Answer,
    /// Whether nulls belong to the rows that are looked at.
    pub(crate) nulls_count: bool,
    pub(crate) band: Band,
    pub(crate) min_rows: u64,
    /// What the counted rows are, for the message: "are null".
    pub(crate) what: String,
}

/// The least and the greatest share, and how many standard errors it may lie outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Band {
    pub(crate) least: f64,
    pub(crate) most: f64,
    pub(crate) standard_errors: f64,
}

/// How a share lies outside its band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outside {
    Below,
    Above,
}

impl Band {
    /// How a share of so many rows lies outside; none where it does not.
    fn outside(&self, share: f64, rows: f64) -> Option<Outside> {
        let leave = |end: f64| self.standard_errors * (end * (1.0 - end) / rows).max(0.0).sqrt();
        if share > self.most + leave(self.most) {
            Some(Outside::Above)
        } else if share < self.least - leave(self.least) {
            Some(Outside::Below)
        } else {
            None
        }
    }

    /// What is asked for at the end that was passed.
    fn asked(&self, outside: Outside) -> String {
        match outside {
            Outside::Below => format!("at least {} wanted", percent(self.least)),
            Outside::Above => format!("at most {} allowed", percent(self.most)),
        }
    }

    /// Rows, one at least, that a share lies outside by.
    fn rows_outside(&self, share: f64, rows: f64) -> u64 {
        let distance = (share - share.clamp(self.least, self.most)).abs();
        ((distance * rows).round() as u64).max(1)
    }
}

impl Check {
    pub(crate) fn new(title: Title, filter: Option<usize>, kind: Kind) -> Self {
        Self { title, filter, kind, checked: 0, failed: 0, samples: Vec::new() }
    }

    /// Looks at a batch; `before` rows were sent before it.
    pub(crate) fn observe(&mut self, batch: &Batch, before: u64, filters: &[Filter]) {
        let filter = match self.filter {
            Some(index) => match filters.get(index) {
                Some(filter) => Some(filter),
                None => return,
            },
            None => None,
        };
        let kept = filter.map_or(batch.rows() as u64, Filter::kept);
        let keeps = |row: usize| filter.is_none_or(|filter| filter.keeps(row));
        let (failed, samples, checked) = (&mut self.failed, &mut self.samples, &mut self.checked);
        let mut fail = |row: usize| {
            *failed += 1;
            if samples.len() < SAMPLES {
                samples.push(before + row as u64);
            }
        };
        match &mut self.kind {
            Kind::Rows { .. } => {
                *checked += kept;
            }
            Kind::Share(share) => {
                let Some(column) = batch.column(share.column) else { return };
                // The usual case: all is well, and that can be seen without a look at the rows.
                if column.validity.is_none() && share.predicate.never(column, share.counted) {
                    *checked += kept;
                    return;
                }
                share.predicate.each(column, share.data_type, batch.rows(), |row, answer| {
                    if keeps(row) {
                        *checked += u64::from(answer != Answer::Null || share.nulls_count);
                        if answer == share.counted {
                            fail(row);
                        }
                    }
                });
            }
            Kind::EachClass { column, data_type, classes, .. } => {
                if let Some(column) = batch.column(*column) {
                    classes.observe(column, *data_type, batch.rows(), keeps);
                }
            }
            Kind::Unique { columns, seen, hashes, .. } => {
                let Some(seen) = seen else { return };
                hashes.clear();
                hashes.resize(batch.rows(), Some(0));
                for (column, data_type) in columns {
                    if let Some(column) = batch.column(*column) {
                        add_hashes(column, *data_type, hashes);
                    }
                }
                for (row, hash) in hashes.iter().enumerate() {
                    if let Some(hash) = hash
                        && keeps(row)
                        && let Some(repeated) = seen.add(*hash)
                    {
                        *checked += 1;
                        if repeated {
                            fail(row);
                        }
                    }
                }
            }
            Kind::Increasing { column, data_type, groups, strictly, last } => {
                let mut keys = vec![Some(0u64); if groups.is_empty() { 0 } else { batch.rows() }];
                for group in groups.iter() {
                    let declared = batch.declaration().and_then(|table| table.fields.get(*group));
                    if let (Some(column), Some(field)) = (batch.column(*group), declared) {
                        add_hashes(column, field.data_type, &mut keys);
                    }
                }
                let Some(column) = batch.column(*column) else { return };
                column.each_number(*data_type, batch.rows(), |row, value| {
                    let Some(value) = value.filter(|_| keeps(row)) else { return };
                    let group = keys.get(row).copied().flatten().unwrap_or(0);
                    *checked += 1;
                    if let Some((before, last)) = *last
                        && before == group
                        && (value < last || (*strictly && value == last))
                    {
                        fail(row);
                    }
                    *last = Some((group, value));
                });
            }
        }
    }

    /// Lets go of what is needed only while rows come.
    pub(crate) fn settle(&mut self) {
        if let Kind::Unique { seen, share, hashes, .. } = &mut self.kind
            && let Some(set) = seen.take()
        {
            *share = set.share();
            *hashes = Vec::new();
        }
    }

    /// What it found.
    pub(crate) fn finish(mut self) -> Finding {
        self.settle();
        let (checked, failed) = (self.checked, self.failed);
        match self.kind {
            Kind::Rows { least, most, whole, begun, per } => {
                let rows = checked as f64;
                let each = match per {
                    Period::Hour => "an hour",
                    Period::Day => "a day",
                    Period::Total => "in total",
                };
                if whole < 1.0 {
                    let message = format!("{checked} rows; not judged, as the window is shorter than {each}");
                    return self.title.fine(message, 0, checked, Vec::new());
                }
                let message = |ends: &str, end: f64| format!("{checked} rows, {ends} {} {each}", end.round());
                match (least, most) {
                    (Some(least), _) if rows < least * whole => {
                        let missing = (least * whole - rows).ceil() as u64;
                        self.title.broken(message("fewer than", least), missing, checked, Vec::new())
                    }
                    (_, Some(most)) if rows > most * begun => {
                        let excess = (rows - most * begun).ceil() as u64;
                        self.title.broken(message("more than", most), excess, checked, Vec::new())
                    }
                    _ => self.title.fine(format!("{checked} rows"), 0, checked, Vec::new()),
                }
            }
            Kind::Share(share) => {
                if checked < share.min_rows.max(1) {
                    let message = format!("{checked} rows to look at; not judged");
                    return self.title.fine(message, 0, checked, Vec::new());
                }
                let (n, band) = (checked as f64, share.band);
                let is = failed as f64 / n;
                let message = format!("{} of {checked} rows {}", percent(is), share.what);
                match band.outside(is, n) {
                    Some(Outside::Above) => {
                        let excess = if band.least > 0.0 { band.rows_outside(is, n) } else { failed };
                        let message = format!("{message}, {}", band.asked(Outside::Above));
                        self.title.broken(message, excess, checked, self.samples)
                    }
                    Some(Outside::Below) => {
                        let message = format!("{message}, {}", band.asked(Outside::Below));
                        self.title.broken(message, band.rows_outside(is, n), checked, Vec::new())
                    }
                    None => {
                        // Of a class, the rows that count are no failures.
                        let tolerated = if band.least > 0.0 || band.most >= 1.0 { 0 } else { failed };
                        self.title.fine(message, tolerated, checked, Vec::new())
                    }
                }
            }
            Kind::EachClass { band, min_rows, classes, .. } => each_class(&self.title, band, min_rows, &classes),
            Kind::Unique { share, .. } => {
                let of = if share < 1.0 {
                    format!("{checked} rows (a sample of {} of all values)", percent(share))
                } else {
                    format!("{checked} rows")
                };
                match failed {
                    0 => self.title.fine(format!("no value repeats in {of}"), 0, checked, Vec::new()),
                    _ => self.title.broken(format!("{failed} repeated values in {of}"), failed, checked, self.samples),
                }
            }
            Kind::Increasing { .. } => match failed {
                0 => self.title.fine(format!("never falls in {checked} rows"), 0, checked, Vec::new()),
                _ => {
                    self.title.broken(format!("falls {failed} times in {checked} rows"), failed, checked, self.samples)
                }
            },
        }
    }
}

/// What is said of the shares that each value has.
fn each_class(title: &Title, band: Band, min_rows: u64, classes: &Classes) -> Finding {
    let checked = classes.rows;
    if classes.too_many {
        let message = "the column has so many or so long values that they are no classes; name those meant in `values`";
        return title.broken(message.to_owned(), checked, checked, Vec::new());
    }
    if checked < min_rows.max(1) {
        return title.fine(format!("{checked} rows to look at; not judged"), 0, checked, Vec::new());
    }
    let n = checked as f64;
    let (mut failed, mut named) = (0, Vec::new());
    for (value, rows) in classes.iter() {
        let share = rows as f64 / n;
        let Some(outside) = band.outside(share, n) else { continue };
        failed += band.rows_outside(share, n);
        named.push(format!("{value} has {}, {}", percent(share), band.asked(outside)));
    }
    let all = classes.iter().count();
    if named.is_empty() {
        return title.fine(format!("each of {all} values has its share of {checked} rows"), 0, checked, Vec::new());
    }
    let more = if named.len() > NAMED { "; ..." } else { "" };
    let count = named.len();
    named.truncate(NAMED);
    let message = format!("{count} of {all} values are off in {checked} rows: {}{more}", named.join("; "));
    title.broken(message, failed, checked, Vec::new())
}

/// Adds each row's value to its hash; a null leaves none.
fn add_hashes(column: &Column, data_type: DataType, hashes: &mut [Option<u64>]) {
    column.each_hash(data_type, hashes.len(), |row, value| {
        if let Some(hash) = hashes.get_mut(row) {
            *hash = hash.zip(value).map(|(hash, value)| hash_u64(hash, value));
        }
    });
}

/// A share in percent with as many digits as it needs to be told from nothing and from all.
fn percent(share: f64) -> String {
    let digits = if share == 0.0 || (share - 1.0).abs() < f64::EPSILON {
        0
    } else if (0.01..=0.99).contains(&share) {
        2
    } else {
        4
    };
    format!("{:.digits$} %", share * 100.0)
}
