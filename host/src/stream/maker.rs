//! Makes a stream's rows: instances that stay open from segment to segment, incidents planned as their days come, and
//! versions of plugins that take over at a segment's boundary. Where the rows go is the caller's matter, so that a
//! verification makes them just so.

use super::error::StreamError;
use super::incidents::Known;
use super::spec::StreamSpec;
use crate::batch::TableFingerprint;
use crate::core::schema::Simulation;
use crate::core::time::{Timestamp, Window};
use crate::plugin::{LogSink, PluginError, Shard};
use crate::run::{
    self, Cancel, Host, IncidentModels, OpenShard, PlacedIncident, Plan, PlannedIncident, RunError, Windows,
};
use crate::store::PluginUse;
use arrow::array::RecordBatch;
use std::collections::BTreeMap;

/// Incidents that are over and still known to the instances, before these are made anew without them.
const MAX_OVER: usize = 1_000;

/// Takes a batch of the table with this index.
pub(super) type Take<'a> = &'a mut dyn FnMut(usize, &RecordBatch) -> Result<(), StreamError>;

/// A stream's instances and where they stand.
pub(super) struct Maker {
    host: Host,
    log: LogSink,
    pub(super) spec: StreamSpec,
    pub(super) plan: Plan,
    models: IncidentModels,
    shards: Vec<Part>,
    pub(super) known: Known,
    /// Incidents that no commit has recorded yet.
    news: Vec<PlannedIncident>,
    pub(super) planned_until: Timestamp,
    pub(super) position: Timestamp,
}

/// Where a stream stands, as it is recorded.
pub(super) struct Standing {
    pub(super) position: Timestamp,
    pub(super) planned_until: Timestamp,
    /// Where the instances were opened: the stream's start, or where a version began afresh.
    pub(super) opened_at: Timestamp,
    pub(super) states: BTreeMap<u32, Vec<u8>>,
    pub(super) known: Known,
    /// Whether nothing was committed yet.
    pub(super) fresh: bool,
}

impl Standing {
    /// At the start of `spec`.
    pub(super) fn at_start(spec: &StreamSpec) -> Self {
        let start = spec.start();
        let (planned_until, known) = (start.day_start(), Known::default());
        Self { position: start, planned_until, opened_at: start, states: BTreeMap::new(), known, fresh: true }
    }
}

/// One partition.
struct Part {
    shard: Shard,
    generator: OpenShard,
    /// Steps of its next window.
    steps: u64,
    /// What it saved at the position.
    state: Option<Vec<u8>>,
}

/// What a stretch of time brought, besides the rows that were taken.
pub(super) struct Made {
    /// Sums of all rows by table, those of the ground truth included.
    pub(super) sums: BTreeMap<String, TableFingerprint>,
    /// Incidents that became known, in order.
    pub(super) news: Vec<PlannedIncident>,
    /// Incidents that began, as rows of the ground truth.
    pub(super) begun: Vec<PlannedIncident>,
}

impl Maker {
    /// Opens the instances of `spec` where the stream stands.
    pub(super) fn open(
        host: &Host,
        spec: StreamSpec,
        components: &[PluginUse],
        standing: Standing,
        log: LogSink,
    ) -> Result<Self, StreamError> {
        let (plan, models) = plan(host, &spec, components, &log)?;
        let Standing { position, planned_until, opened_at, mut states, known, fresh } = standing;
        let (news, shards) = (Vec::new(), Vec::new());
        let mut maker =
            Self { host: host.clone(), log, spec, plan, models, shards, known, news, planned_until, position };
        if fresh {
            let placed: Vec<_> = maker.spec.run.incident.iter().filter(|i| i.known_from.is_none()).cloned().collect();
            for incident in &placed {
                maker.learn_of(incident)?;
            }
        }
        let states = (0..maker.spec.run.partitions).map(|partition| states.remove(&partition)).collect();
        maker.shards = maker.open_parts(&maker.plan, opened_at, states)?;
        Ok(maker)
    }

    fn open_parts(
        &self,
        plan: &Plan,
        opened_at: Timestamp,
        states: Vec<Option<Vec<u8>>>,
    ) -> Result<Vec<Part>, StreamError> {
        let (incidents, partitions) = (plan.declared(self.known.bare()), self.spec.run.partitions);
        let span = Window { start: opened_at, end: Timestamp::MAX };
        let open = |(partition, state): (u32, Option<Vec<u8>>)| {
            let shard = Shard { seed: plan.spec.seed(), partition, partitions, span };
            let generator = OpenShard::open(plan, shard, state.clone(), incidents.clone())?;
            Ok(Part { shard, generator, steps: 1, state })
        };
        (0_u32..).zip(states).map(open).collect()
    }

    /// Makes the rows up to `end`, a whole number of steps from the start. After an error the maker is of no use.
    pub(super) fn make(&mut self, end: Timestamp, cancel: &Cancel, take: Take<'_>) -> Result<Made, StreamError> {
        let window = Window { start: self.position, end };
        for day in (Window { start: self.planned_until, end }).days() {
            let planned = self.models.day(day)?;
            self.learn(planned)?;
            self.planned_until = day.end;
        }
        let mut sums = vec![TableFingerprint::default(); self.plan.layouts.len()];
        for part in &mut self.shards {
            part.advance(&self.plan, window, cancel, &mut |table, batch| {
                if let Some(sum) = sums.get_mut(table) {
                    sum.add(batch)?;
                }
                take(table, batch)
            })?;
        }
        let names = self.plan.layouts.iter().map(|layout| layout.table.name.clone());
        let mut sums: BTreeMap<String, TableFingerprint> = names.zip(sums).collect();
        // What goes wrong is told once it has begun.
        let begun = self.known.begun(end);
        sums.entry(run::incidents_layout().table.name).or_default().add(&run::incident_rows(&begun)?)?;
        sums.entry(run::effects_layout().table.name).or_default().add(&run::effect_rows(&begun)?)?;
        self.known.show(end);
        self.position = end;
        Ok(Made { sums, news: std::mem::take(&mut self.news), begun })
    }

    /// What each partition saved at the position; none where it carries nothing over.
    pub(super) fn states(&self) -> Vec<Option<Vec<u8>>> {
        self.shards.iter().map(|part| part.state.clone()).collect()
    }

    /// Takes over incidents and warns the instances.
    fn learn(&mut self, planned: Vec<PlannedIncident>) -> Result<(), StreamError> {
        if planned.is_empty() {
            return Ok(());
        }
        let news = self.known.add(planned)?;
        let bare = self.plan.declared(news.iter().map(|planned| planned.incident.clone()).collect());
        for part in &mut self.shards {
            part.generator.inject(&bare)?;
        }
        self.news.extend(news);
        Ok(())
    }

    fn learn_of(&mut self, placed: &PlacedIncident) -> Result<Vec<PlannedIncident>, StreamError> {
        let made = self.models.trigger(placed)?;
        self.learn(made.clone())?;
        Ok(made)
    }

    /// An incident by hand, known from the position on. Returns the incidents that it made.
    pub(super) fn trigger(&mut self, placed: &PlacedIncident) -> Result<Vec<PlannedIncident>, StreamError> {
        let earliest = self.position;
        if placed.start < earliest {
            return Err(StreamError::TooLate { earliest });
        }
        let made = self.models.trigger(placed)?;
        let reaches_back = |planned: &PlannedIncident| {
            let effects = planned.incident.effects.iter().map(|effect| effect.start);
            effects.chain([planned.incident.window.start]).any(|start| start < earliest)
        };
        if made.iter().any(reaches_back) {
            return Err(StreamError::TooLate { earliest });
        }
        self.learn(made.clone())?;
        Ok(made)
    }

    /// Incidents that became known and that no commit has recorded.
    pub(super) fn take_news(&mut self) -> Vec<PlannedIncident> {
        std::mem::take(&mut self.news)
    }

    /// Other versions of plugins take over at the position, with the saved states, or afresh where a version can't read
    /// them. Returns whether it was afresh.
    pub(super) fn swap(&mut self, components: &[PluginUse]) -> Result<bool, StreamError> {
        let (plan, models) = plan(&self.host, &self.spec, components, &self.log)?;
        check_successor(&self.plan.simulation, &plan.simulation, self.spec.tick_us())?;
        let opened_at = self.shards.first().map_or(self.position, |part| part.shard.span.start);
        let (shards, afresh) = match self.open_parts(&plan, opened_at, self.states()) {
            Ok(shards) => (shards, false),
            Err(StreamError::Run(RunError::Plugin(PluginError::UnsupportedState { .. }))) => {
                let states = vec![None; self.shards.len()];
                (self.open_parts(&plan, self.position, states)?, true)
            }
            Err(error) => return Err(error),
        };
        (self.plan, self.models, self.shards) = (plan, models, shards);
        Ok(afresh)
    }

    /// Makes the instances anew once they know many incidents that are over: what they know must not grow for ever.
    pub(super) fn refresh(&mut self) -> Result<(), StreamError> {
        if self.known.over(self.position) <= MAX_OVER {
            return Ok(());
        }
        self.known.forget(self.position);
        let incidents = self.plan.declared(self.known.bare());
        for part in &mut self.shards {
            part.generator = OpenShard::open(&self.plan, part.shard, part.state.clone(), incidents.clone())?;
        }
        Ok(())
    }
}

fn plan(
    host: &Host,
    spec: &StreamSpec,
    components: &[PluginUse],
    log: &LogSink,
) -> Result<(Plan, IncidentModels), StreamError> {
    let log = LogSink::clone(log);
    Ok(Plan::open(&host.registry, spec.resolved()?, Some(components), host.read_input, log)?)
}

/// Whether rows of a new version fit those that are there: columns may be added, and nothing else may change.
fn check_successor(old: &Simulation, new: &Simulation, tick_us: i64) -> Result<(), StreamError> {
    let refuse = |message: String| Err(StreamError::Successor { message });
    for table in &old.tables {
        let Some(successor) = new.tables.iter().find(|successor| successor.name == table.name) else {
            return refuse(format!("the table {} is gone", table.name));
        };
        let kept = table.fields.iter().zip(&successor.fields).all(|(old, new)| {
            (&old.name, old.data_type, old.nullable, &old.unit) == (&new.name, new.data_type, new.nullable, &new.unit)
        });
        if !kept || successor.fields.len() < table.fields.len() || successor.kind != table.kind {
            return refuse(format!("the columns of {} are not what they were; columns may only be added", table.name));
        }
    }
    if !tick_us.unsigned_abs().is_multiple_of(new.step_us.max(1)) {
        return refuse(format!("the stream's segments are no whole number of its steps of {} us", new.step_us));
    }
    Ok(())
}

impl Part {
    /// Makes the rows of `window`, and saves the state at its end.
    fn advance(&mut self, plan: &Plan, window: Window, cancel: &Cancel, take: Take<'_>) -> Result<(), StreamError> {
        let mut windows = Windows::with_steps(window, plan.simulation.step_us, self.steps);
        while let Some(window) = windows.next() {
            if cancel.is_cancelled() {
                return Err(StreamError::Interrupted);
            }
            let (partition, partitions) = (self.shard.partition, self.shard.partitions);
            let failed =
                |source| RunError::Shard { partition, partitions, window: Some(window), source: Box::new(source) };
            let (mut rows, mut bytes) = (0, 0);
            for (table, batch) in self.generator.rows(&plan.layouts, window).map_err(failed)? {
                rows += batch.num_rows() as u64;
                bytes += batch.get_array_memory_size() as u64;
                take(table, &batch)?;
            }
            windows.returned(rows, bytes);
        }
        self.steps = windows.steps();
        self.state = self.generator.save()?;
        Ok(())
    }
}
