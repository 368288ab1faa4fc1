//! One plain Parquet file, for readers without the lake.

use super::columns::Columns;
use super::{Encoder, SinkError};
use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::file::properties::WriterProperties;
use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::sync::Arc;

/// Rows of a row group: large enough to compress well, small enough that a group fits in memory.
const ROW_GROUP_ROWS: usize = 131_072;

/// Level 1 compresses telemetry nearly as well as higher ones and costs the least.
const ZSTD_LEVEL: i32 = 1;

/// Writes Parquet with zstd.
pub struct ParquetEncoder {
    columns: Columns,
    schema: SchemaRef,
    writer: Option<ArrowWriter<Vec<u8>>>,
}

impl ParquetEncoder {
    /// An encoder of `columns` of `schema`; batches whose text is dictionary-encoded are written as plain text,
    /// which Parquet encodes with dictionaries of its own.
    ///
    /// # Errors
    /// [`SinkError::Parquet`] where Parquet can't hold the schema.
    pub fn new(schema: &Schema, columns: Columns) -> Result<Self, SinkError> {
        let empty = RecordBatch::new_empty(Arc::new(schema.clone()));
        let fields = columns.arrays(&empty)?.into_iter().zip(columns.names());
        let nullable = |name: &str| schema.field_with_name(name).map_or(true, Field::is_nullable);
        let fields = fields.map(|(array, name)| Field::new(name, array.data_type().clone(), nullable(name)));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))?;
        Ok(Self { columns, schema, writer: Some(writer) })
    }
}

impl Encoder for ParquetEncoder {
    fn begin(&mut self, _out: &mut Vec<u8>) -> Result<(), SinkError> {
        Ok(())
    }

    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), SinkError> {
        let convert = |(array, field): (&ArrayRef, &Arc<Field>)| {
            if array.data_type() == field.data_type() {
                return Ok(Arc::clone(array));
            }
            cast(array, field.data_type()).map_err(|source| SinkError::Column { column: field.name().clone(), source })
        };
        let arrays = self.columns.arrays(batch)?.into_iter().zip(self.schema.fields()).map(convert);
        let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| SinkError::Parquet(error.into()))?;
        if let Some(writer) = &mut self.writer {
            writer.write(&batch)?;
            // The writer counts what it wrote, so that taking the finished bytes out does not move its offsets.
            out.append(writer.inner_mut());
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), SinkError> {
        if let Some(writer) = self.writer.take() {
            out.append(&mut writer.into_inner()?);
        }
        Ok(())
    }
}
