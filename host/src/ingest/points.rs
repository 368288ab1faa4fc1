//! Points in line protocol into the log: a measurement is a table, tags are dictionary columns, fields columns.
//!
//! As InfluxDB does it, good lines are taken beside bad ones, and these are told. Unlike it, a point does not replace another of the
//! same series and time, and what is finer than a microsecond is cut off.

mod table;

use super::bad_rows::BadRows;
use super::line_protocol;
use super::log::{Begun, Declared, Key, Log, Pending, Receipt};
use super::source::Source;
use super::{Format, IngestError, LogError};
use crate::batch::TableLayout;
use crate::core::id;
use crate::core::problem::Problem;
use crate::core::schema::Table;
use crate::core::time::Timestamp;
use crate::lake::LakeError;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use std::collections::HashMap;
use std::io::Read as _;
use std::str::FromStr;
use table::PointTable;

/// Most measurements of one body: more than an agent has.
const MAX_MEASUREMENTS: usize = 1_000;

/// How often a body is looked at again because somebody else made its tables meanwhile.
const ATTEMPTS: usize = 3;

/// What the times of lines count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// Nanoseconds.
    #[default]
    Nanoseconds,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
}

impl FromStr for Precision {
    type Err = String;

    /// The words of both versions of InfluxDB.
    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "n" | "ns" => Self::Nanoseconds,
            "u" | "us" | "µ" | "µs" => Self::Microseconds,
            "ms" => Self::Milliseconds,
            "s" => Self::Seconds,
            "m" => Self::Minutes,
            "h" => Self::Hours,
            other => return Err(format!("{other:?} is no precision; there are ns, us, ms, s, m and h")),
        })
    }
}

impl Precision {
    /// A time of lines as microseconds since 1970; towards the past where it is finer.
    fn micros(self, time: i64) -> Option<i64> {
        match self {
            Self::Nanoseconds => Some(time.div_euclid(1_000)),
            Self::Microseconds => Some(time),
            Self::Milliseconds => time.checked_mul(1_000),
            Self::Seconds => time.checked_mul(1_000_000),
            Self::Minutes => time.checked_mul(60_000_000),
            Self::Hours => time.checked_mul(3_600_000_000),
        }
    }
}

/// Lines that were sent.
#[derive(Debug, Clone)]
pub struct Lines {
    /// The dataset; it is made where it is missing.
    pub dataset: String,
    /// The bytes as they came, perhaps compressed.
    pub body: Bytes,
    /// What their times count.
    pub precision: Precision,
    /// The key that they were sent under.
    pub key: Option<Key>,
}

/// What became of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinesTaken {
    /// Points that are durable.
    pub points: u64,
    /// Lines that were not taken.
    pub bad: u64,
    /// The first of them.
    pub first: Vec<Problem>,
    /// Whether all of it had been taken before, under the same key.
    pub repeated: bool,
}

/// What is to become of lines that were sent, once the log has them.
#[derive(Debug)]
pub struct PendingLines {
    taken: LinesTaken,
    /// None where it is known already.
    receipt: Option<Pending>,
}

impl PendingLines {
    /// Waits until the good lines are durable, in an async task.
    ///
    /// # Errors
    /// The log did not take them.
    pub async fn done(self) -> Result<LinesTaken, IngestError> {
        Ok(match self.receipt {
            None => self.taken,
            Some(receipt) => self.taken.with(receipt.done().await?),
        })
    }

    /// Waits until the good lines are durable, on a thread that runs no async tasks.
    ///
    /// # Errors
    /// The log did not take them.
    pub fn wait(self) -> Result<LinesTaken, IngestError> {
        Ok(match self.receipt {
            None => self.taken,
            Some(receipt) => self.taken.with(receipt.wait()?),
        })
    }
}

impl LinesTaken {
    fn with(self, receipt: Receipt) -> Self {
        Self { points: receipt.rows, repeated: receipt.repeated, ..self }
    }
}

/// Takes lines into the log. To be called on a thread that runs no async tasks.
///
/// # Errors
/// Nothing was taken: what was sent is not text or unfolds to too much, or the log does not take it. Bad lines are no error.
pub fn append_lines(log: &Log, lines: &Lines) -> Result<PendingLines, IngestError> {
    id::check_identifier("dataset", &lines.dataset)?;
    let ticket = match log.begin(lines.key, lines.body.len())? {
        Begun::Repeated(receipt) => {
            return Ok(PendingLines { taken: LinesTaken::default().with(receipt), receipt: None });
        }
        Begun::New(ticket) => ticket,
    };
    let _room = log.room_for(&lines.body);
    let source = Source::of_body(lines.body.clone(), Format::Influx, b',', log.settings().unfolded_bytes);
    let mut bytes = Vec::new();
    source.open()?.read_to_end(&mut bytes).map_err(|error| source.unreadable(error))?;
    let text = String::from_utf8(bytes).map_err(|_| source.bad(vec![Problem::new("", "it is not UTF-8")]))?;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let mut points = Points { log, dataset: &lines.dataset, tables: Vec::new(), places: HashMap::new() };
        let mut bad = BadRows::new(true);
        points.parse(&text, lines.precision, log.now(), &mut bad)?;
        let rows = match points.finish() {
            // Somebody else made the table meanwhile, with other columns.
            Err(IngestError::Lake(LakeError::SchemaChanged { .. })) if attempt < ATTEMPTS => continue,
            rows => rows?,
        };
        let receipt = log.append(ticket, &rows)?;
        let (total, first) = bad.listed();
        let taken = LinesTaken { points: 0, bad: total, first: first.to_vec(), repeated: false };
        return Ok(PendingLines { taken, receipt: Some(receipt) });
    }
}

/// The points of one body, by table.
struct Points<'a> {
    log: &'a Log,
    dataset: &'a str,
    tables: Vec<PointTable>,
    /// Tables by the name of the measurement.
    places: HashMap<String, usize>,
}

impl Points<'_> {
    fn parse(
        &mut self,
        text: &str,
        precision: Precision,
        now: Timestamp,
        bad: &mut BadRows,
    ) -> Result<(), IngestError> {
        let mut line = 1;
        for piece in influxdb_line_protocol::split_lines(text) {
            let first_line = line;
            line += 1 + piece.bytes().filter(|byte| *byte == b'\n').count() as u64;
            let Some(point) = line_protocol::point(piece) else { continue };
            let added = match point {
                Err(message) => Err(message),
                Ok(point) => {
                    let micros = point.timestamp.map_or(Some(now.0), |time| precision.micros(time));
                    match (micros, self.table(point.series.measurement.as_str())?) {
                        (None, _) => Err("has a time beyond its range".to_owned()),
                        (_, Err(message)) => Err(message),
                        (Some(micros), Ok(table)) => table.add(&point, micros),
                    }
                }
            };
            if let Err(message) = added {
                bad.add(format!("line {first_line}"), &message);
            }
        }
        Ok(())
    }

    /// The table of a measurement, or why it can't have one.
    fn table(&mut self, measurement: &str) -> Result<Result<&mut PointTable, String>, IngestError> {
        let place = match self.places.get(measurement) {
            Some(place) => *place,
            None => match self.open(measurement)? {
                Ok(place) => place,
                Err(message) => return Ok(Err(message)),
            },
        };
        Ok(self.tables.get_mut(place).ok_or_else(|| "has no table".to_owned()))
    }

    fn open(&mut self, measurement: &str) -> Result<Result<usize, String>, IngestError> {
        let name = super::mapping::column_name(measurement, self.tables.len());
        if crate::core::schema::RESERVED_TABLES.contains(&name.as_str()) {
            return Ok(Err(format!("is a point of {name}, which is the name of a table that the host writes")));
        }
        let known = self.tables.iter().position(|table| table.name == name);
        let place = match known {
            Some(place) => place,
            None if self.tables.len() >= MAX_MEASUREMENTS => {
                return Ok(Err(format!("is of a measurement beyond the {MAX_MEASUREMENTS}th")));
            }
            None => {
                let declared = self.log.table(self.dataset, &name)?;
                match PointTable::new(name, declared.map(|declared| declared.layout.table.clone())) {
                    Ok(table) => self.tables.push(table),
                    Err(message) => return Ok(Err(message)),
                }
                self.tables.len() - 1
            }
        };
        self.places.insert(measurement.to_owned(), place);
        Ok(Ok(place))
    }

    /// Declares what is new, and gives the rows.
    fn finish(self) -> Result<Vec<(Declared, RecordBatch)>, IngestError> {
        let filled: Vec<_> = self.tables.into_iter().filter(|table| table.rows() > 0).collect();
        let new: Vec<Table> = filled.iter().filter_map(PointTable::new_declaration).collect();
        if !new.is_empty() {
            self.log.declare(self.dataset, new).map_err(|error| match error {
                LogError::Lake(error) => IngestError::Lake(error),
                error => error.into(),
            })?;
        }
        let mut rows = Vec::with_capacity(filled.len());
        for table in filled {
            let Some(declared) = self.log.table(self.dataset, &table.name)? else {
                return Err(changed(self.dataset, &table.name));
            };
            let layout: &TableLayout = &declared.layout;
            let batch = table.finish(layout)?.ok_or_else(|| changed(self.dataset, &layout.table.name))?;
            rows.push((declared, batch));
        }
        Ok(rows)
    }
}

fn changed(dataset: &str, table: &str) -> IngestError {
    let problems = vec![Problem::new("", "it was changed meanwhile")];
    LakeError::SchemaChanged { dataset: dataset.to_owned(), table: table.to_owned(), problems }.into()
}

#[cfg(test)]
mod tests;
