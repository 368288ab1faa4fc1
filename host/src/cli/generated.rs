//! The files that `telemill generate` writes: OpenSearch's documents, or files by profiles.

use super::profiles::warn_of_skipped;
use crate::batch::TableLayout;
use crate::sink::documents::{self, DocumentFiles, WrittenFile};
use crate::sink::estimate::Estimate;
use crate::sink::files::{ProfileFiles, ProfiledFile, Sequence};
use crate::sink::profile::{Profile, ProfileFormat};
use crate::sink::{Encoder as _, Format, ProfileEncoder, SinkError};
use anyhow::{Context as _, bail};
use arrow::record_batch::RecordBatch;
use serde::Serialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What made the files, beside them.
const CONFIG_FILE: &str = "config.json";

/// A file, as it is told.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    /// Its name below the folder.
    pub(super) name: String,
    /// Its rows.
    pub(super) rows: u64,
    /// Its size.
    pub(super) bytes: u64,
}

/// What becomes of the tables.
pub(super) struct Shape<'a> {
    tables: &'a [TableLayout],
    index: &'a str,
    /// Profiles with their tables' positions; none for OpenSearch.
    profiles: Option<Vec<(usize, Profile)>>,
}

/// The files, while they are written.
pub(super) enum Files {
    Documents(DocumentFiles),
    Profiles(PathBuf, Vec<(usize, ProfileFiles)>),
}

impl<'a> Shape<'a> {
    /// The shape of profiles, or without any of a format.
    pub(super) fn new(
        tables: &'a [TableLayout],
        format: Format,
        profiles: Vec<Profile>,
        index: &'a str,
    ) -> anyhow::Result<Self> {
        let whole = |format| tables.iter().map(|layout| Profile::whole(&layout.table, format)).enumerate().collect();
        let profiles = match format {
            _ if !profiles.is_empty() => Some(placed(tables, profiles)?),
            Format::Opensearch => None,
            Format::Csv => Some(whole(ProfileFormat::Csv)),
            Format::Ndjson => Some(whole(ProfileFormat::Ndjson)),
            Format::Parquet => Some(whole(ProfileFormat::Parquet)),
        };
        Ok(Self { tables, index, profiles })
    }

    /// Opens the files.
    pub(super) fn create(&self, folder: &Path) -> Result<Files, SinkError> {
        let Some(profiles) = &self.profiles else {
            return Ok(Files::Documents(DocumentFiles::create(folder, self.tables, self.index)?));
        };
        let open = profiles.iter().filter_map(|(position, profile)| {
            let layout = self.tables.get(*position)?;
            Some(ProfileFiles::create(folder, profile, layout, Sequence::Mixed).map(|files| (*position, files)))
        });
        Ok(Files::Profiles(folder.to_owned(), open.collect::<Result<_, _>>()?))
    }

    /// What rows of table `position` come to.
    pub(super) fn estimate(&self, position: usize, batch: &RecordBatch) -> Result<Estimate, SinkError> {
        let Some(profiles) = &self.profiles else {
            return documents::estimate(self.tables, position, batch, self.index);
        };
        let (mut estimate, mut buffer) = (Estimate::default(), Vec::new());
        for (_, profile) in profiles.iter().filter(|(table, _)| *table == position) {
            let Some(layout) = self.tables.get(position) else { continue };
            buffer.clear();
            let mut encoder = ProfileEncoder::new(profile, layout)?;
            encoder.encode(batch, &mut buffer)?;
            encoder.finish(&mut buffer)?;
            estimate = estimate + Estimate { rows: batch.num_rows() as u64, bytes: buffer.len() as u64 };
        }
        Ok(estimate)
    }
}

/// Each profile with the position of its table.
fn placed(tables: &[TableLayout], profiles: Vec<Profile>) -> anyhow::Result<Vec<(usize, Profile)>> {
    let place = |profile: Profile| {
        let Some(position) = tables.iter().position(|layout| layout.table.name == profile.table) else {
            let known: Vec<_> = tables.iter().map(|layout| layout.table.name.as_str()).collect();
            bail!("{}: the scenario makes no table {:?}; it makes {}", profile.origin, profile.table, known.join(", "));
        };
        Ok((position, profile))
    };
    profiles.into_iter().map(place).collect()
}

impl Files {
    /// Writes rows of table `position`.
    pub(super) fn write(&mut self, position: usize, batch: &RecordBatch) -> Result<(), SinkError> {
        match self {
            Self::Documents(files) => files.write(position, batch),
            Self::Profiles(_, files) => {
                files.iter_mut().filter(|(table, _)| *table == position).try_for_each(|(_, files)| files.write(batch))
            }
        }
    }

    /// Completes the files, with `config` beside them.
    pub(super) fn finish(self, config: &Value) -> anyhow::Result<Vec<Listed>> {
        match self {
            Self::Documents(files) => Ok(Listed::documents(files.finish(config)?)),
            Self::Profiles(folder, files) => {
                let mut written = Vec::new();
                for (_, mut files) in files {
                    files.stand_beside(&written);
                    written.append(&mut files.finish()?);
                }
                let list = |file: ProfiledFile| {
                    let name = file.file.strip_prefix(&folder).unwrap_or(&file.file).display().to_string();
                    warn_of_skipped(&name, file.skipped);
                    Listed { name, rows: file.rows, bytes: file.bytes }
                };
                let mut listed: Vec<_> = written.into_iter().map(list).collect();
                let (path, text) = (folder.join(CONFIG_FILE), format!("{config:#}\n"));
                std::fs::write(&path, &text).with_context(|| format!("can't write {}", path.display()))?;
                listed.push(Listed { name: CONFIG_FILE.to_owned(), rows: 0, bytes: text.len() as u64 });
                Ok(listed)
            }
        }
    }
}

impl Listed {
    pub(super) fn documents(written: Vec<WrittenFile>) -> Vec<Self> {
        written.into_iter().map(|WrittenFile { name, rows, bytes }| Self { name, rows, bytes }).collect()
    }
}
