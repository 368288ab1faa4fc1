//! Two versions of a generator over the same seed and window, side by side: what a swap would change.

use super::error::VersionsError;
use crate::batch::TableLayout;
use crate::core::digest::Digest;
use crate::core::schema::Simulation;
use crate::core::time::{Timestamp, Window};
use crate::fit::{ColumnComparison, ComparedRows};
use crate::lake;
use crate::plugin::{Plugin, PluginError, PluginKind, Shard, log_nowhere};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Instant;

/// Calls that the window is cut into: short enough for any plugin's output.
const CALLS: u64 = 60;
/// Longest window that is compared, in microseconds: a day.
const MOST_LENGTH_US: u64 = 86_400_000_000;

/// What to compare over.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparing {
    /// The seed of both.
    pub seed: u64,
    /// Where simulated time starts.
    pub start: Timestamp,
    /// How much of it there is, in microseconds; cut to whole steps.
    pub length_us: u64,
    /// The configuration of both; each one's defaults where nothing is given.
    pub config: Value,
}

/// One version, as it was run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ComparedVersion)]
pub struct Side {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its digest.
    pub digest: Digest,
    /// Rows that it made.
    pub rows: u64,
    /// Time of its calls, in seconds.
    pub seconds: f64,
    /// Instructions a row.
    pub fuel_per_row: f64,
}

/// A table on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TableComparison {
    /// The table.
    pub table: String,
    /// Rows of the first; none where it has no such table.
    pub first_rows: Option<u64>,
    /// Rows of the second.
    pub second_rows: Option<u64>,
    /// What keeps the second from taking the place of the first; empty where it only adds columns.
    pub problems: Vec<String>,
    /// The columns.
    pub columns: Vec<ColumnComparison>,
}

/// Two versions side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = VersionComparison)]
pub struct Comparison {
    /// The seed of both.
    pub seed: u64,
    /// The simulated time of both.
    pub window: Window,
    /// The first, which is in place.
    pub first: Side,
    /// The second, which would take its place.
    pub second: Side,
    /// The tables, those of the first in their order.
    pub tables: Vec<TableComparison>,
}

impl Comparison {
    /// Whether the second could be enabled where the first is active.
    pub fn compatible(&self) -> bool {
        self.tables.iter().all(|table| table.problems.is_empty())
    }
}

/// Runs both and compares their rows. They may be of different steps; the window is whole in both.
///
/// # Errors
/// What a plugin can fail with, and plugins that make no rows.
pub fn compare(first: &Plugin, second: &Plugin, comparing: &Comparing) -> Result<Comparison, VersionsError> {
    for plugin in [first, second] {
        plugin.expect_kind(PluginKind::Generator)?;
    }
    let (mut one, mut other) = (Made::planned(first, comparing)?, Made::planned(second, comparing)?);
    let step = one.simulation.step_us.max(other.simulation.step_us);
    let length = comparing.length_us.min(MOST_LENGTH_US).max(step).next_multiple_of(step);
    let start = comparing.start.plus_us(-comparing.start.0.rem_euclid(i64::try_from(step).unwrap_or(i64::MAX)));
    let window = Window::from_start(start, i64::try_from(length).unwrap_or(i64::MAX));
    one.run(first, comparing, window)?;
    other.run(second, comparing, window)?;
    let added = other.layouts.iter().filter(|layout| one.find(&layout.table.name).is_none());
    let names = one.layouts.iter().chain(added).map(|layout| layout.table.name.clone());
    let tables = names.map(|name| table(name, &one, &other)).collect();
    Ok(Comparison { seed: comparing.seed, window, first: one.side(first), second: other.side(second), tables })
}

/// What one version made.
struct Made {
    config: Value,
    simulation: Simulation,
    layouts: Vec<TableLayout>,
    rows: Vec<ComparedRows>,
    seconds: f64,
    fuel: u64,
}

impl Made {
    fn planned(plugin: &Plugin, comparing: &Comparing) -> Result<Self, PluginError> {
        let config = plugin.check_config(&comparing.config)?;
        let simulation = plugin.generator(log_nowhere())?.plan(&config)?;
        let layouts: Vec<_> = simulation.tables.iter().cloned().map(TableLayout::new).collect();
        let rows = layouts.iter().map(|layout| ComparedRows::of(&layout.table)).collect();
        Ok(Self { config, simulation, layouts, rows, seconds: 0.0, fuel: 0 })
    }

    fn run(&mut self, plugin: &Plugin, comparing: &Comparing, window: Window) -> Result<(), VersionsError> {
        let mut generator = plugin.generator(log_nowhere())?;
        generator.open(&self.config, Shard { seed: comparing.seed, partition: 0, partitions: 1, span: window })?;
        let step = self.simulation.step_us;
        let piece = (window.length_us() / step / CALLS).max(1) * step;
        for piece in window.pieces(piece) {
            let started = Instant::now();
            let batches = generator.rows(&self.layouts, piece)?;
            self.seconds += started.elapsed().as_secs_f64();
            self.fuel += generator.fuel_used().unwrap_or_default();
            for (table, batch) in batches {
                if let Some(rows) = self.rows.get_mut(table) {
                    let unreadable = |error: crate::fit::FitError| VersionsError::Source {
                        origin: plugin.id().to_string(),
                        message: error.to_string(),
                    };
                    rows.add(&batch).map_err(unreadable)?;
                }
            }
        }
        Ok(())
    }

    fn find(&self, table: &str) -> Option<(&TableLayout, &ComparedRows)> {
        self.layouts.iter().zip(&self.rows).find(|(layout, _)| layout.table.name == table)
    }

    fn side(&self, plugin: &Plugin) -> Side {
        let rows = self.rows.iter().map(ComparedRows::rows).sum::<u64>();
        Side {
            name: plugin.id().name.clone(),
            version: plugin.id().version.clone(),
            digest: plugin.digest(),
            rows,
            seconds: self.seconds,
            fuel_per_row: self.fuel as f64 / rows.max(1) as f64,
        }
    }
}

fn table(name: String, one: &Made, other: &Made) -> TableComparison {
    let (first, second) = (one.find(&name), other.find(&name));
    let problems = match (first, second) {
        (Some((first, _)), Some((second, _))) => {
            lake::added_only(&first.table, &second.table).iter().map(ToString::to_string).collect()
        }
        (Some(_), None) => vec!["is missing".to_owned()],
        _ => Vec::new(),
    };
    let columns = match (first, second) {
        (Some((_, first)), Some((_, second))) => first.compare(second),
        _ => Vec::new(),
    };
    let rows = |side: Option<(&TableLayout, &ComparedRows)>| side.map(|(_, rows)| rows.rows());
    TableComparison { first_rows: rows(first), second_rows: rows(second), table: name, problems, columns }
}
