//! What goes over HTTP and belongs to no lower layer: requests and answers, once for the server that writes them and for the
//! client that reads them. Values that a lower layer has are sent as they are.

mod data;
mod plugins;
mod runs;
mod schedules;
mod server;
mod streams;

pub use data::{
    CleanRequest, CountQuery, IngestQuery, NewQuery, PreviewRequest, QuerySummary, RowsQuery, Text, ValidateRequest,
};
pub use plugins::{CheckQuery, Compare, Uploaded};
pub use runs::RunWithReports;
pub use schedules::{Requested, RunWithSteps, Schedule, ScheduleStep};
pub use server::{Health, NewToken, NewTokenAnswer, Page, ProblemDocument, TokenState};
pub use streams::Triggered;
