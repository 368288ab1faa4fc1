//! What happens between two calls of the host, for each kind of plugin: configurations are read, effects
//! gathered, states packed. It is the same on WASM and natively.

use std::sync::Arc;

use crate::{
    Batch, Column, Effects, Error, Generator, Incident, IncidentModel, Input, Output, Problem, Report, Selection,
    Shard, Simulation, Table, TableKind, Target, Validator, Window, config,
};

mod state;

/// A generator at work on one shard.
#[derive(Debug)]
pub struct GeneratorSession<G> {
    generator: G,
    inputs: Vec<Input>,
    fed: Arc<[Table]>,
    effects: Effects,
    output: Output,
}

fn refuse(problems: Vec<Problem>) -> Result<(), Error> {
    if problems.is_empty() { Ok(()) } else { Err(Error::InvalidConfig(problems)) }
}

/// A table of some fields and nothing else.
fn bare_table(name: &str, fields: Vec<crate::Field>) -> Table {
    Table {
        name: name.to_owned(),
        summary: String::new(),
        kind: TableKind::Events,
        fields,
        primary_key: Vec::new(),
        time_field: None,
        attributes: Vec::new(),
    }
}

impl<G: Generator> GeneratorSession<G> {
    /// What the schema can't say of a configuration.
    pub fn check(json: &str) -> Vec<Problem> {
        match config::parse(json) {
            Ok(config) => G::check(&config),
            Err(Error::InvalidConfig(problems)) => problems,
            Err(other) => vec![Problem::new("", other.to_string())],
        }
    }

    /// What a configuration simulates.
    ///
    /// # Errors
    /// Where it can't be used.
    pub fn plan(json: &str) -> Result<Simulation, Error> {
        let config = config::parse(json)?;
        refuse(G::check(&config))?;
        G::plan(&config)
    }

    /// Begins a shard.
    ///
    /// # Errors
    /// Where the configuration or the shard can't be used.
    pub fn open(json: &str, shard: Shard) -> Result<Self, Error> {
        Self::begin(json, shard, G::open)
    }

    /// Goes on from what [`GeneratorSession::save`] gave.
    ///
    /// # Errors
    /// `UnsupportedState` where the state can't be read.
    pub fn restore(json: &str, shard: Shard, state: &[u8]) -> Result<Self, Error> {
        let state = state::unpack(&G::about(), state)?;
        Self::begin(json, shard, |config, shard| G::restore(config, shard, state))
    }

    fn begin(json: &str, shard: Shard, open: impl FnOnce(G::Config, Shard) -> Result<G, Error>) -> Result<Self, Error> {
        if shard.partition >= shard.partitions {
            return Err(Error::failed(format!("there is no partition {} of {}", shard.partition, shard.partitions)));
        }
        let config: G::Config = config::parse(json)?;
        refuse(G::check(&config))?;
        let simulation = G::plan(&config)?;
        let effects = Effects::new(&simulation);
        let fed = simulation.inputs.iter().map(|input| bare_table(&input.table, input.fields.clone())).collect();
        Ok(Self {
            generator: open(config, shard)?,
            effects,
            fed,
            inputs: simulation.inputs,
            output: Output::new(simulation.tables),
        })
    }

    /// Takes rows of the input that `table` counts.
    ///
    /// # Errors
    /// Where there is no such input, or the generator refuses.
    pub fn feed(&mut self, table: u32, rows: u32, columns: Vec<Column>) -> Result<(), Error> {
        let input = self
            .inputs
            .get(table as usize)
            .ok_or_else(|| Error::failed(format!("rows of input {table}, and there are {}", self.inputs.len())))?;
        self.generator.feed(input, &Batch::new(table, rows, columns, Arc::clone(&self.fed)))
    }

    /// Makes incidents known.
    ///
    /// # Errors
    /// Where an effect makes no sense.
    pub fn inject(&mut self, incidents: Vec<Incident>) -> Result<(), Error> {
        self.effects.inject(incidents)
    }

    /// The rows of a window.
    ///
    /// # Errors
    /// Where the generator can't go on.
    pub fn advance(&mut self, window: Window) -> Result<Vec<Batch>, Error> {
        self.effects.prepare(window);
        self.generator.advance(window, &self.effects, &mut self.output)?;
        Ok(self.output.take())
    }

    /// What [`GeneratorSession::restore`] needs, if anything.
    ///
    /// # Errors
    /// Where the state's type can't be written by postcard.
    pub fn save(&self) -> Result<Option<Vec<u8>>, Error> {
        self.generator.save().map(|state| state::pack(&G::about(), &state)).transpose()
    }

    /// The generator itself.
    pub fn generator(&self) -> &G {
        &self.generator
    }
}

/// An incident model at work on one run.
#[derive(Debug)]
pub struct IncidentModelSession<M> {
    model: M,
}

impl<M: IncidentModel> IncidentModelSession<M> {
    /// What the schema can't say of a configuration.
    pub fn check(json: &str) -> Vec<Problem> {
        match config::parse(json) {
            Ok(config) => M::check(&config),
            Err(Error::InvalidConfig(problems)) => problems,
            Err(other) => vec![Problem::new("", other.to_string())],
        }
    }

    /// Begins a run.
    ///
    /// # Errors
    /// Where the configuration can't be used.
    pub fn open(json: &str, seed: u64, span: Window, targets: Vec<Target>) -> Result<Self, Error> {
        let config: M::Config = config::parse(json)?;
        refuse(M::check(&config))?;
        Ok(Self { model: M::open(config, seed, span, targets)? })
    }

    /// The incidents that start within one UTC day.
    ///
    /// # Errors
    /// Where the model can't go on.
    pub fn plan(&self, day: Window) -> Result<Vec<Incident>, Error> {
        self.model.plan(day)
    }

    /// One incident by hand.
    ///
    /// # Errors
    /// Where there is no such kind or target.
    pub fn trigger(&self, kind: &str, target: &str, window: Window) -> Result<Vec<Incident>, Error> {
        self.model.trigger(kind, target, window)
    }
}

/// A validator at work on one dataset.
#[derive(Debug)]
pub struct ValidatorSession<V> {
    validator: V,
    selections: Vec<Selection>,
    /// The tables of the selections, with the selected columns alone.
    selected: Arc<[Table]>,
}

impl<V: Validator> ValidatorSession<V> {
    /// What the schema can't say of a configuration.
    pub fn check(json: &str) -> Vec<Problem> {
        match config::parse(json) {
            Ok(config) => V::check(&config),
            Err(Error::InvalidConfig(problems)) => problems,
            Err(other) => vec![Problem::new("", other.to_string())],
        }
    }

    /// Begins a judgement.
    ///
    /// # Errors
    /// Where the configuration can't be used on these tables, or the validator selects what is not there.
    pub fn open(json: &str, tables: &[Table], window: Window) -> Result<Self, Error> {
        let config: V::Config = config::parse(json)?;
        refuse(V::check(&config))?;
        let (validator, selections) = V::open(config, tables, window)?;
        let selected =
            selections.iter().map(|selection| selected_table(selection, tables)).collect::<Result<_, _>>()?;
        Ok(Self { validator, selections, selected })
    }

    /// The columns that it reads.
    pub fn selections(&self) -> &[Selection] {
        &self.selections
    }

    /// Looks at rows of the selection that `table` counts.
    ///
    /// # Errors
    /// Where the columns are not those selected, or the validator can't go on.
    pub fn observe(&mut self, table: u32, rows: u32, columns: Vec<Column>) -> Result<(), Error> {
        let declared = self.selected.get(table as usize).ok_or_else(|| {
            Error::failed(format!("rows of selection {table}, and there are {}", self.selected.len()))
        })?;
        if declared.fields.len() != columns.len() {
            return Err(Error::failed(format!(
                "selection of {:?} has {} columns and got {}",
                declared.name,
                declared.fields.len(),
                columns.len()
            )));
        }
        self.validator.observe(&Batch::new(table, rows, columns, Arc::clone(&self.selected)))
    }

    /// What it found.
    ///
    /// # Errors
    /// Where it can't say.
    pub fn finish(&mut self) -> Result<Report, Error> {
        self.validator.finish()
    }
}

fn selected_table(selection: &Selection, tables: &[Table]) -> Result<Table, Error> {
    let table = tables
        .iter()
        .find(|table| table.name == selection.table)
        .ok_or_else(|| Error::failed(format!("selection of table {:?}, which is not there", selection.table)))?;
    let fields = selection
        .columns
        .iter()
        .map(|name| {
            table.field(name).cloned().ok_or_else(|| {
                Error::failed(format!("selection of column {name:?} of {:?}, which is not there", selection.table))
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(bare_table(&selection.table, fields))
}
