//! What goes wrong: incident models asked for one whole UTC day after the other, and for incidents by hand.

use super::error::RunError;
use super::plan::Configured;
use super::spec::{PlacedIncident, ResolvedSpec};
use super::truth::PlannedIncident;
use crate::core::digest::Digest;
use crate::core::incident::{Bendable, Incident};
use crate::core::problem::Problem;
use crate::core::schema::Simulation;
use crate::core::time::{Timestamp, Window};
use crate::plugin::{IncidentModel, LogSink};
use std::collections::BTreeSet;

/// Most incidents of a run; each goes into every shard.
pub const MAX_INCIDENTS: usize = 100_000;

/// Most problems of a model that are told.
const MAX_PROBLEMS: usize = 20;

/// The incident models of a spec, opened for its span.
pub struct IncidentModels {
    models: Vec<Opened>,
    simulation: Simulation,
    /// Where the rows begin: what is over before is nobody's business.
    start: Timestamp,
}

struct Opened {
    /// The plugin's name.
    name: String,
    /// How the spec names it.
    reference: String,
    model: IncidentModel,
}

impl IncidentModels {
    /// Opens the models of `spec` in its order, each with a seed of its own, for a simulation with the names that people know.
    pub(super) fn open(
        spec: &ResolvedSpec,
        models: &[Configured],
        simulation: Simulation,
        log: &LogSink,
    ) -> Result<Self, RunError> {
        let mut opened = Vec::new();
        for ((index, Configured { plugin, config }), used) in
            models.iter().enumerate().zip(&spec.spec().incident_models)
        {
            let mut model = plugin.incident_model(log.clone())?;
            model.open(config, model_seed(spec, index), spec.planned_span(), &simulation.targets)?;
            opened.push(Opened { name: plugin.id().name.clone(), reference: used.plugin.clone(), model });
        }
        Ok(Self { models: opened, simulation, start: spec.window().start })
    }

    /// The incidents that start within `day`, a whole UTC day, and are not over before the rows begin; model by model.
    ///
    /// # Errors
    /// A model failed, or made incidents that the generator can't take.
    pub fn day(&mut self, day: Window) -> Result<Vec<PlannedIncident>, RunError> {
        let mut planned = Vec::new();
        for Opened { name, model, .. } in &mut self.models {
            let incidents = model.plan(day)?;
            take(&mut planned, &self.simulation, self.start, name, incidents, false)?;
        }
        Ok(planned)
    }

    /// One incident by hand, with what follows from it.
    ///
    /// # Errors
    /// No such model, kind or target; or incidents that the generator can't take.
    pub fn trigger(&mut self, placed: &PlacedIncident) -> Result<Vec<PlannedIncident>, RunError> {
        let mut planned = Vec::new();
        for Opened { name, model, .. } in self.models.iter_mut().filter(|model| model.reference == placed.model) {
            let length = placed.length.micros();
            let window = Window::from_start(placed.start, length);
            let incidents = model.trigger(&placed.kind, &placed.target, window)?;
            take(&mut planned, &self.simulation, self.start, name, incidents, true)?;
        }
        Ok(planned)
    }

    /// All incidents of a run, by start and id; and what is wrong with those by hand of which the run would see nothing.
    pub(super) fn of_run(&mut self, spec: &ResolvedSpec) -> Result<(Vec<PlannedIncident>, Vec<Problem>), RunError> {
        let mut planned = Vec::new();
        for day in spec.window().days() {
            planned.append(&mut self.day(day)?);
            // Looked at as they come: a span of centuries would be planned for hours, and in all the memory there is.
            check_number(planned.len(), day.end)?;
        }
        let mut unseen = Vec::new();
        for (index, placed) in spec.spec().incident.iter().enumerate() {
            let mut made = self.trigger(placed)?;
            if !made.iter().any(|planned| planned.incident.window.start < spec.window().end) {
                let message = format!("{} lies outside of the run, which covers {}", placed.start, spec.window());
                unseen.push(Problem::new(format!("incident[{index}].start"), message));
            }
            planned.append(&mut made);
            check_number(planned.len(), spec.window().end)?;
        }
        // What starts behind the span is nobody's business either.
        planned.retain(|planned| planned.incident.window.start < spec.window().end);
        planned
            .sort_by(|a, b| (a.incident.window.start, &a.incident.id).cmp(&(b.incident.window.start, &b.incident.id)));
        check_ids(&mut planned)?;
        Ok((planned, unseen))
    }
}

/// A seed of its own for every incident model, so that two of a kind do not do the same.
fn model_seed(spec: &ResolvedSpec, index: usize) -> u64 {
    let parts = [b"incident-model".as_slice(), &spec.seed().to_le_bytes(), &(index as u64).to_le_bytes()];
    let digest = Digest::of_parts(parts).to_string();
    digest.get(..16).and_then(|head| u64::from_str_radix(head, 16).ok()).unwrap_or_default()
}

/// Takes over what a model made, checked against what the generator simulates.
fn take(
    planned: &mut Vec<PlannedIncident>,
    simulation: &Simulation,
    start: Timestamp,
    model: &str,
    incidents: Vec<Incident>,
    placed: bool,
) -> Result<(), RunError> {
    let bendable = Bendable::of(simulation);
    let faults = incidents.iter().flat_map(|incident| incident.problems(&bendable));
    let problems: Vec<_> = faults.take(MAX_PROBLEMS).collect();
    if !problems.is_empty() {
        return Err(RunError::Incidents { model: model.to_owned(), problems });
    }
    let inside = incidents.into_iter().filter(|incident| incident.recovered > start);
    planned.extend(inside.map(|incident| PlannedIncident { model: model.to_owned(), placed, incident }));
    Ok(())
}

/// A run has no more incidents than its shards can take.
fn check_number(incidents: usize, until: Timestamp) -> Result<(), RunError> {
    if incidents <= MAX_INCIDENTS {
        return Ok(());
    }
    let message = format!("{incidents} incidents until {until} alone; at most {MAX_INCIDENTS} are allowed in a run");
    Err(RunError::Incidents { model: "all models".to_owned(), problems: vec![Problem::new("duration", message)] })
}

/// Ids are unique, and a cause that lies outside the span is not named.
fn check_ids(planned: &mut [PlannedIncident]) -> Result<(), RunError> {
    let mut ids = BTreeSet::new();
    for PlannedIncident { model, incident, .. } in planned.iter() {
        if !ids.insert(incident.id.clone()) {
            let problems = vec![Problem::new(format!("incident {}", incident.id), "the id is given twice in one run")];
            return Err(RunError::Incidents { model: model.clone(), problems });
        }
    }
    for PlannedIncident { incident, .. } in planned {
        incident.cause = incident.cause.take().filter(|cause| ids.contains(cause));
    }
    Ok(())
}
