//! Rows in an order: DataFusion sorts, and spills where its memory ends. Where the order begins with time, files
//! that share no time are sorted apart, so that a year takes no more memory than its busiest stretch.
//!
//! The rows come from our own reader, which forgets a file once it is read. A scan of the engine keeps statistics of each
//! column, counters and the footer of every file until it ends: 36 KiB a file, 200 MiB for a year.

use super::scan::{CutFile, FileReader, Sender, conform, dictionary_type, read_ahead};
use super::view::TableView;
use super::{BatchStream, Engine, QueryError, Scan, TextForm};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::ident;
use futures::TryStreamExt;
use std::sync::Arc;

impl Engine {
    /// The rows of `files` in the order of `scan`, with the columns of `reader`.
    pub(super) fn ordered(
        &self,
        scan: &Scan,
        table: &Arc<TableView>,
        files: Vec<CutFile>,
        reader: FileReader,
    ) -> Result<BatchStream, QueryError> {
        let by_time = scan.order_by.first() == table.layout.table.time_field.as_ref();
        let unmoved = !table.unmoved.is_empty();
        let stretches = if by_time && !unmoved { stretches(table, files) } else { vec![files] };
        let schema = Arc::clone(&reader.schema);
        // What is only sorted by is read as well. Dictionaries would differ from batch to batch.
        let mut fields = schema.fields().to_vec();
        for name in &scan.order_by {
            if !fields.iter().any(|field| field.name() == name) {
                fields.push(Arc::new(table.layout.schema.field_with_name(name)?.clone()));
            }
        }
        let reader = reader.plain(Arc::new(Schema::new(fields)));
        let sort = Sort { engine: self.clone(), scan: scan.clone(), unmoved: table.unmoved.clone(), reader, schema };
        Ok(read_ahead(move |sender| sort.run(stretches, sender)))
    }
}

/// Share of the memory that is kept for merging what was sorted, as numerator and denominator. Merging looks at rows as comparable
/// bytes, which take several times the room of a narrow row's columns: a key of four bytes becomes a text of forty. It is
/// the query's only sort, so nothing else wants the memory.
const MERGE_SHARE: (usize, usize) = (3, 4);

struct Sort {
    engine: Engine,
    scan: Scan,
    unmoved: Vec<RecordBatch>,
    reader: FileReader,
    /// The columns wanted, which the reader may have more of.
    schema: SchemaRef,
}

/// Rows as they are read, for the engine to sort.
#[derive(Debug)]
struct Unsorted {
    reader: FileReader,
    files: Vec<CutFile>,
    unmoved: Vec<RecordBatch>,
}

impl PartitionStream for Unsorted {
    fn schema(&self) -> &SchemaRef {
        &self.reader.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self.reader.clone().stream(self.files.clone(), self.unmoved.clone());
        let rows = rows.map_err(|error| DataFusionError::External(Box::new(error)));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.reader.schema), rows))
    }
}

impl Sort {
    async fn run(self, stretches: Vec<Vec<CutFile>>, sender: Sender) -> Result<(), QueryError> {
        let target = match self.scan.text {
            TextForm::Plain => Arc::clone(&self.schema),
            TextForm::AsStored => with_dictionaries(&self.schema),
        };
        for files in stretches {
            // One thread: rows that the order leaves equal then come in the same sequence every time.
            let session = self.engine.session(Vec::new(), 1, self.scan.batch_rows);
            let memory = self.engine.limits.memory_bytes;
            session.state_ref().write().config_mut().options_mut().execution.sort_spill_reservation_bytes =
                memory / MERGE_SHARE.1 * MERGE_SHARE.0;
            let unsorted = Unsorted { reader: self.reader.clone(), files, unmoved: self.unmoved.clone() };
            let table = StreamingTable::try_new(Arc::clone(&self.reader.schema), vec![Arc::new(unsorted)])?;
            let rows = session.read_table(Arc::new(table))?;
            let order = self.scan.order_by.iter().map(|name| ident(name).sort(true, false)).collect();
            let columns: Vec<_> = self.schema.fields().iter().map(|field| ident(field.name())).collect();
            let mut batches = rows.sort(order)?.select(columns)?.execute_stream().await?;
            while let Some(batch) = batches.try_next().await? {
                for part in parts(&batch, self.scan.batch_rows.max(1)) {
                    if sender.send(Ok(conform(&part, &target)?)).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }
}

/// `batch` in pieces of at most `rows`.
pub(super) fn parts(batch: &RecordBatch, rows: usize) -> impl Iterator<Item = RecordBatch> {
    (0..batch.num_rows()).step_by(rows).map(move |start| batch.slice(start, rows.min(batch.num_rows() - start)))
}

fn with_dictionaries(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 => Field::clone(field).with_data_type(dictionary_type()),
        _ => Field::clone(field),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// `files` in groups, in the order of time, so that all rows of a group are before all rows of the next.
fn stretches(table: &TableView, files: Vec<CutFile>) -> Vec<Vec<CutFile>> {
    let ranged: Option<Vec<_>> =
        files.iter().map(|file| table.time_range(&file.0).map(|range| (range, file.clone()))).collect();
    let Some(mut ranged) = ranged else { return vec![files] };
    ranged.sort_by_key(|(range, _)| *range);
    let mut groups: Vec<Vec<CutFile>> = Vec::new();
    let mut end = None;
    for ((first, last), file) in ranged {
        match groups.last_mut() {
            // A shared instant joins them: rows of one instant may have to be told apart by the next column.
            Some(group) if end.is_some_and(|end| first <= end) => group.push(file),
            _ => groups.push(vec![file]),
        }
        end = end.max(Some(last));
    }
    groups
}
