//! Rows from outside that a simulation builds on. They are part of what its rows follow from, so that a run is held
//! to the very files that it began with.

use super::error::RunError;
use super::spec::ResolvedSpec;
use crate::batch::{GuestBatch, TableLayout, to_guest};
use crate::core::digest::Digest;
use crate::core::schema::{Input, Simulation, Table, TableKind};
use arrow::array::{Array as _, AsArray as _, RecordBatch};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::path::Path;

/// Most bytes of an input's rows: every shard gets all of them.
const MAX_INPUT_BYTES: u64 = 64 << 20;

/// Reads a file as rows of a table: every row, or an error that lists the bad ones.
pub type ReadInput = fn(&Path, &Table) -> Result<Vec<RecordBatch>, Box<dyn Error + Send + Sync>>;

/// Rows of inputs, by the input's name; those that the spec names no file for are missing.
pub(super) struct InputRows(pub(super) BTreeMap<String, Vec<RecordBatch>>);

impl InputRows {
    /// Reads the files that a spec names.
    pub(super) fn read(spec: &ResolvedSpec, simulation: &Simulation, reader: ReadInput) -> Result<Self, RunError> {
        let mut inputs = BTreeMap::new();
        for input in &simulation.inputs {
            let Some(path) = spec.spec().inputs.get(&input.table) else { continue };
            let layout = layout(input);
            let rows = reader(path, &layout.table).map_err(|source| bad(&input.table, source.to_string()))?;
            let bytes: u64 = rows.iter().map(|batch| batch.get_array_memory_size() as u64).sum();
            if bytes > MAX_INPUT_BYTES {
                let path = path.display();
                let message = format!("{path} has {bytes} bytes of rows; at most {MAX_INPUT_BYTES} are taken");
                return Err(bad(&input.table, message));
            }
            let rows = rows.iter().map(|batch| layout.conform(batch)).collect::<Result<_, _>>()?;
            inputs.insert(input.table.clone(), rows);
        }
        Ok(Self(inputs))
    }

    /// The rows as guests take them; the batch's table counts the declared inputs.
    pub(super) fn to_guest(&self, simulation: &Simulation) -> Result<Vec<GuestBatch>, RunError> {
        let mut batches = Vec::new();
        for (index, input) in simulation.inputs.iter().enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            for batch in self.0.get(&input.table).into_iter().flatten() {
                batches.push(to_guest(batch, index)?);
            }
        }
        Ok(batches)
    }

    /// Whether there are rows of this input.
    pub(super) fn is_given(&self, input: &str) -> bool {
        self.0.contains_key(input)
    }

    /// The text of a column in a row; none where there is no such row, or the value is missing.
    pub(super) fn text(&self, input: &str, column: &str, row: usize) -> Result<Option<String>, RunError> {
        let mut before = 0;
        for batch in self.0.get(input).into_iter().flatten() {
            let Some(row) = row.checked_sub(before) else { break };
            before += batch.num_rows();
            if row >= batch.num_rows() {
                continue;
            }
            let texts = batch.column_by_name(column).and_then(|column| column.as_string_opt::<i32>());
            let texts =
                texts.ok_or_else(|| bad(input, format!("a target is named by {column:?}, which is no text of it")))?;
            return Ok(texts.is_valid(row).then(|| texts.value(row).to_owned()));
        }
        Ok(None)
    }
}

fn bad(input: &str, message: String) -> RunError {
    RunError::Input { input: input.to_owned(), message }
}

/// The digests of the files that a spec names, by input.
///
/// # Errors
/// A file that can't be read.
pub(super) fn digests(spec: &super::spec::RunSpec) -> Result<BTreeMap<String, Digest>, RunError> {
    let digest = |(input, path): (&String, &std::path::PathBuf)| {
        let digest = File::open(path).and_then(Digest::of_reader);
        Ok((input.clone(), digest.map_err(|source| RunError::File { path: path.clone(), source })?))
    };
    spec.inputs.iter().map(digest).collect()
}

/// Refuses files that have changed since the run was planned: its rows would be others.
pub(super) fn check_unchanged(spec: &ResolvedSpec) -> Result<(), RunError> {
    let found = digests(spec.spec())?;
    match spec.input_digests().iter().find(|(input, digest)| found.get(*input) != Some(digest)) {
        Some((input, digest)) => {
            let planned = "the file has changed since the run was planned; the run needs the one with";
            Err(bad(input, format!("{planned} sha256:{digest}")))
        }
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
