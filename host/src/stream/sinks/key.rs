//! Keys of batches: which rows of a stream a batch has.

use crate::core::id::{StreamId, check_identifier};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a batch is called wherever it goes, the same whenever it comes again: `STREAM-COMMIT-TABLE-ROW`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BatchKey {
    /// The stream.
    pub stream: StreamId,
    /// The number of its commit in the stream.
    pub commit: u64,
    /// Its table, and how many rows of the commit come before it; none where it stands for all that is left of the commit.
    pub rows: Option<(String, u64)>,
}

impl fmt::Display for BatchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.stream, self.commit)?;
        self.rows.iter().try_for_each(|(table, first)| write!(f, "-{table}-{first}"))
    }
}

impl FromStr for BatchKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no key of a batch: one is STREAM-COMMIT-TABLE-ROW");
        let mut parts = text.split('-');
        let stream = parts.next().and_then(|part| part.parse().ok()).ok_or_else(bad)?;
        let commit = parts.next().and_then(|part| part.parse().ok()).ok_or_else(bad)?;
        let rows = match (parts.next(), parts.next(), parts.next()) {
            (None, None, None) => None,
            (Some(table), Some(first), None) => {
                check_identifier("table", table).map_err(|_| bad())?;
                Some((table.to_owned(), first.parse().map_err(|_| bad())?))
            }
            _ => return Err(bad()),
        };
        Ok(Self { stream, commit, rows })
    }
}

impl TryFrom<String> for BatchKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<BatchKey> for String {
    fn from(key: BatchKey) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_key_says_what_it_is_made_of() {
        let stream = StreamId::new(1, 1);
        for rows in [None, Some(("api_request_logs".to_owned(), 2_048))] {
            let key = BatchKey { stream: stream.clone(), commit: 7, rows };
            assert_eq!(key.to_string().parse::<BatchKey>().unwrap(), key);
        }
        for text in
            ["", "s1-2", "x", &format!("{stream}-7-Table-0"), &format!("{stream}-7-t"), &format!("{stream}-7-t-0-1")]
        {
            assert!(text.parse::<BatchKey>().is_err(), "{text}");
        }
    }
}
