//! Lines for OpenSearch's `_bulk` endpoint: an action line and a document for each row.
//!
//! A document's id is made of the table's primary key, so that sending a row twice stores it once. A table without a
//! key gets ids from the server.

use super::columns::Columns;
use super::ndjson::{Nulls, Objects};
use super::text::{ColumnText, Dialect, Frame};
use super::{Encoder, SinkError};
use crate::batch::TableLayout;
use crate::core::digest::Digest;
use arrow::record_batch::RecordBatch;

/// The longest id that OpenSearch takes in a bulk request, in bytes; longer ones are replaced by their digest.
const MAX_ID_BYTES: usize = 512;

/// The name under which documents carry their time.
pub const TIME_NAME: &str = "@timestamp";

/// A column that names an incident. Where it may be null it is a label, which documents do not show; the tables of the
/// ground truth themselves have it in every row.
const INCIDENT_COLUMN: &str = "incident_id";

/// The columns of a table's documents: all but the label `incident_id`, the time field as `@timestamp`.
pub fn document_columns(layout: &TableLayout) -> Columns {
    let all = Columns::all(&layout.schema);
    let labelled = layout.table.fields.iter().any(|field| field.name == INCIDENT_COLUMN && field.nullable);
    with_time_name(layout, if labelled { all.without(INCIDENT_COLUMN) } else { all })
}

/// The columns with the table's time field as `@timestamp`.
fn with_time_name(layout: &TableLayout, columns: Columns) -> Columns {
    match &layout.table.time_field {
        Some(time) => columns.renamed(time, TIME_NAME),
        None => columns,
    }
}

/// Writes action lines and documents.
#[derive(Debug)]
pub struct BulkEncoder {
    objects: Objects,
    key: Columns,
    key_frames: Vec<Frame>,
    before_id: Vec<u8>,
    after_id: &'static [u8],
    id: Vec<u8>,
}

impl BulkEncoder {
    /// An encoder of documents of `columns`. The action lines name `index`, or none where the request's path does,
    /// and ids are made of `key`, which may be empty.
    pub fn new(columns: Columns, key: Columns, index: Option<&str>) -> Self {
        let mut before_id = br#"{"index":{"#.to_vec();
        if let Some(index) = index {
            before_id.extend_from_slice(br#""_index":"#);
            super::ndjson::Json::text(index, &mut before_id);
        }
        let after_id: &[u8] = if key.is_empty() {
            b"}}\n"
        } else {
            before_id.extend_from_slice(if index.is_some() { br#","_id":""# } else { br#""_id":""# });
            b"\"}}\n"
        };
        let frame = |position: usize| {
            let prefix = if position == 0 { Vec::new() } else { b":".to_vec() };
            Frame { null: [prefix.as_slice(), b"%"].concat(), prefix }
        };
        let key_frames = (0..key.len()).map(frame).collect();
        let objects = Objects::new(columns, Nulls::LeftOut);
        Self { objects, key, key_frames, before_id, after_id, id: Vec::new() }
    }

    /// The encoder of a table's documents, with ids of its primary key.
    ///
    /// # Errors
    /// [`SinkError::UnknownColumn`] where the key names no column.
    pub fn for_table(layout: &TableLayout, index: Option<&str>) -> Result<Self, SinkError> {
        let key = Columns::select(&layout.schema, &layout.table.primary_key)?;
        Ok(Self::new(document_columns(layout), key, index))
    }

    /// The same with documents of the named columns alone.
    ///
    /// # Errors
    /// [`SinkError::UnknownColumn`] where the table has no such column, or the key names none.
    pub fn for_columns(layout: &TableLayout, names: &[String], index: Option<&str>) -> Result<Self, SinkError> {
        let key = Columns::select(&layout.schema, &layout.table.primary_key)?;
        let columns = Columns::select(&layout.schema, names)?;
        Ok(Self::new(with_time_name(layout, columns), key, index))
    }

    /// Appends the rows of `batch` to `out` and, for each, the length of `out` after it to `ends`.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn encode_rows(
        &mut self,
        batch: &RecordBatch,
        out: &mut Vec<u8>,
        ends: &mut Vec<usize>,
    ) -> Result<(), SinkError> {
        let mut rows = self.objects.rows(batch)?;
        let keys = self.key.arrays(batch)?.into_iter().zip(&self.key_frames).zip(self.key.names());
        let keys = keys.map(|((array, frame), name)| ColumnText::new::<Id>(array, frame, name));
        let mut keys = keys.collect::<Result<Vec<_>, _>>()?;
        ends.reserve(batch.num_rows());
        for row in 0..batch.num_rows() {
            out.extend_from_slice(&self.before_id);
            self.id.clear();
            for key in &mut keys {
                key.write::<Id>(row, &mut self.id);
            }
            if self.id.len() > MAX_ID_BYTES {
                out.extend_from_slice(Digest::of(&self.id).to_string().as_bytes());
            } else {
                out.extend_from_slice(&self.id);
            }
            out.extend_from_slice(self.after_id);
            rows.write(row, out);
            out.push(b'\n');
            ends.push(out.len());
        }
        Ok(())
    }
}

impl Encoder for BulkEncoder {
    fn begin(&mut self, _out: &mut Vec<u8>) -> Result<(), SinkError> {
        Ok(())
    }

    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), SinkError> {
        self.encode_rows(batch, out, &mut Vec::new())
    }

    fn finish(&mut self, _out: &mut Vec<u8>) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Parts of an id: what would end a part or the JSON text around it is escaped with `%`, so that different keys
/// never give one id. A null is a lone `%`.
struct Id;

impl Dialect for Id {
    const QUOTED: bool = false;
    const FINITE: bool = false;

    fn text(value: &str, out: &mut Vec<u8>) {
        for &byte in value.as_bytes() {
            if byte < 0x20 || matches!(byte, b'%' | b':' | b'"' | b'\\') {
                out.extend_from_slice(format!("%{byte:02X}").as_bytes());
            } else {
                out.push(byte);
            }
        }
    }
}
