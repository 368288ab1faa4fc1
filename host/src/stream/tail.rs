//! The rows of one commit of a stream, for somebody who looks on: read from the commit's own files, as long as these are
//! there.

use super::error::StreamError;
use crate::batch::TableLayout;
use crate::core::time::{Timestamp, Window};
use crate::lake::DataFile;
use crate::run::Host;
use crate::sink::ndjson::{NdjsonEncoder, Nulls};
use crate::sink::{Columns, Encoder as _};
use crate::store::StreamCommit;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Most rows of a table that are shown of a commit: some hundred kilobytes of JSON.
pub const MAX_TAIL_ROWS: usize = 1_000;

/// What a commit brought.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Tail {
    /// Which of the stream's commits.
    pub commit: u64,
    /// The simulated time that it covers.
    pub window: Window,
    /// When it was made, by the wall's clock.
    pub committed_at: Timestamp,
    /// Its rows, by table; tables that got none are left out.
    pub tables: BTreeMap<String, TailRows>,
}

/// What a commit brought of one table.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TailRows {
    /// How many rows there are; the lake has them all.
    pub rows: u64,
    /// The first of them.
    #[schema(value_type = Vec<Object>)]
    pub shown: Vec<Box<RawValue>>,
}

/// At most `limit` rows of each table that `commit` brought, or of the table `only` alone. For threads that may block.
///
/// # Errors
/// The rows were written elsewhere since, or let go.
pub fn tail(host: &Host, commit: &StreamCommit, only: Option<&str>, limit: usize) -> Result<Tail, StreamError> {
    let files: BTreeMap<String, Vec<DataFile>> = serde_json::from_value(commit.files.clone())
        .map_err(|error| StreamError::Record { id: commit.stream_id.clone(), message: error.to_string() })?;
    let mut tables = BTreeMap::new();
    for (table, files) in files.into_iter().filter(|(table, _)| only.is_none_or(|only| only == table)) {
        let Some(first) = files.first() else { continue };
        let dataset = first.path.split('/').next().unwrap_or_default();
        let dataset = host.runtime.block_on(host.lake.dataset(dataset, None))?;
        let Some(found) = dataset.table(&table) else { continue };
        let layout = TableLayout::new(found.table.clone());
        let shown = rows(host, &layout, &files, limit.min(MAX_TAIL_ROWS))?;
        let rows = files.iter().map(|file| file.rows).sum();
        tables.insert(table, TailRows { rows, shown });
    }
    let StreamCommit { number, window, committed_at, .. } = *commit;
    Ok(Tail { commit: number, window, committed_at, tables })
}

fn rows(
    host: &Host,
    layout: &TableLayout,
    files: &[DataFile],
    limit: usize,
) -> Result<Vec<Box<RawValue>>, StreamError> {
    let mut encoder = NdjsonEncoder::new(Columns::all(&layout.schema), Nulls::Written);
    let (mut lines, mut left) = (Vec::new(), limit);
    'files: for file in files {
        for batch in host.lake.rows_of(&file.path, layout)? {
            if left == 0 {
                break 'files;
            }
            let batch = batch?;
            let taken = left.min(batch.num_rows());
            encoder.encode(&batch.slice(0, taken), &mut lines)?;
            left -= taken;
        }
    }
    // What the encoder writes is one JSON object a line.
    let text = String::from_utf8_lossy(&lines);
    Ok(text.lines().filter_map(|line| RawValue::from_string(line.to_owned()).ok()).collect())
}
