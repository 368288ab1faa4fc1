//! The one integration-test program: linking the host once is what makes it quick. A module each
//! for what it tests.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod cli;
mod conformance;
mod docs;
mod duckdb;
mod duckdb_demo;
mod fit;
mod fuzz;
mod harm;
mod hostile;
mod lake;
mod languages;
mod layers;
mod opensearch;
mod program;
mod python;
mod registry;
mod remote;
mod runs;
mod scenario;
mod scenarios;
mod schedules;
mod server;
mod streams;
mod tidy;
mod transfers;
mod user_data;
mod versions;
