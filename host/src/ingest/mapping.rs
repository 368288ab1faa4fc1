//! Which column of the file is which of the table, and the declaration of a table that is new.

use super::profile::Reading;
use super::source::{Format, Source};
use super::{IngestError, Request, arrow_ipc, infer, parquet, text};
use crate::core::id::{self, MAX_NAME_BYTES};
use crate::core::problem::Problem;
use crate::core::schema::{DataType, Field, MAX_FIELDS, RESERVED_TABLES, Table, TableKind};
use std::collections::BTreeMap;

/// How documents of OpenSearch call the time of a row.
const DOCUMENT_TIME: &str = "@timestamp";

/// Names that a time field usually has, the likeliest first.
const TIME_NAMES: [&str; 4] = ["timestamp", "time", "ts", "datetime"];

/// The table, and where its values are in the file.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) table: Table,
    /// Columns of a new table whose name is not the file's: the file's name and the table's.
    pub(super) renamed: Vec<(String, String)>,
    /// What a profile says of the file's values.
    pub(super) reading: Reading,
    /// Fields of the table by the file's names for them.
    names: BTreeMap<String, usize>,
}

/// A column of a file for which there is no table yet.
#[derive(Debug)]
pub(super) struct FileColumn {
    pub(super) name: String,
    pub(super) data_type: DataType,
    /// Whether every row has a value.
    pub(super) complete: bool,
    /// Whether a value may be missing, where the file says so of itself.
    pub(super) nullable: bool,
}

impl Plan {
    /// The plan for `source`: by the table, where it exists, else by the file.
    pub(super) fn new(source: &Source, existing: Option<Table>, request: &Request) -> Result<Self, IngestError> {
        let reading = Reading::new(request.profile.as_ref());
        if let Some(table) = existing {
            if let Some(wanted) = request.time_field.as_ref().filter(|wanted| table.time_field.as_ref() != Some(wanted))
            {
                let message =
                    format!("{wanted:?} was named as the time field, but the table has {:?}", table.time_field);
                return Err(source.bad(vec![Problem::new("", message)]));
            }
            return Ok(Self::of_table(table, reading));
        }
        Self::of_new_table(source, reading, &request.table, request.time_field.as_deref(), false)
    }

    /// The plan for `source` by what it shows itself, for a table that there is not yet; records that can't be read are passed
    /// over where these are `tolerated`.
    pub(super) fn of_new_table(
        source: &Source,
        reading: Reading,
        table: &str,
        time_field: Option<&str>,
        tolerated: bool,
    ) -> Result<Self, IngestError> {
        if RESERVED_TABLES.contains(&table) {
            let message = format!("{table} is the name of a table that the host writes");
            return Err(source.bad(vec![Problem::new("", message)]));
        }
        let columns = match source.format() {
            Format::Parquet => parquet::columns(source, &reading)?,
            Format::Arrow => arrow_ipc::columns(source, &reading)?,
            Format::Csv | Format::Ndjson | Format::Opensearch | Format::Influx => {
                inferred(source, &reading, tolerated)?
            }
        };
        let plan = Self::of_file(&columns, reading, table, time_field);
        let mut plan = plan.map_err(|problems| source.bad(problems))?;
        plan.table.summary = format!("taken in from {}", source.name());
        Ok(plan)
    }

    pub(super) fn of_table(table: Table, reading: Reading) -> Self {
        let mut names: BTreeMap<_, _> =
            table.fields.iter().enumerate().map(|(index, field)| (field.name.clone(), index)).collect();
        if let Some(time) = table.time_index() {
            names.insert(DOCUMENT_TIME.to_owned(), time);
        }
        for (file, own) in reading.names() {
            if let Some(field) = table.field_index(own) {
                names.insert(file.to_owned(), field);
            }
        }
        Self { table, renamed: Vec::new(), reading, names }
    }

    fn of_file(
        columns: &[FileColumn],
        reading: Reading,
        table: &str,
        time_field: Option<&str>,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        if columns.is_empty() || columns.len() > MAX_FIELDS {
            return Err(vec![Problem::new(
                "",
                format!("it has {} columns; 1 to {MAX_FIELDS} are allowed", columns.len()),
            )]);
        }
        let (mut names, mut renamed, mut fields) = (BTreeMap::new(), Vec::new(), Vec::<Field>::new());
        for (index, column) in columns.iter().enumerate() {
            let said = reading.column(&column.name).map_or(column.name.as_str(), |column| column.name.as_str());
            let name = column_name(said, index);
            if let Some(other) = fields.iter().position(|field| field.name == name) {
                let other = columns.get(other).map_or("", |column| column.name.as_str());
                problems.push(Problem::new(
                    &column.name,
                    format!("would be the column {name:?}, which {other:?} is already"),
                ));
            }
            if name != column.name {
                renamed.push((column.name.clone(), name.clone()));
            }
            names.insert(column.name.clone(), index);
            fields.push(Field {
                name,
                data_type: column.data_type,
                nullable: column.nullable,
                unit: None,
                summary: String::new(),
                attributes: Vec::new(),
            });
        }
        let time = time_index(columns, &fields, time_field).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        if let Some(field) = time.and_then(|time| fields.get_mut(time)) {
            field.nullable = false;
        }
        let table = Table {
            name: table.to_owned(),
            summary: String::new(),
            kind: TableKind::Events,
            time_field: time.and_then(|time| fields.get(time)).map(|field| field.name.clone()),
            fields,
            primary_key: Vec::new(),
            attributes: Vec::new(),
        };
        Ok(Self { table, renamed, reading, names })
    }

    /// The field that the file calls `name`.
    pub(super) fn field(&self, name: &str) -> Option<usize> {
        self.names.get(name).or_else(|| self.names.get(&column_name(name, 0))).copied()
    }

    /// For each field of the table, the file's name for it, or its own.
    pub(super) fn names_by_field(&self) -> Vec<String> {
        let name =
            |own: &str| self.reading.names().find(|(_, name)| *name == own).map_or(own, |(file, _)| file).to_owned();
        self.table.fields.iter().map(|field| name(&field.name)).collect()
    }

    /// For each field of the table, the column of the file, of which `columns` are the names.
    ///
    /// # Errors
    /// Columns that the table does not have, columns that are there twice, and missing ones that are never null.
    pub(super) fn cells<'a>(&self, columns: impl Iterator<Item = &'a str>) -> Result<Vec<Option<usize>>, Vec<Problem>> {
        let mut cells = vec![None; self.table.fields.len()];
        let mut problems = Vec::new();
        for (column, name) in columns.enumerate() {
            match self.field(name).and_then(|field| cells.get_mut(field)) {
                None => {
                    let known: Vec<_> = self.table.fields.iter().map(|field| field.name.as_str()).collect();
                    problems
                        .push(Problem::new(name, format!("is no column of the table, which has {}", known.join(", "))));
                }
                Some(Some(_)) => problems.push(Problem::new(name, "is there twice")),
                Some(cell) => *cell = Some(column),
            }
        }
        for (field, cell) in self.table.fields.iter().zip(&cells) {
            if cell.is_none() && !field.nullable {
                problems.push(Problem::new(&field.name, "is missing, and the table's column is never null"));
            }
        }
        if problems.is_empty() { Ok(cells) } else { Err(problems) }
    }
}

fn inferred(source: &Source, reading: &Reading, tolerated: bool) -> Result<Vec<FileColumn>, IngestError> {
    let (names, guesses) = text::infer(source, reading, tolerated)?;
    if guesses.rows() == 0 {
        let message = "it has no rows, so the columns of a new table can't be told from it";
        return Err(source.bad(vec![Problem::new("", message)]));
    }
    Ok(file_columns(names, &guesses, reading))
}

fn file_columns(names: Vec<String>, guesses: &infer::Guesses, reading: &Reading) -> Vec<FileColumn> {
    let column = |(index, name): (usize, String)| {
        let (guessed, complete) = guesses.column(index);
        let data_type = reading.column(&name).and_then(|column| column.data_type()).unwrap_or(guessed);
        // That no value is missing in this file says nothing of the next.
        FileColumn { name, data_type, complete, nullable: true }
    };
    names.into_iter().enumerate().map(column).collect()
}

/// The column that places rows in time: the one that was named, or the likeliest.
fn time_index(columns: &[FileColumn], fields: &[Field], wanted: Option<&str>) -> Result<Option<usize>, Problem> {
    let usable = |index: &usize| {
        columns.get(*index).is_some_and(|column| column.data_type == DataType::Timestamp && column.complete)
    };
    let Some(wanted) = wanted else {
        let by_name = |name: &&str| fields.iter().position(|field| field.name == *name).filter(usable);
        return Ok(TIME_NAMES.iter().find_map(by_name));
    };
    let index = columns.iter().position(|column| column.name == wanted);
    match index.or_else(|| fields.iter().position(|field| field.name == wanted)) {
        None => Err(Problem::new(wanted, "was named as the time field, but there is no such column")),
        Some(index) if usable(&index) => Ok(Some(index)),
        Some(_) => Err(Problem::new(wanted, "was named as the time field, but some row has no time in RFC 3339 there")),
    }
}

/// The file's name of a column as one that a column may have: `@timestamp` is `timestamp`, `User Id` is `user_id`.
pub(super) fn column_name(name: &str, index: usize) -> String {
    if id::check_identifier("column", name).is_ok() {
        return name.to_owned();
    }
    let mut plain = String::with_capacity(name.len());
    for c in name.chars() {
        let c = if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
        if c != '_' || !(plain.is_empty() || plain.ends_with('_')) {
            plain.push(c);
        }
    }
    let plain = plain.trim_end_matches('_');
    let plain = match plain.chars().next() {
        None => format!("column_{}", index + 1),
        Some(first) if first.is_ascii_digit() => format!("c_{plain}"),
        Some(_) => plain.to_owned(),
    };
    plain.chars().take(MAX_NAME_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers() {
        for (given, name) in [
            ("@timestamp", "timestamp"),
            ("User Id", "user_id"),
            ("99th %", "c_99th"),
            ("", "column_4"),
            ("größe", "gr_e"),
            ("ok_1", "ok_1"),
        ] {
            assert_eq!(column_name(given, 3), name);
            assert_eq!(id::check_identifier("column", name), Ok(()));
        }
    }
}
