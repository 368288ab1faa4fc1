//! Users' files into the lake: all of them or none.

use super::name::FileName;
use super::samples::{self, Origin};
use super::stats::known_files;
use super::{Problems, SAMPLES, UserDataError, table};
use crate::batch::TableLayout;
use crate::core::digest::Digest;
use crate::core::id;
use crate::core::time::Timestamp;
use crate::ingest::{self, IngestError};
use crate::lake::{Commit, Mode, TableFiles, TableWriter};
use crate::run::Host;
use arrow::record_batch::RecordBatch;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::{Path, PathBuf};

/// What was taken in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Imported {
    /// Files.
    pub files: u64,
    /// Their samples.
    pub samples: u64,
    /// Files that were there already, with the same content.
    pub known: u64,
}

/// Takes in the files that end in `.csv` of the folder `dir`, in one commit, into the samples of `dataset`. A file that is there
/// already is passed over. To be called on a thread that runs no async tasks.
///
/// # Errors
/// Names, rows or changed files that can't be taken in (all files are looked at, the first problems are listed), and failures of
/// reading and writing. The lake is as it was then.
pub fn import(host: &Host, dataset: &str, dir: &Path, at: Timestamp) -> Result<Imported, UserDataError> {
    id::check_identifier("dataset", dataset).map_err(IngestError::from)?;
    let known = known_files(host, dataset, SAMPLES)?;
    let layout = TableLayout::new(table(SAMPLES));
    let file_table = samples::file_table();
    let stem = format!("import-{:016x}-{:08x}", at.0, std::process::id());
    let mut writer = TableWriter::new(host.lake.files(), &host.runtime, &layout, dataset, &stem, host.writer.clone());
    let (mut imported, mut problems) = (Imported::default(), Problems::default());
    for path in files_in(dir)? {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = match FileName::parse(&file) {
            Ok(name) => name,
            Err(message) => {
                problems.add(file, message);
                continue;
            }
        };
        let digest = File::open(&path).and_then(Digest::of_reader);
        let digest = digest.map_err(|source| UserDataError::Io { path: path.clone(), source })?.to_string();
        match known.get(&file) {
            Some(old) if *old == digest => {
                imported.known += 1;
                continue;
            }
            Some(_) => {
                problems.add(file, "a file of this name was imported before, with other content; give it another name");
                continue;
            }
            None => {}
        }
        let origin = Origin { place: &file, file: &file, digest: &digest, name: &name, at };
        let mut samples = 0;
        let mut emit = |batch: RecordBatch, lines: &[u64]| {
            writer.write(&samples::rows(&batch, lines, &origin, &layout, &mut problems)?)?;
            samples += batch.num_rows();
            Ok(())
        };
        match ingest::each(&path, &file_table, &mut emit) {
            Ok(()) if samples == 0 => problems.add_empty(&file),
            Ok(()) => {}
            Err(error) => problems.add_of(&file, error)?,
        }
        imported.files += 1;
    }
    problems.check()?;
    imported.samples = writer.rows();
    let files = writer.finish()?;
    if imported.files > 0 {
        let tables = vec![TableFiles { table: layout.table, files, replace: false }];
        commit(host, dataset, tables, at, format!("imported {} users' files", imported.files))?;
    }
    Ok(imported)
}

/// One commit of `tables` to what is there.
pub(super) fn commit(
    host: &Host,
    dataset: &str,
    tables: Vec<TableFiles>,
    at: Timestamp,
    message: String,
) -> Result<(), UserDataError> {
    let dataset = dataset.to_owned();
    let author = "telemill user-data".to_owned();
    let commit = Commit { dataset, mode: Mode::Append, tables, at, author, message, extra: None };
    host.runtime.block_on(async {
        let mut tx = host.store.write().await?;
        host.lake.commit(&mut tx, &commit).await?;
        tx.commit().await?;
        Ok(())
    })
}

/// The files of a folder that end in `.csv`, by name.
///
/// # Errors
/// There is none, or the folder can't be read.
pub fn files_in(dir: &Path) -> Result<Vec<PathBuf>, UserDataError> {
    let io = |source| UserDataError::Io { path: dir.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.is_file() && path.extension().is_some_and(|extension| extension == "csv") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() { Err(UserDataError::NoFiles(dir.to_owned())) } else { Ok(files) }
}
