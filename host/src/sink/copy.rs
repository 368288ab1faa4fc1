//! PostgreSQL's text format of `COPY`: fields between tabs, `\N` for nulls, backslashes before what would mean something.

use super::columns::Columns;
use super::text::{ColumnText, Dialect, Frame};
use super::{Encoder, SinkError};
use arrow::record_batch::RecordBatch;

/// Writes what `COPY ... FROM STDIN` reads, without a line of names.
#[derive(Debug)]
pub struct CopyEncoder {
    columns: Columns,
    frames: Vec<Frame>,
}

impl CopyEncoder {
    /// An encoder of `columns`.
    pub fn new(columns: Columns) -> Self {
        let frame = |index: usize| {
            let prefix: &[u8] = if index == 0 { b"" } else { b"\t" };
            Frame { null: [prefix, b"\\N"].concat(), prefix: prefix.to_vec() }
        };
        let frames = (0..columns.len()).map(frame).collect();
        Self { columns, frames }
    }
}

impl Encoder for CopyEncoder {
    fn begin(&mut self, _out: &mut Vec<u8>) -> Result<(), SinkError> {
        Ok(())
    }

    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), SinkError> {
        let mut texts = Vec::with_capacity(self.columns.len());
        let arrays = self.columns.arrays(batch)?.into_iter().zip(self.columns.names());
        for ((array, name), frame) in arrays.zip(&self.frames) {
            texts.push(ColumnText::new::<Copy>(array, frame, name)?);
        }
        for row in 0..batch.num_rows() {
            texts.iter_mut().for_each(|text| text.write::<Copy>(row, out));
            out.push(b'\n');
        }
        Ok(())
    }

    fn finish(&mut self, _out: &mut Vec<u8>) -> Result<(), SinkError> {
        Ok(())
    }
}

struct Copy;

impl Dialect for Copy {
    const QUOTED: bool = false;
    const FINITE: bool = false;

    fn text(value: &str, out: &mut Vec<u8>) {
        for byte in value.bytes() {
            match byte {
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\t' => out.extend_from_slice(b"\\t"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                other => out.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
    use std::sync::Arc;

    #[test]
    fn nulls_empty_texts_and_special_characters_are_told_apart() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a\tb\\N\r\n"), Some(""), None, Some("\\.")]));
        let whole: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(-3), Some(4)]));
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, f64::NEG_INFINITY, 0.1, 1e300]));
        let batch = RecordBatch::try_from_iter([("t", texts), ("n", whole), ("f", floats)]).unwrap();
        let mut out = Vec::new();
        CopyEncoder::new(Columns::all(&batch.schema())).encode(&batch, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "a\\tb\\\\N\\r\\n\t1\tNaN\n\t\\N\t-inf\n\\N\t-3\t0.1\n\\\\.\t4\t1e+300\n");
    }
}
