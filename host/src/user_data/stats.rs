//! Who gave how much.

use super::{SAMPLES, UserDataError};
use crate::lake::LakeError;
use crate::query::{Rows, Scan};
use crate::run::Host;
use arrow::array::AsArray;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
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
    let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let Some(rows) = scan(host, dataset, SAMPLES, &["user_id", "file"])? else { return Ok(stats) };
    for batch in rows.blocking(host.runtime.clone()) {
        let batch = batch?;
        let (users, names) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
        for (user, file) in users.iter().flatten().zip(names.iter().flatten()) {
            stats.total_user_samples += 1;
            let files = match files.get_mut(user) {
                Some(files) => files,
                None => files.entry(user.to_owned()).or_default(),
            };
            if !files.contains(file) {
                files.insert(file.to_owned());
            }
            match stats.users.get_mut(user) {
                Some(user) => user.samples += 1,
                None => drop(stats.users.insert(user.to_owned(), UserStats { files: 0, samples: 1 })),
            }
        }
    }
    for (user, files) in files {
        stats.user_files += files.len() as u64;
        stats.users.entry(user).or_default().files = files.len() as u64;
    }
    Ok(stats)
}

/// The files whose rows a table has, with their digests.
pub(super) fn known_files(host: &Host, dataset: &str, table: &str) -> Result<BTreeMap<String, String>, UserDataError> {
    let mut known = BTreeMap::new();
    let Some(rows) = scan(host, dataset, table, &["file", "digest"])? else { return Ok(known) };
    for batch in rows.blocking(host.runtime.clone()) {
        let batch = batch?;
        let (files, digests) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
        for (file, digest) in files.iter().flatten().zip(digests.iter().flatten()) {
            if !known.contains_key(file) {
                known.insert(file.to_owned(), digest.to_owned());
            }
        }
    }
    Ok(known)
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
    let scan = Scan { columns, ..Scan::new(dataset, table) };
    Ok(Some(host.runtime.block_on(engine.scan(&scan))?))
}
