//! The shop as a whole: goes from second to second and has transactions and metrics logged.

use telemill_sdk::time::SECOND;
use telemill_sdk::{Effects, Error, Output, Rows, Shard, Simulation, Window};

use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::infrastructure::{InfrastructureMetrics, MetricsLog};
use crate::marks::Marks;
use crate::signals;
use crate::system::{System, TICK_SECONDS};
use crate::transactions::{TransactionLog, Transactions};

/// One shard of the shop. It carries no state over a step: all that it keeps are tables and caches.
#[derive(Debug)]
pub struct Shop {
    catalogue: Catalogue,
    system: System,
    transactions: TransactionLog,
    metrics: MetricsLog,
    marks: Marks,
}

/// What a configuration simulates.
///
/// # Errors
/// What is wrong with the configuration.
pub fn plan(config: &Config) -> Result<Simulation, Error> {
    let catalogue = Catalogue::new(config).map_err(Error::InvalidConfig)?;
    Ok(Simulation {
        tables: vec![Transactions::table(), InfrastructureMetrics::table()],
        signals: signals::signals(),
        targets: signals::targets(&catalogue),
        inputs: Vec::new(),
        step_micros: SECOND as u64,
        attributes: Vec::new(),
    })
}

impl Shop {
    /// Opens a shard.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub fn new(config: Config, shard: &Shard) -> Result<Self, Error> {
        let catalogue = Catalogue::new(&config).map_err(Error::InvalidConfig)?;
        let transactions = TransactionLog::new(&catalogue, config.users, shard);
        Ok(Self {
            metrics: MetricsLog::new(&catalogue, transactions.latency_tables(), shard),
            system: System::new(config, &catalogue, shard.seed)?,
            transactions,
            catalogue,
            marks: Marks::default(),
        })
    }

    /// The rows of a window.
    ///
    /// # Errors
    /// Where the window is no whole number of seconds.
    pub fn advance(&mut self, window: Window, effects: &Effects, output: &mut Output) -> Result<(), Error> {
        if window.start.rem_euclid(SECOND) != 0 || window.end.rem_euclid(SECOND) != 0 {
            return Err(Error::failed(format!(
                "window {} to {} does not lie on whole seconds",
                window.start, window.end
            )));
        }
        let troubled = troubled(window, effects);
        for second in window.start / SECOND..window.end / SECOND {
            let now = second * SECOND;
            let acting = troubled.iter().any(|trouble| trouble.contains(now)).then_some(effects);
            self.system.go_to(second, &self.catalogue, acting);
            if second.rem_euclid(TICK_SECONDS) == 0 {
                self.metrics.log_tick(&mut self.system, second, &self.catalogue, &mut self.marks, acting);
            }
            self.transactions.log_second(&self.system, second, &self.catalogue, &mut self.marks, effects);
        }
        let ids = self.marks.take_ids();
        self.metrics.rows.incident_id.inner_mut().set_values(&ids);
        self.transactions.rows(&self.catalogue, &ids).finish(output)?;
        self.metrics.rows.finish(output)
    }
}

/// When within a window effects may act: from each incident's first start to its last end.
fn troubled(window: Window, effects: &Effects) -> Vec<Window> {
    effects
        .incidents()
        .iter()
        .filter_map(|incident| {
            let start = incident.effects.iter().map(|effect| effect.start).min()?;
            let end = incident.effects.iter().map(|effect| effect.end).max()?;
            Some(Window::new(start, end))
        })
        .filter(|trouble| trouble.overlaps(&window))
        .collect()
}
