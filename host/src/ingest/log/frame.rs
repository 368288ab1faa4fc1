//! One request in the log, as bytes: a fixed header with lengths, position and checksums, a head in JSON that says what
//! follows, and the rows of each table as an Arrow IPC stream.

use super::LogError;
use crate::core::time::Timestamp;
use crate::store::KeyUse;
use arrow::error::ArrowError;
use arrow::ipc::MetadataVersion;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow::record_batch::RecordBatch;
use serde::{Deserialize, Serialize};
use std::io::Cursor;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// Begins every frame.
const MAGIC: [u8; 4] = *b"TMF1";
/// Bytes before the head: magic, length of the head (u32), length of the rows (u64), position (u64), hash of head and
/// rows (u64), hash of the header so far (u64); all little-endian.
pub(super) const HEADER_BYTES: usize = 40;
/// Buffers inside of a stream begin at multiples of this.
const ALIGNMENT: usize = 8;

/// A table that rows are for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TableRef {
    pub(super) dataset: Arc<str>,
    pub(super) table: Arc<str>,
    /// The table's id in the catalog.
    pub(super) id: i64,
}

/// A request as it was taken.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) position: u64,
    pub(super) key: Option<KeyUse>,
    pub(super) tables: Vec<(TableRef, RecordBatch)>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<HeadKey>,
    tables: Vec<HeadTable>,
}

#[derive(Serialize, Deserialize)]
struct HeadKey {
    key: crate::core::digest::Digest,
    body: u64,
    rows: u64,
    at: i64,
}

#[derive(Serialize, Deserialize)]
struct HeadTable {
    dataset: Arc<str>,
    table: Arc<str>,
    id: i64,
    bytes: usize,
}

/// A frame of `tables`, without a position yet.
pub(super) fn encode(key: Option<&KeyUse>, tables: &[(TableRef, RecordBatch)]) -> Result<Vec<u8>, LogError> {
    let mut rows = Vec::new();
    let mut heads = Vec::with_capacity(tables.len());
    for (table, batch) in tables {
        let before = rows.len();
        stream(batch, &mut rows)?;
        heads.push(HeadTable {
            dataset: Arc::clone(&table.dataset),
            table: Arc::clone(&table.table),
            id: table.id,
            bytes: rows.len() - before,
        });
    }
    let key = key.map(|used| HeadKey { key: used.key, body: used.body, rows: used.rows, at: used.at.0 });
    let head = serde_json::to_vec(&Head { key, tables: heads }).map_err(|error| LogError::Frame(error.to_string()))?;
    let head_bytes = u32::try_from(head.len()).map_err(|error| LogError::Frame(error.to_string()))?;
    let mut frame = Vec::with_capacity(HEADER_BYTES + head.len() + rows.len());
    frame.extend_from_slice(&MAGIC);
    frame.extend_from_slice(&head_bytes.to_le_bytes());
    frame.extend_from_slice(&(rows.len() as u64).to_le_bytes());
    frame.resize(HEADER_BYTES, 0);
    frame.extend_from_slice(&head);
    frame.extend_from_slice(&rows);
    let hash = xxh3_64(frame.get(HEADER_BYTES..).unwrap_or_default());
    put(&mut frame, 24, hash);
    Ok(frame)
}

fn stream(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)?;
    let mut writer = StreamWriter::try_new_with_options(out, batch.schema_ref(), options)?;
    writer.write(batch)?;
    writer.finish()
}

/// Gives a frame its position.
pub(super) fn stamp(frame: &mut [u8], position: u64) {
    put(frame, 16, position);
    let hash = xxh3_64(frame.get(..HEADER_BYTES - 8).unwrap_or_default());
    put(frame, HEADER_BYTES - 8, hash);
}

fn put(frame: &mut [u8], at: usize, value: u64) {
    if let Some(slot) = frame.get_mut(at..at + 8) {
        slot.copy_from_slice(&value.to_le_bytes());
    }
}

/// A frame in a segment whose checksums hold: its position, its head and its rows, and its bytes all in all.
pub(super) struct Found<'a> {
    pub(super) position: u64,
    head: &'a [u8],
    rows: &'a [u8],
    pub(super) bytes: usize,
}

/// The frame at the start of `bytes`; none where there is no whole and sound one.
pub(super) fn find(bytes: &[u8]) -> Option<Found<'_>> {
    let number = |at: usize| bytes.get(at..at + 8)?.first_chunk().map(|number| u64::from_le_bytes(*number));
    let sound = bytes.get(..4)? == MAGIC && number(HEADER_BYTES - 8)? == xxh3_64(bytes.get(..HEADER_BYTES - 8)?);
    if !sound {
        return None;
    }
    let head_bytes = u32::from_le_bytes(*bytes.get(4..8)?.first_chunk()?) as usize;
    let rows_bytes = usize::try_from(number(8)?).ok()?;
    let end = HEADER_BYTES.checked_add(head_bytes)?.checked_add(rows_bytes)?;
    let content = bytes.get(HEADER_BYTES..end)?;
    if xxh3_64(content) != number(24)? {
        return None;
    }
    let (head, rows) = content.split_at_checked(head_bytes)?;
    Some(Found { position: number(16)?, head, rows, bytes: end })
}

impl Found<'_> {
    /// What is in it.
    pub(super) fn decode(&self) -> Result<Frame, LogError> {
        let head: Head = serde_json::from_slice(self.head).map_err(|error| LogError::Frame(error.to_string()))?;
        let mut tables = Vec::with_capacity(head.tables.len());
        let mut rest = self.rows;
        for HeadTable { dataset, table, id, bytes } in head.tables {
            let cut = rest.split_at_checked(bytes).ok_or_else(|| LogError::Frame("its rows are cut off".to_owned()))?;
            rest = cut.1;
            let table = TableRef { dataset, table, id };
            for batch in StreamReader::try_new(Cursor::new(cut.0), None)? {
                tables.push((table.clone(), batch?));
            }
        }
        let key = head.key.map(|key| KeyUse { key: key.key, body: key.body, rows: key.rows, at: Timestamp(key.at) });
        Ok(Frame { position: self.position, key, tables })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::core::digest::Digest;
    use arrow::array::{ArrayRef, DictionaryArray, Float64Array};
    use arrow::datatypes::Int32Type;

    fn batch() -> RecordBatch {
        let tags: DictionaryArray<Int32Type> = [Some("a"), None, Some("a")].into_iter().collect();
        let values = Float64Array::from(vec![Some(1.5), None, Some(f64::NAN)]);
        let columns: [(&str, ArrayRef, bool); 2] = [("tag", Arc::new(tags), true), ("value", Arc::new(values), true)];
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    fn frame() -> Vec<u8> {
        let key = KeyUse { key: Digest::of(b"k"), body: 7, rows: 3, at: Timestamp(9) };
        let table = |name: &str| TableRef { dataset: "d".into(), table: name.into(), id: 4 };
        let mut frame = encode(Some(&key), &[(table("t"), batch()), (table("u"), batch())]).unwrap();
        stamp(&mut frame, 12);
        frame
    }

    #[test]
    fn a_frame_comes_back_as_it_was() {
        let bytes = frame();
        let found = find(&bytes).unwrap();
        assert_eq!((found.position, found.bytes), (12, bytes.len()));
        let frame = found.decode().unwrap();
        assert_eq!(frame.key, Some(KeyUse { key: Digest::of(b"k"), body: 7, rows: 3, at: Timestamp(9) }));
        let names: Vec<_> = frame.tables.iter().map(|(table, _)| table.table.to_string()).collect();
        assert_eq!(names, ["t", "u"]);
        assert!(
            frame.tables.iter().all(|(table, rows)| table.id == 4 && format!("{rows:?}") == format!("{:?}", batch()))
        );
    }

    #[test]
    fn any_byte_that_changes_and_any_that_is_missing_is_noticed() {
        let bytes = frame();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert!(find(&damaged).is_none(), "byte {at}");
            assert!(find(&bytes[..at]).is_none(), "cut at {at}");
        }
    }
}
