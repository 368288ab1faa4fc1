//! The one integration-test program: linking the host once is what makes it quick. A module each
//! for what it tests.

mod docs;
mod duckdb;
mod lake;
mod layers;
mod tidy;
