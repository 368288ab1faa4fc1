//! An open shard: its caller asks for window after window for as long as it likes. Where the generator's code runs, on
//! this thread or in a process of its own, is the plan's matter.

use super::apart::Remote;
use super::error::RunError;
use super::plan::Plan;
use crate::batch::TableLayout;
use crate::core::incident::Incident;
use crate::core::time::Window;
use crate::plugin::{Generator, Shard};
use arrow::array::RecordBatch;

/// An instance of a plan's generator.
pub struct OpenShard(Place);

enum Place {
    Here(Box<Generator>),
    Apart(Box<Remote>),
}

impl OpenShard {
    /// Makes an instance ready for its first window: from a saved state or from the shard's start, fed, and warned of
    /// `incidents`, whose targets have the generator's own names.
    ///
    /// # Errors
    /// The plugin failed, or its processes did.
    pub fn open(plan: &Plan, shard: Shard, state: Option<Vec<u8>>, incidents: Vec<Incident>) -> Result<Self, RunError> {
        Ok(Self(match &plan.processes {
            Some(processes) => Place::Apart(Box::new(Remote::open(plan, processes, shard, state, incidents)?)),
            None => Place::Here(Box::new(plan.beginning(incidents).begin(shard, state)?)),
        }))
    }

    /// Makes incidents known, before the first window that they touch; their targets have the generator's own names.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn inject(&mut self, incidents: &[Incident]) -> Result<(), RunError> {
        match &mut self.0 {
            Place::Here(generator) => Ok(generator.inject(incidents)?),
            Place::Apart(remote) => remote.inject(incidents),
        }
    }

    /// The rows of the next window as Arrow, every value checked: the table's index with each batch.
    ///
    /// # Errors
    /// Rows that break the contract, or as [`Self::open`].
    pub fn rows(&mut self, layouts: &[TableLayout], window: Window) -> Result<Vec<(usize, RecordBatch)>, RunError> {
        match &mut self.0 {
            Place::Here(generator) => Ok(generator.rows(layouts, window)?),
            Place::Apart(remote) => remote.rows(layouts, window),
        }
    }

    /// What another instance needs to go on from here; none where there is no state.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn save(&mut self) -> Result<Option<Vec<u8>>, RunError> {
        match &mut self.0 {
            Place::Here(generator) => Ok(generator.save()?),
            Place::Apart(remote) => remote.save(),
        }
    }
}
