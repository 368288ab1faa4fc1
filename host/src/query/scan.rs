//! Plain reading of a table: some columns, a window of time, file after file. This feeds validators and exports,
//! so it goes past the query engine, straight from Parquet's pages to Arrow.

use super::file::ObjectFile;
use super::ordered::parts;
use super::table::plain;
use super::view::{Cut, FileView, TableView};
use super::{BatchStream, Engine, QueryError, Rows};
use crate::batch::TableLayout;
use crate::core::time::Window;
use crate::lake::DataFile;
use arrow::array::{Array, ArrayRef, BooleanArray, TimestampMicrosecondArray, new_null_array};
use arrow::compute::kernels::cmp::{gt_eq, lt};
use arrow::compute::{and, cast, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use futures::TryStreamExt;
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, RowFilter};
use parquet::arrow::async_reader::ParquetRecordBatchStream;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::basic::Encoding;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Batches decoded ahead of the reader: enough that decoding and reading overlap, little enough to forget.
const READ_AHEAD_BATCHES: usize = 4;

/// Largest dictionary page, compressed, that is handed on as a dictionary: every batch carries its whole
/// dictionary, so a large one costs more than the text itself.
const MAX_DICTIONARY_BYTES: i64 = 64 << 10;

/// What to read of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The dataset.
    pub dataset: String,
    /// The table.
    pub table: String,
    /// The columns, in the order wanted; all of them where it is empty.
    pub columns: Vec<String>,
    /// Only rows whose time field is inside.
    pub window: Option<Window>,
    /// Only files whose names begin so: those of one run, by its id.
    pub files_of: Option<String>,
    /// Rows in the ascending order of these columns, missing values last; in the order of the files where it is
    /// empty.
    pub order_by: Vec<String>,
    /// The form of text columns.
    pub text: TextForm,
    /// Most rows of a batch.
    pub batch_rows: usize,
}

/// The form of text columns in batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextForm {
    /// Always `Utf8`.
    Plain,
    /// `Dictionary(Int32, Utf8)` where the file has a small dictionary, else `Utf8`.
    AsStored,
}

impl Scan {
    /// All rows and columns of `dataset.table`, in batches of 16,384 rows.
    pub fn new(dataset: impl Into<String>, table: impl Into<String>) -> Self {
        Self {
            dataset: dataset.into(),
            table: table.into(),
            columns: Vec::new(),
            window: None,
            files_of: None,
            order_by: Vec::new(),
            text: TextForm::Plain,
            batch_rows: 16_384,
        }
    }
}

impl Engine {
    /// The rows of `scan`. The schema is the table's, cut to the columns; with [`TextForm::AsStored`], a batch's
    /// text column may be a dictionary. Limits on time, rows and output do not apply, those on memory do.
    ///
    /// # Errors
    /// Unknown names, and a window over a table without a time field.
    pub async fn scan(&self, scan: &Scan) -> Result<Rows, QueryError> {
        let table = Arc::clone(self.dataset(&scan.dataset).await?.table(&scan.table)?);
        let columns = match scan.columns.as_slice() {
            [] => (0..table.layout.table.fields.len()).collect(),
            names => names.iter().map(|name| column_index(&table, name)).collect::<Result<Vec<_>, _>>()?,
        };
        for name in &scan.order_by {
            column_index(&table, name)?;
        }
        if scan.window.is_some() && table.layout.table.time_index().is_none() {
            return Err(QueryError::NoTimeField { dataset: scan.dataset.clone(), table: scan.table.clone() });
        }
        let schema = Arc::new(table.layout.schema.project(&columns)?);
        let files = table.files.iter().filter_map(|file| {
            let cut = scan.window.map_or(Cut::Inside, |window| table.cut(file, window));
            let named = |stem: &String| file.path.filename().is_some_and(|name| name.starts_with(stem.as_str()));
            let wanted = scan.files_of.as_ref().is_none_or(named);
            (wanted && cut != Cut::Outside && file.rows > 0).then(|| (Arc::clone(file), cut))
        });
        let files: Vec<_> = files.collect();
        let reader = FileReader {
            store: self.lake.files().objects(),
            time_column: table.layout.table.time_field.clone(),
            window: scan.window,
            schema: Arc::clone(&schema),
            text: scan.text,
            batch_rows: scan.batch_rows.max(1),
        };
        let stream = if scan.order_by.is_empty() {
            reader.stream(files, table.unmoved.clone())
        } else {
            self.ordered(scan, &table, files, reader)?
        };
        Ok(Rows::unlimited(schema, stream))
    }

    /// The columns at these places of rows of `layout`, from files that no snapshot has yet. To be called within the runtime.
    ///
    /// # Errors
    /// A column that is not there.
    pub fn scan_files(&self, layout: &TableLayout, files: &[DataFile], columns: &[usize]) -> Result<Rows, QueryError> {
        let schema = Arc::new(layout.schema.project(columns)?);
        let reader = FileReader {
            store: self.lake.files().objects(),
            time_column: None,
            window: None,
            schema: Arc::clone(&schema),
            text: TextForm::Plain,
            batch_rows: Scan::new("", "").batch_rows,
        };
        let files: Vec<_> = files.iter().map(|file| (Arc::new(FileView::unseen(file)), Cut::Inside)).collect();
        Ok(Rows::unlimited(schema, reader.stream(files, Vec::new())))
    }
}

fn column_index(table: &TableView, name: &str) -> Result<usize, QueryError> {
    table.layout.table.field_index(name).ok_or_else(|| QueryError::UnknownColumn {
        table: table.layout.table.name.clone(),
        column: name.to_owned(),
        known: table.layout.table.fields.iter().map(|field| field.name.clone()).collect(),
    })
}

/// Where a task puts its batches.
pub(super) type Sender = mpsc::Sender<Result<RecordBatch, QueryError>>;

/// Runs `produce` as a task of its own, a few batches ahead of the stream that it returns. Dropping the stream ends
/// the task where it next waits.
pub(super) fn read_ahead<F>(produce: impl FnOnce(Sender) -> F) -> BatchStream
where
    F: Future<Output = Result<(), QueryError>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(READ_AHEAD_BATCHES);
    let task = Task(tokio::spawn(produce(sender)));
    Box::pin(futures::stream::unfold((receiver, Some(task)), next_batch))
}

/// A task that ends with its handle.
struct Task(JoinHandle<Result<(), QueryError>>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

type ReadAhead = (mpsc::Receiver<Result<RecordBatch, QueryError>>, Option<Task>);

async fn next_batch((mut receiver, mut task): ReadAhead) -> Option<(Result<RecordBatch, QueryError>, ReadAhead)> {
    if let Some(batch) = receiver.recv().await {
        return Some((batch, (receiver, task)));
    }
    // The channel also closes where the task failed: its end must not look like the end of the rows.
    let ended = (&mut task.as_mut()?.0).await;
    match ended {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some((Err(error), (receiver, None))),
        Err(error) => Some((Err(QueryError::Failed(error.to_string())), (receiver, None))),
    }
}

/// Reads rows of a table straight from its files.
#[derive(Debug, Clone)]
pub(super) struct FileReader {
    store: Arc<dyn ObjectStore>,
    time_column: Option<String>,
    window: Option<Window>,
    /// The columns wanted.
    pub(super) schema: SchemaRef,
    text: TextForm,
    batch_rows: usize,
}

/// A file to be read, and how it lies to the window.
pub(super) type CutFile = (Arc<FileView>, Cut);

impl FileReader {
    /// The same for the columns of `schema`, with all text as it is declared.
    pub(super) fn plain(self, schema: SchemaRef) -> Self {
        Self { schema, text: TextForm::Plain, ..self }
    }

    /// The rows of `files`, one file after the other, and then those of `unmoved`.
    pub(super) fn stream(self, files: Vec<CutFile>, unmoved: Vec<RecordBatch>) -> BatchStream {
        read_ahead(move |sender| async move {
            if self.read_all(files, &sender).await? {
                self.read_unmoved(&unmoved, &sender).await?;
            }
            Ok(())
        })
    }

    /// Reads files one after the other; false where nobody wants more.
    async fn read_all(&self, files: Vec<CutFile>, sender: &Sender) -> Result<bool, QueryError> {
        for (file, cut) in files {
            let window = self.window.filter(|_| cut == Cut::Partly);
            let bad = |error: ParquetError| QueryError::file(&file.path, &error);
            let mut stream = self.open(&file, window).await.map_err(bad)?;
            while let Some(batch) = stream.try_next().await.map_err(bad)? {
                let batch = conform(&batch, &self.schema)?;
                if batch.num_rows() > 0 && sender.send(Ok(batch)).await.is_err() {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Hands on rows that are in no file.
    async fn read_unmoved(&self, unmoved: &[RecordBatch], sender: &Sender) -> Result<(), QueryError> {
        for batch in unmoved {
            let times = self.time_column.as_deref().and_then(|name| batch.column_by_name(name));
            let inside = self.window.zip(times).map(|(window, times)| is_inside(times, window)).transpose()?;
            let batch = inside.map_or(Ok(batch.clone()), |inside| filter_record_batch(batch, &inside))?;
            for part in parts(&batch, self.batch_rows) {
                let part = match self.text {
                    TextForm::AsStored => conform(&part, &self.schema)?,
                    TextForm::Plain => plain(&part, &self.schema)?,
                };
                if sender.send(Ok(part)).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn open(
        &self,
        file: &FileView,
        window: Option<Window>,
    ) -> Result<ParquetRecordBatchStream<ObjectFile>, ParquetError> {
        let mut reader = ObjectFile::new(Arc::clone(&self.store), file.path.clone(), file.bytes);
        let options = ArrowReaderOptions::new();
        let mut metadata = ArrowReaderMetadata::load_async(&mut reader, options.clone()).await?;
        if self.text == TextForm::AsStored
            && let Some(schema) = with_dictionaries(metadata.schema(), metadata.metadata())
        {
            metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options.with_schema(schema))?;
        }
        let wanted = self.schema.fields().iter().filter_map(|field| metadata.schema().index_of(field.name()).ok());
        let mask = ProjectionMask::roots(metadata.parquet_schema(), wanted);
        let time = self.time_column.as_deref().and_then(|name| metadata.schema().index_of(name).ok());
        let mut builder = ParquetRecordBatchStreamBuilder::new_with_metadata(reader, metadata)
            .with_projection(mask)
            .with_batch_size(self.batch_rows);
        if let (Some(window), Some(time)) = (window, time) {
            let groups = builder.metadata().row_groups().iter().enumerate();
            let groups = groups.filter(|(_, group)| may_hold(group, time, window)).map(|(index, _)| index).collect();
            let mask = ProjectionMask::roots(builder.parquet_schema(), [time]);
            let inside = ArrowPredicateFn::new(mask, move |batch| is_inside(batch.column(0), window));
            builder = builder.with_row_groups(groups).with_row_filter(RowFilter::new(vec![Box::new(inside)]));
        }
        builder.build()
    }
}

/// The file's schema with those text columns as dictionaries that are stored as small ones throughout.
fn with_dictionaries(schema: &SchemaRef, metadata: &ParquetMetaData) -> Option<SchemaRef> {
    let mut changed = false;
    let fields = schema.fields().iter().enumerate().map(|(index, field)| {
        let stored = |group: &RowGroupMetaData| group.columns().get(index).is_some_and(is_small_dictionary);
        if field.data_type() == &DataType::Utf8 && metadata.row_groups().iter().all(stored) {
            changed = true;
            Arc::new(field.as_ref().clone().with_data_type(dictionary_type()))
        } else {
            Arc::clone(field)
        }
    });
    let fields: Vec<_> = fields.collect();
    changed.then(|| Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())))
}

/// The type of text with a dictionary.
pub(super) fn dictionary_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn is_small_dictionary(column: &ColumnChunkMetaData) -> bool {
    let Some(start) = column.dictionary_page_offset() else { return false };
    let only_keys = column
        .page_encoding_stats_mask()
        .is_some_and(|pages| pages.is_only(Encoding::RLE_DICTIONARY) || pages.is_only(Encoding::PLAIN_DICTIONARY));
    only_keys && column.data_page_offset() - start <= MAX_DICTIONARY_BYTES
}

fn may_hold(group: &RowGroupMetaData, time: usize, window: Window) -> bool {
    match group.columns().get(time).and_then(|column| column.statistics()) {
        Some(Statistics::Int64(bounds)) => {
            bounds.max_opt().is_none_or(|last| *last >= window.start.0)
                && bounds.min_opt().is_none_or(|first| *first < window.end.0)
        }
        _ => true,
    }
}

fn is_inside(times: &ArrayRef, window: Window) -> Result<BooleanArray, ArrowError> {
    let bound = |us: i64| TimestampMicrosecondArray::new_scalar(us).into_inner().with_timezone("UTC");
    let (start, end) = (bound(window.start.0), bound(window.end.0));
    let after = gt_eq(times, &arrow::array::Scalar::new(&start))?;
    and(&after, &lt(times, &arrow::array::Scalar::new(&end))?)
}

/// `batch` with the columns of `schema`, in its order: what the file lacks is null, what has another type is cast,
/// and dictionaries stay.
pub(super) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let mut as_declared = true;
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
        Some(column) if column.data_type() == &dictionary_type() => {
            as_declared = false;
            Ok(Arc::clone(column))
        }
        Some(column) => cast(column, field.data_type()),
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let schema = if as_declared {
        Arc::clone(schema)
    } else {
        let fields = schema.fields().iter().zip(&columns);
        let fields = fields.map(|(field, column)| Field::clone(field).with_data_type(column.data_type().clone()));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    };
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema, columns, &rows)
}
