//! The words that every layer shares: time, tables, incidents, reports, ids and digests. No I/O.

pub mod count;
pub mod digest;
pub mod document;
pub mod id;
pub mod incident;
pub mod problem;
pub mod report;
pub mod schema;
pub mod time;
pub mod time_format;
