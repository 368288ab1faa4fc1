//! The HTTP API over real sockets.

mod access;
mod clients;
mod data;
mod disk;
mod ingest;
pub(crate) mod metrics;
mod openapi;
mod runs;
mod schedules;
mod schemathesis;
mod stream_alerts;
mod streams;
mod swaps;
mod up;
mod user_data;

pub(crate) use streams::shop;
