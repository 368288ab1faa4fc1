//! The configuration: which tables, how many rows, who should report, and which ids link.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemill_sdk::{Problem, Severity};

/// What a collection of data must cover.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Days of data that there must be of each table in `tables`, or where that is empty, of some table; 0 for any. This is the one
    /// rule that a short collection breaks, so leave it at 0 where short ones are fine.
    pub min_days: f64,
    /// Tables that are looked at; every other table with a time field is counted by day, and breaks nothing.
    pub tables: Vec<TableCoverage>,
    /// Ids that must link to a row of another table.
    pub links: Vec<Link>,
}

/// What one table must cover.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TableCoverage {
    /// The table's name.
    pub table: String,
    /// How bad a broken rule is.
    pub severity: Severity,
    /// The column that places rows in time; the table's time field where it is left out.
    pub time: Option<String>,
    /// Expected rows per minute.
    pub per_minute: Option<f64>,
    /// Factors on `per_minute` from Monday to Sunday, for data that are scarcer on some days; empty where all days are alike. Days are
    /// those of UTC.
    pub weekday_multipliers: Vec<f64>,
    /// How far the rate of a period may be off, as a share of the expected one. Four standard errors of a count come on top, so that
    /// few rows do not fail by chance.
    pub tolerance: f64,
    /// The periods that rates are judged in. Those that the judged window does not cover are not judged.
    pub per: Period,
    /// Longest time without any row, in minutes; seen to the minute.
    pub max_gap_minutes: Option<f64>,
    /// The column that says who reports.
    pub entity: Option<String>,
    /// Where all who should report stand.
    pub entities: Option<Reference>,
    /// Share of those that may not report.
    pub at_most_silent: f64,
    /// A judged window of fewer hours does not say who is silent.
    pub min_hours: f64,
}

impl Default for TableCoverage {
    fn default() -> Self {
        Self {
            table: String::new(),
            severity: Severity::default(),
            time: None,
            per_minute: None,
            weekday_multipliers: Vec::new(),
            tolerance: 0.25,
            per: Period::Day,
            max_gap_minutes: None,
            entity: None,
            entities: None,
            at_most_silent: 0.0,
            min_hours: 1.0,
        }
    }
}

/// A period of UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// 60 minutes.
    Hour,
    /// 24 hours.
    #[default]
    Day,
}

/// A column of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reference {
    /// The table's name.
    pub table: String,
    /// The column's name.
    pub column: String,
}

/// An id that must stand in another table. Nulls link to nothing, and need not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Link {
    /// The table with the id.
    pub table: String,
    /// The id's column.
    pub column: String,
    /// Where it must stand.
    pub to: Reference,
    /// How bad orphans are.
    pub severity: Severity,
    /// Tolerated share of orphans, 0 to 1.
    pub at_most: f64,
}

impl Config {
    /// What the schema can't say.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut hold = |good: bool, path: String, message: &str| {
            if !good {
                problems.push(Problem::new(path, message));
            }
        };
        let positive = |value: Option<f64>| value.is_none_or(|value| value.is_finite() && value > 0.0);
        const SHARE: &str = "is a share, from 0 to 1";
        const NAMES: &str = "must name a table and a column";
        hold(self.min_days.is_finite() && self.min_days >= 0.0, "/min_days".to_owned(), "must not be negative");
        for (i, table) in self.tables.iter().enumerate() {
            let at = |key: &str| format!("/tables/{i}/{key}");
            hold(!table.table.is_empty(), at("table"), "must name a table");
            hold(positive(table.per_minute), at("per_minute"), "must be above 0");
            let factors = &table.weekday_multipliers;
            hold(
                factors.is_empty() || factors.len() == 7 && factors.iter().all(|factor| positive(Some(*factor))),
                at("weekday_multipliers"),
                "must be seven numbers above 0, Monday first, or left out",
            );
            hold(table.tolerance.is_finite() && table.tolerance >= 0.0, at("tolerance"), "must not be negative");
            hold(
                table.max_gap_minutes.is_none_or(|minutes| minutes.is_finite() && minutes >= 1.0),
                at("max_gap_minutes"),
                "must be a minute at least",
            );
            hold((0.0..=1.0).contains(&table.at_most_silent), at("at_most_silent"), SHARE);
            if let Some(entities) = &table.entities {
                hold(entities.is_named(), at("entities"), NAMES);
                hold(table.entity.is_some(), at("entity"), "must be set where `entities` is");
            }
        }
        for (i, link) in self.links.iter().enumerate() {
            let at = |key: &str| format!("/links/{i}/{key}");
            hold(!link.table.is_empty() && !link.column.is_empty(), at("table"), NAMES);
            hold(link.to.is_named(), at("to"), NAMES);
            hold((0.0..=1.0).contains(&link.at_most), at("at_most"), SHARE);
        }
        problems
    }
}

impl Reference {
    fn is_named(&self) -> bool {
        !self.table.is_empty() && !self.column.is_empty()
    }
}
