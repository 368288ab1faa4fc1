//! How watched tables are: rows an hour, bytes a day, missing values, classes, and how fresh they are.

use super::{Labels, figure};
use crate::core::time::{DAY_US, Timestamp};
use crate::http::Shared;
use crate::http::datasets::engine;
use crate::http::error::Problem;
use crate::lake::{LakeTable, Snapshot};
use crate::query::{Engine, quoted};
use crate::run;
use arrow::array::{AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use prometheus_client::registry::Registry;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Most tables that are looked at; each costs a query over it.
const MAX_TABLES: usize = 20;
/// Most classes of a table; the rest are left out.
const MAX_CLASSES: usize = 50;
/// How long what was found is told again: scrapers come every few seconds.
const KEPT: Duration = Duration::from_secs(15);
/// An hour in microseconds.
const HOUR_US: i64 = 3_600_000_000;

/// What was found last.
#[derive(Default)]
pub(super) struct Tables(Mutex<Option<(Instant, Vec<Found>)>>);

/// What was found of one table.
struct Found {
    table: String,
    rows_per_hour: f64,
    megabytes_per_day: f64,
    missing_share: f64,
    classes: Vec<(String, f64)>,
    committed_at: Option<Timestamp>,
}

impl Tables {
    /// Adds the figures of the tables that pipelines watch.
    pub(super) async fn register(&self, services: &Shared, registry: &mut Registry) -> Result<(), Problem> {
        // Whoever comes meanwhile waits for the same answer.
        let mut kept = self.0.lock().await;
        if kept.as_ref().is_none_or(|(at, _)| at.elapsed() > KEPT) {
            *kept = Some((Instant::now(), look(services).await?));
        }
        let found = kept.as_ref().map(|(_, found)| found.as_slice()).unwrap_or_default();
        let label = |found: &Found| -> Labels { vec![("table", found.table.clone())] };
        let each =
            |value: fn(&Found) -> f64| found.iter().map(move |found| (label(found), value(found))).collect::<Vec<_>>();
        figure(
            registry,
            "telemill_table_rows_per_hour",
            "Rows of the last hour that the table has",
            each(|f| f.rows_per_hour),
        );
        figure(
            registry,
            "telemill_table_megabytes_per_day",
            "Size of the table's files by the days that its rows cover",
            each(|f| f.megabytes_per_day),
        );
        figure(
            registry,
            "telemill_table_missing_ratio",
            "Share of the table's values that are missing",
            each(|f| f.missing_share),
        );
        let now = run::now();
        #[expect(clippy::cast_precision_loss, reason = "figures to look at")]
        let age = |found: &Found| Some((label(found), now.0.saturating_sub(found.committed_at?.0) as f64 / 3.6e9));
        figure(
            registry,
            "telemill_table_age_hours",
            "Time since rows last came into the table",
            found.iter().filter_map(age),
        );
        let classes = found.iter().flat_map(|found| {
            let labels = |class: &String| vec![("table", found.table.clone()), ("class", class.clone())];
            found.classes.iter().map(move |(class, share)| (labels(class), *share))
        });
        figure(registry, "telemill_table_class_ratio", "Share of the table's rows in a class", classes);
        Ok(())
    }
}

/// The tables that pipelines watch, with their class column; each once.
async fn watched(services: &Shared) -> Result<BTreeMap<String, Option<String>>, Problem> {
    let mut tables = BTreeMap::new();
    for pipeline in services.host.store.pipelines().await? {
        for watch in pipeline.definition.get("watch").and_then(Value::as_array).into_iter().flatten() {
            let text = |key: &str| watch.get(key).and_then(Value::as_str).map(str::to_owned);
            if let Some(table) = text("table").filter(|_| tables.len() < MAX_TABLES) {
                tables.insert(table, text("class"));
            }
        }
    }
    Ok(tables)
}

async fn look(services: &Shared) -> Result<Vec<Found>, Problem> {
    let watched = watched(services).await?;
    let mut all = Vec::new();
    if watched.is_empty() {
        return Ok(all);
    }
    let (engine, snapshots) = (engine(services).await?, services.host.lake.snapshots().await?);
    let known = services.host.lake.datasets(None).await?;
    for (name, class) in watched {
        let Some((dataset, table)) = name.split_once('.') else { continue };
        // What no pipeline has made yet has no figures.
        if !known.iter().any(|known| known.name == dataset) {
            continue;
        }
        let found = services.host.lake.dataset(dataset, None).await?;
        if let Some(table) = found.table(table) {
            all.push(look_at(&engine, &snapshots, dataset, table, class.as_deref()).await?);
        }
    }
    Ok(all)
}

#[expect(clippy::cast_precision_loss, reason = "figures to look at")]
async fn look_at(
    engine: &Engine,
    snapshots: &[Snapshot],
    dataset: &str,
    lake_table: &LakeTable,
    class: Option<&str>,
) -> Result<Found, Problem> {
    let table = &lake_table.table;
    let from = format!("{}.{}", quoted(dataset), quoted(&table.name));
    let bounds = lake_table.files.iter().filter_map(|file| file.time_bounds(table));
    let bounds = bounds.reduce(|(first, last), (start, end)| (first.min(start), last.max(end)));
    let lately = match (&table.time_field, bounds) {
        (Some(time), Some((_, last))) => {
            format!("count(*) FILTER (WHERE {} > TIMESTAMP '{}')", quoted(time), last.plus_us(-HOUR_US))
        }
        _ => "0".to_owned(),
    };
    let present: Vec<String> = table.fields.iter().map(|field| format!("count({})", quoted(&field.name))).collect();
    let sums = numbers(engine, &format!("SELECT count(*), {lately}, {} FROM {from}", present.join(" + "))).await?;
    let sum = |at: usize| sums.get(at).copied().unwrap_or_default() as f64;
    let values = sum(0) * table.fields.len() as f64;
    let days = bounds.map_or(1.0, |(first, last)| (last.0.saturating_sub(first.0)).max(HOUR_US) as f64 / DAY_US as f64);
    let newest = lake_table.files.iter().map(|file| file.since).max();
    let committed = newest.and_then(|newest| snapshots.iter().find(|snapshot| snapshot.id == newest));
    Ok(Found {
        table: format!("{dataset}.{}", table.name),
        rows_per_hour: sum(1),
        megabytes_per_day: lake_table.bytes as f64 / 1e6 / days,
        missing_share: if values > 0.0 { 1.0 - sum(2) / values } else { 0.0 },
        classes: match class.filter(|class| table.field_index(class).is_some()) {
            Some(class) => classes(engine, &from, class, sum(0)).await?,
            None => Vec::new(),
        },
        committed_at: committed.and_then(|snapshot| commit_time(&snapshot.at)),
    })
}

/// The whole numbers of a query's one row.
async fn numbers(engine: &Engine, sql: &str) -> Result<Vec<i64>, Problem> {
    let batches = engine.sql(sql).await?.collect().await?;
    let mut numbers = Vec::new();
    for column in batches.iter().filter(|batch| batch.num_rows() > 0).flat_map(RecordBatch::columns) {
        let column = cast(column, &DataType::Int64).map_err(|error| Problem::internal(&error))?;
        numbers.push(column.as_primitive::<Int64Type>().iter().next().flatten().unwrap_or_default());
    }
    Ok(numbers)
}

#[expect(clippy::cast_precision_loss, reason = "figures to look at")]
async fn classes(engine: &Engine, from: &str, class: &str, rows: f64) -> Result<Vec<(String, f64)>, Problem> {
    let class = quoted(class);
    let sql = format!(
        "SELECT coalesce(CAST({class} AS VARCHAR), 'null'), count(*) FROM {from} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MAX_CLASSES}"
    );
    let mut shares = Vec::new();
    for batch in engine.sql(&sql).await?.collect().await? {
        let converted =
            |at: usize, to: &DataType| cast(batch.column(at), to).map_err(|error| Problem::internal(&error));
        let (names, counts) = (converted(0, &DataType::Utf8)?, converted(1, &DataType::Int64)?);
        for (name, count) in names.as_string::<i32>().iter().zip(counts.as_primitive::<Int64Type>().iter()) {
            shares.push((name.unwrap_or_default().to_owned(), count.unwrap_or_default() as f64 / rows.max(1.0)));
        }
    }
    Ok(shares)
}

/// `2026-11-22 01:25:43.575015+00`, as the catalog has it.
fn commit_time(text: &str) -> Option<Timestamp> {
    text.replacen(' ', "T", 1).strip_suffix("+00").map(|time| format!("{time}Z"))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogs_times_are_read() {
        let time = commit_time("2026-11-22 01:25:43.575015+00").map(|time| time.to_string());
        assert_eq!(time.as_deref(), Some("2026-11-22T01:25:43.575015Z"));
    }
}
