//! The lock that lets one process at a time write a data folder.

use super::StoreError;
use std::fs::{File, TryLockError};
use std::path::Path;

/// The file that is locked; its presence means nothing.
const LOCK_FILE: &str = "telemill.lock";

/// Held by the one process that writes a data folder; released when dropped or when the process ends, however it ends.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

impl DataDirLock {
    /// Whether anybody has ever locked the folder `data_dir`.
    pub fn was_taken(data_dir: &Path) -> bool {
        data_dir.join(LOCK_FILE).exists()
    }

    /// Makes the folder `data_dir` where it is missing, and locks it.
    ///
    /// # Errors
    /// Another process holds it, or the folder can't be used.
    pub fn acquire(data_dir: &Path) -> Result<Self, StoreError> {
        let path = data_dir.join(LOCK_FILE);
        let unusable = |source| StoreError::Folder { path: path.clone(), source };
        std::fs::create_dir_all(data_dir).map_err(|source| StoreError::Folder { path: data_dir.to_owned(), source })?;
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked(data_dir.to_owned())),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_told_which_folder_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("new/data");
        let first = DataDirLock::acquire(&data_dir).unwrap();
        let error = DataDirLock::acquire(&data_dir).unwrap_err().to_string();
        assert!(error.contains("new/data") && error.contains("--data-dir"), "{error}");
        drop(first);
        DataDirLock::acquire(&data_dir).unwrap();
    }

    #[test]
    fn a_folder_that_can_not_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = DataDirLock::acquire(&file.join("data")).unwrap_err().to_string();
        assert!(error.contains("file/data"), "{error}");
    }
}
