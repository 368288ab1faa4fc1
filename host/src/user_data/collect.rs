//! A user's samples as they are sent, into the log: durable before they are answered for.

use super::name::{check_source, check_user};
use super::samples::{self, Origin};
use super::stats::known_files;
use super::{FileName, NORMAL, Problems, SAMPLES, UserDataError, table};
use crate::batch::TableLayout;
use crate::core::digest::Digest;
use crate::core::time::Timestamp;
use crate::ingest::log::{Begun, Key, Log, Receipt, Ticket};
use crate::ingest::{self, Format, IngestError};
use crate::run::Host;
use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Mutex;
use std::sync::PoisonError;

/// Samples that a user sent.
#[derive(Debug, Clone, Deserialize)]
pub struct Sent {
    /// The samples, each with its nine fields.
    pub metrics: Vec<Map<String, Value>>,
    /// The user.
    pub user_id: String,
    /// How the data came in.
    pub source: String,
    /// What the samples are, where they do not say it themselves.
    pub label: String,
}

/// What became of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// The file that they are kept as.
    pub file: String,
    /// Samples that are durable.
    pub samples: u64,
    /// Whether they had been taken before, under the same key or, a file, under the same name.
    pub repeated: bool,
}

impl Collected {
    fn new(file: String, receipt: Receipt) -> Self {
        Self { file, samples: receipt.rows, repeated: receipt.repeated }
    }
}

/// Takes what a user sent. What comes again under `key` has the file that it had the first time. To be called on a thread that
/// runs no async tasks.
///
/// # Errors
/// Samples that can't be taken in, by their number from 1, and a log that does not take them. Nothing was taken then.
pub fn collect(log: &Log, dataset: &str, sent: Sent, key: Option<Key>) -> Result<Collected, UserDataError> {
    let mut problems = Problems::default();
    let Sent { metrics, user_id, source, label } = sent;
    check_user(&user_id).unwrap_or_else(|message| problems.add("user_id".to_owned(), message));
    check_source(&source).unwrap_or_else(|message| problems.add("source".to_owned(), message));
    let label = if label.is_empty() { NORMAL.to_owned() } else { label };
    if metrics.is_empty() {
        problems.add("metrics".to_owned(), "has no sample");
    }
    problems.check()?;
    let mut lines = Vec::new();
    for mut sample in metrics {
        sample.entry("label").or_insert_with(|| Value::String(label.clone()));
        lines.extend_from_slice(Value::Object(sample).to_string().as_bytes());
        lines.push(b'\n');
    }
    // A key is remembered with the time of its request, and has a file of its own; what has no key has an instant of its own.
    let alone = key.is_none().then(|| next_start(log.now()));
    let named = |at| FileName { user_id: user_id.clone(), source: source.clone(), start: alone.unwrap_or(at) };
    let made = |name: &FileName| name.made(key.map(|key| key.digest()));
    let body = Rows { bytes: lines.into(), format: Format::Ndjson, place: "metrics" };
    let receipt = match log.begin(key, body.bytes.len()).map_err(IngestError::from)? {
        Begun::Repeated(receipt) => receipt,
        Begun::New(ticket) => {
            let name = named(ticket.at);
            append(log, dataset, &name, &made(&name), &body, ticket)?
        }
    };
    Ok(Collected::new(made(&named(receipt.at)), receipt))
}

/// Takes a user's file whole; one that is there already with the same content adds nothing. To be called on a thread that
/// runs no async tasks.
///
/// # Errors
/// A name or rows that can't be taken in, another file of that name, and a log that does not take them.
pub fn upload(host: &Host, log: &Log, dataset: &str, file: &str, bytes: Bytes) -> Result<Collected, UserDataError> {
    /// Two uploads of one file must not both find that it is not there.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let mut problems = Problems::default();
    let name = match FileName::parse(file) {
        Ok(name) => name,
        Err(message) => {
            problems.add(file.to_owned(), message);
            problems.check()?;
            return Err(UserDataError::BadFiles { total: 0, first: Vec::new() });
        }
    };
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(old) = known_files(host, dataset, SAMPLES)?.get(file) {
        if *old == Digest::of(&bytes).to_string() {
            return Ok(Collected { file: file.to_owned(), samples: 0, repeated: true });
        }
        return Err(UserDataError::Changed(file.to_owned()));
    }
    let body = Rows { bytes, format: Format::Csv, place: file };
    let receipt = match log.begin(None, body.bytes.len()).map_err(IngestError::from)? {
        Begun::Repeated(receipt) => receipt,
        Begun::New(ticket) => append(log, dataset, &name, file, &body, ticket)?,
    };
    Ok(Collected::new(file.to_owned(), receipt))
}

/// Samples in a format.
struct Rows<'a> {
    bytes: Bytes,
    format: Format,
    /// What they are called in problems.
    place: &'a str,
}

fn append(
    log: &Log,
    dataset: &str,
    name: &FileName,
    file: &str,
    body: &Rows<'_>,
    ticket: Ticket,
) -> Result<Receipt, UserDataError> {
    let digest = Digest::of(&body.bytes).to_string();
    let layout = TableLayout::new(table(SAMPLES));
    let origin = Origin { place: body.place, file, digest: &digest, name, at: log.now() };
    let (mut problems, mut batches) = (Problems::default(), Vec::new());
    let mut emit = |batch: RecordBatch, lines: &[u64]| {
        batches.push(samples::rows(&batch, lines, &origin, &layout, &mut problems)?);
        Ok(())
    };
    let (most, _room) = (log.settings().unfolded_bytes, log.room_for(&body.bytes));
    let read = ingest::each_of_body(body.bytes.clone(), body.format, most, &samples::file_table(), &mut emit);
    match read {
        Ok(()) if batches.is_empty() => problems.add_empty(body.place),
        Ok(()) => {}
        Err(error) => problems.add_of(body.place, error)?,
    }
    problems.check()?;
    let rows = concat_batches(&layout.schema, &batches)?;
    let declared = match log.table(dataset, SAMPLES).map_err(IngestError::from)? {
        Some(declared) => Some(declared),
        None => {
            log.declare(dataset, vec![layout.table.clone()]).map_err(IngestError::from)?;
            log.table(dataset, SAMPLES).map_err(IngestError::from)?
        }
    };
    let rows: Vec<_> = declared.map(|declared| (declared, rows)).into_iter().collect();
    Ok(log.append(ticket, &rows).and_then(ingest::log::Pending::wait).map_err(IngestError::from)?)
}

/// `now`, or a microsecond after what was given out last: a name that no other file has.
fn next_start(now: Timestamp) -> Timestamp {
    static LAST: Mutex<Timestamp> = Mutex::new(Timestamp(0));
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    *last = now.max(last.plus_us(1));
    *last
}
