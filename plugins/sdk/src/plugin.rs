//! The traits that a plugin implements, one per kind. They know nothing of WASM.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{
    Attribute, Batch, Effects, Error, Incident, Input, Kind, Output, Problem, Report, Selection, Simulation, Table,
    Target, Window,
};

/// A configuration (JSON) that must work; the conformance check runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// A name for people.
    pub name: String,
    /// The configuration, as JSON.
    pub config: String,
}

impl Example {
    /// An example.
    pub fn new(name: impl Into<String>, config: impl Into<String>) -> Self {
        Self { name: name.into(), config: config.into() }
    }
}

/// What a plugin tells about itself. The schema of its configuration is added from its type.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// Lower-case words joined by hyphens; `env!("CARGO_PKG_NAME")`.
    pub name: String,
    /// Semantic version; `env!("CARGO_PKG_VERSION")`.
    pub version: String,
    /// One line.
    pub summary: String,
    /// Markdown for the person who configures it; `include_str!("../README.md")`.
    pub documentation: String,
    /// Configurations that must work.
    pub examples: Vec<Example>,
    /// What else there is to say.
    pub attributes: Vec<Attribute>,
}

/// The part of a run that one instance makes: the entities and events with index % partitions == partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The run's seed.
    pub seed: u64,
    /// Which part.
    pub partition: u32,
    /// Of how many.
    pub partitions: u32,
    /// The whole run; its end is the largest timestamp for a stream without an end, and no row may depend on it.
    pub span: Window,
}

impl Shard {
    /// Whether an entity or event of this index belongs to this shard.
    pub fn owns(&self, index: u64) -> bool {
        index % u64::from(self.partitions.max(1)) == u64::from(self.partition)
    }
}

/// Simulates a system over time and emits the rows that it would have logged.
pub trait Generator: Sized + 'static {
    /// The configuration. Put `#[serde(default, deny_unknown_fields)]` on it, so that `{}` works and a misspelt key does not.
    type Config: DeserializeOwned + Serialize + JsonSchema + Default;
    /// What must survive from one segment to the next; `()` where nothing must.
    type State: Serialize + DeserializeOwned;

    /// What it tells about itself.
    fn about() -> About;

    /// What the schema can't say of a configuration; empty where it is good.
    fn check(config: &Self::Config) -> Vec<Problem> {
        let _ = config;
        Vec::new()
    }

    /// What a configuration simulates.
    ///
    /// # Errors
    /// Where the configuration can't be used.
    fn plan(config: &Self::Config) -> Result<Simulation, Error>;

    /// Begins a shard.
    ///
    /// # Errors
    /// Where the configuration can't be used.
    fn open(config: Self::Config, shard: Shard) -> Result<Self, Error>;

    /// Takes rows of an input that [`Generator::plan`] asked for; columns in the order of `input.fields`.
    ///
    /// # Errors
    /// Where the rows can't be used; without an implementation, always.
    fn feed(&mut self, input: &Input, rows: &Batch) -> Result<(), Error> {
        let _ = rows;
        Err(Error::failed(format!("this generator takes no rows of {:?}", input.table)))
    }

    /// The rows of a window of any whole number of steps: the same as its steps one by one.
    ///
    /// # Errors
    /// Where it can't go on.
    fn advance(&mut self, window: Window, effects: &Effects, output: &mut Output) -> Result<(), Error>;

    /// What [`Generator::restore`] needs to go on as if nothing had happened; none where no state is carried.
    fn save(&self) -> Option<Self::State> {
        None
    }

    /// Goes on from a saved state, instead of [`Generator::open`].
    ///
    /// # Errors
    /// `UnsupportedState` where the state does not fit.
    fn restore(config: Self::Config, shard: Shard, state: Self::State) -> Result<Self, Error> {
        let _ = state;
        Self::open(config, shard)
    }
}

/// Decides what goes wrong, when and with which effects.
pub trait IncidentModel: Sized + 'static {
    /// The configuration; see [`Generator::Config`].
    type Config: DeserializeOwned + Serialize + JsonSchema + Default;

    /// What it tells about itself.
    fn about() -> About;

    /// What the schema can't say of a configuration; empty where it is good.
    fn check(config: &Self::Config) -> Vec<Problem> {
        let _ = config;
        Vec::new()
    }

    /// The kinds of incident that it knows.
    fn kinds() -> Vec<Kind>;

    /// Begins a run over `span` on these targets.
    ///
    /// # Errors
    /// Where the configuration can't be used.
    fn open(config: Self::Config, seed: u64, span: Window, targets: Vec<Target>) -> Result<Self, Error>;

    /// The incidents that start within one whole UTC day.
    ///
    /// # Errors
    /// Where it can't go on.
    fn plan(&self, day: Window) -> Result<Vec<Incident>, Error>;

    /// One incident by hand, with what follows from it.
    ///
    /// # Errors
    /// Where there is no such kind or target.
    fn trigger(&self, kind: &str, target: &str, window: Window) -> Result<Vec<Incident>, Error>;
}

/// Judges rows, and keeps what it saw until it is asked for its report.
pub trait Validator: Sized + 'static {
    /// The configuration; see [`Generator::Config`].
    type Config: DeserializeOwned + Serialize + JsonSchema + Default;

    /// What it tells about itself.
    fn about() -> About;

    /// What the schema can't say of a configuration; empty where it is good.
    fn check(config: &Self::Config) -> Vec<Problem> {
        let _ = config;
        Vec::new()
    }

    /// Begins a judgement of `tables` over `window`, and says which columns it reads.
    ///
    /// # Errors
    /// Where the configuration can't be used on these tables.
    fn open(config: Self::Config, tables: &[Table], window: Window) -> Result<(Self, Vec<Selection>), Error>;

    /// Looks at rows; `batch.table` counts the selections.
    ///
    /// # Errors
    /// Where it can't go on.
    fn observe(&mut self, batch: &Batch) -> Result<(), Error>;

    /// What it found.
    ///
    /// # Errors
    /// Where it can't say.
    fn finish(&mut self) -> Result<Report, Error>;
}
