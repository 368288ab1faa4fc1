//! How columns are encoded in Parquet: chosen by measurement for speed of writing, from the first rows of a file.

use crate::core::schema::DataType;
use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType as ArrowType, Int64Type};
use arrow::record_batch::RecordBatch;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Rows of the first batch that are looked at to tell a column of few values from one of many.
const SAMPLE_ROWS: usize = 4_096;

/// A column with fewer distinct values per row than this gets a dictionary.
const DICTIONARY_SHARE: f64 = 0.2;

/// How files are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WriterSettings {
    /// A file that has reached this size is closed and another begun.
    pub file_bytes: u64,
    /// Most rows of a row group.
    pub row_group_rows: usize,
    /// Encoded bytes after which a row group is closed, whatever its rows: what bounds a writer's memory.
    pub row_group_bytes: usize,
    /// Level of zstd.
    pub zstd_level: i32,
}

impl Default for WriterSettings {
    fn default() -> Self {
        Self { file_bytes: 256 << 20, row_group_rows: 128 << 10, row_group_bytes: 64 << 20, zstd_level: 1 }
    }
}

impl WriterSettings {
    /// Parquet's settings for files whose first rows are `sample`; `types` are the columns' logical types.
    pub(super) fn properties(&self, types: &[DataType], sample: &RecordBatch) -> WriterProperties {
        let level = ZstdLevel::try_new(self.zstd_level).unwrap_or_default();
        let mut builder = WriterProperties::builder()
            .set_created_by(concat!("telemill version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(self.row_group_rows))
            .set_max_row_group_bytes(Some(self.row_group_bytes))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_dictionary_enabled(false);
        let schema = sample.schema();
        for ((field, column), data_type) in schema.fields().iter().zip(sample.columns()).zip(types) {
            let path = || ColumnPath::new(vec![field.name().clone()]);
            if repeats(column.as_ref(), *data_type) {
                builder = builder.set_column_dictionary_enabled(path(), true);
            } else if let Some(encoding) = plain_encoding(*data_type) {
                builder = builder.set_column_encoding(path(), encoding);
            }
        }
        builder.build()
    }
}

/// Without a dictionary: integers and times as differences, text with its lengths apart.
fn plain_encoding(data_type: DataType) -> Option<Encoding> {
    match data_type {
        DataType::Int32 | DataType::Int64 | DataType::Date | DataType::Timestamp => Some(Encoding::DELTA_BINARY_PACKED),
        DataType::Utf8 => Some(Encoding::DELTA_LENGTH_BYTE_ARRAY),
        DataType::Boolean | DataType::Float32 | DataType::Float64 => None,
    }
}

/// Whether the column has few values. A guest that sends a dictionary knows; of others a sample is counted.
fn repeats(column: &dyn Array, data_type: DataType) -> bool {
    let rows = column.len().min(SAMPLE_ROWS);
    let few = |distinct: usize| (distinct as f64) < rows as f64 * DICTIONARY_SHARE;
    match (data_type, column.data_type()) {
        (DataType::Utf8, ArrowType::Dictionary(_, _)) => true,
        (DataType::Utf8, ArrowType::Utf8) => {
            few(column.as_string::<i32>().iter().take(rows).flatten().collect::<HashSet<_>>().len())
        }
        (DataType::Int64, ArrowType::Int64) => {
            few(column.as_primitive::<Int64Type>().iter().take(rows).flatten().collect::<HashSet<_>>().len())
        }
        _ => false,
    }
}
