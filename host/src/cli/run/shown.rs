//! What is seen of a run while it is under way.

use crate::cli::output::Output;
use crate::cli::progress::RunProgress;
use crate::run::{Observer, ResolvedSpec};
use crate::store::RunRecord;
use std::sync::OnceLock;

/// Simulated time of a run, summed over its partitions.
pub(super) fn total_us(record: &RunRecord) -> u64 {
    spec_of(record).map_or(1, |spec| spec.window().length_us() * u64::from(spec.spec().partitions))
}

fn spec_of(record: &RunRecord) -> Option<ResolvedSpec> {
    serde_json::from_value(record.spec.clone()).ok()
}

/// Shows a run's beginning and its progress.
pub(super) struct Shown<'a> {
    out: &'a Output,
    bar: OnceLock<RunProgress>,
}

impl<'a> Shown<'a> {
    pub(super) fn new(out: &'a Output) -> Self {
        Self { out, bar: OnceLock::new() }
    }

    pub(super) fn over(out: &'a Output, total: u64) -> Self {
        let shown = Self::new(out);
        shown.bar.get_or_init(|| RunProgress::new(out, total));
        shown
    }

    pub(super) fn begin(&self, record: &RunRecord) {
        if let Some(spec) = spec_of(record) {
            let (seed, span) = (spec.seed(), spec.window());
            tracing::info!("run {} into {}: seed {seed}, {span}", record.id, record.dataset);
        }
        self.bar.get_or_init(|| RunProgress::new(self.out, total_us(record)));
    }

    pub(super) fn end(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish();
        }
    }
}

impl Observer for Shown<'_> {
    fn progress(&self, done_us: u64, rows: u64) {
        if let Some(bar) = self.bar.get() {
            bar.update(done_us, rows);
        }
    }
}
