//! The HTTP API over real sockets.

mod access;
mod clients;
mod data;
mod ingest;
mod metrics;
mod openapi;
mod runs;
mod schedules;
mod stream_alerts;
mod streams;
mod swaps;
mod up;
