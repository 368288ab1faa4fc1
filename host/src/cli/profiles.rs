//! Export profiles on the command line: found by name or path, and told what came of them.

use super::output::{Output, bytes, grouped, table};
use super::shipped;
use crate::plugin;
use crate::sink::FileName;
use crate::sink::files::ProfiledFile;
use crate::sink::profile::Profile;

/// Files that are listed; --json lists all.
pub(super) const LISTED_FILES: usize = 40;

/// The profiles that are named.
pub(super) fn read(names: &[String]) -> anyhow::Result<Vec<Profile>> {
    let read = |name: &String| {
        let (text, origin) = shipped::text("profile", name, plugin::profiles())?;
        Ok(Profile::parse(&text, &origin)?)
    };
    names.iter().map(read).collect()
}

/// Whether more than one file may come of a profile.
pub(super) fn makes_many(profile: &Profile) -> bool {
    profile.file.iter().flat_map(FileName::columns).next().is_some()
}

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
