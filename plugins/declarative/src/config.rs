//! A system as it is written down: entities, tables, signals. What values there are is in [`crate::value`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::Value;

/// A system. Without any table, it is the small solar park that the plugin brings along.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Name of the target that stands for the whole system.
    pub system: String,
    /// The grid of simulated time, in seconds, 1 to 86,400. Samples are taken every so many steps, events are drawn once a step.
    pub step_seconds: u32,
    /// IANA name of the time zone of hours and weekdays.
    pub time_zone: String,
    /// The things that there are, such as sites and devices. A kind comes after its parent.
    pub entities: Vec<Kind>,
    /// What is logged.
    pub tables: Vec<Table>,
    /// What incidents can act on.
    pub signals: Vec<Signal>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            system: "system".to_owned(),
            step_seconds: 60,
            time_zone: "UTC".to_owned(),
            entities: Vec::new(),
            tables: Vec::new(),
            signals: Vec::new(),
        }
    }
}

/// A kind of thing, each with an id that persists.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Kind {
    /// The kind's name, such as "inverter"; incident models see it as the targets' role.
    pub name: String,
    /// How many there are, up to 1,000,000, or 5,000 where a signal acts on them.
    pub count: u32,
    /// Their ids, with {n} for the number, from 1; as the kind's name, a hyphen and the number where it is left out.
    pub id: String,
    /// Their ids one by one, instead of `count` and `id`.
    pub names: Vec<String>,
    /// The kind that each of them belongs to one of; they are dealt out in turn.
    pub parent: Option<String>,
    /// What is drawn once for each and stays.
    pub attributes: Vec<Attribute>,
    /// States that each goes through by itself.
    pub states: Vec<State>,
}

/// Something about an entity that stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Attribute {
    /// Its name; columns of the entity's tables, and of those below it, refer to it as KIND.NAME.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// Numbers are rounded to so many places.
    pub decimals: Option<u32>,
}

/// A state, and what follows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct State {
    /// Its name.
    pub name: String,
    /// How long it lasts on average; lengths are lognormal, with a spread of the logarithm of 0.6.
    pub dwell_minutes: f64,
    /// How often it is followed by which state, in relation to each other; by all others alike where it is left out.
    pub next: BTreeMap<String, f64>,
}

/// A table and its rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Table {
    /// The table's name.
    pub name: String,
    /// What a row is.
    pub summary: String,
    /// The kind of entity that has these rows; none where they are the whole system's.
    pub of: Option<String>,
    /// When there are rows.
    pub rows: Rows,
    /// Names of columns that together tell rows apart.
    pub primary_key: Vec<String>,
    /// The columns. One refers to those above it. Where none has the value "time", a column `time` comes first.
    pub columns: Vec<Column>,
}

/// When a table has rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Rows {
    /// One for each entity, once: a snapshot of what the entities are.
    Once,
    /// One for each entity (or one alone) every so many seconds, a multiple of the step.
    Every(u32),
    /// At random, at a rate.
    Events(Events),
    /// Some for each row of a table above, at the same instant.
    Each(Each),
}

impl Default for Rows {
    fn default() -> Self {
        Self::Every(60)
    }
}

/// Rows at random: a Poisson process whose rate moves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// Rows an hour on average, of each entity (or of the whole system), where factors are 1.
    pub per_hour: f64,
    /// Factors on the rate at 24 hours of the day, straight between them; empty for none.
    pub hourly: Vec<f64>,
    /// Factors on the rate from Monday to Sunday; empty for none.
    pub weekday: Vec<f64>,
    /// Factors on the rate by the entity's state; 1 for those left out.
    pub states: BTreeMap<String, f64>,
    /// How unequal the entities are: the i-th has a rate in proportion to 1 / i^zipf. 0 for alike.
    pub zipf: f64,
    /// Variance of the logarithm of the rate's bursts; 0 for a plain Poisson process.
    pub burst_variance: f64,
    /// How long bursts last.
    pub burst_seconds: f64,
}

/// Rows that belong to rows of another table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Each {
    /// The table above.
    pub table: String,
    /// Rows for each of its rows: a Poisson count of this mean.
    pub mean: f64,
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// 64-bit floating point.
    Float,
    /// 64-bit whole numbers.
    Integer,
    /// True where the number is not 0.
    Boolean,
    /// Text.
    Text,
    /// An instant: the number is seconds after the row's time.
    Timestamp,
    /// A date: the number is days after the row's, in the time zone.
    Date,
}

/// A column: what is drawn, and what is done to it, in the order of the keys here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it means.
    pub summary: String,
    /// UCUM code of a physical quantity.
    pub unit: Option<String>,
    /// Its type; as the value's where it is left out.
    #[serde(rename = "type")]
    pub data_type: Option<Type>,
    /// What is drawn.
    pub value: Value,
    /// What is drawn instead while the entity is in a state.
    pub states: BTreeMap<String, Value>,
    /// Correlation of a value with the entity's one before, 0 to 0.9999, in tables with rows every so many seconds: draws follow an
    /// Ornstein-Uhlenbeck process, and the distribution stays what it is.
    pub lag_1: f64,
    /// Factors at 24 hours of the day, straight between them; empty for none.
    pub hourly: Vec<f64>,
    /// Factors from Monday to Sunday; empty for none.
    pub weekday: Vec<f64>,
    /// Summands at 24 hours of the day, straight between them; empty for none.
    pub hourly_plus: Vec<f64>,
    /// Summands from Monday to Sunday; empty for none.
    pub weekday_plus: Vec<f64>,
    /// What is added: multiples of columns above or of attributes.
    pub plus: Vec<Term>,
    /// What it is multiplied by then: columns above or attributes.
    pub times: Vec<String>,
    /// No value is below.
    pub min: Option<f64>,
    /// No value is above.
    pub max: Option<f64>,
    /// Numbers are rounded to so many places.
    pub decimals: Option<u32>,
    /// Share of rows without a value, 0 to 1.
    pub null_share: f64,
    /// Whether it is there for other columns alone.
    pub hidden: bool,
}

/// A multiple of something else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Term {
    /// A column above, or KIND.ATTRIBUTE.
    pub of: String,
    /// The factor.
    pub factor: f64,
}

/// A quantity that incidents can bend.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Signal {
    /// Its name; incident models know it by that.
    pub name: String,
    /// What it means.
    pub summary: String,
    /// UCUM code.
    pub unit: Option<String>,
    /// The table that it acts on.
    pub table: String,
    /// The column that it acts on; with `rate`, the one that shows it.
    pub column: String,
    /// Whether it acts on the rate of the table's events rather than on the column.
    pub rate: bool,
    /// TABLE.COLUMN that shows it, where it acts on a hidden column; the column itself where it is left out.
    pub shown_in: Option<String>,
    /// Whether a factor above 1 moves the column that shows it down.
    pub inverse: bool,
}
