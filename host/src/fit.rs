//! From a sample to a run that makes more of its kind: a configuration of the generator `declarative`, and how close its
//! rows come.
//!
//! The file is read as an ingest would read it. What is told from it: when there are rows, what they are about, and of each
//! column its distribution, its levels by entity, hour and weekday, how it remembers, and the column before it that it is a
//! linear function of, where there is one.

mod clock;
mod closeness;
mod columns;
mod comparison;
mod config;
mod dependence;
mod document;
mod numbers;
mod rows;
mod sample;
mod season;
mod series;

pub use closeness::{ColumnCloseness, PairCloseness};
pub use comparison::{ColumnComparison, ColumnSide, MOST_COMPARED, Measure, Rows as ComparedRows};

use crate::core::id::{self, MAX_NAME_BYTES};
use crate::core::schema::{DataType, RESERVED_TABLES};
use crate::ingest::{self, Format, IngestError};
use crate::run::{self, Cancel, Plan, RunError};
use arrow::error::ArrowError;
use closeness::Side;
use config::{Config, Kind, Pace, Table, Value};
use dependence::Other;
use numbers::{Setting, Written};
use rows::Rows;
use sample::Sample;
use serde::Serialize;
use series::Pairs;
use std::path::{Path, PathBuf};

/// Rows of a file that are looked at.
pub const MOST_ROWS: usize = 1_000_000;
/// The seed of the spec that is written.
const SEED: u64 = 1;

/// What to fit.
#[derive(Debug, Clone)]
pub struct Request {
    /// The sample.
    pub file: PathBuf,
    /// Its format; by its name where it is left out.
    pub format: Option<Format>,
    /// The column that places rows in time; the one that an ingest would take where it is left out, or the first of times.
    pub time_field: Option<String>,
    /// The column that says what a row is about; found where it is left out and rows are on a grid.
    pub entity: Option<String>,
}

/// Why nothing was fitted.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// The file can't be read as rows.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// Give another file.
    #[error("{file} has no rows, so there is nothing to fit")]
    NoRows {
        /// The file.
        file: String,
    },
    /// Name another column.
    #[error("{column} can't be the rows' time: {reason}")]
    TimeField {
        /// The column that was named.
        column: String,
        /// Why, and what it needs.
        reason: &'static str,
    },
    /// Name another column.
    #[error("{column} can't be the entity: {reason}")]
    Entity {
        /// The column that was named.
        column: String,
        /// Why.
        reason: &'static str,
    },
    /// What was written can't be run.
    #[error("rows of the configuration can't be made")]
    Run(#[from] RunError),
    /// Rows can't be put together: a fault of Telemill.
    #[error("rows can't be put together: this is a fault of telemill, please report it")]
    Rows(#[from] ArrowError),
    /// The configuration can't be written: a fault of Telemill.
    #[error("the configuration can't be written: this is a fault of telemill, please report it")]
    Document(#[from] serde_json::Error),
}

/// A configuration, and the sample that it is held against.
#[derive(Debug)]
pub struct Fitted {
    /// The run spec, in TOML.
    pub document: String,
    name: String,
    sample: Sample,
    rows: Rows,
    columns: Vec<Written>,
    notes: Vec<String>,
}

/// How close rows of a configuration come to the sample that it was fitted to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Rows of the sample that were looked at.
    pub sample_rows: u64,
    /// Rows that the configuration made over the same span.
    pub made_rows: u64,
    /// When there are rows, in a few words.
    pub rows: String,
    /// The columns in order.
    pub columns: Vec<ColumnCloseness>,
    /// Columns that no longer go together as they did, the farthest first.
    pub pairs: Vec<PairCloseness>,
    /// What people should know of the file as a whole.
    pub notes: Vec<String>,
}

impl Report {
    /// The greatest distance of a column; none where nothing could be compared.
    pub fn farthest(&self) -> Option<f64> {
        self.columns.iter().filter_map(|column| column.distance).reduce(f64::max)
    }
}

/// Fits a configuration to a file. The same file gives the same configuration.
///
/// # Errors
/// A file that can't be read, and a column that can't be the time or the entity.
pub fn fit(request: &Request) -> Result<Fitted, FitError> {
    let name = name_of(&request.file);
    let (mut sample, table) = read(request, &name)?;
    let (time, note) = match request.time_field.as_deref() {
        Some(name) => clock::named(&mut sample, name).map(|(time, note)| (Some(time), note))?,
        None => (table.time_field.as_deref().and_then(|name| sample.find(name)), None),
    };
    let rows = Rows::of(&sample, time, request.entity.as_deref())?;
    sample.relative_to(&rows.times, rows.time);
    let mut notes: Vec<String> = note.into_iter().chain(rows.notes.iter().cloned()).collect();
    if sample.total > sample.rows as u64 {
        notes.push(format!("the file has {} rows, of which the first {MOST_ROWS} were looked at", sample.total));
    }
    let kind = rows.entity.and_then(|entity| sample.columns.get(entity)).map(|column| column.field.name.clone());
    let texts = rows.entity.and_then(|entity| sample.texts(entity));
    let pairs = pairs(&rows, &sample);
    let setting = Setting {
        rows: &rows,
        entities: texts.map(|texts| (texts.places.as_slice(), texts.words.len())),
        kind: kind.as_deref().unwrap_or_default(),
        pairs: pairs.as_ref(),
    };
    let (mut columns, mut above): (Vec<Written>, Vec<Other<'_>>) = (Vec::new(), Vec::new());
    for at in 0..sample.columns.len() {
        let Some(written) = columns::written(&sample, at, &setting, &above) else { continue };
        let column = sample.columns.get(at).map(|column| column.field.name.as_str());
        above.extend(column.filter(|_| written.is_number()).zip(sample.numbers(at)));
        columns.push(written);
    }
    if sample.find(columns::INCIDENT_ID).is_some() {
        notes.push(format!("{} is left out: the generator adds it where incidents act", columns::INCIDENT_ID));
    }
    if rows.time.is_none() {
        // The generator's rows have a time, of a name that no column has.
        let free = ["time", "row_time", "generated_time"].into_iter().find(|name| sample.find(name).is_none());
        let column = config::Column { name: free.unwrap_or("fitted_time").to_owned(), ..config::Column::default() };
        columns.insert(0, Written { column, what: "the rows' time".to_owned(), ..Written::default() });
    }
    let names = texts.map(|texts| texts.words.clone()).unwrap_or_default();
    let config = config(&name, &rows, kind, names, &columns);
    let frame = document::Frame {
        title: format!("Fitted to {} rows of {}.", sample.rows, file_name(&request.file)),
        dataset: &name,
        seed: SEED,
        start: rows.start,
        duration_us: rows.duration_us,
    };
    let remarks: Vec<Vec<String>> = columns.iter().map(|written| written.notes.clone()).collect();
    let document = document::toml(&frame, &config, &remarks)?;
    Ok(Fitted { document, name, sample, rows, columns, notes })
}

impl Fitted {
    /// The dataset and the table of the spec.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes the rows of `plan`, which is that of the document, and holds them against the sample.
    ///
    /// # Errors
    /// The generator failed, or was cancelled.
    pub fn report(&self, plan: &Plan, cancel: &Cancel) -> Result<Report, FitError> {
        let made = made(plan, cancel)?;
        let (made, times, entity) = self.like_the_sample(made);
        let places = entity.and_then(|entity| made.texts(entity)).map(|texts| texts.places.as_slice());
        let follow = self.rows.on_grid().then(|| Pairs::new(&times, places));
        let wanted = Side { sample: &self.sample, pairs: pairs(&self.rows, &self.sample) };
        let made = Side { sample: &made, pairs: follow };
        let of_sample = self.columns.iter().filter(|written| self.sample.find(&written.column.name).is_some());
        let columns = of_sample.clone().map(|written| {
            let name = &written.column.name;
            let ids = matches!(written.column.value, Value::Id { .. });
            let (distance, null_share_difference, lag_1_difference) = closeness::column(name, ids, &wanted, &made);
            ColumnCloseness {
                column: name.clone(),
                data_type: self.data_type(name),
                written: written.what.clone(),
                distance,
                by_chance: distance.filter(|_| written.is_number()).map(|_| self.by_chance(written)),
                null_share_difference,
                lag_1_difference,
                notes: written.notes.clone(),
            }
        });
        let drawn = of_sample.clone().filter(|written| {
            !matches!(written.column.value, Value::Time | Value::Entity | Value::Id { .. } | Value::Sequence { .. })
        });
        let drawn: Vec<&str> = drawn.map(|written| written.column.name.as_str()).collect();
        Ok(Report {
            sample_rows: self.sample.rows as u64,
            made_rows: made.sample.total,
            rows: self.pace(),
            columns: columns.collect(),
            pairs: closeness::pairs(&drawn, wanted.sample, made.sample),
            notes: self.notes.clone(),
        })
    }

    /// Rows that were made, with times and dates told as those of the sample are; their times, and where their entity is.
    fn like_the_sample(&self, mut made: Sample) -> (Sample, Vec<f64>, Option<usize>) {
        let name_of = |column: Option<usize>| Some(self.sample.columns.get(column?)?.field.name.as_str());
        let time = name_of(self.rows.time).and_then(|name| made.find(name));
        let added = || made.columns.iter().position(|column| column.field.data_type == DataType::Timestamp);
        let times = time.or_else(added).and_then(|time| made.numbers(time)).unwrap_or_default().to_vec();
        made.relative_to(&times, time);
        let entity = name_of(self.rows.entity).and_then(|name| made.find(name));
        (made, times, entity)
    }

    fn by_chance(&self, written: &Written) -> f64 {
        let column = self.sample.find(&written.column.name).and_then(|at| self.sample.columns.get(at));
        let present = self.sample.rows - column.map_or(0, |column| column.missing());
        config::short(series::by_chance(present, written.column.lag_1))
    }

    fn data_type(&self, name: &str) -> String {
        let field = self.sample.find(name).and_then(|at| self.sample.columns.get(at)).map(|column| &column.field);
        let named = field.and_then(|field| serde_json::to_value(field.data_type).ok());
        named.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }

    fn pace(&self) -> String {
        let of = self.rows.entity.and_then(|entity| self.sample.columns.get(entity));
        let of = of.map(|column| format!(" of each {}", column.field.name)).unwrap_or_default();
        match &self.rows.pace {
            Pace::Every(seconds) => format!("one{of} every {seconds} s"),
            Pace::Events(events) => {
                let told = [(&events.hourly, "hours"), (&events.weekday, "weekdays")];
                let moves: Vec<&str> =
                    told.into_iter().filter(|(list, _)| !list.is_empty()).map(|told| told.1).collect();
                let by = if moves.is_empty() { String::new() } else { format!(", by {}", moves.join(" and ")) };
                format!("at random, {} an hour{by}", events.per_hour)
            }
        }
    }
}

/// The rows of the sample that follow each other, where they are on a grid.
fn pairs(rows: &Rows, sample: &Sample) -> Option<Pairs> {
    let places = rows.entity.and_then(|entity| sample.texts(entity)).map(|texts| texts.places.as_slice());
    rows.on_grid().then(|| Pairs::new(&rows.times, places))
}

fn read(request: &Request, name: &str) -> Result<(Sample, crate::core::schema::Table), FitError> {
    let (mut sample, mut failed) = (None, None);
    let table = ingest::explore(&request.file, request.format, name, &mut |table, batch| {
        let sample = sample.get_or_insert_with(|| Sample::new(&table.fields));
        if let Err(error) = sample.add(&batch, MOST_ROWS) {
            failed = Some(error);
        }
        Ok(())
    })?;
    match (failed, sample) {
        (Some(error), _) => Err(error),
        (None, Some(sample)) => Ok((sample, table)),
        (None, None) => Err(FitError::NoRows { file: file_name(&request.file) }),
    }
}

/// The rows of a plan's only table.
fn made(plan: &Plan, cancel: &Cancel) -> Result<Sample, FitError> {
    let Some(layout) = plan.layouts.first() else { return Ok(Sample::default()) };
    let mut sample = Sample::new(&layout.table.fields);
    let mut failed = None;
    run::stream(plan, cancel, &mut |_, batches| {
        for (_, batch) in batches {
            if let Err(error) = sample.add(&batch, MOST_ROWS) {
                failed = Some(error);
            }
        }
        Ok(())
    })?;
    failed.map_or(Ok(sample), Err)
}

fn config(name: &str, rows: &Rows, kind: Option<String>, names: Vec<String>, columns: &[Written]) -> Config {
    let time = columns.iter().find(|written| written.column.value == Value::Time);
    let key = time.map(|written| written.column.name.clone()).into_iter().chain(kind.clone());
    let attributes = columns.iter().filter_map(|written| written.attribute.clone()).collect();
    Config {
        step_seconds: rows.step_seconds,
        entities: kind.clone().map(|name| Kind { name, names, attributes }).into_iter().collect(),
        tables: vec![Table {
            name: name.to_owned(),
            summary: "Fitted to a sample".to_owned(),
            of: kind,
            rows: rows.pace.clone(),
            primary_key: if rows.on_grid() { key.collect() } else { Vec::new() },
            columns: columns.iter().map(|written| written.column.clone()).collect(),
        }],
    }
}

/// What a file's dataset and table are called: its name without ending, as far as a name may be so.
fn name_of(file: &Path) -> String {
    let name = file_name(file).to_lowercase();
    let stem = name.split('.').next().unwrap_or_default();
    let letters = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    let name: String = letters.take(MAX_NAME_BYTES - 2).collect();
    if id::check_identifier("table", &name).is_ok() && !RESERVED_TABLES.contains(&name.as_str()) {
        return name;
    }
    format!("t_{name}")
}

fn file_name(file: &Path) -> String {
    file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
