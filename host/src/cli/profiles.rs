//! What is said of the files of an export.

use super::output::{Output, bytes, grouped, table};
use crate::sink::files::ProfiledFile;

/// Files that are listed; --json lists all.
pub(super) const LISTED_FILES: usize = 40;

/// Says what was written.
pub(super) fn tell(out: &Output, written: &[ProfiledFile]) -> anyhow::Result<()> {
    for file in written {
        warn_of_skipped(&file.file.display().to_string(), file.skipped);
    }
    out.print(&written, |out| {
        let row = |file: &ProfiledFile| vec![file.file.display().to_string(), grouped(file.rows), bytes(file.bytes)];
        let rows: Vec<_> = written.iter().take(LISTED_FILES).map(row).collect();
        table(out, &["file", "rows", "size"], &rows)?;
        match written.len().checked_sub(LISTED_FILES) {
            Some(more) if more > 0 => writeln!(out, "and {more} files more; --json lists all"),
            _ => Ok(()),
        }
    })
}

/// Says that rows were left out.
pub(super) fn warn_of_skipped(what: &str, skipped: u64) {
    if skipped > 0 {
        tracing::warn!("{what}: {} rows without a field were left out, for a point needs one", grouped(skipped));
    }
}
