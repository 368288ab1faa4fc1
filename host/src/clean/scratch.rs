//! Where the rows of a step wait for the next: a folder that is gone when the cleaning ends, however it ends.

use super::{CleanError, Selects};
use crate::query::Input;
use crate::sink::parquet::ParquetEncoder;
use crate::sink::{Columns, Encoder as _};
use crate::store;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

/// How the folders' names begin.
const KIND: &str = "clean";

/// The folder of one cleaning.
pub(super) struct Scratch {
    folder: store::Scratch,
    most_bytes: u64,
}

impl Scratch {
    /// Makes the folder below `parent`.
    pub(super) fn create(parent: &Path, most_bytes: u64) -> Result<Self, CleanError> {
        let failed = |source| CleanError::Scratch { path: parent.to_owned(), source };
        Ok(Self { folder: store::Scratch::create(parent, KIND).map_err(failed)?, most_bytes })
    }

    /// Writes the rows that step `index` makes of `input` by `select`, and returns them as what the next one works on.
    pub(super) fn keep(
        &self,
        selects: &Selects<'_>,
        index: usize,
        select: &str,
        input: &Input,
    ) -> Result<Input, CleanError> {
        let rows = selects.rows(select, input)?;
        let name = file_name(index);
        let path = self.folder.path().join(&name);
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
        for batch in rows.blocking_unless(selects.runtime.clone(), selects.cancel) {
            encoder.encode(&batch?, &mut buffer)?;
            write(&mut buffer)?;
        }
        encoder.finish(&mut buffer)?;
        write(&mut buffer)?;
        Ok(selects.engine.file_input(self.folder.path(), &name, schema)?)
    }

    /// Takes away what step `index` worked on.
    pub(super) fn forget(&self, index: usize) {
        if let Some(before) = index.checked_sub(1) {
            // The whole folder goes at the end anyway.
            let _ = fs::remove_file(self.folder.path().join(file_name(before)));
        }
    }
}

fn file_name(index: usize) -> String {
    format!("step-{index}.parquet")
}
