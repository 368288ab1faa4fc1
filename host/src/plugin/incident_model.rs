//! An incident model's instance: the contract's functions with the host's own types, and checks on what comes back.

use super::bindings::incident_model::IncidentModelOnly;
use super::check::Metered;
use super::convert;
use super::engine::Plugin;
use super::error::PluginError;
use super::instance::Instance;
use super::log::LogSink;
use crate::core::id::label_fault;
use crate::core::incident::Incident;
use crate::core::printable::printable;
use crate::core::problem::Problem;
use crate::core::schema::Target;
use crate::core::time::Window;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// Most incidents of one call: more than one every ten seconds is no incident any more.
const MAX_INCIDENTS: usize = 10_000;
/// Most kinds of one model.
const MAX_KINDS: usize = 256;

/// A kind of incident that a model can bring about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentKind {
    /// How a spec names it.
    pub name: String,
    /// One sentence.
    pub summary: String,
}

/// An instance of an incident model.
pub struct IncidentModel {
    instance: Instance,
    exports: IncidentModelOnly,
}

impl Metered for IncidentModel {
    fn instance(&self) -> &Instance {
        &self.instance
    }
}

impl Plugin {
    /// A new instance; its log goes to `sink`.
    ///
    /// # Errors
    /// Not an incident model, or an instance that can't be made within the limits.
    pub fn incident_model(&self, sink: LogSink) -> Result<IncidentModel, PluginError> {
        let indices = self.incident_model_exports()?;
        let (mut instance, made) = self.instantiate(sink)?;
        let exports = instance.call("instantiate", |store| indices.load(&mut *store, &made))?;
        Ok(IncidentModel { instance, exports })
    }
}

impl IncidentModel {
    /// What it can bring about.
    ///
    /// # Errors
    /// Kinds that can't be told apart, or what every call can fail with.
    pub fn kinds(&mut self) -> Result<Vec<IncidentKind>, PluginError> {
        let guest = self.exports.telemill_plugin_incident_model();
        let kinds = self.instance.take("kinds", |store| guest.call_kinds(store))?;
        if kinds.len() > MAX_KINDS {
            let message = format!("it has {} kinds; at most {MAX_KINDS} are allowed", kinds.len());
            return Err(self.instance.broken("kinds", vec![Problem::new("", message)]));
        }
        let kinds = convert::list(kinds, |kind| IncidentKind { name: kind.name, summary: printable(&kind.summary) });
        let problems = kind_problems(&kinds);
        if problems.is_empty() { Ok(kinds) } else { Err(self.instance.broken("kinds", problems)) }
    }

    /// Prepares it for a run over `span` that simulates `targets`.
    ///
    /// # Errors
    /// A bad configuration, or what every call can fail with.
    pub fn open(&mut self, config: &Value, seed: u64, span: Window, targets: &[Target]) -> Result<(), PluginError> {
        let guest = self.exports.telemill_plugin_incident_model();
        let (text, span) = (config.to_string(), convert::window(span));
        let targets: Vec<_> = targets.iter().map(convert::target).collect();
        self.instance.ask("open", |store| guest.call_open(store, &text, seed, span, &targets))
    }

    /// The incidents that start within one whole UTC day. Whether targets and signals exist is the caller's to check
    /// ([`Incident::problems`]).
    ///
    /// # Errors
    /// Incidents that start on another day, or what every call can fail with.
    pub fn plan(&mut self, day: Window) -> Result<Vec<Incident>, PluginError> {
        let guest = self.exports.telemill_plugin_incident_model();
        let planned = self.instance.ask("plan", |store| guest.call_plan(store, convert::window(day)))?;
        let incidents = self.accept("plan", convert::list(planned, convert::incident_from))?;
        let elsewhere = incidents.iter().filter(|incident| !day.contains(incident.window.start));
        let problems: Vec<_> = elsewhere
            .map(|incident| {
                let message = format!("starts at {}, outside the day {day}", incident.window.start);
                Problem::new(format!("incident {}", incident.id), message)
            })
            .collect();
        if problems.is_empty() { Ok(incidents) } else { Err(self.instance.broken("plan", problems)) }
    }

    /// One incident by hand, with what follows from it.
    ///
    /// # Errors
    /// A kind or a target that the model does not know, or what every call can fail with.
    pub fn trigger(&mut self, kind: &str, target: &str, window: Window) -> Result<Vec<Incident>, PluginError> {
        let guest = self.exports.telemill_plugin_incident_model();
        let window = convert::window(window);
        let made = self.instance.ask("trigger", |store| guest.call_trigger(store, kind, target, window))?;
        self.accept("trigger", convert::list(made, convert::incident_from))
    }

    fn accept(&self, call: &'static str, incidents: Vec<Incident>) -> Result<Vec<Incident>, PluginError> {
        let mut problems = Vec::new();
        if incidents.len() > MAX_INCIDENTS {
            let message = format!("it returned {} incidents; at most {MAX_INCIDENTS} are allowed", incidents.len());
            problems.push(Problem::new("", message));
        }
        let mut ids = BTreeSet::new();
        for incident in incidents.iter().take(MAX_INCIDENTS) {
            if !ids.insert(incident.id.as_str()) {
                problems.push(Problem::new(format!("incident {}", printable(&incident.id)), "the id is used twice"));
            }
        }
        if problems.is_empty() { Ok(incidents) } else { Err(self.instance.broken(call, problems)) }
    }
}

fn kind_problems(kinds: &[IncidentKind]) -> Vec<Problem> {
    let mut names = BTreeSet::new();
    let faults = kinds.iter().filter_map(|kind| {
        let twice = (!names.insert(kind.name.as_str())).then_some("is there twice");
        label_fault(&kind.name).or(twice).map(|fault| Problem::new(format!("kind {:?}", kind.name), fault))
    });
    faults.collect()
}
