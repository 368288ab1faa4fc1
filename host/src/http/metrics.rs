//! Figures for Prometheus: requests as they were answered, and at each scrape what pipelines did and how the tables are that
//! their files watch.

mod streams;
mod tables;

use super::Shared;
use super::error::Problem;
use crate::run;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::sync::atomic::AtomicU64;
use std::time::Instant;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The media type of the text.
const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The route of requests that met none.
const NO_ROUTE: &str = "none";

/// What tells figures of one name apart.
type Labels = Vec<(&'static str, String)>;
/// A figure that goes up and down.
type Figure = Family<Labels, Gauge<f64, AtomicU64>>;

/// What is counted while the server runs. Labels are routes and statuses, of which there are few.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    seconds: Family<Labels, Histogram, fn() -> Histogram>,
    tables: tables::Tables,
}

impl Default for Metrics {
    fn default() -> Self {
        // From a millisecond to half a minute.
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 2.0, 16));
        let (requests, seconds) = (Family::default(), Family::new_with_constructor(histogram));
        let mut registry = Registry::default();
        registry.register("telemill_http_requests", "Requests that were answered", Family::clone(&requests));
        registry.register("telemill_http_request_seconds", "How long answers took to begin", Family::clone(&seconds));
        Self { registry, requests, seconds, tables: tables::Tables::default() }
    }
}

/// Counts a request, once it is answered.
pub(super) async fn count(State(services): State<Shared>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str).to_owned();
    let method = request.method().to_string();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    let metrics = &services.metrics;
    metrics.requests.get_or_create(&vec![("method", method), ("route", route.clone()), ("status", status)]).inc();
    metrics.seconds.get_or_create(&vec![("route", route)]).observe(begun.elapsed().as_secs_f64());
    response
}

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Figures as Prometheus reads them: requests, pipelines and their steps, streams, and the tables that pipelines watch.
#[utoipa::path(get, path = "/metrics", tag = "server", responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
async fn show(State(services): State<Shared>) -> Result<Response, Problem> {
    let mut text = String::new();
    let mut now = Registry::default();
    pipelines(&services, &mut now).await?;
    streams::register(&services, &mut now).await?;
    services.metrics.tables.register(&services, &mut now).await?;
    // One text ends once.
    let written = encode(&mut text, &services.metrics.registry).and_then(|()| {
        text.truncate(text.trim_end_matches("# EOF\n").len());
        encode(&mut text, &now)
    });
    written.map_err(|error| Problem::internal(&error))?;
    Ok(([(CONTENT_TYPE, TEXT)], text).into_response())
}

/// A figure with a value for each of `values`.
fn figure(registry: &mut Registry, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, f64)>) {
    let figure = Figure::default();
    for (labels, value) in values {
        figure.get_or_create(&labels).set(value);
    }
    registry.register(name, help, figure);
}

#[expect(clippy::cast_precision_loss, reason = "figures to look at")]
async fn pipelines(services: &Shared, registry: &mut Registry) -> Result<(), Problem> {
    let (store, now) = (&services.host.store, run::now());
    let totals = store.step_totals().await?;
    let labels = |pipeline: &str, step: &str| vec![("pipeline", pipeline.to_owned()), ("step", step.to_owned())];
    let ended = totals.iter().filter(|total| total.succeeded + total.failed > 0);
    figure(
        registry,
        "telemill_step_success_ratio",
        "Share of the runs of a step, of those kept, that succeeded",
        ended.map(|total| {
            (labels(&total.pipeline, &total.step), total.succeeded as f64 / (total.succeeded + total.failed) as f64)
        }),
    );
    let took = totals.iter().filter_map(|total| Some((total, total.last_us?)));
    figure(
        registry,
        "telemill_step_last_seconds",
        "How long a step took when it last succeeded",
        took.map(|(total, us)| (labels(&total.pipeline, &total.step), us as f64 / 1e6)),
    );
    let exports = totals.iter().filter(|total| total.kind == "export");
    figure(
        registry,
        "telemill_export_seconds",
        "How long an export took when it last succeeded",
        exports.filter_map(|total| Some((labels(&total.pipeline, &total.step), total.last_us? as f64 / 1e6))),
    );
    let mut ages = Vec::new();
    for (pipeline, at) in store.last_successes().await? {
        ages.push((vec![("pipeline", pipeline)], now.0.saturating_sub(at.0) as f64 / 1e6));
    }
    figure(registry, "telemill_pipeline_success_age_seconds", "Time since a pipeline last succeeded", ages);
    let open = store.unresolved_alerts().await?;
    figure(registry, "telemill_alerts_unresolved", "Alerts that are not resolved", [(Vec::new(), open as f64)]);
    Ok(())
}
