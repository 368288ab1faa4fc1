//! Results of queries as text: a table for people, CSV and JSON for programs.

use super::{Blocking, QueryError};
use arrow::array::{ArrayRef, StringArray};
use arrow::csv;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{JsonArray, JsonFormat, LineDelimited, WriterBuilder};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow::util::pretty::pretty_format_batches;
use std::io::{self, Write};
use std::str::FromStr;
use std::sync::Arc;

/// Most rows that a table shows: what is longer, nobody reads in a terminal.
const TABLE_ROWS: usize = 1_000;

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// A table with borders, its first 1,000 rows.
    #[default]
    Table,
    /// CSV with a header; times in RFC 3339, missing values as nothing.
    Csv,
    /// One JSON array of objects.
    Json,
    /// One JSON object a line.
    Ndjson,
}

impl Format {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "table" => Ok(Self::Table),
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            "ndjson" => Ok(Self::Ndjson),
            other => Err(format!("{other:?} is no format of results; there are table, csv, json and ndjson")),
        }
    }
}

/// Writes all of `rows` to `out`. Returns how many rows were written, and whether there were more, which the limit
/// on rows or the table's length left out.
///
/// # Errors
/// Those of the query, and of writing.
pub fn render(rows: &mut Blocking, format: Format, out: &mut dyn Write) -> Result<(u64, bool), QueryError> {
    let mut out = Watched { out, failure: None };
    let written = match format {
        Format::Table => table(rows, &mut out),
        Format::Csv => csv(rows, &mut out).map(|written| (written, rows.truncated())),
        Format::Json => json::<JsonArray>(rows, &mut out).map(|written| (written, rows.truncated())),
        Format::Ndjson => json::<LineDelimited>(rows, &mut out).map(|written| (written, rows.truncated())),
    };
    match out.failure {
        Some(failure) => Err(QueryError::Output(failure)),
        None => written,
    }
}

/// Keeps the first error of what is written to: writers of formats hand on its words and not its kind, which tells a reader
/// that went away from a full disk.
struct Watched<'a> {
    out: &'a mut dyn Write,
    failure: Option<io::Error>,
}

impl Watched<'_> {
    fn seen<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() != io::ErrorKind::Interrupted
        {
            self.failure.get_or_insert_with(|| io::Error::new(error.kind(), error.to_string()));
        }
        result
    }
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes);
        self.seen(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out.flush();
        self.seen(flushed)
    }
}

fn output(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> QueryError {
    QueryError::Output(io::Error::other(error))
}

fn csv(rows: &mut Blocking, out: &mut dyn Write) -> Result<u64, QueryError> {
    let mut writer = csv::WriterBuilder::new().with_header(true).build(&mut *out);
    let mut written = 0;
    // The header comes with the first batch, so that a result without rows writes one, too.
    writer.write(&RecordBatch::new_empty(Arc::clone(rows.schema()))).map_err(output)?;
    for batch in rows.by_ref() {
        let batch = batch?;
        writer.write(&batch).map_err(output)?;
        written += batch.num_rows() as u64;
    }
    Ok(written)
}

fn json<F: JsonFormat>(rows: &mut Blocking, out: &mut dyn Write) -> Result<u64, QueryError> {
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, F>(&mut *out);
    let mut written = 0;
    for batch in rows.by_ref() {
        let batch = batch?;
        writer.write(&batch).map_err(output)?;
        written += batch.num_rows() as u64;
    }
    writer.finish().map_err(output)?;
    drop(writer);
    out.flush().map_err(output)?;
    Ok(written)
}

fn table(rows: &mut Blocking, out: &mut dyn Write) -> Result<(u64, bool), QueryError> {
    let schema = text_schema(rows.schema());
    let mut shown = Vec::new();
    let mut left = TABLE_ROWS;
    let mut more = false;
    for batch in rows.by_ref() {
        let batch = batch?;
        if batch.num_rows() > left {
            more = true;
            shown.push(as_text(&batch.slice(0, left), &schema)?);
            left = 0;
            break;
        }
        left -= batch.num_rows();
        shown.push(as_text(&batch, &schema)?);
    }
    if shown.is_empty() {
        shown.push(RecordBatch::new_empty(schema));
    }
    let written = (TABLE_ROWS - left) as u64;
    writeln!(out, "{}", pretty_format_batches(&shown).map_err(output)?).map_err(output)?;
    Ok((written, more || rows.truncated()))
}

fn text_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| Field::new(plain(field.name()), DataType::Utf8, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Every value as text that a terminal does not obey: data comes from anywhere.
fn as_text(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let options = FormatOptions::default().with_null("NULL");
    let columns = batch.columns().iter().map(|column| {
        let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
        let texts = (0..batch.num_rows()).map(|row| Some(plain(&formatter.value(row).to_string())));
        Ok(Arc::new(texts.collect::<StringArray>()) as ArrayRef)
    });
    let columns = columns.collect::<Result<Vec<_>, ArrowError>>()?;
    let rows = arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &rows)
}

fn plain(text: &str) -> String {
    if text.contains(char::is_control) {
        text.chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
            .collect()
    } else {
        text.to_owned()
    }
}
