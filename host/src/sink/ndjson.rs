//! One JSON object a line, and the objects that bulk lines hold.

use super::columns::Columns;
use super::text::{ColumnText, Dialect, Frame};
use super::{Encoder, SinkError};
use arrow::record_batch::RecordBatch;

/// What a null looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// `"name":null`: every line has every key.
    Written,
    /// The key is left out.
    LeftOut,
}

/// Writes NDJSON.
#[derive(Debug)]
pub struct NdjsonEncoder {
    objects: Objects,
}

impl NdjsonEncoder {
    /// An encoder of `columns`.
    pub fn new(columns: Columns, nulls: Nulls) -> Self {
        Self { objects: Objects::new(columns, nulls) }
    }
}

impl Encoder for NdjsonEncoder {
    fn begin(&mut self, _out: &mut Vec<u8>) -> Result<(), SinkError> {
        Ok(())
    }

    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), SinkError> {
        let mut rows = self.objects.rows(batch)?;
        for row in 0..batch.num_rows() {
            rows.write(row, out);
            out.push(b'\n');
        }
        Ok(())
    }

    fn finish(&mut self, _out: &mut Vec<u8>) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Rows as JSON objects.
#[derive(Debug)]
pub(super) struct Objects {
    columns: Columns,
    frames: Vec<Frame>,
}

impl Objects {
    pub(super) fn new(columns: Columns, nulls: Nulls) -> Self {
        let frame = |name: &str| {
            let mut prefix = b",".to_vec();
            Json::text(name, &mut prefix);
            prefix.push(b':');
            let null = if nulls == Nulls::Written { [prefix.as_slice(), b"null"].concat() } else { Vec::new() };
            Frame { prefix, null }
        };
        let frames = columns.names().map(frame).collect();
        Self { columns, frames }
    }

    pub(super) fn rows<'a>(&'a self, batch: &'a RecordBatch) -> Result<ObjectRows<'a>, SinkError> {
        let arrays = self.columns.arrays(batch)?.into_iter().zip(&self.frames).zip(self.columns.names());
        let texts = arrays.map(|((array, frame), name)| ColumnText::new::<Json>(array, frame, name));
        Ok(ObjectRows { texts: texts.collect::<Result<_, _>>()? })
    }
}

/// The rows of one batch.
pub(super) struct ObjectRows<'a> {
    texts: Vec<ColumnText<'a>>,
}

impl ObjectRows<'_> {
    /// Appends the object of `row`. Every member is written with a comma before it, and the first comma then
    /// becomes the brace, so that members that are left out cost nothing.
    #[inline]
    pub(super) fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        let start = out.len();
        for text in &mut self.texts {
            text.write::<Json>(row, out);
        }
        match out.get_mut(start) {
            Some(first) => *first = b'{',
            None => out.push(b'{'),
        }
        out.push(b'}');
    }
}

/// JSON as RFC 8259 has it.
pub(super) struct Json;

/// For each byte that a JSON text must escape: the letter after the backslash, `u` for the long form.
const ESCAPES: [u8; 256] = {
    let mut escapes = [0; 256];
    let mut control = 0;
    while control < 0x20 {
        escapes[control] = b'u';
        control += 1;
    }
    escapes[b'\n' as usize] = b'n';
    escapes[b'\r' as usize] = b'r';
    escapes[b'\t' as usize] = b't';
    escapes[b'"' as usize] = b'"';
    escapes[b'\\' as usize] = b'\\';
    escapes
};

impl Dialect for Json {
    const QUOTED: bool = true;
    const FINITE: bool = true;

    fn text(value: &str, out: &mut Vec<u8>) {
        out.push(b'"');
        let bytes = value.as_bytes();
        let escape = |byte: u8| ESCAPES.get(usize::from(byte)).copied().unwrap_or_default();
        if bytes.iter().all(|&byte| escape(byte) == 0) {
            out.extend_from_slice(bytes);
        } else {
            for &byte in bytes {
                match escape(byte) {
                    0 => out.push(byte),
                    b'u' => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                    letter => out.extend_from_slice(&[b'\\', letter]),
                }
            }
        }
        out.push(b'"');
    }
}
