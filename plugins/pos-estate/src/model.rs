//! The estate as a whole: goes from window to window and has everything logged.

use telemill_sdk::time::SECOND;
use telemill_sdk::{Batch, Effects, Error, Input, Output, Rows, Shard, Simulation, Timestamp, Window};

use crate::activities::{ActivityLog, UserActivities};
use crate::agenda::{Agenda, Event};
use crate::agents::{Agents, Sent};
use crate::api::{ApiLog, ApiRequestLogs, DEADLINE_MS, Request, Source};
use crate::config::{Config, Inventory};
use crate::errors::{ErrorLog, ErrorLogs};
use crate::inventory::{self, Estate};
use crate::jobs::{ConfigHistory, JobLog, JobOutcomes};
use crate::metrics::{DeviceMetrics, MetricsLog, NORMAL_LOSS, is_lost, lost_share};
use crate::rhythm::Rhythm;
use crate::signals::{self, Signals, bend};
use crate::snapshots::{self, Devices, Sites};

/// What a page needs beside the call that it waits for, in milliseconds.
const RENDERING_MS: f64 = 60.0;

/// One shard of the estate. It carries no state over a step: all that it keeps are tables and caches.
#[derive(Debug)]
pub struct PosEstate {
    config: Config,
    shard: Shard,
    estate: Estate,
    /// What follows from the inventory; made when that is complete.
    works: Option<Works>,
}

#[derive(Debug)]
struct Works {
    rhythm: Rhythm,
    agenda: Agenda,
    agents: Agents,
    metrics: MetricsLog,
    api: ApiLog,
    errors: ErrorLog,
    activities: ActivityLog,
    jobs: JobLog,
}

/// What a configuration simulates.
pub fn plan(config: &Config) -> Simulation {
    Simulation {
        tables: vec![
            Sites::table(),
            Devices::table(),
            DeviceMetrics::table(),
            ApiRequestLogs::table(),
            ErrorLogs::table(),
            UserActivities::table(),
            JobOutcomes::table(),
            ConfigHistory::table(),
        ],
        signals: signals::signals(),
        targets: signals::targets(config),
        inputs: inventory::inputs(config),
        step_micros: u64::from(config.metrics_seconds) * SECOND as u64,
        attributes: Vec::new(),
    }
}

impl PosEstate {
    /// Opens a shard.
    pub fn new(config: Config, shard: Shard) -> Self {
        Self { estate: Estate::of(&config), config, shard, works: None }
    }

    /// Takes rows of an inventory.
    ///
    /// # Errors
    /// Where they do not fit together.
    pub fn feed(&mut self, input: &Input, rows: &Batch) -> Result<(), Error> {
        self.estate.feed(&self.config, input, rows)
    }

    /// The rows of a window.
    ///
    /// # Errors
    /// Where the window does not lie on the grid, or an inventory was to be fed and was not.
    pub fn advance(&mut self, window: Window, effects: &Effects, output: &mut Output) -> Result<(), Error> {
        let step = i64::from(self.config.metrics_seconds) * SECOND;
        if window.start.rem_euclid(step) != 0 || window.end.rem_euclid(step) != 0 {
            return Err(Error::failed(format!(
                "window {} to {} does not lie on the grid of {} s",
                window.start, window.end, self.config.metrics_seconds
            )));
        }
        if self.config.inventory == Inventory::Fed && self.estate.terminals.is_empty() {
            return Err(Error::failed("the inventory has no devices: name files for sites and devices in [inputs]"));
        }
        if window.start == self.shard.span.start {
            snapshots::write(&self.estate, &self.shard, &self.config, output)?;
        }
        let mut works = match self.works.take() {
            Some(works) => works,
            None => Works::new(&self.config, &self.estate, &self.shard)?,
        };
        works.log(window, &self.estate, &self.shard, acting(window, effects));
        let done = works.finish(effects, output);
        self.works = Some(works);
        done
    }
}

/// The effects, where any may act within a window.
fn acting(window: Window, effects: &Effects) -> Option<&Effects> {
    effects.any(window).then_some(effects)
}

impl Works {
    fn new(config: &Config, estate: &Estate, shard: &Shard) -> Result<Self, Error> {
        Ok(Self {
            rhythm: Rhythm::new(config, estate, shard.seed)?,
            agenda: Agenda::new(config, shard),
            agents: Agents::new(config, estate, shard.seed),
            metrics: MetricsLog::new(config, estate, shard),
            api: ApiLog::new(config, estate, shard.seed),
            errors: ErrorLog::new(),
            activities: ActivityLog::new(),
            jobs: JobLog::new(shard.seed),
        })
    }

    fn log(&mut self, window: Window, estate: &Estate, shard: &Shard, effects: Option<&Effects>) {
        self.metrics.log(window, estate, &mut self.rhythm, effects);
        let agents = self.agents;
        for (index, terminal) in estate.terminals.iter().enumerate().filter(|(at, _)| shard.owns(*at as u64)) {
            agents.run(index, terminal, window, effects, |sent| match sent {
                Sent::Call(request) => self.call(&request, estate, effects),
                Sent::Error(entry) => self.errors.push(&entry, estate),
            });
        }
        for event in self.agenda.take(window, estate, &mut self.rhythm, &self.jobs) {
            self.happen(&event, estate, shard.seed, effects);
        }
    }

    /// A call of the API, and its error where it fails.
    fn call(&mut self, request: &Request, estate: &Estate, effects: Option<&Effects>) {
        let rhythm = &mut self.rhythm;
        if let Some(entry) = self.api.log(request, |minute| rhythm.demand(minute), effects) {
            self.errors.push(&entry, estate);
        }
    }

    fn happen(&mut self, event: &Event, estate: &Estate, seed: u64, effects: Option<&Effects>) {
        let reached = |terminal: Option<usize>, t: Timestamp| {
            let (Some(effects), Some(index)) = (effects, terminal) else { return true };
            let Some(terminal) = estate.terminals.get(index) else { return true };
            !is_lost(seed, index, t, bend(effects, &terminal.chain, Signals::PacketLoss, t, NORMAL_LOSS, &mut None))
        };
        match event {
            Event::Activity(activity) => {
                if activity.at_site && site_is_cut(activity.site, activity.t, estate, effects) {
                    return;
                }
                let mut blame = None;
                let waits_for = Request { t: activity.t, ..activity.waits_for };
                let rhythm = &mut self.rhythm;
                let waits = self.api.latency_ms(&waits_for, |minute| rhythm.demand(minute), effects, &mut blame);
                let waits = waits.min(DEADLINE_MS);
                let incident = blame.map(|blame| blame.incident);
                self.activities.push(activity, RENDERING_MS + 1.3 * waits, incident, estate);
            }
            Event::Call(request) => {
                if !matches!(request.source, Source::User { .. })
                    || !site_is_cut(request.site, request.t, estate, effects)
                {
                    self.call(request, estate, effects);
                }
            }
            Event::Acknowledge(request) => {
                if reached(request.terminal, request.t) {
                    self.call(request, estate, effects);
                }
            }
            Event::Job(job) => self.jobs.log(job, estate, effects),
            Event::Error(entry) => {
                if reached(entry.terminal, entry.t) {
                    self.errors.push(entry, estate);
                }
            }
        }
    }

    fn finish(&mut self, effects: &Effects, output: &mut Output) -> Result<(), Error> {
        let ids = || effects.incidents().iter().map(|incident| incident.id.as_str());
        self.metrics.rows.incident_id.inner_mut().set_values(ids());
        self.api.rows.incident_id.inner_mut().set_values(ids());
        self.errors.rows.incident_id.inner_mut().set_values(ids());
        self.activities.rows.incident_id.inner_mut().set_values(ids());
        self.jobs.outcomes.incident_id.inner_mut().set_values(ids());
        self.metrics.rows.finish(output)?;
        self.api.rows.finish(output)?;
        self.errors.rows.finish(output)?;
        self.activities.rows.finish(output)?;
        self.jobs.outcomes.finish(output)?;
        self.jobs.changes.finish(output)
    }
}

/// Whether nobody at a site gets through: all of its terminals would lose their reports.
fn site_is_cut(site: usize, t: Timestamp, estate: &Estate, effects: Option<&Effects>) -> bool {
    let Some(effects) = effects else { return false };
    let Some(target) = estate.sites.get(site).map(|site| site.target) else { return false };
    let loss = effects.at(target, Signals::PacketLoss as usize, t).apply(NORMAL_LOSS);
    lost_share(loss) >= 0.5
}
