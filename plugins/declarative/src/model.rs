//! The system of one shard: goes from step to step and fills its tables.

use telemill_sdk::chain::{Chain, Dwell};
use telemill_sdk::demand::{BurstScale, Bursts, Poisson};
use telemill_sdk::random::hash_u64;
use telemill_sdk::time::step_index;
use telemill_sdk::{Clock, Effects, Error, Output, Process, Shard, Window, hash};

use crate::cells::Slot;
use crate::distribution::zipf_weights;
use crate::plan::{Plan, Rate, Rows};
use crate::rows::{Subject, TableRows, World};

const ROW: Process = Process::named("row");
const COUNT: Process = Process::named("count");
const WITHIN: Process = Process::named("time within the step");
const BURSTS: Process = Process::named("bursts");
const CHILD: Process = Process::named("child row");

/// One shard of the system. It carries no state over a step: all that it keeps are tables and caches.
#[derive(Debug)]
pub struct Simulation {
    plan: Plan,
    shard: Shard,
    clock: Clock,
    world: World,
    /// Of each kind, the entities of this shard.
    own: Vec<Vec<usize>>,
    /// Of each kind with states, how long they last, and those of this shard's entities.
    chains: Vec<Option<(Dwell, Vec<Chain>)>>,
    tables: Vec<TableRows>,
    /// Of each table of events, its bursts and the entities' shares of the rate.
    bursts: Vec<Option<Bursts>>,
    shares: Vec<Vec<f64>>,
}

/// A step, and what is known of it.
#[derive(Clone, Copy)]
struct Step<'a> {
    start: i64,
    local: telemill_sdk::time::Local,
    effects: Option<&'a Effects>,
}

impl Simulation {
    /// Opens a shard.
    pub fn new(plan: Plan, shard: Shard) -> Self {
        let seed = shard.seed;
        let own: Vec<Vec<usize>> = plan
            .kinds
            .iter()
            .map(|kind| (0..kind.ids.len()).filter(|entity| shard.owns(*entity as u64)).collect())
            .collect();
        let alone = [0usize];
        let entities = |of: Option<usize>| of.and_then(|of| own.get(of)).map_or(alone.as_slice(), Vec::as_slice);
        let chains = plan.kinds.iter().zip(&own).map(|(kind, own)| {
            let states = kind.states.as_ref()?;
            let dwell = states.dwell();
            let chains = own.iter().map(|entity| states.chain(&dwell, seed, *entity)).collect();
            Some((dwell, chains))
        });
        let attributes = plan
            .kinds
            .iter()
            .map(|kind| kind.attributes.iter().map(|attribute| attribute.values(seed, kind.ids.len())).collect());
        let rate = |rows: &Rows| if let Rows::Events(rate) = rows { Some(rate.clone()) } else { None };
        let bursts = plan.tables.iter().map(|table| {
            let (variance, tau_steps) = rate(&table.rows)?.bursts;
            let key = hash(seed, BURSTS, hash(0, Process::named(&table.name), 0, 0), 0);
            (variance > 0.0).then(|| Bursts::new(key, &[BurstScale { variance, tau_steps }]))
        });
        let shares = plan.tables.iter().map(|table| {
            let count = table.of.and_then(|of| plan.kinds.get(of)).map_or(1, |kind| kind.ids.len());
            let Some(zipf) = rate(&table.rows).map(|rate| rate.zipf).filter(|zipf| *zipf > 0.0) else {
                return Vec::new();
            };
            let weights = zipf_weights(count, zipf);
            let mean = weights.iter().sum::<f64>() / count.max(1) as f64;
            weights.iter().map(|weight| weight / mean).collect()
        });
        Self {
            clock: plan.zone.clock(),
            world: World { kinds: plan.kinds.clone(), attributes: attributes.collect() },
            chains: chains.collect(),
            tables: plan
                .tables
                .iter()
                .map(|table| TableRows::new(table, &plan.kinds, seed, entities(table.of)))
                .collect(),
            bursts: bursts.collect(),
            shares: shares.collect(),
            own,
            plan,
            shard,
        }
    }

    /// The rows of a window.
    ///
    /// # Errors
    /// Where columns do not fit together.
    pub fn advance(&mut self, window: Window, effects: &Effects, output: &mut Output) -> Result<(), Error> {
        let first = self.shard.span.start;
        let step = self.plan.step;
        // The span may start between two points of the grid; steps are counted from its start.
        for slot in window.steps(step) {
            let local = self.clock.at(slot.start);
            let acting = effects.any(slot).then_some(effects);
            let now = Step { start: slot.start, local, effects: acting };
            for at in 0..self.plan.tables.len() {
                match self.plan.tables.get(at).map(|table| &table.rows) {
                    Some(Rows::Once) if slot.contains(first) => self.samples(at, &now, 0, slot.start),
                    Some(Rows::Every(every)) => {
                        let every = *every;
                        let t = -(-slot.start).div_euclid(every) * every;
                        if slot.contains(t) {
                            self.samples(at, &now, every, t);
                        }
                    }
                    Some(Rows::Events(rate)) => {
                        let rate = rate.clone();
                        self.events(at, &now, &rate);
                    }
                    _ => {}
                }
            }
        }
        for (table, rows) in self.plan.tables.iter().zip(&mut self.tables) {
            rows.finish(&table.name, effects, output)?;
        }
        Ok(())
    }

    /// A row for each entity of this shard. `every` is 0 for a snapshot.
    fn samples(&mut self, at: usize, now: &Step<'_>, every: i64, t: i64) {
        let of = self.plan.tables.get(at).and_then(|table| table.of);
        let (step, from) = match every {
            0 => (0, 0),
            every => (step_index(t, every), -(-self.shard.span.start).div_euclid(every)),
        };
        let all = of.and_then(|of| self.plan.kinds.get(of)).map_or(1, |kind| kind.ids.len());
        self.begin(at, now);
        for (place, entity) in self.entities(of).into_iter().enumerate() {
            let subject = Subject {
                time: t,
                local: now.local,
                step,
                sequence: (step - from) * all as i64 + entity as i64,
                entity,
                place,
                state: self.state(of, place, t),
                key: self.key(at, entity, step),
                target: self.target(of, entity),
                effects: now.effects,
                rate_blame: None,
            };
            self.row(at, &subject, &[]);
        }
    }

    /// The events of one step.
    fn events(&mut self, at: usize, now: &Step<'_>, rate: &Rate) {
        let of = self.plan.tables.get(at).and_then(|table| table.of);
        let step = step_index(now.start, self.plan.step);
        let burst = self.bursts.get_mut(at).and_then(Option::as_mut).map_or(1.0, |bursts| bursts.factor(step, 1.0));
        let expected = rate.per_step * rate.season.at(&now.local).0 * burst;
        let signals = self.plan.tables.get(at).map_or_else(Vec::new, |table| table.rate_signals.clone());
        self.begin(at, now);
        // Without entities, events are shared out one by one.
        let shared = of.is_none();
        let entities = if shared { vec![0] } else { self.entities(of) };
        for (place, entity) in entities.into_iter().enumerate() {
            let state = self.state(of, place, now.start);
            let target = self.target(of, entity);
            let share = self.shares.get(at).and_then(|shares| shares.get(entity)).copied().unwrap_or(1.0);
            let (mut factor, mut rate_blame) = (1.0, None);
            for signal in &signals {
                if let Some(effects) = now.effects {
                    let bent = effects.at(target, *signal, now.start);
                    rate_blame = telemill_sdk::Blame::most(rate_blame, bent.blame(factor));
                    factor = bent.apply(factor);
                }
            }
            let mean = expected * share * rate.states.get(state).copied().unwrap_or(1.0) * factor.max(0.0);
            let key = self.key(at, entity, step);
            for n in 0..Poisson::new(mean).draw(hash(key, COUNT, 0, 0)) {
                if shared && !self.shard.owns(u64::from(n)) {
                    continue;
                }
                let key = hash(key, ROW, u64::from(n), 0);
                let within = (u128::from(hash(key, WITHIN, 0, 0)) * self.plan.step as u128) >> 64;
                let time = now.start + within as i64;
                let subject = Subject {
                    time,
                    local: now.local,
                    step,
                    sequence: 0,
                    entity,
                    place,
                    state,
                    key,
                    target,
                    effects: now.effects,
                    rate_blame,
                };
                self.row(at, &subject, &[]);
            }
        }
    }

    /// A row, and those that belong to it.
    fn row(&mut self, at: usize, subject: &Subject<'_>, parent: &[Slot]) {
        let Some(rows) = self.tables.get_mut(at) else { return };
        rows.push(subject, parent, &self.world);
        let Some(children) = self.plan.tables.get(at).map(|table| table.children.clone()).filter(|c| !c.is_empty())
        else {
            return;
        };
        let slots = rows.slots().to_vec();
        for child in children {
            let key = hash(subject.key, CHILD, child as u64, 0);
            let count = match self.plan.tables.get(child).map(|table| &table.rows) {
                Some(Rows::Each(law)) => law.draw(key),
                _ => 0,
            };
            for n in 0..count {
                let subject = Subject { key: hash_u64(key, u64::from(n)), ..*subject };
                self.row(child, &subject, &slots);
            }
        }
    }

    /// Prepares the seasons of a table and of those below it.
    fn begin(&mut self, at: usize, now: &Step<'_>) {
        if let Some(rows) = self.tables.get_mut(at) {
            rows.begin(&now.local);
        }
        for child in self.plan.tables.get(at).map_or_else(Vec::new, |table| table.children.clone()) {
            self.begin(child, now);
        }
    }

    /// The entities of this shard; where a table has none, the system itself is the first shard's.
    fn entities(&self, of: Option<usize>) -> Vec<usize> {
        match of.and_then(|of| self.own.get(of)) {
            Some(own) => own.clone(),
            None if self.shard.owns(0) => vec![0],
            None => Vec::new(),
        }
    }

    fn state(&mut self, of: Option<usize>, place: usize, t: i64) -> usize {
        match of.and_then(|of| self.chains.get_mut(of)) {
            Some(Some((dwell, chains))) => chains.get_mut(place).map_or(0, |chain| chain.at(t, dwell).state),
            _ => 0,
        }
    }

    fn target(&self, of: Option<usize>, entity: usize) -> usize {
        of.and_then(|of| self.plan.first_target.get(of).copied().flatten()).map_or(0, |first| first + entity)
    }

    fn key(&self, table: usize, entity: usize, step: i64) -> u64 {
        hash(hash(self.shard.seed, ROW, table as u64, 0), ROW, entity as u64, step)
    }
}
