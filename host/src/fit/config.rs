//! The part of the configuration of the generator `declarative` that a fit writes, under the names that it has there.

use serde::Serialize;

/// A system.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Config {
    /// The grid of simulated time.
    pub(super) step_seconds: u32,
    /// What rows are about, where they are about something.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) entities: Vec<Kind>,
    /// The one table.
    pub(super) tables: Vec<Table>,
}

/// The entities that have rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Kind {
    pub(super) name: String,
    pub(super) names: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) attributes: Vec<Attribute>,
}

/// What each entity has of its own.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) value: Value,
}

/// The table of the sample.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) of: Option<String>,
    pub(super) rows: Pace,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) primary_key: Vec<String>,
    pub(super) columns: Vec<Column>,
}

/// When there are rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Pace {
    /// Every so many seconds.
    Every(u32),
    /// At random.
    Events(Events),
}

/// A rate that moves.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Events {
    pub(super) per_hour: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) hourly: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) weekday: Vec<f64>,
}

/// A column.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Column {
    pub(super) name: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) data_type: Option<&'static str>,
    pub(super) value: Value,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) lag_1: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) hourly: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) weekday: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) hourly_plus: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) weekday_plus: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) plus: Vec<Term>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) times: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decimals: Option<u32>,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) null_share: f64,
}

/// What is added.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Term {
    pub(super) of: String,
    pub(super) factor: f64,
}

/// What a value is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Value {
    /// The row's time.
    #[default]
    Time,
    /// The row's entity.
    Entity,
    /// The same text in every row.
    Constant(String),
    /// Of each entity its own: texts or numbers.
    List(Vec<Scalar>),
    /// What the row's entity has of its own.
    Attribute(String),
    /// Values at evenly spaced quantiles.
    Quantiles(Vec<f64>),
    /// Values below which shares of the rows lie.
    Empirical { shares: Vec<f64>, values: Vec<f64> },
    /// One of some numbers.
    Numbers { values: Vec<f64>, weights: Vec<f64> },
    /// One of some texts.
    Categories { values: Vec<String>, weights: Vec<f64> },
    /// True with this probability.
    Chance(f64),
    /// Numbers that rise.
    Sequence { start: i64, increment: i64 },
    /// Ids behind a prefix.
    Id { prefix: String },
}

/// A text or a number.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Scalar {
    Number(f64),
    Text(String),
}

fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

/// A number in few digits, so that a configuration can be read: seven are more than a sample gives.
pub(super) fn short(number: f64) -> f64 {
    format!("{number:.6e}").parse().unwrap_or(number)
}

/// All of `numbers` in few digits.
pub(super) fn all_short(numbers: impl IntoIterator<Item = f64>) -> Vec<f64> {
    numbers.into_iter().map(short).collect()
}
