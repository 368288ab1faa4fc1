//! Columns, read and resolved: references found, distributions prepared.

use std::sync::Arc;

use telemill_sdk::{DataType, Field, Process, hash};

use crate::check::{check_value, words_of};
use crate::config::{self, Type};
use crate::entities::{Kind, kind_above};
use crate::problems::Problems;
use crate::season::Season;
use crate::value::{Scalar, Value};

/// What a column's slot holds while a row is made.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A number.
    Number,
    /// The place of a text.
    Words(Arc<[String]>),
    /// 64 bits, written after a prefix.
    Hex(String),
    /// Microseconds since 1970.
    Instant,
}

/// Where a number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ref {
    /// A column above.
    Column(usize),
    /// An attribute of an entity of a kind.
    Attribute(usize, usize),
}

/// Where a slot comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The row's time.
    Time,
    /// The id of the entity of a kind that the row's belongs to.
    Entity(usize),
    /// The state of the row's entity.
    State,
    /// Drawn from a distribution; by state, where one has its own. Distributions are prepared when a shard is opened.
    Draws(Value, Vec<Option<Value>>),
    /// Numbers that rise.
    Sequence(i64, i64),
    /// The row's own bits.
    Id,
    /// An entity of a kind, with an exponent of Zipf's law.
    Link(usize, f64),
    /// An attribute.
    Attribute(Ref),
    /// A slot of the row that this one belongs to.
    From(usize),
}

/// A column, ready to be made.
#[derive(Clone, Debug)]
pub struct Column {
    /// As it is declared.
    pub field: Field,
    /// What its slot holds.
    pub shape: Shape,
    /// Where that comes from.
    pub source: Source,
    /// What its draws are keyed by.
    pub key: u64,
    /// Correlation with the value before; 0 for none.
    pub lag_1: f64,
    /// Hours and weekdays.
    pub season: Season,
    /// What is added.
    pub plus: Vec<(Ref, f64)>,
    /// What it is multiplied by.
    pub times: Vec<Ref>,
    /// The signals that act on it.
    pub signals: Vec<usize>,
    /// The least and the greatest value.
    pub bounds: (f64, f64),
    /// Numbers are rounded to multiples of one over this.
    pub rounding: Option<f64>,
    /// Of 2^32, the share of rows without a value.
    pub null_below: u32,
    /// Whether it goes into no table.
    pub hidden: bool,
}

/// What a column may refer to.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The table's name.
    pub table: &'a str,
    /// All kinds.
    pub kinds: &'a [Kind],
    /// The kind whose rows these are.
    pub of: Option<usize>,
    /// The columns above.
    pub above: &'a [Column],
    /// The columns of the row that each row belongs to.
    pub parent: Option<&'a [Column]>,
    /// Whether rows come on a grid.
    pub samples: bool,
}

impl Scope<'_> {
    /// A number that a name stands for: a column above or KIND.ATTRIBUTE.
    fn number(&self, name: &str) -> Result<Ref, String> {
        if let Some(at) = self.above.iter().position(|column| column.field.name == name) {
            let number = self.above.get(at).is_some_and(|column| column.shape == Shape::Number);
            return if number { Ok(Ref::Column(at)) } else { Err(format!("{name} is no number")) };
        }
        let (kind, attribute) = self.attribute(name)?;
        let words = self.kinds.get(kind).and_then(|kind| kind.attributes.get(attribute)?.words.as_ref());
        if words.is_none() { Ok(Ref::Attribute(kind, attribute)) } else { Err(format!("{name} is no number")) }
    }

    fn attribute(&self, name: &str) -> Result<(usize, usize), String> {
        let missing = || format!("{name:?} is no column above and no KIND.ATTRIBUTE of the row's entity");
        let (kind, attribute) = name.split_once('.').ok_or_else(missing)?;
        let kind = kind_above(self.kinds, self.of, kind).ok_or_else(missing)?;
        let attributes = self.kinds.get(kind).map_or(&[][..], |kind| &kind.attributes);
        Ok((kind, attributes.iter().position(|known| known.name == attribute).ok_or_else(missing)?))
    }

    fn states(&self) -> Option<&[String]> {
        Some(&self.kinds.get(self.of?)?.states.as_ref()?.names)
    }
}

/// The column of a configuration; none where it can't be read.
pub fn column(config: &config::Column, path: &str, scope: &Scope<'_>, problems: &mut Problems) -> Option<Column> {
    let at = |key: &str| format!("{path}/{key}");
    problems.name(&config.name, at("name"));
    let twice = scope.above.iter().any(|column| column.field.name == config.name) || config.name == INCIDENT_ID;
    problems.require(!twice, at("name"), "is taken");
    check_value(&config.value, &at("value"), problems);
    let (shape, source) = match source(config, path, scope, problems) {
        Ok(found) => found,
        Err(message) => {
            problems.add(at("value"), message);
            return None;
        }
    };
    let data_type = match data_type(config, &shape) {
        Ok(data_type) => data_type,
        Err(message) => {
            problems.add(at("type"), message);
            return None;
        }
    };
    let mut refer = |name: &str, path: String| scope.number(name).map_err(|message| problems.add(path, message)).ok();
    let plus: Vec<(Ref, f64)> = config
        .plus
        .iter()
        .enumerate()
        .filter_map(|(i, term)| Some((refer(&term.of, at(&format!("plus/{i}/of")))?, term.factor)))
        .collect();
    let times: Vec<Ref> =
        config.times.iter().enumerate().filter_map(|(i, name)| refer(name, at(&format!("times/{i}")))).collect();
    check_numbers(config, path, scope, problems);
    let season = Season {
        factors: (config.hourly.clone(), config.weekday.clone()),
        summands: (config.hourly_plus.clone(), config.weekday_plus.clone()),
    };
    let counts = shape == Shape::Number || (plus.is_empty() && times.is_empty() && season.is_none());
    problems.require(counts, path, "is text or a time: only numbers have seasons, summands and factors");
    Some(Column {
        field: Field {
            name: config.name.clone(),
            data_type,
            nullable: config.null_share > 0.0,
            unit: config.unit.clone(),
            summary: config.summary.clone(),
            attributes: Vec::new(),
        },
        shape,
        source,
        key: hash(0, Process::named(&format!("{}.{}", scope.table, config.name)), 0, 0),
        lag_1: config.lag_1,
        season,
        plus,
        times,
        signals: Vec::new(),
        bounds: (config.min.unwrap_or(f64::NEG_INFINITY), config.max.unwrap_or(f64::INFINITY)),
        // Whole numbers are whole for columns below as well.
        rounding: config
            .decimals
            .or((data_type == DataType::Int64).then_some(0))
            .map(|places| 10f64.powi(places as i32)),
        null_below: (config.null_share * f64::from(u32::MAX)) as u32,
        hidden: config.hidden,
    })
}

/// The column that says which incident changed a row most.
pub const INCIDENT_ID: &str = "incident_id";

fn check_numbers(config: &config::Column, path: &str, scope: &Scope<'_>, problems: &mut Problems) {
    let at = |key: &str| format!("{path}/{key}");
    problems.list(&config.hourly, 24, at("hourly"));
    problems.list(&config.hourly_plus, 24, at("hourly_plus"));
    problems.list(&config.weekday, 7, at("weekday"));
    problems.list(&config.weekday_plus, 7, at("weekday_plus"));
    problems.require((0.0..=1.0).contains(&config.null_share), at("null_share"), "must be between 0 and 1");
    problems.require((0.0..=0.9999).contains(&config.lag_1), at("lag_1"), "must be between 0 and 0.9999");
    problems.require(
        config.lag_1 == 0.0 || scope.samples,
        at("lag_1"),
        "is for tables with rows every so many seconds: others have no row before",
    );
    problems.require(config.decimals.is_none_or(|places| places <= 12), at("decimals"), "must be at most 12");
    let ends = config.min.zip(config.max).is_none_or(|(min, max)| min <= max);
    problems.require(ends, at("min"), "must not be above max");
    for (i, term) in config.plus.iter().enumerate() {
        problems.require(term.factor.is_finite(), at(&format!("plus/{i}/factor")), "must be finite");
    }
}

fn source(
    config: &config::Column,
    path: &str,
    scope: &Scope<'_>,
    problems: &mut Problems,
) -> Result<(Shape, Source), String> {
    let ids = |kind: usize| Shape::Words(scope.kinds.get(kind).map_or_else(|| [].into(), |kind| Arc::clone(&kind.ids)));
    let entity = |kind: Option<usize>| {
        let kind = kind.ok_or("the row has no such entity: name the table's kind with `of`")?;
        Ok((ids(kind), Source::Entity(kind)))
    };
    match &config.value {
        Value::Time => Ok((Shape::Instant, Source::Time)),
        Value::Entity => entity(scope.of),
        Value::EntityOf(name) => entity(kind_above(scope.kinds, scope.of, name)),
        Value::State => {
            let names = scope.states().ok_or("the row's entity has no states")?;
            Ok((Shape::Words(names.to_vec().into()), Source::State))
        }
        Value::Sequence { start, increment } if scope.samples => {
            Ok((Shape::Number, Source::Sequence(*start, *increment)))
        }
        Value::Sequence { .. } => {
            Err("a sequence is for tables with rows every so many seconds; take an id for others".to_owned())
        }
        Value::Id { prefix } => Ok((Shape::Hex(prefix.clone()), Source::Id)),
        Value::Link { to, zipf } => {
            let kind = scope.kinds.iter().position(|kind| kind.name == *to).ok_or("link names no kind")?;
            Ok((ids(kind), Source::Link(kind, *zipf)))
        }
        Value::Attribute(name) => {
            let (kind, at) = scope.attribute(name)?;
            let words = scope.kinds.get(kind).and_then(|kind| kind.attributes.get(at)?.words.clone());
            let shape = words.map_or(Shape::Number, |words| Shape::Words(words.into()));
            Ok((shape, Source::Attribute(Ref::Attribute(kind, at))))
        }
        Value::From(name) => {
            let parent = scope.parent.ok_or("only rows for each of another table's can take something from there")?;
            let at = parent
                .iter()
                .position(|column| column.field.name == *name)
                .ok_or("names no column of the table above")?;
            let shape = parent.get(at).map_or(Shape::Number, |column| column.shape.clone());
            Ok((shape, Source::From(at)))
        }
        Value::List(_) => Err("a list is for attributes".to_owned()),
        drawn => {
            let words = words_of(drawn);
            let mut states = Vec::new();
            if !config.states.is_empty() {
                let names = scope.states().ok_or("the row's entity has no states")?;
                for (name, value) in &config.states {
                    check_value(value, &format!("{path}/states/{name}"), problems);
                    problems.require(names.contains(name), format!("{path}/states/{name}"), "names no state");
                    let same = value.is_drawn() && words_of(value) == words;
                    let message = "must be drawn as well, from the same texts if from any";
                    problems.require(same, format!("{path}/states/{name}"), message);
                }
                states = names.iter().map(|name| config.states.get(name).cloned()).collect();
            }
            let shape = words.map_or(Shape::Number, |words| Shape::Words(words.into()));
            Ok((shape, Source::Draws(drawn.clone(), states)))
        }
    }
}

fn data_type(config: &config::Column, shape: &Shape) -> Result<DataType, &'static str> {
    match (shape, config.data_type) {
        (Shape::Words(_) | Shape::Hex(_), None | Some(Type::Text)) => Ok(DataType::Utf8),
        (Shape::Instant, None | Some(Type::Timestamp)) => Ok(DataType::Timestamp),
        (Shape::Number, None) => Ok(match &config.value {
            Value::Chance(_) | Value::Constant(Scalar::Boolean(_)) => DataType::Boolean,
            Value::Sequence { .. } | Value::Poisson { .. } => DataType::Int64,
            _ => DataType::Float64,
        }),
        (Shape::Number, Some(Type::Float)) => Ok(DataType::Float64),
        (Shape::Number, Some(Type::Integer)) => Ok(DataType::Int64),
        (Shape::Number, Some(Type::Boolean)) => Ok(DataType::Boolean),
        (Shape::Number, Some(Type::Timestamp)) => Ok(DataType::Timestamp),
        (Shape::Number, Some(Type::Date)) => Ok(DataType::Date),
        _ => Err("does not fit the value"),
    }
}
