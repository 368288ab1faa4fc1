//! Rows of one table into Parquet files, on the thread that makes the rows.

use super::encoding::WriterSettings;
use super::row_groups::RowGroups;
use super::stats::{ColumnStats, DataFile};
use super::upload::Upload;
use super::{LakeError, LakeFiles};
use crate::batch::TableLayout;
use crate::core::schema::DataType;
use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float32Type, Float64Type, SchemaRef};
use arrow::record_batch::RecordBatch;
use tokio::runtime::Handle;

/// Writes rows of one table into files `<dataset>/<table>/<stem>-<n>.parquet`.
///
/// Nothing is visible before [`TableWriter::finish`], which gives all files their names; dropping leaves none.
/// Memory is bounded by the settings' row group, whatever the number of rows. To be used on a thread that runs no
/// async tasks.
pub struct TableWriter {
    files: LakeFiles,
    runtime: Handle,
    settings: WriterSettings,
    schema: SchemaRef,
    types: Vec<DataType>,
    prefix: String,
    open: Option<OpenFile>,
    complete: Vec<StagedFile>,
    rows: u64,
}

/// The file that rows go to.
struct OpenFile {
    path: String,
    writer: RowGroups<Upload>,
    nan: Vec<bool>,
    rows: u64,
}

/// A complete file that does not have its final name yet.
struct StagedFile {
    staged: String,
    file: DataFile,
}

impl TableWriter {
    /// A writer for rows of `layout` in `dataset`. The caller makes `stem` unique in the lake, or the same for the
    /// same rows: a file that has the name already is replaced.
    pub fn new(
        files: &LakeFiles,
        runtime: &Handle,
        layout: &TableLayout,
        dataset: &str,
        stem: &str,
        settings: WriterSettings,
    ) -> Self {
        Self {
            files: files.clone(),
            runtime: runtime.clone(),
            settings,
            schema: layout.schema.clone(),
            types: layout.table.fields.iter().map(|field| field.data_type).collect(),
            prefix: format!("{dataset}/{}/{stem}", layout.table.name),
            open: None,
            complete: Vec::new(),
            rows: 0,
        }
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes so far, those included that wait for their row group to be full.
    pub fn bytes(&self) -> u64 {
        let complete: u64 = self.complete.iter().map(|staged| staged.file.bytes).sum();
        complete + self.open.as_ref().map_or(0, OpenFile::bytes)
    }

    /// Writes rows; text may come as `Utf8` or as a dictionary of it.
    ///
    /// # Errors
    /// The rows do not have the table's columns, or the disk failed. The writer is of no use then.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let open = match self.open.take() {
            Some(open) => self.open.insert(open),
            None => {
                let open = self.begin(batch)?;
                self.open.insert(open)
            }
        };
        open.write(batch, &self.types)?;
        self.rows += batch.num_rows() as u64;
        if open.bytes() >= self.settings.file_bytes {
            self.complete_open()?;
        }
        Ok(())
    }

    /// Completes the files, syncs them and gives them their names. No file comes of no rows.
    ///
    /// # Errors
    /// The disk failed.
    pub fn finish(mut self) -> Result<Vec<DataFile>, LakeError> {
        self.complete_open()?;
        let moves = self.complete.iter().map(|staged| (staged.staged.as_str(), staged.file.path.as_str()));
        self.files.publish(moves)?;
        Ok(std::mem::take(&mut self.complete).into_iter().map(|staged| staged.file).collect())
    }

    fn begin(&self, sample: &RecordBatch) -> Result<OpenFile, LakeError> {
        let path = format!("{}-{}.parquet", self.prefix, self.complete.len());
        let upload = Upload::begin(&self.files, &self.runtime, LakeFiles::staging_path(&path))?;
        let properties = self.settings.properties(&self.types, sample);
        match RowGroups::new(upload, self.schema.clone(), properties, self.settings.clone()) {
            Ok(writer) => Ok(OpenFile { path, writer, nan: vec![false; self.types.len()], rows: 0 }),
            Err(source) => Err(LakeError::Parquet { path, source }),
        }
    }

    fn complete_open(&mut self) -> Result<(), LakeError> {
        let Some(OpenFile { path, mut writer, nan, rows }) = self.open.take() else { return Ok(()) };
        let metadata = match writer.finish() {
            Ok(metadata) => metadata,
            Err(source) => return Err(LakeError::Parquet { path, source }),
        };
        let upload = writer.sink_mut();
        upload.complete()?;
        let staged = LakeFiles::staging_path(&path);
        let (bytes, footer_bytes) = (upload.bytes(), upload.footer_bytes());
        let columns = ColumnStats::of_file(&metadata, &self.types, &nan);
        let file = DataFile { path, rows, bytes, footer_bytes, columns };
        // From here on, dropping removes the file.
        self.complete.push(StagedFile { staged: staged.clone(), file });
        self.files.sync(&staged)
    }
}

impl Drop for TableWriter {
    fn drop(&mut self) {
        for staged in &self.complete {
            self.files.discard(&staged.staged);
        }
    }
}

impl OpenFile {
    fn bytes(&self) -> u64 {
        self.writer.bytes() as u64
    }

    fn write(&mut self, batch: &RecordBatch, types: &[DataType]) -> Result<(), LakeError> {
        let failed = |source| LakeError::Parquet { path: self.path.clone(), source };
        self.writer.write(batch).map_err(failed)?;
        self.rows += batch.num_rows() as u64;
        for ((nan, column), data_type) in self.nan.iter_mut().zip(batch.columns()).zip(types) {
            *nan = *nan || has_nan(column.as_ref(), *data_type);
        }
        Ok(())
    }
}

/// Whether some valid value is NaN; Parquet's own statistics leave NaN out and do not say so.
fn has_nan(column: &dyn Array, data_type: DataType) -> bool {
    match data_type {
        DataType::Float32 => {
            let column = column.as_primitive_opt::<Float32Type>();
            column.is_some_and(|column| any_nan(column.nulls().is_none(), column.values(), column, |v| v.is_nan()))
        }
        DataType::Float64 => {
            let column = column.as_primitive_opt::<Float64Type>();
            column.is_some_and(|column| any_nan(column.nulls().is_none(), column.values(), column, |v| v.is_nan()))
        }
        _ => false,
    }
}

fn any_nan<T: Copy>(dense: bool, values: &[T], column: &dyn Array, is_nan: impl Fn(T) -> bool) -> bool {
    // A fold without an early end is a vector loop; the rare nulls are looked at only where there is something.
    let any = values.iter().fold(false, |any, value| any | is_nan(*value));
    any && (dense || values.iter().enumerate().any(|(row, value)| is_nan(*value) && column.is_valid(row)))
}
