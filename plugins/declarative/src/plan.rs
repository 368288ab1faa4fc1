//! The system of a configuration: kinds, tables, signals and targets, resolved.

use telemill_sdk::demand::Poisson;
use telemill_sdk::time::SECOND;
use telemill_sdk::{DataType, Error, Field, Problem, Simulation, TableKind, Zone};

use crate::columns::{self, Column, INCIDENT_ID, Scope, Shape};
use crate::config::{self, Config};
use crate::entities::{self, Kind};
use crate::problems::Problems;
use crate::season::Season;
use crate::signals;
use crate::value::Value;

/// A system, ready to be simulated.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The kinds of entities.
    pub kinds: Vec<Kind>,
    /// The tables.
    pub tables: Vec<Table>,
    /// For each kind, the target of its first entity; none where no signal acts on them.
    pub first_target: Vec<Option<usize>>,
    /// As it is declared.
    pub simulation: Simulation,
    /// The grid, in microseconds.
    pub step: i64,
    /// The zone of hours and weekdays.
    pub zone: Zone,
}

/// A table, ready to be filled.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// The kind whose rows these are.
    pub of: Option<usize>,
    /// When there are rows.
    pub rows: Rows,
    /// The columns, hidden ones among them.
    pub columns: Vec<Column>,
    /// The tables that have rows for each of this one's.
    pub children: Vec<usize>,
    /// The signals that act on its rate.
    pub rate_signals: Vec<usize>,
    /// Whether incidents mark its rows.
    pub marked: bool,
}

/// When a table has rows.
#[derive(Clone, Debug)]
pub enum Rows {
    /// Once for each entity.
    Once,
    /// Every so many microseconds.
    Every(i64),
    /// At random.
    Events(Rate),
    /// A count for each row of another table.
    Each(Poisson),
}

/// How often events happen.
#[derive(Clone, Debug)]
pub struct Rate {
    /// Events a step of each entity, where factors are 1.
    pub per_step: f64,
    /// Hours and weekdays.
    pub season: Season,
    /// Factors by state.
    pub states: Vec<f64>,
    /// How unequal entities are.
    pub zipf: f64,
    /// Variance of bursts, and how long they last in steps.
    pub bursts: (f64, f64),
}

impl Plan {
    /// Reads a configuration.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn new(config: &Config) -> Result<Self, Error> {
        if config.tables.is_empty() {
            let example = telemill_sdk::config::parse::<Config>(include_str!("../examples/solar_park.json"))?;
            return Self::read(&Config { time_zone: config.time_zone.clone(), ..example });
        }
        Self::read(config)
    }

    fn read(config: &Config) -> Result<Self, Error> {
        let mut problems = Problems::default();
        problems.require((1..=86_400).contains(&config.step_seconds), "/step_seconds", "must be between 1 and 86,400");
        let step = i64::from(config.step_seconds.max(1)) * SECOND;
        let zone = Zone::named(&config.time_zone).unwrap_or_else(|_| {
            problems.add("/time_zone", "is no IANA time zone; write one such as Europe/Berlin");
            Zone::utc()
        });
        let kinds = entities::kinds(config, &mut problems);
        let mut tables: Vec<Table> = Vec::new();
        for (i, table) in config.tables.iter().enumerate() {
            let read = Reader { config, kinds: &kinds, before: &tables, step }.table(table, i, &mut problems);
            if let Rows::Each(_) = read.rows {
                let parent = each_of(table).and_then(|name| config.tables.iter().take(i).position(|t| t.name == name));
                if let Some(parent) = parent.and_then(|parent| tables.get_mut(parent)) {
                    parent.children.push(i);
                }
            }
            tables.push(read);
        }
        let signals = signals::signals(config, &mut tables, &mut problems);
        let (targets, first_target) = signals::targets(config, &kinds, &tables, &signals, &mut problems);
        if !problems.0.is_empty() {
            return Err(Error::InvalidConfig(problems.0));
        }
        let both = config.tables.iter().zip(&tables).enumerate();
        let declared = both.map(|(at, (config, table))| {
            let movers = |column: &Column| signals::moved_by(column, at, &tables, &signals);
            declare(config, table, movers)
        });
        let declared = declared.collect();
        let simulation = Simulation {
            tables: declared,
            signals,
            targets,
            inputs: Vec::new(),
            step_micros: step as u64,
            attributes: Vec::new(),
        };
        Ok(Self { kinds, tables, first_target, simulation, step, zone })
    }

    /// What is wrong with a configuration.
    pub fn problems(config: &Config) -> Vec<Problem> {
        match Self::new(config) {
            Ok(_) => Vec::new(),
            Err(Error::InvalidConfig(problems)) => problems,
            Err(other) => vec![Problem::new("", other.to_string())],
        }
    }
}

fn each_of(table: &config::Table) -> Option<&str> {
    if let config::Rows::Each(each) = &table.rows { Some(&each.table) } else { None }
}

/// Reads one table among those before it.
struct Reader<'a> {
    config: &'a Config,
    kinds: &'a [Kind],
    before: &'a [Table],
    step: i64,
}

impl Reader<'_> {
    fn table(&self, table: &config::Table, i: usize, problems: &mut Problems) -> Table {
        let at = |key: &str| format!("/tables/{i}/{key}");
        problems.name(&table.name, at("name"));
        let twice = self.config.tables.iter().take(i).any(|known| known.name == table.name);
        problems.require(!twice, at("name"), "is there twice");
        let parent = each_of(table).map(|name| self.before.iter().find(|known| known.name == name));
        problems.require(parent.is_none_or(|found| found.is_some()), at("rows/each/table"), "names no table above");
        let parent = parent.flatten();
        let named = table.of.as_ref().map(|name| self.kinds.iter().position(|kind| kind.name == *name));
        problems.require(named.is_none_or(|found| found.is_some()), at("of"), "names no kind of entity");
        // What belongs to another row belongs to that row's entity.
        let of = named.flatten().or(parent.and_then(|parent| parent.of));
        problems.require(parent.is_none() || named.is_none(), at("of"), "is that of the table above");
        let rows = self.rows(table, i, of, problems);
        let mut columns: Vec<Column> = Vec::new();
        let time = config::Column { name: "time".to_owned(), value: Value::Time, ..config::Column::default() };
        let untimed = matches!(rows, Rows::Once) || table.columns.iter().any(|column| column.value == Value::Time);
        let all = (!untimed).then_some((&time, at("columns"))).into_iter();
        let own = table.columns.iter().enumerate().map(|(j, column)| (column, at(&format!("columns/{j}"))));
        for (column, path) in all.chain(own) {
            let scope = Scope {
                table: &table.name,
                kinds: self.kinds,
                of,
                above: &columns,
                parent: parent.map(|parent| parent.columns.as_slice()),
                samples: matches!(rows, Rows::Every(_)),
            };
            columns.extend(columns::column(column, &path, &scope, problems));
        }
        let shown = |name: &String| columns.iter().any(|column| column.field.name == *name && !column.hidden);
        problems.require(table.primary_key.iter().all(shown), at("primary_key"), "names a column that is not there");
        problems.require(columns.iter().any(|column| !column.hidden), at("columns"), "must be one at least");
        Table {
            name: table.name.clone(),
            of,
            rows,
            columns,
            children: Vec::new(),
            rate_signals: Vec::new(),
            marked: false,
        }
    }

    fn rows(&self, table: &config::Table, i: usize, of: Option<usize>, problems: &mut Problems) -> Rows {
        let at = |key: &str| format!("/tables/{i}/rows/{key}");
        match &table.rows {
            config::Rows::Once => {
                problems.require(of.is_some(), format!("/tables/{i}/of"), "must name a kind: there is a row for each");
                Rows::Once
            }
            config::Rows::Every(seconds) => {
                let micros = i64::from(*seconds) * SECOND;
                problems.require(
                    micros > 0 && micros % self.step == 0,
                    at("every"),
                    "must be a multiple of step_seconds",
                );
                Rows::Every(micros.max(self.step))
            }
            config::Rows::Each(each) => {
                problems.require((0.0..=1000.0).contains(&each.mean), at("each/mean"), "must be between 0 and 1,000");
                Rows::Each(Poisson::new(each.mean))
            }
            config::Rows::Events(events) => {
                let steps_an_hour = 3600.0 * SECOND as f64 / self.step as f64;
                let per_step = events.per_hour / steps_an_hour;
                let good = events.per_hour.is_finite() && events.per_hour >= 0.0 && per_step <= 100_000.0;
                problems.require(good, at("events/per_hour"), "must be 0 or more, and at most 100,000 a step");
                problems.factors(&events.hourly, 24, at("events/hourly"));
                problems.factors(&events.weekday, 7, at("events/weekday"));
                problems.require((0.0..=10.0).contains(&events.zipf), at("events/zipf"), "must be between 0 and 10");
                let bursts = (events.burst_variance, events.burst_seconds);
                problems.require(
                    (0.0..=4.0).contains(&bursts.0),
                    at("events/burst_variance"),
                    "must be between 0 and 4",
                );
                let lasting = bursts.0 == 0.0 || (1.0..=1e6).contains(&bursts.1);
                problems.require(lasting, at("events/burst_seconds"), "must be between 1 and 1,000,000");
                let names =
                    of.and_then(|of| self.kinds.get(of)?.states.as_ref()).map_or(&[][..], |states| &states.names);
                for (name, factor) in &events.states {
                    let good = names.contains(name) && factor.is_finite() && *factor >= 0.0;
                    problems.require(good, at(&format!("events/states/{name}")), "must be a state, and 0 or more");
                }
                Rows::Events(Rate {
                    per_step,
                    season: Season {
                        factors: (events.hourly.clone(), events.weekday.clone()),
                        summands: Default::default(),
                    },
                    states: names.iter().map(|name| events.states.get(name).copied().unwrap_or(1.0)).collect(),
                    zipf: events.zipf,
                    bursts: (bursts.0, bursts.1 * SECOND as f64 / self.step as f64),
                })
            }
        }
    }
}

/// A table as it is declared; `moved_by` gives the signals that may move a column, where that can be told.
fn declare(config: &config::Table, table: &Table, moved_by: impl Fn(&Column) -> Option<String>) -> telemill_sdk::Table {
    let shown = table.columns.iter().filter(|column| !column.hidden);
    let mut fields: Vec<Field> = shown.clone().map(|column| column.field.clone()).collect();
    let time =
        shown.clone().find(|column| column.field.data_type == DataType::Timestamp && column.shape == Shape::Instant);
    if table.marked {
        let mut field = Field::new(INCIDENT_ID, DataType::Utf8);
        field.nullable = true;
        field.summary = "The incident that changed the row most".to_owned();
        fields.push(field);
    }
    let declared = telemill_sdk::Table {
        name: table.name.clone(),
        summary: config.summary.clone(),
        kind: if matches!(table.rows, Rows::Once) { TableKind::Snapshot } else { TableKind::Events },
        fields,
        primary_key: config.primary_key.clone(),
        time_field: time.map(|column| column.field.name.clone()),
        attributes: Vec::new(),
    };
    let moved = shown.filter_map(|column| Some((column.field.name.as_str(), moved_by(column)?)));
    moved.fold(declared, |declared, (field, signals)| declared.moved_by(&signals, &[field]))
}
