//! Figures of streams that this process runs: rows, and how late they are.

use super::{Labels, figure};
use crate::core::id::StreamId;
use crate::http::Shared;
use crate::http::error::Problem;
use crate::stream::{StreamError, StreamStats};
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;

#[expect(clippy::cast_precision_loss, reason = "figures to look at")]
pub(super) async fn register(services: &Shared, registry: &mut Registry) -> Result<(), Problem> {
    let streams = services.streams.clone();
    let stats = move || -> Result<Vec<(StreamStats, u64)>, StreamError> {
        let told = |id: &StreamId| Ok((streams.stats(id)?, streams.undelivered(id)?));
        streams.under_way()?.iter().map(told).collect()
    };
    // Not in the queue of what is asked for: a server that is busy is looked at most.
    let stats = tokio::task::spawn_blocking(stats).await.map_err(|error| Problem::internal(&error))??;
    let labels = |stats: &StreamStats| -> Labels { vec![("stream", stats.id.to_string())] };
    let by_table = |rows: fn(&StreamStats) -> &BTreeMap<String, u64>| {
        stats.iter().flat_map(move |(stats, _)| {
            let of_table = move |(table, rows): (&String, &u64)| {
                (vec![("stream", stats.id.to_string()), ("table", table.clone())], *rows as f64)
            };
            rows(stats).iter().map(of_table)
        })
    };
    figure(registry, "telemill_stream_rows", "Rows since a stream began", by_table(|stats| &stats.rows));
    figure(
        registry,
        "telemill_stream_table_rows_per_minute",
        "Rows of a stream's table in the last minute",
        by_table(|stats| &stats.table_rows_per_minute),
    );
    let each = |value: fn(&StreamStats) -> f64| stats.iter().map(move |(stats, _)| (labels(stats), value(stats)));
    figure(
        registry,
        "telemill_stream_rows_per_minute",
        "Rows of a stream in the last minute",
        each(|stats| stats.rows_per_minute as f64),
    );
    figure(
        registry,
        "telemill_stream_behind_seconds",
        "Simulated time from a stream's newest rows to its clock",
        each(|stats| stats.behind_s),
    );
    figure(
        registry,
        "telemill_stream_drift_seconds",
        "How late a stream's rows became visible, at most in the last minute",
        each(|stats| stats.max_drift_ms as f64 / 1e3),
    );
    let undelivered = stats.iter().map(|(stats, commits)| (labels(stats), *commits as f64));
    figure(
        registry,
        "telemill_stream_undelivered_commits",
        "Commits that the slowest sink of a stream lacks",
        undelivered,
    );
    Ok(())
}
