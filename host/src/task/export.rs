//! Tables of the lake as files, or one of them as a stream of bytes.

use super::rows::{Batches, RowSource};
use super::{LakeRows, TaskError, from_text, profiles};
use crate::batch::TableLayout;
use crate::core::time::{Length, Timestamp, Window};
use crate::lake::Span;
use crate::query::{Scan, TextForm};
use crate::run::{Cancel, Host};
use crate::sink::files::{ProfileFiles, ProfiledFile, Sequence};
use crate::sink::profile::Profile;
use crate::sink::{self, Encoder, FileName, Format, ProfileEncoder};
use arrow::record_batch::RecordBatch;
use serde::Deserialize;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What goes out, and how. Either a format or profiles.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// The dataset, or `DATASET.TABLE`.
    pub source: String,
    /// The format.
    #[serde(default, deserialize_with = "from_text")]
    pub format: Option<Format>,
    /// Export profiles by path or name.
    #[serde(default)]
    pub profile: Vec<String>,
    /// Only rows from here on.
    #[serde(default)]
    pub from: Option<Timestamp>,
    /// Only rows before this.
    #[serde(default)]
    pub to: Option<Timestamp>,
    /// Only the span of this length that ends with the newest row.
    #[serde(default)]
    pub last: Option<Length>,
    /// Only these columns, in this order; all where there are none.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Sorted by the table's time.
    #[serde(default)]
    pub ordered: bool,
    /// The index that OpenSearch's action lines name; the table's name where it is left out.
    #[serde(default)]
    pub index: Option<String>,
    /// The folder of the files.
    #[serde(default)]
    pub output_dir: Option<PathBuf>,
}

/// What goes out.
struct Chosen<'a> {
    rows: &'a dyn RowSource,
    dataset: &'a str,
    window: Option<Window>,
    cancel: &'a Cancel,
    layouts: Vec<TableLayout>,
    profiles: Vec<Profile>,
}

impl Export {
    /// Looks for what can't go together.
    ///
    /// # Errors
    /// Neither format nor profile, or both.
    pub fn check(&self) -> Result<(), TaskError> {
        let bad = |message: &str| Err(TaskError::Request(message.to_owned()));
        match (self.format, self.profile.is_empty()) {
            (None, true) => bad("name a format (csv, ndjson, parquet or opensearch) or a profile"),
            (Some(_), false) => bad("name a format or profiles, not both: a profile has a format"),
            _ if !(self.profile.is_empty() || self.columns.is_empty() && self.index.is_none()) => {
                bad("columns and index belong to a format; a profile names its columns itself")
            }
            _ => Ok(()),
        }
    }

    /// Writes files, each of which gets its name when it is whole.
    ///
    /// # Errors
    /// A table or profile that is not there, rows that can't be read or written; or somebody set `cancel`.
    pub fn to_folder(&self, host: &Host, cancel: &Cancel) -> Result<Vec<ProfiledFile>, TaskError> {
        self.rows_to_folder(&LakeRows::of(host)?, cancel)
    }

    /// The same of rows from anywhere.
    ///
    /// # Errors
    /// As [`Export::to_folder`].
    pub fn rows_to_folder(&self, rows: &dyn RowSource, cancel: &Cancel) -> Result<Vec<ProfiledFile>, TaskError> {
        self.check()?;
        let source = self.chosen(rows, cancel)?;
        let Some(folder) = &self.output_dir else {
            let single = format!("{}.TABLE", source.dataset);
            let which = if self.format.is_some() { format!(", or a single table as {single}") } else { String::new() };
            return Err(TaskError::Request(format!("name a folder for the files (output_dir){which}")));
        };
        match self.format {
            Some(format) => {
                create(folder)?;
                source.layouts.iter().map(|layout| self.to_file(&source, layout, format, folder)).collect()
            }
            None => {
                let mut written = Vec::new();
                for profile in &source.profiles {
                    for layout in source.layouts.iter().filter(|layout| layout.table.name == profile.table) {
                        written.append(&mut self.by_profile(&source, layout, profile, folder, &written)?);
                    }
                }
                Ok(written)
            }
        }
    }

    /// Writes the one table, or the one profile's file, to `out`; gives the rows that the format has no words for, by table.
    ///
    /// # Errors
    /// More than one file would come of it, and as [`Export::to_folder`].
    pub fn to_writer(
        &self,
        rows: &dyn RowSource,
        cancel: &Cancel,
        out: &mut dyn Write,
    ) -> Result<Vec<(String, u64)>, TaskError> {
        self.check()?;
        let source = self.chosen(rows, cancel)?;
        let many = |message: String| Err(TaskError::Request(message));
        let mut skipped = Vec::new();
        for layout in &source.layouts {
            let encoder: Box<dyn Encoder> = match (self.format, source.profiles.as_slice()) {
                (Some(format), _) if self.source.contains('.') => self.encoder(format, layout)?,
                (Some(_), _) => {
                    let dataset = source.dataset;
                    return many(format!("name a folder with --output-dir, or a single table as {dataset}.TABLE"));
                }
                (None, [profile]) if !makes_many(profile) => Box::new(ProfileEncoder::new(profile, layout)?),
                (None, _) => return many("name a folder with --output-dir: several files come of this".to_owned()),
            };
            let (_, left_out) = self.write(&source, layout, encoder, out)?;
            skipped.push((layout.table.name.clone(), left_out));
        }
        Ok(skipped)
    }

    fn chosen<'a>(&'a self, rows: &'a dyn RowSource, cancel: &'a Cancel) -> Result<Chosen<'a>, TaskError> {
        let (dataset, only) = match self.source.split_once('.') {
            Some((dataset, table)) => (dataset, Some(table)),
            None => (self.source.as_str(), None),
        };
        let tables = rows.tables(dataset)?;
        let known: Vec<_> = tables.iter().map(|table| table.table.name.clone()).collect();
        let profiles = profiles(&self.profile)?;
        let wanted = |name: &String| {
            only.is_none_or(|only| name == only) && (profiles.is_empty() || profiles.iter().any(|p| p.table == *name))
        };
        let mut named = only.into_iter().chain(profiles.iter().map(|profile| profile.table.as_str()));
        if let Some(name) = named.find(|name| !known.iter().any(|known| known == name && wanted(known))) {
            let known = known.join(", ");
            return Err(TaskError::Request(format!("{dataset} has no table {name:?} to export; it has {known}")));
        }
        let chosen: Vec<_> = tables.into_iter().filter(|table| wanted(&table.table.name)).collect();
        let window =
            Span { from: self.from, to: self.to, last: self.last }.window(chosen.iter().map(|table| table.times));
        let layouts = chosen.into_iter().map(|table| TableLayout::new(table.table)).collect();
        Ok(Chosen { rows, dataset, window, cancel, layouts, profiles })
    }

    fn to_file(
        &self,
        source: &Chosen<'_>,
        layout: &TableLayout,
        format: Format,
        folder: &Path,
    ) -> Result<ProfiledFile, TaskError> {
        let name = &layout.table.name;
        let file = folder.join(format!("{name}.{}", format.extension()));
        let failed = |source| TaskError::File { path: file.clone(), source };
        let encoder = self.encoder(format, layout)?;
        let (rows, skipped) = sink::write_whole(&file, failed, |out| self.write(source, layout, encoder, out))?;
        let bytes = std::fs::metadata(&file).map_err(failed)?.len();
        Ok(ProfiledFile { table: name.clone(), file, rows, bytes, skipped })
    }

    /// The files of a profile, none of which may be one of `written`. Where its name tells files apart, the rows of one come after
    /// those of another, each in the order of time.
    fn by_profile(
        &self,
        source: &Chosen<'_>,
        layout: &TableLayout,
        profile: &Profile,
        folder: &Path,
        written: &[ProfiledFile],
    ) -> Result<Vec<ProfiledFile>, TaskError> {
        let mut files = ProfileFiles::create(folder, profile, layout, Sequence::FileByFile)?;
        files.stand_beside(written);
        let mut order: Vec<String> = profile.file.iter().flat_map(FileName::columns).map(str::to_owned).collect();
        if !order.is_empty() || self.ordered {
            order.extend(layout.table.time_field.clone());
        }
        for batch in source.rows(layout, order)? {
            files.write(&source.unless_stopped(batch)?)?;
        }
        Ok(files.finish()?)
    }

    /// Rows that were written, and those that were left out.
    fn write(
        &self,
        source: &Chosen<'_>,
        layout: &TableLayout,
        mut encoder: Box<dyn Encoder>,
        out: &mut dyn Write,
    ) -> Result<(u64, u64), TaskError> {
        let order = layout.table.time_field.iter().filter(|_| self.ordered).cloned().collect();
        let batches = source.rows(layout, order)?.map(|batch| source.unless_stopped(batch));
        let rows = sink::write_batches(encoder.as_mut(), batches, out, TaskError::Write)?;
        Ok((rows, encoder.skipped()))
    }

    fn encoder(&self, format: Format, layout: &TableLayout) -> Result<Box<dyn Encoder>, TaskError> {
        Ok(sink::encoder(format, layout, &self.columns, self.index.as_deref())?)
    }
}

impl Chosen<'_> {
    fn rows(&self, layout: &TableLayout, order_by: Vec<String>) -> Result<Batches<'_>, TaskError> {
        if self.window.is_some() && layout.table.time_field.is_none() {
            let (dataset, table) = (self.dataset, &layout.table.name);
            let message = format!("{dataset}.{table} has no time field, so that --from, --to and --last say nothing");
            return Err(TaskError::Request(message));
        }
        let scan = Scan {
            window: self.window,
            order_by,
            text: TextForm::AsStored,
            ..Scan::new(self.dataset, &layout.table.name)
        };
        self.rows.rows(&scan)
    }

    fn unless_stopped(&self, batch: Result<RecordBatch, TaskError>) -> Result<RecordBatch, TaskError> {
        if self.cancel.is_cancelled() { Err(TaskError::Stopped) } else { batch }
    }
}

/// Whether more than one file may come of a profile.
fn makes_many(profile: &Profile) -> bool {
    profile.file.iter().flat_map(FileName::columns).next().is_some()
}

fn create(folder: &Path) -> Result<(), TaskError> {
    std::fs::create_dir_all(folder).map_err(|source| TaskError::File { path: folder.to_owned(), source })
}
