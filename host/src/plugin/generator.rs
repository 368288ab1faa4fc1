//! A generator's instance: the contract's functions with the host's own types, and checks on everything that comes back.

use super::bindings::generator::GeneratorOnly;
use super::bindings::generator::exports::telemill::plugin::generator as wit;
use super::check::Metered;
use super::convert;
use super::engine::Plugin;
use super::error::{Limit, PluginError, PluginId};
use super::instance::Instance;
use super::log::LogSink;
use crate::batch::{GuestBatch, TableLayout, to_arrow};
use crate::core::incident::Incident;
use crate::core::problem::Problem;
use crate::core::schema::{Input, Simulation};
use crate::core::time::Window;
use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// Most batches that one `advance` may return; one or a few a table is usual.
const MAX_BATCHES: usize = 4_096;

/// Which part of a simulation an instance makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// The run's seed.
    pub seed: u64,
    /// Which part, from 0.
    pub partition: u32,
    /// Of how many.
    pub partitions: u32,
    /// The whole run; no row may depend on its end.
    pub span: Window,
}

impl Shard {
    fn to_wit(self) -> wit::Shard {
        let span = convert::window(self.span);
        wit::Shard { seed: self.seed, partition: self.partition, partitions: self.partitions, span }
    }
}

/// An instance of a generator. Configurations are the effective ones, as [`Plugin::check_config`] returns them.
pub struct Generator {
    instance: Instance,
    exports: GeneratorOnly,
}

impl Metered for Generator {
    fn instance(&self) -> &Instance {
        &self.instance
    }
}

impl Plugin {
    /// A new instance; its log goes to `sink`.
    ///
    /// # Errors
    /// Not a generator, or an instance that can't be made within the limits.
    pub fn generator(&self, sink: LogSink) -> Result<Generator, PluginError> {
        let indices = self.generator_exports()?;
        let (mut instance, made) = self.instantiate(sink)?;
        let exports = instance.call("instantiate", |store| indices.load(&mut *store, &made))?;
        Ok(Generator { instance, exports })
    }
}

impl Generator {
    /// What the generator is going to simulate.
    ///
    /// # Errors
    /// A bad configuration, a broken declaration, or what every call can fail with.
    pub fn plan(&mut self, config: &Value) -> Result<Simulation, PluginError> {
        let guest = self.exports.telemill_plugin_generator();
        let text = config.to_string();
        let planned = self.instance.ask("plan", |store| guest.call_plan(store, &text))?;
        let simulation = Simulation {
            tables: convert::list(planned.tables, convert::table_from),
            signals: convert::list(planned.signals, convert::signal_from),
            targets: convert::list(planned.targets, convert::target_from),
            inputs: convert::list(planned.inputs, |input| Input {
                table: input.table,
                fields: convert::list(input.fields, convert::field_from),
                required: input.required,
            }),
            step_us: planned.step,
            attributes: convert::list(planned.attributes, convert::attribute_from),
        };
        let problems = simulation.problems();
        if problems.is_empty() { Ok(simulation) } else { Err(self.instance.broken("plan", problems)) }
    }

    /// Starts at the span's start.
    ///
    /// # Errors
    /// A bad configuration, or what every call can fail with.
    pub fn open(&mut self, config: &Value, shard: Shard) -> Result<(), PluginError> {
        let guest = self.exports.telemill_plugin_generator();
        let text = config.to_string();
        self.instance.ask("open", |store| guest.call_open(store, &text, shard.to_wit()))
    }

    /// Hands over rows of an input; the batch's table counts the simulation's inputs.
    ///
    /// # Errors
    /// What every call can fail with.
    pub fn feed(&mut self, batch: GuestBatch) -> Result<(), PluginError> {
        let guest = self.exports.telemill_plugin_generator();
        let batch = convert::batch(batch);
        self.instance.ask("feed", |store| guest.call_feed(store, &batch))
    }

    /// Makes incidents known, before the first window that they touch.
    ///
    /// # Errors
    /// What every call can fail with.
    pub fn inject(&mut self, incidents: &[Incident]) -> Result<(), PluginError> {
        let guest = self.exports.telemill_plugin_generator();
        let incidents: Vec<_> = incidents.iter().map(convert::incident).collect();
        self.instance.ask("inject", |store| guest.call_inject(store, &incidents))
    }

    /// The rows of the next window, as the guest handed them over: count and bytes are checked, the values are not.
    ///
    /// # Errors
    /// More batches or bytes than allowed, or what every call can fail with.
    pub fn advance(&mut self, window: Window) -> Result<Vec<GuestBatch>, PluginError> {
        let guest = self.exports.telemill_plugin_generator();
        let batches = self.instance.ask("advance", |store| guest.call_advance(store, convert::window(window)))?;
        if let Some(problem) = too_many(batches.len()) {
            return Err(self.instance.broken("advance", vec![problem]));
        }
        let batches = convert::list(batches, convert::batch_from);
        self.instance.check_output("advance", batches.iter().map(GuestBatch::bytes).sum())?;
        Ok(batches)
    }

    /// The rows of the next window as Arrow, every value checked: the table's index with each batch.
    ///
    /// # Errors
    /// Rows that break the contract, and what [`Self::advance`] can fail with.
    pub fn rows(&mut self, layouts: &[TableLayout], window: Window) -> Result<Vec<(usize, RecordBatch)>, PluginError> {
        let batches = self.advance(window)?;
        checked(self.instance.plugin(), batches, layouts, window)
    }

    /// What [`Self::restore`] needs to go on from here; none where there is no state.
    ///
    /// # Errors
    /// A state of more than `output_bytes`, or what every call can fail with.
    pub fn save(&mut self) -> Result<Option<Vec<u8>>, PluginError> {
        let guest = self.exports.telemill_plugin_generator();
        let state = self.instance.ask("save", |store| guest.call_save(store))?;
        self.instance.check_output("save", state.as_ref().map_or(0, Vec::len) as u64)?;
        Ok(state)
    }

    /// Goes on from a saved state, instead of [`Self::open`].
    ///
    /// # Errors
    /// [`PluginError::UnsupportedState`] for a state of another version, or what every call can fail with.
    pub fn restore(&mut self, config: &Value, shard: Shard, state: &[u8]) -> Result<(), PluginError> {
        let guest = self.exports.telemill_plugin_generator();
        let text = config.to_string();
        self.instance.ask("restore", |store| guest.call_restore(store, &text, shard.to_wit(), state))
    }

    /// Instructions that the last call took, for measurements and the records of runs.
    pub fn fuel_used(&self) -> Option<u64> {
        self.instance.fuel_used()
    }

    /// Bytes that one `advance` may return: a caller asks for shorter windows when it gets near.
    pub fn output_bytes(&self) -> u64 {
        self.instance.limits().output_bytes
    }
}

impl Plugin {
    /// What an instance of this generator returned for `window`, as Arrow, every value checked: the table's index with each
    /// batch.
    ///
    /// # Errors
    /// More batches or bytes than allowed, or rows that break the contract.
    pub fn rows(
        &self,
        batches: Vec<GuestBatch>,
        layouts: &[TableLayout],
        window: Window,
    ) -> Result<Vec<(usize, RecordBatch)>, PluginError> {
        let (plugin, call) = (|| Arc::clone(self.id()), "advance");
        if let Some(problem) = too_many(batches.len()) {
            return Err(PluginError::BrokenContract { plugin: plugin(), call, problems: vec![problem] });
        }
        let (used, allowed) = (batches.iter().map(GuestBatch::bytes).sum(), self.limits().output_bytes);
        if used > allowed {
            let (limit, used) = (Limit::OutputBytes, Some(used));
            return Err(PluginError::OverLimit { plugin: plugin(), call, limit, allowed, used });
        }
        checked(self.id(), batches, layouts, window)
    }
}

fn too_many(batches: usize) -> Option<Problem> {
    let message = || format!("it returned {batches} batches; at most {MAX_BATCHES} are allowed");
    (batches > MAX_BATCHES).then(|| Problem::new("", message()))
}

fn checked(
    plugin: &Arc<PluginId>,
    batches: Vec<GuestBatch>,
    layouts: &[TableLayout],
    window: Window,
) -> Result<Vec<(usize, RecordBatch)>, PluginError> {
    let checked: Result<_, _> = batches.into_iter().map(|batch| to_arrow(batch, layouts, window)).collect();
    checked.map_err(|source| PluginError::BadRows { plugin: Arc::clone(plugin), call: "advance", source })
}
