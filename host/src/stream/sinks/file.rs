//! Rows appended to a file a table, which is put aside once it is large.

use super::{Batch, Target, Undelivered};
use crate::sink::csv::CsvEncoder;
use crate::sink::ndjson::{NdjsonEncoder, Nulls};
use crate::sink::{Columns, Encoder};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Size at which a file is put aside.
const DEFAULT_ROTATE_BYTES: u64 = 64 << 20;

/// Bytes that are read at a time to find the last line end.
const TAIL_BYTES: usize = 64 << 10;

/// Files `<table>.ndjson` or `<table>.csv` of a folder; full ones are `<table>.1.ndjson` and so on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSink {
    /// The folder; relative ones are below `out` in the data folder.
    pub folder: PathBuf,
    /// Lines of JSON, or comma-separated values.
    #[serde(default)]
    pub format: FileFormat,
    /// Size at which a file is put aside. Default 67,108,864.
    #[serde(default = "default_rotate_bytes")]
    pub rotate_bytes: u64,
}

fn default_rotate_bytes() -> u64 {
    DEFAULT_ROTATE_BYTES
}

/// The form of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// One JSON object a line.
    #[default]
    Ndjson,
    /// Comma-separated values below a line of names.
    Csv,
}

struct Files {
    sink: FileSink,
    folder: PathBuf,
    open: BTreeMap<String, File>,
}

impl FileSink {
    pub(super) fn open(&self, folder: &Path) -> Box<dyn Target> {
        Box::new(Files { sink: self.clone(), folder: folder.join(&self.folder), open: BTreeMap::new() })
    }
}

impl Files {
    fn path(&self, table: &str, number: Option<u64>) -> PathBuf {
        let ending = match self.sink.format {
            FileFormat::Ndjson => "ndjson",
            FileFormat::Csv => "csv",
        };
        let number = number.map(|number| format!(".{number}")).unwrap_or_default();
        self.folder.join(format!("{table}{number}.{ending}"))
    }

    fn append(&mut self, table: &str, head: &[u8], body: &[u8]) -> io::Result<()> {
        let path = self.path(table, None);
        if !self.open.contains_key(table) {
            fs::create_dir_all(&self.folder)?;
            let file = File::options().read(true).append(true).create(true).open(&path)?;
            drop_half_line(&file)?;
            self.open.insert(table.to_owned(), file);
        }
        let Some(file) = self.open.get_mut(table) else { return Ok(()) };
        let length = file.metadata()?.len();
        // One write, so that a reader sees no half of a batch where the disk is not full.
        if length == 0 {
            file.write_all(&[head, body].concat())?
        } else {
            file.write_all(body)?
        }
        if length + body.len() as u64 >= self.sink.rotate_bytes {
            file.sync_data()?;
            self.open.remove(table);
            let taken = |number: &u64| self.path(table, Some(*number)).exists();
            let free = (1..).find(|number| !taken(number)).unwrap_or_default();
            fs::rename(&path, self.path(table, Some(free)))?;
        }
        Ok(())
    }
}

/// Takes away what stands behind the last line end: half a line that was being written when the host was killed. Its
/// batch comes again.
fn drop_half_line(file: &File) -> io::Result<()> {
    let mut end = file.metadata()?.len();
    let mut block = vec![0; TAIL_BYTES];
    while end > 0 {
        let start = end.saturating_sub(TAIL_BYTES as u64);
        let tail = block.get_mut(..usize::try_from(end - start).unwrap_or(TAIL_BYTES)).unwrap_or_default();
        file.read_exact_at(tail, start)?;
        match tail.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => return file.set_len(start + at as u64 + 1),
            None => end = start,
        }
    }
    file.set_len(0)
}

impl Target for Files {
    fn deliver(&mut self, batch: &Batch<'_>) -> Result<(), Undelivered> {
        let columns = Columns::all(&batch.layout.schema);
        let mut encoder: Box<dyn Encoder> = match self.sink.format {
            FileFormat::Ndjson => Box::new(NdjsonEncoder::new(columns, Nulls::Written)),
            FileFormat::Csv => Box::new(CsvEncoder::new(columns)),
        };
        let (mut head, mut body) = (Vec::new(), Vec::new());
        encoder.begin(&mut head).and_then(|()| encoder.encode(batch.rows, &mut body)).map_err(super::unwritable)?;
        let table = batch.layout.table.name.as_str();
        self.append(table, &head, &body).map_err(|error| {
            self.open.remove(table);
            Undelivered::Later(format!("{}: {error}", self.path(table, None).display()))
        })
    }

    fn flush(&mut self) -> Result<(), Undelivered> {
        self.open.values().try_for_each(File::sync_data).map_err(|error| Undelivered::Later(error.to_string()))
    }
}
