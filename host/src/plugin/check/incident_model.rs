//! The laws of incident models: incidents follow from configuration, seed and day, in whatever order days are asked for.

use super::apart::{self, Again, Elsewhere};
use super::meter::Meter;
use super::pairs::alike;
use super::sample::Sample;
use super::{CheckOptions, Config, Record, text};
use crate::core::incident::{Bendable, Incident};
use crate::core::problem;
use crate::core::schema::{Simulation, Target};
use crate::core::time::{DAY_US, Window};
use crate::plugin::engine::{Engine, Plugin};
use crate::plugin::error::PluginError;
use crate::plugin::incident_model::IncidentModel;
use crate::plugin::log::log_nowhere;
use serde_json::Value;
use std::collections::BTreeSet;

/// Days that are planned.
const DAYS: i64 = 7;
/// Most problems that a message lists.
const MAX_LISTED: usize = 5;

pub(super) fn check(
    record: &mut Record,
    engine: &Engine,
    plugin: &Plugin,
    configs: &[Config],
    options: &CheckOptions,
    (meter, elsewhere): (&Meter, Option<&Elsewhere<'_>>),
) {
    let span = span(options);
    let suits = |simulation: &Simulation| suits(plugin, configs, simulation, options, meter);
    let simulation = match Sample::simulation(engine, options, &suits) {
        Ok(simulation) => simulation,
        Err(why) => {
            record.skip("laws", &why);
            return;
        }
    };
    let trial = Trial { plugin, simulation: &simulation, span, seed: options.seed, meter };
    for (index, config) in configs.iter().enumerate() {
        let planned = record.make(&format!("incidents: {}", config.name), || {
            let planned = trial.plan(config, false).map_err(text)?;
            let decoys = planned.iter().filter(|incident| incident.role == crate::core::incident::Role::Decoy).count();
            Ok((format!("{} in {DAYS} days, {decoys} of them decoys", planned.len()), planned))
        });
        let Some(planned) = planned else { continue };
        record.make(&format!("targets and signals: {}", config.name), || trial.sound(&planned));
        if index == 0 {
            record.make("same seed, same incidents", || {
                let others = trial.plan_apart(config).map_err(text)?;
                same(&planned, &others, "instances with the same seed that were asked for one day each planned others")
            });
            let targets = simulation.targets.clone();
            let again = Again::Incidents { seed: options.seed, span, targets };
            apart::check(record, "another process, same incidents", elsewhere, config, (again, &[]), |made| {
                let others = apart::unpacked::<Vec<Vec<Incident>>>(made)?.concat();
                same(&planned, &others, "another process with the same seed planned others").map(|(seen, ())| seen)
            });
            record.make("days in another order, same incidents", || {
                let backwards = trial.plan(config, true).map_err(text)?;
                same(&planned, &backwards, "asked for the last day first, it planned others")
            });
            triggers(record, &trial, config);
        }
    }
}

/// Bit by bit, since what is no number equals nothing.
fn same(one: &[Incident], other: &[Incident], otherwise: &str) -> Result<(String, ()), String> {
    let equal = apart::packed(&one)? == apart::packed(&other)?;
    if equal { Ok((String::new(), ())) } else { Err(otherwise.to_owned()) }
}

/// The days that are planned.
fn span(options: &CheckOptions) -> Window {
    Window::from_start(options.start.day_start(), DAYS * DAY_US)
}

/// How many kinds of incident some target of a simulation takes.
pub(super) fn suits(
    plugin: &Plugin,
    configs: &[Config],
    simulation: &Simulation,
    options: &CheckOptions,
    meter: &Meter,
) -> usize {
    let trial = Trial { plugin, simulation, span: span(options), seed: options.seed, meter };
    let kinds = trial.kinds().unwrap_or_default();
    let config = configs.first();
    kinds.iter().filter(|kind| config.is_some_and(|config| trial.trigger(config, kind).is_ok())).count()
}

/// Every kind can be brought about by hand, on at least one target.
fn triggers(record: &mut Record, trial: &Trial<'_>, config: &Config) {
    let kinds = record.make("kinds", || {
        let names = trial.kinds().map_err(text)?;
        if names.is_empty() { Err("it has none".to_owned()) } else { Ok((names.join(", "), names)) }
    });
    for kind in kinds.unwrap_or_default() {
        record.make(&format!("trigger {kind}"), || trial.trigger(config, &kind));
    }
}

/// An instance for seed, span and targets.
fn opened(
    plugin: &Plugin,
    config: &Value,
    (seed, span, targets): (u64, Window, &[Target]),
    meter: &Meter,
) -> Result<IncidentModel, PluginError> {
    let mut model = plugin.incident_model(log_nowhere())?;
    meter.call("open", &mut model, |model| model.open(config, seed, span, targets))?;
    Ok(model)
}

/// The incidents of each of `days`, asked for in their order.
pub(super) fn planned(
    plugin: &Plugin,
    config: &Value,
    world: (u64, Window, &[Target]),
    days: Vec<Window>,
    meter: &Meter,
) -> Result<Vec<Vec<Incident>>, PluginError> {
    let mut model = opened(plugin, config, world, meter)?;
    days.into_iter().map(|day| meter.call("plan", &mut model, |model| model.plan(day))).collect()
}

struct Trial<'a> {
    plugin: &'a Plugin,
    simulation: &'a Simulation,
    span: Window,
    seed: u64,
    meter: &'a Meter,
}

impl Trial<'_> {
    /// The names of the kinds of incident.
    fn kinds(&self) -> Result<Vec<String>, PluginError> {
        let kinds = self.plugin.incident_model(log_nowhere())?.kinds()?;
        Ok(kinds.into_iter().map(|kind| kind.name).collect())
    }

    fn open(&self, config: &Config) -> Result<IncidentModel, PluginError> {
        opened(self.plugin, &config.effective, self.world(), self.meter)
    }

    fn world(&self) -> (u64, Window, &[Target]) {
        (self.seed, self.span, &self.simulation.targets)
    }

    /// The incidents of all days, in the order of the days.
    fn plan(&self, config: &Config, backwards: bool) -> Result<Vec<Incident>, PluginError> {
        let mut days: Vec<_> = self.span.days().collect();
        if backwards {
            days.reverse();
        }
        let mut incidents = planned(self.plugin, &config.effective, self.world(), days, self.meter)?;
        if backwards {
            incidents.reverse();
        }
        Ok(incidents.into_iter().flatten().collect())
    }

    /// The same from an instance for each day. With the same calls, an instance can't but do the same.
    fn plan_apart(&self, config: &Config) -> Result<Vec<Incident>, PluginError> {
        let mut incidents = Vec::new();
        for day in self.span.days() {
            incidents.extend(planned(self.plugin, &config.effective, self.world(), vec![day], self.meter)?);
        }
        Ok(incidents.concat())
    }

    /// Ids are unique, causes are known, effects act on what there is.
    fn sound(&self, incidents: &[Incident]) -> Result<(String, ()), String> {
        let bendable = Bendable::of(self.simulation);
        let mut problems: Vec<_> = incidents.iter().flat_map(|incident| incident.problems(&bendable)).collect();
        let mut ids = BTreeSet::new();
        for incident in incidents {
            if !ids.insert(incident.id.as_str()) {
                problems.push(problem::Problem::new(format!("incident {}", incident.id), "the id is used twice"));
            }
        }
        for incident in incidents {
            if let Some(cause) = incident.cause.as_deref().filter(|cause| !ids.contains(cause)) {
                let message = format!("its cause {cause:?} is no incident of the plan");
                problems.push(problem::Problem::new(format!("incident {}", incident.id), message));
            }
        }
        let listed: Vec<_> = problems.iter().take(MAX_LISTED).cloned().collect();
        if problems.is_empty() {
            Ok((String::new(), ()))
        } else {
            Err(format!("{} problems: {}", problems.len(), problem::join(&listed)))
        }
    }

    fn trigger(&self, config: &Config, kind: &str) -> Result<(String, ()), String> {
        let window = Window::from_start(self.span.start.plus_us(DAY_US / 2), 600_000_000);
        let mut refused = String::new();
        for target in alike(self.simulation).iter().filter_map(|group| group.first()) {
            // An instance each, because a refusal may be a crash.
            let made = self.open(config).and_then(|mut model| {
                self.meter.call("trigger", &mut model, |model| model.trigger(kind, &target.name, window))
            });
            match made {
                Ok(incidents) if incidents.iter().any(|incident| incident.kind == kind) => {
                    self.sound(&incidents)?;
                    return Ok((format!("{} incidents on {}", incidents.len(), target.name), ()));
                }
                Ok(_) => refused = format!("on {} it brought about no incident of that kind", target.name),
                Err(PluginError::Failed { message, .. }) => refused = message,
                Err(PluginError::InvalidConfig { problems, .. }) => refused = problem::join(&problems),
                Err(error) => return Err(error.to_string()),
            }
        }
        Err(format!("no target takes it: {refused}; name the generator that it is made for with `--generator`"))
    }
}
