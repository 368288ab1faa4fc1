//! The files of a profile: one, or one for each distinct value of the columns that the file's name holds. A file gets
//! its name when it is whole; none is held open between two batches, however many there are.

use super::profile::{Profile, ProfileFormat};
use super::{Encoder, FileName, ProfileEncoder, SinkError};
use crate::batch::TableLayout;
use crate::core::time::Timestamp;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{cast, min, take_record_batch};
use arrow::datatypes::{DataType, Float64Type, TimestampMicrosecondType};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Most files of one profile.
const MAX_FILES: usize = 100_000;

/// Microseconds of a second.
const SECOND_US: f64 = 1e6;

/// Numbers files that are not whole, so that those of two profiles never meet.
static PARTIALS: AtomicU64 = AtomicU64::new(0);

/// In which sequence rows come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sequence {
    /// Those of one file after those of another, so that a file is whole when the next begins.
    FileByFile,
    /// Any.
    Mixed,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProfiledFile {
    /// The table.
    pub table: String,
    /// Where it is.
    pub file: PathBuf,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// Rows that the format has no words for.
    pub skipped: u64,
}

/// The files of a profile, while they are written. Dropping takes away what is not whole.
pub struct ProfileFiles {
    profile: Profile,
    layout: TableLayout,
    folder: PathBuf,
    name: FileName,
    /// Columns of the table whose values tell files apart.
    keys: Vec<usize>,
    /// The column of seconds that the start in the name is told by.
    elapsed: Option<usize>,
    sequence: Sequence,
    open: BTreeMap<Key, Partial>,
    /// Files that are whole, with the values that made them or whose they are.
    whole: BTreeMap<PathBuf, Key>,
    written: Vec<ProfiledFile>,
    buffer: Vec<u8>,
}

/// The values that make a file.
type Key = Vec<String>;

/// The rows of a batch by their files.
type Groups = BTreeMap<Key, Vec<u32>>;

/// A file that is not whole.
struct Partial {
    path: PathBuf,
    encoder: ProfileEncoder,
    rows: u64,
    start: Option<Timestamp>,
}

impl ProfileFiles {
    /// Files of rows of `layout` in `folder`, which is made where it is missing.
    ///
    /// # Errors
    /// The profile does not fit the table, or the folder can't be used.
    pub fn create(
        folder: &Path,
        profile: &Profile,
        layout: &TableLayout,
        sequence: Sequence,
    ) -> Result<Self, SinkError> {
        let plain = || FileName::plain(format!("{}.{}", profile.table, profile.format.extension()));
        let name = profile.file.clone().unwrap_or_else(plain);
        let keys = name.columns().map(|column| {
            let unknown = || profile.bad("file", format!("{} has no column {column:?}", layout.table.name));
            layout.table.field_index(column).ok_or_else(unknown)
        });
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        if name.has_start() && layout.table.time_field.is_none() {
            return Err(profile.bad("file", format!("{} has no time field for {{start}}", layout.table.name)));
        }
        let elapsed = name.elapsed().map(|column| elapsed_column(profile, layout, column)).transpose()?;
        if profile.format == ProfileFormat::Parquet && !keys.is_empty() && sequence == Sequence::Mixed {
            let message = "many Parquet files can't be written side by side; make a run, then export it";
            return Err(profile.bad("file", message));
        }
        fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
        let mut files = Self {
            profile: profile.clone(),
            layout: layout.clone(),
            folder: folder.to_owned(),
            name,
            keys,
            elapsed,
            sequence,
            open: BTreeMap::new(),
            whole: BTreeMap::new(),
            written: Vec::new(),
            buffer: Vec::new(),
        };
        if files.keys.is_empty() {
            // A single file is there even where no row is.
            let partial = files.begin()?;
            files.open.insert(Key::new(), partial);
        } else {
            // What does not fit is told before the first row.
            ProfileEncoder::new(profile, layout)?;
        }
        Ok(files)
    }

    /// None of these files, which other profiles have made, is written again.
    pub fn stand_beside(&mut self, written: &[ProfiledFile]) {
        self.whole.extend(written.iter().map(|file| (file.file.clone(), vec![format!("the rows of {}", file.table)])));
    }

    /// Writes rows.
    ///
    /// # Errors
    /// The batch does not fit the table, or the disk refuses.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), SinkError> {
        if self.keys.is_empty() {
            return self.append(&Key::new(), batch);
        }
        let (groups, last) = self.groups(batch)?;
        for (key, rows) in groups {
            let column = |source| SinkError::Column { column: "row".to_owned(), source };
            let rows = take_record_batch(batch, &UInt32Array::from(rows)).map_err(column)?;
            self.append(&key, &rows)?;
        }
        if self.sequence == Sequence::FileByFile {
            let done: Vec<_> = self.open.keys().filter(|key| Some(*key) != last.as_ref()).cloned().collect();
            done.iter().try_for_each(|key| self.complete(key))?;
        }
        Ok(())
    }

    /// Completes the files that are left, and says what there is.
    ///
    /// # Errors
    /// The disk refuses, or two files would have one name.
    pub fn finish(mut self) -> Result<Vec<ProfiledFile>, SinkError> {
        let keys: Vec<_> = self.open.keys().cloned().collect();
        keys.iter().try_for_each(|key| self.complete(key))?;
        Ok(std::mem::take(&mut self.written))
    }

    /// The rows of each file, and the file of the last row.
    fn groups(&self, batch: &RecordBatch) -> Result<(Groups, Option<Key>), SinkError> {
        let texts = self.keys.iter().map(|&index| {
            let shape = || SinkError::Shape { expected: self.layout.schema.fields().len(), found: batch.num_columns() };
            let column = batch.columns().get(index).ok_or_else(shape)?;
            let name = || batch.schema_ref().field(index).name().clone();
            cast(column, &DataType::Utf8).map_err(|source| SinkError::Column { column: name(), source })
        });
        let texts: Vec<ArrayRef> = texts.collect::<Result<_, _>>()?;
        let mut groups = Groups::new();
        let mut last: Option<Key> = None;
        for (row, number) in (0..batch.num_rows()).zip(0_u32..) {
            let value = |text: &ArrayRef| {
                let text = text.as_string::<i32>();
                if text.is_valid(row) { text.value(row).to_owned() } else { "null".to_owned() }
            };
            let key: Key = texts.iter().map(value).collect();
            groups.entry(key.clone()).or_default().push(number);
            last = Some(key);
        }
        Ok((groups, last))
    }

    fn begin(&mut self) -> Result<Partial, SinkError> {
        let mut encoder = ProfileEncoder::new(&self.profile, &self.layout)?;
        let number = PARTIALS.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!(".{}-{}-{number}.partial", self.profile.table, std::process::id()));
        self.buffer.clear();
        encoder.begin(&mut self.buffer)?;
        let written = File::create(&path).and_then(|mut file| file.write_all(&self.buffer));
        written.map_err(|source| failed(&path, source))?;
        Ok(Partial { path, encoder, rows: 0, start: None })
    }

    fn append(&mut self, key: &Key, batch: &RecordBatch) -> Result<(), SinkError> {
        if !self.open.contains_key(key) {
            if self.open.len() + self.whole.len() >= MAX_FILES {
                return Err(self.profile.bad("file", format!("more than {MAX_FILES} files come of it")));
            }
            let partial = self.begin()?;
            self.open.insert(key.clone(), partial);
        }
        let Some(partial) = self.open.get_mut(key) else { return Ok(()) };
        let first = first_start(&self.layout, self.elapsed, batch)?;
        partial.start = [partial.start, first].into_iter().flatten().min();
        partial.rows += batch.num_rows() as u64;
        self.buffer.clear();
        partial.encoder.encode(batch, &mut self.buffer)?;
        add(&partial.path, &self.buffer)
    }

    /// Gives a file its name.
    fn complete(&mut self, key: &Key) -> Result<(), SinkError> {
        let Some(mut partial) = self.open.remove(key) else { return Ok(()) };
        let named = self.name_of(key, &mut partial);
        let (path, bytes) = named.inspect_err(|_| drop(fs::remove_file(&partial.path)))?;
        let (rows, skipped) = (partial.rows, partial.encoder.skipped());
        self.written.push(ProfiledFile { table: self.profile.table.clone(), file: path.clone(), rows, bytes, skipped });
        self.whole.insert(path, key.clone());
        Ok(())
    }

    fn name_of(&mut self, key: &Key, partial: &mut Partial) -> Result<(PathBuf, u64), SinkError> {
        self.buffer.clear();
        partial.encoder.finish(&mut self.buffer)?;
        add(&partial.path, &self.buffer)?;
        let name = self.name.path(key, partial.start).map_err(|message| self.profile.bad("file", message))?;
        let path = self.folder.join(name);
        if let Some(first) = self.whole.get(&path) {
            let second = if key.is_empty() { self.profile.origin.clone() } else { key.join(", ") };
            let first = first.join(", ");
            return Err(SinkError::SameName { path: path.display().to_string(), first, second });
        }
        let place = || -> io::Result<u64> {
            File::open(&partial.path)?.sync_all()?;
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::rename(&partial.path, &path)?;
            Ok(fs::metadata(&path)?.len())
        };
        let bytes = place().map_err(|source| failed(&path, source))?;
        Ok((path, bytes))
    }
}

impl Drop for ProfileFiles {
    fn drop(&mut self) {
        for partial in self.open.values() {
            // Whoever can't remove it could not have written it either.
            let _ = fs::remove_file(&partial.path);
        }
    }
}

/// The column of seconds that a name tells its start by.
fn elapsed_column(profile: &Profile, layout: &TableLayout, name: &str) -> Result<usize, SinkError> {
    let table = &layout.table;
    let bad = |what: &str| profile.bad("file", format!("{} has no column {name:?} {what}", table.name));
    let index = table.field_index(name).ok_or_else(|| bad("for {start}"))?;
    let numeric = layout.schema.fields().get(index).is_some_and(|field| field.data_type().is_numeric());
    if numeric { Ok(index) } else { Err(bad("of numbers, which the seconds of {start} are")) }
}

/// The first time of a batch, or the first of its times less the seconds in the column `elapsed`, to the nearest second: files
/// may hold the seconds rounded.
fn first_start(
    layout: &TableLayout,
    elapsed: Option<usize>,
    batch: &RecordBatch,
) -> Result<Option<Timestamp>, SinkError> {
    let times = layout.table.time_index().and_then(|index| batch.columns().get(index));
    let Some(times) = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>()) else {
        return Ok(None);
    };
    let Some(seconds) = elapsed.and_then(|index| batch.columns().get(index)) else {
        return Ok(min(times).map(Timestamp));
    };
    let column = |source| SinkError::Column { column: "start".to_owned(), source };
    let seconds = cast(seconds, &DataType::Float64).map_err(column)?;
    let starts = times.iter().zip(seconds.as_primitive::<Float64Type>()).filter_map(|(time, seconds)| {
        let start = time? as f64 / SECOND_US - seconds?;
        start.is_finite().then(|| Timestamp((start.round() * SECOND_US) as i64))
    });
    Ok(starts.min())
}

fn add(path: &Path, bytes: &[u8]) -> Result<(), SinkError> {
    if bytes.is_empty() {
        return Ok(());
    }
    let added = OpenOptions::new().append(true).open(path).and_then(|mut file| file.write_all(bytes));
    added.map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> SinkError {
    SinkError::File { path: path.display().to_string(), source }
}
