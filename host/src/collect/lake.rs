//! Collected rows in the lake: those whose key is not there yet, in one commit.

use super::CollectError;
use crate::batch::TableLayout;
use crate::core::id;
use crate::core::schema::{DataType, Field, Table, TableKind};
use crate::core::time::Timestamp;
use crate::lake::{Commit, Mode, TableFiles, TableWriter};
use crate::query::{QueryError, Scan};
use crate::run::{Host, random};
use crate::store::{KeyedRows, KeyedType, KeyedValue};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Appends what is new; returns how many rows that is.
pub(super) fn append(host: &Host, dataset: &str, rows: &KeyedRows, now: Timestamp) -> Result<u64, CollectError> {
    /// Two collections at once would both find that a key is not there.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    id::check_identifier("dataset", dataset)?;
    let known = keys(host, dataset, rows)?;
    let fresh: Vec<_> = rows.rows.iter().filter(|row| !known.contains(&key(rows, row))).collect();
    if fresh.is_empty() {
        return Ok(0);
    }
    let layout = TableLayout::new(table(rows));
    let arrays = rows.columns.iter().enumerate().map(|(place, column)| -> ArrayRef {
        let values = fresh.iter().map(|row| row.get(place).unwrap_or(&KeyedValue::Null));
        match column.kind {
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
    });
    let batch = RecordBatch::try_new(Arc::clone(&layout.schema), arrays.collect())?;
    let stem = format!("collect-{:016x}-{:016x}", now.0, random());
    let mut writer = TableWriter::new(host.lake.files(), &host.runtime, &layout, dataset, &stem, host.writer.clone());
    writer.write(&batch)?;
    let tables = vec![TableFiles { table: layout.table, files: writer.finish()?, replace: false }];
    let commit = Commit {
        dataset: dataset.to_owned(),
        mode: Mode::Append,
        tables,
        at: now,
        author: "telemill collect".to_owned(),
        message: format!("collected {} rows of {}", fresh.len(), rows.table),
        extra: None,
    };
    host.runtime.block_on(async {
        let mut tx = host.store.write().await?;
        host.lake.commit(&mut tx, &commit).await?;
        tx.commit().await?;
        Ok::<_, CollectError>(())
    })?;
    Ok(fresh.len() as u64)
}

fn table(rows: &KeyedRows) -> Table {
    let field = |column: &crate::store::KeyedColumn| Field {
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
    Table {
        name: rows.table.clone(),
        summary: "collected rows".to_owned(),
        kind: TableKind::Events,
        fields: rows.columns.iter().map(field).collect(),
        primary_key: keys.collect(),
        time_field: None,
        attributes: Vec::new(),
    }
}

/// The key of a row, as text.
fn key(rows: &KeyedRows, row: &[KeyedValue]) -> String {
    let parts = rows.columns.iter().zip(row).filter(|(column, _)| column.key).map(|(_, value)| match value {
        KeyedValue::Null => String::new(),
        KeyedValue::Text(text) => text.clone(),
        KeyedValue::Integer(value) => value.to_string(),
        KeyedValue::Real(value) => value.to_string(),
    });
    parts.collect::<Vec<_>>().join("\u{1f}")
}

/// The keys that the lake has.
fn keys(host: &Host, dataset: &str, rows: &KeyedRows) -> Result<HashSet<String>, CollectError> {
    let mut keys = HashSet::new();
    let columns = rows.columns.iter().filter(|column| column.key).map(|column| column.name.clone()).collect();
    let scan = Scan { columns, ..Scan::new(dataset, rows.table.clone()) };
    let engine = host.query_engine(None)?;
    let there = match host.runtime.block_on(engine.scan(&scan)) {
        Ok(rows) => rows,
        Err(QueryError::UnknownDataset { .. } | QueryError::UnknownTable { .. }) => return Ok(keys),
        Err(error) => return Err(error.into()),
    };
    let options = FormatOptions::default();
    for batch in there.blocking(host.runtime.clone()) {
        let batch = batch?;
        let cells = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let cells = cells.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let parts: Vec<_> = cells.iter().map(|cells| cells.value(row).to_string()).collect();
            keys.insert(parts.join("\u{1f}"));
        }
    }
    Ok(keys)
}
