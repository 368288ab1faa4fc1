//! The way of text files: records, looked at once for their types where the table is new, then built into batches.

use super::bad_rows::BadRows;
use super::columns::Columns;
use super::csv::CsvReader;
use super::infer::Guesses;
use super::json::JsonReader;
use super::line_protocol::PointReader;
use super::mapping::Plan;
use super::profile::Reading;
use super::record::{Found, Record};
use super::source::{Format, Source};
use super::{Emit, IngestError};
use crate::batch::TableLayout;

/// A reader of one of the text formats.
enum Reader<'p> {
    Csv(CsvReader),
    Json(JsonReader<'p>),
    Points(PointReader<'p>),
}

impl Reader<'_> {
    fn open(source: &Source, reading: &Reading) -> Result<Self, IngestError> {
        let reader = source.open()?;
        Ok(match source.format() {
            Format::Csv => {
                let reader = CsvReader::new(reader, source.delimiter()).map_err(|error| source.unreadable(error))?;
                Self::Csv(reader)
            }
            Format::Influx => Self::Points(PointReader::new(reader, reading.time(), reading.measurement())),
            format => Self::Json(JsonReader::new(reader, format == Format::Opensearch)),
        })
    }

    fn next(&mut self, record: &mut Record) -> std::io::Result<Found> {
        match self {
            Self::Csv(reader) => reader.next(record),
            Self::Json(reader) => reader.next(record),
            Self::Points(reader) => reader.next(record),
        }
    }

    /// The names of the columns so far.
    fn columns(&self) -> &[String] {
        match self {
            Self::Csv(reader) => reader.columns(),
            Self::Json(reader) => reader.columns(),
            Self::Points(reader) => reader.columns(),
        }
    }
}

/// The names and the types of the columns of `source`, from all of its rows.
///
/// # Errors
/// Records that can't be read, unless these are `tolerated`.
pub(super) fn infer(
    source: &Source,
    reading: &Reading,
    tolerated: bool,
) -> Result<(Vec<String>, Guesses), IngestError> {
    let mut reader = Reader::open(source, reading)?;
    let (mut record, mut guesses, mut bad) = (Record::default(), Guesses::default(), BadRows::new(tolerated));
    let mut plain = Record::default();
    loop {
        source.unless_stopped()?;
        match reader.next(&mut record).map_err(|error| source.unreadable(error))? {
            Found::Record(line) if reading.has_forms() => match reading.plain(reader.columns(), &record, &mut plain) {
                Ok(()) => guesses.add(&plain),
                Err(message) => bad.add(place(line), &message),
            },
            Found::Record(_) => guesses.add(&record),
            Found::Bad(line, message) => bad.add(place(line), &message),
            Found::End => break,
        }
    }
    bad.check(source.name())?;
    Ok((reader.columns().to_vec(), guesses))
}

/// Reads all rows of `source` as batches of `layout`.
pub(super) fn read(
    source: &Source,
    layout: &TableLayout,
    plan: &Plan,
    bad: &mut BadRows,
    emit: &mut Emit<'_>,
) -> Result<(), IngestError> {
    let mut reader = Reader::open(source, &plan.reading)?;
    let (cells, names, null_is_nan) = match &mut reader {
        Reader::Csv(reader) => {
            let cells = plan.cells(reader.columns().iter().map(String::as_str));
            (cells.map_err(|problems| source.bad(problems))?, reader.columns().to_vec(), false)
        }
        Reader::Json(reader) => {
            let fields = layout.table.fields.len();
            reader.resolve_by(fields, |name| plan.field(name));
            ((0..fields).map(Some).collect(), plan.names_by_field(), true)
        }
        Reader::Points(reader) => {
            let fields = layout.table.fields.len();
            reader.resolve_by(fields, |name| plan.field(name));
            ((0..fields).map(Some).collect(), plan.names_by_field(), true)
        }
    };
    let mut columns = Columns::new(layout, &cells, null_is_nan);
    let (mut record, mut plain, mut lines) = (Record::default(), Record::default(), Vec::new());
    let forms = plan.reading.has_forms();
    loop {
        source.unless_stopped()?;
        match reader.next(&mut record).map_err(|error| source.unreadable(error))? {
            Found::Record(line) => {
                let mut add = |record: &Record| {
                    // A record that is left out must leave nothing behind.
                    if bad.tolerant() {
                        columns.check(record).and_then(|()| columns.append(record))
                    } else {
                        columns.append(record)
                    }
                };
                let added = if forms {
                    plan.reading.plain(&names, &record, &mut plain).and_then(|()| add(&plain))
                } else {
                    add(&record)
                };
                match added {
                    Ok(()) => lines.push(line),
                    Err(message) => bad.add(place(line), &message),
                }
            }
            Found::Bad(line, message) => bad.add(place(line), &message),
            Found::End => break,
        }
        if columns.is_full() {
            flush(&mut columns, &mut lines, bad, emit)?;
        }
    }
    flush(&mut columns, &mut lines, bad, emit)
}

/// Hands on the rows so far, where all rows so far were good; else nothing will become visible anyway.
fn flush(columns: &mut Columns, lines: &mut Vec<u64>, bad: &BadRows, emit: &mut Emit<'_>) -> Result<(), IngestError> {
    if bad.stop() {
        columns.clear();
    } else if let Some(batch) = columns.take()? {
        emit(batch, lines)?;
    }
    lines.clear();
    Ok(())
}

fn place(line: u64) -> String {
    format!("line {line}")
}
