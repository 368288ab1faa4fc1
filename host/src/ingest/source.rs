//! The file or body that rows come from: its format, its compression, and opening it, as often as needed.

use super::{IngestError, file_name};
use crate::core::cancel::Cancel;
use crate::core::problem::Problem;
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{ChunkReader, Length};
use bytes::Bytes;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, ErrorKind, Read};
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
    /// A stream or a file of Arrow's IPC format, which their first bytes tell apart.
    Arrow,
    /// InfluxDB's line protocol.
    Influx,
}

impl Format {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Opensearch => "opensearch",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
            Self::Influx => "influx",
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "csv" => Ok(Self::Csv),
            "ndjson" => Ok(Self::Ndjson),
            "opensearch" => Ok(Self::Opensearch),
            "parquet" => Ok(Self::Parquet),
            "arrow" => Ok(Self::Arrow),
            "influx" => Ok(Self::Influx),
            other => {
                Err(format!("{other:?} is no format; there are csv, ndjson, opensearch, parquet, arrow and influx"))
            }
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
    pub(super) fn of(first: &[u8]) -> Self {
        match first {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// A file or a body, and what it holds.
#[derive(Debug)]
pub(super) struct Source<'a> {
    content: Content,
    format: Format,
    delimiter: u8,
    /// Set where it is to be read no further.
    cancel: Option<&'a Cancel>,
}

#[derive(Debug)]
enum Content {
    File(PathBuf),
    /// Bytes that are there already, and what they may unfold to.
    Body(Bytes, u64),
}

/// What a body is called where a file's name would stand.
pub(super) const BODY: &str = "the body";

impl<'a> Source<'a> {
    /// The file at `path`, in `format` or in the one that its name says.
    pub(super) fn new(path: &Path, format: Option<Format>) -> Result<Self, IngestError> {
        let name = file_name(path).to_lowercase();
        let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
        let delimiter = if name.ends_with(".tsv") { b'\t' } else { b',' };
        let mut source = Self { content: Content::File(path.to_owned()), format: Format::Csv, delimiter, cancel: None };
        source.format = match (format, name.rsplit('.').next()) {
            (Some(format), _) => format,
            (None, Some("csv" | "tsv")) => Format::Csv,
            (None, Some("ndjson" | "jsonl" | "json")) => source.sniff_json()?,
            (None, Some("parquet")) => Format::Parquet,
            (None, Some("arrow" | "arrows")) => Format::Arrow,
            (None, Some("lp")) => Format::Influx,
            (None, _) => {
                let message = "its name does not tell its format; name one with --format csv, ndjson, opensearch, parquet, arrow or influx";
                return Err(source.bad(vec![Problem::new("", message)]));
            }
        };
        Ok(source)
    }

    /// The bytes of a body, which may unfold to `most` bytes where they are compressed.
    pub(super) fn of_body(body: Bytes, format: Format, delimiter: u8, most: u64) -> Self {
        Self { content: Content::Body(body, most), format, delimiter, cancel: None }
    }

    /// The same, which is read until somebody sets `cancel`.
    pub(super) fn until(self, cancel: &'a Cancel) -> Self {
        Self { cancel: Some(cancel), ..self }
    }

    /// Asked before every record or batch, also of those that are only looked at.
    pub(super) fn unless_stopped(&self) -> Result<(), IngestError> {
        match self.cancel {
            Some(cancel) if cancel.is_cancelled() => Err(IngestError::Stopped),
            _ => Ok(()),
        }
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    pub(super) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    pub(super) fn name(&self) -> String {
        match &self.content {
            Content::File(path) => file_name(path),
            Content::Body(..) => BODY.to_owned(),
        }
    }

    pub(super) fn bad(&self, problems: Vec<Problem>) -> IngestError {
        IngestError::BadFile { file: self.name(), problems }
    }

    pub(super) fn unreadable(&self, source: std::io::Error) -> IngestError {
        let file = match &self.content {
            Content::File(path) => path.display().to_string(),
            Content::Body(..) => BODY.to_owned(),
        };
        if source.kind() == ErrorKind::FileTooLarge {
            return IngestError::TooLarge { file, reason: source.to_string() };
        }
        IngestError::Read { file, source }
    }

    fn open_file(&self, path: &Path) -> Result<File, IngestError> {
        File::open(path).map_err(|source| self.unreadable(source))
    }

    /// The content for formats that are read out of order.
    pub(super) fn chunks(&self) -> Result<Chunks, IngestError> {
        match &self.content {
            Content::File(path) => Ok(Chunks::File(self.open_file(path)?)),
            Content::Body(body, _) if Compression::of(body) == Compression::None => Ok(Chunks::Body(body.clone())),
            Content::Body(..) => {
                let mut unfolded = Vec::new();
                self.open()?.read_to_end(&mut unfolded).map_err(|source| self.unreadable(source))?;
                Ok(Chunks::Body(unfolded.into()))
            }
        }
    }

    /// The content from its start, without its compression.
    pub(super) fn open(&self) -> Result<Box<dyn BufRead>, IngestError> {
        let (mut reader, most): (Box<dyn BufRead>, _) = match &self.content {
            Content::File(path) => {
                let file = self.open_file(path)?;
                let bytes = file.metadata().map_err(|source| self.unreadable(source))?.len();
                let most = bytes.saturating_mul(MAX_EXPANSION).saturating_add(FREE_BYTES);
                (Box::new(BufReader::with_capacity(READ_BYTES, file)), most)
            }
            Content::Body(body, most) => (Box::new(Cursor::new(body.clone())), *most),
        };
        let compression = Compression::of(reader.fill_buf().map_err(|source| self.unreadable(source))?);
        let unfolded: Box<dyn Read> = match compression {
            Compression::None => return Ok(reader),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
            Compression::Zstd => {
                Box::new(zstd::Decoder::with_buffer(reader).map_err(|source| self.unreadable(source))?)
            }
        };
        Ok(Box::new(BufReader::with_capacity(READ_BYTES, Bounded { inner: unfolded, most, left: most })))
    }

    /// NDJSON, or bulk lines where the first line is an action.
    fn sniff_json(&self) -> Result<Format, IngestError> {
        let mut lines = super::lines::Lines::new(self.open()?);
        let first = lines.next_line().map_err(|source| self.unreadable(source))?;
        Ok(if first.is_some_and(super::json::is_action) { Format::Opensearch } else { Format::Ndjson })
    }
}

/// What Parquet is read from.
pub(super) enum Chunks {
    File(File),
    Body(Bytes),
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        match self {
            Self::File(file) => Length::len(file),
            Self::Body(body) => body.len() as u64,
        }
    }
}

impl ChunkReader for Chunks {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(match self {
            Self::File(file) => Box::new(file.get_read(start)?),
            Self::Body(body) => Box::new(body.get_read(start)?),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        match self {
            Self::File(file) => file.get_bytes(start, length),
            Self::Body(body) => ChunkReader::get_bytes(body, start, length),
        }
    }
}

/// Ends a file that unfolds to more than can be meant.
struct Bounded {
    inner: Box<dyn Read>,
    most: u64,
    left: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            let message = format!("it unfolds to more than {} bytes; unfold it first, or send less of it", self.most);
            std::io::Error::new(ErrorKind::FileTooLarge, message)
        })?;
        Ok(read)
    }
}
