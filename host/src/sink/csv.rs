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
    first: Frame,
    next: Frame,
}

impl CsvEncoder {
    /// An encoder of `columns`.
    pub fn new(columns: Columns) -> Self {
        let next = Frame { prefix: b",".to_vec(), null: b",".to_vec() };
        Self { columns, first: Frame::default(), next }
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
        for (index, (array, name)) in self.columns.arrays(batch)?.into_iter().zip(self.columns.names()).enumerate() {
            let frame = if index == 0 { &self.first } else { &self.next };
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
