//! The file that rows come from: its format, its compression, and opening it, as often as needed.

use super::{IngestError, file_name};
use crate::core::problem::Problem;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Bytes read at a time.
const READ_BYTES: usize = 256 << 10;

/// Most bytes that a compressed file may unfold to for each of its own: text of telemetry gives 5 to 50, a file made
/// to fill the disk gives a thousand and more.
const MAX_EXPANSION: u64 = 500;
/// Bytes that any compressed file may unfold to.
const FREE_BYTES: u64 = 256 << 20;

/// How a file holds rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A header line, then a record a line; quotes as in RFC 4180.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// Action lines, each followed by a document, as OpenSearch's bulk endpoint takes them.
    Opensearch,
    /// Parquet.
    Parquet,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "csv" => Ok(Self::Csv),
            "ndjson" => Ok(Self::Ndjson),
            "opensearch" => Ok(Self::Opensearch),
            "parquet" => Ok(Self::Parquet),
            other => Err(format!("{other:?} is no format; there are csv, ndjson, opensearch and parquet")),
        }
    }
}

/// How a file is compressed; told by its first bytes, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Compression {
    fn of(first: &[u8]) -> Self {
        match first {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// A file and what it holds.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    format: Format,
    delimiter: u8,
}

impl Source {
    /// The file at `path`, in `format` or in the one that its name says.
    pub(super) fn new(path: &Path, format: Option<Format>) -> Result<Self, IngestError> {
        let name = file_name(path).to_lowercase();
        let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
        let delimiter = if name.ends_with(".tsv") { b'\t' } else { b',' };
        let mut source = Self { path: path.to_owned(), format: Format::Csv, delimiter };
        source.format = match (format, name.rsplit('.').next()) {
            (Some(format), _) => format,
            (None, Some("csv" | "tsv")) => Format::Csv,
            (None, Some("ndjson" | "jsonl" | "json")) => source.sniff_json()?,
            (None, Some("parquet")) => Format::Parquet,
            (None, _) => {
                let message =
                    "its name does not tell its format; name one with --format csv, ndjson, opensearch or parquet";
                return Err(source.bad(vec![Problem::new("", message)]));
            }
        };
        Ok(source)
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    pub(super) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    pub(super) fn name(&self) -> String {
        file_name(&self.path)
    }

    pub(super) fn bad(&self, problems: Vec<Problem>) -> IngestError {
        IngestError::BadFile { file: self.name(), problems }
    }

    pub(super) fn unreadable(&self, source: std::io::Error) -> IngestError {
        IngestError::Read { file: self.path.display().to_string(), source }
    }

    /// The file itself, for formats that are read out of order.
    pub(super) fn open_file(&self) -> Result<File, IngestError> {
        File::open(&self.path).map_err(|source| self.unreadable(source))
    }

    /// The file's content from its start, without its compression.
    pub(super) fn open(&self) -> Result<Box<dyn BufRead>, IngestError> {
        let file = self.open_file()?;
        let bytes = file.metadata().map_err(|source| self.unreadable(source))?.len();
        let mut reader = BufReader::with_capacity(READ_BYTES, file);
        let compression = Compression::of(reader.fill_buf().map_err(|source| self.unreadable(source))?);
        let most = bytes.saturating_mul(MAX_EXPANSION).saturating_add(FREE_BYTES);
        let unfolded: Box<dyn Read> = match compression {
            Compression::None => return Ok(Box::new(reader)),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
            Compression::Zstd => {
                Box::new(zstd::Decoder::with_buffer(reader).map_err(|source| self.unreadable(source))?)
            }
        };
        Ok(Box::new(BufReader::with_capacity(READ_BYTES, Bounded { inner: unfolded, left: most })))
    }

    /// NDJSON, or bulk lines where the first line is an action.
    fn sniff_json(&self) -> Result<Format, IngestError> {
        let mut lines = super::lines::Lines::new(self.open()?);
        let first = lines.next_line().map_err(|source| self.unreadable(source))?;
        Ok(if first.is_some_and(super::json::is_action) { Format::Opensearch } else { Format::Ndjson })
    }
}

/// Ends a file that unfolds to more than can be meant.
struct Bounded {
    inner: Box<dyn Read>,
    left: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            std::io::Error::other(format!("it unfolds to more than {MAX_EXPANSION} times its size; unfold it first"))
        })?;
        Ok(read)
    }
}
