//! What the database's tables are made of, step by step: a numbered file for each piece.
//!
//! Listed here rather than found by sqlx's macro, which would have sqlx and SQLite compiled a second time, for the machine that
//! builds.

use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use std::borrow::Cow;
use std::sync::LazyLock;

/// Name and text of the file with that name.
macro_rules! file {
    ($name:literal) => {
        ($name, include_str!(concat!("../../migrations/sqlite/", $name, ".sql")))
    };
}

/// The files in their order; the first has the number 1. A file that shipped never changes.
const FILES: [(&str, &str); 8] = [
    file!("0001_ducklake"),
    file!("0002_records"),
    file!("0003_http"),
    file!("0004_ingest"),
    file!("0005_streams"),
    file!("0006_schedules_alerts"),
    file!("0007_plugins"),
    file!("0008_audit"),
];

/// All of them.
pub(super) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let migration = |(number, (name, sql)): (i64, (&'static str, &'static str))| {
        let description = name.split_once('_').map_or(name, |(_, words)| words).replace('_', " ");
        Migration::new(number, Cow::Owned(description), MigrationType::Simple, SqlStr::from_static(sql), false)
    };
    Migrator::with_migrations((1..).zip(FILES).map(migration).collect())
});

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::FILES;
    use std::collections::BTreeSet;

    #[test]
    fn every_file_is_listed_under_its_number() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let listed: BTreeSet<String> = FILES.iter().map(|(name, _)| format!("{name}.sql")).collect();
        assert_eq!(names.collect::<BTreeSet<_>>(), listed);
        for (number, (name, _)) in (1..).zip(FILES) {
            assert!(name.starts_with(&format!("{number:04}_")), "{name} stands at place {number}");
        }
    }
}
