//! A Parquet file as its row groups: which writer each column gets, and when a row group is full.

use super::dictionary::{self, DictionaryChunk};
use super::encoding::WriterSettings;
use arrow::array::ArrayRef;
use arrow::datatypes::{Field, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_writer::{
    ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriter, ArrowWriterOptions, compute_leaves,
};
use parquet::basic::ZstdLevel;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use std::io::Write;

/// A Parquet file that is being written.
pub(super) struct RowGroups<W: Write + Send> {
    file: SerializedFileWriter<W>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    settings: WriterSettings,
    open: Option<RowGroup>,
}

struct RowGroup {
    columns: Vec<Column>,
    rows: usize,
}

enum Column {
    /// Repeated text, by its keys.
    Dictionary(Box<DictionaryChunk>),
    /// Everything else.
    Plain(Box<ArrowColumnWriter>),
}

impl<W: Write + Send> RowGroups<W> {
    /// A file of `schema` that goes to `sink`.
    pub(super) fn new(
        sink: W,
        schema: SchemaRef,
        properties: WriterProperties,
        settings: WriterSettings,
    ) -> Result<Self, ParquetError> {
        // The Arrow schema says nothing that Parquet's own does not.
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(sink, schema.clone(), options)?;
        let (file, factory) = writer.into_serialized_writer()?;
        Ok(Self { file, factory, schema, settings, open: None })
    }

    /// Bytes so far, those of the open row group counted as they lie in memory.
    pub(super) fn bytes(&self) -> usize {
        self.file.bytes_written() + self.open.as_ref().map_or(0, RowGroup::bytes)
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        if batch.num_columns() != self.schema.fields().len() {
            let (found, expected) = (batch.num_columns(), self.schema.fields().len());
            return Err(ParquetError::General(format!("a batch has {found} columns where {expected} are written")));
        }
        let mut start = 0;
        while start < batch.num_rows() {
            let mut group = match self.open.take() {
                Some(group) => group,
                None => self.begin(batch)?,
            };
            let room = self.settings.row_group_rows.max(1).saturating_sub(group.rows).max(1);
            let piece = batch.slice(start, room.min(batch.num_rows() - start));
            start += piece.num_rows();
            group.write(&piece, &self.schema)?;
            let group = self.open.insert(group);
            let full = group.rows >= self.settings.row_group_rows
                || group.bytes() >= self.settings.row_group_bytes
                || group.columns.iter().any(Column::is_full);
            if full {
                self.close_group()?;
            }
        }
        Ok(())
    }

    /// Writes the last row group and the footer.
    pub(super) fn finish(&mut self) -> Result<ParquetMetaData, ParquetError> {
        self.close_group()?;
        self.file.finish()
    }

    /// Where the bytes go.
    pub(super) fn sink_mut(&mut self) -> &mut W {
        self.file.inner_mut()
    }

    /// A row group for rows like those of `sample`.
    fn begin(&self, sample: &RecordBatch) -> Result<RowGroup, ParquetError> {
        let level = ZstdLevel::try_new(self.settings.zstd_level).unwrap_or_default();
        let plain = self.factory.create_column_writers(self.file.flushed_row_groups().len())?;
        let columns = plain.into_iter().zip(sample.columns()).enumerate().map(|(index, (plain, column))| {
            if dictionary::fits(column.as_ref()) {
                let descriptor = self.file.schema_descr().column(index);
                Column::Dictionary(Box::new(DictionaryChunk::new(descriptor, level)))
            } else {
                Column::Plain(Box::new(plain))
            }
        });
        Ok(RowGroup { columns: columns.collect(), rows: 0 })
    }

    fn close_group(&mut self) -> Result<(), ParquetError> {
        let Some(group) = self.open.take() else { return Ok(()) };
        let mut writer = self.file.next_row_group()?;
        for column in group.columns {
            match column {
                Column::Plain(column) => column.close()?.append_to_row_group(&mut writer)?,
                Column::Dictionary(column) => {
                    let (bytes, close) = column.close()?;
                    writer.append_column(&bytes, close)?;
                }
            }
        }
        writer.close().map(drop)
    }
}

impl RowGroup {
    fn write(&mut self, rows: &RecordBatch, schema: &SchemaRef) -> Result<(), ParquetError> {
        for ((column, field), values) in self.columns.iter_mut().zip(schema.fields()).zip(rows.columns()) {
            column.write(field, values)?;
        }
        self.rows += rows.num_rows();
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.columns.iter().map(Column::bytes).sum()
    }
}

impl Column {
    fn write(&mut self, field: &Field, values: &ArrayRef) -> Result<(), ParquetError> {
        match self {
            Self::Dictionary(column) => column.write(values),
            Self::Plain(column) => compute_leaves(field, values)?.iter().try_for_each(|leaf| column.write(leaf)),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Dictionary(column) => column.bytes(),
            Self::Plain(column) => column.get_estimated_total_bytes(),
        }
    }

    fn is_full(&self) -> bool {
        matches!(self, Self::Dictionary(column) if column.is_full())
    }
}
