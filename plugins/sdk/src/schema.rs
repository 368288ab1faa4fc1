//! What a simulation declares before it runs: tables, signals, targets, inputs. It knows nothing of their rows.

/// What the fixed fields of a record do not say; the known names are listed in docs/PLUGINS.md.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl Attribute {
    /// An attribute.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// The attribute of a field that names the signals that may move it.
const MOVED_BY: &str = "moved_by";

/// The attribute of a field that names the target that a row belongs to, and its value there.
const OWNER: &str = "owner";
const TARGET: &str = "target";

/// The type of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataType {
    /// One bit.
    Boolean,
    /// 32 bits, signed.
    Int32,
    /// 64 bits, signed. Money: minor units.
    Int64,
    /// 32 bits, IEEE 754.
    Float32,
    /// 64 bits, IEEE 754.
    Float64,
    /// Text in UTF-8.
    Utf8,
    /// Days since 1970-01-01, 32 bits.
    Date,
    /// [`crate::Timestamp`], 64 bits.
    Timestamp,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name, unique in its table.
    pub name: String,
    /// The type of its values.
    pub data_type: DataType,
    /// Whether a row may lack it.
    pub nullable: bool,
    /// UCUM code of a physical quantity ("ms", "%", "MBy"); none for the rest.
    pub unit: Option<String>,
    /// What it means.
    pub summary: String,
    /// What else there is to say.
    pub attributes: Vec<Attribute>,
}

impl Field {
    /// A field that every row has, without a unit.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self {
            name: name.into(),
            data_type,
            nullable: false,
            unit: None,
            summary: String::new(),
            attributes: Vec::new(),
        }
    }
}

/// How rows of a table relate to those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// Rows are added.
    Events,
    /// A row replaces the one with the same key.
    Snapshot,
}

/// A table that a simulation fills or a validator reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// What a row is.
    pub summary: String,
    /// How rows relate to those before.
    pub kind: TableKind,
    /// Its columns in order.
    pub fields: Vec<Field>,
    /// Names of fields; empty where rows have no key.
    pub primary_key: Vec<String>,
    /// The field that places a row in time.
    pub time_field: Option<String>,
    /// What else there is to say.
    pub attributes: Vec<Attribute>,
}

impl Table {
    /// The position of a field.
    pub fn position(&self, field: &str) -> Option<usize> {
        self.fields.iter().position(|candidate| candidate.name == field)
    }

    /// Says of fields that no signals but these, with commas between, may move them. What is said of the same field later
    /// takes the place of what was said before.
    #[must_use]
    pub fn moved_by(mut self, signals: &str, fields: &[&str]) -> Self {
        for field in self.fields.iter_mut().filter(|field| fields.contains(&field.name.as_str())) {
            field.attributes.retain(|attribute| attribute.name != MOVED_BY);
            field.attributes.push(Attribute::new(MOVED_BY, signals));
        }
        self
    }

    /// Says of a field that it names the target that a row belongs to: effects on other targets leave the row as it is.
    #[must_use]
    pub fn owner(mut self, field: &str) -> Self {
        if let Some(field) = self.fields.iter_mut().find(|candidate| candidate.name == field) {
            field.attributes.push(Attribute::new(OWNER, TARGET));
        }
        self
    }

    /// The field of a name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|candidate| candidate.name == name)
    }
}

/// A quantity that effects can bend, and the column that shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// Its name, unique in the simulation.
    pub name: String,
    /// UCUM code; none where it has no unit.
    pub unit: Option<String>,
    /// What it means.
    pub summary: String,
    /// The table that shows it.
    pub table: String,
    /// The column that a scale above 1 moves up.
    pub column: String,
    /// Whether a scale above 1 moves the column down instead.
    pub inverse: bool,
}

/// A part of a simulated system that incidents can act on.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Its name, unique in the simulation.
    pub name: String,
    /// The names of what it belongs to: an effect on a parent acts on it too.
    pub parents: Vec<String>,
    /// The names of the signals that effects on it can bend.
    pub signals: Vec<String>,
    /// What else there is to say.
    pub attributes: Vec<Attribute>,
}

/// Rows from outside that the simulation builds on.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The table's name.
    pub table: String,
    /// The columns it reads, in the order and with the types in which they are fed.
    pub fields: Vec<Field>,
    /// Whether the simulation can't do without.
    pub required: bool,
}

/// What a generator simulates.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulation {
    /// The tables, in the order that batches count.
    pub tables: Vec<Table>,
    /// What effects can bend; [`crate::Effects`] counts them in this order.
    pub signals: Vec<Signal>,
    /// What effects act on; [`crate::Effects`] counts them in this order.
    pub targets: Vec<Target>,
    /// The rows from outside that it asks for.
    pub inputs: Vec<Input>,
    /// The grid of simulated time, in microseconds.
    pub step_micros: u64,
    /// What else there is to say.
    pub attributes: Vec<Attribute>,
}

impl Simulation {
    /// The position of a target.
    pub fn target(&self, name: &str) -> Option<usize> {
        self.targets.iter().position(|target| target.name == name)
    }

    /// The position of a signal.
    pub fn signal(&self, name: &str) -> Option<usize> {
        self.signals.iter().position(|signal| signal.name == name)
    }
}

/// The lines of a doc comment as one line; [`crate::table!`] uses it.
#[doc(hidden)]
pub fn summary(lines: &[&str]) -> String {
    lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .trim_end_matches('.')
        .to_owned()
}
