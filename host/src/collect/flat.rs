//! What a source sent, as rows of plain values: objects inside of a row become columns with both names.

use super::Collection;
use crate::core::problem::Problem;
use crate::ingest::identifier;
use crate::store::{KeyedColumn, KeyedRows, KeyedType, KeyedValue};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Most columns of a row.
const MAX_COLUMNS: usize = 256;
/// Deepest object inside of a row.
const MAX_DEPTH: usize = 8;

/// The columns that document 001 declares for counts by segment, up to three dimensions each: name, type, and whether it is part of
/// the key.
const SEGMENTS: [(&str, KeyedType, bool); 9] = [
    ("ts", KeyedType::Text, true),
    ("segment", KeyedType::Text, true),
    ("count", KeyedType::Integer, false),
    ("dim1_name", KeyedType::Text, true),
    ("dim1_value", KeyedType::Text, true),
    ("dim2_name", KeyedType::Text, true),
    ("dim2_value", KeyedType::Text, true),
    ("dim3_name", KeyedType::Text, true),
    ("dim3_value", KeyedType::Text, true),
];

/// The rows of `raw`: an array of objects, the first array of objects in an object, or the series of an InfluxDB's answer.
pub(super) fn rows(raw: &Value, collection: &Collection) -> Result<KeyedRows, Problem> {
    let objects = match raw {
        Value::Object(answer) if answer.contains_key("results") => series(answer)?,
        other => found(other)?.iter().map(plain).collect::<Result<Vec<_>, _>>()?,
    };
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut columns: Vec<KeyedColumn> = Vec::new();
    for (name, value) in objects.iter().flatten() {
        let place = *places.entry(name.clone()).or_insert_with(|| {
            columns.push(KeyedColumn { name: name.clone(), kind: KeyedType::Integer, key: false });
            columns.len() - 1
        });
        if let Some(column) = columns.get_mut(place) {
            column.kind = wider(column.kind, value);
        }
    }
    if columns.is_empty() || columns.len() > MAX_COLUMNS {
        return Err(Problem::new(
            "",
            format!("its rows have {} columns; 1 to {MAX_COLUMNS} are allowed", columns.len()),
        ));
    }
    for name in &collection.key {
        let column = columns.iter_mut().find(|column| column.name == *name);
        column.ok_or_else(|| Problem::new(name, "is part of the key, but no row has it"))?.key = true;
    }
    let segments = if collection.key.is_empty() { as_segments(&columns) } else { None };
    if let Some(declared) = segments {
        places = declared.iter().enumerate().map(|(place, column)| (column.name.clone(), place)).collect();
        columns = declared;
    } else if collection.key.is_empty() {
        columns.iter_mut().for_each(|column| column.key = column.kind == KeyedType::Text);
        if !columns.iter().any(|column| column.key) {
            columns.iter_mut().for_each(|column| column.key = true);
        }
    }
    let rows = objects.iter().map(|object| {
        let mut row = vec![KeyedValue::Null; columns.len()];
        for (name, value) in object {
            let place = places.get(name).copied().unwrap_or_default();
            if let (Some(slot), Some(column)) = (row.get_mut(place), columns.get(place)) {
                *slot = value_of(value, column.kind);
            }
        }
        // Without a value, a key would be another one every time.
        for (slot, column) in row.iter_mut().zip(&columns) {
            if column.key && *slot == KeyedValue::Null {
                *slot = KeyedValue::Text(String::new());
            }
        }
        row
    });
    Ok(KeyedRows { table: collection.table.clone(), rows: rows.collect(), columns })
}

/// The columns of counts by segment, where `found` are some of them: the same whatever this answer's rows have, such as no third
/// dimension anywhere.
fn as_segments(found: &[KeyedColumn]) -> Option<Vec<KeyedColumn>> {
    let has = |name: &str, kind| found.iter().any(|column| column.name == name && column.kind == kind);
    let known = |column: &KeyedColumn| SEGMENTS.iter().any(|(name, ..)| *name == column.name);
    let counts = has("ts", KeyedType::Text) && has("segment", KeyedType::Text) && has("count", KeyedType::Integer);
    let declared = || SEGMENTS.map(|(name, kind, key)| KeyedColumn { name: name.to_owned(), kind, key }).to_vec();
    (counts && found.iter().all(known)).then(declared)
}

fn found(raw: &Value) -> Result<&Vec<Value>, Problem> {
    let rows = match raw {
        Value::Array(rows) => Some(rows),
        Value::Object(members) => members
            .values()
            .find_map(|member| member.as_array().filter(|rows| rows.first().is_some_and(Value::is_object))),
        _ => None,
    };
    rows.ok_or_else(|| Problem::new("", "it holds no array of objects"))
}

type Flat = Vec<(String, Value)>;

fn plain(row: &Value) -> Result<Flat, Problem> {
    let object = row.as_object().ok_or_else(|| Problem::new("", "a row is no object"))?;
    let mut out = Vec::new();
    flatten("", object, 0, &mut out)?;
    Ok(out)
}

fn flatten(prefix: &str, object: &Map<String, Value>, depth: usize, out: &mut Flat) -> Result<(), Problem> {
    for (name, value) in object {
        let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}_{name}") };
        match value {
            Value::Object(inner) if depth < MAX_DEPTH => flatten(&name, inner, depth + 1, out)?,
            Value::Object(_) | Value::Array(_) => {
                return Err(Problem::new(name, "holds a list, or objects too deep, for which there is no column"));
            }
            plain => {
                let name = identifier(&name);
                if out.iter().any(|(other, _)| *other == name) {
                    return Err(Problem::new(name, "would be a column twice"));
                }
                out.push((name, plain.clone()));
            }
        }
    }
    Ok(())
}

/// The rows of an InfluxDB's answer: columns by position, tags beside them.
fn series(answer: &Map<String, Value>) -> Result<Vec<Flat>, Problem> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let mut rows = Vec::new();
    for result in list(answer.get("results")) {
        if let Some(error) = result.get("error").and_then(Value::as_str) {
            return Err(Problem::new("", error));
        }
        for series in list(result.get("series")) {
            let tags = series.get("tags").and_then(Value::as_object).cloned().unwrap_or_default();
            let columns = list(series.get("columns"));
            for values in list(series.get("values")) {
                let cells = columns.iter().filter_map(Value::as_str).map(identifier).zip(list(Some(&values)));
                let tags = tags.iter().map(|(name, value)| (identifier(name), value.clone()));
                rows.push(cells.chain(tags).collect());
            }
        }
    }
    Ok(rows)
}

fn wider(kind: KeyedType, value: &Value) -> KeyedType {
    match (kind, value) {
        (kind, Value::Null) => kind,
        (KeyedType::Text, _) | (_, Value::String(_) | Value::Array(_) | Value::Object(_)) => KeyedType::Text,
        (kind, Value::Bool(_)) => kind,
        (kind, Value::Number(number)) if number.is_i64() => kind,
        (_, Value::Number(_)) => KeyedType::Real,
    }
}

fn value_of(value: &Value, kind: KeyedType) -> KeyedValue {
    match (kind, value) {
        (_, Value::Null) => KeyedValue::Null,
        (KeyedType::Text, Value::String(text)) => KeyedValue::Text(text.clone()),
        (KeyedType::Text, other) => KeyedValue::Text(other.to_string()),
        (KeyedType::Integer, other) => {
            KeyedValue::Integer(other.as_i64().or(other.as_bool().map(i64::from)).unwrap_or_default())
        }
        (KeyedType::Real, Value::Bool(truth)) => KeyedValue::Real(f64::from(u8::from(*truth))),
        (KeyedType::Real, other) => KeyedValue::Real(other.as_f64().unwrap_or_default()),
    }
}

/// The rows as CSV: a missing value is an empty field, an empty text a quoted one.
pub(super) fn csv(rows: &KeyedRows) -> String {
    let mut out = String::new();
    let names: Vec<_> = rows.columns.iter().map(|column| column.name.as_str()).collect();
    out.push_str(&names.join(","));
    out.push('\n');
    for row in &rows.rows {
        for (place, value) in row.iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            match value {
                KeyedValue::Null => {}
                KeyedValue::Integer(value) => out.push_str(itoa::Buffer::new().format(*value)),
                KeyedValue::Real(value) => out.push_str(&value.to_string()),
                KeyedValue::Text(text) if text.is_empty() || text.contains([',', '"', '\n', '\r']) => {
                    out.push('"');
                    out.push_str(&text.replace('"', "\"\""));
                    out.push('"');
                }
                KeyedValue::Text(text) => out.push_str(text),
            }
        }
        out.push('\n');
    }
    out
}
