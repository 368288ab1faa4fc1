//! How much an output will weigh, and whether the disk has room for it. Knows sizes, not formats.

use std::fmt;
use std::io;
use std::ops::Add;
use std::path::{Path, PathBuf};

/// Room that must stay free beside an output, in bytes: estimates from a sample are off by some per cent, and a full
/// disk hurts whatever else runs on it.
pub const SPARE_BYTES: u64 = 256 * 1024 * 1024;

/// Rows and their bytes, counted on a sample or foretold for a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Estimate {
    /// Rows.
    pub rows: u64,
    /// Bytes that they take.
    pub bytes: u64,
}

impl Estimate {
    /// What a sample of `sample_us` microseconds of simulated time says of `span_us`.
    #[must_use]
    pub fn stretched(self, sample_us: u64, span_us: u64) -> Self {
        let stretch = |count: u64| {
            let whole = u128::from(count) * u128::from(span_us) / u128::from(sample_us.max(1));
            u64::try_from(whole).unwrap_or(u64::MAX)
        };
        Self { rows: stretch(self.rows), bytes: stretch(self.bytes) }
    }
}

impl Add for Estimate {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { rows: self.rows.saturating_add(other.rows), bytes: self.bytes.saturating_add(other.bytes) }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows, {}", self.rows, Bytes(self.bytes))
    }
}

/// A number of bytes as people read it: `7.3 GB`, in powers of 1000 as disks are sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = self.0 as f64;
        for unit in ["B", "kB", "MB", "GB", "TB"] {
            if value < 999.95 {
                let digits = usize::from(unit != "B");
                return write!(f, "{value:.digits$} {unit}");
            }
            value /= 1_000.0;
        }
        write!(f, "{value:.1} PB")
    }
}

/// Why there is no room.
#[derive(Debug, thiserror::Error)]
pub enum SpaceError {
    /// Shorten the output, or choose another folder.
    #[error(
        "{} has {} free, and the output needs about {} and {} to spare; choose another folder or a shorter duration",
        dir.display(), Bytes(*free_bytes), Bytes(*needed_bytes), Bytes(SPARE_BYTES)
    )]
    TooLittle {
        /// The folder.
        dir: PathBuf,
        /// What is free.
        free_bytes: u64,
        /// What the output is going to take.
        needed_bytes: u64,
    },
    /// The folder can't be looked at.
    #[error("the free space of {} can't be found out", dir.display())]
    Unknown {
        /// The folder.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Bytes that this process may still write below `dir`, which need not exist yet: its nearest folder that does is
/// asked.
///
/// # Errors
/// What the system says of that folder.
pub fn free_bytes(dir: &Path) -> io::Result<u64> {
    let absolute = std::path::absolute(dir)?;
    let existing = absolute.ancestors().find(|folder| folder.exists()).unwrap_or(&absolute);
    let stat = rustix::fs::statvfs(existing)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Checks that `needed_bytes` and [`SPARE_BYTES`] fit below `dir`; returns what is free.
///
/// # Errors
/// [`SpaceError::TooLittle`] where they do not fit.
pub fn check_space(dir: &Path, needed_bytes: u64) -> Result<u64, SpaceError> {
    let free_bytes = free_bytes(dir).map_err(|source| SpaceError::Unknown { dir: dir.to_owned(), source })?;
    if needed_bytes.saturating_add(SPARE_BYTES) > free_bytes {
        return Err(SpaceError::TooLittle { dir: dir.to_owned(), free_bytes, needed_bytes });
    }
    Ok(free_bytes)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn samples_stretch_to_spans() {
        let sample = Estimate { rows: 1_200, bytes: 600_000 };
        let week = sample.stretched(60_000_000, 7 * 86_400_000_000);
        assert_eq!(week, Estimate { rows: 12_096_000, bytes: 6_048_000_000 });
        assert_eq!((week + sample).to_string(), "12097200 rows, 6.0 GB");
        assert_eq!(Bytes(999).to_string(), "999 B");
        assert_eq!(Bytes(999_960).to_string(), "1.0 MB");
    }

    #[test]
    fn room_is_asked_of_folders_that_do_not_exist_yet() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a/b/c");
        let free = free_bytes(&inner).unwrap();
        assert!(free > 0);
        assert!(check_space(&inner, 0).is_ok() || free < SPARE_BYTES);
        let error = check_space(&inner, u64::MAX).expect_err("nobody has that much");
        assert!(error.to_string().contains("choose another folder or a shorter duration"), "{error}");
    }
}
