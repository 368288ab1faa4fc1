//! Where the rows of shards go: into files of the lake, or nowhere but into fingerprints.

use super::error::RunError;
use super::execute::Host;
use super::plan::Plan;
use super::shard::SegmentDone;
use crate::batch::{TableFingerprint, TableLayout};
use crate::core::id::RunId;
use crate::lake::{DataFile, LakeFiles, TableWriter, WriterSettings};
use crate::store::Segment;
use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use tokio::runtime::Handle;

/// Takes the rows of all shards, on their threads.
pub(super) trait Output: Sync {
    /// Begins segment `segment` of `partition`.
    fn begin(&self, partition: u32, segment: usize) -> Result<Box<dyn SegmentOutput + '_>, RunError>;
}

/// Takes what worker processes say of the rows that they made.
pub(super) trait Accept: Sync {
    /// Where a worker process writes the rows; none where they are only summed.
    fn destination(&self) -> Option<Destination>;

    /// Segment `segment` of `partition`, which a worker process has made and written into `files`.
    fn accept(&self, partition: u32, segment: usize, done: SegmentDone, files: FilesByTable) -> Result<(), RunError>;
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

/// Where the files of a run go, and how they are written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Destination {
    /// The lake's folder, absolute.
    pub(super) lake: PathBuf,
    pub(super) dataset: String,
    pub(super) run: RunId,
    pub(super) writer: WriterSettings,
}

impl Destination {
    fn stem(&self, partition: u32, segment: usize) -> String {
        format!("{}-p{partition:04}-s{segment:06}", self.run)
    }
}

/// The files of one segment while they are written.
pub(super) struct SegmentFiles {
    writers: Vec<(String, TableWriter)>,
}

impl SegmentFiles {
    pub(super) fn begin(
        (files, runtime): (&LakeFiles, &Handle),
        to: &Destination,
        layouts: &[TableLayout],
        (partition, segment): (u32, usize),
    ) -> Self {
        let stem = to.stem(partition, segment);
        let writer = |layout| TableWriter::new(files, runtime, layout, &to.dataset, &stem, to.writer.clone());
        Self { writers: layouts.iter().map(|layout| (layout.table.name.clone(), writer(layout))).collect() }
    }

    pub(super) fn write(&mut self, table: usize, rows: &RecordBatch) -> Result<(), RunError> {
        if let Some((_, writer)) = self.writers.get_mut(table) {
            writer.write(rows)?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<FilesByTable, RunError> {
        self.writers.into_iter().map(|(table, writer)| Ok((table, writer.finish()?))).collect()
    }
}

/// Rows become staged files of the lake, and finished segments records of the run.
pub(super) struct LakeOutput<'a> {
    host: &'a Host,
    plan: &'a Plan,
    destination: Destination,
}

impl<'a> LakeOutput<'a> {
    pub(super) fn new(host: &'a Host, plan: &'a Plan, run: &RunId) -> Self {
        let destination = Destination {
            lake: host.lake.files().root().to_owned(),
            dataset: plan.spec.spec().dataset.clone(),
            run: run.clone(),
            writer: host.writer.clone(),
        };
        Self { host, plan, destination }
    }

    /// Refuses what no worker of ours says: files of others, or other rows in them than were summed.
    fn check(&self, partition: u32, segment: usize, done: &SegmentDone, files: &FilesByTable) -> Result<(), RunError> {
        let Destination { dataset, .. } = &self.destination;
        let stem = self.destination.stem(partition, segment);
        let lies = |what: &str| Err(RunError::Worker { message: format!("it told of {what}") });
        if files.len() != self.plan.layouts.len() || done.fingerprints.len() != files.len() {
            return lies("other tables than the plan has");
        }
        for (layout, sum) in self.plan.layouts.iter().zip(&done.fingerprints) {
            let table = &layout.table.name;
            let files = files.get(table).map_or(&[][..], Vec::as_slice);
            let named = |(at, file): (usize, &DataFile)| file.path == format!("{dataset}/{table}/{stem}-{at}.parquet");
            if !files.iter().enumerate().all(named) {
                return lies("files that are not its own");
            }
            if files.iter().try_fold(0, |all: u64, file| all.checked_add(file.rows)) != Some(sum.rows) {
                return lies("files with other rows than it summed");
            }
        }
        Ok(())
    }

    fn record(&self, partition: u32, segment: usize, done: SegmentDone, files: &FilesByTable) -> Result<(), RunError> {
        let tables = self.plan.layouts.iter().map(|layout| layout.table.name.clone());
        let fingerprints: BTreeMap<String, TableFingerprint> = tables.zip(done.fingerprints).collect();
        let run = &self.destination.run;
        let unreadable = |error: serde_json::Error| RunError::Record { id: run.clone(), message: error.to_string() };
        let segment = Segment {
            run_id: run.clone(),
            partition,
            segment: u32::try_from(segment).unwrap_or(u32::MAX),
            window: done.window,
            state: done.state,
            rows: fingerprints.values().map(|table| table.rows).sum(),
            files: serde_json::to_value(files).map_err(unreadable)?,
            fingerprints: serde_json::to_value(&fingerprints).map_err(unreadable)?,
        };
        self.host.runtime.block_on(async {
            let mut tx = self.host.store.write().await?;
            tx.insert_segment(&segment).await?;
            tx.commit().await
        })?;
        Ok(())
    }
}

struct LakeSegment<'a> {
    output: &'a LakeOutput<'a>,
    partition: u32,
    segment: usize,
    files: SegmentFiles,
}

impl Output for LakeOutput<'_> {
    fn begin(&self, partition: u32, segment: usize) -> Result<Box<dyn SegmentOutput + '_>, RunError> {
        let place = (self.host.lake.files(), &self.host.runtime);
        let files = SegmentFiles::begin(place, &self.destination, &self.plan.layouts, (partition, segment));
        Ok(Box::new(LakeSegment { output: self, partition, segment, files }))
    }
}

impl Accept for LakeOutput<'_> {
    fn destination(&self) -> Option<Destination> {
        Some(self.destination.clone())
    }

    fn accept(&self, partition: u32, segment: usize, done: SegmentDone, files: FilesByTable) -> Result<(), RunError> {
        self.check(partition, segment, &done, &files)?;
        self.record(partition, segment, done, &files)
    }
}

impl SegmentOutput for LakeSegment<'_> {
    fn write(&mut self, table: usize, rows: &RecordBatch) -> Result<(), RunError> {
        self.files.write(table, rows)
    }

    fn finish(self: Box<Self>, done: SegmentDone) -> Result<(), RunError> {
        let Self { output, partition, segment, files } = *self;
        output.record(partition, segment, done, &files.finish()?)
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

    fn add(&self, segment: &[TableFingerprint]) {
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        totals.iter_mut().zip(segment).for_each(|(total, segment)| total.merge(segment));
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

impl Accept for FingerprintOutput {
    fn destination(&self) -> Option<Destination> {
        None
    }

    fn accept(
        &self,
        _partition: u32,
        _segment: usize,
        done: SegmentDone,
        _files: FilesByTable,
    ) -> Result<(), RunError> {
        self.add(&done.fingerprints);
        Ok(())
    }
}

impl SegmentOutput for &FingerprintOutput {
    fn write(&mut self, _table: usize, _rows: &RecordBatch) -> Result<(), RunError> {
        Ok(())
    }

    fn finish(self: Box<Self>, done: SegmentDone) -> Result<(), RunError> {
        self.add(&done.fingerprints);
        Ok(())
    }
}
