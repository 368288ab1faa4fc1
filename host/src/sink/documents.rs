//! The document profile: the files of the e-commerce example, for an OpenSearch server and whatever reads bulk lines.
//!
//! The first table with a text column `phase` (or, without one, the first table) makes the documents:
//! `normal_data.ndjson`, `incident_data.ndjson`, `recovery_data.ndjson`, `all_data.ndjson` and `mapping.json`. Every
//! other table gets `TABLE.ndjson` and `TABLE_mapping.json`, with an index of its own. `config.json` says what was
//! generated and how. Files appear under their names only when they are whole.

use super::bulk::BulkEncoder;
use super::estimate::Estimate;
use super::{Encoder, SinkError, mapping};
use crate::batch::TableLayout;
use crate::core::schema::DataType;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType as ArrowType, Int32Type};
use arrow::record_batch::RecordBatch;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The column that says to which file a document goes.
const PHASE_COLUMN: &str = "phase";

/// Its values, in the order of the files.
const PHASES: [&str; 3] = ["normal", "incident", "recovery"];

/// Bytes that are collected before a write: a batch is a few megabytes, so that this mostly saves nothing and costs
/// nothing, and it bounds what small batches cost.
const BUFFER_BYTES: usize = 1 << 20;

/// The index of the documents of table `position`: the given one for the example's documents, and
/// `INDEX_TABLE` for the others.
pub fn index_name(tables: &[TableLayout], position: usize, index: &str) -> String {
    match tables.get(position) {
        Some(layout) if position != main_table(tables) => format!("{index}_{}", layout.table.name),
        _ => index.to_owned(),
    }
}

/// Whether some table has phases, which is what the example's documents are told apart by.
pub fn has_phases(tables: &[TableLayout]) -> bool {
    tables.iter().any(|layout| phase_index(layout).is_some())
}

/// Whether rows of table `position` may be the example's documents: none has a phase for which there is no file.
pub fn fits(tables: &[TableLayout], position: usize, batch: &RecordBatch) -> bool {
    let Some(column) = tables.get(main_table(tables)).and_then(phase_index) else { return false };
    position != main_table(tables) || batch.columns().get(column).is_some_and(|column| phases_of("", column).is_ok())
}

fn main_table(tables: &[TableLayout]) -> usize {
    tables.iter().position(|layout| phase_index(layout).is_some()).unwrap_or(0)
}

fn phase_index(layout: &TableLayout) -> Option<usize> {
    let index = layout.table.field_index(PHASE_COLUMN)?;
    layout.table.fields.get(index).filter(|field| field.data_type == DataType::Utf8).map(|_| index)
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    /// Its name in the folder.
    pub name: String,
    /// Documents in it; 0 for mappings and the configuration.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
}

/// The files of a run, while they are written.
#[derive(Debug)]
pub struct DocumentFiles {
    dir: PathBuf,
    index: String,
    layouts: Vec<TableLayout>,
    tables: Vec<TableFiles>,
    buffer: Vec<u8>,
    ends: Vec<usize>,
}

#[derive(Debug)]
struct TableFiles {
    name: String,
    encoder: BulkEncoder,
    all: PartialFile,
    phases: Option<(usize, [PartialFile; PHASES.len()])>,
}

impl DocumentFiles {
    /// Opens the files for `tables` in `dir`, which is made where it is missing; action lines name `index`.
    ///
    /// # Errors
    /// [`SinkError::File`] where the folder can't be written.
    pub fn create(dir: &Path, tables: &[TableLayout], index: &str) -> Result<Self, SinkError> {
        fs::create_dir_all(dir).map_err(|source| file_error(dir, source))?;
        let main = main_table(tables);
        let files = tables.iter().enumerate().map(|(position, layout)| {
            let encoder = BulkEncoder::for_table(layout, Some(&index_name(tables, position, index)))?;
            let open = |stem: &str| PartialFile::create(dir, &format!("{stem}.ndjson"));
            let phases = match phase_index(layout).filter(|_| position == main) {
                Some(column) => {
                    let [normal, incident, recovery] = PHASES.map(|phase| open(&format!("{phase}_data")));
                    Some((column, [normal?, incident?, recovery?]))
                }
                None => None,
            };
            let all = open(if position == main { "all_data" } else { &layout.table.name })?;
            Ok(TableFiles { name: layout.table.name.clone(), encoder, all, phases })
        });
        Ok(Self {
            tables: files.collect::<Result<_, SinkError>>()?,
            dir: dir.to_owned(),
            index: index.to_owned(),
            layouts: tables.to_vec(),
            buffer: Vec::new(),
            ends: Vec::new(),
        })
    }

    /// Writes rows of table `position`; tables may come in any order and again and again.
    ///
    /// # Errors
    /// [`SinkError`] where the batch does not fit the table or the disk is full.
    pub fn write(&mut self, position: usize, batch: &RecordBatch) -> Result<(), SinkError> {
        let shape = SinkError::Shape { expected: 0, found: batch.num_columns() };
        let table = self.tables.get_mut(position).ok_or(shape)?;
        self.buffer.clear();
        self.ends.clear();
        table.encoder.encode_rows(batch, &mut self.buffer, &mut self.ends)?;
        table.all.write(&self.buffer, batch.num_rows())?;
        let Some((column, files)) = &mut table.phases else { return Ok(()) };
        let phases = phases_of(&table.name, batch.column(*column))?;
        // Neighbours mostly share a phase, so that whole runs of rows go out in one write.
        let (mut row, mut start) = (0, 0);
        for run in phases.chunk_by(|a, b| a == b) {
            row += run.len();
            let end = row.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or(start);
            let file = run.first().and_then(|&phase| files.get_mut(usize::from(phase)));
            if let (Some(file), Some(bytes)) = (file, self.buffer.get(start..end)) {
                file.write(bytes, run.len())?;
            }
            start = end;
        }
        Ok(())
    }

    /// Gives the files their names, writes the mappings and `config`, and says what there is.
    ///
    /// # Errors
    /// [`SinkError::File`] where the disk refuses.
    pub fn finish(self, config: &Value) -> Result<Vec<WrittenFile>, SinkError> {
        let mut written = Vec::new();
        for table in self.tables {
            let phases = table.phases.into_iter().flat_map(|(_, files)| files);
            for file in phases.chain([table.all]) {
                written.push(file.finish()?);
            }
        }
        written.extend(write_mappings(&self.dir, &self.layouts, &self.index)?);
        written.push(write_json(&self.dir, "config.json", config)?);
        Ok(written)
    }
}

/// Writes the mappings of `tables` alone.
///
/// # Errors
/// [`SinkError::File`] where the disk refuses.
pub fn write_mappings(dir: &Path, tables: &[TableLayout], index: &str) -> Result<Vec<WrittenFile>, SinkError> {
    fs::create_dir_all(dir).map_err(|source| file_error(dir, source))?;
    let main = main_table(tables);
    let file = |(position, layout): (usize, &TableLayout)| {
        let name = if position == main { "mapping.json".into() } else { format!("{}_mapping.json", layout.table.name) };
        let mut body = mapping::index_body(layout);
        if let Some(mappings) = body.get_mut("mappings").and_then(Value::as_object_mut) {
            // Where people look for it: which index the file is meant for.
            mappings.insert("_meta".into(), serde_json::json!({ "index": index_name(tables, position, index) }));
        }
        write_json(dir, &name, &body)
    };
    tables.iter().enumerate().map(file).collect()
}

/// What `batch` of table `position` is going to take in the files, the phase's own file included.
///
/// # Errors
/// [`SinkError`] where the batch does not fit the table.
pub fn estimate(
    tables: &[TableLayout],
    position: usize,
    batch: &RecordBatch,
    index: &str,
) -> Result<Estimate, SinkError> {
    let Some(layout) = tables.get(position) else {
        return Err(SinkError::Shape { expected: 0, found: batch.num_columns() });
    };
    let mut out = Vec::new();
    BulkEncoder::for_table(layout, Some(&index_name(tables, position, index)))?.encode(batch, &mut out)?;
    let copies = if position == main_table(tables) && phase_index(layout).is_some() { 2 } else { 1 };
    Ok(Estimate { rows: batch.num_rows() as u64, bytes: out.len() as u64 * copies })
}

/// The file of each row, as an index into [`PHASES`].
fn phases_of(table: &str, column: &ArrayRef) -> Result<Vec<u8>, SinkError> {
    let file = |phase: Option<&str>| match phase.and_then(|phase| PHASES.iter().position(|&name| name == phase)) {
        Some(index) => Ok(index as u8),
        None => Err(SinkError::UnknownPhase { table: table.to_owned(), phase: phase.unwrap_or("null").to_owned() }),
    };
    if let Some(dictionary) = column.as_dictionary_opt::<Int32Type>()
        && let Some(values) = dictionary.values().as_string_opt::<i32>()
    {
        // A dictionary may hold values that no row uses, so that a bad one counts only where a row has it.
        let files: Vec<_> = values.iter().map(|value| file(value).ok()).collect();
        let phase = |key: Option<usize>| match key.and_then(|key| files.get(key).copied().flatten()) {
            Some(index) => Ok(index),
            None => file(key.filter(|&key| key < values.len()).map(|key| values.value(key))),
        };
        return dictionary.keys_iter().map(phase).collect();
    }
    let source = |source| SinkError::Column { column: PHASE_COLUMN.into(), source };
    let text = cast(column, &ArrowType::Utf8).map_err(source)?;
    text.as_string::<i32>().iter().map(file).collect()
}

fn file_error(path: &Path, source: io::Error) -> SinkError {
    SinkError::File { path: path.display().to_string(), source }
}

fn write_json(dir: &Path, name: &str, value: &Value) -> Result<WrittenFile, SinkError> {
    let mut file = PartialFile::create(dir, name)?;
    file.write(format!("{value:#}\n").as_bytes(), 0)?;
    file.finish()
}

/// A file that gets its name when it is whole, and vanishes where it never is.
#[derive(Debug)]
struct PartialFile {
    path: PathBuf,
    partial: PathBuf,
    writer: Option<BufWriter<File>>,
    written: WrittenFile,
}

impl PartialFile {
    fn create(dir: &Path, name: &str) -> Result<Self, SinkError> {
        let partial = dir.join(format!(".{name}.partial"));
        let file = File::create(&partial).map_err(|source| file_error(&partial, source))?;
        let written = WrittenFile { name: name.to_owned(), rows: 0, bytes: 0 };
        Ok(Self { path: dir.join(name), partial, writer: Some(BufWriter::with_capacity(BUFFER_BYTES, file)), written })
    }

    fn write(&mut self, bytes: &[u8], rows: usize) -> Result<(), SinkError> {
        if let Some(writer) = &mut self.writer {
            writer.write_all(bytes).map_err(|source| file_error(&self.path, source))?;
        }
        self.written.rows += rows as u64;
        self.written.bytes += bytes.len() as u64;
        Ok(())
    }

    fn finish(mut self) -> Result<WrittenFile, SinkError> {
        if let Some(writer) = self.writer.take() {
            let named = writer.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| {
                file.sync_all()?;
                fs::rename(&self.partial, &self.path)
            });
            if let Err(source) = named {
                // Nobody is left to hear that the rest could not be removed either.
                let _ = fs::remove_file(&self.partial);
                return Err(file_error(&self.path, source));
            }
        }
        Ok(self.written.clone())
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            // Flushing a file that goes away would only fail on a full disk.
            drop(writer.into_parts());
            let _ = fs::remove_file(&self.partial);
        }
    }
}
