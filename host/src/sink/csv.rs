//! Comma-separated values: a header line, quotes as in RFC 4180, `\n` line ends.
//!
//! A null is an empty field and an empty text is `""`, so that a reader that looks at the quotes gets both back.

use super::columns::Columns;
use super::text::{ColumnText, Dialect, Frame};
use super::{Encoder, SinkError};
use arrow::record_batch::RecordBatch;

/// Writes CSV.
#[derive(Debug)]
pub struct CsvEncoder {
    columns: Columns,
    frames: Vec<Frame>,
}

impl CsvEncoder {
    /// An encoder of `columns`.
    pub fn new(columns: Columns) -> Self {
        let nulls = vec![String::new(); columns.len()];
        Self::with_nulls(columns, nulls)
    }

    /// An encoder of `columns`, of which each has a text of its own for what is missing.
    pub(super) fn with_nulls(columns: Columns, nulls: impl IntoIterator<Item = String>) -> Self {
        let frame = |(index, null): (usize, String)| {
            let prefix = if index == 0 { Vec::new() } else { b",".to_vec() };
            Frame { null: [prefix.as_slice(), null.as_bytes()].concat(), prefix }
        };
        let frames = nulls.into_iter().enumerate().map(frame).collect();
        Self { columns, frames }
    }
}

impl Encoder for CsvEncoder {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), SinkError> {
        for (index, name) in self.columns.names().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            Csv::text(name, out);
        }
        out.push(b'\n');
        Ok(())
    }

    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), SinkError> {
        let mut texts = Vec::with_capacity(self.columns.len());
        let arrays = self.columns.arrays(batch)?.into_iter().zip(self.columns.names());
        for ((array, name), frame) in arrays.zip(&self.frames) {
            texts.push(ColumnText::new::<Csv>(array, frame, name)?);
        }
        for row in 0..batch.num_rows() {
            for text in &mut texts {
                text.write::<Csv>(row, out);
            }
            out.push(b'\n');
        }
        Ok(())
    }

    fn finish(&mut self, _out: &mut Vec<u8>) -> Result<(), SinkError> {
        Ok(())
    }
}

struct Csv;

/// Bytes that make quotes necessary.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    special[b',' as usize] = true;
    special[b'"' as usize] = true;
    special[b'\n' as usize] = true;
    special[b'\r' as usize] = true;
    special
};

impl Dialect for Csv {
    const QUOTED: bool = false;
    const FINITE: bool = false;

    fn text(value: &str, out: &mut Vec<u8>) {
        let special = |byte: &u8| SPECIAL.get(usize::from(*byte)).copied().unwrap_or_default();
        if !value.is_empty() && !value.as_bytes().iter().any(special) {
            out.extend_from_slice(value.as_bytes());
            return;
        }
        out.push(b'"');
        for (index, part) in value.split('"').enumerate() {
            if index > 0 {
                out.extend_from_slice(b"\"\"");
            }
            out.extend_from_slice(part.as_bytes());
        }
        out.push(b'"');
    }
}
