//! Export profiles: which columns of a table go out, in which order, under which names and in which form. The same
//! profile takes such a file in again.

use super::SinkError;
use super::file_name::FileName;
use crate::core::document;
use crate::core::schema::{Field, Table};
use crate::core::time_format::TimeFormat;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeSet;
use std::fmt;

/// Most decimals of a float: more digits than it has.
const MAX_DECIMALS: u8 = 15;

/// A profile, as people write it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What it is for, in one line.
    #[serde(default)]
    pub summary: String,
    /// The dataset's table.
    pub table: String,
    /// The format of the file.
    pub format: ProfileFormat,
    /// The file's name below the output folder; the table's where it is left out.
    #[serde(default)]
    pub file: Option<FileName>,
    /// What points are called, in line protocol.
    #[serde(default)]
    pub measurement: Option<String>,
    /// The columns, in order; nothing else goes out.
    pub columns: Vec<ProfileColumn>,
    /// The file that it was read from, or the name of one that ships.
    #[serde(skip)]
    pub origin: String,
}

/// The formats of profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProfileFormat {
    /// Comma-separated values.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// Parquet.
    Parquet,
    /// InfluxDB's line protocol.
    Influx,
}

/// One column of a file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileColumn {
    /// Its name in the file.
    pub name: String,
    /// The table's column; the same name where it is left out.
    #[serde(default)]
    pub from: Option<String>,
    /// How dates and times are written; RFC 3339 where it is left out (in Parquet, a date or time as such).
    #[serde(default, deserialize_with = "time_format")]
    pub time: Option<TimeFormat>,
    /// What true and false are written as.
    #[serde(default)]
    pub boolean: Option<[String; 2]>,
    /// To how many decimals a float is rounded.
    #[serde(default)]
    pub decimals: Option<u8>,
    /// What a missing value is written as, in CSV.
    #[serde(default)]
    pub null: Option<String>,
    /// What the column is, in line protocol.
    #[serde(default)]
    pub role: Option<Role>,
}

/// What a column is in line protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Indexed text.
    Tag,
    /// A value.
    Field,
    /// The time of the point.
    Time,
}

fn time_format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TimeFormat>, D::Error> {
    let pattern = String::deserialize(deserializer)?;
    TimeFormat::parse(&pattern).map(Some).map_err(serde::de::Error::custom)
}

impl ProfileColumn {
    /// The table's column.
    pub fn source(&self) -> &str {
        self.from.as_deref().unwrap_or(&self.name)
    }
}

impl ProfileFormat {
    /// The ending of files in this format, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
            Self::Influx => "lp",
        }
    }
}

impl fmt::Display for ProfileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Influx { "influx" } else { self.extension() })
    }
}

impl Profile {
    /// Reads a profile; `origin` names it in errors.
    ///
    /// # Errors
    /// [`SinkError::Profile`] with the key that is at fault.
    pub fn parse(text: &str, origin: &str) -> Result<Self, SinkError> {
        let bad = |message: String| SinkError::Profile { origin: origin.to_owned(), message };
        let mut profile: Self = document::from_toml(text).map_err(bad)?;
        origin.clone_into(&mut profile.origin);
        profile.check()?;
        Ok(profile)
    }

    /// All columns of `table` under their own names.
    pub fn whole(table: &Table, format: ProfileFormat) -> Self {
        let column = |field: &Field| ProfileColumn {
            name: field.name.clone(),
            from: None,
            time: None,
            boolean: None,
            decimals: None,
            null: None,
            role: None,
        };
        Self {
            summary: table.summary.clone(),
            table: table.name.clone(),
            format,
            file: None,
            measurement: None,
            columns: table.fields.iter().map(column).collect(),
            origin: table.name.clone(),
        }
    }

    /// An error of this profile at `key`.
    pub(super) fn bad(&self, key: impl fmt::Display, message: impl fmt::Display) -> SinkError {
        SinkError::Profile { origin: self.origin.clone(), message: format!("{key}: {message}") }
    }

    fn check(&self) -> Result<(), SinkError> {
        if self.columns.is_empty() {
            return Err(self.bad("columns", "there is none"));
        }
        let mut names = BTreeSet::new();
        for (index, column) in self.columns.iter().enumerate() {
            let bad = |key: &str, message: &str| Err(self.bad(format!("columns[{index}].{key}"), message));
            if column.name.is_empty() || !names.insert(column.name.as_str()) {
                return bad("name", "is empty or there twice");
            }
            if column.decimals.is_some_and(|decimals| decimals > MAX_DECIMALS) {
                return bad("decimals", "is more than 15");
            }
            if column.boolean.as_ref().is_some_and(|[yes, no]| yes == no) {
                return bad("boolean", "true and false are written the same");
            }
            if column.null.is_some() && self.format != ProfileFormat::Csv {
                return bad("null", "is for CSV; the other formats have a word of their own for what is missing");
            }
            if column.role.is_some() && self.format != ProfileFormat::Influx {
                return bad("role", "is for influx");
            }
        }
        match (&self.measurement, self.format) {
            (None, ProfileFormat::Influx) => return Err(self.bad("measurement", "is missing")),
            (Some(_), ProfileFormat::Influx) | (None, _) => {}
            (Some(_), _) => return Err(self.bad("measurement", "is for influx")),
        }
        let times = self.columns.iter().filter(|column| column.role == Some(Role::Time)).count();
        if self.format == ProfileFormat::Influx && times != 1 {
            return Err(self.bad("columns", format!("{times} of them have the role time; a point has one time")));
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_key_is_named_with_file_and_place() {
        let head = "table = \"t\"\nformat = \"csv\"\n";
        let column = "[[columns]]\nname = \"a\"\n";
        Profile::parse(&format!("{head}{column}"), "mine.toml").unwrap();
        let influx = head.replace("csv", "influx");
        for (text, place) in [
            (format!("{head}{column}colour = 1\n"), "columns[0].colour"),
            (format!("{head}{column}{column}"), "columns[1].name"),
            (format!("{head}{column}time = \"%Q\"\n"), "columns[0].time"),
            (format!("{head}{column}decimals = 16\n"), "columns[0].decimals"),
            (format!("{head}{column}decimals = -1\n"), "columns[0].decimals"),
            (format!("{head}{column}boolean = [\"x\", \"x\"]\n"), "columns[0].boolean"),
            (format!("{head}{column}boolean = [\"x\"]\n"), "columns[0].boolean"),
            (format!("{head}{column}role = \"tag\"\n"), "columns[0].role"),
            (format!("{}{column}null = \"-\"\n", head.replace("csv", "ndjson")), "columns[0].null"),
            (format!("measurement = \"m\"\n{head}{column}"), "measurement"),
            (format!("{influx}{column}"), "measurement"),
            (format!("measurement = \"m\"\n{influx}{column}"), "columns"),
            (format!("{}{column}", head.replace("csv", "xml")), "format"),
            (format!("file = \"../{{a}}.csv\"\n{head}{column}"), "file"),
            (format!("file = \"{{a.csv\"\n{head}{column}"), "file"),
            (format!("columns = []\n{head}"), "columns"),
            (column.to_owned(), "table"),
        ] {
            let error = Profile::parse(&text, "mine.toml").unwrap_err().to_string();
            assert!(error.contains("mine.toml") && error.contains(place), "{text}\n{error}");
        }
    }
}
