//! The words that every layer shares: time, tables, incidents, reports, ids and digests, and the wish to stop. No I/O.

pub mod cancel;
pub mod count;
pub mod digest;
pub mod document;
pub mod id;
pub mod incident;
pub mod printable;
pub mod problem;
pub mod report;
pub mod schema;
pub mod time;
pub mod time_format;
