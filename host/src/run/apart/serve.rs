//! The worker's side of a shard that is made to its end: an engine of its own, the same loop over segments and windows
//! as on a thread, and files of the lake under their final names.

use super::begin::{Begun, telling};
use super::broken;
use super::job::{Failure, Job, Word};
use crate::batch::TableLayout;
use crate::core::cancel::Cancel;
use crate::core::time::Window;
use crate::lake::LakeFiles;
use crate::run::error::RunError;
use crate::run::output::{Destination, Output, SegmentFiles, SegmentOutput};
use crate::run::shard::{Making, Observer, Progress, SegmentDone, Watch};
use crate::worker::{Frame, Link};
use arrow::array::RecordBatch;
use std::io;
use std::sync::Arc;
use tokio::runtime::{Builder, Handle};

/// Makes the shard that `job` asks for.
///
/// # Errors
/// No job of this kind, or nobody to answer to.
pub fn serve(link: Link, job: Frame) -> io::Result<()> {
    let link = Arc::new(link);
    match make(&link, job) {
        Ok(()) => Ok(()),
        Err(RunError::Shard { window, source, .. }) => link.say(&failed(window, &source), Vec::new()),
        Err(error) => link.say(&failed(None, &error), Vec::new()),
    }
}

fn failed(window: Option<Window>, error: &RunError) -> Word {
    Word::Failed { window, failure: Failure::from(error) }
}

fn make(link: &Arc<Link>, frame: Frame) -> Result<(), RunError> {
    let job: Job = frame.head().map_err(broken)?;
    let layouts: Vec<_> = job.tables.into_iter().map(TableLayout::new).collect();
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(broken)?;
    let destination = match job.destination {
        Some(to) => Some((LakeFiles::open(&to.lake)?, to)),
        None => None,
    };
    let output = PipeOutput { link, layouts: &layouts, runtime: runtime.handle(), destination };
    let mut begun = Begun::new(job.opening, frame.blobs, telling(link, Word::Line))?;
    let (observer, cancel) = (PipeObserver(link), Cancel::default());
    let before = Progress { segments: job.kept, state: begun.state.take() };
    let making =
        Making { beginning: begun.beginning(), segments: job.segments, step_us: job.step_us, layouts: &layouts };
    making.run(begun.shard, before, &output, &Watch::new(&observer, &cancel))
}

/// Tells the run how far this shard is.
struct PipeObserver<'a>(&'a Link);

impl Observer for PipeObserver<'_> {
    fn progress(&self, us: u64, rows: u64) {
        // Whoever does not listen any more ends this process.
        drop(self.0.say(&Word::Progress { us, rows }, Vec::new()));
    }
}

/// Rows become files, and finished segments words.
struct PipeOutput<'a> {
    link: &'a Link,
    layouts: &'a [TableLayout],
    runtime: &'a Handle,
    destination: Option<(LakeFiles, Destination)>,
}

struct PipeSegment<'a> {
    link: &'a Link,
    segment: usize,
    files: Option<SegmentFiles>,
}

impl Output for PipeOutput<'_> {
    fn begin(&self, partition: u32, segment: usize) -> Result<Box<dyn SegmentOutput + '_>, RunError> {
        let files = self
            .destination
            .as_ref()
            .map(|(files, to)| SegmentFiles::begin((files, self.runtime), to, self.layouts, (partition, segment)));
        Ok(Box::new(PipeSegment { link: self.link, segment, files }))
    }
}

impl SegmentOutput for PipeSegment<'_> {
    fn write(&mut self, table: usize, rows: &RecordBatch) -> Result<(), RunError> {
        self.files.as_mut().map_or(Ok(()), |files| files.write(table, rows))
    }

    fn finish(self: Box<Self>, done: SegmentDone) -> Result<(), RunError> {
        let files = self.files.map(SegmentFiles::finish).transpose()?.unwrap_or_default();
        let SegmentDone { window, state, fingerprints } = done;
        let word = Word::Segment { segment: self.segment, window, saved: state.is_some(), fingerprints, files };
        self.link.say(&word, state.into_iter().collect()).map_err(broken)
    }
}
