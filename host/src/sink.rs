//! Batches to bytes: CSV, NDJSON, OpenSearch bulk lines, Parquet, InfluxDB's line protocol and PostgreSQL's `COPY`; the files of the document
//! profile and of export profiles; and the client that loads an OpenSearch server.
//!
//! Encoders are pure and synchronous: they append to a buffer and know no files, no lake and no clock. How values
//! look (and so how an export is read back):
//!
//! | value | CSV | NDJSON |
//! |---|---|---|
//! | null | an empty field | `null`; left out of OpenSearch documents |
//! | empty text | `""` | `""` |
//! | timestamp | RFC 3339 in UTC, always with the digits of its unit: `2026-11-09T14:25:00.000000Z` | the same, quoted |
//! | date | `2026-11-09` | the same, quoted |
//! | float | shortest text that reads back the same; `NaN`, `inf`, `-inf` | the same; not finite is `null`, JSON has no word for it |
//! | boolean | `true`, `false` | `true`, `false` |
//!
//! Years outside 0000 to 9999 are written with a sign and at least six digits, as ISO 8601 expands them.

pub mod bulk;
mod columns;
pub mod copy;
mod credentials;
pub mod csv;
pub mod documents;
pub mod estimate;
mod file_name;
pub mod files;
pub mod influx;
pub mod mapping;
pub mod ndjson;
pub mod opensearch;
pub mod parquet;
pub mod profile;
mod shape;
mod text;
mod thousandths;
mod time_text;
mod whole;

pub use columns::Columns;
pub use credentials::Credentials;
pub use file_name::FileName;
pub use shape::ProfileEncoder;
pub use whole::write_whole;

use crate::batch::TableLayout;
use arrow::record_batch::RecordBatch;
use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

/// Turns batches of one table into bytes; what it appends, end to end, is one file.
pub trait Encoder: Send {
    /// What stands before the first row.
    ///
    /// # Errors
    /// [`SinkError`] where the format can't start.
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), SinkError>;

    /// The rows of a batch, which has the columns of the schema that the encoder was made for.
    ///
    /// # Errors
    /// [`SinkError`] where the batch has another shape or a value can't be written.
    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), SinkError>;

    /// What stands after the last row.
    ///
    /// # Errors
    /// [`SinkError`] where the format can't end.
    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), SinkError>;

    /// Rows so far that the format has no words for, and that were left out.
    fn skipped(&self) -> u64 {
        0
    }
}

/// Writes `batches` to `out`, one after the other, and gives their rows. `failed` says what a refusal of `out` is called.
///
/// # Errors
/// What a batch fails with, or the encoder, or `out`.
pub fn write_batches<E: From<SinkError>>(
    encoder: &mut dyn Encoder,
    batches: impl IntoIterator<Item = Result<RecordBatch, E>>,
    out: &mut dyn Write,
    failed: impl Fn(io::Error) -> E,
) -> Result<u64, E> {
    let (mut rows, mut buffer) = (0, Vec::new());
    encoder.begin(&mut buffer)?;
    for batch in batches {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        encoder.encode(&batch, &mut buffer)?;
        out.write_all(&buffer).map_err(&failed)?;
        buffer.clear();
    }
    encoder.finish(&mut buffer)?;
    out.write_all(&buffer).map_err(failed)?;
    Ok(rows)
}

/// Why rows could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Mend the selection.
    #[error("there is no column {name:?}; the columns are {}", known.join(", "))]
    UnknownColumn {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A bug of the caller: batches of different tables went to one encoder.
    #[error("a batch has {found} columns where {expected} were announced")]
    Shape {
        /// Columns that the encoder was made for.
        expected: usize,
        /// Columns of the batch.
        found: usize,
    },
    /// A value has a phase for which the document profile has no file.
    #[error("table {table}: a row has the phase {phase:?}; the files are made for normal, incident and recovery")]
    UnknownPhase {
        /// The table.
        table: String,
        /// The value, or `null`.
        phase: String,
    },
    /// Mend the profile.
    #[error("the profile {origin} can't be used: {message}")]
    Profile {
        /// The file, or the name of one that ships.
        origin: String,
        /// What is wrong, behind the key that is at fault.
        message: String,
    },
    /// Rows that are to be told apart by name are not.
    #[error("{path} would be the file of two: {first} and {second}")]
    SameName {
        /// The name.
        path: String,
        /// The values that had it first.
        first: String,
        /// The values that would have it, too.
        second: String,
    },
    /// A row that line protocol can't hold.
    #[error("row {row} of a batch of {measurement} {what}")]
    LineProtocol {
        /// The measurement.
        measurement: String,
        /// The row, from 0.
        row: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Arrow could not show or convert a column.
    #[error("column {column} can't be written")]
    Column {
        /// Its name.
        column: String,
        /// Why.
        #[source]
        source: arrow::error::ArrowError,
    },
    /// Parquet refused the rows.
    #[error("the Parquet file can't be written")]
    Parquet(#[from] ::parquet::errors::ParquetError),
    /// The disk refused the bytes.
    #[error("{path} can't be written")]
    File {
        /// The file or folder.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// The formats of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Comma-separated values with a header line, RFC 4180 quoting and `\n` line ends.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// One Parquet file.
    Parquet,
    /// Action lines and documents for the `_bulk` endpoint.
    Opensearch,
}

impl Format {
    /// The ending of files in this format, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson | Self::Opensearch => "ndjson",
            Self::Parquet => "parquet",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
            Self::Opensearch => "opensearch",
        })
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Csv, Self::Ndjson, Self::Parquet, Self::Opensearch]
            .into_iter()
            .find(|format| format.to_string() == text)
            .ok_or_else(|| format!("{text:?} is no format; there are csv, ndjson, parquet and opensearch"))
    }
}

/// The encoder of an export: all of a table's columns, or those that are named, in that order. `index` is what
/// OpenSearch's action lines name; the table's name where it is left out.
///
/// # Errors
/// A column that the table does not have.
pub fn encoder(
    format: Format,
    layout: &TableLayout,
    names: &[String],
    index: Option<&str>,
) -> Result<Box<dyn Encoder>, SinkError> {
    let columns = match names {
        [] => Columns::all(&layout.schema),
        names => Columns::select(&layout.schema, names)?,
    };
    Ok(match format {
        Format::Csv => Box::new(csv::CsvEncoder::new(columns)),
        Format::Ndjson => Box::new(ndjson::NdjsonEncoder::new(columns, ndjson::Nulls::Written)),
        Format::Parquet => Box::new(parquet::ParquetEncoder::new(&layout.schema, columns)?),
        Format::Opensearch => {
            let index = Some(index.unwrap_or(&layout.table.name));
            Box::new(match names {
                [] => bulk::BulkEncoder::for_table(layout, index)?,
                names => bulk::BulkEncoder::for_columns(layout, names, index)?,
            })
        }
    })
}

#[cfg(test)]
mod tests;
