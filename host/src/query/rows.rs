//! Rows on their way out: streams of batches, held to the limits on time, rows and bytes. Dropping one cancels
//! its query.

use super::QueryError;
use crate::core::cancel::Cancel;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use futures::{Stream, StreamExt};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Sleep;

/// How often is looked whether to stop while a batch is made.
const LOOK: Duration = Duration::from_millis(100);

/// Batches as they come.
pub type BatchStream = Pin<Box<dyn Stream<Item = Result<RecordBatch, QueryError>> + Send>>;

/// The result of a query or a scan.
pub struct Rows {
    /// The columns. In a batch of a scan, a text column may be a dictionary of text instead of text.
    pub schema: SchemaRef,
    stream: BatchStream,
    truncated: Arc<AtomicBool>,
}

impl Rows {
    /// `stream` without limits.
    pub(super) fn unlimited(schema: SchemaRef, stream: BatchStream) -> Self {
        Self { schema, stream, truncated: Arc::default() }
    }

    /// `stream`, cut at `rows`, stopped with an error at the limits on time and bytes.
    pub(super) fn limited(schema: SchemaRef, stream: BatchStream, limits: &super::Limits, left: Duration) -> Self {
        let truncated = Arc::new(AtomicBool::new(false));
        let limited = Limited {
            stream: Some(stream),
            deadline: Box::pin(tokio::time::sleep(left)),
            time_ms: limits.time_ms,
            rows_left: limits.rows,
            bytes_left: limits.output_bytes,
            output_bytes: limits.output_bytes,
            truncated: Arc::clone(&truncated),
        };
        Self { schema, stream: Box::pin(limited), truncated }
    }

    /// Whether rows were left out because of the limit on rows; certain once the stream has ended.
    pub fn truncated(&self) -> bool {
        self.truncated.load(Ordering::Relaxed)
    }

    /// All batches.
    ///
    /// # Errors
    /// The first error of the stream.
    pub async fn collect(mut self) -> Result<Vec<RecordBatch>, QueryError> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await {
            batches.push(batch?);
        }
        Ok(batches)
    }

    /// The same rows, which end early when `done` is: for somebody who may stop listening.
    #[must_use]
    pub fn until(self, done: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { stream: Box::pin(self.stream.take_until(Box::pin(done))), ..self }
    }

    /// The batches for a thread outside of the runtime. Must not be used on a thread of the runtime itself.
    pub fn blocking(self, runtime: Handle) -> Blocking {
        Blocking { rows: self, runtime }
    }

    /// The same, which end with [`QueryError::Stopped`] soon after somebody set `cancel`, also where no batch has come yet.
    pub fn blocking_unless(
        self,
        runtime: Handle,
        cancel: &Cancel,
    ) -> impl Iterator<Item = Result<RecordBatch, QueryError>> {
        let mut rows = self;
        std::iter::from_fn(move || runtime.block_on(rows.next_unless(cancel)))
    }

    async fn next_unless(&mut self, cancel: &Cancel) -> Option<Result<RecordBatch, QueryError>> {
        loop {
            if cancel.is_cancelled() {
                return Some(Err(QueryError::Stopped));
            }
            if let Ok(batch) = tokio::time::timeout(LOOK, self.next()).await {
                return batch;
            }
        }
    }
}

impl Stream for Rows {
    type Item = Result<RecordBatch, QueryError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.as_mut().poll_next(cx)
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// Batches for a synchronous caller.
#[derive(Debug)]
pub struct Blocking {
    rows: Rows,
    runtime: Handle,
}

impl Blocking {
    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.rows.schema
    }

    /// Whether rows were left out because of the limit on rows; certain once the iterator has ended.
    pub fn truncated(&self) -> bool {
        self.rows.truncated()
    }
}

impl Iterator for Blocking {
    type Item = Result<RecordBatch, QueryError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.runtime.block_on(self.rows.next())
    }
}

struct Limited {
    /// None once it has ended, which also drops the query.
    stream: Option<BatchStream>,
    deadline: Pin<Box<Sleep>>,
    time_ms: u64,
    rows_left: u64,
    bytes_left: u64,
    output_bytes: u64,
    truncated: Arc<AtomicBool>,
}

impl Limited {
    fn admit(&mut self, batch: RecordBatch) -> Result<RecordBatch, QueryError> {
        let rows = batch.num_rows() as u64;
        let batch = if rows > self.rows_left {
            self.truncated.store(true, Ordering::Relaxed);
            self.stream = None;
            batch.slice(0, usize::try_from(self.rows_left).unwrap_or(usize::MAX))
        } else {
            batch
        };
        self.rows_left = self.rows_left.saturating_sub(rows);
        let bytes: u64 = batch.columns().iter().map(|column| sliced_bytes(column.as_ref())).sum();
        match self.bytes_left.checked_sub(bytes) {
            Some(left) => self.bytes_left = left,
            None => return Err(QueryError::TooLarge { limit_bytes: self.output_bytes }),
        }
        Ok(batch)
    }
}

/// Bytes that the rows of an array take, without those that a shared buffer holds for others.
fn sliced_bytes(array: &dyn arrow::array::Array) -> u64 {
    array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_array_memory_size()) as u64
}

impl Stream for Limited {
    type Item = Result<RecordBatch, QueryError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            let Some(stream) = this.stream.as_mut() else { return Poll::Ready(None) };
            if this.deadline.as_mut().poll(cx).is_ready() {
                this.stream = None;
                return Poll::Ready(Some(Err(QueryError::TimedOut { limit_ms: this.time_ms })));
            }
            let item = match stream.as_mut().poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => {
                    this.stream = None;
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(item)) => item,
            };
            let item = item.and_then(|batch| this.admit(batch));
            match &item {
                Ok(batch) if batch.num_rows() == 0 => continue,
                Ok(_) => {}
                Err(_) => this.stream = None,
            }
            return Poll::Ready(Some(item));
        }
    }
}
