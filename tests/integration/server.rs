//! The HTTP API over real sockets.

mod access;
mod data;
mod metrics;
mod openapi;
mod runs;
mod schedules;
