//! The HTTP API: a file for each resource, over the same functions that the command line calls.
//!
//! Handlers are thin: they read a request, call a lower layer on a thread that may block ([`work`]), and write its
//! answer. `error` alone knows which error is which status. Everything that axum and hyper bring stays in here.

mod access;
mod alerts;
mod answer;
mod audit;
mod body;
mod checks;
mod datasets;
mod drain;
mod error;
mod events;
mod files;
mod health;
mod idempotency;
mod incidents;
mod influx;
mod ingest;
mod intake;
mod metrics;
mod openapi;
mod page;
mod plugins;
mod query;
mod reports;
mod rows;
mod runs;
mod schedules;
mod serve;
mod socket;
mod spec;
mod streams;
mod tables;
mod tasks;
mod tokens;
mod uploads;
mod user_data;
mod work;

pub use access::Access;
pub use openapi::document;
pub use serve::{Limits, Server};

use crate::alert::Alerts;
use crate::ingest::log::Log;
use crate::run::{Host, Supervisor};
use crate::stream::Streams;
use std::sync::Arc;
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;

/// What the routes work with; built by `app`.
pub struct Services {
    /// Lake, store and plugins.
    pub host: Arc<Host>,
    /// Runs under way.
    pub runs: Arc<Supervisor>,
    /// Runs without an end.
    pub streams: Streams,
    /// Takes rows in.
    pub log: Arc<Log>,
    /// What is found wrong, and who is told: the streams' as well.
    pub alerts: Alerts,
    /// Who may do what.
    pub access: Access,
    /// Room for bodies that bring rows.
    intake: intake::Intake,
    /// What was counted.
    metrics: metrics::Metrics,
    /// Threads for what blocks.
    work: work::Work,
    /// Turns true when the server stops: answers without an end end then.
    stopping: watch::Sender<bool>,
}

impl Services {
    /// Services over a data folder that this process writes.
    pub fn new(
        host: Arc<Host>,
        runs: Arc<Supervisor>,
        streams: Streams,
        log: Arc<Log>,
        alerts: Alerts,
        access: Access,
    ) -> Self {
        let (intake, metrics, work) = (intake::Intake::default(), metrics::Metrics::default(), work::Work::default());
        Self { host, runs, streams, log, alerts, access, intake, metrics, work, stopping: watch::Sender::new(false) }
    }
}

/// How handlers get at the services.
type Shared = Arc<Services>;

/// All documented routes.
fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(openapi::head())
        .merge(health::routes())
        .merge(runs::routes())
        .merge(streams::routes())
        .merge(plugins::routes())
        .merge(checks::routes())
        .merge(datasets::routes())
        .merge(files::routes())
        .merge(rows::routes())
        .merge(tasks::routes())
        .merge(uploads::routes())
        .merge(incidents::routes())
        .merge(reports::routes())
        .merge(query::routes())
        .merge(schedules::routes())
        .merge(alerts::routes())
        .merge(metrics::routes())
        .merge(audit::routes())
        .merge(tokens::routes())
        .merge(ingest::routes())
        .merge(influx::routes())
        .merge(user_data::routes())
        .merge(tables::routes())
}
