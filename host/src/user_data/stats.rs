//! Who gave how much.

use super::{SAMPLES, UserDataError};
use crate::lake::LakeError;
use crate::query::{Rows, Scan, TextForm};
use crate::run::Host;
use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::Int32Type;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What there is of users' data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stats {
    /// Files that were taken in.
    pub user_files: u64,
    /// Samples in them.
    pub total_user_samples: u64,
    /// By user.
    pub users: BTreeMap<String, UserStats>,
}

/// What there is of one user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserStats {
    /// Files.
    pub files: u64,
    /// Samples in them.
    pub samples: u64,
}

/// Counts the samples of `dataset`; nothing is there where nobody gave anything.
///
/// # Errors
/// The lake can't be read.
pub fn stats(host: &Host, dataset: &str) -> Result<Stats, UserDataError> {
    let mut stats = Stats::default();
    // A file is one user's.
    let mut files: BTreeMap<String, (String, u64)> = BTreeMap::new();
    let Some(rows) = scan(host, dataset, SAMPLES, &["file", "user_id"])? else { return Ok(stats) };
    for batch in rows.blocking(host.runtime.clone()) {
        let batch = batch?;
        each_file(&batch, &mut |file, samples, user| match files.get_mut(file) {
            Some((_, sum)) => *sum += samples,
            None => drop(files.insert(file.to_owned(), (user.to_owned(), samples))),
        });
    }
    for (user, samples) in files.into_values() {
        stats.user_files += 1;
        stats.total_user_samples += samples;
        let user = stats.users.entry(user).or_default();
        user.files += 1;
        user.samples += samples;
    }
    Ok(stats)
}

/// The files whose rows a table has, with their digests.
pub(super) fn known_files(host: &Host, dataset: &str, table: &str) -> Result<BTreeMap<String, String>, UserDataError> {
    let mut known = BTreeMap::new();
    let Some(rows) = scan(host, dataset, table, &["file", "digest"])? else { return Ok(known) };
    for batch in rows.blocking(host.runtime.clone()) {
        let batch = batch?;
        each_file(&batch, &mut |file, _, digest| {
            if !known.contains_key(file) {
                known.insert(file.to_owned(), digest.to_owned());
            }
        });
    }
    Ok(known)
}

/// Tells each file of a batch whose first column is the file's name: with its rows, and the second column in the first of them. The
/// lake has few files' names and many rows, so that names are compared where they come as text, and counted by key where they do not.
fn each_file(batch: &RecordBatch, see: &mut dyn FnMut(&str, u64, &str)) {
    let [names, others] = batch.columns() else { return };
    let other = |row: usize| text_at(others, row).unwrap_or_default();
    let Some(keyed) = names.as_dictionary_opt::<Int32Type>() else {
        let names = names.as_string::<i32>();
        let mut start = 0;
        for end in 1..=names.len() {
            if end == names.len() || names.value(end) != names.value(start) {
                see(names.value(start), (end - start) as u64, other(start));
                start = end;
            }
        }
        return;
    };
    let values = keyed.values().as_string::<i32>();
    let mut found = vec![(0_u64, 0_usize); values.len()];
    for (row, key) in keyed.keys().values().iter().enumerate() {
        if let Some((rows, first)) = usize::try_from(*key).ok().and_then(|key| found.get_mut(key)) {
            *first = if *rows == 0 { row } else { *first };
            *rows += 1;
        }
    }
    for (value, (rows, first)) in found.into_iter().enumerate().filter(|(_, (rows, _))| *rows > 0) {
        see(values.value(value), rows, other(first));
    }
}

/// The text in a row of a column that may be a dictionary.
pub(super) fn text_at(column: &ArrayRef, row: usize) -> Option<&str> {
    match column.as_dictionary_opt::<Int32Type>() {
        Some(keyed) => keyed.key(row).map(|key| keyed.values().as_string::<i32>().value(key)),
        None => Some(column.as_string::<i32>().value(row)),
    }
}

/// Columns of a table of users' data; none where there is no such table yet.
pub(super) fn scan(host: &Host, dataset: &str, table: &str, columns: &[&str]) -> Result<Option<Rows>, UserDataError> {
    match host.runtime.block_on(host.lake.dataset(dataset, None)) {
        Ok(found) if found.table(table).is_some() => {}
        Ok(_) | Err(LakeError::NoDataset { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let engine = host.query_engine(None)?;
    let columns = columns.iter().map(|column| (*column).to_owned()).collect();
    let scan = Scan { columns, text: TextForm::AsStored, ..Scan::new(dataset, table) };
    Ok(Some(host.runtime.block_on(engine.scan(&scan))?))
}
