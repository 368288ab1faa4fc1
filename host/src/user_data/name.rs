//! Names of users' files: `{user_id}_{source}_{yyyymmdd}_{hhmmss}.csv`.

use super::SOURCES;
use crate::core::digest::Digest;
use crate::core::time::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// How the start is written in a name; UTC.
const START: &str = "%Y%m%d_%H%M%S";
/// Longest id of a user, in bytes.
const MAX_USER_BYTES: usize = 128;

/// What a name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    /// Who.
    pub user_id: String,
    /// One of [`SOURCES`].
    pub source: String,
    /// When the collection began.
    pub start: Timestamp,
}

impl FileName {
    /// Reads a name, with its ending.
    ///
    /// # Errors
    /// What is wrong with it, for the person who named the file.
    pub fn parse(name: &str) -> Result<Self, String> {
        let shape = || format!("{name:?} is not named {{user_id}}_{{source}}_{{yyyymmdd}}_{{hhmmss}}.csv");
        let stem = name.strip_suffix(".csv").ok_or_else(shape)?;
        let mut parts = stem.rsplitn(4, '_');
        let (time, date) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let (source, user_id) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(date, 8) || !digits(time, 6) {
            return Err(shape());
        }
        check_user(user_id)?;
        check_source(source)?;
        let start = DateTime::strptime(START, format!("{date}_{time}"))
            .and_then(|start| start.to_zoned(TimeZone::UTC))
            .map_err(|_| format!("{date}_{time} is no time"))?;
        let start = Timestamp(start.timestamp().as_microsecond());
        Ok(Self { user_id: user_id.to_owned(), source: source.to_owned(), start })
    }

    /// The name of a file that was not sent as one: with the key of its request behind the start, or with microseconds where it
    /// had none, so that no two are alike.
    pub(super) fn made(&self, key: Option<Digest>) -> String {
        let start = jiff::Timestamp::from_microsecond(self.start.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let end = match key {
            Some(key) => key.short(),
            None => format!("{:06}", self.start.0.rem_euclid(1_000_000)),
        };
        format!("{}_{}_{}_{end}.csv", self.user_id, self.source, start.strftime(START))
    }
}

/// Whether data can come from this source.
pub(super) fn check_source(source: &str) -> Result<(), String> {
    if SOURCES.contains(&source) {
        return Ok(());
    }
    Err(format!("{source:?} is no source of data; there are {}", SOURCES.join(", ")))
}

/// Whether a user can have this id, which becomes part of a file's name.
pub(super) fn check_user(user_id: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '@');
    if user_id.is_empty() || user_id.len() > MAX_USER_BYTES || !user_id.chars().all(plain) || user_id.starts_with('.') {
        return Err(format!("{user_id:?} is no user id: letters, digits and _ - . @, at most {MAX_USER_BYTES}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn names_of_the_document_are_read() {
        let name = FileName::parse("user_001_external_20240101_120000.csv").unwrap();
        assert_eq!((name.user_id.as_str(), name.source.as_str()), ("user_001", "external"));
        assert_eq!(name.start.to_string(), "2024-01-01T12:00:00Z");
        assert_eq!(FileName::parse("a_b_c_web_20240229_235959.csv").unwrap().user_id, "a_b_c");
    }

    #[test]
    fn what_is_wrong_with_a_name_is_said() {
        for (name, wrong) in [
            ("notes.csv", "is not named"),
            ("user_001_external_20240101_120000.txt", "is not named"),
            ("user_001_ftp_20240101_120000.csv", "no source"),
            ("user_001_web_20230229_120000.csv", "no time"),
            ("_web_20240101_120000.csv", "no user id"),
            ("../x_web_20240101_120000.csv", "no user id"),
        ] {
            let error = FileName::parse(name).unwrap_err();
            assert!(error.contains(wrong), "{name}: {error}");
        }
    }
}
