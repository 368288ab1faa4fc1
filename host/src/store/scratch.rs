//! Folders for what is needed only while some work lasts, and is gone when it ends, however it ends.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Those of this process. Only one process writes a data folder, so that whatever else has such a name was left by one that was
/// killed.
static LIVE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
/// Tells the folders of this process apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A folder that goes with this value.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// Makes a folder below `parent`, whose name begins with `kind`, and takes away those of this kind that killed processes left.
    ///
    /// # Errors
    /// The folder can't be made.
    pub fn create(parent: &Path, kind: &str) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        // Others want it absolute.
        let parent = fs::canonicalize(parent)?;
        let mut live = live();
        let left = fs::read_dir(&parent)?.flatten().map(|entry| entry.path());
        let of_kind = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.strip_prefix(kind).is_some_and(|rest| rest.starts_with('-'))
        };
        for path in left.filter(of_kind).filter(|path| !live.contains(path)) {
            if let Err(error) = fs::remove_dir_all(&path) {
                tracing::debug!(folder = %path.display(), %error, "what a killed process left stays");
            }
        }
        let folder = parent.join(format!("{kind}-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir_all(&folder)?;
        live.insert(folder.clone());
        Ok(Self { folder })
    }

    /// The folder, absolute.
    pub fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), %error, "what was needed for a while stays");
        }
        live().remove(&self.folder);
    }
}

fn live() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn two_at_once_leave_each_other_alone_and_what_was_killed_goes() {
        let parent = tempfile::tempdir().unwrap();
        fs::create_dir(parent.path().join("clean-left")).unwrap();
        fs::create_dir(parent.path().join("other-left")).unwrap();
        let first = Scratch::create(parent.path(), "clean").unwrap();
        fs::write(first.path().join("rows"), "1").unwrap();
        let second = Scratch::create(parent.path(), "clean").unwrap();
        assert_ne!(first.path(), second.path());
        assert!(first.path().join("rows").exists());
        let (gone, other) = (parent.path().join("clean-left"), parent.path().join("other-left"));
        assert!(!gone.exists() && other.exists());
        let path = first.path().to_owned();
        drop(first);
        assert!(!path.exists() && second.path().exists());
    }
}
