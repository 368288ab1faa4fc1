//! The rules as they are written down.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemill_sdk::{Problem, Severity};

/// What a dataset's tables must fulfil.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether the primary key that a table declares must be unique, for every table.
    pub primary_keys: bool,
    /// Rules of single tables.
    pub tables: Vec<TableRules>,
}

impl Default for Config {
    fn default() -> Self {
        Self { primary_keys: true, tables: Vec::new() }
    }
}

/// The rules of one table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TableRules {
    /// The table's name.
    pub table: String,
    /// So many standard errors (of a share in so many rows) may a share lie outside its band, so that few rows do not fail by chance;
    /// 0 to take bands at their word.
    pub standard_errors: f64,
    /// Columns that must be there.
    pub required: Vec<String>,
    /// How many rows there must be.
    pub rows: Vec<RowsRule>,
    /// How many rows may lack a value.
    pub nulls: Vec<NullsRule>,
    /// Between which numbers values must lie.
    pub ranges: Vec<RangeRule>,
    /// Which values there may be.
    pub allowed: Vec<AllowedRule>,
    /// Which share of the rows certain values must have.
    pub classes: Vec<ClassRule>,
    /// Which columns together must differ from row to row.
    pub unique: Vec<UniqueRule>,
    /// Which columns must never fall.
    pub increasing: Vec<IncreasingRule>,
}

impl Default for TableRules {
    fn default() -> Self {
        Self {
            table: String::new(),
            standard_errors: 4.0,
            required: Vec::new(),
            rows: Vec::new(),
            nulls: Vec::new(),
            ranges: Vec::new(),
            allowed: Vec::new(),
            classes: Vec::new(),
            unique: Vec::new(),
            increasing: Vec::new(),
        }
    }
}

/// A value to compare with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// Of a column of booleans.
    Boolean(bool),
    /// Of a column of numbers, times (microseconds since 1970) or dates (days since 1970).
    Number(f64),
    /// Of a column of text.
    Text(String),
}

/// Which rows a rule is about: those whose value fulfils all that is given here. A null fulfils nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Condition {
    /// The column.
    pub column: String,
    /// One of these values; empty for any.
    pub any_of: Vec<Scalar>,
    /// At least this number.
    pub min: Option<f64>,
    /// At most this number.
    pub max: Option<f64>,
}

/// What rows are counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// 3,600 seconds.
    #[default]
    Hour,
    /// 24 hours.
    Day,
    /// All of the judged window, however long it is.
    Total,
}

/// Rows per hour or day of the judged window, or in all of it. A window shorter than one hour or day is not judged; the least counts
/// whole ones alone and the most begun ones too, so that a part of a day can't break a rule that whole days meet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RowsRule {
    /// The rule's name in the report; made up where it is empty.
    pub name: String,
    /// How bad a broken rule is.
    pub severity: Severity,
    /// What the numbers are for.
    pub per: Period,
    /// At least so many rows a period.
    pub at_least: Option<f64>,
    /// At most so many rows a period.
    pub at_most: Option<f64>,
    /// Which rows count.
    #[serde(rename = "where")]
    pub condition: Option<Condition>,
}

/// Share of rows without a value, of one column or of each of several.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NullsRule {
    /// The rule's name in the report; made up where it is empty.
    pub name: String,
    /// How bad a broken rule is.
    pub severity: Severity,
    /// The column.
    pub column: String,
    /// More columns, each held to the rule for itself.
    pub columns: Vec<String>,
    /// Tolerated share, 0 to 1.
    pub at_most: f64,
    /// Least share, 0 to 1, for what must be absent.
    pub at_least: f64,
    /// Which rows count.
    #[serde(rename = "where")]
    pub condition: Option<Condition>,
}

/// Numbers between two ends, both included. Nulls are not looked at; NaN lies outside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RangeRule {
    /// The rule's name in the report; made up where it is empty.
    pub name: String,
    /// How bad a broken rule is.
    pub severity: Severity,
    /// The column.
    pub column: String,
    /// The least number.
    pub min: Option<f64>,
    /// The greatest number.
    pub max: Option<f64>,
    /// Tolerated share of rows outside, 0 to 1.
    pub at_most_outside: f64,
    /// Which rows count.
    #[serde(rename = "where")]
    pub condition: Option<Condition>,
}

/// Values out of a list. Nulls are not looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AllowedRule {
    /// The rule's name in the report; made up where it is empty.
    pub name: String,
    /// How bad a broken rule is.
    pub severity: Severity,
    /// The column.
    pub column: String,
    /// The list.
    pub values: Vec<Scalar>,
    /// Tolerated share of rows with another value, 0 to 1.
    pub at_most_outside: f64,
    /// Which rows count.
    #[serde(rename = "where")]
    pub condition: Option<Condition>,
}

/// Share of the rows that have certain values, or that each value has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClassRule {
    /// The rule's name in the report; made up where it is empty.
    pub name: String,
    /// How bad a broken rule is.
    pub severity: Severity,
    /// The column.
    pub column: String,
    /// The values that make the class.
    pub values: Vec<Scalar>,
    /// Whether every value that occurs is a class of its own, instead of `values`: each is held to the band, also one that nobody
    /// expected. Shares are then those of the rows with a value.
    pub each: bool,
    /// Least share, 0 to 1.
    pub at_least: f64,
    /// Greatest share, 0 to 1.
    pub at_most: f64,
    /// A judged window of fewer hours is not judged: for classes that come and go, such as incidents.
    pub min_hours: f64,
    /// Fewer rows are not judged.
    pub min_rows: u64,
    /// Which rows count.
    #[serde(rename = "where")]
    pub condition: Option<Condition>,
}

impl Default for ClassRule {
    fn default() -> Self {
        Self {
            name: String::new(),
            severity: Severity::default(),
            column: String::new(),
            values: Vec::new(),
            each: false,
            at_least: 0.0,
            at_most: 1.0,
            min_hours: 0.0,
            min_rows: 1000,
            condition: None,
        }
    }
}

/// Rows that differ in these columns together. Rows with a null among them are not looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UniqueRule {
    /// The rule's name in the report; made up where it is empty.
    pub name: String,
    /// How bad a broken rule is.
    pub severity: Severity,
    /// The columns.
    pub columns: Vec<String>,
    /// Which rows count.
    #[serde(rename = "where")]
    pub condition: Option<Condition>,
}

/// A number or time that never falls from one row to the next in some order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IncreasingRule {
    /// The rule's name in the report; made up where it is empty.
    pub name: String,
    /// How bad a broken rule is.
    pub severity: Severity,
    /// The column of numbers or times.
    pub column: String,
    /// The columns whose order is meant, such as an id that counts up.
    pub order_by: Vec<String>,
    /// How many of those, from the first, make groups of rows that are looked at for themselves.
    pub groups: usize,
    /// Whether equal values break it too.
    pub strictly: bool,
    /// Which rows count; the others stand in nobody's way.
    #[serde(rename = "where")]
    pub condition: Option<Condition>,
}

impl NullsRule {
    /// The columns that it holds, one by one.
    pub fn each_column(&self) -> impl Iterator<Item = &str> {
        let one = (!self.column.is_empty()).then_some(&self.column);
        one.into_iter().chain(&self.columns).map(String::as_str)
    }
}

impl Config {
    /// What the schema can't say.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (t, rules) in self.tables.iter().enumerate() {
            let at = |list: &str, i: usize, key: &str| format!("/tables/{t}/{list}/{i}/{key}");
            let mut require = |good: bool, path: String, message: &str| {
                if !good {
                    problems.push(Problem::new(path, message));
                }
            };
            let share = |value: f64| (0.0..=1.0).contains(&value);
            const SHARE: &str = "is a share, from 0 to 1";
            const COLUMN: &str = "must name a column";
            const VALUES: &str = "must list at least one value";
            const ENDS: &str = "must be set, or the other end, and the least not above the greatest";
            let ends = |low: Option<f64>, high: Option<f64>| match (low, high) {
                (None, None) => false,
                (Some(low), Some(high)) => low <= high,
                (Some(end), None) | (None, Some(end)) => !end.is_nan(),
            };
            require(!rules.table.is_empty(), format!("/tables/{t}/table"), "must name a table");
            let standard_errors = rules.standard_errors;
            require(
                standard_errors.is_finite() && standard_errors >= 0.0,
                format!("/tables/{t}/standard_errors"),
                "must not be negative",
            );
            for (i, rule) in rules.rows.iter().enumerate() {
                require(ends(rule.at_least, rule.at_most), at("rows", i, "at_least"), ENDS);
            }
            for (i, rule) in rules.nulls.iter().enumerate() {
                require(!(rule.column.is_empty() && rule.columns.is_empty()), at("nulls", i, "column"), COLUMN);
                require(share(rule.at_most) && share(rule.at_least), at("nulls", i, "at_most"), SHARE);
                require(rule.at_least <= rule.at_most, at("nulls", i, "at_least"), "must not be above at_most");
            }
            for (i, rule) in rules.ranges.iter().enumerate() {
                require(!rule.column.is_empty(), at("ranges", i, "column"), COLUMN);
                require(ends(rule.min, rule.max), at("ranges", i, "min"), ENDS);
                require(share(rule.at_most_outside), at("ranges", i, "at_most_outside"), SHARE);
            }
            for (i, rule) in rules.allowed.iter().enumerate() {
                require(!rule.column.is_empty(), at("allowed", i, "column"), COLUMN);
                require(!rule.values.is_empty(), at("allowed", i, "values"), VALUES);
                require(share(rule.at_most_outside), at("allowed", i, "at_most_outside"), SHARE);
            }
            for (i, rule) in rules.classes.iter().enumerate() {
                require(!rule.column.is_empty(), at("classes", i, "column"), COLUMN);
                let one_or_each = rule.each == rule.values.is_empty();
                require(
                    one_or_each,
                    at("classes", i, "values"),
                    "must list at least one value, or be left out with `each`",
                );
                require(share(rule.at_most) && share(rule.at_least), at("classes", i, "at_most"), SHARE);
                require(rule.at_least <= rule.at_most, at("classes", i, "at_least"), "must not be above at_most");
            }
            for (i, rule) in rules.unique.iter().enumerate() {
                require(!rule.columns.is_empty(), at("unique", i, "columns"), "must name at least one column");
            }
            for (i, rule) in rules.increasing.iter().enumerate() {
                require(!rule.column.is_empty(), at("increasing", i, "column"), COLUMN);
                require(!rule.order_by.is_empty(), at("increasing", i, "order_by"), "must name at least one column");
                require(
                    rule.groups < rule.order_by.len().max(1),
                    at("increasing", i, "groups"),
                    "must leave a column of order_by to order rows within a group",
                );
            }
        }
        problems
    }
}
