//! A simulated system with some of its rows, which incident models and validators are checked against.

use crate::batch::TableLayout;
use crate::core::schema::{Simulation, Table};
use crate::core::time::Window;
use crate::plugin::engine::{Engine, Plugin};
use crate::plugin::error::PluginError;
use crate::plugin::generator::Shard;
use crate::plugin::log::log_nowhere;
use crate::plugin::shipped;
use crate::plugin::world::PluginKind;
use arrow::array::RecordBatch;
use serde_json::Value;

use super::CheckOptions;

/// A simulation and rows of it.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Targets, signals and tables.
    pub simulation: Simulation,
    /// All tables of the dataset: the simulation's, and others that may have no rows.
    pub tables: Vec<Table>,
    /// The time that the rows are from.
    pub window: Window,
    /// Rows, each batch with the index of its table in `tables`.
    pub rows: Vec<(usize, RecordBatch)>,
}

impl Sample {
    /// Lets a generator make a sample as the options say.
    ///
    /// # Errors
    /// What the generator can fail with.
    pub fn of(generator: &Plugin, config: &Value, options: &CheckOptions) -> Result<Self, PluginError> {
        let mut instance = generator.generator(log_nowhere())?;
        let simulation = instance.plan(config)?;
        let layouts: Vec<_> = simulation.tables.iter().cloned().map(TableLayout::new).collect();
        let steps = (options.length_us / simulation.step_us).max(1);
        let step = i64::try_from(simulation.step_us).unwrap_or(i64::MAX);
        let start = options.start.plus_us(-options.start.0.rem_euclid(step));
        let window = Window::from_start(start, step.saturating_mul(i64::try_from(steps).unwrap_or(i64::MAX)));
        instance.open(config, Shard { seed: options.seed, partition: 0, partitions: 1, span: window })?;
        let mut rows = Vec::new();
        for piece in window.pieces((steps / 60).max(1) * simulation.step_us) {
            rows.extend(instance.rows(&layouts, piece)?);
        }
        let tables = simulation.tables.iter().chain(&options.other_tables).cloned().collect();
        Ok(Self { simulation, tables, window, rows })
    }

    /// What the options bring, or a sample of the generator that ships which suits best: the first of those of which `suits`
    /// says most.
    pub(super) fn for_check(
        engine: &Engine,
        options: &CheckOptions,
        suits: &dyn Fn(&Simulation) -> usize,
    ) -> Result<Self, String> {
        if let Some(sample) = &options.sample {
            return Ok(sample.clone());
        }
        let mut best: Option<(usize, Plugin, Value)> = None;
        for (name, bytes) in shipped::SHIPPED {
            let generator = engine.load(name, bytes).map_err(|error| error.to_string())?;
            if generator.kind() == PluginKind::Generator {
                let (config, simulation) = planned(&generator).map_err(|error| error.to_string())?;
                let suits = suits(&simulation);
                if best.as_ref().is_none_or(|(best, ..)| suits > *best) {
                    best = Some((suits, generator, config));
                }
            }
        }
        let (_, generator, config) = best.ok_or("no generator ships with this binary that it could be tried on")?;
        Self::of(&generator, &config, options).map_err(|error| error.to_string())
    }
}

/// What a generator simulates when nothing is said.
fn planned(generator: &Plugin) -> Result<(Value, Simulation), PluginError> {
    let config = generator.check_config(&Value::Object(serde_json::Map::new()))?;
    let simulation = generator.generator(log_nowhere())?.plan(&config)?;
    Ok((config, simulation))
}
