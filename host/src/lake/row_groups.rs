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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::core::schema::DataType;
    use arrow::array::{Array, AsArray, DictionaryArray, Int32Array, StringArray};
    use arrow::datatypes::{DataType as ArrowType, Int32Type, Schema};
    use bytes::Bytes;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use proptest::prelude::*;
    use std::sync::Arc;

    type Texts = Vec<Option<String>>;

    fn dictionary(texts: &[Option<String>]) -> ArrayRef {
        Arc::new(texts.iter().map(Option::as_deref).collect::<DictionaryArray<Int32Type>>())
    }

    /// Writes batches of one text column, and reads them back with another reader.
    fn round_trip(
        nullable: bool,
        row_group_rows: usize,
        batches: &[ArrayRef],
    ) -> Result<(Texts, ParquetMetaData), ParquetError> {
        let schema = Arc::new(Schema::new(vec![Field::new("word", ArrowType::Utf8, nullable)]));
        let settings = WriterSettings { row_group_rows, ..WriterSettings::default() };
        let batch = |array: &ArrayRef| {
            let field = Field::new("word", array.data_type().clone(), true);
            RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array.clone()]).unwrap()
        };
        let batches: Vec<_> = batches.iter().map(batch).collect();
        let properties = settings.properties(&[DataType::Utf8], batches.first().unwrap());
        let mut file = RowGroups::new(Vec::new(), schema, properties, settings)?;
        for batch in &batches {
            file.write(batch)?;
        }
        let metadata = file.finish()?;
        let bytes = Bytes::from(std::mem::take(file.sink_mut()));
        let mut texts = Vec::new();
        for batch in ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            texts.extend(batch.column(0).as_string::<i32>().iter().map(|text| text.map(str::to_owned)));
        }
        Ok((texts, metadata))
    }

    proptest! {
        #[test]
        fn rows_read_back_whatever_the_dictionaries_and_row_groups(
            batches in prop::collection::vec(
                prop::collection::vec(prop::option::weighted(0.8, "[a-cä]{0,2}"), 1..50), 1..6),
            plain in prop::collection::vec(any::<bool>(), 6),
            rows in 1_usize..80,
        ) {
            let arrays: Vec<_> = batches.iter().zip(&plain).map(|(texts, plain)| {
                if *plain { Arc::new(StringArray::from(texts.clone())) as ArrayRef } else { dictionary(texts) }
            }).collect();
            let (texts, metadata) = round_trip(true, rows, &arrays).unwrap();
            let expected = batches.concat();
            prop_assert_eq!(metadata.num_row_groups(), expected.len().div_ceil(rows));
            for (group, texts) in metadata.row_groups().iter().zip(expected.chunks(rows)) {
                let statistics = group.column(0).statistics().unwrap();
                let mut valid: Vec<_> = texts.iter().flatten().map(|text| text.as_bytes()).collect();
                valid.sort_unstable();
                prop_assert_eq!(statistics.min_bytes_opt(), valid.first().copied());
                prop_assert_eq!(statistics.max_bytes_opt(), valid.last().copied());
                prop_assert_eq!(statistics.null_count_opt(), Some((texts.len() - valid.len()) as u64));
            }
            prop_assert_eq!(texts, expected);
        }
    }

    #[test]
    fn a_row_group_ends_when_its_dictionary_is_large() {
        let texts: Texts = (0..150_000).map(|i| Some(format!("a text of some length {i:06}"))).collect();
        let batches: Vec<_> = texts.chunks(10_000).map(dictionary).collect();
        let (read, metadata) = round_trip(false, 1 << 20, &batches).unwrap();
        assert_eq!(read, texts);
        assert!(metadata.num_row_groups() >= 4, "{}", metadata.num_row_groups());
    }

    #[test]
    fn values_that_no_row_has_are_no_bounds() {
        let values = StringArray::from(vec!["a", "m", "z"]);
        let array = DictionaryArray::new(Int32Array::from(vec![Some(1), None, Some(1)]), Arc::new(values));
        let (texts, metadata) = round_trip(true, 10, &[Arc::new(array)]).unwrap();
        assert_eq!(texts, [Some("m".to_owned()), None, Some("m".to_owned())]);
        let statistics = metadata.row_group(0).column(0).statistics().unwrap();
        assert_eq!((statistics.min_bytes_opt(), statistics.max_bytes_opt()), (Some(&b"m"[..]), Some(&b"m"[..])));
    }

    #[test]
    fn a_null_where_none_is_allowed_is_an_error() {
        let error = round_trip(false, 10, &[dictionary(&[Some("a".into()), None])]).unwrap_err();
        assert!(error.to_string().contains("word has a null"), "{error}");
    }
}
