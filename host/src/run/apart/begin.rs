//! What every worker of a generator begins with: an engine of its own, the plugin, and what an instance of it is told.

use super::broken;
use super::job::{Opening, unpack};
use crate::batch::GuestBatch;
use crate::core::incident::Incident;
use crate::plugin::{Engine, LineForm, LogSink, Shard};
use crate::run::error::RunError;
use crate::run::plan::Configured;
use crate::run::shard::Beginning;
use crate::worker::Link;
use serde::Serialize;
use std::io;
use std::sync::Arc;

/// An [`Opening`] as it arrived.
pub(super) struct Begun {
    pub(super) shard: Shard,
    pub(super) state: Option<Vec<u8>>,
    generator: Configured,
    incidents: Vec<Incident>,
    inputs: Vec<GuestBatch>,
    log: LogSink,
}

impl Begun {
    /// Loads what `opening` asks for; `blobs` are those of its frame.
    pub(super) fn new(opening: Opening, mut blobs: Vec<Vec<u8>>, log: LogSink) -> Result<Self, RunError> {
        let mut blob = || blobs.pop().ok_or_else(|| broken(io::ErrorKind::UnexpectedEof.into()));
        let (state, given, component) = (blob()?, blob()?, blob()?);
        let Opening { origin, config, shard, saved, limits, cache_dir } = opening;
        let (incidents, inputs) = unpack(&given).map_err(broken)?;
        let plugin = Engine::new(limits, cache_dir.as_deref())?.load(&origin, &component)?;
        let generator = Configured { plugin, config };
        Ok(Self { shard, state: saved.then_some(state), generator, incidents, inputs, log })
    }

    /// What an instance begins with, besides the state.
    pub(super) fn beginning(&self) -> Beginning<'_> {
        let Self { generator, inputs, log, .. } = self;
        Beginning { generator, incidents: self.incidents.clone(), inputs, log }
    }
}

/// A sink whose lines go to whoever reads `link`, each as the word that `said` makes of it.
pub(super) fn telling<W: Serialize + 'static>(link: &Arc<Link>, said: fn(LineForm) -> W) -> LogSink {
    let link = Arc::clone(link);
    // A line that nobody takes any more is lost with the process.
    Arc::new(move |line| drop(link.say(&said(LineForm::from(line)), Vec::new())))
}
