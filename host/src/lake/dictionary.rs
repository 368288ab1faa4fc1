//! A Parquet column chunk of repeated text, written straight from guests' dictionaries.
//!
//! parquet's own writer looks at the text of every row and finds its place by hash, which was a fifth of all the time
//! of a run. A guest's dictionary has done that already: here a row costs one look-up by its key. Everything else is
//! as that writer does it: a dictionary page, then data pages (version 1) of keys, each compressed by itself.

use arrow::array::{Array, ArrayRef, AsArray, BooleanBufferBuilder, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type};
use bytes::Bytes;
use parquet::basic::{Compression, Encoding, PageType, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriteSpec, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, PageEncodingStats};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use std::collections::HashMap;

/// Rows of a data page: a multiple of eight, so that validity needs no shifting.
const PAGE_ROWS: usize = 32_768;
/// Keys of a run: the most whose header is one byte.
const RUN_KEYS: usize = 504;
/// A dictionary that has reached this size ends its row group: readers hold it in memory.
const DICTIONARY_BYTES: usize = 1 << 20;
/// Bounds that are longer are left out, so that footers stay small.
const BOUND_BYTES: usize = 64;
/// No place yet.
const UNPLACED: u32 = u32::MAX;

/// A column chunk under construction.
pub(super) struct DictionaryChunk {
    descriptor: ColumnDescPtr,
    level: ZstdLevel,
    /// Where each value stands in the dictionary; only values that a row has are in it.
    places: HashMap<Box<str>, u32>,
    /// The dictionary: each value behind its length.
    dictionary: Vec<u8>,
    bounds: Option<(Box<str>, Box<str>)>,
    /// Places of the rows that have a value.
    keys: Vec<u32>,
    /// None before the first null.
    validity: Option<BooleanBufferBuilder>,
    rows: usize,
}

/// Whether a chunk can be written this way: it begins with a dictionary, and that is not too large.
pub(super) fn fits(column: &dyn Array) -> bool {
    let values = column.as_any_dictionary_opt().and_then(|dictionary| dictionary.values().as_string_opt::<i32>());
    values.is_some_and(|values| values.value_data().len() + values.len() * 4 < DICTIONARY_BYTES)
}

impl DictionaryChunk {
    pub(super) fn new(descriptor: ColumnDescPtr, level: ZstdLevel) -> Self {
        Self {
            descriptor,
            level,
            places: HashMap::new(),
            dictionary: Vec::new(),
            bounds: None,
            keys: Vec::new(),
            validity: None,
            rows: 0,
        }
    }

    /// Bytes that it holds, about.
    pub(super) fn bytes(&self) -> usize {
        self.keys.len() * size_of::<u32>() + 2 * self.dictionary.len()
    }

    /// Whether the row group should end here.
    pub(super) fn is_full(&self) -> bool {
        self.dictionary.len() >= DICTIONARY_BYTES
    }

    /// Adds rows of text, in a dictionary or not.
    ///
    /// # Errors
    /// A row is null and the column is never null: the chunk could not be read.
    pub(super) fn write(&mut self, column: &ArrayRef) -> Result<(), ParquetError> {
        if self.descriptor.max_def_level() == 0 && column.logical_null_count() > 0 {
            let name = self.descriptor.name();
            return Err(ParquetError::General(format!("the column {name} has a null and is never null")));
        }
        let wanted = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let usual = column
            .as_dictionary_opt::<Int32Type>()
            .filter(|dictionary| column.data_type() == &wanted && dictionary.values().null_count() == 0);
        let normalized;
        let dictionary = match usual {
            Some(dictionary) => dictionary,
            None => {
                normalized = cast(&cast(column, &DataType::Utf8)?, &wanted)?;
                normalized.as_dictionary::<Int32Type>()
            }
        };
        let (keys, values) = (dictionary.keys(), dictionary.values().as_string::<i32>());
        let mut places = vec![UNPLACED; values.len()];
        self.keys.reserve(keys.len());
        match keys.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => {
                keys.values().iter().for_each(|key| self.push(*key as usize, values, &mut places));
                if let Some(validity) = &mut self.validity {
                    validity.append_n(keys.len(), true);
                }
            }
            Some(nulls) => {
                let keys = keys.values();
                nulls.valid_indices().filter_map(|row| keys.get(row)).for_each(|key| {
                    self.push(*key as usize, values, &mut places);
                });
                self.validity.get_or_insert_with(|| ones(self.rows)).append_buffer(nulls.inner());
            }
        }
        self.rows += column.len();
        Ok(())
    }

    #[inline]
    fn push(&mut self, key: usize, values: &StringArray, places: &mut [u32]) {
        let place = match places.get(key) {
            Some(place) if *place != UNPLACED => *place,
            _ => {
                let place = self.place(values.value(key));
                if let Some(slot) = places.get_mut(key) {
                    *slot = place;
                }
                place
            }
        };
        self.keys.push(place);
    }

    #[cold]
    fn place(&mut self, value: &str) -> u32 {
        if let Some(place) = self.places.get(value) {
            return *place;
        }
        // A dictionary ends its row group long before it has 2^32 values or a value that many bytes.
        #[expect(clippy::cast_possible_truncation, reason = "see above")]
        let (place, length) = (self.places.len() as u32, value.len() as u32);
        self.places.insert(value.into(), place);
        self.dictionary.extend_from_slice(&length.to_le_bytes());
        self.dictionary.extend_from_slice(value.as_bytes());
        match &mut self.bounds {
            None => self.bounds = Some((value.into(), value.into())),
            Some((min, _)) if value < &**min => *min = value.into(),
            Some((_, max)) if value > &**max => *max = value.into(),
            Some(_) => {}
        }
        place
    }

    /// The chunk's bytes, and what the footer says of it.
    pub(super) fn close(self) -> Result<(Bytes, ColumnCloseResult), ParquetError> {
        let mut compressor = zstd::bulk::Compressor::new(self.level.compression_level())?;
        let mut compressed = |bytes: &[u8]| compressor.compress(bytes).map(Bytes::from);
        let mut out = TrackedWrite::new(Vec::new());
        let mut pages = SerializedPageWriter::new(&mut out);
        let mut sizes = Sizes::default();
        let values = self.places.len();
        let page = Page::DictionaryPage {
            buf: compressed(&self.dictionary)?,
            num_values: count(values),
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        sizes.add(&pages.write_page(CompressedPage::new(page, self.dictionary.len()))?);
        let data_page_offset = sizes.compressed;

        let (rows, nulls) = (self.rows, self.rows - self.keys.len());
        let validity = self.validity.map(|mut validity| validity.finish());
        let width = usize::BITS - values.saturating_sub(1).max(1).leading_zeros();
        let (mut keys, mut buffer) = (self.keys.as_slice(), Vec::new());
        let data_pages = i32::try_from(rows.div_ceil(PAGE_ROWS)).unwrap_or(i32::MAX);
        for start in (0..rows).step_by(PAGE_ROWS) {
            let page_rows = PAGE_ROWS.min(rows - start);
            let page_validity = validity.as_ref().map(|validity| validity.slice(start, page_rows));
            let valid = page_validity.as_ref().map_or(page_rows, BooleanBuffer::count_set_bits);
            let (page_keys, rest) = keys.split_at_checked(valid).unwrap_or((keys, &[]));
            keys = rest;
            buffer.clear();
            if self.descriptor.max_def_level() > 0 {
                levels(page_validity.as_ref().filter(|_| valid < page_rows), page_rows, &mut buffer);
            }
            buffer.push(u8::try_from(width).unwrap_or(u8::MAX));
            page_keys.chunks(RUN_KEYS).for_each(|keys| run(keys, width, &mut buffer));
            let page = Page::DataPage {
                buf: compressed(&buffer)?,
                num_values: count(page_rows),
                encoding: Encoding::RLE_DICTIONARY,
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            };
            sizes.add(&pages.write_page(CompressedPage::new(page, buffer.len()))?);
        }

        let short = self.bounds.filter(|(min, max)| min.len().max(max.len()) <= BOUND_BYTES);
        let (min, max) = short.map(|(min, max)| (ByteArray::from(&*min), ByteArray::from(&*max))).unzip();
        let metadata = ColumnChunkMetaData::builder(self.descriptor)
            .set_encodings(vec![Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY])
            // Tells readers that no page has text of its own, so that they may hand on the dictionary.
            .set_page_encoding_stats(vec![
                PageEncodingStats { page_type: PageType::DICTIONARY_PAGE, encoding: Encoding::PLAIN, count: 1 },
                PageEncodingStats {
                    page_type: PageType::DATA_PAGE,
                    encoding: Encoding::RLE_DICTIONARY,
                    count: data_pages,
                },
            ])
            .set_compression(Compression::ZSTD(self.level))
            .set_total_compressed_size(sizes.compressed)
            .set_total_uncompressed_size(sizes.uncompressed)
            .set_num_values(i64::from(count(rows)))
            .set_dictionary_page_offset(Some(0))
            .set_data_page_offset(data_page_offset)
            .set_statistics(Statistics::byte_array(min, max, None, Some(nulls as u64), false))
            .build()?;
        let close = ColumnCloseResult {
            bytes_written: sizes.compressed.unsigned_abs(),
            rows_written: rows as u64,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        Ok((out.into_inner()?.into(), close))
    }
}

/// Bytes of pages with their headers.
#[derive(Default)]
struct Sizes {
    compressed: i64,
    uncompressed: i64,
}

impl Sizes {
    fn add(&mut self, page: &PageWriteSpec) {
        self.compressed += i64::try_from(page.compressed_size).unwrap_or(i64::MAX);
        self.uncompressed += i64::try_from(page.uncompressed_size).unwrap_or(i64::MAX);
    }
}

/// Rows of a row group, which are far fewer than 2^32.
fn count(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}

fn ones(rows: usize) -> BooleanBufferBuilder {
    let mut builder = BooleanBufferBuilder::new(rows);
    builder.append_n(rows, true);
    builder
}

/// Definition levels of 0 and 1 behind their length: Arrow's bits are a packed run as they are.
fn levels(validity: Option<&BooleanBuffer>, rows: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    match validity {
        None => {
            varint(rows << 1, out);
            out.push(1);
        }
        Some(validity) => {
            let bits = validity.sliced();
            let groups = rows.div_ceil(8);
            varint(groups << 1 | 1, out);
            out.extend(bits.as_slice().iter().take(groups));
        }
    }
    let length = count(out.len() - start - 4).to_le_bytes();
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length);
    }
}

/// A run of at most [`RUN_KEYS`] keys in Parquet's hybrid encoding: one value and how often, or packed bits.
fn run(keys: &[u32], width: u32, out: &mut Vec<u8>) {
    let Some(first) = keys.first() else { return };
    if keys.iter().fold(0, |differ, key| differ | (key ^ first)) == 0 {
        varint(keys.len() << 1, out);
        out.extend(first.to_le_bytes().iter().take(width.div_ceil(8) as usize));
        return;
    }
    let groups = keys.len().div_ceil(8);
    varint(groups << 1 | 1, out);
    let end = out.len() + groups * width as usize;
    let (mut bits, mut used) = (0_u64, 0);
    for key in keys {
        bits |= u64::from(*key) << used;
        used += width;
        if used >= 32 {
            #[expect(clippy::cast_possible_truncation, reason = "the lower half goes out, the upper stays")]
            out.extend_from_slice(&(bits as u32).to_le_bytes());
            bits >>= 32;
            used -= 32;
        }
    }
    out.extend_from_slice(&bits.to_le_bytes());
    // The last group is filled up with zeros.
    out.resize(end, 0);
}

fn varint(mut value: usize, out: &mut Vec<u8>) {
    loop {
        #[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn unpacked(bytes: &[u8], width: u32, keys: usize) -> Vec<u32> {
        let bit = |at: usize| u32::from(bytes[at / 8] >> (at % 8) & 1);
        let key = |row: usize| (0..width as usize).map(|i| bit(row * width as usize + i) << i).sum();
        (0..keys).map(key).collect()
    }

    #[test]
    fn packed_runs_hold_every_key_at_every_width() {
        for width in 1..=32 {
            for keys in [2, 7, 8, 63, 504] {
                let mask = u32::MAX >> (32 - width);
                let keys: Vec<u32> = (0..keys).map(|i: u32| i.wrapping_mul(0x9e37_79b9) & mask).collect();
                let mut out = Vec::new();
                run(&keys, width, &mut out);
                let groups = keys.len().div_ceil(8);
                assert_eq!(out[0] as usize, groups << 1 | 1, "one byte of header");
                assert_eq!(out.len(), 1 + groups * width as usize);
                assert_eq!(unpacked(&out[1..], width, keys.len()), keys, "width {width}");
            }
        }
    }

    #[test]
    fn a_run_of_one_value_is_written_once() {
        let mut out = Vec::new();
        run(&[0x1234; 504], 13, &mut out);
        assert_eq!(out, [0xf0, 0x07, 0x34, 0x12]);
    }

    #[test]
    fn levels_are_arrows_bits() {
        let validity: BooleanBuffer = (0..20).map(|row| row % 3 == 0).collect();
        let mut out = Vec::new();
        levels(Some(&validity), 20, &mut out);
        assert_eq!(u32::from_le_bytes(*out.first_chunk().unwrap()), 4);
        assert_eq!(out[4], 3 << 1 | 1);
        assert_eq!(unpacked(&out[5..], 1, 20), (0..20).map(|row| u32::from(row % 3 == 0)).collect::<Vec<_>>());
        out.clear();
        levels(None, 32_768, &mut out);
        assert_eq!(out, [4, 0, 0, 0, 0x80, 0x80, 0x04, 1]);
    }
}
