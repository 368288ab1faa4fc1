//! Rows from outside that a simulation builds on. They are part of what its rows follow from, so that a run is held
//! to the very files that it began with.

use super::error::RunError;
use super::spec::ResolvedSpec;
use crate::batch::{GuestBatch, TableLayout, to_guest};
use crate::core::digest::Digest;
use crate::core::schema::{Input, Simulation, Table, TableKind};
use arrow::array::RecordBatch;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

/// Most bytes of an input's rows: every shard gets all of them.
const MAX_INPUT_BYTES: u64 = 64 << 20;

/// Reads a file as rows of a table: every row, or an error that lists the bad ones.
pub type ReadInput = fn(&Path, &Table) -> Result<Vec<RecordBatch>, Box<dyn Error + Send + Sync>>;

/// The inputs of a simulation, ready to be fed; the batch's table counts the declared inputs.
pub(super) fn read(
    spec: &ResolvedSpec,
    simulation: &Simulation,
    reader: ReadInput,
) -> Result<Vec<GuestBatch>, RunError> {
    let mut batches = Vec::new();
    for (index, input) in simulation.inputs.iter().enumerate() {
        let Some(path) = spec.spec().inputs.get(&input.table) else { continue };
        let error = |message: String| RunError::Input { input: input.table.clone(), message };
        let layout = layout(input);
        let rows = reader(path, &layout.table).map_err(|source| error(source.to_string()))?;
        let bytes: u64 = rows.iter().map(|batch| batch.get_array_memory_size() as u64).sum();
        if bytes > MAX_INPUT_BYTES {
            return Err(error(format!(
                "{} has {bytes} bytes of rows; at most {MAX_INPUT_BYTES} are taken",
                path.display()
            )));
        }
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        for batch in rows {
            batches.push(to_guest(&layout.conform(&batch)?, index)?);
        }
    }
    Ok(batches)
}

/// The digests of the files that a spec names, by input.
///
/// # Errors
/// A file that can't be read.
pub(super) fn digests(spec: &super::spec::RunSpec) -> Result<BTreeMap<String, Digest>, RunError> {
    let digest = |(input, path): (&String, &std::path::PathBuf)| {
        let bytes = std::fs::read(path).map_err(|source| RunError::File { path: path.clone(), source })?;
        Ok((input.clone(), Digest::of(&bytes)))
    };
    spec.inputs.iter().map(digest).collect()
}

/// Refuses files that have changed since the run was planned: its rows would be others.
pub(super) fn check_unchanged(spec: &ResolvedSpec) -> Result<(), RunError> {
    let found = digests(spec.spec())?;
    match spec.input_digests().iter().find(|(input, digest)| found.get(*input) != Some(digest)) {
        Some((input, digest)) => Err(RunError::Input {
            input: input.clone(),
            message: format!(
                "the file has changed since the run was planned; the run needs the one with sha256:{digest}"
            ),
        }),
        None => Ok(()),
    }
}

fn layout(input: &Input) -> TableLayout {
    TableLayout::new(Table {
        name: input.table.clone(),
        summary: String::new(),
        kind: TableKind::Events,
        fields: input.fields.clone(),
        primary_key: Vec::new(),
        time_field: None,
        attributes: Vec::new(),
    })
}
