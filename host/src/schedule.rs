//! Schedules: pipelines as files, what is due when, and their steps done with a record of each.
//!
//! A [`Pipeline`] is read from TOML; a [`Scheduler`] claims its due times in the database before the work begins, so that each
//! is run at most once, also after a crash or when the clock is set. What steps do is in [`crate::task`]; this module adds
//! collections, calls of endpoints and programs. It knows neither the command line nor the server.

mod call;
mod clock;
mod collect;
mod command;
mod cron;
mod error;
mod log;
mod pipeline;
mod scheduler;
mod step;
mod template;
mod work;

pub use clock::{Clock, SystemClock};
pub use cron::Cron;
pub use error::ScheduleError;
pub use pipeline::{Head, Overlap, OwnClock, Pipeline, Watched, read_all};
pub use scheduler::Scheduler;
