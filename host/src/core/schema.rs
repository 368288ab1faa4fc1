//! What a simulation declares: tables with fields, targets with signals, inputs. The host's own copy of the
//! contract's records, which runs store and every layer reads.

use super::id::{self, BadName, label_fault};
use super::problem::Problem;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most tables of one simulation, fields of one table, and targets: generous for people, far below harm.
pub const MAX_TABLES: usize = 256;
/// Most fields of one table.
pub const MAX_FIELDS: usize = 1_024;
/// Most targets of one simulation.
pub const MAX_TARGETS: usize = 100_000;
/// Most signals of one simulation: each is a column.
pub const MAX_SIGNALS: usize = 10_000;

/// A named text for what the fixed fields do not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Attribute {
    /// The attribute's name; docs/PLUGINS.md lists those that the host knows.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// The logical type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DataType {
    /// True or false.
    Boolean,
    /// 32-bit signed integer.
    Int32,
    /// 64-bit signed integer; money in minor units.
    Int64,
    /// 32-bit float.
    Float32,
    /// 64-bit float.
    Float64,
    /// UTF-8 text.
    Utf8,
    /// Days since 1970-01-01.
    Date,
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Field {
    /// Its name, unique in the table.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Whether values may be missing.
    pub nullable: bool,
    /// UCUM code of a physical quantity.
    pub unit: Option<String>,
    /// One sentence for the reader of a catalog.
    pub summary: String,
    /// What else the plugin says of it.
    pub attributes: Vec<Attribute>,
}

/// How rows of a table relate to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// Rows are added.
    Events,
    /// Rows replace those with the same key.
    Snapshot,
}

/// A table that a simulation emits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Table {
    /// Its name, unique in the dataset.
    pub name: String,
    /// One sentence for the reader of a catalog.
    pub summary: String,
    /// Events or snapshot.
    pub kind: TableKind,
    /// The columns in order.
    pub fields: Vec<Field>,
    /// Names of the fields that make a row unique; may be empty.
    pub primary_key: Vec<String>,
    /// The field that places a row in time.
    pub time_field: Option<String>,
    /// What else the plugin says of it.
    pub attributes: Vec<Attribute>,
}

impl Table {
    /// The index of the field `name`.
    pub fn field_index(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// The index of the time field.
    pub fn time_index(&self) -> Option<usize> {
        self.field_index(self.time_field.as_deref()?)
    }
}

/// A quantity that effects can bend, and the column that shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Signal {
    /// Its name, unique in the simulation.
    pub name: String,
    /// UCUM code.
    pub unit: Option<String>,
    /// One sentence.
    pub summary: String,
    /// The table whose column shows it.
    pub table: String,
    /// The column that moves with it.
    pub column: String,
    /// Whether a larger signal moves the column down.
    pub inverse: bool,
}

/// A part of a simulated system that incidents can act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Target {
    /// Its name, unique in the simulation.
    pub name: String,
    /// Targets whose effects act on this one, too.
    pub parents: Vec<String>,
    /// Names of the signals that effects on it can bend.
    pub signals: Vec<String>,
    /// What else the plugin says of it.
    pub attributes: Vec<Attribute>,
}

/// Rows from outside that a simulation builds on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Input {
    /// The input's name.
    pub table: String,
    /// Fields that it must have, found by name and sent in this order and with these types.
    pub fields: Vec<Field>,
    /// Whether the simulation can't do without it.
    pub required: bool,
}

/// All that a generator says of what it is going to simulate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Simulation {
    /// The tables, in the order that batches count them.
    pub tables: Vec<Table>,
    /// The signals that targets name.
    pub signals: Vec<Signal>,
    /// The targets.
    pub targets: Vec<Target>,
    /// The inputs that it takes.
    pub inputs: Vec<Input>,
    /// The grid of simulated time, in microseconds.
    pub step_us: u64,
    /// What else the plugin says of it.
    pub attributes: Vec<Attribute>,
}

/// Names of tables that the host itself writes into every dataset.
pub const RESERVED_TABLES: [&str; 2] = ["incidents", "incident_effects"];

impl Simulation {
    /// Everything that is wrong with the declaration, so that an author mends it in one go.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        if self.tables.is_empty() || self.tables.len() > MAX_TABLES {
            found.push(Problem::new("tables", format!("{} tables; 1 to {MAX_TABLES} are allowed", self.tables.len())));
        }
        if self.step_us == 0 {
            found.push(Problem::new("step", "must be at least one microsecond"));
        }
        if self.targets.len() > MAX_TARGETS {
            found.push(Problem::new("targets", format!("{}; at most {MAX_TARGETS} are allowed", self.targets.len())));
        }
        if self.signals.len() > MAX_SIGNALS {
            found.push(Problem::new("signals", format!("{}; at most {MAX_SIGNALS} are allowed", self.signals.len())));
        }
        if !found.is_empty() {
            // Looking closer would take as long as a guest likes.
            return found;
        }
        let mut names = BTreeSet::new();
        for table in &self.tables {
            if !names.insert(table.name.as_str()) {
                found.push(Problem::new(&table.name, "is declared twice"));
            }
            if RESERVED_TABLES.contains(&table.name.as_str()) {
                found.push(Problem::new(&table.name, "is the name of a table that the host writes"));
            }
            table.collect_problems(&mut found);
        }
        self.collect_target_problems(&mut found);
        self.collect_input_problems(&mut found);
        found
    }

    fn collect_input_problems(&self, found: &mut Vec<Problem>) {
        if self.inputs.len() > MAX_TABLES {
            found.push(Problem::new("inputs", format!("{}; at most {MAX_TABLES} are allowed", self.inputs.len())));
        }
        let mut names = BTreeSet::new();
        for input in self.inputs.iter().take(MAX_TABLES) {
            let mut add = |message: String| found.push(Problem::new(format!("input {}", input.table), message));
            if let Err(BadName { reason, .. }) = id::check_identifier("input", &input.table) {
                add(format!("can't be an input's name: {reason}"));
            }
            if !names.insert(input.table.as_str()) {
                add("is declared twice".into());
            }
            if input.fields.is_empty() || input.fields.len() > MAX_FIELDS {
                add(format!("has {} fields; 1 to {MAX_FIELDS} are allowed", input.fields.len()));
            }
            let mut names = BTreeSet::new();
            for field in input.fields.iter().take(MAX_FIELDS) {
                if let Some(fault) = label_fault(&field.name) {
                    add(format!("has a field {:?}: its name {fault}", field.name));
                }
                if !names.insert(field.name.as_str()) {
                    add(format!("has the field {:?} twice", field.name));
                }
            }
        }
    }

    fn collect_target_problems(&self, found: &mut Vec<Problem>) {
        let names: BTreeSet<_> = self.targets.iter().map(|target| target.name.as_str()).collect();
        if names.len() != self.targets.len() {
            found.push(Problem::new("targets", "a name is declared twice"));
        }
        let signals: BTreeSet<_> = self.signals.iter().map(|signal| signal.name.as_str()).collect();
        if signals.len() != self.signals.len() {
            found.push(Problem::new("signals", "a name is declared twice"));
        }
        let parents = self.targets.iter().flat_map(|target| &target.parents);
        let targets = self.targets.iter().map(|target| &target.name).chain(parents).map(|name| ("target", name));
        for (what, name) in self.signals.iter().map(|signal| ("signal", &signal.name)).chain(targets) {
            if let Some(fault) = label_fault(name) {
                found.push(Problem::new(format!("{what} {name:?}"), fault));
            }
        }
        for target in &self.targets {
            if let Some(signal) = target.signals.iter().find(|signal| !signals.contains(signal.as_str())) {
                found.push(Problem::new(&target.name, format!("names a signal that is not declared: {signal:?}")));
            }
        }
        for signal in &self.signals {
            let table = self.tables.iter().find(|table| table.name == signal.table);
            if table.and_then(|table| table.field_index(&signal.column)).is_none() {
                let message = format!("names a column that is not declared: {}.{}", signal.table, signal.column);
                found.push(Problem::new(&signal.name, message));
            }
        }
    }
}

impl Table {
    fn collect_problems(&self, found: &mut Vec<Problem>) {
        let mut add = |path: &str, message: String| found.push(Problem::new(format!("{}{path}", self.name), message));
        if let Err(BadName { reason, .. }) = id::check_identifier("table", &self.name) {
            add("", format!("can't be a table's name: {reason}"));
        }
        if self.fields.is_empty() || self.fields.len() > MAX_FIELDS {
            add("", format!("has {} fields; 1 to {MAX_FIELDS} are allowed", self.fields.len()));
        }
        if self.primary_key.len() > self.fields.len() {
            add("", format!("has {} key columns and {} fields", self.primary_key.len(), self.fields.len()));
        }
        let mut names = BTreeSet::new();
        for field in self.fields.iter().take(MAX_FIELDS) {
            if let Err(BadName { reason, .. }) = id::check_identifier("column", &field.name) {
                add(&format!(".{:?}", field.name), format!("can't be a column's name: {reason}"));
            }
            if !names.insert(field.name.as_str()) {
                add(&format!(".{}", field.name), "is declared twice".into());
            }
        }
        let mut keys = BTreeSet::new();
        for key in self.primary_key.iter().take(MAX_FIELDS) {
            if !names.contains(key.as_str()) {
                add("", format!("has a key column that is no field: {key:?}"));
            }
            if !keys.insert(key) {
                add("", format!("has a key column twice: {key:?}"));
            }
        }
        match (&self.time_field, self.time_index()) {
            (Some(name), None) => add("", format!("has a time field that is no field: {name:?}")),
            (Some(name), Some(index)) => {
                let usable = self.fields.get(index).is_some_and(|f| f.data_type == DataType::Timestamp && !f.nullable);
                if !usable {
                    add(&format!(".{name}"), "must be a timestamp that is never null, to be the time field".into());
                }
            }
            (None, _) => {}
        }
    }
}
