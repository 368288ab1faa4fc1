//! The HTTP API over real sockets.

mod access;
mod clients;
mod data;
mod disk;
mod ingest;
mod load;
pub(crate) mod metrics;
mod openapi;
mod plugins;
mod refusals;
mod runs;
mod schedules;
mod schemathesis;
mod stream_alerts;
mod streams;
mod swaps;
mod up;
mod user_data;

pub(crate) use streams::shop;
