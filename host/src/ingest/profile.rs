//! Reading a file by the export profile that writes such files: its names, its words for truth and for what is missing,
//! its times.

use super::record::{Cell, Record};
use crate::core::schema::DataType;
use crate::core::time::DAY_US;
use crate::core::time_format::TimeFormat;
use crate::sink::profile::{Profile, ProfileColumn, Role};
use std::collections::BTreeMap;

/// Longest part of a bad value that is shown.
const SHOWN_CHARS: usize = 60;

/// What a profile says of a file's columns.
#[derive(Debug, Default)]
pub(super) struct Reading {
    columns: BTreeMap<String, Column>,
    /// In line protocol, what the time of a point is called.
    time: Option<String>,
    /// In line protocol, what points are called.
    measurement: Option<String>,
}

/// What it says of one.
#[derive(Debug)]
pub(super) struct Column {
    /// The table's name for it.
    pub(super) name: String,
    null: Option<String>,
    pub(super) form: Option<Form>,
}

/// How values that are neither numbers nor text are written.
#[derive(Debug)]
pub(super) enum Form {
    Time(TimeFormat),
    Boolean([String; 2]),
}

/// A value in the form that every file may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meant {
    Boolean(bool),
    /// Microseconds since 1970.
    Time(i64),
    /// Days since 1970.
    Date(i32),
}

impl Reading {
    /// Without a profile, a file is read as it stands.
    pub(super) fn new(profile: Option<&Profile>) -> Self {
        let columns = || profile.into_iter().flat_map(|profile| &profile.columns);
        Self {
            time: columns().find(|column| column.role == Some(Role::Time)).map(|column| column.name.clone()),
            measurement: profile.and_then(|profile| profile.measurement.clone()),
            columns: columns().map(|column| (column.name.clone(), Column::new(column))).collect(),
        }
    }

    /// What the time of a point is called, where that is said.
    pub(super) fn time(&self) -> Option<String> {
        self.time.clone()
    }

    /// What points are called, where that is said.
    pub(super) fn measurement(&self) -> Option<String> {
        self.measurement.clone()
    }

    /// What is said of the file's column `name`.
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.get(name)
    }

    /// Names of the file and of the table.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.columns.iter().map(|(name, column)| (name.as_str(), column.name.as_str()))
    }

    /// Whether some value is written in a form of its own.
    pub(super) fn has_forms(&self) -> bool {
        self.columns.values().any(|column| column.form.is_some() || column.null.is_some())
    }

    /// Puts the cells of a record, whose names are `names`, into the forms that every file may have.
    ///
    /// # Errors
    /// A value that is not in its column's form.
    pub(super) fn plain(&self, names: &[String], record: &Record, out: &mut Record) -> Result<(), String> {
        out.reset(record.len());
        let mut text = String::new();
        for cell in 0..record.len() {
            let value = record.get(cell);
            let column = names.get(cell).and_then(|name| self.column(name));
            let (Some(column), Cell::Bare(given) | Cell::Text(given)) = (column, value) else {
                out.set(cell, value);
                continue;
            };
            if column.null.as_deref() == Some(given) {
                continue;
            }
            match column.meant(given)? {
                None => out.set(cell, value),
                Some(meant) => {
                    text.clear();
                    meant.write(&mut text);
                    out.set(cell, Cell::Bare(&text));
                }
            }
        }
        Ok(())
    }
}

impl Column {
    fn new(column: &ProfileColumn) -> Self {
        let form = match (&column.time, &column.boolean) {
            (Some(time), _) => Some(Form::Time(time.clone())),
            (None, Some(words)) => Some(Form::Boolean(words.clone())),
            (None, None) => None,
        };
        Self { name: column.source().to_owned(), null: column.null.clone().filter(|null| !null.is_empty()), form }
    }

    /// The type of its values in a table; none where the values themselves must tell.
    pub(super) fn data_type(&self) -> Option<DataType> {
        self.form.as_ref().map(|form| match form {
            Form::Time(format) if format.is_date() => DataType::Date,
            Form::Time(_) => DataType::Timestamp,
            Form::Boolean(_) => DataType::Boolean,
        })
    }

    /// What `text` means; none where it means itself.
    ///
    /// # Errors
    /// It is not in the column's form.
    pub(super) fn meant(&self, text: &str) -> Result<Option<Meant>, String> {
        let shown = || text.chars().take(SHOWN_CHARS).collect::<String>();
        match &self.form {
            None => Ok(None),
            Some(Form::Boolean([yes, no])) => match text {
                text if text == yes => Ok(Some(Meant::Boolean(true))),
                text if text == no => Ok(Some(Meant::Boolean(false))),
                _ => Err(format!("column {}: {:?} is neither {yes:?} nor {no:?}", self.name, shown())),
            },
            Some(Form::Time(format)) => match format.read(text) {
                Some(time) if format.is_date() => Ok(i32::try_from(time.0.div_euclid(DAY_US)).ok().map(Meant::Date)),
                Some(time) => Ok(Some(Meant::Time(time.0))),
                None => Err(format!("column {}: {:?} is no time as {format} has it", self.name, shown())),
            },
        }
    }
}

impl Meant {
    /// As text that every column of its type takes.
    fn write(self, out: &mut String) {
        let instant = |us| jiff::Timestamp::from_microsecond(us).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        match self {
            Self::Boolean(value) => out.push_str(if value { "true" } else { "false" }),
            Self::Time(us) => out.push_str(&format!("{:.6}", instant(us))),
            Self::Date(days) => out.push_str(&instant(i64::from(days) * DAY_US).strftime("%Y-%m-%d").to_string()),
        }
    }
}
