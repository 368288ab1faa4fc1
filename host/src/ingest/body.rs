//! Rows of one table in the body of a request into the log: all of them or none, or the good ones.

use super::bad_rows::BadRows;
use super::log::{Begun, Declared, Key, Log, Pending, Receipt};
use super::mapping::Plan;
use super::profile::Reading;
use super::source::{BODY, Source};
use super::{Format, IngestError};
use crate::batch::TableLayout;
use crate::core::id;
use crate::core::problem::Problem;
use crate::core::schema::Table;
use crate::lake::LakeError;
use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;

/// How often a body is looked at again because somebody else made its table meanwhile.
const ATTEMPTS: usize = 3;

/// Rows that were sent.
#[derive(Debug, Clone)]
pub struct Body {
    /// The dataset; it is made where it is missing.
    pub dataset: String,
    /// The table; it is made where it is missing, with the columns that the rows show.
    pub table: String,
    /// The bytes as they came, perhaps compressed, which their first bytes tell.
    pub bytes: Bytes,
    /// Their format.
    pub format: Format,
    /// What separates fields of CSV.
    pub delimiter: u8,
    /// Whether good rows are taken beside bad ones.
    pub partial: bool,
    /// The column that places rows of a new table in time; see [`super::Request`].
    pub time_field: Option<String>,
    /// The key that they were sent under.
    pub key: Option<Key>,
}

/// What became of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// Rows that are durable.
    pub rows: u64,
    /// Rows that were left out.
    pub bad: u64,
    /// The first of them.
    pub first: Vec<Problem>,
    /// Whether the table is new.
    pub created: bool,
    /// Columns that have another name in the table: the body's name and the table's.
    pub renamed: Vec<(String, String)>,
    /// Whether all of it had been taken before, under the same key.
    pub repeated: bool,
}

/// What is to become of rows that were sent, once the log has them.
#[derive(Debug)]
pub struct PendingRows {
    taken: Taken,
    /// None where it is known already.
    receipt: Option<Pending>,
}

impl PendingRows {
    /// Waits until the rows are durable, in an async task.
    ///
    /// # Errors
    /// The log did not take them.
    pub async fn done(self) -> Result<Taken, IngestError> {
        Ok(match self.receipt {
            None => self.taken,
            Some(receipt) => self.taken.with(receipt.done().await?),
        })
    }

    /// Waits until the rows are durable, on a thread that runs no async tasks.
    ///
    /// # Errors
    /// The log did not take them.
    pub fn wait(self) -> Result<Taken, IngestError> {
        Ok(match self.receipt {
            None => self.taken,
            Some(receipt) => self.taken.with(receipt.wait()?),
        })
    }
}

impl Taken {
    fn with(self, receipt: Receipt) -> Self {
        Self { rows: receipt.rows, repeated: receipt.repeated, ..self }
    }
}

/// Takes rows into the log. To be called on a thread that runs no async tasks.
///
/// # Errors
/// Nothing was taken: rows are bad, do not fit the table or unfold to too much, or the log does not take them.
pub fn append(log: &Log, body: &Body) -> Result<PendingRows, IngestError> {
    id::check_identifier("dataset", &body.dataset)?;
    id::check_identifier("table", &body.table)?;
    let ticket = match log.begin(body.key, body.bytes.len())? {
        Begun::New(ticket) => ticket,
        Begun::Repeated(receipt) => {
            let (rows, first, renamed) = (receipt.rows, Vec::new(), Vec::new());
            let taken = Taken { rows, bad: 0, first, created: false, renamed, repeated: true };
            return Ok(PendingRows { taken, receipt: None });
        }
    };
    let most = log.settings().unfolded_bytes;
    let _room = log.room_for(&body.bytes);
    let source = Source::of_body(body.bytes.clone(), body.format, body.delimiter, most);
    let mut attempt = 0;
    loop {
        attempt += 1;
        let read = match Read::new(log, body, &source, most) {
            // Somebody else made the table meanwhile, with other columns.
            Err(IngestError::Lake(LakeError::SchemaChanged { .. })) if attempt < ATTEMPTS => continue,
            read => read?,
        };
        let Read { table, created, renamed, rows, bad } = read;
        let rows: Vec<_> = rows.into_iter().map(|rows| (table.clone(), rows)).collect();
        let receipt = log.append(ticket, &rows)?;
        let (total, first) = bad.listed();
        let taken = Taken { rows: 0, bad: total, first: first.to_vec(), created, renamed, repeated: false };
        return Ok(PendingRows { taken, receipt: Some(receipt) });
    }
}

/// A body as rows of its table, which is there.
struct Read {
    table: Declared,
    created: bool,
    renamed: Vec<(String, String)>,
    rows: Option<RecordBatch>,
    bad: BadRows,
}

impl Read {
    fn new(log: &Log, body: &Body, source: &Source, most: u64) -> Result<Self, IngestError> {
        let known = log.table(&body.dataset, &body.table)?;
        let plan = match &known {
            Some(known) => Plan::of_table(known.layout.table.clone(), Reading::default()),
            None => {
                let time_field = body.time_field.as_deref();
                Plan::of_new_table(source, Reading::default(), &body.table, time_field, body.partial)?
            }
        };
        let layout = TableLayout::new(plan.table.clone());
        let mut bad = BadRows::new(body.partial);
        let (mut batches, mut bytes) = (Vec::new(), 0);
        super::read(source, &layout, &plan, &mut bad, &mut |batch, _| {
            // Also a file of columns unfolds, whether it is compressed as a whole or not.
            bytes += batch.get_array_memory_size() as u64;
            if bytes > most {
                let reason = format!("its rows are more than {most} bytes in memory; send fewer at a time");
                return Err(IngestError::TooLarge { file: BODY.to_owned(), reason });
            }
            batches.push(batch);
            Ok(())
        })?;
        let rows = if batches.is_empty() { None } else { Some(concat_batches(&layout.schema, &batches)?) };
        let created = known.is_none();
        let table = match known {
            Some(known) => known,
            None => declare(log, &body.dataset, plan.table)?,
        };
        Ok(Self { table, created, renamed: plan.renamed, rows, bad })
    }
}

/// Makes a table, or finds that somebody else made it meanwhile.
fn declare(log: &Log, dataset: &str, table: Table) -> Result<Declared, IngestError> {
    let name = table.name.clone();
    log.declare(dataset, vec![table.clone()]).map_err(|error| match error {
        super::LogError::Lake(error) => IngestError::Lake(error),
        error => error.into(),
    })?;
    let declared = log.table(dataset, &name)?.filter(|declared| declared.layout.table.fields == table.fields);
    declared.ok_or_else(|| {
        let problems = vec![Problem::new("", "it was changed meanwhile")];
        LakeError::SchemaChanged { dataset: dataset.to_owned(), table: name, problems }.into()
    })
}

#[cfg(test)]
mod tests;
