//! Where the rows of shards go: into files of the lake, or nowhere but into fingerprints.

use super::error::RunError;
use super::execute::Host;
use super::plan::Plan;
use super::shard::SegmentDone;
use crate::batch::TableFingerprint;
use crate::core::id::RunId;
use crate::lake::{DataFile, TableWriter};
use crate::store::Segment;
use arrow::array::RecordBatch;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Takes the rows of all shards, on their threads.
pub(super) trait Output: Sync {
    /// Begins segment `segment` of `partition`.
    fn begin(&self, partition: u32, segment: usize) -> Result<Box<dyn SegmentOutput + '_>, RunError>;
}

/// Takes the rows of one segment.
pub(super) trait SegmentOutput {
    /// Rows of the table with index `table`.
    fn write(&mut self, table: usize, rows: &RecordBatch) -> Result<(), RunError>;

    /// The segment is complete: from here on a resume keeps it.
    fn finish(self: Box<Self>, done: SegmentDone) -> Result<(), RunError>;
}

/// Files of a segment by table, as a record keeps them.
pub(super) type FilesByTable = BTreeMap<String, Vec<DataFile>>;

/// Rows become staged files of the lake, and finished segments records of the run.
pub(super) struct LakeOutput<'a> {
    pub(super) host: &'a Host,
    pub(super) plan: &'a Plan,
    pub(super) id: &'a RunId,
}

struct LakeSegment<'a> {
    output: &'a LakeOutput<'a>,
    partition: u32,
    segment: usize,
    writers: Vec<TableWriter>,
}

impl Output for LakeOutput<'_> {
    fn begin(&self, partition: u32, segment: usize) -> Result<Box<dyn SegmentOutput + '_>, RunError> {
        let stem = format!("{}-p{partition:04}-s{segment:06}", self.id);
        let dataset = &self.plan.spec.spec().dataset;
        let (files, runtime) = (self.host.lake.files(), &self.host.runtime);
        let writer = |layout| TableWriter::new(files, runtime, layout, dataset, &stem, self.host.writer.clone());
        let writers = self.plan.layouts.iter().map(writer).collect();
        Ok(Box::new(LakeSegment { output: self, partition, segment, writers }))
    }
}

impl SegmentOutput for LakeSegment<'_> {
    fn write(&mut self, table: usize, rows: &RecordBatch) -> Result<(), RunError> {
        if let Some(writer) = self.writers.get_mut(table) {
            writer.write(rows)?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>, done: SegmentDone) -> Result<(), RunError> {
        let LakeOutput { host, plan, id } = *self.output;
        let tables = plan.layouts.iter().map(|layout| layout.table.name.clone());
        let files = tables.clone().zip(self.writers).map(|(table, writer)| Ok((table, writer.finish()?)));
        let files: FilesByTable = files.collect::<Result<_, RunError>>()?;
        let fingerprints: BTreeMap<String, TableFingerprint> = tables.zip(done.fingerprints).collect();
        let unreadable = |error: serde_json::Error| RunError::Record { id: id.clone(), message: error.to_string() };
        let segment = Segment {
            run_id: id.clone(),
            partition: self.partition,
            segment: u32::try_from(self.segment).unwrap_or(u32::MAX),
            window: done.window,
            state: done.state,
            rows: fingerprints.values().map(|table| table.rows).sum(),
            files: serde_json::to_value(&files).map_err(unreadable)?,
            fingerprints: serde_json::to_value(&fingerprints).map_err(unreadable)?,
        };
        host.runtime.block_on(async {
            let mut tx = host.store.write().await?;
            tx.insert_segment(&segment).await?;
            tx.commit().await
        })?;
        Ok(())
    }
}

/// Rows are counted and summed, and then gone: for a verification.
pub(super) struct FingerprintOutput {
    totals: Mutex<Vec<TableFingerprint>>,
}

impl FingerprintOutput {
    pub(super) fn new(tables: usize) -> Self {
        Self { totals: Mutex::new(vec![TableFingerprint::default(); tables]) }
    }

    pub(super) fn totals(self) -> Vec<TableFingerprint> {
        self.totals.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Output for FingerprintOutput {
    fn begin(&self, _partition: u32, _segment: usize) -> Result<Box<dyn SegmentOutput + '_>, RunError> {
        Ok(Box::new(self))
    }
}

impl SegmentOutput for &FingerprintOutput {
    fn write(&mut self, _table: usize, _rows: &RecordBatch) -> Result<(), RunError> {
        Ok(())
    }

    fn finish(self: Box<Self>, done: SegmentDone) -> Result<(), RunError> {
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        totals.iter_mut().zip(&done.fingerprints).for_each(|(total, segment)| total.merge(segment));
        Ok(())
    }
}
