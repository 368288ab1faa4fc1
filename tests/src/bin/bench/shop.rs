//! What is measured: scenarios that ship, the shop's above all, shortened, with their components loaded and their plans made.

use anyhow::{Context, Result};
use std::path::Path;
use telemill::app::{App, Origin};
use telemill::batch::GuestBatch;
use telemill::core::time::{Length, Timestamp, Window};
use telemill::plugin::{Generator, Plugin, Shard, log_nowhere, scenario};
use telemill::run::{Plan, RunSpec};

/// One day: some 2.3 million transactions, a few seconds of work.
const DURATION: Length = Length::from_us(24 * 3_600 * 1_000_000);
/// What one call simulates: some 16,000 rows by day, as in a run.
pub(crate) const WINDOW_US: u64 = 600 * 1_000_000;
/// From when it is busy, in microseconds from the start.
const MORNING_US: i64 = 9 * 3_600 * 1_000_000;

/// The scenario and everything that running it needs.
pub(crate) struct Shop {
    pub(crate) app: App,
    /// One day, without validators.
    pub(crate) spec: RunSpec,
    pub(crate) plan: Plan,
    /// The index of the table of transactions.
    pub(crate) transactions: usize,
}

/// The spec and the plan of a scenario that ships, over `duration` and without validators.
pub(crate) fn plan(app: &App, name: &str, duration: Length) -> Result<(RunSpec, Plan)> {
    let text = scenario(name).with_context(|| format!("the scenario of {name} does not ship"))?;
    let mut spec = RunSpec::parse(text, false, "scenario.toml")?;
    spec.duration = duration;
    spec.validators.clear();
    let resolved = spec.clone().resolve(Timestamp(0), 0)?;
    let plan = Plan::make(&app.registry()?, resolved, None, app.input_reader(), log_nowhere())?;
    Ok((spec, plan))
}

/// An instance of `plugin` that is open for all of `span` by the configuration of `plan`. It has no incidents, since the native
/// side has none.
pub(crate) fn open(plan: &Plan, plugin: &Plugin, span: Window) -> Result<Generator> {
    let mut generator = plugin.generator(log_nowhere())?;
    let shard = Shard { seed: plan.spec.seed(), partition: 0, partitions: 1, span };
    generator.open(&plan.generator.config, shard)?;
    Ok(generator)
}

impl Shop {
    pub(crate) fn new(data_dir: &Path) -> Result<Self> {
        let app = App::new(Origin { data_dir: Some(data_dir.to_owned()), settings: Vec::new() })?;
        let (spec, plan) = plan(&app, "ecommerce", DURATION)?;
        let mut tables = plan.simulation.tables.iter();
        let transactions =
            tables.position(|table| table.name == "transactions").context("there are no transactions")?;
        Ok(Self { app, spec, plan, transactions })
    }

    /// A few busy hours.
    pub(crate) fn busy(&self, hours: i64) -> Window {
        Window::from_start(self.plan.spec.window().start.plus_us(MORNING_US), hours * 3_600 * 1_000_000)
    }

    /// The transactions of `span` as a guest hands them over, with the window of each batch.
    pub(crate) fn batches(&self, span: Window) -> Result<Vec<(Window, GuestBatch)>> {
        let mut generator = open(&self.plan, &self.plan.generator.plugin, span)?;
        let mut all = Vec::new();
        for window in span.pieces(WINDOW_US) {
            let batches = generator.advance(window)?;
            let ours = batches.into_iter().filter(|batch| batch.table as usize == self.transactions);
            all.extend(ours.map(|batch| (window, batch)));
        }
        Ok(all)
    }
}
