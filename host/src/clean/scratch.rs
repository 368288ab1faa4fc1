//! Where the rows of a step wait for the next: a folder that is gone when the cleaning ends, however it ends.

use super::CleanError;
use crate::query::{Engine, Input, Rows};
use crate::sink::parquet::ParquetEncoder;
use crate::sink::{Columns, Encoder as _};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use tokio::runtime::Handle;

/// How the folders' names begin. Only one process writes a data folder, so that whatever else has such a name was left
/// by one that was killed.
const PREFIX: &str = "clean-";

/// The folder of one cleaning.
pub(super) struct Scratch {
    folder: PathBuf,
    most_bytes: u64,
}

impl Scratch {
    /// Makes the folder below `parent`, and takes away those that killed processes left.
    pub(super) fn create(parent: &Path, most_bytes: u64) -> Result<Self, CleanError> {
        let left = fs::read_dir(parent).into_iter().flatten().flatten();
        for entry in left.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
            if let Err(error) = fs::remove_dir_all(entry.path()) {
                tracing::debug!(folder = %entry.path().display(), %error, "rows of a cleaning that was killed stay");
            }
        }
        let folder = parent.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|source| CleanError::Scratch { path: folder.clone(), source })?;
        // The query engine wants it absolute.
        let folder =
            fs::canonicalize(&folder).map_err(|source| CleanError::Scratch { path: folder.clone(), source })?;
        Ok(Self { folder, most_bytes })
    }

    /// Writes the rows that step `index` made, and returns them as what the next one works on.
    pub(super) fn keep(
        &self,
        engine: &Engine,
        runtime: &Handle,
        index: usize,
        rows: Rows,
    ) -> Result<Input, CleanError> {
        let name = file_name(index);
        let path = self.folder.join(&name);
        let failed = |source| CleanError::Scratch { path: path.clone(), source };
        let schema = std::sync::Arc::clone(&rows.schema);
        let mut encoder = ParquetEncoder::new(&schema, Columns::all(&schema))?;
        let mut file = File::create(&path).map_err(failed)?;
        let (mut buffer, mut bytes) = (Vec::new(), 0_u64);
        let mut write = |buffer: &mut Vec<u8>| {
            bytes += buffer.len() as u64;
            if bytes > self.most_bytes {
                return Err(CleanError::TooLarge { limit: self.most_bytes });
            }
            file.write_all(buffer).map_err(failed)?;
            buffer.clear();
            Ok(())
        };
        for batch in rows.blocking(runtime.clone()) {
            encoder.encode(&batch?, &mut buffer)?;
            write(&mut buffer)?;
        }
        encoder.finish(&mut buffer)?;
        write(&mut buffer)?;
        Ok(engine.file_input(&self.folder, &name, schema)?)
    }

    /// Takes away what step `index` worked on.
    pub(super) fn forget(&self, index: usize) {
        if let Some(before) = index.checked_sub(1) {
            // The whole folder goes at the end anyway.
            let _ = fs::remove_file(self.folder.join(file_name(before)));
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), %error, "the rows of the steps stay");
        }
    }
}

fn file_name(index: usize) -> String {
    format!("step-{index}.parquet")
}
