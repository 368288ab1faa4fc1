//! The ids of a table's column, in bounded memory, for rows of other tables to be looked up in.

use telemill_sdk::distinct::Distinct;
use telemill_sdk::{Column, DataType};

use crate::config::Reference;

/// Ids whose names are kept for messages, and the longest name that is.
const NAMES: usize = 4_096;
const NAME_BYTES: usize = 64;

/// The ids of one column.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) of: Reference,
    known: Distinct,
    names: Vec<(u64, String)>,
}

impl Keys {
    pub(crate) fn new(of: Reference, bytes: usize) -> Self {
        Self { of, known: Distinct::new(bytes), names: Vec::new() }
    }

    pub(crate) fn observe(&mut self, column: &Column, data_type: DataType, rows: usize) {
        let (known, names) = (&mut self.known, &mut self.names);
        column.each_hash(data_type, rows, |row, hash| {
            let Some(hash) = hash else { return };
            if known.add(hash) == Some(false)
                && names.len() < NAMES
                && let Some(name) = column.text(row).filter(|name| name.len() <= NAME_BYTES)
            {
                names.push((hash, name.to_owned()));
            }
        });
    }

    /// Whether an id is there; none where too many are there to remember this one.
    #[inline]
    pub(crate) fn contains(&self, hash: u64) -> Option<bool> {
        self.known.contains(hash)
    }

    /// The share of ids that is remembered.
    pub(crate) fn share(&self) -> f64 {
        self.known.share()
    }

    /// The ids that are not among others: how many of how many, and the first names in their order.
    pub(crate) fn missing_in(&self, others: &Distinct) -> (u64, u64, Vec<&str>) {
        let looked_at = || self.known.hashes().filter_map(|hash| others.contains(hash));
        let missing = looked_at().filter(|there| !there).count() as u64;
        let mut names: Vec<&str> = self
            .names
            .iter()
            .filter(|(hash, _)| others.contains(*hash) == Some(false))
            .map(|(_, name)| name.as_str())
            .collect();
        names.sort_unstable();
        (missing, looked_at().count() as u64, names)
    }
}
