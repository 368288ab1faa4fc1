//! Rows from outside into the lake: CSV, NDJSON, OpenSearch bulk lines, line protocol, Parquet and Arrow; files in one
//! commit ([`file()`]), bodies of requests through a log that is durable before it is answered ([`append`], [`append_lines`]).
//!
//! What the sinks write is read back exactly; what other programs write is read as far as it is unambiguous. The
//! schema is the table's own, or for a new table what the whole file shows, so a file of text is read twice then.
//! Knows nothing of runs: rows come in as they are.
//!
//! | value | CSV | NDJSON, bulk lines |
//! |---|---|---|
//! | null | an empty field without quotes | `null`, or a missing key |
//! | empty text | `""` | `""` |
//! | timestamp | RFC 3339; without a zone it is UTC; finer than a microsecond is cut | the same as text |
//! | float | also `NaN`, `inf`, `-inf` | the same as text; `null` is NaN where the column is never null |

mod arrow_ipc;
mod bad_rows;
mod body;
mod columnar;
mod columns;
mod convert;
mod csv;
mod infer;
mod json;
mod line_protocol;
mod lines;
pub mod log;
mod mapping;
mod parquet;
mod points;
mod profile;
mod record;
mod source;
mod text;

pub use body::{Body, PendingRows, Taken, append};
pub use csv::{CsvFields, csv_records};
pub use points::{Lines, LinesTaken, PendingLines, Precision, append_lines};
pub use source::{Compression, Format};

use log::LogError;

use crate::batch::TableLayout;
use crate::core::cancel::Cancel;
use crate::core::id::{self, BadName};
use crate::core::problem::{self, Problem};
use crate::core::schema::Table;
use crate::core::time::Timestamp;
use crate::lake::{Commit, Lake, LakeError, Mode, SnapshotId, TableFiles, TableWriter, WriterSettings};
use crate::sink::profile::{Profile, ProfileFormat};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use bad_rows::BadRows;
use std::path::{Path, PathBuf};
use tokio::runtime::Handle;

/// Bad rows that are listed; the rest are counted.
pub const LISTED_BAD_ROWS: usize = 20;

/// Takes a batch of rows, with the line that each of them begins in; no lines where a format has none.
pub type Emit<'a> = dyn FnMut(RecordBatch, &[u64]) -> Result<(), IngestError> + 'a;

/// What to take in, and where to.
#[derive(Debug, Clone)]
pub struct Request {
    /// The dataset; made where it is missing.
    pub dataset: String,
    /// The table; made where it is missing.
    pub table: String,
    /// The file.
    pub file: PathBuf,
    /// Its format; by its name where it is left out.
    pub format: Option<Format>,
    /// The export profile that writes such files, where there is one: its names are mapped back, and its forms read.
    pub profile: Option<Profile>,
    /// The column that places rows in time, for a new table; `timestamp`, `@timestamp`, `time` or `ts` where it is
    /// left out and there is such a column of times that is never null.
    pub time_field: Option<String>,
    /// How the lake's files are written.
    pub writer: WriterSettings,
    /// Wall-clock time of the snapshot.
    pub at: Timestamp,
    /// Who, in the catalog.
    pub author: String,
}

/// What was taken in.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct IngestOutcome {
    /// Rows.
    pub rows: u64,
    /// Files of the lake.
    pub files: u64,
    /// The snapshot that shows them.
    pub snapshot: SnapshotId,
    /// The table as it is.
    pub table: Table,
    /// Whether the table is new.
    pub created: bool,
    /// Columns that have another name in the table: the file's name and the table's.
    pub renamed: Vec<(String, String)>,
}

/// Why nothing was taken in.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// Rows of the file can't be taken in.
    #[error("{total} bad rows in {file}, so nothing was taken in: {}", shown(first, *total))]
    BadRows {
        /// The file.
        file: String,
        /// How many there are.
        total: u64,
        /// The first of them, by line (or by row, in Parquet).
        first: Vec<Problem>,
    },
    /// The file as a whole does not fit, whatever its rows.
    #[error("{file} can't be taken in: {}", problem::join(problems))]
    BadFile {
        /// The file.
        file: String,
        /// What is wrong.
        problems: Vec<Problem>,
    },
    /// The dataset or table can't have its name.
    #[error(transparent)]
    BadName(#[from] BadName),
    /// The file can't be read.
    #[error("can't read {file}")]
    Read {
        /// The file.
        file: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file or body holds more than may be.
    #[error("{file} is too large: {reason}")]
    TooLarge {
        /// The file.
        file: String,
        /// What is too large.
        reason: String,
    },
    /// Somebody stopped it.
    #[error("it was stopped, and nothing was taken in")]
    Stopped,
    /// The lake can't be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The log can't take rows.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Columns can't be built: a fault of Telemill.
    #[error("rows can't be put together: this is a fault of telemill, please report it")]
    Batch(#[from] ArrowError),
}

fn shown(first: &[Problem], total: u64) -> String {
    let listed = problem::join(first);
    let more = total.saturating_sub(first.len() as u64);
    if more == 0 { listed } else { format!("{listed}; and {more} more") }
}

impl From<crate::store::StoreError> for IngestError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Lake(error.into())
    }
}

/// Takes in a file, in one commit: all of its rows or none. Memory is bounded whatever the file's size. To be called
/// on a thread that runs no async tasks; `runtime` carries those of the lake.
///
/// # Errors
/// Bad rows (all are looked at, the first are listed), a file that does not fit its table, failures of reading and writing; or
/// somebody set `cancel`, which is seen between two rows. The lake is as it was then.
pub fn file(lake: &Lake, runtime: &Handle, request: &Request, cancel: &Cancel) -> Result<IngestOutcome, IngestError> {
    id::check_identifier("dataset", &request.dataset)?;
    id::check_identifier("table", &request.table)?;
    let source = source::Source::new(&request.file, format(request))?.until(cancel);
    let existing = existing_table(lake, runtime, request)?;
    let created = existing.is_none();
    let plan = mapping::Plan::new(&source, existing, request)?;
    let layout = TableLayout::new(plan.table.clone());
    let mut writer =
        TableWriter::new(lake.files(), runtime, &layout, &request.dataset, &stem(request), request.writer.clone());
    read(&source, &layout, &plan, &mut BadRows::default(), &mut |batch, _| {
        writer.write(&batch).map_err(IngestError::from)
    })?;
    let rows = writer.rows();
    source.unless_stopped()?;
    let files = writer.finish()?;
    let outcome_files = files.len() as u64;
    let tables = vec![TableFiles { table: plan.table.clone(), files, replace: false }];
    let commit = Commit {
        dataset: request.dataset.clone(),
        mode: Mode::Append,
        tables,
        at: request.at,
        author: request.author.clone(),
        message: format!("ingested {}", file_name(&request.file)),
        extra: None,
    };
    let snapshot = runtime.block_on(async {
        let mut tx = lake.store().write().await?;
        let snapshot = lake.commit(&mut tx, &commit).await?;
        tx.commit().await?;
        Ok::<_, IngestError>(snapshot)
    })?;
    Ok(IngestOutcome { rows, files: outcome_files, snapshot, table: plan.table, created, renamed: plan.renamed })
}

/// The rows of a file as those of `table`, whose columns are found by name; columns that the table does not have are
/// refused like any other fault of the file. For small files: all rows are held.
///
/// # Errors
/// Bad rows (all are looked at, the first are listed), and a file that does not fit or can't be read.
pub fn rows(file: &Path, table: &Table) -> Result<Vec<RecordBatch>, IngestError> {
    let mut batches = Vec::new();
    each(file, table, &mut |batch, _| {
        batches.push(batch);
        Ok(())
    })?;
    Ok(batches)
}

/// Hands on the rows of a file as those of `table`, batch by batch; see [`rows`]. Good rows are handed on beside bad ones, so that
/// they can be looked at, too; what was handed on before an error is of no other use.
///
/// # Errors
/// As [`rows`], and what `emit` fails with.
pub fn each(file: &Path, table: &Table, emit: &mut Emit<'_>) -> Result<(), IngestError> {
    read_all(&source::Source::new(file, None)?, table, emit)
}

/// Hands on the rows of a body in `format` as those of `table`, batch by batch; see [`each`].
///
/// # Errors
/// As [`rows`], and what `emit` fails with.
pub fn each_of_body(
    body: bytes::Bytes,
    format: Format,
    most_bytes: u64,
    table: &Table,
    emit: &mut Emit<'_>,
) -> Result<(), IngestError> {
    read_all(&source::Source::of_body(body, format, b',', most_bytes), table, emit)
}

/// All rows of `source` as those of `table`, the good ones beside the bad.
fn read_all(source: &source::Source, table: &Table, emit: &mut Emit<'_>) -> Result<(), IngestError> {
    let plan = mapping::Plan::of_table(table.clone(), profile::Reading::default());
    let mut bad = BadRows::new(true);
    read(source, &TableLayout::new(table.clone()), &plan, &mut bad, emit)?;
    match bad.listed() {
        (0, _) => Ok(()),
        (total, first) => Err(IngestError::BadRows { file: source.name(), total, first: first.to_vec() }),
    }
}

/// What others call a dataset, as a name that it may have: `My-Bucket` is `my_bucket`.
pub fn identifier(name: &str) -> String {
    mapping::column_name(name, 0)
}

/// Hands on the rows of a file for which there is no table, batch by batch, with the table that all of its rows show: it
/// gets the name `table`, and columns and time field as an ingest would give it.
///
/// # Errors
/// As [`rows`], and what `emit` fails with.
pub fn explore(
    file: &Path,
    format: Option<Format>,
    table: &str,
    emit: &mut dyn FnMut(&Table, RecordBatch) -> Result<(), IngestError>,
) -> Result<Table, IngestError> {
    let source = source::Source::new(file, format)?;
    let plan = mapping::Plan::of_new_table(&source, profile::Reading::default(), table, None, false)?;
    let layout = TableLayout::new(plan.table.clone());
    read(&source, &layout, &plan, &mut BadRows::default(), &mut |batch, _| emit(&layout.table, batch))?;
    Ok(plan.table)
}

/// Reads all rows of `source` as batches of `layout`. Those that are bad go to `bad`, and are an error unless it tolerates them.
fn read(
    source: &source::Source,
    layout: &TableLayout,
    plan: &mapping::Plan,
    bad: &mut BadRows,
    emit: &mut Emit<'_>,
) -> Result<(), IngestError> {
    match source.format() {
        Format::Parquet => parquet::read(source, layout, plan, bad, emit)?,
        Format::Arrow => arrow_ipc::read(source, layout, plan, bad, emit)?,
        Format::Csv | Format::Ndjson | Format::Opensearch | Format::Influx => {
            text::read(source, layout, plan, bad, emit)?;
        }
    }
    bad.check(source.name())
}

/// The format that was asked for: by name, or by the profile.
fn format(request: &Request) -> Option<Format> {
    let by_profile = request.profile.as_ref().map(|profile| match profile.format {
        ProfileFormat::Csv => Format::Csv,
        ProfileFormat::Ndjson => Format::Ndjson,
        ProfileFormat::Parquet => Format::Parquet,
        ProfileFormat::Influx => Format::Influx,
    });
    request.format.or(by_profile)
}

fn existing_table(lake: &Lake, runtime: &Handle, request: &Request) -> Result<Option<Table>, IngestError> {
    match runtime.block_on(lake.dataset(&request.dataset, None)) {
        Ok(dataset) => Ok(dataset.table(&request.table).map(|table| table.table.clone())),
        Err(LakeError::NoDataset { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A stem that no other file of the table has: ingests are one after the other, each at its own time.
fn stem(request: &Request) -> String {
    format!("ingest-{:016x}-{:08x}", request.at.0, std::process::id())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
