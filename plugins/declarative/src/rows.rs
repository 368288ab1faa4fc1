//! Rows of one table: each column's slot in turn, from the row's key, the columns above, the entity and the incidents.

use telemill_sdk::column::Build;
use telemill_sdk::noise::OrnsteinUhlenbeck;
use telemill_sdk::random::hash_u64;
use telemill_sdk::time::Local;
use telemill_sdk::{Blame, DictionaryColumn, Effects, Error, Marks, Nullable, Output, Process, hash};

use crate::cells::{Cells, Slot};
use crate::columns::{Column, Ref, Shape, Source};
use crate::distribution::Draw;
use crate::entities::{Kind, ancestor};
use crate::plan::Table;

const MEMORY: Process = Process::named("column's memory");
/// Smaller changes of a quantity, in relation to itself, mark no row.
const LEAST_CHANGE: f64 = 0.001;

/// What a row is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// When it happened.
    pub time: i64,
    /// The local time of its step.
    pub local: Local,
    /// The number of the sample, for tables on a grid.
    pub step: i64,
    /// The number of the sample since the span's start, times entities, plus the entity.
    pub sequence: i64,
    /// The entity's index.
    pub entity: usize,
    /// Its place among those of this shard.
    pub place: usize,
    /// The entity's state.
    pub state: usize,
    /// The row's own bits.
    pub key: u64,
    /// The target that incidents act on.
    pub target: usize,
    /// What incidents do; none where none acts.
    pub effects: Option<&'a Effects>,
    /// The incident that moved the rate.
    pub rate_blame: Option<Blame<'a>>,
}

/// The kinds with all attributes of their entities.
#[derive(Debug)]
pub struct World {
    /// The kinds.
    pub kinds: Vec<Kind>,
    /// Of each kind and attribute, the value of each entity.
    pub attributes: Vec<Vec<Vec<f64>>>,
}

/// The rows of one table so far.
#[derive(Debug)]
pub struct TableRows {
    of: Option<usize>,
    columns: Vec<Column>,
    /// The distribution of each column, and those of single states.
    draws: Vec<(Draw, Vec<Option<Draw>>)>,
    cells: Vec<Option<Cells>>,
    slots: Vec<Slot>,
    /// Of the columns that remember, for each entity of the shard.
    memory: Vec<Vec<OrnsteinUhlenbeck>>,
    /// Factor and summand of the step for each column.
    seasons: Vec<(f64, f64)>,
    marks: Marks,
    incident_id: Option<Nullable<DictionaryColumn>>,
    rows: usize,
}

impl TableRows {
    /// No rows yet. `entities`: the indices of those of this shard.
    pub fn new(table: &Table, kinds: &[Kind], seed: u64, entities: &[usize]) -> Self {
        let draws = |column: &Column| match &column.source {
            Source::Draws(usual, states) => {
                (Draw::of(usual), states.iter().map(|value| value.as_ref().map(Draw::of)).collect())
            }
            Source::Link(kind, zipf) => {
                (Draw::place(kinds.get(*kind).map_or(0, |kind| kind.ids.len()), *zipf), Vec::new())
            }
            _ => (Draw::Constant(0.0), Vec::new()),
        };
        let memory = |column: &Column| {
            let process = |entity: &usize| {
                let key = hash(hash_u64(seed, column.key), MEMORY, *entity as u64, 0);
                OrnsteinUhlenbeck::with_lag_1(key, column.lag_1)
            };
            if column.lag_1 > 0.0 { entities.iter().map(process).collect() } else { Vec::new() }
        };
        Self {
            of: table.of,
            draws: table.columns.iter().map(draws).collect(),
            cells: table.columns.iter().map(|column| (!column.hidden).then(|| Cells::of(column))).collect(),
            slots: vec![Slot::default(); table.columns.len()],
            memory: table.columns.iter().map(memory).collect(),
            seasons: vec![(1.0, 0.0); table.columns.len()],
            marks: Marks::default(),
            incident_id: table.marked.then(Nullable::default),
            columns: table.columns.clone(),
            rows: 0,
        }
    }

    /// Prepares a step: what hours and weekdays do.
    pub fn begin(&mut self, local: &Local) {
        for (column, season) in self.columns.iter().zip(&mut self.seasons) {
            if !column.season.is_none() {
                *season = column.season.at(local);
            }
        }
    }

    /// The slots of the row made last.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Makes a row. `parent`: the slots of the row that it belongs to.
    pub fn push(&mut self, subject: &Subject<'_>, parent: &[Slot], world: &World) {
        let Self { columns, draws, cells, slots, memory, seasons, .. } = self;
        let mut blame = subject.rate_blame;
        for (at, (column, draws)) in columns.iter().zip(draws).enumerate() {
            let bits = hash_u64(subject.key, column.key);
            let remembered = memory.get_mut(at).and_then(|all| all.get_mut(subject.place));
            let z = remembered.map(|process| process.at(subject.step));
            let row = Row { of: self.of, subject, parent, world, above: slots };
            let mut slot = row.slot(column, draws, bits as u32, z);
            if column.shape == Shape::Number {
                let season = seasons.get(at).copied().unwrap_or((1.0, 0.0));
                slot.number = row.shaped(column, slot.number, season, &mut blame);
            }
            if let Some(place) = slots.get_mut(at) {
                *place = slot;
            }
            if let Some(Some(cells)) = cells.get_mut(at) {
                let absent = ((bits >> 32) as u32) < column.null_below;
                cells.push((!absent).then_some(slot), subject.time, subject.local.day);
            }
        }
        if let Some(column) = &mut self.incident_id {
            let blame = blame.filter(|blame| blame.change > LEAST_CHANGE);
            self.marks.push(column, blame.map(|blame| blame.incident));
        }
        self.rows += 1;
    }

    /// Moves the rows out.
    ///
    /// # Errors
    /// Where columns do not fit together.
    pub fn finish(&mut self, name: &str, effects: &Effects, output: &mut Output) -> Result<(), Error> {
        let rows = std::mem::take(&mut self.rows);
        if rows == 0 {
            return Ok(());
        }
        let mut columns: Vec<telemill_sdk::Column> = self.cells.iter_mut().flatten().map(Cells::finish).collect();
        if let Some(column) = &mut self.incident_id {
            self.marks.finish(column, effects);
            columns.push(column.finish());
        }
        output.push(name, rows, columns)
    }
}

/// A row that is being made.
struct Row<'a, 'e> {
    of: Option<usize>,
    subject: &'a Subject<'e>,
    parent: &'a [Slot],
    world: &'a World,
    above: &'a [Slot],
}

impl<'e> Row<'_, 'e> {
    /// What a column's value is before anything is done to it. `z`: a standard normal value that remembers the one before.
    fn slot(&self, column: &Column, draws: &(Draw, Vec<Option<Draw>>), bits: u32, z: Option<f64>) -> Slot {
        let subject = self.subject;
        let number = match &column.source {
            Source::Time => return Slot { number: 0.0, bits: subject.time as u64 },
            Source::Id => return Slot { number: 0.0, bits: subject.key },
            Source::From(place) => return self.parent.get(*place).copied().unwrap_or_default(),
            Source::State => subject.state as f64,
            Source::Entity(kind) => self.entity_of(*kind) as f64,
            Source::Attribute(reference) => self.number(reference),
            Source::Sequence(start, increment) => {
                start.saturating_add(increment.saturating_mul(subject.sequence)) as f64
            }
            Source::Link(..) | Source::Draws(..) => {
                let (usual, states) = draws;
                let draw = states.get(subject.state).and_then(Option::as_ref).unwrap_or(usual);
                z.map_or_else(|| draw.draw(bits), |z| draw.of_normal(z))
            }
        };
        Slot { number, bits: 0 }
    }

    /// What becomes of a number: season, summands, factors, incidents, bounds, rounding.
    fn shaped(&self, column: &Column, drawn: f64, season: (f64, f64), blame: &mut Option<Blame<'e>>) -> f64 {
        let mut value = drawn * season.0 + season.1;
        for (reference, factor) in &column.plus {
            value += factor * self.number(reference);
        }
        for reference in &column.times {
            value *= self.number(reference);
        }
        if let Some(effects) = self.subject.effects {
            for signal in &column.signals {
                let bent = effects.at(self.subject.target, *signal, self.subject.time);
                *blame = Blame::most(*blame, bent.blame(value));
                value = bent.apply(value);
            }
        }
        let value = value.clamp(column.bounds.0, column.bounds.1);
        match column.rounding {
            Some(unit) => (value * unit).round() / unit,
            None => value,
        }
    }

    fn number(&self, reference: &Ref) -> f64 {
        match reference {
            Ref::Column(at) => self.above.get(*at).map_or(0.0, |slot| slot.number),
            Ref::Attribute(kind, attribute) => {
                let values = self.world.attributes.get(*kind).and_then(|all| all.get(*attribute));
                values.and_then(|values| values.get(self.entity_of(*kind))).copied().unwrap_or(0.0)
            }
        }
    }

    /// The entity of a kind that the row's entity is or belongs to.
    fn entity_of(&self, kind: usize) -> usize {
        match self.of {
            Some(of) => ancestor(&self.world.kinds, of, self.subject.entity, kind),
            None => 0,
        }
    }
}
