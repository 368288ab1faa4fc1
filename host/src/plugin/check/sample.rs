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

use super::{CheckOptions, text};

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
        let simulation = generator.generator(log_nowhere())?.plan(config)?;
        Self::made(generator, config, simulation, options)
    }

    /// The rows of what is planned already.
    fn made(
        generator: &Plugin,
        config: &Value,
        simulation: Simulation,
        options: &CheckOptions,
    ) -> Result<Self, PluginError> {
        let mut instance = generator.generator(log_nowhere())?;
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

    /// What the options bring, or a sample of the generator which suits best.
    pub(super) fn for_check(engine: &Engine, options: &CheckOptions, suits: Suits<'_>) -> Result<Self, String> {
        if let Some(sample) = &options.sample {
            return Ok(sample.clone());
        }
        let (generator, config, simulation) = best(engine, options, suits)?;
        Self::made(&generator, &config, simulation, options).map_err(text)
    }

    /// The same without rows, which nobody has to make then.
    pub(super) fn simulation(engine: &Engine, options: &CheckOptions, suits: Suits<'_>) -> Result<Simulation, String> {
        match &options.sample {
            Some(sample) => Ok(sample.simulation.clone()),
            None => best(engine, options, suits).map(|(.., simulation)| simulation),
        }
    }
}

/// How much there is in a simulation for the plugin that is checked.
pub(super) type Suits<'a> = &'a dyn Fn(&Simulation) -> usize;

/// The first of which `suits` says most among the generators that ship and those of the options; its defaults, and what
/// they simulate.
fn best(engine: &Engine, options: &CheckOptions, suits: Suits<'_>) -> Result<(Plugin, Value, Simulation), String> {
    let mut candidates = Vec::new();
    for (name, bytes) in shipped::SHIPPED {
        if engine.kind_of(name, bytes).map_err(text)? != PluginKind::Generator {
            continue;
        }
        let generator = engine.load(name, bytes).map_err(text)?;
        let (config, simulation) = planned(&generator).map_err(text)?;
        candidates.push((generator, config, simulation));
    }
    for generator in &options.generators {
        // One that has no defaults, or makes nothing without an input, is no sample.
        if let Ok((config, simulation)) = planned(generator)
            && !simulation.inputs.iter().any(|input| input.required)
        {
            candidates.push((generator.clone(), config, simulation));
        }
    }
    let mut best: Option<(usize, (Plugin, Value, Simulation))> = None;
    for candidate in candidates {
        let suits = suits(&candidate.2);
        if best.as_ref().is_none_or(|(most, _)| suits > *most) {
            best = Some((suits, candidate));
        }
    }
    best.map(|(_, best)| best).ok_or_else(|| "no generator ships with this binary that it could be tried on".to_owned())
}

/// What a generator simulates when nothing is said.
fn planned(generator: &Plugin) -> Result<(Value, Simulation), PluginError> {
    let config = generator.check_config(&Value::Object(serde_json::Map::new()))?;
    let simulation = generator.generator(log_nowhere())?.plan(&config)?;
    Ok((config, simulation))
}
