//! The generator as its users see it: rows, incidents, the scenario.

#![expect(clippy::unwrap_used, reason = "tests")]

mod figures;
mod frame;
mod incidents;
mod laws;
mod scenario;
mod speed;
