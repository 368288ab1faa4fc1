//! The HTTP API over real sockets.

mod access;
mod data;
mod openapi;
mod runs;
