//! What a run is going to do: components found, configurations complete, tables declared, incidents placed. Made
//! from the spec alone, so that a resume and a verification plan the same.

use super::error::RunError;
use super::incidents::IncidentModels;
use super::inputs::{self, InputRows, ReadInput};
use super::named::TargetNames;
use super::shard::{Beginning, Making};
use super::spec::{Isolation, PluginUse, ResolvedSpec, SpecError};
use super::truth::PlannedIncident;
use crate::batch::{GuestBatch, TableLayout};
use crate::core::incident::Incident;
use crate::core::problem::Problem;
use crate::core::schema::Simulation;
use crate::plugin::{LogSink, Plugin, PluginKind, Registry, Shard};
use crate::store;
use crate::worker::Program;
use serde_json::Value;
use std::sync::Arc;

/// Microseconds of a second.
const SECOND_US: u64 = 1_000_000;

/// A plugin with its effective configuration.
#[derive(Clone)]
pub struct Configured {
    /// The plugin.
    pub plugin: Plugin,
    /// Its configuration, with every default filled in.
    pub config: Value,
}

/// A planned run.
pub struct Plan {
    /// The spec, without open choices.
    pub spec: ResolvedSpec,
    /// Makes the rows.
    pub generator: Configured,
    /// Judge them.
    pub validators: Vec<Configured>,
    /// What the generator declared.
    pub simulation: Simulation,
    /// Its tables as Arrow, in its order.
    pub layouts: Vec<TableLayout>,
    /// What goes wrong, by start, with the names that targets have in an inventory that is fed.
    pub incidents: Vec<PlannedIncident>,
    /// The components by role, in the spec's order.
    pub components: Vec<store::PluginUse>,
    /// Rows from outside, for every shard.
    pub inputs: Arc<[GuestBatch]>,
    /// What the generator calls targets that an input has other names for.
    pub(super) names: TargetNames,
    /// What starts the processes that the generator's code runs in; none where it runs on threads.
    pub(super) processes: Option<Processes>,
    /// Where plugins' logs go.
    pub log: LogSink,
}

impl Plan {
    /// Plans `spec`. `pinned` are the components of a run that was planned before, which is made again with them.
    ///
    /// # Errors
    /// What is wrong with the spec, a configuration or a plugin.
    pub fn make(
        registry: &Registry,
        spec: ResolvedSpec,
        pinned: Option<&[store::PluginUse]>,
        read_input: ReadInput,
        log: LogSink,
    ) -> Result<Self, RunError> {
        let (mut plan, mut models) = Self::open(registry, spec, pinned, read_input, log)?;
        let (incidents, unseen) = models.of_run(&plan.spec)?;
        // A run that is made again was taken as it is, and what a stream was goes on behind where it is looked at.
        if pinned.is_none() && plan.spec.spec().backfill_end.is_none() && !unseen.is_empty() {
            return Err(SpecError::Values(unseen).into());
        }
        plan.incidents = incidents;
        Ok(plan)
    }

    /// The same without its incidents, and the models that make them day by day: what a run without an end begins with.
    ///
    /// # Errors
    /// What is wrong with the spec, a configuration or a plugin.
    pub fn open(
        registry: &Registry,
        spec: ResolvedSpec,
        pinned: Option<&[store::PluginUse]>,
        read_input: ReadInput,
        log: LogSink,
    ) -> Result<(Self, IncidentModels), RunError> {
        let spec = match pinned {
            Some(_) => spec,
            None => {
                let digests = inputs::digests(spec.spec())?;
                spec.with_input_digests(digests)
            }
        };
        inputs::check_unchanged(&spec)?;
        let mut finder = Finder { registry, pinned: pinned.map(<[_]>::iter), components: Vec::new() };
        let generator = finder.find("generator", &spec.spec().generator, PluginKind::Generator)?;
        let mut models = Vec::new();
        for model in &spec.spec().incident_models {
            models.push(finder.find("incident-model", model, PluginKind::IncidentModel)?);
        }
        let mut validators = Vec::new();
        for validator in &spec.spec().validators {
            validators.push(finder.find("validator", validator, PluginKind::Validator)?);
        }
        let components = finder.components;
        let simulation = generator.plugin.generator(log.clone())?.plan(&generator.config)?;
        check_grid(&spec, &simulation)?;
        if pinned.is_none() {
            check_start(&spec, &simulation)?;
        }
        check_inputs(&spec, &simulation)?;
        let rows = InputRows::read(&spec, &simulation, read_input)?;
        let (shown, names) = TargetNames::of(&simulation, &rows)?;
        let models = IncidentModels::open(&spec, &models, shown, &log)?;
        let inputs = rows.to_guest(&simulation)?.into();
        let layouts = simulation.tables.iter().cloned().map(TableLayout::new).collect();
        let processes = Processes::of(registry, &spec, &generator)?;
        let plan = Self {
            spec,
            generator,
            validators,
            simulation,
            layouts,
            incidents: Vec::new(),
            components,
            inputs,
            names,
            processes,
            log,
        };
        Ok((plan, models))
    }

    /// The part of the simulation that partition `partition` of `partitions` makes.
    pub fn shard(&self, partition: u32, partitions: u32) -> Shard {
        Shard { seed: self.spec.seed(), partition, partitions, span: self.spec.window() }
    }

    /// What an instance begins with that is warned of `incidents`, which have the generator's own names of targets.
    pub(super) fn beginning(&self, incidents: Vec<Incident>) -> Beginning<'_> {
        Beginning { generator: &self.generator, incidents, inputs: &self.inputs, log: &self.log }
    }

    /// Incidents as the generator is told them: with its own names of targets.
    pub fn declared(&self, incidents: Vec<Incident>) -> Vec<Incident> {
        self.names.declared(incidents)
    }

    /// What every shard is made of.
    pub(super) fn making(&self) -> Making<'_> {
        Making {
            beginning: self.beginning(self.bare_incidents()),
            segments: self.spec.segments(),
            step_us: self.simulation.step_us,
            layouts: &self.layouts,
        }
    }

    /// The incidents alone, as the generator takes them.
    pub(super) fn bare_incidents(&self) -> Vec<Incident> {
        self.declared(self.incidents.iter().map(|planned| planned.incident.clone()).collect())
    }
}

/// Starts processes for code of plugins.
#[derive(Clone)]
pub(super) struct Processes {
    /// What they run.
    pub(super) program: Program,
    /// Has the components.
    pub(super) registry: Registry,
}

impl Processes {
    /// Those for `generator`, where `spec` or the plugin's origin asks for some.
    fn of(registry: &Registry, spec: &ResolvedSpec, generator: &Configured) -> Result<Option<Self>, RunError> {
        let asked = spec.spec().isolation;
        let wanted = match asked {
            Some(isolation) => isolation == Isolation::Process,
            None => !registry.ships(generator.plugin.digest()),
        };
        match registry.worker().cloned() {
            Some(program) if wanted => Ok(Some(Self { program, registry: registry.clone() })),
            None if wanted && asked.is_some() => {
                let problem = Problem::new("isolation", "this program can't start worker processes");
                Err(SpecError::Values(vec![problem]).into())
            }
            _ => Ok(None),
        }
    }
}

/// Finds components by reference, or by the digests of an earlier plan.
struct Finder<'a> {
    registry: &'a Registry,
    pinned: Option<std::slice::Iter<'a, store::PluginUse>>,
    components: Vec<store::PluginUse>,
}

impl Finder<'_> {
    fn find(&mut self, role: &str, wanted: &PluginUse, kind: PluginKind) -> Result<Configured, RunError> {
        let plugin = match self.pinned.as_mut().and_then(Iterator::next) {
            Some(pinned) => self.registry.load_digest(pinned.digest)?,
            None => self.registry.load(&wanted.plugin)?,
        };
        plugin.expect_kind(kind)?;
        let config = plugin.check_config(&Value::Object(wanted.config.clone()))?;
        let id = plugin.id();
        let (name, version, digest) = (id.name.clone(), id.version.clone(), plugin.digest());
        self.components.push(store::PluginUse { role: role.to_owned(), name, version, digest });
        Ok(Configured { plugin, config })
    }
}

/// Windows come in whole steps, so the span and its segments must, too.
fn check_grid(spec: &ResolvedSpec, simulation: &Simulation) -> Result<(), RunError> {
    let step = simulation.step_us;
    let lengths = [("duration", spec.spec().duration), ("segment", spec.spec().segment)];
    let uneven = lengths.into_iter().filter(|(_, length)| !length.us().is_multiple_of(step));
    let found: Vec<_> = uneven
        .map(|(key, length)| {
            Problem::new(key, format!("{length} is no whole number of the generator's steps of {step} us"))
        })
        .collect();
    if found.is_empty() { Ok(()) } else { Err(SpecError::Values(found).into()) }
}

/// Steps of whole seconds begin on one. On which of them, where a step has several, is the generator's business.
fn check_start(spec: &ResolvedSpec, simulation: &Simulation) -> Result<(), RunError> {
    let (start, step) = (spec.window().start, simulation.step_us);
    if !step.is_multiple_of(SECOND_US) || start.0.rem_euclid(SECOND_US.cast_signed()) == 0 {
        return Ok(());
    }
    let message = format!("{start} is no whole second, as the generator's steps of {step} us need it");
    Err(SpecError::Values(vec![Problem::new("start", message)]).into())
}

fn check_inputs(spec: &ResolvedSpec, simulation: &Simulation) -> Result<(), RunError> {
    let error =
        |input: &str, message: &str| Err(RunError::Input { input: input.to_owned(), message: message.to_owned() });
    for name in spec.spec().inputs.keys() {
        if !simulation.inputs.iter().any(|input| input.table == *name) {
            return error(name, "the generator does not take it");
        }
    }
    match simulation.inputs.iter().find(|input| input.required && !spec.spec().inputs.contains_key(&input.table)) {
        Some(missing) => error(&missing.table, "the generator can't do without it; name a file in [inputs]"),
        None => Ok(()),
    }
}
