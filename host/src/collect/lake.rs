//! Collected rows in the lake, by key: those that are new are added, those that say something else replace what was there.

use super::CollectError;
use crate::batch::TableLayout;
use crate::core::id;
use crate::core::schema::{DataType, Field, Table, TableKind};
use crate::core::time::Timestamp;
use crate::lake::{self, Commit, LakeError, LakeTable, Mode, TableFiles, TableWriter};
use crate::query::Scan;
use crate::run::{Host, random};
use crate::store::{KeyedColumn, KeyedRows, KeyedType, KeyedValue};
use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow::compute::{cast, filter_record_batch};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Between two values of a text that stands for several: no value has it.
const BETWEEN: &str = "\u{1f}";
/// What stands for a missing value.
const MISSING: &str = "\u{0}";
/// How often rows are compared anew where others write the table meanwhile.
const TRIES: usize = 5;

/// Puts rows in; returns how many are new or say something else than before. Rows that the log has not moved yet are not
/// looked at: the scheduler of a server has them moved before.
pub(super) fn upsert(host: &Host, dataset: &str, rows: &KeyedRows, now: Timestamp) -> Result<u64, CollectError> {
    /// Two collections at once would both find that a key is not there.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    id::check_identifier("dataset", dataset)?;
    for _ in 0..TRIES {
        let found = there(host, dataset, &rows.table)?;
        let layout = TableLayout::new(table(found.as_ref().map(|found| &found.table), rows));
        if let Some(found) = &found {
            let problems = lake::added_only(&found.table, &layout.table);
            if !problems.is_empty() {
                let (dataset, table) = (dataset.to_owned(), rows.table.clone());
                return Err(LakeError::SchemaChanged { dataset, table, problems }.into());
            }
        }
        let incoming = incoming(&layout, rows)?;
        let put = Put { host, dataset, layout: &layout, there: found.as_ref(), now };
        let Some(change) = put.compare(&incoming)? else { return Ok(0) };
        let changed = change.rows.num_rows() as u64;
        if put.commit(&change)? {
            return Ok(changed);
        }
    }
    Err(CollectError::Busy { dataset: dataset.to_owned(), table: rows.table.clone() })
}

/// The table as the catalog has it.
fn there(host: &Host, dataset: &str, table: &str) -> Result<Option<LakeTable>, CollectError> {
    match host.runtime.block_on(host.lake.dataset(dataset, None)) {
        Ok(mut found) => Ok(found.tables.extract_if(.., |found| found.table.name == table).next()),
        Err(LakeError::NoDataset { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The table with the columns of `rows`: those that are there keep place and type, others follow.
fn table(there: Option<&Table>, rows: &KeyedRows) -> Table {
    let field = |column: &KeyedColumn| Field {
        name: column.name.clone(),
        data_type: match column.kind {
            KeyedType::Text => DataType::Utf8,
            KeyedType::Integer => DataType::Int64,
            KeyedType::Real => DataType::Float64,
        },
        nullable: true,
        unit: None,
        summary: String::new(),
        attributes: Vec::new(),
    };
    let keys = rows.columns.iter().filter(|column| column.key).map(|column| column.name.clone());
    let mut table = there.cloned().unwrap_or_else(|| Table {
        name: rows.table.clone(),
        summary: "collected rows".to_owned(),
        kind: TableKind::Events,
        fields: Vec::new(),
        primary_key: keys.collect(),
        time_field: None,
        attributes: Vec::new(),
    });
    for column in &rows.columns {
        let given = field(column);
        match table.fields.iter_mut().find(|field| field.name == column.name) {
            None => table.fields.push(given),
            // A whole number is a number, and anything can be said as text; the rest is for the lake to refuse.
            Some(known) if fits(given.data_type, known.data_type) => {}
            Some(known) => known.data_type = given.data_type,
        }
    }
    table
}

fn fits(given: DataType, known: DataType) -> bool {
    given == known || known == DataType::Utf8 || (given, known) == (DataType::Int64, DataType::Float64)
}

fn incoming(layout: &TableLayout, rows: &KeyedRows) -> Result<RecordBatch, ArrowError> {
    let column = |name: &str| rows.columns.iter().enumerate().find(|(_, column)| column.name == name);
    let arrays = layout.schema.fields().iter().map(|field| match column(field.name()) {
        None => Ok(new_null_array(field.data_type(), rows.rows.len())),
        Some((place, column)) => cast(&values(rows, place, column.kind), field.data_type()),
    });
    RecordBatch::try_new(Arc::clone(&layout.schema), arrays.collect::<Result<_, _>>()?)
}

fn values(rows: &KeyedRows, place: usize, kind: KeyedType) -> ArrayRef {
    let values = rows.rows.iter().map(|row| row.get(place).unwrap_or(&KeyedValue::Null));
    match kind {
        KeyedType::Text => Arc::new(StringArray::from_iter(values.map(|value| match value {
            KeyedValue::Text(text) => Some(text.as_str()),
            _ => None,
        }))),
        KeyedType::Integer => Arc::new(Int64Array::from_iter(values.map(|value| match value {
            KeyedValue::Integer(value) => Some(*value),
            _ => None,
        }))),
        KeyedType::Real => Arc::new(Float64Array::from_iter(values.map(|value| match value {
            KeyedValue::Real(value) => Some(*value),
            _ => None,
        }))),
    }
}

/// What is to be done.
struct Change {
    /// The rows to add.
    rows: RecordBatch,
    /// Keys whose rows go.
    gone: HashSet<String>,
}

struct Put<'a> {
    host: &'a Host,
    dataset: &'a str,
    layout: &'a TableLayout,
    there: Option<&'a LakeTable>,
    now: Timestamp,
}

impl Put<'_> {
    /// The places of the key's columns, and of all.
    fn places(&self) -> (Vec<usize>, Vec<usize>) {
        let table = &self.layout.table;
        let key = table.primary_key.iter().filter_map(|name| table.field_index(name)).collect();
        (key, (0..table.fields.len()).collect())
    }

    /// Rows that are not there just so; none where all are.
    fn compare(&self, incoming: &RecordBatch) -> Result<Option<Change>, CollectError> {
        let (key, all) = self.places();
        let (keys, wholes) = (texts(incoming, &key)?, texts(incoming, &all)?);
        // Of rows with the same key the last holds, as in the other tables.
        let last: HashMap<&str, usize> = keys.iter().enumerate().map(|(row, key)| (key.as_str(), row)).collect();
        let (mut same, mut gone) = (HashSet::new(), HashSet::new());
        self.each(|batch| {
            for (found, whole) in texts(&batch, &key)?.into_iter().zip(texts(&batch, &all)?) {
                match last.get(found.as_str()) {
                    Some(&row) if wholes.get(row) == Some(&whole) && !gone.contains(&found) => drop(same.insert(row)),
                    Some(_) => drop(gone.insert(found)),
                    None => {}
                }
            }
            Ok(())
        })?;
        let take = |(row, key): (usize, &String)| {
            last.get(key.as_str()) == Some(&row) && (gone.contains(key) || !same.contains(&row))
        };
        let taken: BooleanArray = keys.iter().enumerate().map(|row| Some(take(row))).collect();
        let rows = filter_record_batch(incoming, &taken)?;
        Ok((rows.num_rows() > 0).then_some(Change { rows, gone }))
    }

    /// Hands on what the lake has of the table, with all columns of the layout.
    fn each(&self, mut take: impl FnMut(RecordBatch) -> Result<(), CollectError>) -> Result<(), CollectError> {
        let Some(there) = self.there else { return Ok(()) };
        let host = Host { unmoved: None, ..self.host.clone() };
        let engine = host.query_engine(None)?;
        let scan = Scan::new(self.dataset, there.table.name.clone());
        for batch in host.runtime.block_on(engine.scan(&scan))?.blocking(host.runtime.clone()) {
            take(self.layout.conform(&self.layout.widen(&batch?)?)?)?;
        }
        Ok(())
    }

    /// Commits a change, in the place of the table where rows go; false where the table was written meanwhile.
    fn commit(&self, change: &Change) -> Result<bool, CollectError> {
        let (host, layout, replace) = (self.host, self.layout, !change.gone.is_empty());
        let stem = format!("collect-{:016x}-{:016x}", self.now.0, random());
        let files = host.lake.files();
        let mut writer = TableWriter::new(files, &host.runtime, layout, self.dataset, &stem, host.writer.clone());
        if replace {
            let (key, _) = self.places();
            self.each(|batch| {
                let stays: BooleanArray =
                    texts(&batch, &key)?.iter().map(|key| Some(!change.gone.contains(key))).collect();
                Ok(writer.write(&filter_record_batch(&batch, &stays)?)?)
            })?;
        }
        writer.write(&change.rows)?;
        let commit = Commit {
            dataset: self.dataset.to_owned(),
            mode: Mode::Append,
            tables: vec![TableFiles { table: layout.table.clone(), files: writer.finish()?, replace }],
            at: self.now,
            author: "telemill collect".to_owned(),
            message: format!("collected {} rows of {}", change.rows.num_rows(), layout.table.name),
            extra: None,
        };
        let tx = host.runtime.block_on(host.store.write())?;
        // Nobody else writes from here on.
        if there(host, self.dataset, &layout.table.name)?.as_ref() != self.there {
            return Ok(false);
        }
        host.runtime.block_on(async {
            let mut tx = tx;
            host.lake.commit(&mut tx, &commit).await?;
            tx.commit().await?;
            Ok::<_, CollectError>(())
        })?;
        Ok(true)
    }
}

/// The values of some columns, a text a row.
fn texts(batch: &RecordBatch, places: &[usize]) -> Result<Vec<String>, ArrowError> {
    let options = FormatOptions::default().with_null(MISSING);
    let columns = places.iter().filter_map(|place| batch.columns().get(*place));
    let columns = columns.map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let text = |row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join(BETWEEN);
    Ok((0..batch.num_rows()).map(text).collect())
}
