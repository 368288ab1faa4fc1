//! InfluxDB's line protocol as text: its lines one by one, and files of it as records.
//!
//! What a line can't say of itself is told: which measurement a table is for, and what the time of a point is called.

use super::lines::{Lines, trimmed};
use super::record::{Cell, Found, Record};
use influxdb_line_protocol::{FieldValue, ParsedLine, parse_lines};
use std::collections::HashMap;
use std::io::BufRead;

/// What the time of a point is called where nothing else is said.
pub(super) const TIME: &str = "time";

/// The point of one line; none where the line is empty or a comment.
pub(super) fn point(line: &str) -> Option<Result<ParsedLine<'_>, String>> {
    let line = line.trim_end_matches('\r');
    Some(parse_lines(line).next()?.map_err(|error| error.to_string()))
}

/// Reads the points of one measurement as records: tags, fields and time by their names.
pub(super) struct PointReader<'p> {
    lines: Lines,
    time: String,
    measurement: Option<String>,
    names: Vec<String>,
    places: HashMap<String, usize>,
    resolve: Option<(usize, Resolve<'p>)>,
}

/// The place of a name, where it has one.
type Resolve<'p> = Box<dyn Fn(&str) -> Option<usize> + 'p>;

impl<'p> PointReader<'p> {
    /// Reads points of `measurement`, or of that of the first line.
    pub(super) fn new(reader: Box<dyn BufRead>, time: Option<String>, measurement: Option<String>) -> Self {
        Self {
            lines: Lines::new(reader),
            time: time.unwrap_or_else(|| TIME.to_owned()),
            measurement,
            names: Vec::new(),
            places: HashMap::new(),
            resolve: None,
        }
    }

    /// From here on, cells have the places that `resolve` gives their names, of which there are `count`; a name
    /// without a place makes a bad row.
    pub(super) fn resolve_by(&mut self, count: usize, resolve: impl Fn(&str) -> Option<usize> + 'p) {
        self.resolve = Some((count, Box::new(resolve)));
        self.places.clear();
    }

    /// The names so far.
    pub(super) fn columns(&self) -> &[String] {
        &self.names
    }

    /// Reads the next record.
    pub(super) fn next(&mut self, record: &mut Record) -> std::io::Result<Found> {
        loop {
            if self.lines.next_line()?.is_none() {
                return Ok(Found::End);
            }
            let line = self.lines.number();
            let Ok(text) = std::str::from_utf8(trimmed(self.lines.raw(), line)) else {
                return Ok(Found::Bad(line, "is not UTF-8".to_owned()));
            };
            let mut places = Places {
                time: &self.time,
                measurement: &mut self.measurement,
                names: &mut self.names,
                places: &mut self.places,
                resolve: self.resolve.as_ref(),
            };
            match point(text) {
                None => {}
                Some(point) => {
                    return Ok(match point.and_then(|point| places.fill(&point, record)) {
                        Ok(()) => Found::Record(line),
                        Err(message) => Found::Bad(line, message),
                    });
                }
            }
        }
    }
}

/// Where the values of a point go.
struct Places<'a, 'p> {
    time: &'a str,
    measurement: &'a mut Option<String>,
    names: &'a mut Vec<String>,
    places: &'a mut HashMap<String, usize>,
    resolve: Option<&'a (usize, Resolve<'p>)>,
}

impl Places<'_, '_> {
    fn fill(&mut self, point: &ParsedLine<'_>, record: &mut Record) -> Result<(), String> {
        let found = point.series.measurement.as_str();
        match self.measurement {
            Some(wanted) if wanted != found => {
                return Err(format!("is a point of {found:?} among those of {wanted:?}"));
            }
            Some(_) => {}
            None => *self.measurement = Some(found.to_owned()),
        }
        record.reset(self.resolve.map_or(self.names.len(), |(count, _)| *count));
        for (name, value) in point.series.tag_set.iter().flatten() {
            self.set(record, name, Cell::Text(value))?;
        }
        for (name, value) in &point.field_set {
            match value {
                FieldValue::String(text) => self.set(record, name, Cell::Text(text))?,
                FieldValue::Boolean(value) => {
                    self.set(record, name, Cell::Bare(if *value { "true" } else { "false" }))?
                }
                FieldValue::I64(value) => self.set(record, name, Cell::Bare(itoa::Buffer::new().format(*value)))?,
                FieldValue::U64(value) => self.set(record, name, Cell::Bare(itoa::Buffer::new().format(*value)))?,
                FieldValue::F64(value) => self.set(record, name, Cell::Bare(zmij::Buffer::new().format(*value)))?,
            }
        }
        let ns = point.timestamp.ok_or("has no time")?;
        let time = jiff::Timestamp::from_nanosecond(i128::from(ns)).map_err(|error| error.to_string())?;
        let name = self.time.to_owned();
        self.set(record, &name, Cell::Text(&format!("{time:.6}")))
    }

    fn set(&mut self, record: &mut Record, name: &str, cell: Cell<'_>) -> Result<(), String> {
        let place = match self.places.get(name) {
            Some(place) => *place,
            None => {
                let place = match self.resolve {
                    None => {
                        self.names.push(name.to_owned());
                        self.names.len() - 1
                    }
                    Some((_, resolve)) => {
                        resolve(name).ok_or_else(|| format!("has a key that is no column of the table: {name:?}"))?
                    }
                };
                self.places.insert(name.to_owned(), place);
                place
            }
        };
        if record.get(place) != Cell::Null {
            return Err(format!("has a key twice: {name:?}"));
        }
        record.set(place, cell);
        Ok(())
    }
}
