//! Arrow's IPC format: streams, and files, which are streams between two magic words with an index behind.
//!
//! Both are read from front to back, so that a file needs no place to seek in: neither a body nor what gzip and zstd unfold has one.
//! What stands behind a file's rows is looked at nevertheless, since it tells a whole file from one that was cut off.

use super::bad_rows::BadRows;
use super::columnar::{Fitting, file_columns};
use super::mapping::{FileColumn, Plan};
use super::profile::Reading;
use super::source::Source;
use super::{Emit, IngestError};
use crate::batch::TableLayout;
use crate::core::problem::Problem;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::record_batch::RecordBatch;
use std::collections::BTreeSet;
use std::io::{BufRead, Cursor, ErrorKind, Read as _};

/// How a file begins and ends.
const MAGIC: &[u8; 6] = b"ARROW1";
/// What is said of bytes that are neither.
const UNSOUND: &str = "it is not sound in Arrow's IPC format";
/// What a stream in a file begins at a multiple of, in bytes; before it are zeros.
const WORD_BYTES: u64 = 8;
/// Most words before it: writers that align more put it at 64 bytes.
const MAX_WORDS: usize = 8;

/// The columns of a stream or file, for a new table.
pub(super) fn columns(source: &Source, reading: &Reading) -> Result<Vec<FileColumn>, IngestError> {
    let batches = Batches::open(source)?;
    let schema = batches.schema();
    let mut with_nulls = BTreeSet::new();
    for batch in batches {
        for (field, column) in schema.fields().iter().zip(batch?.columns()) {
            if column.logical_null_count() > 0 {
                with_nulls.insert(field.name().clone());
            }
        }
    }
    let columns = file_columns(&schema, reading, |field| !with_nulls.contains(field.name()));
    columns.map_err(|problems| source.bad(problems))
}

/// Reads all rows of `source` as batches of `layout`.
pub(super) fn read(
    source: &Source,
    layout: &TableLayout,
    plan: &Plan,
    bad: &mut BadRows,
    emit: &mut Emit<'_>,
) -> Result<(), IngestError> {
    let batches = Batches::open(source)?;
    let mut fitting = Fitting::new(&batches.schema(), layout, plan).map_err(|problems| source.bad(problems))?;
    for batch in batches {
        fitting.batch(&batch?, bad, emit)?;
    }
    Ok(())
}

/// The batches of a stream or file; the last item tells where a file was cut off.
struct Batches<'a> {
    source: &'a Source<'a>,
    stream: StreamReader<Box<dyn BufRead>>,
    /// Whether it is a file whose end has not been looked at.
    open_file: bool,
}

impl<'a> Batches<'a> {
    fn open(source: &'a Source<'_>) -> Result<Self, IngestError> {
        let mut content = source.open()?;
        let mut word = || {
            let mut word = Vec::new();
            content.by_ref().take(WORD_BYTES).read_to_end(&mut word).map_err(|error| source.unreadable(error))?;
            Ok::<_, IngestError>(word)
        };
        let mut first = word()?;
        let open_file = first.starts_with(MAGIC);
        if open_file {
            // A message never begins with a word of zeros.
            for _ in 0..MAX_WORDS {
                first = word()?;
                if first.iter().any(|byte| *byte != 0) {
                    break;
                }
            }
        }
        let content: Box<dyn BufRead> = Box::new(Cursor::new(first).chain(content));
        let stream = StreamReader::try_new(content, None).map_err(|error| broken(source, error))?;
        Ok(Self { source, stream, open_file })
    }

    fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }

    /// A file ends with its magic word; a stream may end anywhere between two batches.
    fn ended(&mut self) -> Result<(), IngestError> {
        if !std::mem::take(&mut self.open_file) {
            return Ok(());
        }
        let (content, mut end) = (self.stream.get_mut(), Vec::new());
        loop {
            let piece = content.fill_buf().map_err(|error| self.source.unreadable(error))?;
            if piece.is_empty() {
                break;
            }
            end.extend_from_slice(piece.get(piece.len().saturating_sub(MAGIC.len())..).unwrap_or_default());
            end.drain(..end.len().saturating_sub(MAGIC.len()));
            let length = piece.len();
            content.consume(length);
        }
        if end == MAGIC {
            return Ok(());
        }
        Err(self.source.bad(vec![Problem::new("", "it is an Arrow file that was cut off: its end is missing")]))
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<RecordBatch, IngestError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(stopped) = self.source.unless_stopped() {
            return Some(Err(stopped));
        }
        match self.stream.next() {
            Some(batch) => Some(batch.map_err(|error| broken(self.source, error))),
            None => self.ended().err().map(Err),
        }
    }
}

fn broken(source: &Source, error: ArrowError) -> IngestError {
    if let ArrowError::IoError(_, error) = error {
        // It unfolds to too much, or can't be read; what is cut off within a batch is neither.
        if error.kind() != ErrorKind::UnexpectedEof {
            return source.unreadable(error);
        }
        return source.bad(vec![Problem::new("", format!("{UNSOUND}: {error}"))]);
    }
    source.bad(vec![Problem::new("", format!("{UNSOUND}: {error}"))])
}
